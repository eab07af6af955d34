"""The adapter: the encoder's own vectors in order, each text computed once, and mteb's scores as plain loops give them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from unittest.mock import Mock

import mteb
import numpy as np
import pytest
import standin
import tiny
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from mteb.models import EncoderProtocol
from scipy.stats import rankdata

from jtcse.encoders.encoder import TowerEncoder
from jtcse.evaluation.mteb import cached_encoder
from jtcse.evaluation.mteb.adapter import MtebEncoder, model_meta
from jtcse.evaluation.mteb.cache import TextCache
from jtcse.evaluation.mteb.cached_encoder import LONGEST, KeptEncoder
from jtcse.evaluation.mteb.tasks import Wanted, opened

ROOMY = 1 << 24


class Counting:
    """An encoder whose vector follows from the text and its own seed, and which notes what it is asked."""

    def __init__(self, seed: int = 0, width: int = 6) -> None:
        self.seed, self.width, self.calls = seed, width, []

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        self.calls.append(list(sentences))
        rows = [self.vector(sentence) for sentence in sentences]
        return np.array(rows, np.float32).reshape(len(rows), self.width)

    def vector(self, text: str) -> np.ndarray:
        seed = blake2b(f"{self.seed} {text}".encode(errors="surrogatepass"), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(seed, "big")).standard_normal(self.width).astype(np.float32)

    @property
    def asked(self) -> list[str]:
        return [text for call in self.calls for text in call]


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> TowerEncoder:
    return TowerEncoder(*tiny.saved(tmp_path_factory.mktemp("tower")), precision="fp32")


@pytest.fixture
def cache(tmp_path: Path):
    with TextCache(tmp_path / "vectors", ROOMY) as one:
        yield one


TEXTS = ["noon", "", "a gate", "noon", " ", "é 漢字 \U0001f600", "", "the mill " * 12_000, *standin.sentences(9)]


# -- vectors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cached", [False, True])
def test_vectors_are_the_encoders_own_in_order(tower: TowerEncoder, cache: TextCache, cached: bool) -> None:
    """With duplicates, empty texts and one of 100,000 characters; a second time they come out of the cache, to the bit."""
    assert max(map(len, TEXTS)) > 100_000 > LONGEST
    computed = Mock(wraps=tower)
    kept = KeptEncoder(computed, "key", cache if cached else None)
    first = kept.encode(TEXTS)
    assert first.dtype == np.float32 and np.allclose(first, tower.encode(TEXTS), atol=1e-6)
    assert np.array_equal(kept.encode(TEXTS[::-1])[::-1], first) or not cached
    texts = [text for call in computed.encode.call_args_list for text in call.args[0]]
    assert len(texts) == (1 if cached else 2) * len(set(TEXTS))


@pytest.mark.parametrize("cached", [False, True])
def test_no_texts_give_no_rows_of_the_right_width(tower: TowerEncoder, cache: TextCache, cached: bool) -> None:
    found = KeptEncoder(tower, "key", cache if cached else None).encode([])
    assert found.shape == (0, tower.width) and found.dtype == np.float32


def test_a_texts_head_decides_and_it_alone_reaches_the_encoder() -> None:
    encoder = Counting()
    head = "word " * (LONGEST // 5)
    found = KeptEncoder(encoder, "key").encode([head, head + "more", head[:-1]])
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])
    assert encoder.asked == [head, head[:-1]]


def test_each_distinct_text_is_computed_once_over_calls_and_over_processes(tmp_path: Path) -> None:
    encoder = Counting()
    for _ in range(2):  # the file is closed and opened again
        with TextCache(tmp_path / "vectors", ROOMY) as cache:
            kept = KeptEncoder(encoder, "key", cache)
            for texts in (["b", "a", "b"], ["c", "a", ""], ["", "c"]):
                assert np.array_equal(kept.encode(texts), [encoder.vector(text) for text in texts])
    assert sorted(encoder.asked) == ["", "a", "b", "c"]


def test_longest_texts_are_computed_first_and_in_portions_that_are_kept(
    cache: TextCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_encoder, "PORTION", 3)
    encoder = Counting()
    KeptEncoder(encoder, "key", cache).encode(["a" * n for n in (2, 7, 1, 5, 3)])
    assert [list(map(len, call)) for call in encoder.calls] == [[7, 5, 3], [2, 1]]


def test_what_a_kill_leaves_is_not_computed_again(cache: TextCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_encoder, "PORTION", 2)

    class Killed(Counting):
        def encode(self, sentences: Sequence[str]) -> np.ndarray:
            if len(self.calls) == 2:
                raise KeyboardInterrupt
            return super().encode(sentences)

    texts = ["a" * n for n in range(9)]
    with pytest.raises(KeyboardInterrupt):
        KeptEncoder(Killed(), "key", cache).encode(texts)
    encoder = Counting()
    found = KeptEncoder(encoder, "key", cache).encode(texts)
    assert sorted(map(len, encoder.asked)) == [0, 1, 2, 3, 4]
    assert np.array_equal(found, [encoder.vector(text) for text in texts])


def test_two_encoders_in_one_file_never_see_each_others_vectors(cache: TextCache) -> None:
    texts = ["noon", "", "a gate"]
    for _ in range(2):
        for seed, width in ((1, 6), (2, 6), (3, 4)):
            encoder = Counting(seed, width)
            found = KeptEncoder(encoder, f"key {seed}", cache).encode(texts)
            assert np.array_equal(found, [encoder.vector(text) for text in texts])


def test_a_cache_that_keeps_nothing_changes_nothing(tmp_path: Path) -> None:
    """A limit of one vector, and a file that is no cache."""
    (tmp_path / "broken").write_text("no cache" * 100)
    for name, limit in (("small", 24), ("broken", ROOMY)):
        with TextCache(tmp_path / name, limit) as cache:
            kept = KeptEncoder(Counting(), "key", cache)
            for _ in range(2):
                assert np.array_equal(kept.encode(TEXTS), [kept.encoder.vector(text[:LONGEST]) for text in TEXTS])


TEXT = st.text(alphabet=st.characters(), max_size=5)  # lone surrogates among them


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(TEXT, max_size=7), max_size=4), st.booleans(), st.integers(1, 4))
def test_any_calls_give_the_encoders_vectors_and_the_bar_all_distinct_characters(
    calls: list[list[str]], cached: bool, portion: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, TextCache(Path("/dev/null/none"), 0) as none:
        patch.setattr(cached_encoder, "PORTION", portion)
        steps: list[int] = []
        encoder = Counting()
        kept = KeptEncoder(encoder, "key", none if cached else None, steps.append)
        for texts in calls:
            assert np.array_equal(kept.encode(texts), [encoder.vector(text) for text in texts] or encoder.encode([]))
    assert sum(steps) == sum(len(text) for texts in calls for text in set(texts))


def test_the_bar_counts_what_is_found_as_what_is_computed(cache: TextCache) -> None:
    long = "x" * (LONGEST + 5)
    for _ in range(2):
        steps: list[int] = []
        KeptEncoder(Counting(), "key", cache, steps.append).encode(["noon", long, "noon", ""])
        assert sum(steps) == 4 + LONGEST


# -- mteb ------------------------------------------------------------------------------------------------------------


def scored(encoder, wanted: Wanted, rows: dict) -> dict[str, float]:
    """The scores of an unchanged task on these rows, as its one split of one subset."""
    task = opened(wanted)
    (subset,), (split,) = task.hf_subsets, task.eval_splits
    task.dataset, task.data_loaded = {subset: {split: Dataset.from_dict(rows)}}, True
    model = MtebEncoder(KeptEncoder(encoder, "key"), "made-up", "0" * 40)
    found = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False).task_results[0]
    assert [scores["hf_subset"] for scores in found.scores[split]] == [subset]
    return found.scores[split][0]


def test_it_is_what_mteb_takes_for_an_encoder() -> None:
    model = MtebEncoder(KeptEncoder(Counting(), "key"), "jtcse-bert", "abc")
    assert isinstance(model, EncoderProtocol)
    assert (model.mteb_model_meta.name, model.mteb_model_meta.revision) == ("companion/jtcse-bert", "abc")
    assert model_meta("jtcse-bert", "abc") == model.mteb_model_meta


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_texts_of_all_batches_come_in_order_without_a_prompt(batch: int) -> None:
    from torch.utils.data import DataLoader

    texts = [*standin.sentences(7), "", "noon", "noon"]
    encoder, metadata = Counting(), opened(Wanted("STS12")).metadata
    model = MtebEncoder(KeptEncoder(encoder, "key"), "x", "y")
    loader = DataLoader(Dataset.from_dict({"text": texts}), batch_size=batch)
    for prompt in (None, mteb.types.PromptType.query):
        found = model.encode(loader, task_metadata=metadata, hf_split="test", hf_subset="default", prompt_type=prompt)
        assert np.array_equal(found, [encoder.vector(text) for text in texts])


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    left, right = left.astype(np.float64), right.astype(np.float64)
    return float(left @ right / np.sqrt((left @ left) * (right @ right)))


def test_an_sts_score_is_spearman_of_cosines() -> None:
    """Ranks with ties by the mean, then the correlation of the ranks, in float64."""
    pairs = standin.graded_pairs(40, seed=8)
    left, right, gold = (list(column) for column in zip(*pairs, strict=True))
    encoder = Bag()
    found = scored(encoder, Wanted("STS12"), {"sentence1": left, "sentence2": right, "score": gold})
    cosines = [cosine(*encoder.encode([a, b])) for a, b in zip(left, right, strict=True)]
    ranks = [rankdata(column) for column in (cosines, gold)]
    x, y = (one - one.mean() for one in ranks)
    assert len(set(gold)) < len(gold), "there are ties"
    expected = (x @ y) / np.sqrt((x @ x) * (y @ y))
    assert found["main_score"] == found["cosine_spearman"] == pytest.approx(expected, abs=1e-9)


def test_a_bitext_score_is_f1_of_nearest_neighbours() -> None:
    """Each sentence is a class with one right answer: precision and recall are taken of each, and their means over all."""
    pairs = standin.graded_pairs(30, seed=9)
    left, right = [a for a, _, _ in pairs], [b for _, b, _ in pairs]
    encoder = Bag()
    found = scored(encoder, Wanted("NollySentiBitextMining", ("en-ha",)), {"sentence1": left, "sentence2": right})
    vectors = encoder.encode(left), encoder.encode(right)
    guesses = [max(range(len(right)), key=lambda j, one=one: cosine(one, vectors[1][j])) for one in vectors[0]]
    each = []
    for i, guess in enumerate(guesses):
        hit, chosen = guess == i, guesses.count(i)
        precision, recall = (hit / chosen if chosen else 0.0), float(hit)
        each.append(2 * precision * recall / (precision + recall) if hit else 0.0)
    assert 0 < np.mean(each) < 1
    assert found["main_score"] == found["f1"] == pytest.approx(np.mean(each), abs=1e-9)


class Bag:
    """Counts of words in 16 bins, with a little noise by text, so that no two are equally near."""

    width = 16

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        noise, found = Counting(7, self.width), np.zeros((len(sentences), self.width))
        for row, sentence in enumerate(sentences):
            for word in sentence.split():
                found[row, len(word) % self.width] += 1
            found[row] += 0.2 * noise.vector(sentence)
        return found.astype(np.float32)
