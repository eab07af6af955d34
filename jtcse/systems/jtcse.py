"""TNCSE and JTCSE: stage 1 trains two towers by SimCSE, stage 2 the twin by the loss of Eq. 15.

TNCSE is JTCSE without a cross stream.
"""

from __future__ import annotations

from pydantic import Field

from jtcse.core.config import Stage2Settings
from jtcse.encoders.batches import check_same_words
from jtcse.encoders.encoder import SumEncoder, TowerEncoder
from jtcse.method.joint_training import JTCSE
from jtcse.systems.edfse import SubEncoders, sub_encoders
from jtcse.systems.shop import Shop


class Settings(SubEncoders, Stage2Settings):
    """Of the twin; a profile's section ``stage2`` says the same of the reproduction's own run."""

    views: list[str] = Field(min_length=2, max_length=2, description="of the two towers in stage 1")


def make(shop: Shop) -> SumEncoder:
    """Train both towers apart and then together; what is kept is their sum."""
    apart = sub_encoders(shop)
    check_same_words(*(tower.tokenizer for tower in apart))
    (first, tokenizer), (second, _) = (_to_go_on(shop, tower) for tower in apart)
    objective = JTCSE(first, second, tokenizer, shop.corpus, shop.settings)
    return shop.train(objective, SumEncoder([shop.encoder(model, tokenizer) for model in (first, second)]))


def _to_go_on(shop: Shop, tower: TowerEncoder):
    """A trained tower with the dropout of stage 2."""
    model, _ = shop.tower()
    model.load_state_dict(tower.model.state_dict())
    return model, tower.tokenizer
