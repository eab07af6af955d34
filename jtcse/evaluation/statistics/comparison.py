"""Is one system better than another on the same pairs?

Two systems are compared on the same pairs: by a paired bootstrap over pairs, with Williams' test as a check and Holm's
correction over the tasks. The paper reports nothing of the kind. Everything but p-values and coefficients is in points,
100 times Spearman's coefficient. All of it is about pairs; what other training seeds would do is in ``power.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jtcse.core.errors import UserError
from jtcse.evaluation.statistics.power import RESAMPLES, detectable
from jtcse.evaluation.statistics.resampled import by_task
from jtcse.evaluation.statistics.spearman import middle, spearman

if TYPE_CHECKING:
    from pandas import DataFrame

    from jtcse.evaluation.sts import TaskScore


class Williams(NamedTuple):
    """Williams' test: the statistic, its degrees of freedom, and the two-sided p-value."""

    t: float
    df: int
    p: float


def williams(r_a: float, r_b: float, r_ab: float, n: int) -> Williams:
    """Williams' t for two correlations of one sample that share a variable (Steiger 1980, Eq. 7, "T2").

    The test assumes that the three variables are jointly normal, and n large enough for t. Given rank correlations it
    is an approximation, since ranks are uniform and tied: a check on the bootstrap, which assumes neither.

    Args:
        r_a, r_b: each system's correlation with the shared variable, -1 to 1.
        r_ab: the two systems' correlation with each other.
        n: pairs.
    Raises:
        UserError: fewer than 4 pairs, or three coefficients that no data can have together.
    """
    from scipy.stats import t as student

    determinant = 1 - r_a**2 - r_b**2 - r_ab**2 + 2 * r_a * r_b * r_ab
    if n < 4:
        raise UserError(f"Williams' test was asked for {n} pairs; it has n - 3 degrees of freedom, give at least 4")
    if max(abs(r_a), abs(r_b), abs(r_ab)) > 1 or determinant < -1e-9:
        raise UserError(
            f"no data have the correlations {r_a:g}, {r_b:g} and {r_ab:g} together; give those of one set of pairs"
        )
    middle = (r_a + r_b) / 2
    spread = 2 * (n - 1) / (n - 3) * max(determinant, 0.0) + middle**2 * (1 - r_ab) ** 3
    if abs(r_a - r_b) < 1e-12 or spread <= 0:  # both rank alike: the formula would divide 0 by 0
        return Williams(0.0, n - 3, 1.0)
    t = float((r_a - r_b) * np.sqrt((n - 1) * (1 + r_ab) / spread))
    return Williams(t, n - 3, float(2 * student.sf(abs(t), n - 3)))


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's correction of a family of p-values (m,): each is set against the hypotheses not yet rejected.

    Rejecting where the result is under 5 % keeps the chance of even one wrong rejection under 5 %, whatever the
    dependence between the tests (Holm 1979).

    Raises:
        UserError: a value that is no probability.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise UserError(f"found p-values {p.tolist()}, expected a list of numbers from 0 to 1; leave out missing ones")
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected


def bootstrap_p(draws: ArrayLike) -> float:
    """Two-sided p-value of "no difference" from resampled differences (resamples,): the level at which the percentile
    interval first touches 0. Never 0: with B resamples it is at least 2 / (B + 1)."""
    drawn = np.asarray(draws, dtype=np.float64)
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        raise UserError("no resample has a difference; give more pairs or more resamples")
    fewer = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    return min(1.0, 2 * (fewer + 1) / (len(drawn) + 1))


def compare_all(
    scores: Mapping[str, Mapping[str, TaskScore]],
    pairs: Sequence[tuple[str, str]] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> DataFrame:
    """Pairs of systems on every task and on the average; all of them share the drawn pairs, so each is drawn for once.

    Args:
        scores: system to task to score, the same tasks and the same pairs in the same order for all.
        pairs: (first, second) to compare; by default all, in the order of ``scores``.
    Returns:
        a frame indexed by ``first``, ``second`` and ``task`` (the last one ``average``), with ``n`` (pairs of
        sentences), ``difference`` (first minus second) with ``low`` and ``high``, its standard error ``se``, ``mdd``,
        the Spearman correlation ``alike`` of the two systems' similarities (mean over tasks for the average),
        ``p_bootstrap``, ``p_holm`` (the former corrected over the tasks) and ``p_williams``. The average is not one of
        the family of tasks and has no Williams' test: NaN.
    Raises:
        UserError: systems that were scored on different tasks or pairs, or as for ``spearman.spearman``.
    """
    import pandas as pd

    golds = _shared_golds(scores)
    drawn = by_task(scores, resamples, seed)
    frames = {pair: _compared(scores, golds, drawn, *pair) for pair in pairs or combinations(scores, 2)}
    return pd.concat(frames, names=["first", "second", "task"])


def _shared_golds(scores: Mapping[str, Mapping[str, TaskScore]]) -> dict[str, np.ndarray]:
    if len(scores) < 2:
        raise UserError(f"found scores of {len(scores)} system(s), expected at least two to compare")
    (name, first), *others = scores.items()
    for other, tasks in others:
        if list(tasks) != list(first):
            raise UserError(
                f"{name!r} was scored on {list(first)} and {other!r} on {list(tasks)}; score both on the same"
            )
        for task, score in tasks.items():
            if not np.array_equal(score.gold, first[task].gold):
                raise UserError(f"{name!r} and {other!r} were scored on different pairs of {task!r}; score both anew")
    return {task: score.gold for task, score in first.items()}


def _compared(scores: Mapping, golds: Mapping, drawn: Mapping, first: str, second: str) -> DataFrame:
    import pandas as pd

    rows, differences = {}, {}
    for task, gold in golds.items():
        a, b = (scores[system][task].similarity for system in (first, second))
        r_a, r_b, alike = spearman(a, gold), spearman(b, gold), spearman(a, b)
        differences[task] = drawn[first][task].draws - drawn[second][task].draws
        check = williams(r_a, r_b, alike, len(gold)).p
        rows[task] = _row(100 * (r_a - r_b), differences[task], len(gold), alike) | {"p_williams": check}
    frame = pd.DataFrame(rows).T
    frame["p_holm"] = holm(frame["p_bootstrap"])
    frame.loc["average"] = _row(
        frame["difference"].mean(), np.mean(list(differences.values()), axis=0), frame["n"].sum(), frame["alike"].mean()
    )
    return frame.astype({"n": int})


def _row(difference: float, draws: np.ndarray, n: int, alike: float) -> dict[str, float]:
    se = float(np.nanstd(draws, ddof=1))
    low, high = middle(draws)
    values = {"n": n, "difference": difference, "low": low, "high": high, "se": se, "mdd": detectable(se)}
    return values | {"alike": alike, "p_bootstrap": bootstrap_p(draws)}
