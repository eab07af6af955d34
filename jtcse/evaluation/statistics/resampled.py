"""Numbers with their resampled twins: means, sums and differences of scores with intervals, places, rank correlations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jtcse.core.record import Metric
from jtcse.evaluation.statistics.spearman import TAILS, Estimate, middle, resampled_spearman, spearman
from jtcse.evaluation.sts import TaskScore

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
        return Estimate(self.points, *map(float, middle(self.draws, axis=None)))

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


def row_means(rows: np.ndarray, resamples: int, seed: int = 0) -> np.ndarray:
    """Means over rows drawn with replacement: (rows, systems) -> (systems, resamples), all systems on the same draws."""
    n = len(rows)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    return (weights @ rows / n).T


def places(scores: np.ndarray) -> np.ndarray:
    """Scores (systems, draws) -> places (systems, draws) from 1 for the highest; equal scores share the better place."""
    return 1 + (scores[None] > scores[:, None]).sum(axis=1)


def place_ends(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last of the middle 95 % of places (systems, draws), (systems,) each, rounded outwards to whole places."""
    ends = zip(TAILS, ("lower", "higher"), strict=True)
    first, last = (np.percentile(drawn, tail, axis=1, method=method) for tail, method in ends)
    return first, last


def rank_correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman of each row (-1 to 1): (rows, n) with (rows, n), or with one (n,) -> (rows,); NaN where a row is constant."""
    from scipy.stats import rankdata

    a, b = (rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2 for values in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
