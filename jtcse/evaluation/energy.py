"""The CLS energy weight (Eq. 6) of an encoder under every reading that the paper leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from jtcse.encoders.batches import pad, token_ids
from jtcse.encoders.encoder import SumEncoder, TowerEncoder
from jtcse.evaluation.geometry import cls_energy_weight, layer_states

LONGEST = 64  # tokens of a sentence


class Reading(NamedTuple):
    """One way to take Eq. 6; its text is its name in files and tables."""

    squared: bool
    separator: bool
    heads: bool
    layers: str

    def __str__(self) -> str:
        words = ["squared" if self.squared else "plain", "with [SEP]" if self.separator else "without [SEP]"]
        return ", ".join(
            [*words, "per head" if self.heads else "whole vectors", f"{self.layers} layer{'s' * self.all}"]
        )

    @property
    def all(self) -> bool:
        """Whether it is the mean over layers."""
        return self.layers == "all"


REFERENCE = Reading(False, True, False, "all")
"""Norms as the prose of the paper has them, every other token, the context as one vector, mean over layers."""


def readings() -> list[Reading]:
    """All of them, ``REFERENCE`` first."""
    found = [Reading(*values) for values in product((False, True), (True, False), (False, True), ("all", "last"))]
    return sorted(found, key=lambda reading: reading != REFERENCE)


@torch.no_grad()
def energies(encoder: TowerEncoder | SumEncoder, sentences: Sequence[str]) -> dict[str, float]:
    """Mean of Eq. 6 over sentences (and heads, and layers) for each reading; of a sum of towers the mean over them.

    Args:
        sentences: at least one word each; cut at 64 tokens.
    """
    towers = encoder.encoders if isinstance(encoder, SumEncoder) else [encoder]
    found = [_tower(tower, list(sentences)) for tower in towers]
    return {name: float(np.mean([values[name] for values in found])) for name in found[0]}


def _tower(tower: TowerEncoder, sentences: list[str]) -> dict[str, float]:
    ids = token_ids(sentences, tower.tokenizer, min(LONGEST, tower.max_length))
    tokens, mask = (part.to(tower.device) for part in pad(ids, tower.tokenizer.pad_token_id))
    _, contexts = layer_states(tower.model, {"input_ids": tokens, "attention_mask": mask})
    found = {}
    for reading in readings():
        options = {"squared": reading.squared, "separator_counts": reading.separator}
        chosen = contexts if reading.all else contexts[-1:]
        shaped = [c if reading.heads else c.transpose(1, 2).flatten(-2) for c in chosen]
        means = [cls_energy_weight(c, mask, **options).mean().item() for c in shaped]
        found[str(reading)] = float(np.mean(means))
    return found
