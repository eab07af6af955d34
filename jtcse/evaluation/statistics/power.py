"""How large must a difference be before anyone could tell, and what would it take to see a smaller one?

From the standard error of a difference between two systems follows the smallest true difference that a two-sided test at
5 % finds in 80 of 100 repetitions (the minimum detectable difference). Training seeds are a second source of variance,
which no bootstrap over pairs can see. Everything is in points, 100 times Spearman's coefficient.
"""

from __future__ import annotations

import numpy as np

RESAMPLES = 10_000  # a p-value lies further out in the tail than the ends of an interval
LEVEL, POWER = 0.05, 0.80  # of a two-sided test; how often it shall find a true difference
MOST_SEEDS = 1000  # where the search for a number of seeds ends


def detectable(se: float, *, level: float = LEVEL, power: float = POWER) -> float:
    """Minimum detectable difference, in the unit of ``se``: (z of 1 - level / 2, plus z of power) times the standard error.

    A true difference of that size is found by a two-sided test at ``level`` with probability ``power``.
    """
    from scipy.stats import norm

    return float((norm.ppf(1 - level / 2) + norm.ppf(power)) * se)


def chance(difference: float, se: float, *, level: float = LEVEL) -> float:
    """Probability that a two-sided test at ``level`` finds a true ``difference`` whose standard error is ``se``.

    At 0 this is ``level``, at ``detectable(se)`` it is 80 % (the tail on the wrong side, counted here, is then nothing).
    """
    from scipy.stats import norm

    shift, limit = abs(difference) / se if se else np.inf, norm.ppf(1 - level / 2)
    return float(norm.sf(limit - shift) + norm.cdf(-limit - shift))


def pairs_needed(n: int, mdd: float, wanted: float) -> int:
    """Pairs of the same kind at which ``wanted`` points become detectable, where ``n`` pairs allow ``mdd``.

    The standard error falls with the root of the number of pairs; for an average, every task grows by the same factor.
    """
    return int(np.ceil(n * (mdd / wanted) ** 2))


def seeds_needed(sd: float, wanted: float, *, level: float = LEVEL, power: float = POWER) -> int | None:
    """Training seeds a system at which a two-sided paired t-test over seeds finds ``wanted`` points.

    Args:
        sd: standard deviation of the per-seed differences, on fixed pairs, in points.
    Returns:
        the smallest number of seeds (by the non-central t distribution), or None where even 1,000 are too few.
    """
    from scipy.stats import nct
    from scipy.stats import t as student

    for seeds in range(2, MOST_SEEDS + 1):
        centre, limit = wanted / sd * np.sqrt(seeds) if sd else np.inf, student.ppf(1 - level / 2, seeds - 1)
        if not np.isfinite(centre) or nct.sf(limit, seeds - 1, centre) >= power:
            return seeds
    return None
