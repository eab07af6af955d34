"""Vectors under several poolings from one pass (Table XI), with both readings of its "first layer"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from jtcse.core.device import products_in
from jtcse.encoders.batches import length_batches, pad
from jtcse.encoders.encoder import TowerEncoder
from jtcse.encoders.pooling import pool

TOKENS = 4096  # of a batch whose hidden states of all layers are held


class Known:
    """Vectors that were computed before, as an encoder."""

    def __init__(self, sentences: Sequence[str], vectors: np.ndarray) -> None:
        self._row, self._vectors = {sentence: row for row, sentence in enumerate(sentences)}, vectors

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        return self._vectors[[self._row[sentence] for sentence in sentences]]


@torch.inference_mode()
def pooled(towers: Sequence[TowerEncoder], sentences: Sequence[str], poolings: Sequence[str]) -> dict[str, np.ndarray]:
    """Vectors of distinct sentences under several poolings at once, summed over towers: (n, d) float32 each."""
    found = {name: np.zeros((len(sentences), towers[0].model.config.hidden_size), np.float32) for name in poolings}
    for tower in towers:
        place = next(tower.model.parameters()).device
        limits = {"truncation": True, "max_length": tower.max_length, "return_attention_mask": False}
        ids = tower.tokenizer(list(sentences), return_token_type_ids=False, **limits)["input_ids"]
        tower.model.eval()
        for rows in length_batches([len(i) for i in ids], TOKENS):
            tokens, mask = (t.to(place) for t in pad([ids[r] for r in rows], tower.tokenizer.pad_token_id))
            with products_in("fp32", place):
                output = tower.model(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
            for name in found:
                found[name][rows] += pool(output, mask, name).float().cpu().numpy()
    return found
