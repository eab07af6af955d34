"""TNCSE and JTCSE: stage 1 trains two towers by SimCSE, stage 2 the twin by the loss of Eq. 15.

TNCSE is JTCSE without a cross stream.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from jtcse.config import Stage2Settings
from jtcse.encoder import SumEncoder, TowerEncoder
from jtcse.losses import draw_direction, total_parts
from jtcse.objective import SentenceObjective
from jtcse.systems.edfse import SubEncoders, sub_encoders
from jtcse.twin import Twin, check_same_words
from jtcse.workshop import Workshop


class Settings(SubEncoders, Stage2Settings):
    """Of the twin; a profile's section ``stage2`` says the same of the reproduction's own run."""

    views: list[str] = Field(min_length=2, max_length=2, description="of the two towers in stage 1")


class JTCSE(SentenceObjective):
    """Objective of stage 2.

    Args:
        first, second: stock towers out of stage 1.
        tokenizer: of both.
        corpus: sentences; their two views differ by dropout alone (TNCSE supplement: no translation in this stage).
    """

    def __init__(self, first, second, tokenizer, corpus: Sequence[str], settings: Settings | Stage2Settings) -> None:
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


def make(shop: Workshop) -> SumEncoder:
    """Train both towers apart and then together; what is kept is their sum."""
    apart = sub_encoders(shop)
    check_same_words(*(tower.tokenizer for tower in apart))
    (first, tokenizer), (second, _) = (_to_go_on(shop, tower) for tower in apart)
    objective = JTCSE(first, second, tokenizer, shop.corpus, shop.settings)
    return shop.train(objective, SumEncoder([shop.encoder(model, tokenizer) for model in (first, second)]))


def _to_go_on(shop: Workshop, tower: TowerEncoder):
    """A trained tower with the dropout of stage 2."""
    model, _ = shop.tower()
    model.load_state_dict(tower.model.state_dict())
    return model, tower.tokenizer
