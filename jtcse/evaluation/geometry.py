"""What sentence vectors and attention look like: alignment, uniformity, moduli, CLS energy weight, sinks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jtcse.core.errors import UserError
from jtcse.data.pairs import PairSet

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

POSITIVE_GOLD = 4.0  # gold score from which an STS-B pair counts as positive


class ModulusSpread(NamedTuple):
    """How vector lengths vary over sentences; ``variation`` = sd / mean has no unit."""

    mean: float
    sd: float
    variation: float


def positive_pairs(pairs: PairSet, threshold: float = POSITIVE_GOLD) -> tuple[list[str], list[str]]:
    """First and second sentences of the pairs with gold >= threshold.

    The paper does not say what its positive pairs are. In the manner of SimCSE we take the STS-B development
    pairs that people graded as nearly equal in meaning, a grade of exactly 4 included.

    Raises:
        UserError: no pair reaches the threshold.
    """
    chosen = np.flatnonzero(pairs.gold >= threshold)
    if not len(chosen):
        raise UserError(
            f"no pair of {pairs.name!r} has a gold score of {threshold:g} or more "
            f"(the highest is {max(pairs.gold, default=float('nan')):g}); lower the threshold"
        )
    return [pairs.first[i] for i in chosen], [pairs.second[i] for i in chosen]


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    r"""Eq. 16: :math:`E\,\lVert f(x)-f(x^+)\rVert_2^2` over positive pairs; 0 (best) to 4.

    Args:
        first, second: vectors of the two sides, shape (n, d); scaled to length 1 here (the paper speaks of
            the unit hypersphere but does not write the scaling down).
    """
    return float(np.mean(np.sum((unit(first) - unit(second)) ** 2, axis=1)))


def uniformity(vectors: np.ndarray, t: float = 2.0, *, rows_at_once: int = 1024) -> float:
    r"""Eq. 17: :math:`\log E\,e^{-t\lVert f(x)-f(y)\rVert_2^2}` over all pairs of different rows.

    At least -4t; the lower, the more evenly spread; 0 when all vectors point one way.

    Args:
        vectors: distinct sentences, shape (n, d); scaled to length 1 here.
        rows_at_once: rows of the n x n distances held in memory together.
    """
    units = unit(vectors)
    n = len(units)
    if n < 2:
        raise UserError(f"uniformity needs at least two vectors, found {n}")
    total = 0.0
    for start in range(0, n, rows_at_once):
        block = units[start : start + rows_at_once]
        kernel = np.exp(-t * (2 - 2 * block @ units[start:].T))  # (rows, n - start); column j is row start + j
        total += np.triu(kernel, k=1).sum()
    return float(np.log(total / (n * (n - 1) / 2)))


def modulus_spread(vectors: np.ndarray) -> ModulusSpread:
    """Mean, standard deviation and coefficient of variation of the row norms of (n, d)."""
    norms = np.linalg.norm(np.asarray(vectors, dtype=np.float64), axis=1)
    mean, sd = float(norms.mean()), float(norms.std())
    return ModulusSpread(mean, sd, sd / mean if mean else float("nan"))


def cls_energy_weight(context: Tensor, mask: Tensor, *, squared: bool = False, separator_counts: bool = True) -> Tensor:
    r"""Eq. 6: :math:`E_{CLS}=\lVert h_{cls}\rVert_2/\lVert H_{\setminus cls}\rVert_F` of each sentence.

    The print mixes up squares and indices and does not say whether [SEP] is among the other tokens, or how
    layers and heads are averaged; so both open points are arguments, and averaging is left to the caller.

    Args:
        context: context tensor (attention-weighted Values) of one layer: (n, l, d), or (n, h, l, d_h) for a
            weight of each head.
        mask: (n, l), 1 for real tokens; padding never counts.
        squared: the ratio of squared norms instead (the reading of the printed formula).
        separator_counts: whether the last real token ([SEP]) is among the others.
    Returns:
        (n,) or (n, h).
    """
    others = _real_tokens(mask)
    others[:, 0] = False
    if not separator_counts:
        others &= ~_last_real(mask)
    if not bool(others.any(dim=1).all()):
        raise UserError("a sentence has no token besides its special ones, so Eq. 6 divides by 0; leave it out")
    energy = context.double().square().sum(dim=-1)  # (n, l) or (n, h, l)
    weights = others if energy.ndim == 2 else others[:, None, :]
    ratio = energy[..., 0] / (energy * weights).sum(dim=-1)
    return ratio if squared else ratio.sqrt()


def attention_received(
    attentions: Sequence[Tensor], mask: Tensor, punctuation: Tensor | None = None
) -> list[dict[str, float]]:
    """Fig. 9 in numbers: the share of each layer's attention that goes to each kind of token.

    Args:
        attentions: one (n, h, l, l) a layer; rows (queries) sum to 1.
        mask: (n, l), 1 for real tokens, padding on the right.
        punctuation: (n, l), True at punctuation (``punctuation_tokens``); without it the final punctuation
            mark counts with the others.
    Returns:
        for each layer the shares ``cls``, ``sep``, ``final_punctuation`` (the token before [SEP], where it
        is punctuation) and ``others``, summing to 1: averaged over heads and real queries, then sentences.
    """
    kinds = _token_kinds(mask, punctuation)
    real = _real_tokens(mask).double()
    shares = []
    for attention in attentions:
        per_query = attention.double().mean(dim=1)  # (n, l, l)
        received = (per_query * real[:, :, None]).sum(dim=1) / real.sum(dim=1, keepdim=True)  # (n, l)
        shares.append({name: float((received * kind).sum(dim=1).mean()) for name, kind in kinds.items()})
    return shares


def punctuation_tokens(tokenizer: PreTrainedTokenizerBase, input_ids: Tensor) -> Tensor:
    """True where a token is nothing but punctuation (Unicode category P): bool, as ``input_ids`` (n, l)."""
    import unicodedata

    import torch

    ids = input_ids.unique().tolist()
    special = set(tokenizer.all_special_ids)
    texts = {i: "" if i in special else tokenizer.decode([i]).strip() for i in ids}
    marks = [i for i, text in texts.items() if text and all(unicodedata.category(c)[0] == "P" for c in text)]
    return torch.isin(input_ids, torch.tensor(marks, dtype=input_ids.dtype, device=input_ids.device))


def layer_states(model: PreTrainedModel, inputs: dict[str, Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Attention maps and context tensors (Eqs. 8 and 9) of every layer of a stock BERT or RoBERTa encoder.

    The model runs once without gradients or dropout, its attention being made visible for that one run.
    Context is that attention applied to the layer's own Value projection of the state before it.

    Args:
        model: a stock encoder from ``AutoModel``, as it was left, mode and attention included.
        inputs: what the tokenizer gives (``input_ids`` (n, l), ``attention_mask``, ...), where the model is.
    Returns:
        attentions, (n, h, l, l) a layer, and contexts, (n, h, l, d_h) a layer.
    Raises:
        UserError: the model is not of the BERT or RoBERTa families.
    """
    import torch

    layers = getattr(getattr(model, "encoder", None), "layer", None)
    if layers is None or not hasattr(layers[0], "attention") or not hasattr(layers[0].attention, "self"):
        raise UserError(
            f"{type(model).__name__} shows no encoder.layer[j].attention.self; give a BERT or RoBERTa encoder"
        )
    with torch.no_grad(), _visible_attention(model):
        output = model(**inputs, output_attentions=True, output_hidden_states=True)
        projections = [layer.attention.self.value for layer in layers]
        contexts = [
            attention @ project(state).unflatten(-1, (attention.shape[1], -1)).transpose(1, 2)
            for attention, project, state in zip(output.attentions, projections, output.hidden_states, strict=False)
        ]
    return list(output.attentions), contexts


