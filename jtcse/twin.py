"""What is trained: towers that turn a batch, split by length, into the vectors that the losses read.

Sizes: n sentences of a batch, v views of each, l tokens, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from jtcse.cross_attention import cael_layers, cross_streams, fed_forward
from jtcse.encoder import pad, token_ids
from jtcse.errors import UserError


@dataclass(frozen=True)
class Batch:
    """v views of n sentences as token ids, in groups of like length that are padded separately.

    ``groups`` hold (ids, mask), (m, l) each; row r of view w is row ``order[w * n + r]`` of the groups put together.
    """

    groups: list[tuple[Tensor, Tensor]]
    order: Tensor
    views: int
    texts: list[list[str]]

    def to(self, place: torch.device) -> Batch:
        """The same batch on a device."""
        return Batch([(i.to(place), m.to(place)) for i, m in self.groups], self.order.to(place), self.views, self.texts)


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

    The head (``heads.py``) is trained with the tower and thrown away afterwards; without one ``z`` is ``h``.
    """

    def __init__(self, model, head: nn.Module | None = None) -> None:
        super().__init__()
        self.model, self.head = model, head or nn.Identity()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors of a batch."""
        (h,) = in_order(
            batch, [[self.model(input_ids=i, attention_mask=m).last_hidden_state[:, 0]] for i, m in batch.groups]
        )
        return {"h": h, "z": self.head(h.flatten(0, 1)).unflatten(0, h.shape[:2])}


class Twin(nn.Module):
    """Two stock towers and, between them, a reading of the paper's cross-attention.

    Gives ``h_1, h_2`` ([CLS] of the last hidden states), ``p_1, p_2`` (pooler outputs) and, unless ``cross_stream`` is
    ``none``, ``c_1, c_2`` ([CLS] of the cross streams): (v, n, d) each.

    Raises:
        UserError: towers of different family, width, depth, heads or vocabulary; no pooler; a CAEL count that does not
            divide the depth.
    """

    def __init__(self, first, second, *, cross_stream: str = "carried", cael_count: int = 1) -> None:
        super().__init__()
        check_alike(first, second)
        self.towers = nn.ModuleList([first, second])
        self.cross_stream = cross_stream
        self.caels = [] if cross_stream == "none" else cael_layers(first.config.num_hidden_layers, cael_count)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors of a batch."""
        run = self._fed if self.cross_stream == "fed" else self._beside
        return dict(zip(("h_1", "h_2", "p_1", "p_2", "c_1", "c_2"), in_order(batch, run(batch.groups)), strict=False))

    def _beside(self, groups: Sequence[tuple[Tensor, Tensor]]) -> list[list[Tensor]]:
        """The cross streams come after the towers' own of all groups, so that these draw the same dropout masks without them."""
        crossing = bool(self.caels)
        outputs = [
            [tower(input_ids=ids, attention_mask=mask, output_hidden_states=crossing) for tower in self.towers]
            for ids, mask in groups
        ]
        vectors = [
            [out.last_hidden_state[:, 0] for out in pair] + [out.pooler_output for out in pair] for pair in outputs
        ]
        if crossing:
            for found, pair, (_, mask) in zip(vectors, outputs, groups, strict=True):
                states = [out.hidden_states for out in pair]
                found += cross_streams(self.towers, states, mask, self.caels, self.cross_stream)
        return vectors

    def _fed(self, groups: Sequence[tuple[Tensor, Tensor]]) -> list[list[Tensor]]:
        vectors = []
        for ids, mask in groups:
            states, crossed = fed_forward(self.towers, ids, mask, self.caels)
            pooled = [tower.pooler(s) for tower, s in zip(self.towers, states, strict=True)]
            vectors.append([s[:, 0] for s in states] + pooled + crossed)
        return vectors


def check_same_words(first, second) -> None:
    """Refuse tokenizers that number words differently: both towers read the same ids."""
    if first.get_vocab() != second.get_vocab():
        raise UserError(
            f"the towers' vocabularies differ ({len(first):,} and {len(second):,} entries, or the same words under other "
            "numbers); a twin needs two towers with one vocabulary"
        )


def check_alike(first, second) -> None:
    """Refuse towers that cannot attend to each other or be summed."""
    names = {
        "model_type": "family",
        "hidden_size": "width",
        "num_hidden_layers": "depth",
        "num_attention_heads": "number of heads",
        "vocab_size": "vocabulary size",
    }
    for key, name in names.items():
        a, b = getattr(first.config, key), getattr(second.config, key)
        if a != b:
            raise UserError(f"the towers differ in {name}: {a} and {b}; a twin needs two of the same")
    for number, tower in enumerate((first, second), 1):
        if getattr(tower, "pooler", None) is None:
            raise UserError(
                f"tower {number} has no pooler layer; the tensor-modulus constraint reads its output (Eq. 13)"
            )
