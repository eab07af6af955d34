"""Rules on what metrics can be: identities and inequalities of Table VI, and scores that are fractions of known size."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from jtcse.paper.audit.finding import STRENGTHS, TOLERANCE, Finding, Interval, called, numbers_of, rule, short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandas import DataFrame

CONTRADICTION, TENSION, NOTE = STRENGTHS
COARSE = 1.0  # points
SAME = (("MAP@1", "RECALL@1"), ("MRR@1", "PRECISION@1"))
"""Equal for each query: the average precision of one rank is its recall; the first rank's reciprocal is its precision."""


def _at_most() -> Iterator[tuple[str, float, str, float, str]]:
    """(a, factor of a, b, factor of b, why): for each query, and so for every mean over queries and tasks, a <= b."""
    for metric, why in (
        ("MAP", "more ranks only add to the sum over relevant ones"),
        ("MRR", "the first relevant rank can only come into view"),
        ("RECALL", "more ranks can only find more"),
    ):
        for low, high in ((1, 5), (5, 10)):
            yield f"{metric}@{low}", 1, f"{metric}@{high}", 1, why
    for low, high in ((1, 5), (5, 10)):
        yield f"PRECISION@{low}", low, f"PRECISION@{high}", high, "k times the precision at k counts the hits"
    for k in (1, 5, 10):
        yield f"MAP@{k}", 1, f"RECALL@{k}", 1, "each hit adds a precision of at most 1"
        yield f"RECALL@{k}", 1, f"PRECISION@{k}", k, "there is at least one relevant document"
        yield f"MRR@{k}", 1, f"PRECISION@{k}", k, "a reciprocal rank above 0 needs a hit"
    for k in (5, 10):
        yield "PRECISION@1", 1, f"MRR@{k}", 1, "a hit at the first rank has the reciprocal rank 1"
    yield "NDCG@1", 1, "PRECISION@1", 1, "the gain of the first rank is at most the ideal one, and 0 without a hit"


@rule
def retrieval(frame: DataFrame) -> Iterator[Finding | None]:
    """Table VI against what follows from the metrics' definitions, each value with its rounding.

    Not tested, since nothing follows: MAP@k against MRR@k, nDCG over k, precision over k.
    """
    texts = numbers_of(frame)
    for model in dict.fromkeys(frame[frame["place"] == "table6"]["column"]):
        for a, b in SAME:
            ids = f"table6/{a}/{model}", f"table6/{b}/{model}"
            if all(id in texts for id in ids):
                yield _identity(*ids, texts)
        for a, factor_a, b, factor_b, why in _at_most():
            ids = f"table6/{a}/{model}", f"table6/{b}/{model}"
            if all(id in texts for id in ids):
                left, right = Interval.of(texts[ids[0]]).times(factor_a), Interval.of(texts[ids[1]]).times(factor_b)
                broken = left.low > right.high + TOLERANCE
                yield _inequality(*ids, texts, (factor_a, factor_b), why) if broken else None


def _identity(first: str, second: str, texts: dict[str, str]) -> Finding | None:
    gap = Interval.of(texts[first]).gap(Interval.of(texts[second]))
    if not gap:
        return None
    a, b, model = first.split("/")[1], second.split("/")[1], first.rpartition("/")[2]
    return Finding(
        "metric identity", TENSION, "table6", (first, second),
        {a: float(texts[first]), b: float(texts[second]), "gap": gap},
        f"For {model}, {a} is {texts[first]} and {b} is {texts[second]}; by definition they are equal for every query, and "
        "rounding does not bring them together. Two evaluators that break ties between documents differently would explain it.",
    )  # fmt: skip


def _inequality(first: str, second: str, texts: dict[str, str], factors: tuple[float, float], why: str) -> Finding:
    a, b, model = first.split("/")[1], second.split("/")[1], first.rpartition("/")[2]
    named = [f"{factor:g} times {name}" if factor != 1 else name for factor, name in zip(factors, (a, b), strict=True)]
    return Finding(
        "metric order", CONTRADICTION, "table6", (first, second), {a: float(texts[first]), b: float(texts[second])},
        f"For {model}, {a} is {texts[first]} and {b} is {texts[second]}, but {named[0]} cannot exceed {named[1]}: {why}.",
    )  # fmt: skip


@rule
def granularity(frame: DataFrame) -> Iterator[Finding | None]:
    """Scores that can only take certain values, tested against the grid of those values.

    ``sizes.csv`` says of which sets: accuracy over a number of runs on n items is a whole number over runs times n;
    Spearman's correlation of n pairs without ties in the predictions has, for each pattern of ties in the labels, its own
    grid. A value off the grid was not measured in that way (or not on that version of the set).
    """
    texts = numbers_of(frame)
    for size in sizes().itertuples():
        for id in _cells_of(size, frame, texts):
            yield None if _on_grid(texts[id], size) else _off_grid(id, texts[id], size)


