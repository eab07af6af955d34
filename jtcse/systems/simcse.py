"""SimCSE: one tower trained by InfoNCE between two views of a sentence (Gao et al., 2021).

With dropout as the only difference between the views it is SimCSE itself; with round trips through another language it is
stage 1 of the paper (Sec. III.C) and a sub-encoder of EDFSE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from jtcse.core.config import Rate, Stage1Settings
from jtcse.data.views import View, make_view
from jtcse.encoders.batches import Tower
from jtcse.encoders.encoder import Encoder
from jtcse.method.losses import info_nce, info_nce_2n
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import Shop
from jtcse.training.objective import SentenceObjective, draws


class Settings(SystemSettings):
    """Of SimCSE on any paired views."""

    infonce: Literal["two_view", "two_n"] = Field(description="Eq. 11, or over all 2N views")
    view: str = Field(description="dropout, repetition, deletion, ...; or round_trip:LANGUAGE")
    view_rate: Rate | None = Field(description="share of the words that a view touches; null: the view's own")


class SimCSE(SentenceObjective):
    """InfoNCE between two views.

    Args:
        model, tokenizer: a stock tower.
        corpus: sentences, or pairs of sentence and round-trip translation.
        view: makes the second view where the corpus has none; by default dropout alone makes the difference.
        head: projection head (``objective.make_head``); None for stage 1 of the paper.
    """

    def __init__(
        self,
        model,
        tokenizer,
        corpus: Sequence,
        settings: Settings | Stage1Settings,
        view: View | None = None,
        head: torch.nn.Module | None = None,
    ) -> None:
        super().__init__(Tower(model, head), tokenizer, corpus, settings)
        self.view = view or make_view("dropout")

    def views(self, rows: np.ndarray, seed: int) -> list[list[str]]:
        """The sentence and its second view, which a corpus of pairs brings along."""
        items = self.sentences(rows)
        if items and isinstance(items[0], tuple):
            return [[first for first, _ in items], [second for _, second in items]]
        return [items, [self.view(text, draws(seed, row)) for row, text in zip(rows, items, strict=True)]]

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce`` (Eq. 11), in the printed or the released form."""
        z, temperature = outputs["z"], self.settings.temperature
        loss = info_nce_2n(z, temperature) if self.settings.infonce == "two_n" else info_nce(z[0], z[1], temperature)
        return {"infonce": loss}


def make(shop: Shop) -> Encoder:
    """Train SimCSE; the head is thrown away."""
    settings = shop.settings
    name, _, language = settings.view.partition(":")
    model, tokenizer = shop.tower()
    corpus = shop.round_trips(language) if name == "round_trip" else shop.corpus
    view = make_view(name, settings.view_rate)
    objective = SimCSE(model, tokenizer, corpus, settings, view, shop.head(model))
    return shop.train(objective, shop.encoder(model, tokenizer))