@contextmanager
def _visible_attention(model: PreTrainedModel) -> Iterator[None]:
    """Eval mode with eager attention (the fused kernels return no maps); both are put back afterwards."""
    kernel, training = model.config._attn_implementation, model.training
    model.set_attn_implementation("eager")
    model.eval()
    try:
        yield
    finally:
        model.set_attn_implementation(kernel)
        model.train(training)


def _real_tokens(mask: Tensor) -> torch.BoolTensor:
    """mask (n, l) as bool; refuses anything but a run of real tokens followed by padding."""
    real = mask.bool()
    if not bool(real[:, 0].all()) or bool((real[:, 1:] & ~real[:, :-1]).any()):
        raise UserError("the attention mask has padding before or between tokens; pad on the right")
    return real.clone()


def _last_real(mask: Tensor) -> torch.BoolTensor:
    """True at the last real token ([SEP]) of each row: (n, l)."""
    real = _real_tokens(mask)
    real[:, :-1] &= ~real[:, 1:].clone()
    return real


def _token_kinds(mask: Tensor, punctuation: Tensor | None) -> dict[str, Tensor]:
    """Disjoint bool masks (n, l) that together cover the real tokens."""
    import torch

    cls = torch.zeros_like(_real_tokens(mask))
    cls[:, 0] = True
    sep = _last_real(mask)
    final = torch.zeros_like(cls)
    if punctuation is not None:
        final[:, :-1] = sep[:, 1:] & punctuation[:, :-1].bool()
    return {
        "cls": cls,
        "sep": sep,
        "final_punctuation": final,
        "others": _real_tokens(mask) & ~cls & ~sep & ~final,
    }


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of (n, d) scaled to length 1, float64."""
    vectors = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    broken = int(np.count_nonzero(~np.isfinite(norms) | (norms == 0)))
    if broken:
        raise UserError(f"{broken} of {len(vectors)} vectors are zero, NaN or infinite; check the model's weights")
    return vectors / norms
