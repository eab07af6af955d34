"""The cost of a tower by the rule of ``thop``, which the paper's footnote 13 names, and what its printed costs agree with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from jtcse.core.errors import UserError
from jtcse.evaluation.cost import GIGA, Shape, closed_form

if TYPE_CHECKING:
    from jtcse.core.record import Metric

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


def thop_macs(model: nn.Module, call: Callable[[], Any]) -> int:
    """MACs of a call as ``thop`` (0.1.1, named in the paper's footnote 13) counts them, out of this implementation of its rule.

    It looks at modules without children, each time one is called: a linear layer counts its input width for each number
    that it gives (no bias); a LayerNorm 4 a number, 2 without weights of its own. Products that are no module (queries
    times keys, weights times values) and modules that it has no rule for (embeddings, GELU, tanh) count nothing. It has
    rules for other modules (convolutions, recurrent layers), which stock towers do not hold: those are refused here.

    Raises:
        UserError: the model holds a module that ``thop`` may count and this does not.
    """
    total = 0

    def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal total
        total += _thop_rule(module, inputs[0].numel(), output.numel())

    leaves = [module for module in model.modules() if not list(module.children())]
    handles = [leaf.register_forward_hook(hook) for leaf in leaves if isinstance(leaf, nn.Linear | nn.LayerNorm)]
    if other := {type(leaf).__name__ for leaf in leaves if _unknown_to_us(leaf)}:
        raise UserError(f"found {', '.join(sorted(other))}; this count by thop's rule is for BERT-like towers only")
    try:
        call()
    finally:
        for handle in handles:
            handle.remove()
    return total


def _thop_rule(module: nn.Module, read: int, given: int) -> int:
    if isinstance(module, nn.Linear):
        return module.in_features * given
    return read * (4 if module.elementwise_affine else 2)


def _unknown_to_us(leaf: nn.Module) -> bool:
    """Modules of other libraries (transformers' GELU) are nothing to thop, unless it has a rule for what they are."""
    known = nn.Linear | nn.LayerNorm | nn.Embedding | nn.Dropout | nn.Identity | nn.Tanh | nn.GELU
    weighs = any(True for _ in leaf.parameters()) or type(leaf).__module__.startswith("torch.nn")
    return weighs and not isinstance(leaf, known)


def by_thop(shape: Shape, tokens: int) -> int:
    """``thop_macs`` of a stock tower in closed form: no attention products, and 4 d l for each of its 2 L + 1 LayerNorms."""
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


def length_for(shape: Shape, gmac: float, count: Callable[[Shape, int], int] = by_thop) -> tuple[int, int]:
    """The last whole number of tokens whose count stays within a cost in GMAC, and the next one."""
    tokens = 1
    while count(shape, tokens + 1) <= gmac * GIGA:
        tokens += 1
    return tokens, tokens + 1


def table7_metrics(
    shape: Shape | None = None, towers: Mapping[str, int] = TOWERS, tokens: int = TOKENS
) -> list[Metric]:
    """The costs that answer Table VII's, by thop's rule for BERT-base at ``tokens``, which is what the paper used.

    They are counts: no profile, machine or seed changes them. ``n`` is the number of tokens.
    """
    from jtcse.core.record import Metric

    one = by_thop(shape or Shape(), tokens) / GIGA
    return [
        Metric(name=f"table7/{model}/gmac", value=count * one, unit="GMAC", n=tokens) for model, count in towers.items()
    ]
