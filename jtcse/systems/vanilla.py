"""BERT and RoBERTa as they are: nothing is trained, the pooling is all there is."""

from __future__ import annotations

from jtcse.encoders.encoder import Encoder
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import Shop


class Settings(SystemSettings):
    """None of its own: ``pooling`` alone has an effect."""


def make(shop: Shop) -> Encoder:
    """The starting encoder under the settings' pooling."""
    return shop.encoder(*shop.tower())
