"""RankCSE (Liu et al., 2023): a student learns from two teachers how the sentences of a batch rank by likeness.

There is no code of its authors. Formulas are the paper's as far as the community code (perceptiveshawty/RankCSE) tells them;
where that code and its own description part, the settings and the card say which one is followed. Sizes: n sentences, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from jtcse.core.config import Rate
from jtcse.core.errors import UserError
from jtcse.encoders.encoder import Encoder, all_towers
from jtcse.method.distillation import Taught
from jtcse.method.losses import cosine_matrix, info_nce
from jtcse.systems.settings import SystemSettings, fragment
from jtcse.systems.shop import Shop, one_tower
from jtcse.training.objective import TowerObjective, off_diagonal


class Settings(SystemSettings):
    """Of RankCSE."""

    ranking: Literal["listnet", "listmle"] = Field(description="loss of the student's list against the teachers'")
    ranking_weight: float = Field(ge=0, description="gamma; 0: no teachers")
    consistency_weight: float = Field(ge=0, description="beta, of the divergence between both directions")
    teachers: list[str] = Field(min_length=1, max_length=2, description="systems, hub names or folders")
    teacher_share: float = Field(ge=0, le=1, description="alpha, the first teacher's share where there are two")
    student_temperature: Rate = Field(description="tau2, of the student's lists")
    teacher_temperature: Rate = Field(description="tau3, of the teachers' lists; ListMLE reads their order alone")
    with_self: bool = Field(description="whether a list holds the sentence itself")


def list_net(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy of the student's list from the teachers', both as softmax, mean over lists.

    Args:
        student, teacher: (n, m), already divided by their temperatures.
    """
    return -(teacher.softmax(1) * student.log_softmax(1)).sum(1).mean()


def list_mle(student: Tensor, teacher: Tensor) -> Tensor:
    """Minus the log of the chance that the student, drawing without replacement, finds the teachers' order; mean over lists.

    Args:
        student: (n, m), divided by its temperature.
        teacher: (n, m); ties keep the order of the batch, which is random.
    """
    ranked = student.gather(1, teacher.argsort(dim=1, descending=True, stable=True))
    left = ranked.flip(1).logcumsumexp(1).flip(1)  # over what is not drawn yet
    return (left - ranked).sum(1).mean()


def consistency(student: Tensor) -> Tensor:
    """Jensen-Shannon divergence between the lists of both directions, mean over sentences.

    Args:
        student: (n, n), first views by second views, divided by the temperature: its rows are the lists of the first views,
            its columns those of the second.
    """
    one, other = student.log_softmax(1), student.T.log_softmax(1)
    middle = torch.logaddexp(one, other) - log(2)
    return sum((p.exp() * (p - middle)).sum(1).mean() for p in (one, other)) / 2


class RankCSE(TowerObjective):
    """InfoNCE, agreement of both directions, and the teachers' ranking.

    Raises:
        UserError: a ranking with a weight, and no teachers.
    """

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings, teachers: Sequence[Encoder] = ()) -> Taught:
        """All that is trained; ``teachers``: frozen encoders, two at most, none where the ranking has no weight."""
        if settings.ranking_weight and not teachers:
            raise UserError(
                "the ranking has a weight but no teacher was given; give one or two, or set ranking_weight=0"
            )
        return Taught(model, head, teachers if settings.ranking_weight else ())

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce``, ``consistency`` and ``ranking``, with their weights, as far as these are not 0."""
        z, settings = outputs["z"], self.settings
        parts = {"infonce": info_nce(z[0], z[1], settings.temperature)}
        cosines = cosine_matrix(z[0], z[1])
        if settings.consistency_weight:
            parts["consistency"] = settings.consistency_weight * consistency(cosines / settings.temperature)
        if settings.ranking_weight:
            student, teacher = cosines / settings.student_temperature, self.taught(outputs)
            if not settings.with_self:
                student, teacher = off_diagonal(student), off_diagonal(teacher)
            loss = {"listnet": list_net, "listmle": list_mle}[settings.ranking]
            parts["ranking"] = settings.ranking_weight * loss(student, teacher)
        return parts

    def taught(self, outputs: dict[str, Tensor]) -> Tensor:
        """The teachers' lists, (n, n), divided by their temperature; without dropout both views are one."""
        z = outputs["z"]
        vectors = [
            vector[0].to(torch.promote_types(vector.dtype, z.dtype))
            for name, vector in sorted(outputs.items())
            if name.startswith("teacher_")
        ]
        share = self.settings.teacher_share
        shares = [share, 1 - share] if len(vectors) == 2 else [1.0]
        cosines = sum(weight * cosine_matrix(v, v) for weight, v in zip(shares, vectors, strict=True))
        return cosines / self.settings.teacher_temperature


def teacher(shop: Shop, name: str) -> Encoder:
    """A teacher by its name: a system that the fragment needs, trained here, or a hub name or folder.

    It reads as many tokens of a sentence as the student.

    Raises:
        UserError: nothing of that name; a tokenizer that gives ids which its encoder does not have.
    """
    from jtcse.systems.opening import open_model

    found = shop.trained(name) if name in fragment(shop.name).needs else open_model(name)
    for tower in all_towers(found):
        check_vocabulary(tower, name)
        if hasattr(tower, "max_length"):
            tower.max_length = min(tower.max_length, shop.settings.max_length)
    return found


def check_vocabulary(tower: Encoder, name: str) -> None:
    """Refuse a teacher with the tokenizer of another, as far as that shows in the ids."""
    model, tokenizer = getattr(tower, "model", None), getattr(tower, "tokenizer", None)
    if model is None or tokenizer is None:
        return
    known, highest = model.get_input_embeddings().num_embeddings, max(tokenizer.get_vocab().values())
    if highest >= known:
        raise UserError(
            f"teacher {name} knows {known:,} token ids, but its tokenizer gives ids up to {highest:,}: it belongs to another "
            "vocabulary; put the teacher's own tokenizer files beside its weights"
        )


def _teachers(shop: Shop, model, tokenizer) -> dict:
    settings = shop.settings
    return {"teachers": [teacher(shop, name) for name in settings.teachers] if settings.ranking_weight else []}


make = one_tower(RankCSE, _teachers)
