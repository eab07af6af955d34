"""Inside a tower, sentence by sentence: moduli of its states and what its attention looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from jtcse.encoders.batches import pad, token_ids
from jtcse.encoders.loading import usable_positions
from jtcse.evaluation.geometry import attention_received, layer_states, punctuation_tokens
from jtcse.evaluation.readings import Effect

KINDS = {"cls": "[CLS]", "sep": "[SEP]", "final_punctuation": "final mark", "others": "all others"}
EXAMPLE = "This is an example sentence for visualizing attention scores."  # the input of Fig. 9, from its caption
AT_ONCE = 64  # sentences whose attention maps are held together
LONGEST = 64  # tokens of a sentence, the paper's length in training


class Moduli(NamedTuple):
    """2-norms of a tower's states, for L layers, n sentences and m tokens in all.

    Layer 0 is the embedding layer. ``owner`` says which sentence a token is of; ``pooler`` are lengths after dense and tanh.
    """

    cls: np.ndarray  # (L + 1, n)
    tokens: np.ndarray  # (L + 1, m), all real tokens, [CLS] and [SEP] among them
    owner: np.ndarray  # (m,)
    pooler: np.ndarray  # (n,)
    width: int


def _batches(model, tokenizer, sentences: Sequence[str]):
    place = next(model.parameters()).device
    longest = min(LONGEST, usable_positions(model))
    for start in range(0, len(sentences), AT_ONCE):
        tokens, mask = pad(token_ids(sentences[start : start + AT_ONCE], tokenizer, longest), tokenizer.pad_token_id)
        yield start, {"input_ids": tokens.to(place), "attention_mask": mask.to(place)}


@torch.no_grad()
def moduli(model, tokenizer, sentences: Sequence[str]) -> Moduli:
    """Moduli after every layer and after the pooler, of a stock BERT or RoBERTa encoder with a pooler, in float32.

    Sentences are cut at ``LONGEST`` tokens.
    """
    cls, tokens, owner, pooler = [], [], [], []
    model.eval()
    for start, batch in _batches(model, tokenizer, sentences):
        output = model(**batch, output_hidden_states=True)
        norms = torch.stack(output.hidden_states).norm(dim=-1).cpu()  # (L + 1, b, l)
        real = batch["attention_mask"].bool().cpu()
        cls.append(norms[:, :, 0])
        tokens.append(norms[:, real])
        owner.append(start + real.nonzero()[:, 0])
        pooler.append(output.pooler_output.norm(dim=-1).cpu())
    joined = [torch.cat(parts, dim=-1).numpy() for parts in (cls, tokens, owner, pooler)]
    return Moduli(*joined, model.config.hidden_size)


@torch.no_grad()
def length_by_layer_norm(model) -> float:
    """Length after the last LayerNorm of a state whose normalised coordinates are all 1 or -1: root of sum(gain^2 + bias^2)."""
    norm = model.encoder.layer[-1].output.LayerNorm
    return float((norm.weight.double().square() + norm.bias.double().square()).sum().sqrt())


def sinks(model, tokenizer, sentences: Sequence[str]) -> dict[str, np.ndarray]:
    """Fig. 9 sentence by sentence: the share of attention that each kind of token receives.

    Returns:
        ``cls``, ``sep``, ``final_punctuation``, ``others``: (L, n), summing to 1 over the kinds (heads and queries averaged);
        ``one_token``: (n,), the share of one token if attention were even; ``marked``: (n,), 1 where the token before [SEP]
        is punctuation.
    """
    layers, one_token, marked = [], [], []
    for _, batch in _batches(model, tokenizer, sentences):
        mask = batch["attention_mask"]
        attentions, _ = layer_states(model, batch)
        marks = punctuation_tokens(tokenizer, batch["input_ids"])
        layers += [_one(attentions, mask, marks, i) for i in range(len(mask))]
        lengths = mask.sum(1)
        one_token += (1 / lengths.double()).tolist()
        marked += marks[torch.arange(len(mask)), (lengths - 2).clamp_min(0)].double().tolist()
    shares = {kind: np.array([[layer[kind] for layer in row] for row in layers]).T for kind in KINDS}
    return shares | {"one_token": np.array(one_token), "marked": np.array(marked)}


def _one(attentions: Sequence[Tensor], mask: Tensor, marks: Tensor, row: int) -> list[dict[str, float]]:
    """``attention_received`` of one sentence, its padding cut off."""
    here, length = slice(row, row + 1), int(mask[row].sum())
    cut = [a[here, :, :length, :length] for a in attentions]
    return attention_received(cut, mask[here, :length], marks[here, :length])


def excess(shares: dict[str, np.ndarray], kinds: Sequence[str], layer: int = -1) -> np.ndarray:
    """What some kinds of token receive above an even share in one layer, of each sentence: (n,), in points of attention."""
    tokens = sum(shares["marked"] if kind == "final_punctuation" else 1 for kind in kinds)
    received = sum(shares[kind][layer] for kind in kinds)
    return 100 * (received - tokens * shares["one_token"])


def over_sentences(
    statistic: Callable[..., np.ndarray], *samples: np.ndarray, resamples: int = 1000, seed: int = 0
) -> Effect:
    """A statistic of sentences with its 95 % percentile interval, sentences being drawn with replacement.

    Args:
        statistic: of arrays (..., n), with the keyword ``axis``, as NumPy's reductions.
        samples: (n,) each, of the same sentences.
    """
    from scipy.stats import bootstrap

    found = bootstrap(
        samples, statistic, paired=len(samples) > 1, vectorized=True, n_resamples=resamples, method="percentile",
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    low, high = found.confidence_interval
    return Effect(float(statistic(*samples, axis=-1)), float(low), float(high))


def variation(lengths: np.ndarray, axis: int = -1) -> np.ndarray:
    """Coefficient of variation, sd / mean: without unit."""
    return lengths.std(axis=axis) / lengths.mean(axis=axis)


def middle(lengths: np.ndarray, axis: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the middle 95 %."""
    low, high = np.percentile(lengths, (2.5, 97.5), axis=axis)
    return low, high


def relative_half_range(lengths: np.ndarray, axis: int = -1) -> np.ndarray:
    """Half the width of the middle 95 % over its centre, (high - low) / (high + low): without unit, 0 to 1."""
    low, high = middle(lengths, axis)
    return (high - low) / (high + low)
