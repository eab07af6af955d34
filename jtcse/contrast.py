"""What several contrastive systems share. Sizes: n sentences of a batch, q rows of a queue, d width."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Queue(nn.Module):
    """The last q vectors that were pushed, oldest first; they are buffers, so that a run that goes on has them.

    Args:
        size: q, at least 1.
        width: d.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("held", torch.zeros(size, width))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @property
    def full(self) -> bool:
        """Whether q vectors were pushed."""
        return int(self.count) == len(self.held)

    def rows(self) -> Tensor:
        """A copy of what is held, without gradient: (at most q, d)."""
        return self.held[len(self.held) - int(self.count) :].clone()

    @torch.no_grad()
    def push(self, vectors: Tensor) -> None:
        """Take (n, d) vectors in and drop the oldest."""
        size = len(self.held)
        self.held.copy_(torch.cat([self.held, vectors.to(self.held)])[-size:])
        self.count.copy_((self.count + len(vectors)).clamp(max=size))


def off_diagonal(square: Tensor) -> Tensor:
    """Each row of a square matrix without its diagonal entry: (n, n) -> (n, n - 1)."""
    n = len(square)
    return square.flatten()[1:].view(n - 1, n + 1)[:, :-1].reshape(n, n - 1)
