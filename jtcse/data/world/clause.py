"""The pieces of a sentence: noun phrases, details and verb forms of one meaning in one style."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jtcse.data.world.lexicon import article, gerund, lexicon, participle, past, plural, third_person
from jtcse.data.world.meaning import Meaning

# Words that the pieces bring in besides those of the lexicon.
FUNCTION_WORDS = (
    *("a", "an", "the", "by", "with", "without", "after", "in", "wake", "of", "not", "does", "do", "did"),
    *("is", "are", "was", "were", "avoid", "should", "can", "cannot"),
)
DETAILS_BEHIND = ("manner", "tool", "place", "cause", "time")


class Style(NamedTuple):
    """Small words of a family: determiners of agent and patient, and of places; what stands before causes."""

    determiner: str
    place_determiner: str
    cause: str


class Clause:
    """The pieces that patterns are made of, by the names of ``PIECES``; optional ones begin with a space or are empty."""

    def __init__(self, meaning: Meaning, style: Style, wording: Mapping[str, str], fronted: str) -> None:
        self.meaning, self.style, self.wording, self.fronted = meaning, style, wording, fronted
        self.base = wording[meaning.action]
        self.many = bool(meaning.count)
        self.neg = "not " if meaning.negated else ""

    def __getitem__(self, piece: str) -> str:
        return PIECES[piece](self)

    def phrase(self, role: str) -> str:
        """Noun phrase of a role: number or determiner, adjective, noun."""
        meaning, wording = self.meaning, self.wording
        noun = wording[getattr(meaning, role)]
        trait = getattr(meaning, f"{role}_trait", "")
        count = meaning.count if role == "agent" else ""
        phrase = f"{wording[trait]} " if trait else ""
        phrase += plural(noun) if count else noun
        if count:
            return f"{wording[count]} {phrase}"
        return _with_determiner(self.style.determiner, phrase, noun)

    def detail(self, name: str) -> str:
        """A detail with what stands before it, or nothing."""
        concept = getattr(self.meaning, name)
        if not concept:
            return ""
        word = self.wording[concept]
        if name in ("manner", "time"):
            return " " + word
        if name == "tool":
            return f" {'without' if self.meaning.lacking else 'with'} {article(word)} {word}"
        before = self.style.cause if name == "cause" else lexicon().concepts[concept].attributes["prep"]
        return f" {before} {_with_determiner(self.style.place_determiner, word, word)}"

    def behind(self, word: str) -> str:
        """A verb with 'not' behind it, where the meaning has one."""
        return f"{word} {self.neg}".rstrip()

    def either(self, plain: str, negated: str) -> str:
        """The first, or the second where the meaning has a 'not'."""
        return negated if self.meaning.negated else plain

    @property
    def term(self) -> str:
        """The word that a definition defines."""
        return self.wording[self.meaning.defined]

    @property
    def hypernym(self) -> str:
        """The word above it."""
        return self.wording[lexicon().hypernym(self.meaning.defined)]


def _acts(clause: Clause) -> str:
    plain = clause.base if clause.many else third_person(clause.base)
    return clause.either(plain, f"{'do' if clause.many else 'does'} not {clause.base}")


def _bare_kind(clause: Clause) -> str:
    """The hypernym with the term's adjective."""
    trait = getattr(clause.meaning, f"{clause.meaning.topic}_trait")
    return f"{clause.wording[trait]} {clause.hypernym}" if trait else clause.hypernym


PIECES: dict[str, Callable[[Clause], str]] = {
    "agent": lambda c: c.phrase("agent"),
    "object": lambda c: c.phrase("patient"),
    "patient": lambda c: " " + c.phrase("patient") if c.meaning.patient else "",
    "front": lambda c: c.detail(c.fronted).lstrip(),
    "details": lambda c: "".join(c.detail(name) for name in DETAILS_BEHIND if name != c.fronted),
    # Verbs. 'not' goes with the auxiliary, or with {neg} where a pattern has none.
    "neg": lambda c: c.neg,
    "base": lambda c: c.base,
    "acts": _acts,
    "acted": lambda c: c.either(past(c.base), f"did not {c.base}"),
    "ing": lambda c: gerund(c.base),
    "done": lambda c: participle(c.base),
    "do": lambda c: c.either(c.base, f"avoid {gerund(c.base)}"),
    "order": lambda c: c.either(c.base, f"do not {c.base}"),
    "is_there": lambda c: "are" if c.many else "is",
    "is_": lambda c: c.behind("are" if c.many else "is"),
    "was": lambda c: c.behind("were" if c.many else "was"),
    "is_object": lambda c: c.behind("is"),
    "was_object": lambda c: c.behind("was"),
    "should": lambda c: c.behind("should"),
    "can": lambda c: c.either("can", "cannot"),
    # Definitions: the term, the hypernym with the term's adjective, and what one of them does.
    "term": lambda c: _with_determiner("a", c.term, c.term),
    "bare_kind": _bare_kind,
    "kind": lambda c: _with_determiner("a", _bare_kind(c), c.hypernym),
    "tells": lambda c: (
        f"{_acts(c)}{c['patient']}{c['details']}"
        if c.meaning.topic == "agent"
        else f"{c['agent']} {_acts(c)}{c['details']}"
    ),
}
"""What stands for each name in the braces of a pattern."""


def _with_determiner(determiner: str, phrase: str, noun: str) -> str:
    if determiner == "a":
        return phrase if noun in lexicon().mass else f"{article(phrase)} {phrase}"
    return f"{determiner} {phrase}" if determiner else phrase
