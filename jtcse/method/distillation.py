"""Distillation: one tower learns the vector that the twin sums (Sec. IV.C)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jtcse.core.config import DistillationSettings
from jtcse.encoders.batches import Batch, Tower
from jtcse.encoders.encoder import Encoder
from jtcse.training.objective import SentenceObjective


class _Student(nn.Module):
    """A tower that also hands on its teacher's vectors, so that all processes see both."""

    def __init__(self, model, teacher: Encoder) -> None:
        super().__init__()
        self.tower = Tower(model)
        self._teacher = [teacher]  # in a list: not a part of what is trained

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        h = self.tower(batch)["h"]
        target = torch.from_numpy(self._teacher[0].encode(batch.texts[0])).to(h.device)
        return {"h": h, "target": target[None]}


class Distillation(SentenceObjective):
    """Objective: mean squared error between the student's [CLS] vector and the teacher's sum.

    The loss is told by the paper (Sec. IV.C) and by the teacher class of the released code; everything else (steps, start of
    the student, corpus) is in neither and a setting here.

    Args:
        model, tokenizer: the student.
        teacher: an encoder; takes no gradient and runs without dropout.
        corpus: sentences.
    """

    copies = 1

    def __init__(
        self, model, tokenizer, teacher: Encoder, corpus: Sequence[str], settings: DistillationSettings
    ) -> None:
        super().__init__(_Student(model, teacher), tokenizer, corpus, settings)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``mse``, mean over sentences and coordinates."""
        h, target = outputs["h"], outputs["target"]
        exact = torch.promote_types(h.dtype, target.dtype)
        return {"mse": F.mse_loss(h.to(exact), target.to(exact))}
