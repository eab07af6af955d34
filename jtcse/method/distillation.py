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


class Taught(nn.Module):
    """A tower that hands on its teachers' vectors, so that all processes see both.

    Gives ``h`` and ``z`` of ``Tower`` and ``teacher_1``, ``teacher_2``, ...: (1, n, their width). Teachers read the sentences,
    not the student's token ids, so that their vocabularies may be any.
    """

    def __init__(self, model, head: nn.Module | None, teachers: Sequence[Encoder]) -> None:
        super().__init__()
        self.tower = Tower(model, head)
        self._teachers = list(teachers)  # in a list: not a part of what is trained

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors of a batch."""
        found = self.tower(batch)
        for number, teacher in enumerate(self._teachers, 1):
            found[f"teacher_{number}"] = torch.from_numpy(teacher.encode(batch.texts[0])).to(found["z"].device)[None]
        return found


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
        super().__init__(Taught(model, None, [teacher]), tokenizer, corpus, settings)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``mse``, mean over sentences and coordinates."""
        h, target = outputs["h"], outputs["teacher_1"]
        exact = torch.promote_types(h.dtype, target.dtype)
        return {"mse": F.mse_loss(h.to(exact), target.to(exact))}
