"""Alignment and uniformity (Eqs. 16 and 17) under every reading that the paper leaves open, for several systems at once.

Open are: which pairs (STS-B's development pairs, or those of the test sets), from which gold score a pair counts as positive,
and which sentences uniformity is taken over. Every system is resampled on the same drawn pairs and sentences, so that
differences between systems have intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from jtcse.data.pairs import PairSet, evenly_spaced
from jtcse.evaluation.geometry import alignment, positive_pairs, uniformity, unit
from jtcse.evaluation.statistics.spearman import middle

if TYPE_CHECKING:
    import pandas

    from jtcse.encoders.encoder import Encoder

THRESHOLDS = (4.0, 4.5, 5.0)  # gold scores from which a pair may count as positive; 5 is the highest grade of all sets
SENTENCES = 600  # over which uniformity is taken: its work grows with their square
PAIRS_A_TEST = 150
MEASURES = ("alignment", "uniformity")


class Reading(NamedTuple):
    """One way to take Eqs. 16 and 17: the pairs, the least gold score of positive ones, the sentences of Eq. 17."""

    data: Literal["development", "tests"]
    threshold: float
    over: Literal["all", "positives"]

    def __str__(self) -> str:
        sentences = "all sentences" if self.over == "all" else "sentences of positive pairs"
        return f"{self.data}, gold ≥ {self.threshold:g}, {sentences}"


REFERENCE = Reading("development", 4.0, "all")
"""SimCSE's way, to which the others are compared."""


class Effect(NamedTuple):
    """A value with its 95 % interval, in the value's own unit."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, draws: np.ndarray) -> Effect:
        """The middle 95 % of resampled values (resamples,) around a value."""
        low, high = middle(draws)
        return cls(float(value), float(low), float(high))


class Spot(NamedTuple):
    """One system under one reading; ``draws`` (2, resamples) are resampled alignment and uniformity."""

    alignment: float
    uniformity: float
    pairs: int
    sentences: int
    draws: np.ndarray

    def effect(self, measure: str) -> Effect:
        """One of the two measures with its interval."""
        return Effect.of(getattr(self, measure), self.draws[MEASURES.index(measure)])


Found = Mapping[Reading, Mapping[str, Spot]]


def readings() -> list[Reading]:
    """All readings, ``REFERENCE`` first."""
    return [Reading(d, g, o) for d in ("development", "tests") for g in THRESHOLDS for o in ("all", "positives")]


def together(sets: Mapping[str, PairSet], limit: int | None = PAIRS_A_TEST) -> PairSet:
    """All test sets as one, at most ``limit`` evenly spaced pairs of each."""
    thin = [pairs.thinned(limit) for pairs in sets.values()]
    first, second = ([s for pairs in thin for s in getattr(pairs, side)] for side in ("first", "second"))
    return PairSet("tests", first, second, np.concatenate([pairs.gold for pairs in thin]), "all test sets")


def measure(
    encoders: Mapping[str, Encoder],
    data: Mapping[str, PairSet],
    *,
    sums: Mapping[str, Sequence[str]] | None = None,
    resamples: int = 300,
    seed: int = 0,
) -> Found:
    """Alignment and uniformity of each system under each reading.

    Args:
        encoders: system to encoder; each is called once.
        data: the pairs under the names ``development`` and ``tests``.
        sums: systems whose vectors are the sums of others' vectors, which are then not computed again.
        resamples, seed: of the bootstrap over positive pairs and over sentences, shared by all systems.
    Raises:
        UserError: a threshold that no pair reaches, vectors without direction.
    """
    asked = {reading: _sentences(reading, data[reading.data]) for reading in readings()}
    sentences = sorted({s for sides in asked.values() for side in sides for s in side})
    row = {sentence: i for i, sentence in enumerate(sentences)}
    vectors = {name: np.asarray(encoder.encode(sentences), np.float64) for name, encoder in encoders.items()}
    vectors |= {name: sum(vectors[part] for part in parts) for name, parts in (sums or {}).items()}
    found: dict[Reading, dict[str, Spot]] = {}
    done: dict[tuple, tuple[float, np.ndarray]] = {}  # readings share pairs or sentences
    for reading, sides in asked.items():
        rows = [[row[s] for s in side] for side in sides]
        found[reading] = {}
        for name, v in vectors.items():
            parts = [
                _once(done, (name, *map(tuple, chosen)), of, [v[c] for c in chosen], resamples, seed)
                for of, chosen in ((_alignments, rows[:2]), (_uniformities, rows[2:]))
            ]
            (apart, apart_draws), (even, even_draws) = parts
            found[reading][name] = Spot(apart, even, len(rows[0]), len(rows[2]), np.stack([apart_draws, even_draws]))
    return found


def _sentences(reading: Reading, pairs: PairSet) -> tuple[list[str], list[str], list[str]]:
    """First and second sentences of the positive pairs, and the distinct ones of Eq. 17: at most ``SENTENCES``, evenly spaced."""
    first, second = positive_pairs(pairs, reading.threshold)
    every = sorted({*pairs.first, *pairs.second} if reading.over == "all" else {*first, *second})
    return first, second, [every[i] for i in evenly_spaced(len(every), min(SENTENCES, len(every)))]


def _once(done: dict, key: tuple, of: Callable, vectors: list[np.ndarray], resamples: int, seed: int):
    """A value and its draws, computed once; every system draws the same pairs or sentences."""
    if key not in done:
        n = len(vectors[0])
        counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
        done[key] = of(*vectors, counts)  # (resamples, n): how often each is drawn in each resample
    return done[key]


def _alignments(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Eq. 16 of all pairs and of resampled ones, (n, d), (n, d), (resamples, n) -> (resamples,)."""
    apart = np.sum((unit(first) - unit(second)) ** 2, axis=1)
    return alignment(first, second), counts @ apart / counts.sum(axis=1)


