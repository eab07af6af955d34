"""What a sentence of the generated world says: drawn at random, and compared by meaning alone."""

from __future__ import annotations

import random
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from jtcse.data.world.lexicon import lexicon, members, similarity

DETAILS = ("agent_trait", "patient_trait", "count", "manner", "tool", "place", "cause", "time")

# Share of the whole that each part of a meaning has in the gold score: who does what to whom before all else.
WEIGHTS = {
    "agent": 1.0, "action": 1.2, "patient": 1.0, "topic": 1.0, "agent_trait": 0.3, "patient_trait": 0.3,
    "count": 0.25, "manner": 0.25, "tool": 0.4, "place": 0.4, "cause": 0.5, "time": 0.3,
}  # fmt: skip
NEGATED_FACTOR = 0.4  # of two sentences that are the same but for a 'not': 2 of 5 points
HIGHEST = 5.0

# How often a detail is said, by domain, where the domain has it at all. A scene: somebody does something;
# a task: something is to be done; an affair: public life; a gloss: what a word means.
FREQUENCY = {
    "scene": {
        "agent_trait": 0.4,
        "patient_trait": 0.4,
        "count": 0.5,
        "manner": 0.3,
        "tool": 0.4,
        "place": 0.7,
        "time": 0.3,
    },
    "task": {"patient_trait": 0.6, "manner": 0.4, "tool": 0.6, "place": 0.6, "time": 0.3},
    "affair": {
        "agent_trait": 0.4,
        "patient_trait": 0.4,
        "manner": 0.3,
        "cause": 0.6,
        "place": 0.4,
        "time": 0.3,
    },
    "gloss": {
        "agent_trait": 0.3,
        "patient_trait": 0.3,
        "manner": 0.3,
        "tool": 0.3,
        "place": 0.6,
        "cause": 0.3,
    },
}
NEGATION = 0.06
# Share of events that begin with a noun, all nouns alike, so that none is rare; the rest begin with a verb.
PATIENT_FIRST = 0.5
# How much rarer a noun's tenth favourite verb or place is than its first (Zipf exponent). It gives each
# concept company of its own, shared by its synonyms: what distributional learning lives on.
STEEPNESS = 1.2


class Meaning(NamedTuple):
    """An event: concept names by role, "" where nothing is said; ``topic`` names the role a gloss defines."""

    domain: str
    action: str
    agent: str = ""
    patient: str = ""
    agent_trait: str = ""
    patient_trait: str = ""
    count: str = ""
    manner: str = ""
    tool: str = ""
    place: str = ""
    cause: str = ""
    time: str = ""
    topic: str = ""
    lacking: bool = False  # without the tool instead of with it
    negated: bool = False

    @property
    def defined(self) -> str:
        """The concept that a gloss defines, else ""."""
        return getattr(self, self.topic) if self.topic else ""

    def concepts(self) -> Iterator[str]:
        """Every concept that a sentence with this meaning puts in words."""
        yield from filter(None, self[1:12])
        if self.topic:
            yield lexicon().hypernym(self.defined)


def shard(meaning: Meaning) -> int:
    """A stable number from 0 to 9 for each meaning: the corpus keeps some shards, the pair sets the others.

    A meaning, its negation and its swapped roles share a shard.
    """
    one, other = meaning.agent + "+" + meaning.agent_trait, meaning.patient + "+" + meaning.patient_trait
    nouns = (one, other) if one < other else (other, one)
    return zlib.crc32("|".join((*nouns, meaning.action, *meaning[6:13])).encode()) % 10


@cache
def _favourites(head: str, names: frozenset[str]) -> tuple[list[str], list[float]]:
    """``names`` as ``head`` likes their company, first the dearest, with cumulated Zipf weights."""
    order = sorted(names, key=lambda name: (zlib.crc32(" + ".join(sorted((head, name))).encode()), name))
    return order, list(accumulate((rank + 1) ** -STEEPNESS for rank in range(len(order))))


def _pick(rng: random.Random, head: str, names: frozenset[str]) -> str:
    order, weights = _favourites(head, names)
    return order[bisect_right(weights, rng.random() * weights[-1], 0, len(order) - 1)] if order else ""


@cache
def actions(domain: str) -> tuple[str, ...]:
    """The verb concepts of a domain; glosses tell of scenes and affairs."""
    wanted = {"gloss": {"scene", "affair"}}.get(domain, {domain})
    return tuple(c.name for c in lexicon().of_kind("verb") if wanted & set(c.attributes["in"].split(",")))


@cache
def patients(domain: str) -> tuple[str, ...]:
    """All nouns that something can be done to in a domain, sorted."""
    return tuple(sorted(frozenset().union(*(accepts(action, "patient") for action in actions(domain)))))


