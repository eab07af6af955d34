"""The generated world: repeatable, readable, held out where it must be, not solved by counting words."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import spearmanr

from jtcse.data import world
from jtcse.data.world.clause import FUNCTION_WORDS
from jtcse.data.world.graded import RECIPES, THEMES, GradedPair, graded_pairs
from jtcse.data.world.grammar import FAMILIES, choose_words, patterns, realise, tokens
from jtcse.data.world.lexicon import (
    CONTENT_KINDS,
    article,
    gerund,
    lexicon,
    participle,
    past,
    similarity,
    third_person,
)
from jtcse.data.world.meaning import WEIGHTS, Meaning, gold

SEED, LINES, PAIRS = 3, 20_000, 400
NAMES = (*THEMES, "dev")


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    return list(world.corpus(SEED, LINES))


@pytest.fixture(scope="module")
def graded() -> dict[str, list[GradedPair]]:
    return {name: graded_pairs(SEED, PAIRS, name) for name in NAMES}


@pytest.fixture(scope="module")
def concept_of() -> dict[str, str]:
    """Every content word form and the one concept that it belongs to."""
    found: dict[str, set[str]] = {}
    for kind in CONTENT_KINDS:
        for concept in lexicon().of_kind(kind):
            for word in concept.words:
                forms = {word}
                if kind == "verb":
                    forms |= {third_person(word), gerund(word), past(word), participle(word)}
                for form in forms:
                    found.setdefault(form, set()).add(concept.name)
    assert {form: names for form, names in found.items() if len(names) > 1} == {}, "a form of two concepts"
    return {form: next(iter(names)) for form, names in found.items()}


def correlation(pairs: list[GradedPair], similarities: list[float]) -> float:
    return float(spearmanr(similarities, [pair.gold for pair in pairs])[0])


def cosine(one: Counter, other: Counter) -> float:
    norms = [np.sqrt(sum(v * v for v in counts.values())) for counts in (one, other)]
    return sum(value * other[key] for key, value in one.items()) / (norms[0] * norms[1])


# Repeatability


def test_a_seed_gives_the_same_sentences_whatever_the_hash_seed() -> None:
    program = (
        "import hashlib; from jtcse.data import world; sets = world.pair_sets(5, 20);"
        "said = [*world.corpus(5, 400), *world.pairs(5, 400, 'fr'), *world.vocabulary()];"
        "said += [(s.first, s.second, s.gold.tolist()) for s in sets.values()];"
        "print(hashlib.sha256(repr(said).encode()).hexdigest())"
    )
    digests = set()
    for hash_seed in ("0", "1"):
        command = [sys.executable, "-c", program]
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1


def test_seeds_differ(corpus: list[str]) -> None:
    other = set(world.corpus(SEED + 1, 2000))
    assert len(other & set(corpus[:2000])) < 20
    assert not {p[:2] for p in graded_pairs(SEED, 50, "news")} & {p[:2] for p in graded_pairs(4, 50, "news")}


# The corpus


def test_corpus_lines_are_distinct_and_of_the_promised_length(corpus: list[str]) -> None:
    lengths = [len(line.split()) for line in corpus]
    assert len(set(corpus)) == len(corpus) == LINES
    assert min(lengths) >= 7 and max(lengths) <= 20 and 9 < np.mean(lengths) < 13


def test_the_lexicon_is_large_and_mostly_synonyms() -> None:
    size = world.describe()
    sets = [len(c.words) for kind in CONTENT_KINDS for c in lexicon().of_kind(kind)]
    assert size["content words"] == sum(sets) >= 500 and size["concepts"] >= 300
    assert size["families"] >= 5 and size["patterns"] >= 5 * size["families"] and size["pair sets"] == 7
    assert np.mean([n >= 2 for n in sets]) > 0.85 and max(sets) <= 4


def test_small_words_are_not_content_words(concept_of: dict[str, str]) -> None:
    said = {word for family in FAMILIES for p in patterns(family) for word in re.findall(r"\b[a-z]+\b", p.text)}
    pieces = {piece for name in FAMILIES for p in patterns(name) for piece in re.findall(r"\{(\w+)\}", p.text)}
    assert not ((said - pieces) | set(FUNCTION_WORDS)) & set(concept_of)


def test_the_vocabulary_covers_all_that_is_said_and_hardly_more(
    corpus: list[str], graded: dict[str, list[GradedPair]]
) -> None:
    vocabulary = world.vocabulary()
    assert vocabulary == sorted(set(vocabulary)) and len(vocabulary) < 2000
    said = {token for line in corpus for token in tokens(line)}
    for language in ("fr", "ru"):
        said |= {token for pair in world.pairs(SEED, 3000, language) for token in tokens(pair[1])}
    said |= {t for pairs in graded.values() for pair in pairs for text in pair[:2] for t in tokens(text)}
    assert said <= set(vocabulary)
    assert len(said) > 0.97 * len(vocabulary)


def test_every_concept_of_the_pair_sets_occurs_in_the_corpus(
    corpus: list[str], graded: dict[str, list[GradedPair]], concept_of: dict[str, str]
) -> None:
    heard = Counter(concept_of[token] for line in corpus for token in tokens(line) if token in concept_of)
    asked = {c for pairs in graded.values() for p in pairs for m in (p.one, p.other) for c in m.concepts()}
    asked &= set(concept_of.values())
    assert len(asked) > 400 and min(heard[name] for name in asked) >= 10


def test_synonyms_keep_the_same_company(corpus: list[str], concept_of: dict[str, str]) -> None:
    """Words of one concept share more neighbours than words of sibling concepts: synonymy can be learned."""
    company: dict[str, Counter] = {}
    for line in corpus:
        said = [token for token in tokens(line) if token in concept_of]
        for word in said:
            company.setdefault(word, Counter()).update(concept_of[w] for w in said if w != word)
    synonyms, siblings = [], []
    nouns = [c for c in lexicon().of_kind("noun") if all(w in company for w in c.words)]
    for one, other in pairwise(nouns):
        synonyms += [cosine(company[a], company[b]) for a, b in pairwise(one.words)]
        if one.parent == other.parent:
            siblings.append(cosine(company[one.words[0]], company[other.words[0]]))
    assert np.mean(synonyms) > np.mean(siblings) + 0.25


# Held-out sentences


def test_no_sentence_of_a_pair_set_is_in_a_corpus_or_its_round_trip(
    corpus: list[str], graded: dict[str, list[GradedPair]]
) -> None:
    asked = {text for pairs in graded.values() for pair in pairs for text in pair[:2]}
    assert not asked & set(corpus) and not asked & set(world.corpus(9, 5000))
    assert not asked & {back for _, back in world.pairs(SEED, 5000, "ru")}


def test_the_development_set_shares_no_sentence_with_the_seven(graded: dict[str, list[GradedPair]]) -> None:
    seven = {text for name in THEMES for pair in graded[name] for text in pair[:2]}
    assert not seven & {text for pair in graded["dev"] for text in pair[:2]}


# Round trips


def test_round_trips_line_up_with_the_corpus(corpus: list[str]) -> None:
    for language in ("fr", "nl"):
        assert [source for source, _ in world.pairs(SEED, 2000, language)] == corpus[:2000]


def test_languages_give_complementary_views() -> None:
    trips = {language: list(world.pairs(SEED, 3000, language)) for language in ("fr", "ru")}
    french, russian = ([back for _, back in trip] for trip in trips.values())
    changed = [np.mean([source != back for source, back in trip]) for trip in trips.values()]
    assert min(changed) > 0.8
    assert np.mean([one != other for one, other in zip(french, russian, strict=True)]) > 0.7
    substituted = {
        language: {(a, b) for s, t in trip if len(s.split()) == len(t.split()) for a, b in _exchanged(s, t)}
        for language, trip in trips.items()
    }
    common = substituted["fr"] & substituted["ru"]
    assert 0.1 < len(common) / len(substituted["fr"] | substituted["ru"]) < 0.7


def _exchanged(source: str, back: str) -> list[tuple[str, str]]:
    """The word pairs in which two sentences of one pattern differ, where they differ in few places."""
    pairs = [(a, b) for a, b in zip(source.split(), back.split(), strict=True) if a != b]
    return pairs if len(pairs) <= 3 else []


# Gold scores


def test_gold_of_known_cases() -> None:
    event = Meaning("scene", "bite", agent="dog", patient="man", place="garden")
    assert gold(event, event) == 5.0
    hypernym, sibling = event._replace(agent="animal"), event._replace(agent="cat")
    swapped = event._replace(agent="man", patient="dog")
    elsewhere, nowhere = event._replace(place="street"), event._replace(place="")
    other = Meaning("scene", "buy", agent="chef", patient="lamp", place="market")
    for order in ([event, nowhere, elsewhere, other], [event, hypernym, sibling, swapped, other]):
        scores = [gold(event, meaning) for meaning in order]
        assert scores == sorted(scores, reverse=True) and len(set(scores)) == len(scores)
    assert gold(event, swapped) < 2.5 and gold(event, event._replace(negated=True)) == pytest.approx(2.0)
    assert gold(event, other) < 0.2


def test_similarity_follows_the_taxonomy() -> None:
    chain = ["poodle", "dog", "animal"]
    assert [lexicon().hypernym(name) for name in chain] == ["dog", "animal", ""]
    values = [similarity("poodle", name) for name in ("poodle", "dog", "animal", "cat", "hammer")]
    assert values == sorted(values, reverse=True) and values[0] == 1.0 and values[-1] == 0.0
    assert similarity("sprint", "run") == similarity("run", "sprint") > similarity("sprint", "move") > 0


@pytest.mark.parametrize("name", NAMES)
def test_gold_is_symmetric_and_uses_the_whole_scale(graded: dict[str, list[GradedPair]], name: str) -> None:
    scores = np.array([pair.gold for pair in graded[name]])
    assert all(gold(pair.other, pair.one) == pair.gold for pair in graded[name])
    assert scores.min() >= 0 and scores.max() == 5
    shares = np.histogram(scores, bins=[0, 1, 2, 3, 4, 5.01])[0] / len(scores)
    assert shares.min() > 0.02, shares


def test_pair_sets_carry_the_graded_pairs(graded: dict[str, list[GradedPair]]) -> None:
    sets = world.pair_sets(SEED, 30)
    assert tuple(sets) == NAMES and len(NAMES) == 8
    for name, pairs in sets.items():
        again = graded_pairs(SEED, 30, name)
        assert pairs.name == name and pairs.gold.dtype == np.float64 and len(pairs.gold) == 30
        assert list(zip(pairs.first, pairs.second, strict=True)) == [pair[:2] for pair in again]
        assert np.allclose(pairs.gold, [pair.gold for pair in again], atol=1e-3)


def content(text: str, concept_of: dict[str, str]) -> set[str]:
    return {token for token in tokens(text) if token in concept_of}


def test_paraphrases_without_a_common_content_word_score_five(
    graded: dict[str, list[GradedPair]], concept_of: dict[str, str]
) -> None:
    for name in NAMES:
        apart = [p for p in graded[name] if not content(p.first, concept_of) & content(p.second, concept_of)]
        assert sum(pair.gold == 5 for pair in apart) > 0.05 * PAIRS, name
    for pair in (p for pairs in graded.values() for p in pairs):
        assert (pair.gold == 5) == (pair.one == pair.other), pair


def test_look_alikes_share_their_words_but_not_their_meaning(graded: dict[str, list[GradedPair]]) -> None:
    pairs = [p for p in graded["look-alikes"] if p.recipe in ("swap", "negation")]
    shared = [cosine(Counter(tokens(p.first)), Counter(tokens(p.second))) for p in pairs]
    assert len(pairs) > 0.1 * PAIRS and np.mean(shared) > 0.8
    assert max(pair.gold for pair in pairs) < 3
    assert {pair.recipe for set_ in graded.values() for pair in set_} == set(RECIPES)


# What counting words can and cannot do


@pytest.fixture(scope="module")
def word_weights(corpus: list[str]) -> dict[str, float]:
    """Inverse document frequency of every word in the corpus."""
    counts = Counter(token for line in corpus for token in set(tokens(line)))
    return {word: float(np.log((1 + LINES) / (1 + counts[word]))) for word in world.vocabulary()}


def by_words(pairs: list[GradedPair], weights: dict[str, float] | None = None) -> float:
    def bag(text: str) -> Counter:
        counts = Counter(tokens(text))
        return Counter({w: n * weights[w] for w, n in counts.items()}) if weights else counts

    return correlation(pairs, [cosine(bag(pair.first), bag(pair.second)) for pair in pairs])


def test_counting_words_does_not_solve_the_pair_sets(
    graded: dict[str, list[GradedPair]], word_weights: dict[str, float]
) -> None:
    every = [pair for name in THEMES for pair in graded[name]]
    for name, pairs in {**graded, "all seven": every}.items():
        plain, weighted = by_words(pairs), by_words(pairs, word_weights)
        assert max(plain, weighted) < 0.75, name
        if name != "look-alikes":  # and it is no set of traps either
            assert min(plain, weighted) > 0.2, name
        print(f"{name:12s} bag of words {plain:.3f}, tf-idf {weighted:.3f}")


def as_vector(meaning: Meaning) -> Counter:
    """A meaning as one vector: every part with its concept and, fainter, what that is a kind of."""
    vector: Counter = Counter({"not": 1.5}) if meaning.negated else Counter()
    for part, weight in WEIGHTS.items():
        name = meaning.defined if part == "topic" else getattr(meaning, part)
        for above, share in zip(lexicon().line(name) if name else (), (0.8, 0.5, 0.35, 0.2), strict=False):
            vector[part, above] += np.sqrt(weight) * share
    return vector


def test_an_encoder_that_knows_the_concepts_would_solve_them(graded: dict[str, list[GradedPair]]) -> None:
    for name, pairs in graded.items():
        similarities = [cosine(as_vector(pair.one), as_vector(pair.other)) for pair in pairs]
        assert correlation(pairs, similarities) > 0.9, name


# English


def test_articles_agree_with_the_next_word(corpus: list[str]) -> None:
    for line in corpus:
        for before, after in pairwise(tokens(line)):
            if before in ("a", "an") and after != "few" and after != "couple":
                assert before == article(after), line
    assert [article(word) for word in ("onion", "uniform", "hour", "ewe", "dog")] == [
        "an",
        "a",
        "an",
        "a",
        "a",
    ]


def test_verbs_agree_with_their_subject(corpus: list[str]) -> None:
    text = "\n".join(corpus).lower()
    assert re.search(r"\b(two|three|many) (\w+ )?(men|women|boys) (are|were) ", text)
    assert not re.search(r"\b(two|three|many|several) (\w+ )?(\w+s|men|women) (is|was|does) ", text)
    gerunds = {gerund(word) for concept in lexicon().of_kind("verb") for word in concept.words}
    assert not gerunds & set(re.findall(r"\b(?:does|did|do|should) not (\w+)", text))


def test_inflection() -> None:
    slice_, cut, carry, chat = ("slice", "cut", "carry", "chat")
    assert [gerund(w) for w in (slice_, cut, carry, chat)] == ["slicing", "cutting", "carrying", "chatting"]
    assert [past(w) for w in (slice_, cut, carry, chat)] == ["sliced", "cut", "carried", "chatted"]
    assert [third_person(w) for w in ("wash", cut, carry, "buy")] == ["washes", "cuts", "carries", "buys"]
    assert participle("eat") == "eaten"


def test_capitals_and_stops(corpus: list[str]) -> None:
    for line in corpus:
        assert line[0].isupper() and line == " ".join(line.split()) and not re.search(r" [.,?:]|[{}~=]", line)
    inner = {word for line in corpus for word in re.findall(r"(?<= )[A-Z]\w*", line)}
    assert inner == {"I", "Monday", "Friday"}
    headlines = [line for line in corpus if line[-1] not in ".?"]
    assert 0.1 < len(headlines) / LINES < 0.2 and not re.search(
        r"\b(a|an|the) (?!morning|evening|weekend)", "\n".join(headlines)
    )


def test_each_pattern_says_every_part_once() -> None:
    """No pattern forgets or repeats a detail: gold scores compare what is really said."""
    full = {
        "scene": Meaning("scene", "chop", "woman", "onion", "tall", "ripe", "two", "quickly", "knife", "kitchen"),
        "task": Meaning("task", "chop", "", "onion", "", "ripe", "", "quickly", "knife", "kitchen"),
        "affair": Meaning("affair", "reject", "minister", "treaty", "popular", "unfair", "", "publicly", "", "town"),
        "gloss": Meaning("gloss", "reject", "minister", "treaty", "popular", "unfair", "", "publicly", "", "town"),
    }
    for family, style in FAMILIES.items():
        topics = ("agent", "patient") if style.domain == "gloss" else ("",)
        for topic in topics:
            meaning = full[style.domain]._replace(time="in the morning", topic=topic)
            if style.domain in ("affair", "gloss"):
                meaning = meaning._replace(cause="protest")
            wording = choose_words(random.Random(0), meaning)
            for pattern in (p for p in patterns(family) if p.fits(meaning)):
                said = tokens(realise(meaning, family, pattern, wording))
                for name in meaning.concepts():
                    if lexicon().concepts[name].kind in ("adjective", "adverb", "noun") and name != "woman":
                        assert said.count(wording[name]) == 1, (pattern, name, said)
