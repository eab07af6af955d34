"""A generated English world: the wind tunnel in which the method runs where there is no network and no time.

About a thousand words in synonym sets with hypernyms (``lexicon.txt``), meanings drawn from them
(``meaning.py``) and sentence families that put a meaning into words (``grammar.py``) give an unlabelled
corpus, its round trip through a stand-in for machine translation, and sentence pairs (``graded.py``) whose
gold score is computed from what they mean.

What it can tell: whether the code runs from end to end, whether a loss moves a score in the direction it
should, and whether an encoder has learned that different words can say the same, which counting words cannot.

What it cannot tell: how well any system does on English. The sentences are short and of few patterns, every
word has one sense, nothing refers to anything outside its sentence, synonyms keep exactly the same company
(which helps an encoder more than English does), and the gold scores follow a formula, not readers. Scores are
not comparable with those of real tasks, and an order of systems found here need not hold there.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import islice

import numpy as np

from jtcse.data.pairs import PairSet
from jtcse.data.world.graded import HELD_OUT, THEMES, graded_pairs
from jtcse.data.world.grammar import FAMILIES, Pattern, Said, patterns, realise, reword, say, vocabulary
from jtcse.data.world.lexicon import CONTENT_KINDS, lexicon
from jtcse.data.world.meaning import DETAILS, Meaning, draw, shard

__all__ = ["corpus", "describe", "graded_pairs", "pair_sets", "pairs", "vocabulary"]

WORDS = range(7, 21)  # length of a corpus sentence


def _sentences(seed: int) -> Iterator[Said]:
    """Distinct sentences without end, families in equal parts, none with a held-out meaning."""
    rng, families, seen = random.Random(f"{seed}/corpus"), tuple(FAMILIES), set()
    while True:
        family = rng.choice(families)
        meaning = draw(rng, FAMILIES[family].domain)
        if shard(meaning) not in HELD_OUT:
            said = say(rng, meaning, family)
            if said.text not in seen and len(said.text.split()) in WORDS:
                seen.add(said.text)
                yield said


def corpus(seed: int, n: int) -> Iterator[str]:
    """``n`` distinct unlabelled sentences of 7 to 20 words, the same for the same seed on every machine."""
    return (said.text for said in islice(_sentences(seed), n))


# The stand-in for translation into a language and back. Each language has words of its own for some concepts
# and likes some patterns; which ones is drawn from its name.
COVERED = 0.55  # of the synonym sets come back as another word
ASTRAY = 0.1  # chance that such a word comes back unchanged after all
RESHAPED = 0.6  # chance that the sentence comes back in a pattern that the language likes
DROPPED, BLURRED = 0.12, 0.08  # chance that a detail is lost, that a noun comes back as its hypernym


def pairs(seed: int, n: int, language: str) -> Iterator[tuple[str, str]]:
    """The sentences of ``corpus(seed, n)`` in the same order, each with its round trip through ``language``.

    Any string is a language. Each covers its own half or so of the synonym sets, likes its own patterns, and
    loses a little on the way, as translation does.
    """
    rng = random.Random(f"{seed}/round trip/{language}")
    return ((said.text, _round_trip(rng, said, language)) for said in islice(_sentences(seed), n))


def _round_trip(rng: random.Random, said: Said, language: str) -> str:
    meaning = _lose_something(rng, said.meaning)
    known = reword(rng, meaning, said.wording, kept=1.0) if meaning != said.meaning else said.wording
    wording = {
        name: word if rng.random() < ASTRAY else _come_back(language, name, word) for name, word in known.items()
    }
    pattern = said.pattern
    if rng.random() < RESHAPED or not pattern.fits(meaning):
        fitting = [p for p in patterns(said.family) if p.fits(meaning)]
        pattern = rng.choice([p for p in fitting if _likes(language, p)] or fitting)
    return realise(meaning, said.family, pattern, wording)


@cache
def _come_back(language: str, name: str, word: str) -> str:
    """The word that ``word`` for concept ``name`` returns as."""
    words = lexicon().concepts[name].words
    chance = random.Random(f"{language}/{name}")
    if len(words) == 1 or chance.random() > COVERED:
        return word
    return words[(words.index(word) + chance.randrange(1, len(words))) % len(words)]


def _likes(language: str, pattern: Pattern) -> bool:
    return zlib.crc32(f"{language}/{pattern.text}".encode()) % 2 == 0


def _lose_something(rng: random.Random, meaning: Meaning) -> Meaning:
    """The meaning with a detail dropped or a noun blurred, now and then; never a held-out one."""
    changed = meaning
    there = [detail for detail in DETAILS if getattr(meaning, detail)]
    if there and rng.random() < DROPPED:
        lost = rng.choice(there)
        changed = changed._replace(**({"tool": "", "lacking": False} if lost == "tool" else {lost: ""}))
    if not meaning.topic and rng.random() < BLURRED:
        role = rng.choice(("agent", "patient"))
        wider = lexicon().hypernym(getattr(changed, role))
        if wider and wider not in (changed.agent, changed.patient):
            changed = changed._replace(**{role: wider, **({"count": ""} if role == "agent" else {})})
    return meaning if shard(changed) in HELD_OUT else changed


def pair_sets(seed: int, n: int = 500) -> dict[str, PairSet]:
    """Seven graded sets of ``n`` pairs by name, and "dev", of other meanings, to select checkpoints on.

    Gold scores run from 0 to 5 (:func:`jtcse.data.world.meaning.gold`). What a set stresses stands in
    :data:`jtcse.data.world.graded.THEMES` and in the set's ``source``.
    """
    return {name: _pair_set(seed, n, name) for name in (*THEMES, "dev")}


def _pair_set(seed: int, n: int, name: str) -> PairSet:
    made = graded_pairs(seed, n, name)
    gold = np.array([round(pair.gold, 3) for pair in made], dtype=np.float64)
    stresses = THEMES[name].stresses if name in THEMES else "a mixed set to select on"
    source = f"generated world, seed {seed}: {stresses}"
    return PairSet(name, [pair.first for pair in made], [pair.second for pair in made], gold, source)


def describe() -> dict[str, int]:
    """The size of the world: counts of concepts, words, word forms, families and patterns."""
    content = [concept for kind in CONTENT_KINDS for concept in lexicon().of_kind(kind)]
    return {
        "concepts": len(content),
        "content words": sum(len(concept.words) for concept in content),
        "word forms": len(vocabulary()),
        "families": len(FAMILIES),
        "patterns": sum(len(patterns(family)) for family in FAMILIES),
        "pair sets": len(THEMES),
    }
