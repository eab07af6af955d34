"""Changes to a meaning, one for each way in which the two sentences of a pair can differ.

Each takes a random generator and a meaning, and returns the changed meaning, or None where there is none.
"""

from __future__ import annotations

import random

from jtcse.data.world.lexicon import lexicon, relatives
from jtcse.data.world.meaning import DETAILS, Meaning, accepts, actions, described_by, draw, draw_detail

CORE = ("agent", "action", "patient")


def same(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """The meaning itself: a paraphrase."""
    return meaning


def other_details(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """One or two details dropped or changed."""
    before, there = meaning, [detail for detail in DETAILS if getattr(meaning, detail)]
    for detail in rng.sample(there, min(len(there), rng.choice((1, 1, 2)))):
        new = "" if rng.random() < 0.4 else draw_detail(rng, meaning, detail)
        meaning = meaning._replace(**{detail: new})
    changed = meaning if meaning.tool else meaning._replace(lacking=False)
    return None if changed == before else changed


def near(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """One or two of agent, action and patient exchanged for a hypernym, hyponym or sibling."""
    for role in rng.sample([r for r in CORE if getattr(meaning, r)], rng.choice((1, 1, 2))):
        kin = relatives(getattr(meaning, role))
        if not kin:
            return None
        meaning = meaning._replace(**{role: rng.choice(kin)})
    return meaning if is_sensible(meaning) else None


def same_topic(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """Another event with the same action, the same patient or the same agent, sometimes two of them."""
    kept = rng.sample(CORE, rng.choice((1, 2)))
    fixed = {role: getattr(meaning, role) for role in kept if getattr(meaning, role)}
    action = fixed.get("action") or rng.choice(actions(meaning.domain))
    if not fixed or any(fixed[role] not in accepts(action, role) for role in fixed if role != "action"):
        return None
    return draw(rng, meaning.domain, **(fixed | {"action": action}))


def unrelated(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """Another event of the same domain altogether."""
    return draw(rng, meaning.domain)


def swapped_roles(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """Agent and patient exchanged, each with its adjective: the man bites the dog."""
    changed = meaning._replace(
        agent=meaning.patient,
        patient=meaning.agent,
        agent_trait=meaning.patient_trait,
        patient_trait=meaning.agent_trait,
    )
    fixed = meaning.count or meaning.topic or not meaning.patient
    return None if fixed or not is_sensible(changed) else changed


def negated(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """The same with a 'not' more, or less."""
    return None if meaning.topic else meaning._replace(negated=not meaning.negated)


def is_sensible(meaning: Meaning) -> bool:
    """Whether verb, nouns, adjectives and number go together, and a gloss has a hypernym to use."""
    agent, patient, action = meaning.agent, meaning.patient, meaning.action
    described = (
        (meaning.agent_trait, "adjective", agent),
        (meaning.patient_trait, "adjective", patient),
        (meaning.count, "count", agent),
    )
    filled = (("agent", agent), ("patient", patient), ("tool", meaning.tool))
    return (
        agent != patient
        and bool(patient) == bool(accepts(action, "patient"))
        and all(not name or name in accepts(action, role) for role, name in filled)
        and all(not word or word in described_by(kind, noun) for word, kind, noun in described)
        and (not meaning.topic or bool(lexicon().hypernym(meaning.defined)))
    )
