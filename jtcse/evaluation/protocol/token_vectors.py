"""Vectors of token sequences under any pooling, out of one pass through a stock tower.

Sizes: n sequences, l tokens of the longest one in a batch, d width. Vectors are float32 whatever they were computed in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from jtcse.core.device import products_in
from jtcse.encoders.batches import padded, token_ids
from jtcse.encoders.loading import usable_positions
from jtcse.encoders.pooling import BESIDE_LAST, pool

Tokens = tuple[int, ...]


class Vectors:
    """Vectors of token sequences; each sequence is computed once a pooling, whatever text it came from.

    Args:
        model, tokenizer: a stock tower.
        always: poolings that are kept of every sequence, since they will be asked for.
    """

    def __init__(self, model, tokenizer, always: Sequence[str] = ()) -> None:
        self.always = tuple(always)
        self.model, self.tokenizer, self.longest = model.eval(), tokenizer, usable_positions(model)
        self._found: dict[tuple[str, str], dict[Tokens, np.ndarray]] = {}  # by pooling and number format
        self._read: dict[str, Tokens] = {}

    def tokens(self, sentences: Sequence[str], max_length: int | None = None) -> list[Tokens]:
        """What the encoder reads of each sentence; a cut one keeps its last token, the separator."""
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self._read]
        if new:
            ids = token_ids(new, self.tokenizer, self.longest)
            self._read.update((sentence, tuple(row)) for sentence, row in zip(new, ids, strict=True))
        return [_cut(self._read[sentence], max_length or self.longest) for sentence in sentences]

    def __call__(self, tokens: Sequence[Tokens], pooling: str, precision: str = "fp32") -> np.ndarray:
        """(n, d) float32, in order."""
        self.prepare(tokens, [pooling], precision)
        return np.stack([self._found[pooling, precision][row] for row in tokens])

    @torch.inference_mode()
    def prepare(self, tokens: Sequence[Tokens], poolings: Sequence[str], precision: str = "fp32") -> None:
        """Compute what is missing in a number format, all poolings in one pass."""
        poolings = list(dict.fromkeys((*poolings, *self.always)))
        known = [self._found.setdefault((name, precision), {}) for name in poolings]
        missing = [row for row in dict.fromkeys(tokens) if any(row not in found for found in known)]
        deep = not BESIDE_LAST.keys().isdisjoint(poolings)
        place = next(self.model.parameters()).device
        for rows, ids, mask in padded(missing, self.tokenizer.pad_token_id, place):
            with products_in(precision, place):
                output = self.model(input_ids=ids, attention_mask=mask, output_hidden_states=deep)
            for name, found in zip(poolings, known, strict=True):
                vectors = pooled(output, mask, name).float().cpu().numpy()
                found.update(zip([missing[i] for i in rows], vectors, strict=True))


def _cut(tokens: Tokens, limit: int) -> Tokens:
    return tokens if len(tokens) <= limit else (*tokens[: limit - 1], tokens[-1])


def pooled(output, mask: Tensor, pooling: str) -> Tensor:
    """``encoder.pool`` with one pooling more: (n, d); ``mean_words`` leaves out the first and the last token."""
    if pooling == "mean_words":
        words = mask.clone()
        words[:, 0] = 0
        words[torch.arange(len(words)), mask.sum(1) - 1] = 0
        return pool(output, torch.where(words.any(1, keepdim=True), words, mask), "mean")
    return pool(output, mask, pooling)
