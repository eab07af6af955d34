"""Paired comparisons against independent implementations, published results, plain loops and simulated data."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jtcse.core.errors import UserError
from jtcse.evaluation.statistics.comparison import Williams, bootstrap_p, compare_all, holm, williams
from jtcse.evaluation.statistics.spearman import paired_average_difference, paired_difference, spearman
from jtcse.evaluation.sts import TaskScore

pytest.importorskip("pandas", reason="pandas comes with the extra 'book'")

PROBABILITY = st.floats(0, 1)
CORRELATED = np.array([[1, 0.75, 0.7], [0.75, 1, 0.85], [0.7, 0.85, 1]])  # gold, system a, system b


def scored(similarity: np.ndarray, gold: np.ndarray, task: str = "A") -> TaskScore:
    return TaskScore(task, 100 * spearman(similarity, gold), len(gold), 0.0, 0.0, similarity, gold)


def two_systems(rng: np.random.Generator, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gold scores and two systems' similarities, with ties as real ones have."""
    gold, a, b = rng.multivariate_normal(np.zeros(3), CORRELATED, size=n).T
    return np.round(a, 2), np.round(b, 2), np.round(2 * gold) / 2


def systems(rng: np.random.Generator, sizes: dict[str, int]) -> tuple[dict[str, TaskScore], dict[str, TaskScore]]:
    drawn = {task: two_systems(rng, n) for task, n in sizes.items()}
    return tuple({task: scored(vectors[i], vectors[2], task) for task, vectors in drawn.items()} for i in (0, 1))


def compare(a: dict[str, TaskScore], b: dict[str, TaskScore], **drawing):
    return compare_all({"a": a, "b": b}, **drawing).loc["a", "b"]


def williams_test(a: np.ndarray, b: np.ndarray, gold: np.ndarray) -> Williams:
    return williams(spearman(a, gold), spearman(b, gold), spearman(a, b), len(gold))


# -- Williams' test --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("r_a", "r_b", "r_ab", "n", "t", "tolerance"),
    [
        (0.4, 0.5, 0.1, 103, -0.89, 0.005),  # Steiger (1980), in the manual of R's psych::r.test
        # printed by R's package cocor in public notebooks, from inputs that are rounded here
        (-0.1741, 0.2015, 0.3734, 646, -9.0340, 0.003),
        (0.8066, 0.2383, 0.2255, 177, 9.3823, 0.003),
        (0.5447, 0.8, 0.0729, 70, -2.8114, 0.003),
        (0.7245, 0.7108, 0.8972, 15549, 5.5544, 0.03),
    ],
)
def test_published_results_of_williams_test_come_out(r_a, r_b, r_ab, n, t, tolerance) -> None:
    found = williams(r_a, r_b, r_ab, n)
    assert found.t == pytest.approx(t, abs=tolerance) and found.df == n - 3
    assert found.p == pytest.approx(2 * stats.t(n - 3).cdf(-abs(found.t)))


def test_published_p_value_of_williams_test_comes_out() -> None:
    assert williams(0.5447, 0.8, 0.0729, 70).p == pytest.approx(0.0065, abs=5e-5)


@given(st.integers(0, 10**6), st.integers(25, 400))
def test_williams_on_ranks_is_the_formula_with_a_determinant(seed: int, n: int) -> None:
    a, b, gold = two_systems(np.random.default_rng(seed), n)
    found = williams_test(a, b, gold)
    matrix = np.corrcoef([stats.rankdata(v) for v in (gold, a, b)])
    r12, r13, r23 = matrix[0, 1], matrix[0, 2], matrix[1, 2]
    denominator = 2 * np.linalg.det(matrix) * (n - 1) / (n - 3) + ((r12 + r13) / 2) ** 2 * (1 - r23) ** 3
    assert found.t == pytest.approx((r12 - r13) * np.sqrt((n - 1) * (1 + r23) / denominator), abs=1e-6)
    turned = williams_test(b, a, gold)
    assert (turned.t, turned.p) == pytest.approx((-found.t, found.p))


def test_williams_rejects_equal_systems_about_five_times_in_a_hundred(rng: np.random.Generator) -> None:
    equal = np.array([[1, 0.7, 0.7], [0.7, 1, 0.9], [0.7, 0.9, 1]])
    data = rng.multivariate_normal(np.zeros(3), equal, size=(400, 150))
    rejected = sum(williams_test(a, b, gold).p < 0.05 for gold, a, b in np.moveaxis(data, 1, 2))
    assert 5 <= rejected <= 37  # 20, and 4 standard deviations less or more