@cache
def actions_on(domain: str, patient: str) -> frozenset[str]:
    """What can be done to ``patient`` in a domain."""
    return frozenset(action for action in actions(domain) if patient in accepts(action, "patient"))


@cache
def accepts(action: str, role: str) -> frozenset[str]:
    """The nouns for a role (agent, patient, place, tool) of a verb; none where the verb has no such role."""
    spec = lexicon().concepts[action].attributes.get(role)
    return members(spec, "noun") if spec else frozenset()


@cache
def described_by(kind: str, name: str) -> frozenset[str]:
    """Adjectives or numbers for a noun, adverbs for a verb, times for a domain."""

    def fits(spec: str) -> bool:
        return name in (spec.split(",") if kind == "time" else members(spec, "verb" if kind == "adverb" else "noun"))

    return frozenset(concept.name for concept in lexicon().of_kind(kind) if fits(concept.attributes["of"]))


def draw(rng: random.Random, domain: str, **fixed: str) -> Meaning:
    """A random meaning of a domain; ``fixed`` sets agent, action or patient, which must fit together."""
    action, agent, patient = (fixed.get(role, "") for role in ("action", "agent", "patient"))
    if not action and rng.random() < PATIENT_FIRST:
        patient = rng.choice(patients(domain))
        action = _pick(rng, patient, actions_on(domain, patient))
    action = action or rng.choice(actions(domain))
    patient = patient or _pick(rng, action, accepts(action, "patient"))
    while domain != "task" and (not agent or agent == patient):
        agent = _pick(rng, action, accepts(action, "agent"))
    meaning = Meaning(domain, action, agent, patient)
    meaning = meaning._replace(**_details(rng, meaning))
    return _with_topic(rng, meaning) if domain == "gloss" else meaning


def _details(rng: random.Random, meaning: Meaning) -> dict[str, str | bool]:
    """Random details, each as frequent as in its domain; beyond three they get rarer."""
    chosen: dict[str, str | bool] = {}
    for detail, frequency in FREQUENCY[meaning.domain].items():
        if rng.random() < frequency * (0.5 if len(chosen) >= 3 else 1.0):
            name = draw_detail(rng, meaning, detail)
            chosen |= {detail: name} if name else {}
    if meaning.domain == "task" and "tool" in chosen:
        chosen["lacking"] = rng.random() < 0.3
    if meaning.domain != "gloss":
        chosen["negated"] = rng.random() < NEGATION
    return chosen


def draw_detail(rng: random.Random, meaning: Meaning, detail: str) -> str:
    """One concept that fits as ``detail`` of a meaning, or "" where none does."""
    action, company = meaning.action, meaning.patient or meaning.agent
    if detail in ("agent_trait", "patient_trait"):
        noun = getattr(meaning, detail.removesuffix("_trait"))
        return _pick(rng, noun, described_by("adjective", noun)) if noun else ""
    if detail == "count":
        return _pick(rng, meaning.agent, described_by("count", meaning.agent))
    if detail == "manner":
        return _pick(rng, action, described_by("adverb", action))
    if detail == "time":
        return _pick(rng, action, described_by("time", meaning.domain))
    if detail == "cause":
        affair = "affair" in lexicon().concepts[action].attributes["in"]
        return _pick(rng, company, members("happening", "noun")) if affair else ""
    return _pick(rng, action if detail == "tool" else company, accepts(action, detail))


def _with_topic(rng: random.Random, meaning: Meaning) -> Meaning:
    """Make it a gloss of its agent or patient, whichever has a hypernym to be explained by."""
    said = (meaning.agent, meaning.patient, "")
    roles = [role for role in ("agent", "patient") if lexicon().hypernym(getattr(meaning, role)) not in said]
    return meaning._replace(topic=rng.choice(roles)) if roles else draw(rng, "gloss")


def gold(one: Meaning, other: Meaning) -> float:
    """Similarity of two meanings from 0 (unrelated) to 5 (the same), symmetric; words play no part in it.

    The mean similarity of their concepts over all parts that either has, weighted by ``WEIGHTS``; a part that
    only one has counts half its weight against them. Agent and patient that changed roles count as unlike.
    """
    if other < one:  # the same order of sums either way round: symmetric to the last bit
        one, other = other, one
    swapped = one.agent == other.patient and one.patient == other.agent and one.agent != one.patient
    whole = shared = 0.0
    for part, weight in WEIGHTS.items():
        left, right = (one.defined, other.defined) if part == "topic" else (getattr(one, part), getattr(other, part))
        if left and right:
            unlike = (swapped and part in ("agent", "patient")) or (part == "tool" and one.lacking != other.lacking)
            whole += weight
            shared += 0.0 if unlike else weight * similarity(left, right)
        elif left or right:
            whole += weight / 2
    score = HIGHEST * shared / whole * (NEGATED_FACTOR if one.negated != other.negated else 1.0)
    return round(score, 6)
