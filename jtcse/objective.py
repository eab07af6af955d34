"""What objectives on sentences share: how a batch of views comes about.

An objective plugs into ``training.train``: a ``module`` that turns a batch into named tensors, ``batch`` that makes the views of
some sentences, and ``parts``, the named parts of the loss. Everything that is random about a sentence's views comes from
(seed, row) alone, so that a run can be resumed and shared between processes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from jtcse.config import Training
from jtcse.data.views import View
from jtcse.twin import Batch, make_batch


class SentenceObjective:
    """Base of an objective whose views are texts; a subclass gives ``views`` or ``batch``, and ``parts``.

    Args:
        module: all that is trained.
        tokenizer: of its towers.
        corpus: sentences, or pairs of a sentence and its other view.
        settings: of the training.
    """

    def __init__(self, module: nn.Module, tokenizer, corpus: Sequence, settings: Training) -> None:
        self.module, self.tokenizer, self.corpus, self.settings = module, tokenizer, corpus, settings
        self.size = len(corpus)

    def sentences(self, rows: np.ndarray) -> list:
        """The corpus's items of these rows."""
        return [self.corpus[int(row)] for row in rows]

    def views(self, rows: np.ndarray, seed: int) -> list[list[str]]:
        """v lists of n texts: each sentence twice, so that dropout alone makes the difference."""
        return [self.sentences(rows)] * 2

    def batch(self, rows: np.ndarray, seed: int) -> Batch:
        """The views of some sentences, tokenised."""
        return make_batch(self.views(rows, seed), self.tokenizer, self.settings.max_length, self.settings.length_groups)


def two_views(items: Sequence, rows: np.ndarray, view: View, seed: int) -> list[list[str]]:
    """Both views of some items of a corpus: a corpus of pairs brings its second view, otherwise ``view`` makes it."""
    if items and isinstance(items[0], tuple):
        return [[first for first, _ in items], [second for _, second in items]]
    return [list(items), [view(text, draws(seed, row)) for row, text in zip(rows, items, strict=True)]]


def draws(seed: int, row: int, name: int = 0) -> np.random.Generator:
    """The random stream of one sentence in one step; ``name`` tells several of them apart."""
    return np.random.default_rng((seed, int(row), name) if name else (seed, int(row)))
