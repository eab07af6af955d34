"""Vectors under several poolings from one pass (Table XI), with both readings of its "first layer"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from jtcse.core.device import products_in
from jtcse.encoders.batches import padded, token_ids
from jtcse.encoders.encoder import TowerEncoder
from jtcse.encoders.pooling import BESIDE_LAST, pool

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
    deep = not BESIDE_LAST.keys().isdisjoint(poolings)
    for tower in towers:
        ids = token_ids(sentences, tower.tokenizer, tower.max_length)
        tower.model.eval()
        with products_in("fp32", tower.device):
            for rows, tokens, mask in padded(ids, tower.tokenizer.pad_token_id, tower.device, TOKENS):
                output = tower.model(input_ids=tokens, attention_mask=mask, output_hidden_states=deep)
                for name in found:
                    found[name][rows] += pool(output, mask, name).float().cpu().numpy()
    return found
