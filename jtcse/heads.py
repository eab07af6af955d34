"""What systems put on a sentence vector in training only. Sizes: n vectors, d width."""

from __future__ import annotations

import torch
from torch import nn


def make_head(kind: str, width: int, seed: int) -> nn.Module:
    """A projection head with fresh weights, (n, d) -> (n, d).

    Args:
        kind: ``none``; ``mlp``, dense and tanh (SimCSE, the shape of BERT's pooler); ``bn``, dense to 2 d without bias, batch
            norm, ReLU, dense to d without bias, batch norm without scale and shift (DiffCSE, InfoCSE). Each process of several
            takes the batch statistics of its own share.
        width: d.
        seed: of the weights.
    """
    if kind == "none":
        return nn.Identity()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "mlp":
            dense = nn.Linear(width, width)
            nn.init.normal_(dense.weight, std=0.02)  # as BERT's own layers start
            nn.init.zeros_(dense.bias)
            return nn.Sequential(dense, nn.Tanh())
        return nn.Sequential(
            nn.Linear(width, 2 * width, bias=False),
            nn.BatchNorm1d(2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, width, bias=False),
            nn.BatchNorm1d(width, affine=False),
        )
