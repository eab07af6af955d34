"""From a meaning to an English sentence: sentence families, their surface patterns, and the words chosen."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, TypeVar

from jtcse.data.world.clause import FUNCTION_WORDS, Clause, Style
from jtcse.data.world.lexicon import Concept, gerund, lexicon, participle, past, plural, third_person
from jtcse.data.world.meaning import Meaning, accepts, described_by

T = TypeVar("T")
Wording = dict[str, str]  # the word chosen for each concept of a sentence


class Family(NamedTuple):
    """One kind of text: the domain of what it says, its small words, its surface patterns."""

    domain: str
    style: Style
    patterns: tuple[str, ...]


# Names in braces are pieces of Clause. {front} stands for the detail named after '@', which {details} then
# leaves out; '@topic=patient' and '@patient' limit a pattern to meanings that have those.
FAMILIES = {
    "captions": Family("scene", Style("a", "the", "after"), (
        "{agent} {is_} {ing}{patient}{details}.",
        "{agent} {acts}{patient}{details}.",
        "there {is_there} {agent} {neg}{ing}{patient}{details}.",
        "here we see {agent} {neg}{ing}{patient}{details}.",
        "{object} {is_object} being {done} by {agent}{details}. @patient",
        "{front}, {agent} {is_} {ing}{patient}{details}. @place",
    )),
    "diary": Family("scene", Style("the", "the", "after"), (
        "{agent} {acted}{patient}{details}.",
        "I remember that {agent} {acted}{patient}{details}.",
        "we saw {agent} {neg}{base}{patient}{details}.",
        "{object} {was_object} {done} by {agent}{details}. @patient",
        "it was {agent} that {acted}{patient}{details}.",
        "{front}, {agent} {acted}{patient}{details}. @time",
        "{front}, {agent} {was} {ing}{patient}{details}. @place",
    )),
    "forum": Family("task", Style("a", "the", "after"), (
        "how do I {do}{patient}{details}?",
        "what is the best way to {do}{patient}{details}?",
        "does anyone know how to {do}{patient}{details}?",
        "can somebody tell me how {object} {can} be {done}{details}?",
        "any tips for {neg}{ing}{patient}{details}?",
        "{front}, how would you {do}{patient}{details}? @tool",
    )),
    "instructions": Family("task", Style("the", "the", "after"), (
        "{order}{patient}{details}.",
        "please {order}{patient}{details}.",
        "you {should} {base}{patient}{details}.",
        "{object} {should} be {done}{details}.",
        "remember {neg}to {base}{patient}{details}.",
        "{front}, {order}{patient}{details}. @tool",
        "{front}, {order}{patient}{details}. @place",
    )),
    "headlines": Family("affair", Style("", "", "after"), (
        "{agent} {acts}{patient}{details}",
        "live: {agent} {acts}{patient}{details}",
        "why {agent} {acts}{patient}{details}",
        "{agent} {neg}to {base}{patient}{details}",
        "{object} {neg}{done} by {agent}{details}",
        "{front}, {agent} {acts}{patient}{details} @cause",
        "{front}: {agent} {acts}{patient}{details} @place",
    )),
    "news": Family("affair", Style("the", "the", "in the wake of"), (
        "{agent} {acted}{patient}{details}.",
        "it was reported that {agent} {acted}{patient}{details}.",
        "according to sources, {agent} {acted}{patient}{details}.",
        "{object} {was_object} {done} by {agent}{details}.",
        "{front}, {agent} {acted}{patient}{details}. @cause",
        "{front}, {agent} {acted}{patient}{details}. @time",
        "{front}, {object} {was_object} {done} by {agent}{details}. @place",
    )),
    "definitions": Family("gloss", Style("a", "the", "after"), (
        "{term} is {kind} that {tells}.",
        "{term} is a kind of {bare_kind} that {tells}.",
        "{term}: {kind} that {tells}.",
        "by {term} we mean {kind} that {tells}.",
        "{term} means {kind} that {tells}.",
        "{kind} that {tells} is known as {term}.",
        "{term} is {kind} that is {done} by {agent}{details}. @topic=patient",
    )),
}  # fmt: skip


class Pattern(NamedTuple):
    """A format string, the detail that stands in front, the part it needs and that part's value ("": any)."""

    text: str
    front: str
    part: str
    value: str

    def fits(self, meaning: Meaning) -> bool:
        """Whether a meaning has what the pattern needs."""
        if not self.part:
            return True
        found = getattr(meaning, self.part)
        return found == self.value if self.value else bool(found)


