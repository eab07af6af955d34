"""A task that has subsets, as one number in three ways.

SentEval ranks all pairs of a year together (``all``). Its printouts also give the mean of the subsets' own coefficients
(``mean``) and that mean weighted by the number of pairs (``weighted``); papers before 2021 report any of them.
"""

from __future__ import annotations

import math

import numpy as np

from jtcse.core.errors import UserError, check_choice
from jtcse.evaluation.statistics.resampled import rank_correlations
from jtcse.evaluation.statistics.spearman import Estimate, middle, spearman

AVERAGES = ("all", "mean", "weighted")
CELLS_AT_ONCE = 300_000  # resamples x pairs that are ranked together


def positions(subset: np.ndarray) -> list[np.ndarray]:
    """Row numbers of each subset, out of the label of every pair (n,), in order of first appearance."""
    labels = np.asarray(subset)
    if labels.ndim != 1 or not len(labels):
        raise UserError(f"subset labels have shape {labels.shape}; expected one label a pair, (n,)")
    return [np.flatnonzero(labels == label) for label in dict.fromkeys(labels.tolist())]


def points(similarity: np.ndarray, gold: np.ndarray, subset: np.ndarray, average: str = "all") -> float:
    """100 times Spearman of one task, averaged over its subsets as ``average`` says.

    Args:
        similarity, gold, subset: (n,) each.
        average: one of ``AVERAGES``.
    Raises:
        UserError: an unknown average; a subset that cannot be ranked.
    """
    check_choice("average over subsets", average, AVERAGES)
    if average == "all":
        return 100 * spearman(similarity, gold)
    rows = positions(subset)
    weights = [len(part) for part in rows] if average == "weighted" else None
    return 100 * float(np.average([spearman(similarity[part], gold[part]) for part in rows], weights=weights))


def drawn_points(
    similarity: np.ndarray, gold: np.ndarray, subset: np.ndarray, resamples: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """The three averages in every resample, on the same draws: name to (resamples,) points.

    Pairs are drawn within their subset, so that each subset keeps its size and its weight.
    """
    rows = positions(subset)
    sizes, ends = [len(part) for part in rows], np.cumsum([len(part) for part in rows])
    at_once, found = max(1, CELLS_AT_ONCE // len(gold)), []
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        drawn = [part[rng.integers(len(part), size=(count, len(part)))] for part in rows]
        whole = np.concatenate(drawn, axis=1)
        s, g = similarity[whole], gold[whole]
        parts = [
            rank_correlations(s[:, end - size : end], g[:, end - size : end])
            for size, end in zip(sizes, ends, strict=True)
        ]
        found.append([rank_correlations(s, g), np.mean(parts, axis=0), np.average(parts, axis=0, weights=sizes)])
    return dict(zip(AVERAGES, 100 * np.concatenate(found, axis=1), strict=True))


def difference(value: float, draws: np.ndarray) -> Estimate:
    """A difference in points with the middle 95 % of its resamples (resamples,): NaN where there is no resample with a rank."""
    if np.isnan(draws).all():
        return Estimate(value, math.nan, math.nan)
    return Estimate(value, *map(float, middle(draws)))
