"""Cards of the compared systems: ``cards/<name>.md``, a head in YAML and four sections of prose.

The head::

    title: SimCSE                       how pages call it
    family: contrast                    one of FAMILIES
    year: 2021
    row: {bert: SimCSE, roberta: SimCSE}  its rows in Table I; left out where there is none
    repository: princeton-nlp/SimCSE    of its authors; null where none was found
    verified: true                      whether names and settings were read in a public source, or are from memory
    requires: [spacy]                   packages beyond the core, by import name; left out where none
    gains: false                        said where training does not end above the untrained encoder in profile embedded; the
                                        Traps then say why, with the measurement

The sections are ``## Idea`` (three sentences), ``## Formula``, ``## Checkpoints`` (how released weights are scored, or why there
are none; where they lie stands in ``released.yaml``) and ``## Traps``.

A number that a race measured is written ``{race}`PROFILE/SYSTEM/dev` `` and is filled in from its record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml
from pydantic import Field

from jtcse.core.config import Section, checked
from jtcse.core.errors import UserError, check_choice
from jtcse.systems.settings import Backbone, systems

FAMILIES = {
    "early": "Before SimCSE",
    "contrast": "Other views, other negatives",
    "auxiliary": "A second task",
    "prompts": "Prompts and prefixes",
    "towers": "Several towers",
}
"""Families in the order of the book's pages, with their titles."""
FOLDER = "systems/cards"
SECTIONS = ("Idea", "Formula", "Checkpoints", "Traps")


class Head(Section):
    """What stands at the top of a card."""

    title: str
    family: str
    year: int
    row: dict[Backbone, str] = Field(default_factory=dict)
    repository: str | None
    verified: bool
    requires: list[str] = Field(default_factory=list)
    gains: bool = True


@dataclass(frozen=True)
class Card:
    """One card: its head, and Markdown by section."""

    name: str
    head: Head
    prose: dict[str, str]


@cache
def card(name: str) -> Card:
    """A system's card.

    Raises:
        UserError: no such system (with the nearest name), or a card that is not of the form above.
    """
    check_choice("system", name, systems())
    try:
        text = files("jtcse").joinpath(f"{FOLDER}/{name}.md").read_text(encoding="utf8")
    except FileNotFoundError as error:
        raise UserError(f"system {name} has no card; write jtcse/{FOLDER}/{name}.md") from error
    parts = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, re.S)
    if not parts:
        raise UserError(f"cards/{name}.md has no head between two lines of three dashes")
    head = checked(Head, yaml.safe_load(parts[1]))
    check_choice(f"family of {name}", head.family, FAMILIES)
    prose = dict(re.findall(r"^## (.+?)\n+(.*?)(?=\n+## |\s*\Z)", parts[2], re.M | re.S))
    if tuple(prose) != SECTIONS:
        raise UserError(f"cards/{name}.md has the sections {', '.join(prose)}; expected {', '.join(SECTIONS)}")
    return Card(name, head, prose)


def cards() -> list[Card]:
    """All cards, by family and year."""
    found = [card(name) for name in systems()]
    return sorted(found, key=lambda one: (list(FAMILIES).index(one.head.family), one.head.year, one.name))
