"""BERT and RoBERTa as they are: nothing is trained, the pooling is all there is."""

from __future__ import annotations

from jtcse.encoder import Encoder
from jtcse.system_settings import SystemSettings
from jtcse.workshop import Workshop


class Settings(SystemSettings):
    """None of its own: ``pooling`` alone has an effect."""


def make(shop: Workshop) -> Encoder:
    """The starting encoder under the settings' pooling."""
    return shop.encoder(*shop.tower())
