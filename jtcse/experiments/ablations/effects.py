"""Grids as metrics: means over seeds, paired differences and the effects behind the paper's claims, all on shared draws.

Every cell and seed of a grid is resampled on the same drawn pairs, so a mean, a difference or the smallest of several
differences is the same arithmetic on values and on draws. Intervals say how far a number would move with other pairs; that
seeds differ is shown by their single values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jtcse.core.config import Settings
from jtcse.core.record import Metric
from jtcse.core.run import Run
from jtcse.evaluation.statistics.resampled import Drawn, Member, mean, smallest, together
from jtcse.experiments.ablations.grids import Cell, other_backbone


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
            found += self.effect(cell.id, lambda seed, id=cell.id: self.of(id, seed), [cell.id])
            if cell.reference is not None:
                found += self.least(f"{cell.id}>{cell.reference}", [(cell.id, cell.reference)], [cell.id])
        return [*found, *self.times]

    def effect(self, name: str, of: Callable[[int | None], Drawn], ids: Sequence[str]) -> list[Metric]:
        """An effect as metrics: one a seed that all trained cells of ``ids`` have, and one of the means over seeds."""
        trained = [set(self.seeds(id)) for id in ids if self.seeds(id)]
        shared = sorted(set.intersection(*trained)) if trained else []
        return [of(seed).metric(name, self.n, seed) for seed in shared] + [of(None).metric(name, self.n)]

    def least(self, name: str, pairs: Sequence[tuple[str, str]], ids: Sequence[str]) -> list[Metric]:
        """As ``effect``: the smallest difference of some pairs of cells, anew in each draw."""
        return self.effect(name, lambda seed: smallest([self.difference(*pair, seed) for pair in pairs]), ids)


def named(metrics: Sequence[Metric], settings: Settings) -> list[Metric]:
    """Metrics as they go into a record: with a backbone that the paper has no ablations of, none bears a printed id."""
    if not other_backbone(settings):
        return list(metrics)
    return [m.model_copy(update={"name": f"other backbone/{m.name.replace('>', ' minus ')}"}) for m in metrics]


def measured(run: Run, place: str) -> Grid:
    """Train or take every cell of a place with every seed, and resample them together."""
    from jtcse.experiments.ablations import cells as variants

    members = list(variants.members(run, place))
    scores = {(cell.id, seed): variants.scores(run, cell, seed) for cell, seed in members}
    found = together(scores, run.settings.evaluation.resamples, run.settings.run.seed)
    n = sum(score.n for score in next(iter(scores.values())).values())
    return Grid(place, variants.cells(run, place), found, n, variants.seconds(run, members, n))
