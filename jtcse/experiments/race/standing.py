"""Who stands where, and how surely: means over seeds, ranks, and the rank correlation with print, all on shared draws of pairs.

A mean over seeds is drawn over pairs and over seeds. One seed fewer than there are is drawn with replacement, which gives the
mean of them the variance that it has (Rao and Wu 1988, for samples as small as this); of a single seed only pairs are drawn.
Systems with the same seeds share the drawn seeds, since a seed is the same batches for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jtcse.core.run import derive_seed
from jtcse.evaluation.statistics.resampled import Drawn, place_ends, places, rank_correlations


class Rank(NamedTuple):
    """A place, 1 is best, with the middle 95 % of its draws."""

    place: int
    low: int
    high: int


def over_seeds(found: Mapping[int, Drawn], seed: int = 0) -> Drawn:
    """The mean over training seeds, drawn over pairs and seeds.

    Args:
        found: training seed to a number that was drawn over pairs, all on the same draws (resamples,).
        seed: of the draw of seeds.
    """
    seeds = sorted(found)
    rows = np.stack([found[one].draws for one in seeds])  # (seeds, resamples)
    points = float(np.mean([found[one].points for one in seeds]))
    if len(seeds) == 1:
        return Drawn(points, rows[0])
    stream = np.random.default_rng(derive_seed(seed, "race", *seeds))
    picked = stream.integers(len(seeds), size=(len(seeds) - 1, rows.shape[1]))
    return Drawn(points, np.take_along_axis(rows, picked, axis=0).mean(axis=0))


def ranks(found: Mapping[str, Drawn]) -> dict[str, Rank]:
    """The place of each system, and its places over all draws.

    Args:
        found: system to its average, all on the same draws.
    """
    own = places(np.array([[drawn.points] for drawn in found.values()]))[:, 0]
    low, high = place_ends(places(np.stack([drawn.draws for drawn in found.values()])))
    return {name: Rank(*map(int, row)) for name, *row in zip(found, own, low, high, strict=True)}


def beside_print(found: Mapping[str, Drawn], printed: Mapping[str, float]) -> Drawn | None:
    """Rank correlation (times 100) of measured with printed averages over the systems that have both; None for fewer than three.

    The draws move the measured side alone: print has one number a system.
    """
    both = [name for name in found if name in printed]
    wanted = [printed[name] for name in both]
    if len(both) < 3 or len(set(wanted)) == 1:
        return None
    scores = np.stack([np.append(found[name].points, found[name].draws) for name in both])
    value, *draws = 100 * rank_correlations(scores.T, np.array(wanted))
    return Drawn(float(value), np.array(draws))
