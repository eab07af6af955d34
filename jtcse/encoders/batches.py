"""Sentences as batches of token ids: padded, split by length, and towers that read them."""

from __future__ import annotations

import hashlib
import uuid
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from jtcse.core.errors import UserError


@dataclass(frozen=True)
class Batch:
    """v views of n sentences as token ids, in groups of like length that are padded separately.

    ``groups`` hold (ids, mask), (m, l) each; row r of view w is row ``order[w * n + r]`` of the groups put together.
    """

    groups: list[tuple[Tensor, Tensor]]
    order: Tensor
    views: int
    texts: list[list[str]]

    def to(self, place: torch.device) -> Self:
        """The same batch, with what a subclass adds to it, on a device."""
        return type(self)(**{name: _moved(value, place) for name, value in vars(self).items()})

    def read(self, reader: Callable[..., Tensor], *beside: Sequence) -> Tensor:
        """What a reader of (m, l) ids and mask makes of the groups, (m, ...) each, in the batch's order: (v, n, ...).

        ``beside``: lists of what the reader is given with each group.
        """
        return in_order(self, [[reader(*group, *more)] for group, *more in zip(self.groups, *beside, strict=True)])[0]


def _moved(value: Any, place: torch.device) -> Any:
    """Tensors and batches on a device, also those in lists and tuples; all else as it is."""
    if isinstance(value, Tensor | Batch):
        return value.to(place)
    return type(value)(_moved(one, place) for one in value) if isinstance(value, list | tuple) else value


def make_batch(texts: Sequence[Sequence[str]], tokenizer, max_length: int, length_groups: int = 1) -> Batch:
    """Tokenise v lists of n texts and split the v * n rows by length (``batch_of``)."""
    ids = [token_ids(view, tokenizer, max_length) for view in texts]
    return batch_of(ids, tokenizer.pad_token_id, length_groups, texts)


def batch_of(
    views: Sequence[Sequence[Sequence[int]]], pad_id: int, length_groups: int, texts: Sequence[Sequence[str]]
) -> Batch:
    """v lists of n sentences, as token ids with special tokens, split by length into groups.

    Splitting changes no loss: vectors come back in order, and padding is masked.
    """
    ids = [row for view in views for row in view]
    by_length = np.argsort([len(row) for row in ids], kind="stable")
    parts = [part for part in np.array_split(by_length, length_groups) if len(part)]
    groups = [pad([ids[r] for r in part], pad_id) for part in parts]
    order = torch.from_numpy(np.argsort(np.concatenate(parts), kind="stable"))
    return Batch(groups, order, len(views), [list(view) for view in texts])


