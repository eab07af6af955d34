"""What objectives on sentences share: how a batch of views comes about.

An objective plugs into ``trainer.train``: a ``module`` that turns a batch into named tensors, ``batch`` that makes the views of
some sentences, and ``parts``, the named parts of the loss. Everything that is random about a sentence's views comes from
(seed, row) alone, so that a run can be resumed and shared between processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from jtcse.core.config import Training
from jtcse.encoders.batches import Batch, Tower, batch_of, make_batch, token_ids


class SentenceObjective:
    """Base of an objective whose views are texts; a subclass gives ``views`` or ``batch``, and ``parts``.

    Args:
        module: all that is trained; ``module(batch)`` gives named tensors (v, n, ...) of the process's own sentences.
        tokenizer: of its towers.
        corpus: sentences, or pairs of a sentence and its other view.
        settings: of the training.
    """

    copies = 2  # of each sentence, where ``views`` is not given: dropout alone makes the difference

    def __init__(self, module: nn.Module, tokenizer, corpus: Sequence, settings: Training) -> None:
        self.module, self.tokenizer, self.corpus, self.settings = module, tokenizer, corpus, settings
        self.size = len(corpus)

    def sentences(self, rows: np.ndarray) -> list:
        """The corpus's items of these rows."""
        return [self.corpus[int(row)] for row in rows]

    def views(self, rows: np.ndarray, seed: int) -> list[list[str]]:
        """v lists of n texts."""
        return [self.sentences(rows)] * self.copies

    def batch(self, rows: np.ndarray, seed: int) -> Batch:
        """The views of some sentences, tokenised; each sentence's randomness comes from (seed, row) alone."""
        return make_batch(self.views(rows, seed), self.tokenizer, self.settings.max_length, self.settings.length_groups)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """Named parts of the loss, from the tensors of all processes together; the loss is their sum."""
        raise NotImplementedError

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, with special tokens, for views that change tokens and not words."""
        return token_ids(texts, self.tokenizer, self.settings.max_length)

    def batch_of(self, views: Sequence[Sequence[Sequence[int]]], texts: Sequence[str]) -> Batch:
        """v views of n texts as token ids."""
        return batch_of(views, self.tokenizer.pad_token_id, self.settings.length_groups, [texts] * len(views))


class TowerObjective(SentenceObjective):
    """Base of an objective on one stock tower under a projection head; a subclass gives ``parts``, and ``build`` for more.

    Args:
        model, tokenizer: the tower.
        corpus, settings: as ``SentenceObjective``.
        head: projection head; None: none.
        more: of ``build``.
    """

    def __init__(
        self, model, tokenizer, corpus: Sequence, settings: Training, head: nn.Module | None = None, **more
    ) -> None:
        module = self.build(model, head or nn.Identity(), tokenizer, settings, **more)
        super().__init__(module, tokenizer, corpus, settings)

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Training) -> nn.Module:
        """All that is trained."""
        return Tower(model, head)


def draws(seed: int, row: int, name: int = 0) -> np.random.Generator:
    """The random stream of one sentence in one step; ``name`` tells several of them apart."""
    return np.random.default_rng((seed, int(row), name) if name else (seed, int(row)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch draws from a seed; its stream outside goes on as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def make_head(kind: str, width: int, seed: int) -> nn.Module:
    """A projection head with fresh weights, (n, d) -> (n, d).

    Args:
        kind: ``none``; ``mlp``, dense and tanh (SimCSE, the shape of BERT's pooler); ``bn``, dense to 2 d without bias, batch
            norm, ReLU, dense to d without bias, batch norm without scale and shift (DiffCSE, InfoCSE). Each process of several
            takes the batch statistics of its own share.
        width: d.
        seed: of the weights.
    """
    if kind == "none":
        return nn.Identity()
    with seeded(seed):
        if kind == "mlp":
            dense = nn.Linear(width, width)
            nn.init.normal_(dense.weight, std=0.02)  # as BERT's own layers start
            nn.init.zeros_(dense.bias)
            return nn.Sequential(dense, nn.Tanh())
        return nn.Sequential(
            nn.Linear(width, 2 * width, bias=False),
            nn.BatchNorm1d(2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, width, bias=False),
            nn.BatchNorm1d(width, affine=False),
        )


class Queue(nn.Module):
    """The last q vectors that were pushed, oldest first; they are buffers, so that a run that goes on has them.

    Args:
        size: q, at least 1.
        width: d.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("held", torch.zeros(size, width))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @property
    def full(self) -> bool:
        """Whether q vectors were pushed."""
        return int(self.count) == len(self.held)

    def rows(self) -> Tensor:
        """A copy of what is held, without gradient: (at most q, d)."""
        return self.held[len(self.held) - int(self.count) :].clone()

    @torch.no_grad()
    def push(self, vectors: Tensor) -> None:
        """Take (n, d) vectors in and drop the oldest."""
        size = len(self.held)
        self.held.copy_(torch.cat([self.held, vectors.to(self.held)])[-size:])
        self.count.copy_((self.count + len(vectors)).clamp(max=size))


def off_diagonal(square: Tensor) -> Tensor:
    """Each row of a square matrix without its diagonal entry: (n, n) -> (n, n - 1)."""
    n = len(square)
    return square.flatten()[1:].view(n - 1, n + 1)[:, :-1].reshape(n, n - 1)
