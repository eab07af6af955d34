"""The differences between paper and code that a twin can be trained under, as cells beside those of the grids.

The base is stage 2 as released, at the run's settings and the grids' number of steps; a cell differs from it in one setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from jtcse.core.config import Settings
from jtcse.experiments.ablations.grids import FULL, GRIDS, PLACES, Cell, on_fewer_pairs, reading, seeds, with_beside
from jtcse.paper.discrepancies import difference

BASE = "code/base"
RATE_RATIO, BATCH_RATIO = 1.3, 4  # between the two learning rates, between the two batch sizes
DROPOUT = 0.00025  # TNCSE's code, twin of BERTs


def every_cell(place: str, settings: Settings, depth: int | None = None) -> list[Cell]:
    """The cells of one of ``GRIDS``, those beside the printed ones included; arguments and errors as of ``grids.grid``."""
    return cells(settings) if place not in PLACES and place in GRIDS else with_beside(place, settings, depth)


def trainings(place: str, settings: Settings) -> list[tuple[str, int]]:
    """Id and seed of a cell for each model that one of ``GRIDS`` trains; cells that only read it in another way come with it."""
    models: dict[str, str] = {}
    for cell in every_cell(place, settings):
        if cell.seeded:
            models.setdefault(repr(replace(cell, id="", pooling=None, reference=None)), cell.id)
    return [(id, seed) for seed in seeds(place, settings) for id in models.values()]


@dataclass(frozen=True)
class Switch:
    """One setting turned away from the base; ``numbers`` of the differences that it stands for."""

    name: str
    numbers: tuple[int, ...]
    words: str
    overrides: dict[str, Any]

    @property
    def cell(self) -> Cell:
        """What is trained, on all pairs."""
        return Cell(f"code/{self.name}", "jtcse", self.overrides, reference=BASE)


def base_overrides(settings: Settings) -> dict[str, Any]:
    """The full loss with a cross stream, whatever the profile trains with."""
    return {"stage2.parts": FULL, "stage2.cross_stream": reading(settings)}


def base_cell(settings: Settings) -> Cell:
    """The reference of every switch."""
    return Cell(BASE, "jtcse", base_overrides(settings))


def cells(settings: Settings) -> list[Cell]:
    """The reference and every switch, on as many pairs as the grids."""
    return on_fewer_pairs([base_cell(settings), *(switch.cell for switch in switches(settings))], settings)


def switches(settings: Settings) -> Iterator[Switch]:
    """Every setting that stands for a difference, turned to its other readings; values that the base has are left out."""
    base, stage2 = base_overrides(settings), settings.stage2
    for numbers in ((1, 3), (4,), (5,), (7,)):
        one = difference(numbers[0])
        field = one.switch.removeprefix("stage2.")
        now = base.get(one.switch, getattr(stage2, field))
        for value in (v for v in one.readings if v != now):
            yield Switch(f"{field}={value}", numbers, f"{value} instead of {now}", base | {one.switch: value})
    rate = stage2.learning_rate / RATE_RATIO
    yield Switch("learning_rate=low", (12,), f"{rate:.2g} instead of {stage2.learning_rate:.2g}",
                 base | {"stage2.learning_rate": rate})  # fmt: skip
    size = other_batch(settings)
    yield Switch(
        "batch_size=other", (13,), f"{size} instead of {stage2.batch_size}", base | {"stage2.batch_size": size}
    )
    if stage2.dropout != DROPOUT:
        now = "the towers' own" if stage2.dropout is None else f"{stage2.dropout:g}"
        yield Switch("dropout=tiny", (15,), f"{DROPOUT} instead of {now}", base | {"stage2.dropout": DROPOUT})


def other_batch(settings: Settings) -> int:
    """The other batch size at the ratio of 64 and 256; a small profile takes the cheaper side."""
    size = settings.stage2.batch_size
    larger = (settings.scale != "smaller" and size < 256) or size // BATCH_RATIO < 2 * settings.stage2.length_groups
    return size * BATCH_RATIO if larger else size // BATCH_RATIO
