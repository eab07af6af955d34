"""The cost of a tower by the rule of ``thop``, which the paper's footnote 13 names, and what its printed costs agree with."""

from __future__ import annotations

from jtcse.core.record import Metric
from jtcse.evaluation.cost import GIGA, Shape, closed_form

TOKENS = 64
"""The maximum length of the authors' scripts, and the one at which the printed costs are nearly met."""
TOWERS = {
    "EDFSE-BERT": 6,
    "JTCSE-BERT": 2,
    "JTCSE_D-BERT": 1,
    "TwinEncoderUntrained-BERT": 2,
    "TNCSE-BERT": 2,
}
"""Rows of Table VII to BERT-base towers a sentence passes. Rows whose numbers are lost are left out."""


def by_thop(shape: Shape, tokens: int) -> int:
    """MACs of one sentence as ``thop`` (0.1.1, named in the paper's footnote 13) counts them, in closed form.

    It looks at modules alone: a linear layer counts its input width for each number that it gives (no bias), a LayerNorm 4 a
    number; a tower has 2 L + 1 of these. Products that are no module (queries times keys, weights times values) and modules
    that it has no rule for (embeddings, GELU, tanh) count nothing. A test counts a tower so, module by module.
    """
    parts = closed_form(shape, tokens)
    norms = (2 * shape.layers + 1) * 4 * shape.width * tokens
    return parts["projections"] + parts["feed-forward"] + parts["pooler"] + norms


def countings(shape: Shape, heads: int, tokens: int) -> dict[str, int]:
    """Ways to count one tower, each with what is added to the one before; the printed cost is held against them."""
    parts, rows = closed_form(shape, tokens), shape.layers * tokens
    layers = parts["projections"] + parts["feed-forward"]
    steps = {
        "layers' weights": layers,
        "+ pooler": parts["pooler"],
        "+ LayerNorms, 4 a number: thop": by_thop(shape, tokens) - layers - parts["pooler"],
        "+ biases": rows * (5 * shape.width + shape.inner) + shape.width,
        "+ softmax (thop's rule for modules)": rows * heads * (3 * tokens - 1),
        "+ GELU, 1 a number": rows * shape.inner,
    }
    totals, total = {}, 0
    for name, macs in steps.items():
        total += macs
        totals[name] = total
    return totals | {"matrix products, all of them": sum(parts.values())}


def agrees(macs: float, printed: float, half_unit: float) -> bool:
    """Whether a count, in GMAC, is the printed number when rounded as that is."""
    return abs(macs / GIGA - printed) <= half_unit


def length_for(shape: Shape, gmac: float) -> tuple[int, int]:
    """The last whole number of tokens whose count by thop's rule stays within a cost in GMAC, and the next one."""
    tokens = 1
    while by_thop(shape, tokens + 1) <= gmac * GIGA:
        tokens += 1
    return tokens, tokens + 1


def table7_metrics() -> list[Metric]:
    """The costs that answer Table VII's, by thop's rule for BERT-base at ``TOKENS``, which is what the paper used.

    They are counts: no profile, machine or seed changes them. ``n`` is the number of tokens.
    """
    one = by_thop(Shape(), TOKENS) / GIGA
    return [
        Metric(name=f"table7/{model}/gmac", value=count * one, unit="GMAC", n=TOKENS) for model, count in TOWERS.items()
    ]
