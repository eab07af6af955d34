"""What a trained encoder is made of: the text, the encoder that it starts from, and the licences of both.

A fact that is not written here is not guessed: the licence of any other text or encoder is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jtcse.data.pairs import GENERATED

UNKNOWN = "unknown"
LICENCE_FILE = "LICENSE.md"
"""In a released folder: what ``licence_words`` says."""
SICK = """\
A part of the training text are sentences of SICK, which is published under CC BY-NC-SA 3.0 (attribution, no commercial
use, share alike). No label or score of it was used, and weights are not sentences; but whether training on a text makes
the weights an adaptation of it is not settled. To be on the safe side, act as if it did: do not use the weights
commercially, name SICK as a source (Marelli et al., 2014), and pass on the weights, and what you train from them, under
the same conditions. Who wants weights without these conditions trains on other text: `jtcse reproduce
data.corpus=FILE`."""
STS_B = """\
Another part are sentences of STS-B: they come from several collections with mixed terms, and its own release is under
CC BY-SA 4.0, whose conditions are not those of SICK."""
_APACHE = """\
The encoder that training starts from is under Apache-2.0: keep its notice with the weights, and say that they were
changed."""
_OURS = "was made by the project's own program, which is under the MIT licence"


@dataclass(frozen=True)
class Ingredient:
    """A text or an encoder.

    Attributes:
        words: what it is; for a text the end of "sentences: ...".
        licence: its identifier on the hub, or ``unknown``.
        meaning: what the licence means for weights made from it.
        limit: what a user must know of it beyond the licence.
    """

    words: str
    licence: str
    meaning: str
    limit: str = ""


TEXTS = {
    GENERATED: Ingredient(
        "put together by a grammar from a word list of the project (the generated world)",
        "mit",
        f"The text {_OURS}; nobody else has a right in it.",
        "It knows the words of the generated world only. Most words of any other text are unknown to it, and its vectors "
        "mean nothing there.",
    ),
    "train-sentences": Ingredient(
        "both sentences of every pair in the training splits of STS-B and SICK-R, without their scores",
        "cc-by-nc-sa-3.0",
        f"{SICK}\n\n{STS_B}",
        "STS-B was put together from the STS tasks of several years, and the splits of SICK-R share sentences: many sentences "
        "of the test pairs stand in the training text as well, without a score. Expect less on sentences of other kinds.",
    ),
    "sickr-sentences": Ingredient(
        "both sentences of every pair of SICK-R, all splits, without their scores",
        "cc-by-nc-sa-3.0",
        SICK,
        "The sentences of SICK-R's test pairs stand in the training text, without a score.",
    ),
    "princeton-nlp/datasets-for-simcse:wiki1m_for_simcse.txt": Ingredient(
        "a million sentences of the English Wikipedia, as SimCSE published them",
        "cc-by-sa-3.0",
        "The text of Wikipedia is under CC BY-SA 3.0 (attribution, share alike). Whether weights trained on it are an "
        "adaptation of it is not settled; to be on the safe side, name Wikipedia as a source and pass on the weights under "
        "the same conditions.",
    ),
}
"""Sources of ``data.corpus``. Licences: SemEval's page of SICK, the STS wiki, Wikipedia's terms of the time."""
ENCODERS = {
    GENERATED: Ingredient(
        "a small BERT, pre-trained inside the run",
        "mit",
        f"The encoder that training starts from {_OURS}.",
    ),
    "sentence-transformers/all-MiniLM-L6-v2": Ingredient(
        "a small encoder that was trained on more than a billion pairs of texts",
        "apache-2.0",
        f"{_APACHE} Its own card lists the pairs that it was trained on; they have terms of their own.",
        "It starts from an encoder that has seen supervised pairs: no label was used from there on, but it is no unsupervised "
        "encoder.",
    ),
    "google-bert/bert-base-uncased": Ingredient("BERT-base", "apache-2.0", _APACHE),
    "google/bert_uncased_L-12_H-128_A-2": Ingredient("a narrow BERT of twelve layers", "apache-2.0", _APACHE),
    "FacebookAI/roberta-base": Ingredient(
        "RoBERTa-base",
        "mit",
        "The encoder that training starts from is under the MIT licence: keep its notice with the weights.",
    ),
}
"""Values of ``encoder.name``. Licences: their cards on the hub."""


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
    paragraphs = dict.fromkeys([base(settings).meaning, *(text.meaning for text in texts(settings))])
    end = "This is how the project reads these licences, and no legal advice."
    if licence(settings)["license"] == "other":
        end = f"No standard licence is known to fit all of this: the card's field `license` says `other`. {end}"
    return "\n\n".join([*paragraphs, end])
