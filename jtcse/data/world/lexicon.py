"""The words of the generated world: synonym sets in a taxonomy, what goes with what, and English inflection.

The words themselves stand in ``lexicon.txt`` beside this module, which explains its own notation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

KINDS = ("noun", "verb", "adjective", "adverb", "time", "count")
CONTENT_KINDS = KINDS[:4]

# Similarity of two concepts by the number of steps between them in the taxonomy: itself, parent or child,
# sibling or grandparent, ...; concepts further apart than that in one tree, and in two trees.
SIMILARITY_BY_STEPS = (1.0, 0.65, 0.35, 0.2, 0.1)
SAME_TREE, UNRELATED = 0.05, 0.0


@dataclass(frozen=True)
class Concept:
    """One synonym set; a class without a word of its own has no ``words``, a root has the ``parent`` ""."""

    name: str
    kind: str
    words: tuple[str, ...]
    parent: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Lexicon:
    """All concepts by name, and the irregular forms of their words."""

    concepts: Mapping[str, Concept]
    plurals: Mapping[str, str]
    pasts: Mapping[str, tuple[str, str]]
    mass: frozenset[str]

    def of_kind(self, kind: str) -> list[Concept]:
        """The concepts of a kind that have words, in the order of the file."""
        return [c for c in self.concepts.values() if c.kind == kind and c.words]

    def line(self, name: str) -> list[str]:
        """The concept and everything above it, nearest first."""
        found = []
        while name:
            found.append(name)
            name = self.concepts[name].parent
        return found

    def hypernym(self, name: str) -> str:
        """The concept one step above, or "" where that has no word or there is no concept."""
        parent = self.concepts[name].parent if name else ""
        return parent if parent and self.concepts[parent].words else ""


@cache
def lexicon() -> Lexicon:
    """The lexicon, read once from the file that ships with the package."""
    concepts: dict[str, Concept] = {}
    plurals: dict[str, str] = {}
    pasts: dict[str, tuple[str, str]] = {}
    mass: set[str] = set()
    for kind, parent, names, attributes in _outline():
        inherited = dict(concepts[parent].attributes) if parent else {}
        words = []
        for notation in names:
            word, _, irregular = notation.lstrip("~").partition("=")
            words.append(word)
            if notation.startswith("~"):
                mass.add(word)
            if irregular and kind == "noun":
                plurals[word] = irregular
            elif irregular:
                past, _, participle = irregular.partition("/")
                pasts[word] = (past, participle or past)
        is_class = words[0].startswith("(")
        name = words[0].strip("()")
        if name in concepts:
            raise ValueError(f"lexicon.txt names {name!r} twice")
        concepts[name] = Concept(name, kind, () if is_class else tuple(words), parent, inherited | attributes)
    return Lexicon(concepts, plurals, pasts, frozenset(mass))


def _outline() -> Iterator[tuple[str, str, list[str], dict[str, str]]]:
    """Lines of the file as (kind, parent's name, words in notation, own attributes)."""
    kind, above = "", []
    for text in files(__package__).joinpath("lexicon.txt").read_text(encoding="utf-8").splitlines():
        if text in KINDS:
            kind, above = text, []
        elif text and not text.startswith("#"):
            body, _, extra = text.strip().partition(" : ")
            names = body.split(", ")
            depth = (len(text) - len(text.lstrip())) // 2
            del above[depth:]
            parent = above[-1] if above else ""
            above.append(names[0].lstrip("~").partition("=")[0].strip("()"))
            yield kind, parent, names, dict(re.findall(r"(\w+)=(.+?)(?= \w+=|$)", extra))


@cache
def members(spec: str, kind: str) -> frozenset[str]:
    """Names of the concepts with words that an attribute such as ``"food,-beverage"`` stands for."""
    words = lexicon()
    asked = [part.strip() for part in spec.split(",")]
    wanted = {part for part in asked if not part.startswith("-")}
    unwanted = {part[1:] for part in asked if part.startswith("-")}
    for name in wanted | unwanted:
        if name not in words.concepts:
            raise ValueError(f"lexicon.txt refers to {name!r}, which it does not define")
    lines = {concept.name: set(words.line(concept.name)) for concept in words.of_kind(kind)}
    return frozenset(name for name, line in lines.items() if line & wanted and not line & unwanted)


@cache
def relatives(name: str) -> tuple[str, ...]:
    """The nearest other concepts: parent, children and siblings, as far as they have words; sorted."""
    words = lexicon()
    parent = words.concepts[name].parent
    near = {
        c.name for c in words.concepts.values() if c.words and (c.parent == name or (parent and c.parent == parent))
    }
    return tuple(sorted((near | {words.hypernym(name)}) - {name, ""}))


@cache
def similarity(one: str, other: str) -> float:
    """Similarity of two concepts in [0, 1] by their distance in the taxonomy; 1 for a concept with itself."""
    left, right = lexicon().line(one), lexicon().line(other)
    shared = next((name for name in left if name in right), None)
    if shared is None:
        return UNRELATED
    steps = left.index(shared) + right.index(shared)
    return SIMILARITY_BY_STEPS[steps] if steps < len(SIMILARITY_BY_STEPS) else SAME_TREE


# Inflection. The rules cover the words of this lexicon, not English at large.


def article(phrase: str) -> str:
    """``a`` or ``an``, by the first sound of ``phrase``."""
    silent_h, sounds_like_you = (
        phrase.startswith(("hour", "honest")),
        phrase.startswith(("uni", "use", "euro", "ewe")),
    )
    return "an" if silent_h or (phrase[0] in "aeiou" and not sounds_like_you) else "a"


@cache
def plural(noun: str) -> str:
    """``box`` to ``boxes``, ``child`` to ``children``."""
    return lexicon().plurals.get(noun) or third_person(noun)


@cache
def third_person(verb: str) -> str:
    """``wash`` to ``washes``; the same ending serves regular plurals."""
    if re.search(r"(s|x|z|ch|sh|[^aeiou]o)$", verb):
        return verb + "es"
    return re.sub(r"([^aeiou])y$", r"\1ie", verb) + "s"


def _stem(verb: str) -> str:
    """The form that takes -ing or -ed: final e dropped, the last letter of a short syllable doubled."""
    if re.fullmatch(r"[^aeiou]*(qu)?[aeiou][^aeiouwxy]", verb):
        return verb + verb[-1]
    return re.sub(r"(?<![eoy])e$", "", verb)


@cache
def gerund(verb: str) -> str:
    """``slice`` to ``slicing``."""
    return _stem(verb) + "ing"


@cache
def past(verb: str) -> str:
    """``slice`` to ``sliced``, ``eat`` to ``ate``."""
    irregular = lexicon().pasts.get(verb)
    return irregular[0] if irregular else re.sub(r"([^aeiou])y$", r"\1i", _stem(verb)) + "ed"


@cache
def participle(verb: str) -> str:
    """``slice`` to ``sliced``, ``eat`` to ``eaten``."""
    irregular = lexicon().pasts.get(verb)
    return irregular[1] if irregular else past(verb)
