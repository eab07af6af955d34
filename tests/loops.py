"""The paper's losses once more, from their formulas, in plain Python on lists of floats: for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt

Vector = Sequence[float]
Rows = Sequence[Vector]


def dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def length(a: Vector) -> float:
    return sqrt(dot(a, a))


def cosine(a: Vector, b: Vector) -> float:
    return dot(a, b) / (length(a) * length(b))


def modulus_ratio(a: Vector, b: Vector) -> float:
    """Eq. 1."""
    return length([x - y for x, y in zip(a, b, strict=True)]) / (length(a) + length(b))


def info_nce(h: Rows, h_plus: Rows, tau: float) -> float:
    """Eq. 11 with the n-1 other sentences as negatives."""
    total = 0.0
    for i, anchor in enumerate(h):
        positive = exp(cosine(anchor, h_plus[i]) / tau)
        negatives = 0.0
        for j, other in enumerate(h_plus):
            if j != i:
                negatives += exp(cosine(anchor, other) / tau)
        total -= log(positive / (positive + negatives))
    return total / len(h)


def over_all_views(a: Sequence[Rows], b: Sequence[Rows], tau: float) -> float:
    """The released form: each of the 2n rows of ``a`` is an anchor, its positive the other view in ``b``.

    The row of ``b`` with the same sentence and the same view is no candidate.
    """
    n, total = len(a[0]), 0.0
    for view in (0, 1):
        for i in range(n):
            anchor, positive, all_candidates = a[view][i], 0.0, 0.0
            for other_view in (0, 1):
                for j in range(n):
                    if (other_view, j) == (view, i):
                        continue
                    weight = exp(cosine(anchor, b[other_view][j]) / tau)
                    all_candidates += weight
                    if j == i:
                        positive = weight
            total -= log(positive / all_candidates)
    return total / (2 * n)


def ictm(h: Sequence[Sequence[Rows]], p: Sequence[Sequence[Rows]], *, other_view: int, factor: float) -> float:
    """Eq. 14: ``h[tower][view][sentence]``; the cosine is of view 1 and the other tower's ``other_view``."""
    total, n = 0.0, len(h[0][0])
    for own, other in ((0, 1), (1, 0)):
        for s in range(n):
            direction = max(cosine(h[own][0][s], h[other][other_view][s]), 1e-4)
            total -= log(direction) * factor * modulus_ratio(p[own][0][s], p[other][1][s]) / n
    return total
