"""Second views of a sentence: what they may change and what they never do."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jtcse.core.errors import UserError
from jtcse.data.views import (
    DEFAULT_RATES,
    VIEWS,
    crop_words,
    delete_words,
    make_view,
    repeat_words,
    rotate_words,
    shuffle_words,
)

WORDS = st.lists(st.text("abcxyzäß.,", min_size=1, max_size=5), min_size=1, max_size=30).map(" ".join)
RATES = st.floats(0, 1)
SEEDS = st.integers(0, 2**32 - 1)


@given(WORDS, RATES, SEEDS)
def test_repetition_only_doubles_words_in_place(sentence: str, rate: float, seed: int) -> None:
    words = sentence.split()
    view = repeat_words(sentence, rate, np.random.default_rng(seed)).split()
    more = len(view) - len(words)
    assert 0 <= more <= min(len(words), max(2, int(rate * len(words))))
    runs = [(word, len(list(group))) for word, group in groupby(words)]
    longer = [(word, len(list(group))) for word, group in groupby(view)]
    assert [word for word, _ in longer] == [word for word, _ in runs]  # the order stays
    assert all(n <= m <= 2 * n for (_, n), (_, m) in zip(runs, longer, strict=True))


@given(WORDS, RATES, SEEDS)
def test_deletion_leaves_a_part_of_the_words_in_order(sentence: str, rate: float, seed: int) -> None:
    left = iter(sentence.split())
    view = delete_words(sentence, rate, np.random.default_rng(seed)).split()
    assert view
    assert all(word in left for word in view)  # `in` moves the iterator on: a subsequence


@given(WORDS, RATES, SEEDS)
def test_a_crop_is_one_piece_of_the_sentence(sentence: str, rate: float, seed: int) -> None:
    words, view = sentence.split(), crop_words(sentence, rate, np.random.default_rng(seed)).split()
    assert max(1, len(words) - max(1, int(rate * len(words)))) <= len(view) <= len(words)
    assert view in [words[start : start + len(view)] for start in range(len(words))]


@given(st.permutations(range(12)), RATES, SEEDS)
def test_a_shuffle_moves_no_word_by_more_than_one_place(words: list[int], rate: float, seed: int) -> None:
    view = shuffle_words(" ".join(map(str, words)), rate, np.random.default_rng(seed)).split()
    assert sorted(map(int, view)) == sorted(words)
    assert all(abs(words.index(int(word)) - place) <= 1 for place, word in enumerate(view))


@given(WORDS, SEEDS)
def test_a_rotation_begins_elsewhere_and_goes_round(sentence: str, seed: int) -> None:
    words, view = sentence.split(), rotate_words(sentence, np.random.default_rng(seed)).split()
    starts = [start for start in range(len(words)) if words[start:] + words[:start] == view]
    assert starts and (len(set(words)) == 1 or starts != [0])


def test_a_reversal_reads_backwards() -> None:
    assert make_view("reversal")("the cat sat .", np.random.default_rng(0)) == ". sat cat the"


@given(WORDS, st.sampled_from(VIEWS), SEEDS)
def test_equal_generators_give_equal_views(sentence: str, name: str, seed: int) -> None:
    view = make_view(name)
    assert view(sentence, np.random.default_rng(seed)) == view(sentence, np.random.default_rng(seed))


@pytest.mark.parametrize("name", ["dropout", "round_trip"])
def test_these_views_leave_the_text_alone(name: str) -> None:
    text = "  two  blanks stay "
    assert make_view(name, 0.3)(text, np.random.default_rng(0)) == text


def test_rates_are_met_on_average() -> None:
    generator, sentence = np.random.default_rng(1), " ".join("abcdefghij")
    deleted = [10 - len(make_view("deletion")(sentence, generator).split()) for _ in range(4000)]
    assert np.mean(deleted) == pytest.approx(10 * DEFAULT_RATES["deletion"], abs=0.08)
    repeated = [len(make_view("repetition")(sentence, generator).split()) - 10 for _ in range(4000)]
    assert np.mean(repeated) == pytest.approx(1.5, abs=0.08)  # evenly 0, 1, 2 or 3 of ten words
    assert set(repeated) == {0, 1, 2, 3}
    cropped = [10 - len(make_view("crop")(sentence, generator).split()) for _ in range(4000)]
    assert np.mean(cropped) == pytest.approx(1, abs=0.08) and set(cropped) == {0, 1, 2}
    exchanged = [make_view("shuffle")(sentence, generator).split() for _ in range(4000)]
    swaps = np.mean([sum(a > b for a, b in pairwise(view)) for view in exchanged])
    chances = [0.0]  # that a word changes places with the next: not if it has just moved back
    for _ in range(9):
        chances.append((1 - chances[-1]) * DEFAULT_RATES["shuffle"])
    assert swaps == pytest.approx(sum(chances), abs=0.08)


@pytest.mark.parametrize("name", VIEWS)
def test_a_blank_sentence_stays_blank(name: str) -> None:
    assert make_view(name)("", np.random.default_rng(0)) == ""


def test_bad_names_and_rates() -> None:
    with pytest.raises(UserError, match="did you mean 'deletion'"):
        make_view("deletions")
    with pytest.raises(UserError, match=r"1\.5.*0 to 1"):
        make_view("deletion", 1.5)
