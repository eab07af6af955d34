"""A sentence said the other way round, for SNCSE's soft negatives.

``by_parse`` is the rule of the authors' code (Sense-GVT/SNCSE) on a dependency parse by spaCy. ``by_words`` is ours: the rule
read off closed lists of words, without a parse. It takes every word that looks like an auxiliary for one ("the can", "May"),
knows contractions, and where a full verb would be turned into "does not" and its lemma it puts "Not" in front instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Literal

from jtcse.core.errors import UserError

ENGLISH = "en_core_web_sm"
"""spaCy's model that the authors parse with."""
BE = ["am", "is", "was", "are", "were"]
MODALS = ["can", "could", "will", "would", "shall", "should", "may", "must", "might"]
BEFORE_NOT = [*BE, *MODALS]
"""Verbs that take "not" behind them (authors' code)."""
SUPPORT = {"VBP": "do", "VBZ": "does", "VBD": "did"}
"""Form of "do" for the tag of another verb (authors' code)."""
AUXILIARIES = [*BEFORE_NOT, "have", "has", "had", "do", "does", "did"]
SHORTENED = {"ca": "can", "wo": "will", "sha": "shall"}
"""What remains of a word before n't, where it is not the word itself."""

_NOT = re.compile(r"\s*\bnot\b", re.I)
_CONTRACTED = re.compile(r"\b(?:(can)not|(\w+)n['’]t)\b", re.I)
_AUXILIARY = re.compile(rf"\b({'|'.join(AUXILIARIES)})\b(?!['’-])", re.I)


def negations(sentences: Sequence[str], how: Literal["parser", "lexical"]) -> list[str]:
    """Each sentence negated, or, where it has a "not", without it.

    Args:
        how: ``parser`` (``by_parse``) or ``lexical`` (``by_words``).
    Raises:
        UserError: ``parser`` without spaCy or its English model.
    """
    if how == "lexical":
        return [by_words(sentence) for sentence in sentences]
    return [by_parse(document) for document in parser().pipe(sentences)]


def by_parse(document) -> str:
    """The authors' rule on a parsed sentence (a spaCy ``Doc``); its tokens are joined by blanks.

    The first "not" goes. Without one, the first auxiliary before the root gets it; else the root does, by itself if it is a form
    of "be" or a modal, with "do" if it is another finite verb. All other sentences begin with "Not".
    """
    words = [token.text for token in document]
    if "not" in words:
        words.remove("not")
        return " ".join(words)
    found = next((token for token in document if token.dep_ in ("aux", "auxpass", "ROOT")), None)
    if found is None:
        return " ".join(["Not", *words])
    if found.dep_ != "ROOT" or found.text.lower() in BEFORE_NOT:
        words[found.i] += " not"
    elif found.tag_ in SUPPORT:
        words[found.i] = f"{SUPPORT[found.tag_]} not {found.lemma_}"
    else:
        words.insert(0, "Not")
    return " ".join(words)


def by_words(sentence: str) -> str:
    """The rule by closed lists: a "not" or n't goes; else the first auxiliary gets "not"; else "Not" begins the sentence."""
    for pattern, other in ((_NOT, ""), (_CONTRACTED, _whole), (_AUXILIARY, r"\1 not")):
        changed, count = pattern.subn(other, sentence, count=1)
        if count:
            return changed.strip()
    return f"Not {sentence}"


def _whole(match: re.Match) -> str:
    """The word that "not" was drawn together with."""
    word = match[1] or match[2]
    whole = SHORTENED.get(word.lower(), word)
    return whole.capitalize() if word[0].isupper() else whole


@cache
def parser():
    """spaCy with its English model.

    Raises:
        UserError: either is not installed.
    """
    instead = "or set negation=lexical, which needs neither (another rule, told in the card)"
    try:
        import spacy
    except ImportError as error:
        raise UserError(
            f"negation=parser reads dependency parses, and spaCy is not installed; pip install 'jtcse[systems]', {instead}"
        ) from error
    try:
        return spacy.load(ENGLISH, exclude=["ner"])
    except OSError as error:
        raise UserError(
            f"negation=parser needs spaCy's model {ENGLISH}, which is no package of the index; get it once by "
            f"'python -m spacy download {ENGLISH}', {instead}"
        ) from error
