"""Grids as metrics: means over seeds, paired differences and the effects behind the paper's claims, all on shared draws.

Every cell and seed of a grid is resampled on the same drawn pairs, so a mean, a difference or the smallest of several
differences is the same arithmetic on values and on draws. Intervals say how far a number would move with other pairs; that
seeds differ is shown by their single values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jtcse.ablations.grids import Cell, other_backbone
from jtcse.config import Settings
from jtcse.evaluation.sts import TaskScore
from jtcse.records import Metric
from jtcse.run import Run
from jtcse.statistics import TAILS, Estimate, resampled_spearman, spearman

Member = tuple[str, int | None]


@dataclass(frozen=True)
class Drawn:
    """A number in points with its resampled twins (resamples,); sums and differences act on both."""

    points: float
    draws: np.ndarray

    def __add__(self, other: Drawn | float) -> Drawn:
        return _apply(np.add, self, other)

    def __sub__(self, other: Drawn | float) -> Drawn:
        return _apply(np.subtract, self, other)

    def estimate(self) -> Estimate:
        """Value and the middle 95 % of its draws."""
        return Estimate(self.points, *(float(end) for end in np.nanpercentile(self.draws, TAILS)))

    def metric(self, name: str, n: int, seed: int | None = None) -> Metric:
        """As a metric of a run record; ``n``: pairs."""
        points, low, high = self.estimate()
        return Metric(name=name, value=points, n=n, low=low, high=high, seed=seed)


def _apply(operation: Callable, one: Drawn, other: Drawn | float) -> Drawn:
    points, draws = (other.points, other.draws) if isinstance(other, Drawn) else (other, other)
    return Drawn(float(operation(one.points, points)), operation(one.draws, draws))


def mean(numbers: Sequence[Drawn]) -> Drawn:
    """Mean of numbers on shared draws."""
    return Drawn(float(np.mean([n.points for n in numbers])), np.mean([n.draws for n in numbers], axis=0))


def smallest(numbers: Sequence[Drawn]) -> Drawn:
    """The smallest, anew in each draw: above 0 only where all are."""
    return Drawn(min(n.points for n in numbers), np.min([n.draws for n in numbers], axis=0))


@dataclass(frozen=True)
class Grid:
    """A measured grid: the average over tasks of each cell and seed, ``n`` pairs in all, and how long cells took."""

    place: str
    cells: list[Cell]
    found: Mapping[Member, Drawn]
    n: int
    times: Sequence[Metric] = ()

    def seeds(self, id: str) -> list[int]:
        """Training seeds of a cell; none where it was taken as it was."""
        return [seed for name, seed in self.found if name == id and seed is not None]

    def of(self, id: str, seed: int | None = None) -> Drawn:
        """A cell's average: at a seed (a cell without seeds is the same at all), or the mean over its seeds."""
        if seed is not None and (id, seed) in self.found:
            return self.found[id, seed]
        return mean([drawn for (name, _), drawn in self.found.items() if name == id])

    def difference(self, id: str, reference: str, seed: int | None = None) -> Drawn:
        """First cell minus second, of the means over seeds or at one seed."""
        return self.of(id, seed) - self.of(reference, seed)

    def has(self, *ids: str) -> bool:
        """Whether all of these cells are here."""
        return {name for name, _ in self.found} >= set(ids)

    def metrics(self) -> list[Metric]:
        """For each cell its values by seed and their mean, and so its paired difference to its reference; last the times."""
        found = []
        for cell in self.cells:
            found += self._values(cell.id, lambda seed, id=cell.id: self.of(id, seed), cell.id)
            if cell.reference is not None:
                name = f"{cell.id}>{cell.reference}"
                found += self._values(name, lambda seed, c=cell: self.difference(c.id, c.reference, seed), cell.id)
        return [*found, *self.times]

    def effect(self, name: str, of: Callable[[int | None], Drawn], ids: Sequence[str]) -> list[Metric]:
        """An effect as metrics: one a seed that all trained cells of ``ids`` have, and one of the means over seeds."""
        trained = [set(self.seeds(id)) for id in ids if self.seeds(id)]
        shared = sorted(set.intersection(*trained)) if trained else []
        return [of(seed).metric(name, self.n, seed) for seed in shared] + [of(None).metric(name, self.n)]

    def _values(self, name: str, of: Callable[[int | None], Drawn], id: str) -> list[Metric]:
        return self.effect(name, of, [id])


def named(metrics: Sequence[Metric], settings: Settings) -> list[Metric]:
    """Metrics as they go into a record: with a backbone that the paper has no ablations of, none bears a printed id."""
    if not other_backbone(settings):
        return list(metrics)
    return [m.model_copy(update={"name": f"other backbone/{m.name.replace('>', ' minus ')}"}) for m in metrics]


def measured(run: Run, place: str) -> Grid:
    """Train or take every cell of a place with every seed, and resample them together."""
    from jtcse.ablations import variants
    from jtcse.ablations.times import seconds

    members = list(variants.members(run, place))
    scores = {(cell.id, seed): variants.scores(run, cell, seed) for cell, seed in members}
    found = together(scores, run.settings.evaluation.resamples, run.settings.run.seed)
    n = sum(score.n for score in next(iter(scores.values())).values())
    return Grid(place, variants.cells(run, place), found, n, seconds(run, members, n))


def together(scores: Mapping[Member, Mapping[str, TaskScore]], resamples: int, seed: int) -> dict[Member, Drawn]:
    """Averages over tasks (points) of several systems, resampled on the same pairs, drawn anew within each task."""
    return {member: mean(list(tasks.values())) for member, tasks in by_task(scores, resamples, seed).items()}


def by_task(
    scores: Mapping[Member, Mapping[str, TaskScore]], resamples: int, seed: int
) -> dict[Member, dict[str, Drawn]]:
    """The score on each task (points) of several systems, resampled on the same pairs, drawn anew within each task."""
    found: dict[Member, dict[str, Drawn]] = {member: {} for member in scores}
    tasks = list(next(iter(scores.values())))
    for task, rng in zip(tasks, np.random.default_rng(seed).spawn(len(tasks)), strict=True):
        some = [of[task] for of in scores.values()]
        draws = 100 * resampled_spearman([s.similarity for s in some], some[0].gold, resamples, rng)
        for member, score, row in zip(scores, some, draws, strict=True):
            found[member][task] = Drawn(100 * spearman(score.similarity, score.gold), row)
    return found
