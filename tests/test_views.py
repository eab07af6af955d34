"""Second views of a sentence: what they may change and what they never do."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jtcse.data.views import DEFAULT_RATES, VIEWS, delete_words, make_view, repeat_words
from jtcse.errors import UserError

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


@pytest.mark.parametrize("name", VIEWS)
def test_a_blank_sentence_stays_blank(name: str) -> None:
    assert make_view(name)("", np.random.default_rng(0)) == ""


def test_bad_names_and_rates() -> None:
    with pytest.raises(UserError, match="did you mean 'deletion'"):
        make_view("deletions")
    with pytest.raises(UserError, match=r"1\.5.*0 to 1"):
        make_view("deletion", 1.5)