def _cells_of(size: Any, frame: DataFrame, texts: dict[str, str]) -> list[str]:
    """Ids of the known scores on a set."""
    return [id for id in frame.index[(frame["place"] == size.place) & (frame["row"] == size.task)] if id in texts]


@rule
def coarse(frame: DataFrame) -> Iterator[Finding | None]:
    """Sets so small that the smallest possible difference is larger than most differences of the paper."""
    texts = numbers_of(frame)
    for size in sizes().itertuples():
        ids = _cells_of(size, frame, texts)
        different = len({texts[id] for id in ids})
        if ids:
            yield None if step(size) <= COARSE else Finding(
                "coarse set", NOTE, size.place, tuple(ids), {"n": float(size.n), "step": step(size), "different": different},
                f"{size.task} of {short(size.place)} has {size.n} {'pairs' if size.kind == 'spearman' else 'items'}: scores "
                f"lie {step(size):.2f} points apart or are equal, and {len(ids)} systems show {different} different ones. "
                "Its ranking says little, yet it weighs in the average like the others.",
            )  # fmt: skip


def grids(frame: DataFrame) -> DataFrame:
    """Per set of known small size: pairs or items, points between possible scores, how many printed scores are on the grid.

    ``by chance`` is the share of scores with two decimals that would be on it.
    """
    import pandas as pd

    texts, rows = numbers_of(frame), []
    for size in sizes().itertuples():
        held = [_on_grid(texts[id], size) for id in _cells_of(size, frame, texts)]
        apart = step(size)
        rows.append(
            {"place": size.place, "task": size.task, "n": size.n, "runs": size.runs, "points apart": apart,
             "printed": len(held), "on the grid": sum(held), "by chance": min(1.0, 0.01 / apart)}
        )  # fmt: skip
    return pd.DataFrame(rows)


def step(size: Any) -> float:
    """Points between neighbouring possible scores of a row of ``sizes``."""
    if size.kind == "accuracy":
        return 100 / (size.n * size.runs)
    grid = spearman_grid(size.n, size.ties)
    return 100 * min(b - a for a, b in pairwise(grid))


def _on_grid(text: str, size: Any) -> bool:
    held = Interval.of(text)
    if size.kind == "accuracy":
        unit = step(size)
        return math.floor(held.high / unit + 1e-9) >= math.ceil(held.low / unit - 1e-9)
    return any(held.low - 1e-9 <= 100 * value <= held.high + 1e-9 for value in spearman_grid(size.n, size.ties))


def _off_grid(id: str, text: str, size: Any) -> Finding:
    place = id.partition("/")[0]
    how = f"{size.n} items in {size.runs} runs" if size.kind == "accuracy" else f"{size.n} pairs"
    return Finding(
        "granularity", TENSION, place, (id,), {"printed": float(text), "n": float(size.n), "step": step(size)},
        f"{short(place)} has {text} as {called(id)}; {how} can only give multiples that lie {step(size):.3f} points "
        "apart, and none of them rounds to it. Another version of the set, or another number of runs, would explain it.",
    )  # fmt: skip


@lru_cache
def spearman_grid(n: int, ties: str) -> tuple[float, ...]:
    """Spearman correlations that n untied predictions can have with labels of two values.

    Args:
        n: pairs.
        ties: how many pairs have the lower and the higher label, such as "3 5".

    Returns:
        The possible values, ascending: with two labels only the rank sum of the lower ones matters.
    """
    low, high = map(int, ties.split())
    if low + high != n:
        raise ValueError(f"ties {ties!r} do not make {n} pairs")
    ranks = (low + 1) / 2, low + (high + 1) / 2
    mean = (n + 1) / 2
    labels = low * (ranks[0] - mean) ** 2 + high * (ranks[1] - mean) ** 2
    predictions = n * (n * n - 1) / 12
    sums = range(low * (low + 1) // 2, low * (2 * n - low + 1) // 2 + 1)
    scale = math.sqrt(labels * predictions)
    return tuple(sorted(((ranks[0] - ranks[1]) * (s - low * mean)) / scale for s in sums))


@lru_cache
def sizes() -> DataFrame:
    """Test sets of known small size: ``place``, ``task``, ``kind``, ``n``, ``runs``, ``ties``, ``source``."""
    from importlib import resources

    import pandas as pd

    with (resources.files("jtcse.paper") / "sizes.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream, keep_default_na=False)
