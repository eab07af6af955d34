"""Linear layers of a tower on a CPU while it encodes: weights packed once, bias and GELU inside of the matrix product.

Stock layers write the bias, add the product, and read everything again for GELU: in narrow towers that is a third of the time.
oneDNN's own operators, which torch has for its compiler, do it in one pass. In fp32 they are used where they add in the same
order as the stock layer, so that vectors keep their bits; where a torch has not these operators, everything stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial

import torch
from torch import Tensor, nn

LIKELY_ROWS = 4096
"""Tokens of a batch, for which oneDNN chooses its layout; any other number works as well."""
FEWEST_ROWS = 256
"""With fewer tokens the stock layer runs: its library takes other kernels there, which add in another order."""

LONGEST_SUM = 384
"""In fp32: the widest input that both libraries add up in one run and so to the same bits; wider ones they cut differently."""


@contextmanager
def packed(model: nn.Module, dtype: torch.dtype, tokens: int) -> Iterator[None]:
    """The model's linear layers packed in a number format while the block runs, without gradients.

    ``tokens``: how many will be read inside; a few are not worth the packing.
    """
    changed: list[nn.Module] = []
    if tokens >= LIKELY_ROWS and next(model.parameters()).device.type == "cpu" and usable(dtype):
        for module in model.modules():
            if isinstance(module, nn.Linear) and module.bias is not None:
                _change(module, module, dtype, "none", changed)
            elif _is_gelu_of_linear(module):
                _change(module, module.dense, dtype, "gelu", changed)
    try:
        yield
    finally:
        for module in changed:
            del module.forward


@cache
def usable(dtype: torch.dtype) -> bool:
    """Whether this torch has the operators and this processor the format."""
    with suppress(AttributeError, RuntimeError):
        row = torch.ones(1, 16, dtype=dtype)
        found = _linear(row, _pack(torch.ones(16, 16, dtype=dtype)), row[0], "gelu")
        return bool(torch.isfinite(found).all())
    return False


def _is_gelu_of_linear(module: nn.Module) -> bool:
    """Whether a module is a stock layer's first feed-forward half with the exact GELU."""
    act = getattr(module, "intermediate_act_fn", None)
    exact = type(act).__name__ == "GELUActivation" and getattr(act, "act", None) is nn.functional.gelu
    return exact and isinstance(getattr(module, "dense", None), nn.Linear)


def _change(module: nn.Module, linear: nn.Linear, dtype: torch.dtype, then: str, changed: list[nn.Module]) -> None:
    if "forward" in vars(module) or (dtype == torch.float32 and linear.in_features > LONGEST_SUM):
        return
    weight, bias = linear.weight.detach().to(dtype), linear.bias.detach().to(dtype)
    module.forward = partial(_forward, module.forward, _pack(weight), bias, then)
    changed.append(module)


def _forward(stock, weight: Tensor, bias: Tensor, then: str, x: Tensor) -> Tensor:
    if x.numel() // x.shape[-1] < FEWEST_ROWS:
        return stock(x)
    return _linear(x.to(bias.dtype), weight, bias, then)


def _pack(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight, LIKELY_ROWS)


def _linear(x: Tensor, weight: Tensor, bias: Tensor, then: str) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, then, [], "none" if then == "gelu" else "")