def test_equal_rankings_do_not_differ_and_impossible_correlations_are_refused() -> None:
    assert williams(0.8, 0.8, 1.0, 50) == (0, 47, 1)
    with pytest.raises(UserError, match=r"no data have the correlations 0\.9, -0\.9 and 0\.9"):
        williams(0.9, -0.9, 0.9, 50)
    with pytest.raises(UserError, match="no data"):
        williams(1.2, 0.5, 0.5, 50)
    with pytest.raises(UserError, match="3 pairs"):
        williams(0.5, 0.4, 0.5, 3)


# -- Holm's correction -----------------------------------------------------------------------------


@given(st.lists(PROBABILITY, max_size=12))
def test_holm_keeps_order_never_lowers_and_stays_a_probability(p: list[float]) -> None:
    corrected, raw = holm(p), np.array(p)
    assert (corrected >= raw).all() and (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(raw, kind="stable")]) >= 0).all()
    assert (corrected <= np.minimum(1, len(p) * raw)).all(), "never above Bonferroni"


@given(st.lists(PROBABILITY, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_holm_does_not_ask_in_which_order_tasks_stand(p: list[float], random) -> None:
    order = list(range(len(p)))
    random.shuffle(order)
    np.testing.assert_allclose(holm(np.array(p)[order]), holm(p)[order])


@given(st.lists(PROBABILITY, min_size=1, max_size=8), st.floats(0.001, 0.999))
def test_holm_rejects_what_stepping_down_rejects(p: list[float], level: float) -> None:
    rejected, left = set(), len(p)
    for index in sorted(range(len(p)), key=p.__getitem__):
        if p[index] * left > level:
            break
        rejected.add(index)
        left -= 1
    assert set(np.flatnonzero(holm(p) <= level)) == rejected


def test_holm_equals_statsmodels(rng: np.random.Generator) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is only a second opinion")
    p = rng.uniform(size=7) ** 3
    np.testing.assert_allclose(holm(p), multitest.multipletests(p, method="holm")[1])


def test_holm_of_a_known_family_and_of_no_probabilities() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    with pytest.raises(UserError, match="from 0 to 1"):
        holm([0.1, np.nan])


# -- the bootstrap ---------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.floats(-4, 4))
def test_p_is_below_a_level_where_the_percentile_interval_leaves_out_zero(seed: int, centre: float) -> None:
    draws = np.random.default_rng(seed).normal(centre, size=1999)
    low, high = np.percentile(draws, (2.5, 97.5))
    p = bootstrap_p(draws)
    assert 2 / 2000 <= p <= 1
    if abs(p - 0.05) > 0.003:
        assert (p < 0.05) == (low > 0 or high < 0)


def test_draws_without_a_difference_count_on_both_sides() -> None:
    assert bootstrap_p(np.zeros(99)) == 1
    assert bootstrap_p([np.nan, 1.0, 2.0, -1.0]) == 1
    assert bootstrap_p(np.ones(999)) == 2 / 1000
    with pytest.raises(UserError, match="no resample"):
        bootstrap_p([np.nan])


def test_a_comparison_has_the_intervals_of_the_statistics_module(rng: np.random.Generator) -> None:
    a, b = systems(rng, {"A": 200, "B": 300, "C": 150})
    frame = compare(a, b, resamples=400, seed=5)
    assert list(frame.index) == ["A", "B", "C", "average"]
    tasks = [(a[task].similarity, b[task].similarity, a[task].gold) for task in a]
    for row, expected in (
        ("average", paired_average_difference(tasks, resamples=400, seed=5)),
        ("A", paired_difference(*tasks[0], resamples=400, seed=5)),
    ):
        assert tuple(frame.loc[row, ["difference", "low", "high"]]) == pytest.approx(expected)
    assert frame.loc["B", "difference"] == pytest.approx(a["B"].points - b["B"].points)
    np.testing.assert_allclose(frame["p_holm"][:3], holm(frame["p_bootstrap"][:3]))
    assert frame.loc["average", ["p_holm", "p_williams"]].isna().all()
    assert frame.loc["C", "p_williams"] == williams_test(*tasks[2]).p
    assert frame["n"].tolist() == [200, 300, 150, 650]


def test_scipys_paired_bootstrap_gives_the_same_spread(rng: np.random.Generator) -> None:
    a, b, gold = two_systems(rng, 250)
    result = stats.bootstrap(
        (a, b, gold),
        lambda x, y, z: 100 * (stats.spearmanr(x, z)[0] - stats.spearmanr(y, z)[0]),
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=800,
        rng=np.random.default_rng(1),
    )
    row = compare({"A": scored(a, gold)}, {"A": scored(b, gold)}, resamples=5000, seed=2).loc["A"]
    assert row["se"] == pytest.approx(result.standard_error, rel=0.12)
    assert (row["low"], row["high"]) == pytest.approx(tuple(result.confidence_interval), abs=0.35 * row["se"])


def test_turning_the_pair_turns_the_difference_and_keeps_p(rng: np.random.Generator) -> None:
    a, b = systems(rng, {"A": 120, "B": 80})
    there, back = (compare(*pair, resamples=300) for pair in ((a, b), (b, a)))
    np.testing.assert_allclose(there["difference"], -back["difference"])
    np.testing.assert_allclose(there["low"], -back["high"])
    for column in ("se", "mdd", "alike", "p_bootstrap", "p_williams", "p_holm"):
        np.testing.assert_allclose(there[column], back[column], err_msg=column)


def test_systems_compared_together_are_compared_as_alone(rng: np.random.Generator) -> None:
    a, b = systems(rng, {"A": 120, "B": 80})
    c = {task: scored(score.similarity**3, score.gold, task) for task, score in b.items()}
    together = compare_all({"a": a, "b": b, "c": c}, [("c", "a"), ("b", "c")], resamples=200)
    assert list(together.index.droplevel("task").unique()) == [("c", "a"), ("b", "c")]
    np.testing.assert_allclose(together.xs(("c", "a"), level=("first", "second")), compare(c, a, resamples=200))
    same = together.xs(("b", "c"), level=("first", "second"))  # a monotone change ranks alike
    assert (same["difference"] == 0).all() and (same["p_bootstrap"] == 1).all() and (same["alike"] == 1).all()
    assert len(compare_all({"a": a, "b": b, "c": c}, resamples=10)) == 3 * 3


def test_about_95_of_100_intervals_hold_the_true_difference(rng: np.random.Generator) -> None:
    truth = 100 * 6 / np.pi * np.subtract(*np.arcsin(CORRELATED[0, 1:] / 2))  # Spearman of a bivariate normal
    data = rng.multivariate_normal(np.zeros(3), CORRELATED, size=(300, 200))
    held = 0
    for seed, (gold, a, b) in enumerate(np.moveaxis(data, 1, 2)):
        low, high = paired_difference(a, b, gold, resamples=300, seed=seed)[1:]
        held += low <= truth <= high
    assert 274 <= held <= 296  # 285 +- 3 standard deviations


def test_scores_of_other_tasks_or_pairs_are_refused(rng: np.random.Generator) -> None:
    a, b = systems(rng, {"A": 50, "B": 60})
    with pytest.raises(UserError, match=r"'a' was scored on \['A', 'B'\] and 'b' on \['A'\]"):
        compare(a, {"A": b["A"]})
    other = b | {"B": scored(b["B"].similarity, b["B"].gold[::-1].copy(), "B")}
    with pytest.raises(UserError, match="different pairs of 'B'"):
        compare(a, other)
    with pytest.raises(UserError, match=r"1 system"):
        compare_all({"a": a})


@pytest.mark.slow
def test_ten_thousand_resamples_of_real_pairs_take_seconds_and_agree_with_scipy(shared_hub: Path) -> None:
    """STS-B's 1,379 pairs, scored by shared words and by shared letters."""
    from jtcse.data.pairs import load_pair_sets

    folder = shared_hub / "hub/datasets/princeton-nlp/datasets-for-simcse"
    pairs = load_pair_sets("senteval", folder=folder, names=["STS-B"])["STS-B"]
    words, letters = (
        np.array([overlap(*p, kind) for p in zip(pairs.first, pairs.second, strict=True)])
        for kind in ("words", "letters")
    )
    begin = time.process_time()
    row = compare({"STS-B": scored(words, pairs.gold)}, {"STS-B": scored(letters, pairs.gold)}).loc["STS-B"]
    assert time.process_time() - begin < 10 and len(pairs) == 1379
    result = stats.bootstrap(
        (words, letters, pairs.gold),
        lambda x, y, z: 100 * (stats.spearmanr(x, z)[0] - stats.spearmanr(y, z)[0]),
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=2000,
        rng=np.random.default_rng(1),
    )
    assert row["se"] == pytest.approx(result.standard_error, rel=0.06)
    assert (row["low"], row["high"]) == pytest.approx(tuple(result.confidence_interval), abs=0.25 * row["se"])
    assert (row["p_bootstrap"] < 0.05) == (row["p_williams"] < 0.05)


def overlap(first: str, second: str, kind: str) -> float:
    one, two = ({*s.split()} if kind == "words" else {s[i : i + 3] for i in range(len(s))} for s in (first, second))
    return len(one & two) / len(one | two)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(31)
