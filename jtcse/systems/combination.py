"""The rows "+UC": towers that were trained apart, another system's among them, summed with fixed weights.

A twin's two towers count as two: h = (1 - w)(h_I + h_II) + w h_InfoCSE, all of them raw [CLS] vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from jtcse.core.config import Rate
from jtcse.core.errors import UserError
from jtcse.encoders.encoder import Encoder, SumEncoder, TowerEncoder
from jtcse.systems.settings import SystemSettings, fragment
from jtcse.systems.shop import Shop


class Settings(SystemSettings):
    """Of a sum."""

    weights: list[Rate] = Field(min_length=2, description="one a tower, in the order of needs")


def make(shop: Shop) -> SumEncoder:
    """Sum the towers of the systems that the fragment needs; nothing is trained."""
    found = {name: shop.trained(name) for name in fragment(shop.name).needs}
    return combined(found, shop.settings.weights, shop.name)


def combined(parts: dict[str, Encoder], weights: Sequence[float], name: str = "the sum") -> SumEncoder:
    """The weighted sum of all towers of some encoders; each tower keeps its own tokenizer.

    Args:
        parts: encoders by the name of their system; a sum counts as its towers.
        weights: one a tower.
        name: of the sum, for errors.
    Raises:
        UserError: another number of weights than towers; an encoder that is no plain tower; towers of different width or pooling.
    """
    towers = [tower for system, encoder in parts.items() for tower in towers_of(encoder, system)]
    if len(weights) != len(towers):
        raise UserError(f"{name} sums {len(towers)} towers but has {len(weights)} weights; give one a tower")
    for what in ("width", "pooling"):
        found = list(dict.fromkeys(getattr(tower, what) for tower in towers))
        if len(found) > 1:
            raise UserError(f"the towers of {name} differ in {what}: {' and '.join(map(str, found))}; a sum needs one")
    return SumEncoder(towers, weights)


def towers_of(encoder: Encoder, system: str) -> list[TowerEncoder]:
    """The towers that an encoder sums, each with weight 1.

    Raises:
        UserError: a sum with other weights, or an encoder that reads sentences in a way of its own.
    """
    towers = encoder.encoders if isinstance(encoder, SumEncoder) else [encoder]
    weights = encoder.weights if isinstance(encoder, SumEncoder) else [1.0]
    if any(type(tower) is not TowerEncoder for tower in towers) or set(weights) != {1.0}:
        raise UserError(
            f"{system} is no plain sum of stock towers, and cannot be a part of another sum; take another system"
        )
    return towers
