"""Rank correlation and bootstrap intervals against plain sorting and resampling."""

from __future__ import annotations

import numpy as np
import pytest

from jtcse.core.errors import UserError
from jtcse.evaluation.statistics.spearman import (
    _drawn_counts,
    bootstrap_average,
    bootstrap_spearman,
    paired_average_difference,
    paired_difference,
    resampled_spearman,
    spearman,
)


def noisy_task(rng: np.random.Generator, n: int = 300, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    gold = np.round(rng.normal(size=n), 1)  # rounding makes ties, as gold scores have
    return np.round(gold + noise * rng.normal(size=n), 2), gold


def plain_ranks(values: np.ndarray) -> list[float]:
    return [1 + sum(o < v for o in values) + (sum(o == v for o in values) - 1) / 2 for v in values]


def plain_spearman(x: np.ndarray, y: np.ndarray) -> float:
    a, b = np.array(plain_ranks(x)), np.array(plain_ranks(y))
    a, b = a - a.mean(), b - b.mean()
    return sum(a * b) / np.sqrt(sum(a * a) * sum(b * b))


def test_spearman_ranks_ties_by_their_average(rng: np.random.Generator) -> None:
    x, y = noisy_task(rng, n=60)
    assert spearman(x, y) == pytest.approx(plain_spearman(x, y), abs=1e-12)
    assert spearman([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([1.0, np.nan, 3.0], [1, 2, 3], "1 of 3 values of the first vector are NaN"),
        ([1, 2, 3], [1.0, np.inf, np.nan], "2 of 3 values of the second"),
        ([1, 2, 3], [1, 2], "3 values with 2"),
        ([1], [1], "n >= 2"),
        ([[1, 2]], [[1, 2]], r"shape \(1, 2\)"),
        ([1, 1, 1], [1, 2, 3], "collapsed"),
    ],
)
def test_vectors_without_a_rank_correlation_are_refused(x: list, y: list, words: str) -> None:
    with pytest.raises(UserError, match=words):
        spearman(x, y)


def test_counted_resamples_give_what_sorting_each_resample_gives(rng: np.random.Generator) -> None:
    similarity, gold = noisy_task(rng, n=80)
    fast = resampled_spearman([similarity, -similarity], gold, 40, np.random.default_rng(5))
    counts = np.concatenate(list(_drawn_counts(80, 40, np.random.default_rng(5))))
    for row, count in enumerate(counts):
        drawn = np.repeat(np.arange(80), count)
        assert fast[0, row] == pytest.approx(plain_spearman(similarity[drawn], gold[drawn]), abs=1e-12)
    np.testing.assert_allclose(fast[1], -fast[0], atol=1e-12)


def test_draws_do_not_depend_on_the_size_of_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(_drawn_counts(10, 100, np.random.default_rng(1))))
    monkeypatch.setattr("jtcse.evaluation.statistics.spearman.CELLS_AT_ONCE", 70)
    parts = list(_drawn_counts(10, 100, np.random.default_rng(1)))
    assert len(parts) == 15
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (whole.sum(axis=1) == 10).all()


def test_an_interval_is_repeatable_holds_its_value_and_narrows_with_more_pairs(
    rng: np.random.Generator,
) -> None:
    widths = []
    for n in (100, 1600):
        similarity, gold = noisy_task(rng, n)
        low, high = bootstrap_spearman(similarity, gold, resamples=400, seed=3)
        assert (low, high) == bootstrap_spearman(similarity, gold, resamples=400, seed=3)
        assert (low, high) != bootstrap_spearman(similarity, gold, resamples=400, seed=4)
        assert low < 100 * spearman(similarity, gold) < high
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.35)  # as 1 / sqrt(n)


def test_about_95_of_100_intervals_hold_the_true_value(rng: np.random.Generator) -> None:
    pearson = 1 / np.sqrt(2)
    truth = 100 * 6 / np.pi * np.arcsin(pearson / 2)  # Spearman's coefficient of a bivariate normal
    held = 0
    for seed in range(200):
        gold = rng.normal(size=250)
        low, high = bootstrap_spearman(gold + rng.normal(size=250), gold, resamples=300, seed=seed)
        held += low <= truth <= high
    assert 180 <= held <= 199


def test_average_is_the_mean_of_the_tasks_and_surer_than_each(rng: np.random.Generator) -> None:
    tasks = [noisy_task(rng, n) for n in (200, 300, 400, 300)]
    points, low, high = bootstrap_average(tasks, resamples=500, seed=1)
    assert points == pytest.approx(np.mean([100 * spearman(*task) for task in tasks]))
    assert low < points < high
    single = [bootstrap_spearman(*task, resamples=500) for task in tasks]
    assert high - low == pytest.approx(np.sqrt(sum((i.high - i.low) ** 2 for i in single)) / 4, rel=0.2)


def test_two_systems_with_shared_errors_differ_surely_though_their_intervals_overlap(
    rng: np.random.Generator,
) -> None:
    gold = rng.normal(size=800)
    shared = gold + rng.normal(size=800)
    better, worse = shared + 0.1 * rng.normal(size=800), shared + 0.4 * rng.normal(size=800)
    points, low, high = paired_difference(better, worse, gold, seed=2)
    assert points == pytest.approx(100 * (spearman(better, gold) - spearman(worse, gold)))
    assert 0 < low < points < high
    assert bootstrap_spearman(worse, gold).high > bootstrap_spearman(better, gold).low
    np.testing.assert_allclose(paired_difference(worse, better, gold, seed=2), [-points, -high, -low])


def test_a_system_does_not_differ_from_itself(rng: np.random.Generator) -> None:
    similarity, gold = noisy_task(rng)
    assert paired_difference(similarity, 3 * similarity + 1, gold) == (0, 0, 0)


def test_difference_of_averages_is_the_average_difference(rng: np.random.Generator) -> None:
    tasks = [(gold + rng.normal(size=len(gold)), similarity, gold) for similarity, gold in map(noisy_task, [rng] * 3)]
    points, low, high = paired_average_difference(tasks, resamples=300)
    first, second = ([(t[i], t[2]) for t in tasks] for i in (0, 1))
    assert points == pytest.approx(bootstrap_average(first).points - bootstrap_average(second).points)
    assert low < points < high


def test_resamples_without_a_correlation_are_left_out() -> None:
    low, high = bootstrap_spearman([1, 2, 3], [1, 3, 2], resamples=200)
    assert -100 <= low <= high <= 100


def test_too_few_resamples_or_no_task_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(UserError, match="1 resample"):
        bootstrap_spearman(*noisy_task(rng), resamples=1)
    with pytest.raises(UserError, match="no task"):
        bootstrap_average([])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)
