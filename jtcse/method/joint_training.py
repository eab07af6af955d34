"""Stage 2: both towers trained together by Eq. 15."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from jtcse.core.config import Stage2Settings
from jtcse.method.losses import draw_direction, total_parts
from jtcse.method.twin import Twin
from jtcse.training.objective import SentenceObjective


class JTCSE(SentenceObjective):
    """Objective of stage 2.

    Args:
        first, second: stock towers out of stage 1.
        tokenizer: of both.
        corpus: sentences; their two views differ by dropout alone (TNCSE supplement: no translation in this stage).
    """

    def __init__(self, first, second, tokenizer, corpus: Sequence[str], settings: Stage2Settings) -> None:
        twin = Twin(first, second, cross_stream=settings.cross_stream, cael_count=settings.cael_count)
        super().__init__(twin, tokenizer, corpus, settings)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``loss_parts`` at a drawn R."""
        return loss_parts(outputs, self.settings, draw_direction(draw))


def loss_parts(outputs: dict[str, Tensor], settings: Stage2Settings, direction: int) -> dict[str, Tensor]:
    """The named parts of Eq. 15 that are switched on, out of a twin's vectors, at a given R of Eq. 12."""
    crossed = (outputs["c_1"], outputs["c_2"]) if "c_1" in outputs else None
    return total_parts(
        (outputs["h_1"], outputs["h_2"]),
        (outputs["p_1"], outputs["p_2"]),
        crossed,
        direction=direction,
        parts=settings.parts,
        temperature=settings.temperature,
        infonce_form=settings.infonce,
        partner=settings.icnce,
        ictm_form=settings.ictm,
    )
