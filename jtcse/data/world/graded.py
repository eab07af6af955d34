"""Sentence pairs of the generated world with gold scores: how they are made, what each set stresses."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from jtcse.data.world import variation
from jtcse.data.world.grammar import FAMILIES, Said, choose_pattern, families_of, realise, reword, say
from jtcse.data.world.lexicon import lexicon
from jtcse.data.world.meaning import Meaning, draw, gold, shard

TEST_SHARD, DEV_SHARD = HELD_OUT = (0, 1)  # tenths of all meanings that the corpus never says


class Recipe(NamedTuple):
    """One kind of pair: how the meaning changes; how often a word, and the pattern, of the first is kept."""

    vary: Callable[[random.Random, Meaning], Meaning | None]
    kept: float
    same_pattern: float


RECIPES = {
    "paraphrase": Recipe(variation.same, 0.0, 0.2),
    "restatement": Recipe(variation.same, 0.8, 0.6),
    "detail": Recipe(variation.other_details, 0.8, 0.7),
    "kin": Recipe(variation.near, 0.6, 0.6),
    "topic": Recipe(variation.same_topic, 0.6, 0.2),
    "unrelated": Recipe(variation.unrelated, 0.5, 0.1),
    "swap": Recipe(variation.swapped_roles, 0.9, 1.0),
    "negation": Recipe(variation.negated, 0.9, 1.0),
}


class Theme(NamedTuple):
    """A pair set: what it stresses, its families, and its recipes with their shares."""

    stresses: str
    families: tuple[str, ...]
    shares: dict[str, float]


EVEN = {
    "paraphrase": 1.2,
    "restatement": 1.5,
    "detail": 2,
    "kin": 2,
    "topic": 2,
    "unrelated": 3,
    "swap": 0.2,
    "negation": 0.3,
}
THEMES = {
    "captions": Theme("everyday scenes: synonyms and hypernyms of things and actions", ("captions",), EVEN),
    "headlines": Theme("public life in few words: patterns without articles, active and passive", ("headlines",), EVEN),
    "definitions": Theme(
        "what a word means: hypernyms said outright, two nouns in every sentence",
        ("definitions",),
        EVEN | {"kin": 4, "swap": 0, "negation": 0},
    ),
    "forum": Theme("questions without an agent: everything hangs on action and object", ("forum",), EVEN | {"swap": 0}),
    "news": Theme("longer sentences: many details that weigh little", ("news",), EVEN | {"detail": 4}),
    "look-alikes": Theme(
        "nearly the same words with roles changed or a 'not', against paraphrases in other words",
        ("captions", "diary", "headlines", "news"),
        EVEN | {"swap": 1, "negation": 1, "paraphrase": 2},
    ),
    "mixed": Theme("all families; the two sentences of a pair may be of different ones", tuple(FAMILIES), EVEN),
}


class GradedPair(NamedTuple):
    """Two sentences, what they mean, how alike that is (0-5), and the recipe they were made by."""

    first: str
    second: str
    one: Meaning
    other: Meaning
    gold: float
    recipe: str


def graded_pairs(seed: int, n: int, name: str) -> list[GradedPair]:
    """``n`` distinct pairs of a set with their meanings, none of which the corpus says; "dev" takes the themes in turn."""
    themes = list(THEMES.values()) if name == "dev" else [THEMES[name]]
    rng, held_out = random.Random(f"{seed}/pairs/{name}"), DEV_SHARD if name == "dev" else TEST_SHARD
    found: dict[tuple[str, str], GradedPair] = {}
    while len(found) < n:
        theme = themes[len(found) % len(themes)]
        pair = _pair(rng, theme, rng.choices(list(theme.shares), list(theme.shares.values()))[0], held_out)
        found.setdefault((pair.first, pair.second), pair)
    return list(found.values())


def _pair(rng: random.Random, theme: Theme, recipe: str, held_out: int) -> GradedPair:
    """One pair: meanings are drawn until recipe and shard are satisfied."""
    vary = RECIPES[recipe].vary
    while True:
        family = rng.choice(theme.families)
        one = draw(rng, FAMILIES[family].domain)
        if shard(one) != held_out or (recipe == "paraphrase" and not _rephrasable(one)):
            continue
        other = next((m for _ in range(20) if (m := vary(rng, one)) and shard(m) == held_out), None)
        if other is None:
            continue
        first = say(rng, one, family)
        second = _second(rng, first, other, _second_family(rng, family, theme, recipe), RECIPES[recipe])
        if first.text != second:
            return GradedPair(first.text, second, one, other, gold(one, other), recipe)


def _second_family(rng: random.Random, family: str, theme: Theme, recipe: str) -> str:
    """Any family of the theme that says such things; the same one where the pattern must stay."""
    if RECIPES[recipe].same_pattern == 1:
        return family
    return rng.choice([name for name in families_of(FAMILIES[family].domain) if name in theme.families])


@cache
def _has_synonym(name: str) -> bool:
    return len(lexicon().concepts[name].words) > 1


def _rephrasable(meaning: Meaning) -> bool:
    return all(map(_has_synonym, meaning.concepts()))


def _second(rng: random.Random, first: Said, meaning: Meaning, family: str, recipe: Recipe) -> str:
    """Put the second meaning in words, as near to or as far from the first sentence's as the recipe wants."""
    wording = reword(rng, meaning, first.wording, recipe.kept)
    pattern = choose_pattern(rng, family, meaning)
    if family == first.family and first.pattern.fits(meaning) and rng.random() < recipe.same_pattern:
        pattern = first.pattern
    return realise(meaning, family, pattern, wording)
