"""How much of the graded pairs a text for training has seen: sentences in common, never scores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jtcse.data.pairs import PairSet


@dataclass(frozen=True)
class Seen:
    """Of ``n`` pairs, those with ``both`` sentences in the text, and those with at least ``one``."""

    both: int
    one: int
    n: int


def seen(text: Iterable[str], sets: Mapping[str, PairSet]) -> dict[str, Seen]:
    """The graded pairs of each set whose sentences stand in a text, letter case, blanks and punctuation aside."""
    known = {_plain(sentence) for sentence in text}
    found = {}
    for name, pairs in sets.items():
        sides = [(_plain(a) in known) + (_plain(b) in known) for a, b in zip(pairs.first, pairs.second, strict=True)]
        found[name] = Seen(sides.count(2), len(sides) - sides.count(0), len(sides))
    return found


def _plain(sentence: str) -> str:
    return " ".join(re.findall(r"\w+", sentence.lower()))