def _uniformities(vectors: np.ndarray, counts: np.ndarray, t: float = 2.0) -> tuple[float, np.ndarray]:
    """Eq. 17 of all sentences and of resampled ones, (n, d), (resamples, n) -> (resamples,).

    A sentence is never its own partner, however often it was drawn.
    """
    units = unit(vectors)
    kernel = np.exp(-t * (2 - 2 * units @ units.T))
    np.fill_diagonal(kernel, 0)
    total = np.einsum("rn,rn->r", counts @ kernel, counts)
    return uniformity(vectors, t), np.log(total / (counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)))


def orders(found: Found) -> pandas.DataFrame:
    """Whether a reading ranks the systems as ``REFERENCE`` does: one row a reading and measure.

    Columns: reading, measure, pairs, sentences (what it was taken on), correlation (Spearman's, of the systems' ranks),
    turned (pairs of systems in the other order), of (pairs of systems), decided (of the turned ones: those that both
    readings tell apart, whole interval of the difference on one side). Readings with the same numbers are shown once:
    alignment does not ask which sentences Eq. 17 is taken over, nor uniformity over all sentences for the threshold.
    """
    import pandas

    rows = []
    for measure_name in MEASURES:
        for reading, spots in found.items():
            if not _repeats(reading, measure_name):
                rows.append({"reading": reading, "measure": measure_name} | _order(found, reading, measure_name))
                rows[-1] |= {
                    "pairs": next(iter(spots.values())).pairs,
                    "sentences": next(iter(spots.values())).sentences,
                }
    return pandas.DataFrame(rows)


def _repeats(reading: Reading, measure_name: str) -> bool:
    if measure_name == "alignment":
        return reading.over != "all"
    return reading.over == "all" and reading.threshold != REFERENCE.threshold


def _order(found: Found, reading: Reading, measure_name: str) -> dict[str, float]:
    from scipy.stats import spearmanr

    here, there = found[reading], found[REFERENCE]
    values = [[getattr(spots[name], measure_name) for name in there] for spots in (here, there)]
    signs = [
        [np.array(_difference(spots, a, b, measure_name)) for spots in (here, there)] for a, b in combinations(there, 2)
    ]
    turned = [(one, other) for one, other in signs if one[0] * other[0] < 0]
    decided = sum(bool(one[1] * one[2] > 0 and other[1] * other[2] > 0) for one, other in turned)
    rank = float(spearmanr(*values).statistic)
    return {"correlation": rank, "turned": len(turned), "of": len(signs), "decided": decided}


def _difference(spots: Mapping[str, Spot], a: str, b: str, measure_name: str) -> Effect:
    which = MEASURES.index(measure_name)
    value = getattr(spots[a], measure_name) - getattr(spots[b], measure_name)
    return Effect.of(value, spots[a].draws[which] - spots[b].draws[which])


def advantage(spots: Mapping[str, Spot], ours: Sequence[str], others: Sequence[str]) -> dict[str, Effect]:
    """How much lower (better) the mean of ``ours`` is than the mean of ``others``, by measure, and ``both``.

    ``both`` is the smaller of the two: above 0 only where alignment *and* uniformity are better (claim C30).
    """
    values = np.array([[getattr(spots[n], m) for m in MEASURES] for n in (*others, *ours)])
    draws = np.array([spots[n].draws for n in (*others, *ours)])
    k = len(others)
    gain, gains = values[:k].mean(0) - values[k:].mean(0), draws[:k].mean(0) - draws[k:].mean(0)
    found = {name: Effect.of(gain[i], gains[i]) for i, name in enumerate(MEASURES)}
    return found | {"both": Effect.of(gain.min(), gains.min(axis=0))}
