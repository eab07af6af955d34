"""What the differences between paper and code do to the score: twins trained under both readings.

The base is stage 2 as released, at the run's settings and the grids' number of steps; a cell differs from it in one setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jtcse.core.config import Settings
from jtcse.core.record import Metric
from jtcse.core.run import Run
from jtcse.evaluation.statistics.resampled import Drawn, mean, together
from jtcse.experiments.ablations.grids import FULL, Cell, reading
from jtcse.paper.discrepancies import difference

BASE = "code/base"
RATE_RATIO, BATCH_RATIO = 1.3, 4  # between the two learning rates, between the two batch sizes
DROPOUT = 0.00025  # TNCSE's code, twin of BERTs


@dataclass(frozen=True)
class Switch:
    """One setting turned away from the base; ``numbers`` of the differences that it stands for."""

    name: str
    numbers: tuple[int, ...]
    words: str
    overrides: dict[str, Any]

    @property
    def cell(self) -> Cell:
        """What ``variants.scores`` trains."""
        return Cell(f"code/{self.name}", "jtcse", self.overrides, reference=BASE)


def base_overrides(settings: Settings) -> dict[str, Any]:
    """The full loss with a cross stream, whatever the profile trains with."""
    return {"stage2.parts": FULL, "stage2.cross_stream": reading(settings)}


def base_cell(settings: Settings) -> Cell:
    """The reference of every switch."""
    return Cell(BASE, "jtcse", base_overrides(settings))


def cells(settings: Settings) -> list[Cell]:
    """The reference and every switch."""
    return [base_cell(settings), *(switch.cell for switch in switches(settings))]


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


@dataclass(frozen=True)
class Effects:
    """Averages over tasks of the base and of every switch, by training seed, all resampled on the same pairs."""

    switches: list[Switch]
    seeds: list[int]
    found: Mapping[tuple[str, int], Drawn]
    n: int
    times: Sequence[Metric] = ()

    def value(self, id: str, seed: int | None = None) -> Drawn:
        """Average over tasks at a seed, or the mean over seeds."""
        return self.found[id, seed] if seed is not None else mean([self.found[id, one] for one in self.seeds])

    def effect(self, switch: Switch, seed: int | None = None) -> Drawn:
        """Switched minus base."""
        return self.value(switch.cell.id, seed) - self.value(BASE, seed)

    def undecided(self, switch: Switch) -> bool:
        """Whether the interval of a switch's effect holds zero, or seeds disagree on its sign."""
        _, low, high = self.effect(switch).estimate()
        signs = {self.effect(switch, seed).points > 0 for seed in self.seeds}
        return low <= 0 <= high or len(signs) > 1

    def between_seeds(self) -> Drawn | None:
        """The largest difference between two seeds of the base; None with one seed."""
        values = sorted((self.value(BASE, seed) for seed in self.seeds), key=lambda drawn: drawn.points)
        return values[-1] - values[0] if len(values) > 1 else None

    def metrics(self) -> list[Metric]:
        """Each switch's value and its difference to the base, by seed and as the mean over seeds; last the times."""
        one_and_all = [*self.seeds, None]
        found = [self.value(BASE, seed).metric(BASE, self.n, seed) for seed in one_and_all]
        for switch in self.switches:
            id = switch.cell.id
            found += [self.value(id, seed).metric(id, self.n, seed) for seed in one_and_all]
            found += [self.effect(switch, seed).metric(f"{id}>{BASE}", self.n, seed) for seed in one_and_all]
        return [*found, *self.times]


def train_all(run: Run) -> Effects:
    """Train the base and every switch with every seed, or take them where they lie (``variants.scores``)."""
    from jtcse.experiments.ablations import cells as variants
    from jtcse.experiments.ablations import grids
    from jtcse.experiments.ablations.cells import seconds

    turned, seeds = list(switches(run.settings)), grids.seeds("code", run.settings)
    members = [(cell, seed) for cell in cells(run.settings) for seed in seeds]
    scores = {(cell.id, seed): variants.scores(run, cell, seed) for cell, seed in members}
    found = together(scores, run.settings.evaluation.resamples, run.settings.run.seed)
    n = sum(score.n for score in next(iter(scores.values())).values())
    return Effects(turned, seeds, found, n, seconds(run, members, n))
