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
        """The named parts of Eq. 15 that are switched on."""
        s, named = self.settings, outputs
        crossed = (named["c_1"], named["c_2"]) if "c_1" in named else None
        return total_parts(
            (named["h_1"], named["h_2"]),
            (named["p_1"], named["p_2"]),
            crossed,
            direction=draw_direction(draw),
            parts=s.parts,
            temperature=s.temperature,
            infonce_form=s.infonce,
            partner=s.icnce,
            ictm_form=s.ictm,
        )
