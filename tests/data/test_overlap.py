"""Which graded pairs a text for training has seen."""

from __future__ import annotations

import numpy as np

from jtcse.data.overlap import Seen, seen
from jtcse.data.pairs import PairSet

TEXT = ["A dog sleeps .", "Two cats play", "It rains."]


def pairs(*both: tuple[str, str]) -> PairSet:
    first, second = zip(*both, strict=True)
    return PairSet("made up", list(first), list(second), np.arange(len(both), dtype=float), "here")


def test_both_one_and_neither_are_told_apart() -> None:
    found = seen(
        TEXT, {"a": pairs(("It rains.", "A dog sleeps ."), ("It rains.", "It snows."), ("He runs.", "She runs."))}
    )
    assert found == {"a": Seen(both=1, one=2, n=3)}


def test_case_blanks_and_punctuation_make_no_other_sentence_but_words_do() -> None:
    found = seen(TEXT, {"a": pairs(("a  dog sleeps", "two cats play!"), ("a dog sleep", "two cats"))})
    assert found["a"] == Seen(both=1, one=1, n=2)


def test_sets_are_counted_each_for_itself_and_no_text_has_seen_nothing() -> None:
    sets = {"a": pairs(("It rains.", "It rains.")), "b": pairs(("It snows.", "It rains."))}
    assert seen(TEXT, sets) == {"a": Seen(1, 1, 1), "b": Seen(0, 1, 1)}
    assert {one.one for one in seen([], sets).values()} == {0}
