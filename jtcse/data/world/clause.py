"""The pieces of a sentence: noun phrases, details and verb forms of one meaning in one style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jtcse.data.world.lexicon import article, gerund, lexicon, participle, past, plural, third_person
from jtcse.data.world.meaning import Meaning

# Words that the pieces bring in besides those of the lexicon.
FUNCTION_WORDS = (
    *("a", "an", "the", "by", "with", "without", "after", "in", "wake", "of", "not", "does", "do", "did"),
    *("is", "are", "was", "were", "avoid", "should", "can", "cannot"),
)


class Style(NamedTuple):
    """Small words of a family: determiners of agent and patient, and of places; what stands before causes."""

    determiner: str
    place_determiner: str
    cause: str


class Clause:
    """The pieces that patterns are made of; optional pieces begin with a space or are empty."""

    def __init__(self, meaning: Meaning, style: Style, wording: Mapping[str, str], fronted: str) -> None:
        self.meaning, self.style, self.wording, self.fronted = meaning, style, wording, fronted
        self.base = wording[meaning.action]
        self.many = bool(meaning.count)
        self.neg = "not " if meaning.negated else ""

    def __getitem__(self, piece: str) -> str:
        return getattr(self, piece)

    def _phrase(self, role: str, determiner: str) -> str:
        """Noun phrase of a role: number or determiner, adjective, noun."""
        meaning, wording = self.meaning, self.wording
        noun = wording[getattr(meaning, role)]
        trait = getattr(meaning, f"{role}_trait", "")
        count = meaning.count if role == "agent" else ""
        phrase = f"{wording[trait]} " if trait else ""
        phrase += plural(noun) if count else noun
        if count:
            return f"{wording[count]} {phrase}"
        return _with_determiner(determiner, phrase, noun)

    @property
    def agent(self) -> str:
        return self._phrase("agent", self.style.determiner)

    @property
    def object(self) -> str:
        return self._phrase("patient", self.style.determiner)

    @property
    def patient(self) -> str:
        return " " + self.object if self.meaning.patient else ""

    @property
    def front(self) -> str:
        return self._detail(self.fronted).lstrip()

    @property
    def details(self) -> str:
        return "".join(
            self._detail(name) for name in ("manner", "tool", "place", "cause", "time") if name != self.fronted
        )

    def _detail(self, name: str) -> str:
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

    # Verbs. 'not' goes with the auxiliary, or with {neg} where a pattern has none.

    @property
    def acts(self) -> str:
        if self.meaning.negated:
            return f"{'do' if self.many else 'does'} not {self.base}"
        return self.base if self.many else third_person(self.base)

    @property
    def acted(self) -> str:
        return f"did not {self.base}" if self.meaning.negated else past(self.base)

    @property
    def ing(self) -> str:
        return gerund(self.base)

    @property
    def done(self) -> str:
        return participle(self.base)

    @property
    def do(self) -> str:
        return f"avoid {self.ing}" if self.meaning.negated else self.base

    @property
    def order(self) -> str:
        return f"do not {self.base}" if self.meaning.negated else self.base

    @property
    def is_there(self) -> str:
        return "are" if self.many else "is"

    @property
    def is_(self) -> str:
        return f"{self.is_there} {self.neg}".rstrip()

    @property
    def was(self) -> str:
        return f"{'were' if self.many else 'was'} {self.neg}".rstrip()

    @property
    def is_object(self) -> str:
        return f"is {self.neg}".rstrip()

    @property
    def was_object(self) -> str:
        return f"was {self.neg}".rstrip()

    @property
    def should(self) -> str:
        return f"should {self.neg}".rstrip()

    @property
    def can(self) -> str:
        return "cannot" if self.meaning.negated else "can"

    # Definitions: the term, the hypernym with the term's adjective, and what one of them does.

    @property
    def term(self) -> str:
        noun = self.wording[self.meaning.defined]
        return _with_determiner("a", noun, noun)

    @property
    def bare_kind(self) -> str:
        trait = getattr(self.meaning, f"{self.meaning.topic}_trait")
        noun = self.wording[lexicon().hypernym(self.meaning.defined)]
        return f"{self.wording[trait]} {noun}" if trait else noun

    @property
    def kind(self) -> str:
        return _with_determiner("a", self.bare_kind, self.wording[lexicon().hypernym(self.meaning.defined)])

    @property
    def tells(self) -> str:
        if self.meaning.topic == "agent":
            return f"{self.acts}{self.patient}{self.details}"
        return f"{self.agent} {self.acts}{self.details}"


def _with_determiner(determiner: str, phrase: str, noun: str) -> str:
    if determiner == "a":
        return phrase if noun in lexicon().mass else f"{article(phrase)} {phrase}"
    return f"{determiner} {phrase}" if determiner else phrase
