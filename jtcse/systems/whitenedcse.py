"""WhitenedCSE (Zhuo et al., 2023): groups of coordinates, drawn anew for each view, are whitened before the head.

The published code does not run; what is done here is what its class and the paper's title say: a drawing and a whitening for
each view. Sizes: n sentences, g groups of s coordinates, d = g s width.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from jtcse.core.config import Count
from jtcse.core.errors import UserError
from jtcse.encoders.batches import Batch, Tower
from jtcse.method.losses import info_nce
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import one_tower
from jtcse.training.objective import TowerObjective


class Settings(SystemSettings):
    """Of WhitenedCSE."""

    group_size: Count = Field(description="coordinates that are whitened together; must divide the encoder's width")
    views: int = Field(ge=2, description="whitenings of a sentence; the first is compared with each other")
    eps: float = Field(gt=0, description="added to variances, without which a direction of none would divide by 0")


class InverseRoot(torch.autograd.Function):
    """Inverse square root of symmetric positive matrices, (..., s, s) -> (..., s, s), which ZCA whitening multiplies by.

    Eigenvalues that meet make the derivative of eigenvectors infinite, though not that of the root itself. So the gradient
    is taken of the root as a whole, by the theorem of Daleckii and Krein: its divided differences, written as below,
    subtract nothing and are finite for all positive eigenvalues. Cholesky would whiten as well, but by a matrix that
    depends on the order of the coordinates.
    """

    @staticmethod
    def forward(context, matrices: Tensor) -> Tensor:
        """Roots of the matrices."""
        values, vectors = torch.linalg.eigh(matrices)
        roots = torch.maximum(
            values, values[..., -1:] * torch.finfo(values.dtype).eps
        ).sqrt()  # rounding can go below 0
        context.save_for_backward(roots, vectors)
        return (vectors / roots.unsqueeze(-2)) @ vectors.mT

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        """(a^-1/2 - b^-1/2) / (a - b) = -1 / (sqrt(a) sqrt(b) (sqrt(a) + sqrt(b))), in the matrices' own axes."""
        roots, vectors = context.saved_tensors
        one, other = roots.unsqueeze(-1), roots.unsqueeze(-2)
        slopes = -1 / (one * other * (one + other))
        inner = vectors.mT @ ((gradient + gradient.mT) / 2) @ vectors
        return vectors @ (slopes * inner) @ vectors.mT


def whitened(h: Tensor, order: Tensor, size: int, eps: float) -> Tensor:
    """Group-wise ZCA whitening of a batch: in each group the coordinates end with mean 0 and covariance nearly 1.

    Args:
        h: (n, d).
        order: (d,), a permutation; the first s coordinates of it are a group, and so on.
        size: s.
        eps: added to each variance.
    Returns:
        (n, d), coordinates in their own places, at least float32.
    """
    n, d = h.shape
    with torch.autocast(h.device.type, enabled=False):
        x = h.float() if h.dtype in (torch.bfloat16, torch.float16) else h
        groups = x[:, order].view(n, d // size, size).transpose(0, 1)
        centred = groups - groups.mean(1, keepdim=True)
        covariance = centred.mT @ centred / n + eps * torch.eye(size, dtype=x.dtype, device=x.device)
        white = centred @ InverseRoot.apply(covariance)
    return white.transpose(0, 1).reshape(n, d)[:, torch.argsort(order)]


class Whitened(nn.Module):
    """A tower whose vectors are whitened before the head: gives ``h`` and ``z``, (v, n, d).

    Each process of several whitens with the statistics of its own share, as a batch norm would.
    """

    def __init__(self, model, head: nn.Module | None, settings: Settings) -> None:
        super().__init__()
        self.tower, self.head = Tower(model), head or nn.Identity()
        self.size, self.eps = settings.group_size, settings.eps

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors of a batch; the groups of each view are drawn from torch's generator."""
        h = self.tower(batch)["h"]
        orders = [torch.randperm(h.shape[-1]).to(h.device) for _ in h]
        white = [whitened(view, order, self.size, self.eps) for view, order in zip(h, orders, strict=True)]
        return {"h": h, "z": torch.stack([self.head(view) for view in white])}


class WhitenedCSE(TowerObjective):
    """InfoNCE between one whitening of a sentence and others.

    The head is behind the whitening.

    Raises:
        UserError: groups that do not divide the width, or are as large as a batch.
    """

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings) -> nn.Module:
        width, size = model.config.hidden_size, settings.group_size
        if width % size:
            nearest = min((d for d in range(1, width + 1) if width % d == 0), key=lambda d: abs(d - size))
            raise UserError(
                f"group_size is {size}, which does not divide the encoder's width of {width}; set one that does, such as "
                f"{nearest}"
            )
        if size >= settings.batch_size:
            raise UserError(
                f"group_size is {size}, but a batch of {settings.batch_size} sentences spans at most "
                f"{settings.batch_size - 1} directions; set smaller groups or a larger batch_size"
            )
        return Whitened(model, head, settings)

    @property
    def copies(self) -> int:
        """v, as many as whitenings."""
        return self.settings.views

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce_2``, ``infonce_3``, ...: the first view against each other one."""
        z, tau = outputs["z"], self.settings.temperature
        return {f"infonce_{number}": info_nce(z[0], z[number - 1], tau) for number in range(2, len(z) + 1)}


make = one_tower(WhitenedCSE)
