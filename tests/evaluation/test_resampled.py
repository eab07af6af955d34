"""Draws, places and rank correlations that every page and the race share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from jtcse.evaluation.statistics.resampled import place_ends, places, rank_correlations, row_means
from jtcse.evaluation.statistics.spearman import middle

RNG = np.random.default_rng(7)


def test_rank_correlations_are_spearmans_row_by_row_and_with_one_vector() -> None:
    x, y = RNG.integers(5, size=(2, 40, 9)).astype(float)
    expected = [spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    assert rank_correlations(x, y) == pytest.approx(expected)
    assert rank_correlations(x, y[0]) == pytest.approx([spearmanr(a, y[0]).statistic for a in x])


def test_a_constant_row_has_no_rank_correlation() -> None:
    assert np.isnan(rank_correlations(np.ones((1, 4)), np.arange(4.0))).all()


def test_equal_scores_share_the_better_place_in_every_draw() -> None:
    assert places(np.array([[3.0, 1.0], [3.0, 2.0], [1.0, 1.0]])).tolist() == [[1, 2], [1, 1], [3, 2]]


def test_ends_of_places_are_places_that_were_drawn() -> None:
    drawn = np.array([[1] * 99 + [3] * 1, [1] * 50 + [2] * 50])
    first, last = place_ends(drawn)
    assert (first.tolist(), last.tolist()) == ([1, 1], [1, 2])


def test_all_systems_are_drawn_on_the_same_rows() -> None:
    rows = RNG.normal(size=(30, 1)) + np.array([0.0, 1.0])
    means = row_means(rows, 500)
    assert means.shape == (2, 500) and (means[1] - means[0]) == pytest.approx(1)
    assert means[0].std() == pytest.approx(rows[:, 0].std() / np.sqrt(30), rel=0.2)


def test_the_middle_leaves_out_draws_without_a_value() -> None:
    draws = np.append(np.arange(1001.0), np.nan)
    assert middle(draws) == (25, 975) and np.shape(middle(np.stack([draws, draws]))) == (2, 2)
