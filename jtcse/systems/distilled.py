"""The rows "D": one tower learns the vector that several sum.

TNCSE, JTCSE and the sums with InfoCSE take the squared error (``jtcse/method/distillation.py``), EDFSE a contrastive
loss: "predicts the ensemble output of all submodels via a contrastive objective", as its abstract has it.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from jtcse.core.errors import UserError
from jtcse.encoders.encoder import Encoder, TowerEncoder, all_towers
from jtcse.method.distillation import Distillation
from jtcse.method.losses import info_nce
from jtcse.systems.settings import SystemSettings, fragment
from jtcse.systems.shop import Shop


class Settings(SystemSettings):
    """Of a student; its teacher is the one system that the fragment needs."""

    loss: Literal["mse", "infonce"] = Field(description="squared error to the teacher's vector, or InfoNCE towards it")
    student: Literal["fresh", "tower"] = Field(
        description="starts from the plain encoder, or as the teacher's first tower"
    )


class ContrastiveDistillation(Distillation):
    """Objective: InfoNCE between the student's vector of a sentence and the teacher's.

    The negatives are the teacher's vectors of the batch's other sentences. That, temperature and direction are ours: only the
    abstract of EDFSE is public.
    """

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce``, from the student to the teacher."""
        h, target = outputs["h"][0], outputs["teacher_1"][0]
        return {"infonce": info_nce(h, target.to(h.dtype), self.settings.temperature)}


OBJECTIVES = {"mse": Distillation, "infonce": ContrastiveDistillation}


def make(shop: Shop) -> Encoder:
    """Train the teacher if that was not done yet, then the student."""
    (name,) = fragment(shop.name).needs
    teacher = shop.trained(name)
    model, tokenizer = shop.tower()
    check_teacher(teacher, shop.encoder(model, tokenizer), name)
    for tower in all_towers(teacher):  # both read the same part of a long sentence
        tower.max_length = min(tower.max_length, shop.settings.max_length)
    if shop.settings.student == "tower":
        model.load_state_dict(all_towers(teacher)[0].model.state_dict())
    objective = OBJECTIVES[shop.settings.loss](model, tokenizer, teacher, shop.corpus, shop.settings)
    return shop.train(objective, shop.encoder(model, tokenizer))


def check_teacher(teacher: Encoder, student: TowerEncoder, name: str) -> None:
    """Refuse a teacher whose vectors the student cannot have."""
    width = all_towers(teacher)[0].width
    if width != student.width:
        raise UserError(
            f"the vectors of the teacher {name} have {width} numbers and the student's {student.width}; "
            "start the student from an encoder of the teacher's width"
        )
