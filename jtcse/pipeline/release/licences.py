"""What a trained encoder is made of: the text, the encoder that it starts from, and the licences of both (``licences.yaml``).

A fact that is not written there is not guessed: the licence of any other text or encoder is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

UNKNOWN = "unknown"
LICENCE_FILE = "LICENSE.md"
"""In a released folder: what ``licence_words`` says."""


class Ingredient(NamedTuple):
    """A text or an encoder: what it is, its licence, what that means for weights (in paragraphs), and its limit, if any."""

    words: str
    licence: str
    meaning: str | list[str]
    limit: str = ""


_WRITTEN = yaml.safe_load((files(__package__) / "licences.yaml").read_text(encoding="utf8"))
TEXTS, ENCODERS = (
    {name: Ingredient(**facts) for name, facts in _WRITTEN[kind].items()} for kind in ("texts", "encoders")
)


def texts(settings: Mapping[str, Any]) -> list[Ingredient]:
    """The sources of a run's corpus."""
    return [
        TEXTS.get(name, _unknown(f"`{name}`", "text"))
        for name in (part.strip() for part in settings["data"]["corpus"].split(" + "))
    ]


def base(settings: Mapping[str, Any]) -> Ingredient:
    """The encoder that a run starts from."""
    name = settings["encoder"]["name"]
    return ENCODERS.get(name, _unknown(f"`{name}`", "encoder that training starts from"))


def _unknown(words: str, what: str) -> Ingredient:
    meaning = f"The licence of {words}, the {what}, is not known here: find it out before you use the weights."
    return Ingredient(words, UNKNOWN, meaning)


def licence(settings: Mapping[str, Any]) -> dict[str, str]:
    """The hub's fields: one licence where all ingredients have the same, else ``other`` with a name made of all of them."""
    start, of_texts = base(settings).licence, dict.fromkeys(text.licence for text in texts(settings))
    if {start, *of_texts} == {start} and start != UNKNOWN:
        return {"license": start}
    name = "-".join([f"{start}-encoder", *(f"{one}-text" for one in of_texts)])
    return {"license": "other", "license_name": name, "license_link": LICENCE_FILE}


def licence_words(settings: Mapping[str, Any]) -> str:
    """What the licences mean for who uses the weights, in paragraphs. It is no legal advice, and says so."""
    told = [one.meaning for one in (base(settings), *texts(settings))]
    paragraphs = dict.fromkeys(words for one in told for words in ([one] if isinstance(one, str) else one))
    end = "This is how the project reads these licences, and no legal advice."
    if licence(settings)["license"] == "other":
        end = f"No standard licence is known to fit all of this: the card's field `license` says `other`. {end}"
    return "\n\n".join([*paragraphs, end])