def in_order(batch: Batch, parts: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Per-group results, each a list of (m, d) tensors, put together as (v, n, d) tensors in the batch's order."""
    return [torch.cat(column)[batch.order].unflatten(0, (batch.views, -1)) for column in zip(*parts, strict=True)]


class Tower(nn.Module):
    """One stock tower; gives ``h``: (v, n, d), [CLS] of the last hidden state, and ``z``, what the head makes of it.

    The head (``objective.make_head``) is trained with the tower and thrown away afterwards; without one ``z`` is ``h``.
    """

    def __init__(self, model, head: nn.Module | None = None) -> None:
        super().__init__()
        self.model, self.head = model, head or nn.Identity()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors of a batch."""
        h = batch.read(lambda ids, mask: self.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0])
        return {"h": h, "z": headed(self.head, h)}


def headed(head: nn.Module, h: Tensor) -> Tensor:
    """What a head makes of all views at once: (v, n, d) -> (v, n, d)."""
    return head(h.flatten(0, 1)).unflatten(0, h.shape[:2])


def check_same_words(first, second) -> None:
    """Refuse tokenizers that number words differently: both towers read the same ids."""
    if first.get_vocab() != second.get_vocab():
        raise UserError(
            f"the towers' vocabularies differ ({len(first):,} and {len(second):,} entries, or the same words under other "
            "numbers); a twin needs two towers with one vocabulary"
        )


TOKEN_BUDGET = 4096
"""Tokens of a batch in ``encode``, padding included: more no longer fit into a core's cache, and CPUs become slower."""


ENOUGH = 1024
"""Tokens from which on a batch is worth running by itself."""


KEPT_TOKENS = 4_000_000
"""Token ids that a process keeps, some 16 MB and the texts themselves; when there are more, all are forgotten."""


class TokenMemory:
    """Token ids of sentences by what read them, so that a process tokenises a sentence once for all towers of a vocabulary."""

    def __init__(self, limit: int = KEPT_TOKENS) -> None:
        self.limit = limit
        self._readers: WeakKeyDictionary = WeakKeyDictionary()
        self.forget()

    def forget(self) -> None:
        """Start anew, as before a measurement of speed."""
        self._rows: dict[tuple, array] = {}
        self._size = 0

    def keep(self, key: tuple, row: Sequence[int]) -> None:
        """Remember one sentence's ids."""
        if self._size + len(row) > self.limit:
            self.forget()
        self._rows[key] = array("i", row)
        self._size += len(row)

    def get(self, key: tuple) -> list[int] | None:
        """One sentence's ids, a list of the caller's own."""
        return list(self._rows[key]) if key in self._rows else None

    def reader(self, tokenizer) -> tuple:
        """What tells tokenizers apart that read alike or not: equal for those of two towers with one vocabulary."""
        if tokenizer not in self._readers:
            backend = getattr(tokenizer, "backend_tokenizer", None)
            text = backend.to_str() if backend else uuid.uuid4().hex
            self._readers[tokenizer] = hashlib.sha256(text.encode()).hexdigest()
        return self._readers[tokenizer], len(tokenizer), getattr(tokenizer, "truncation_side", None)


MEMORY = TokenMemory()


def token_ids(sentences: Sequence[str], tokenizer, max_length: int) -> list[list[int]]:
    """Token ids of each sentence with special tokens, cut at ``max_length`` tokens; known ones are not tokenised again."""
    reader = (*MEMORY.reader(tokenizer), max_length)
    found = {sentence: MEMORY.get((*reader, sentence)) for sentence in sentences}
    new = [sentence for sentence, ids in found.items() if ids is None]
    if new:
        limits = {"truncation": True, "max_length": max_length}
        rows = tokenizer(new, return_attention_mask=False, return_token_type_ids=False, **limits)["input_ids"]
        found.update(zip(new, rows, strict=True))
        for sentence, row in zip(new, rows, strict=True):
            MEMORY.keep((*reader, sentence), row)
    return [list(found[sentence]) for sentence in sentences]


def length_batches(lengths: Sequence[int], budget: int) -> list[np.ndarray]:
    """Row numbers in batches of like length, longest first, at most ``budget`` tokens each with padding."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    ordered = np.asarray(lengths)[order]
    batches, start = [], 0
    while start < len(order):
        longest = max(1, ordered[start])
        same_length = np.searchsorted(-ordered, -longest, side="right") - start
        # where many share a length, a batch stops at its end: no padding, and so no mask to apply
        size = max(1, min(budget // longest, max(same_length, ENOUGH // longest)))
        batches.append(order[start : start + size])
        start += size
    return batches


def padded(
    ids: Sequence[Sequence[int]], pad_id: int, place: torch.device, budget: int | None = None
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Token ids of n sentences in batches of like length: row numbers (m,), ids and mask (m, l) on a device.

    ``budget``: tokens of a batch; by default ``TOKEN_BUDGET``.
    """
    for rows in length_batches([len(row) for row in ids], budget or TOKEN_BUDGET):
        tokens, mask = pad([ids[row] for row in rows], pad_id)
        yield rows, tokens.to(place), mask.to(place)


def pad(ids: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Token ids of n sentences as (n, l) ids and (n, l) mask."""
    width = max(len(row) for row in ids)
    tokens = np.full((len(ids), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(ids), width), dtype=np.int64)
    for i, row in enumerate(ids):
        tokens[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return torch.from_numpy(tokens), torch.from_numpy(mask)
