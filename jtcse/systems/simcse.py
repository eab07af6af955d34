"""Stage 1: one tower trained by InfoNCE between two views of a sentence (Sec. III.C; SimCSE on round-trip translations)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from jtcse.config import Stage1Settings
from jtcse.losses import info_nce, info_nce_2n
from jtcse.twin import Batch, Tower, make_batch

View = Callable[[str, np.random.Generator], str]


def same(sentence: str, generator: np.random.Generator) -> str:
    """The view whose only difference is the dropout mask."""
    return sentence


def two_views(corpus: Sequence, rows: np.ndarray, view: View, seed: int) -> list[list[str]]:
    """Both views of some sentences: a corpus of pairs brings its second view, otherwise ``view`` makes it."""
    items = [corpus[int(row)] for row in rows]
    if items and isinstance(items[0], tuple):
        return [[first for first, _ in items], [second for _, second in items]]
    made = [view(text, np.random.default_rng((seed, int(row)))) for row, text in zip(rows, items, strict=True)]
    return [items, made]


class SimCSE:
    """Objective of stage 1.

    Args:
        model, tokenizer: a stock tower.
        corpus: sentences, or pairs of sentence and round-trip translation.
        view: makes the second view where the corpus has none.
    """

    def __init__(self, model, tokenizer, corpus: Sequence, settings: Stage1Settings, view: View = same) -> None:
        self.module, self.tokenizer, self.corpus, self.settings, self.view = (
            Tower(model),
            tokenizer,
            corpus,
            settings,
            view,
        )
        self.size = len(corpus)

    def batch(self, rows: np.ndarray, seed: int) -> Batch:
        """Two views of some sentences."""
        texts = two_views(self.corpus, rows, self.view, seed)
        return make_batch(texts, self.tokenizer, self.settings.max_length, self.settings.length_groups)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce`` (Eq. 11), in the printed or the released form."""
        h, temperature = outputs["h"], self.settings.temperature
        loss = info_nce_2n(h, temperature) if self.settings.infonce == "two_n" else info_nce(h[0], h[1], temperature)
        return {"infonce": loss}
