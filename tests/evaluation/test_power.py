"""Detectable differences keep their promise in simulation, and so do the numbers of pairs and seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from jtcse.evaluation.statistics.power import chance, detectable, pairs_needed, seeds_needed
from jtcse.evaluation.statistics.spearman import paired_difference, resampled_spearman


def pearson(points: float) -> float:
    """Pearson's coefficient at which jointly normal variables have this Spearman coefficient (points)."""
    return 2 * np.sin(np.pi / 6 * points / 100)


def jointly_normal(rng: np.random.Generator, sets: int, n: int, score_a: float, score_b: float) -> np.ndarray:
    """(sets, 3, n): gold and two systems with true scores in points, whose errors are alike."""
    a, b = pearson(score_a), pearson(score_b)
    matrix = np.array([[1, a, b], [a, 1, 0.95], [b, 0.95, 1]])
    return np.moveaxis(rng.multivariate_normal(np.zeros(3), matrix, size=(sets, n)), 1, 2)


def standard_error(gold: np.ndarray, a: np.ndarray, b: np.ndarray, seed: int) -> float:
    first, second = resampled_spearman([a, b], gold, 400, np.random.default_rng(seed))
    return float(100 * np.std(first - second, ddof=1))


def test_the_mark_is_the_quantile_of_level_plus_that_of_power() -> None:
    assert detectable(1.0) == pytest.approx(1.959964 + 0.841621, abs=1e-6)
    assert detectable(0.5, level=0.01, power=0.9) == pytest.approx(0.5 * (2.575829 + 1.281552), abs=1e-6)
    assert chance(detectable(0.3), 0.3) == pytest.approx(0.8, abs=1e-5)
    assert chance(0, 1) == pytest.approx(0.05) and chance(-1, 0.2) == chance(1, 0.2)


def test_a_true_difference_as_large_as_the_mark_is_found_in_80_of_100(rng: np.random.Generator) -> None:
    n, repetitions = 250, 300
    pilot = jointly_normal(rng, 12, n, 71, 70)
    mark = detectable(float(np.mean([standard_error(*data, seed) for seed, data in enumerate(pilot)])))
    found = 0
    for seed, (gold, a, b) in enumerate(jointly_normal(rng, repetitions, n, 70 + mark, 70)):
        found += paired_difference(a, b, gold, resamples=300, seed=seed).low > 0
    assert 240 - 28 <= found <= 240 + 28  # 4 standard deviations of a binomial, 7


def test_four_times_the_pairs_halve_the_mark_and_the_needed_number_says_so(rng: np.random.Generator) -> None:
    few, many = (np.mean([standard_error(*d, 1) for d in jointly_normal(rng, 30, n, 72, 70)]) for n in (150, 600))
    assert detectable(few) / detectable(many) == pytest.approx(2, rel=0.12)
    assert pairs_needed(150, detectable(few), detectable(few) / 2) == 600
    assert pairs_needed(1000, 0.1, 0.2) == 250


@pytest.mark.parametrize(("sd", "wanted"), [(0.1, 0.12), (0.3, 0.12), (0.05, 0.12)])
def test_needed_seeds_reach_80_of_100_and_one_fewer_does_not(sd: float, wanted: float) -> None:
    seeds = seeds_needed(sd, wanted)
    rng = np.random.default_rng(5)
    for number, enough in ((seeds, True), (seeds - 1, False)):
        if number >= 2:
            p = stats.ttest_1samp(rng.normal(wanted, sd, size=(20_000, number)), 0, axis=1).pvalue
            found = np.mean(p < 0.05)
            assert found > 0.79 if enough else found < 0.81


def test_needed_seeds_at_the_ends() -> None:
    assert seeds_needed(0.0, 0.12) == 2
    assert seeds_needed(10.0, 0.01) is None


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(32)
