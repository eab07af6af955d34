"""SentEval's rule against a plain loop, its invariances, and the file of per-pair scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from jtcse.core.errors import UserError
from jtcse.data.pairs import PairSet
from jtcse.evaluation.sts import average, cosine, read_scores, save_scores, score_sets

WORDS = [f"word{i}" for i in range(40)]


class FakeEncoder:
    """A fixed random vector for each sentence, in float32; it remembers what it was asked."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self.calls: list[list[str]] = []

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        self.calls.append(list(sentences))
        return np.stack([self.vector(s) for s in sentences]).astype(np.float32)

    def vector(self, sentence: str) -> np.ndarray:
        words = [np.random.default_rng(int(word[4:])).normal(size=16) for word in sentence.split()]
        return self.scale * np.sum(words, axis=0)


class GivesVectors:
    """Gives the same array whatever it is asked."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        return self.vectors


def random_pairs(name: str, n: int, seed: int) -> PairSet:
    rng = np.random.default_rng(seed)
    sides = [[" ".join(rng.choice(WORDS, size=4)) for _ in range(n)] for _ in range(2)]
    sides[1][: n // 10] = sides[0][: n // 10]  # some pairs of equal sentences
    return PairSet(name, *sides, gold=np.round(rng.uniform(0, 5, size=n), 1), source="test")


def changed(pairs: PairSet, order: np.ndarray | None = None, gold: np.ndarray | None = None) -> PairSet:
    order = np.arange(len(pairs)) if order is None else order
    gold = pairs.gold if gold is None else gold
    return PairSet(
        pairs.name,
        [pairs.first[i] for i in order],
        [pairs.second[i] for i in order],
        gold[order],
        pairs.source,
    )


def points(pairs: PairSet, encoder: FakeEncoder | None = None) -> float:
    return score_sets(encoder or FakeEncoder(), {"task": pairs}, resamples=2)["task"].points


@pytest.fixture
def sets() -> dict[str, PairSet]:
    return {"A": random_pairs("A", 120, seed=1), "B": random_pairs("B", 70, seed=2)}


def test_scores_equal_a_plain_loop_over_pairs(sets: dict[str, PairSet]) -> None:
    scores = score_sets(FakeEncoder(), sets, resamples=50)
    assert list(scores) == ["A", "B"]
    for name, pairs in sets.items():
        similarity = []
        for first, second in zip(pairs.first, pairs.second, strict=True):
            a, b = (FakeEncoder().vector(s).astype(np.float32).tolist() for s in (first, second))
            dot = sum(x * y for x, y in zip(a, b, strict=True))
            similarity.append(dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b)))
        np.testing.assert_allclose(scores[name].similarity, similarity, atol=1e-7)
        assert scores[name].points == pytest.approx(100 * spearmanr(np.round(similarity, 6), pairs.gold).statistic)
        assert scores[name].n == len(pairs)
        assert scores[name].low < scores[name].points < scores[name].high


def test_each_distinct_sentence_of_all_sets_is_encoded_once(sets: dict[str, PairSet]) -> None:
    encoder = FakeEncoder()
    score_sets(encoder, {**sets, "again": sets["A"]}, resamples=2)
    (asked,) = encoder.calls
    assert len(asked) == len(set(asked))
    assert set(asked) == {s for pairs in sets.values() for s in pairs.first + pairs.second}


def test_a_monotone_change_of_gold_changes_nothing(sets: dict[str, PairSet]) -> None:
    pairs = sets["A"]
    assert points(changed(pairs, gold=np.exp(pairs.gold) - 7)) == pytest.approx(points(pairs))
    assert points(changed(pairs, gold=-pairs.gold)) == pytest.approx(-points(pairs))


@pytest.mark.parametrize("scale", [1e-12, 7.0, -1.0, 1e15])
def test_the_length_of_the_vectors_changes_nothing(sets: dict[str, PairSet], scale: float) -> None:
    assert points(sets["A"], FakeEncoder(scale)) == pytest.approx(points(sets["A"]), abs=1e-3)


def test_order_and_doubling_of_pairs_change_nothing(sets: dict[str, PairSet]) -> None:
    pairs = sets["A"]
    shuffled = np.random.default_rng(0).permutation(len(pairs))
    assert points(changed(pairs, order=shuffled)) == pytest.approx(points(pairs))
    assert points(changed(pairs, order=np.tile(np.arange(len(pairs)), 2))) == pytest.approx(points(pairs))


def test_a_task_scores_the_same_alone_and_among_others(sets: dict[str, PairSet]) -> None:
    together, alone = score_sets(FakeEncoder(), sets), score_sets(FakeEncoder(), {"B": sets["B"]})
    assert (together["B"].points, together["B"].low) == (alone["B"].points, alone["B"].low)


def test_equal_sentences_tie_at_one_and_a_zero_vector_gives_zero() -> None:
    vectors = np.random.default_rng(0).normal(size=(5000, 48)).astype(np.float32)
    assert set(cosine(vectors, vectors).tolist()) == {1.0}
    assert cosine(vectors[:2], np.zeros((2, 48))).tolist() == [0.0, 0.0]


def test_average_counts_each_task_once(sets: dict[str, PairSet]) -> None:
    scores = score_sets(FakeEncoder(), sets)
    mean = average(scores, resamples=200)
    assert mean.points == pytest.approx((scores["A"].points + scores["B"].points) / 2)
    assert mean.low < mean.points < mean.high


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_broken_vectors_are_counted_and_refused(bad: float) -> None:
    vectors = np.ones((3, 4))
    vectors[1:, 2] = bad
    pairs = PairSet("A", ["a", "b"], ["b", "c"], np.array([1, 2]), "test")
    with pytest.raises(UserError, match="2 of 3 sentence vectors"):
        score_sets(GivesVectors(vectors), {"A": pairs})


def test_wrong_shapes_collapse_and_no_set_are_refused() -> None:
    pairs = PairSet("A", ["a", "b"], ["b", "c"], np.array([1, 2]), "test")
    with pytest.raises(UserError, match=r"shape \(2, 4\) for 3 sentences"):
        score_sets(GivesVectors(np.ones((2, 4))), {"A": pairs})
    with pytest.raises(UserError, match=r"task 'A'.*collapsed"):
        score_sets(GivesVectors(np.ones((3, 4))), {"A": pairs})
    with pytest.raises(UserError, match="no pair set"):
        score_sets(FakeEncoder(), {})


def test_scores_come_back_from_their_file(sets: dict[str, PairSet], tmp_path: Path) -> None:
    scores = score_sets(FakeEncoder(), sets)
    path = tmp_path / "new" / "jtcse.npz"
    save_scores(path, scores)
    again = read_scores(path)
    assert list(again) == list(scores)
    for name, score in scores.items():
        assert (again[name].points, again[name].low, again[name].n) == (score.points, score.low, score.n)
        np.testing.assert_array_equal(again[name].similarity, score.similarity)
        np.testing.assert_array_equal(again[name].gold, score.gold)
    assert [p.name for p in path.parent.iterdir()] == ["jtcse.npz"]


def test_a_cut_missing_or_foreign_file_of_scores_is_named(sets: dict[str, PairSet], tmp_path: Path) -> None:
    path = tmp_path / "jtcse.npz"
    with pytest.raises(UserError, match="no file of scores at"):
        read_scores(path)
    save_scores(path, score_sets(FakeEncoder(), sets))
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole[:700] + b"????" + whole[704:], b"{}"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a whole file of scores"):
            read_scores(path)
    np.savez(path, something=np.arange(3))
    with pytest.raises(UserError, match="not a whole file of scores"):
        read_scores(path)
    np.save(tmp_path / "array.npy", np.arange(3))
    with pytest.raises(UserError, match="not a whole file of scores"):
        read_scores(tmp_path / "array.npy")