@cache
def patterns(family: str) -> tuple[Pattern, ...]:
    """The patterns of a family, in their order above."""
    found = []
    for line in FAMILIES[family].patterns:
        text, _, needs = line.partition(" @")
        part, _, value = needs.partition("=")
        found.append(Pattern(text, part if "{front}" in text else "", part, value))
    return tuple(found)


@cache
def families_of(domain: str) -> tuple[str, ...]:
    """The families that can say the meanings of a domain."""
    return tuple(name for name, family in FAMILIES.items() if family.domain == domain)


def choose_pattern(rng: random.Random, family: str, meaning: Meaning) -> Pattern:
    """A random pattern of the family that the meaning fits."""
    while not (pattern := _any(rng, patterns(family))).fits(meaning):
        pass
    return pattern


def _any(rng: random.Random, choices: Sequence[T]) -> T:
    return choices[int(rng.random() * len(choices))]  # a third of the time of rng.choice


def choose_words(rng: random.Random, meaning: Meaning) -> Wording:
    """A random word for every concept."""
    concepts = lexicon().concepts
    return {name: _any(rng, concepts[name].words) for name in meaning.concepts()}


def reword(rng: random.Random, meaning: Meaning, wording: Wording, kept: float) -> Wording:
    """Words for a meaning, given another sentence's: each is kept with probability ``kept``, else exchanged.

    A concept with one word only keeps it; a concept that the other sentence lacks gets any word.
    """
    chosen = choose_words(rng, meaning)
    for name in filter(wording.__contains__, chosen):
        others = [word for word in lexicon().concepts[name].words if word != wording[name]]
        chosen[name] = _any(rng, others) if others and rng.random() >= kept else wording[name]
    return chosen


def realise(meaning: Meaning, family: str, pattern: Pattern, wording: Wording) -> str:
    """The sentence: each part of the meaning said once, in the family's style, a capital letter in front."""
    sentence = pattern.text.format_map(Clause(meaning, FAMILIES[family].style, wording, pattern.front))
    return sentence[0].upper() + sentence[1:]


class Said(NamedTuple):
    """A sentence with all that went into it."""

    meaning: Meaning
    family: str
    pattern: Pattern
    wording: Wording
    text: str


def say(rng: random.Random, meaning: Meaning, family: str) -> Said:
    """A meaning in a random pattern and random words of the family."""
    pattern, wording = choose_pattern(rng, family, meaning), choose_words(rng, meaning)
    return Said(meaning, family, pattern, wording, realise(meaning, family, pattern, wording))


@cache
def vocabulary() -> list[str]:
    """Every word form and punctuation mark that a sentence can contain, in lower case, sorted."""
    found = set(FUNCTION_WORDS)
    for family in FAMILIES.values():
        for text in family.patterns:
            found |= set(tokens(re.sub(r"\{\w+\}| @.*", " ", text)))
    for concept in filter(lambda c: c.words, lexicon().concepts.values()):
        found |= {concept.attributes["prep"]} if "prep" in concept.attributes else set()
        for word in concept.words:
            found |= set(tokens(word)) | set(_inflected(concept, word))
    return sorted(found)


def _inflected(concept: Concept, word: str) -> list[str]:
    """The forms in use besides the base: plurals of what is counted, -ing outside public life."""
    if concept.kind == "noun":
        return [plural(word)] if described_by("count", concept.name) else []
    if concept.kind != "verb":
        return []
    transitive = [participle(word)] if accepts(concept.name, "patient") else []
    private = [gerund(word)] if concept.attributes["in"] != "affair" else []
    return [third_person(word), past(word), *transitive, *private]


def tokens(sentence: str) -> list[str]:
    """Words and punctuation marks in lower case."""
    return re.findall(r"[a-z]+|[^\sa-z]", sentence.lower())
