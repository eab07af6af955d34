"""Rank correlation and its uncertainty, from the scores of single pairs.

``spearman`` gives the plain coefficient (-1 to 1). Every interval and every difference is in points, the
unit of the paper's tables: 100 times Spearman's coefficient. Intervals are the middle 95 % of a percentile
bootstrap over pairs: they say how far a score would move with other pairs of the same kind, and nothing
about other training seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jtcse.core.errors import UserError

TAILS = (2.5, 97.5)  # percent: what a 95 % interval leaves out below and above
CELLS_AT_ONCE = 300_000  # resamples x pairs held in memory together: about 15 MB of work space


class Interval(NamedTuple):
    """Ends of a 95 % interval, in points."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A value with its 95 % interval, all in points."""

    points: float
    low: float
    high: float


def middle(draws: ArrayLike, axis: int | None = -1) -> Interval:
    """Ends of the middle 95 % of draws along an axis, or of all of them, in their unit; NaN are left out."""
    return Interval(*np.nanpercentile(draws, TAILS, axis=axis))


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation of two vectors of shape (n,), tied values sharing their average rank.

    Returns:
        the coefficient, -1 to 1.
    Raises:
        UserError: unequal lengths, fewer than two values, a NaN or infinite value, or a constant vector.
    """
    from scipy.stats import spearmanr

    x, y = _checked(x, "first"), _checked(y, "second")
    if len(x) != len(y):
        raise UserError(f"cannot correlate {len(x)} values with {len(y)}; give two vectors of equal length")
    return float(spearmanr(x, y).statistic)


def bootstrap_spearman(similarity: ArrayLike, gold: ArrayLike, *, resamples: int = 1000, seed: int = 0) -> Interval:
    """95 % interval of the Spearman score of one task, pairs being drawn with replacement.

    Args:
        similarity: what the system gave each pair, shape (n,).
        gold: what people gave it, shape (n,).
    Returns:
        low and high, in points. A resample in which one vector is constant has no rank correlation and is
        left out; that happens only with a handful of pairs.
    Raises:
        UserError: as for ``spearman``, or fewer than two resamples.
    """
    spearman(similarity, gold)
    return _interval(resampled_spearman([similarity], gold, resamples, np.random.default_rng(seed))[0])


def bootstrap_average(
    tasks: Sequence[tuple[ArrayLike, ArrayLike]], *, resamples: int = 1000, seed: int = 0
) -> Estimate:
    """The mean score over tasks with its 95 % interval, pairs being drawn anew within each task.

    Args:
        tasks: one ``(similarity, gold)`` of shape (n_task,) each for every task.
    Returns:
        mean, low and high, in points (the "Avg." columns of Table I).
    """
    value = _mean([spearman(similarity, gold) for similarity, gold in tasks])
    streams = np.random.default_rng(seed).spawn(len(tasks))
    draws = [resampled_spearman([s], gold, resamples, rng)[0] for (s, gold), rng in zip(tasks, streams, strict=True)]
    return Estimate(100 * value, *_interval(np.mean(draws, axis=0)))


def paired_difference(
    similarity_a: ArrayLike, similarity_b: ArrayLike, gold: ArrayLike, *, resamples: int = 1000, seed: int = 0
) -> Estimate:
    """Score of system a minus score of system b on the same pairs, with its 95 % interval.

    Both systems are scored on the same drawn pairs, so what makes a draw easy or hard for both cancels.
    An interval that leaves out 0 speaks for a real difference on pairs of this kind.

    Args:
        similarity_a, similarity_b, gold: shape (n,) each, in the same order of pairs.
    Returns:
        difference, low and high, in points.
    """
    return paired_average_difference([(similarity_a, similarity_b, gold)], resamples=resamples, seed=seed)


def paired_average_difference(
    tasks: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]], *, resamples: int = 1000, seed: int = 0
) -> Estimate:
    """``paired_difference`` of the mean over tasks ``(similarity_a, similarity_b, gold)``, in points."""
    value = _mean([spearman(a, gold) - spearman(b, gold) for a, b, gold in tasks])
    streams = np.random.default_rng(seed).spawn(len(tasks))
    draws = [
        np.subtract(*resampled_spearman([a, b], gold, resamples, rng))
        for (a, b, gold), rng in zip(tasks, streams, strict=True)
    ]
    return Estimate(100 * value, *_interval(np.mean(draws, axis=0)))


def resampled_spearman(
    similarities: Sequence[ArrayLike], gold: ArrayLike, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Spearman of each vector of similarities (n,) in every resample, on shared draws: (vectors, resamples).

    The plain coefficient, -1 to 1; NaN in a resample where a vector is constant. A resample is kept as how often it drew
    each pair. With those counts the average ranks of the drawn pairs come from running sums over one order of the full
    set, so that nothing is sorted again.

    Raises:
        UserError: fewer than two resamples.
    """
    if resamples < 2:
        raise UserError(f"an interval from {resamples} resample(s) is not possible; ask for at least 2, better 1000")
    judge, *systems = (_Ranker(np.asarray(vector, dtype=np.float64)) for vector in (gold, *similarities))
    parts = []
    for counts in _drawn_counts(len(judge.group), resamples, rng):
        wanted, wanted_spread = judge(counts)
        weighted = wanted * counts
        parts.append([_correlation(weighted, wanted_spread, *system(counts)) for system in systems])
    return np.concatenate(parts, axis=1)


