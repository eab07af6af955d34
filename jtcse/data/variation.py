"""Changes to a meaning, one for each way in which the two sentences of a pair can differ.

Each takes a random generator and a meaning, and returns the changed meaning or None where it does not allow the change.
"""

from __future__ import annotations

import random

from jtcse.data.lexicon import lexicon, relatives
from jtcse.data.meaning import DETAILS, Meaning, accepts, actions, described_by, draw, draw_detail

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
    """One or two of agent, action and patient exchanged for a relative in the taxonomy: hypernym, hyponym, sibling."""
    for role in rng.sample([r for r in CORE if getattr(meaning, r)], rng.choice((1, 1, 2))):
        kin = relatives(getattr(meaning, role))
        if not kin:
            return None
        meaning = meaning._replace(**{role: rng.choice(kin)})
    return meaning if is_sensible(meaning) else None


def same_topic(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """Another event with the same action, the same patient or the same agent, sometimes two of them."""
    kept = rng.choice(
        (
            ("action",),
            ("agent",),
            ("patient",),
            ("action", "agent"),
            ("action", "patient"),
            ("agent", "patient"),
        )
    )
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
    return (
        None if meaning.count or meaning.topic or not meaning.patient or not is_sensible(changed) else changed
    )


def negated(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """The same with a 'not' more, or less."""
    return None if meaning.topic else meaning._replace(negated=not meaning.negated)


def is_sensible(meaning: Meaning) -> bool:
    """Whether verb, nouns, adjectives and number go together, and a gloss has a hypernym to use."""
    described = (
        ("adjective", "agent_trait", "agent"),
        ("adjective", "patient_trait", "patient"),
        ("count", "count", "agent"),
    )
    for kind, detail, role in described:
        if getattr(meaning, detail) and getattr(meaning, detail) not in described_by(
            kind, getattr(meaning, role)
        ):
            return False
    roles = [role for role in ("agent", "patient", "tool") if getattr(meaning, role)]
    fits = all(getattr(meaning, role) in accepts(meaning.action, role) for role in roles)
    whole = (
        bool(meaning.patient) == bool(accepts(meaning.action, "patient")) and meaning.agent != meaning.patient
    )
    return fits and whole and (not meaning.topic or bool(lexicon().hypernym(meaning.defined)))
