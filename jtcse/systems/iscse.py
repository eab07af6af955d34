"""IS-CSE (He et al., 2023): beside its other view, a sentence has a smoothed positive, made of its neighbours.

Order of steps, the rank from which neighbours count, and the attention's temperature are those of the authors' code
(dll-wu/IS-CSE).
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from jtcse.core.config import Count
from jtcse.core.errors import UserError
from jtcse.encoders.batches import Tower
from jtcse.method.losses import info_nce
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import one_tower
from jtcse.training.objective import Queue, TowerObjective


class Settings(SystemSettings):
    """Of IS-CSE."""

    alpha: float = Field(ge=0, description="weight of InfoNCE with the smoothed positives; 0: SimCSE, without a buffer")
    buffer: Count = Field(
        description="vectors of the last batches, this one included, that neighbours are looked for in"
    )
    neighbours: Count = Field(description="how many go into a smoothed positive")
    attention_temperature: float = Field(gt=0, description="of the weights that neighbours get")


class Buffered(Tower):
    """A tower and the buffer of second views.

    Args:
        model, head: as of ``Tower``.
        buffer: vectors that are held; 0: none.
    """

    def __init__(self, model, head: nn.Module | None, buffer: int) -> None:
        super().__init__(model, head)
        self.buffer = Queue(buffer, model.config.hidden_size) if buffer else None


def smoothed(anchors: Tensor, held: Tensor, neighbours: int, temperature: float) -> Tensor:
    """Each anchor averaged with its nearest rows of the buffer, weighted by attention.

    The nearest row of all is taken for the anchor itself and left out, as the anchors were pushed before.

    Args:
        anchors: (n, d), of length 1; gradients go through them.
        held: (q, d), the buffer.
        neighbours: k, those of rank 2 to k + 1.
        temperature: by which scalar products are divided before the softmax.
    Returns:
        (n, d)
    """
    nearest = (anchors.detach() @ held.T).topk(neighbours + 1).indices[:, 1:]
    group = torch.cat([anchors[:, None], held[nearest]], dim=1)
    weights = torch.softmax((group @ anchors[:, :, None]).squeeze(-1) / temperature, dim=-1)
    return (weights[:, None] @ group).squeeze(1)


class ISCSE(TowerObjective):
    """InfoNCE with the other view and, once the buffer is full, with its smoothed form.

    Raises:
        UserError: a buffer that is shorter than a batch or has too few rows for the neighbours.
    """

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings) -> nn.Module:
        least = max(settings.batch_size, settings.neighbours + 1)
        if settings.alpha and settings.buffer < least:
            raise UserError(
                f"the buffer holds {settings.buffer} vectors; expected at least {least}, for a batch of "
                f"{settings.batch_size} and {settings.neighbours} neighbours beside the sentence itself: set a longer buffer"
            )
        return Buffered(model, head, settings.buffer if settings.alpha else 0)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce`` and, from the step on that fills the buffer, ``smoothed``, with its weight."""
        z, settings, buffer = outputs["z"], self.settings, self.module.buffer
        parts = {"infonce": info_nce(z[0], z[1], settings.temperature)}
        if buffer is None:
            return parts
        anchors = F.normalize(z[1].to(buffer.held), dim=-1)
        if self.module.training:
            buffer.push(anchors.detach())
        if buffer.full:
            positives = smoothed(anchors, buffer.rows(), settings.neighbours, settings.attention_temperature)
            parts["smoothed"] = settings.alpha * info_nce(z[0].to(positives), positives, settings.temperature)
        return parts


make = one_tower(ISCSE)