def _checked(values: ArrayLike, which: str) -> np.ndarray:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or len(vector) < 2:
        raise UserError(f"the {which} vector has shape {vector.shape}; a rank correlation needs (n,) with n >= 2")
    broken = int(np.count_nonzero(~np.isfinite(vector)))
    if broken:
        raise UserError(
            f"{broken} of {len(vector)} values of the {which} vector are NaN or infinite; "
            "look for broken weights or gold scores"
        )
    if np.all(vector == vector[0]):
        raise UserError(
            f"all {len(vector)} values of the {which} vector are {vector[0]:g}, so nothing can be ranked; "
            "look for a collapsed encoder or a set without grades"
        )
    return vector


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise UserError("there is no task to average; give at least one")
    return float(np.mean(values))


def _interval(draws: np.ndarray) -> Interval:
    """Percentiles of resampled coefficients (resamples,) -> points."""
    if np.isnan(draws).all():
        raise UserError("no resample has a rank correlation; give more pairs or more resamples")
    return Interval(*map(float, middle(100 * draws)))


def _drawn_counts(n: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each of n pairs is drawn, a row a resample: blocks (rows, n) of ``resamples`` rows in all."""
    rows_at_once = max(1, CELLS_AT_ONCE // n)
    for start in range(0, resamples, rows_at_once):
        rows = min(rows_at_once, resamples - start)
        drawn = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)


def _correlation(weighted: np.ndarray, wanted_spread: np.ndarray, ranks: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Pearson correlation of centred ranks, (rows, n) and (rows,) -> (rows,); NaN where a spread is 0."""
    product = np.einsum("rn,rn->r", weighted, ranks)
    with np.errstate(invalid="ignore", divide="ignore"):
        return product / np.sqrt(wanted_spread * spread)


class _Ranker:
    """Centred average ranks of resamples of one vector (n,), given the counts of each resample."""

    def __init__(self, values: np.ndarray) -> None:
        self.order = np.argsort(values, kind="stable")
        in_order = values[self.order]
        new_value = np.concatenate([[True], in_order[1:] != in_order[:-1]])
        self.starts = np.flatnonzero(new_value)  # where each group of tied values begins
        self.group = np.empty(len(values), dtype=np.intp)
        self.group[self.order] = np.cumsum(new_value) - 1

    def __call__(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """counts (rows, n) -> centred ranks of the pairs (rows, n), and their summed squares (rows,)."""
        size = np.add.reduceat(np.take(counts, self.order, axis=1), self.starts, axis=1)
        rank = np.cumsum(size, axis=1) - (size - 1) / 2 - (counts.shape[1] + 1) / 2
        spread = np.einsum("rg,rg,rg->r", size, rank, rank)
        return np.take(rank, self.group, axis=1), spread
