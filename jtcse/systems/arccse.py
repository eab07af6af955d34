"""ArcCSE: InfoNCE with an angular margin, and an order among masked copies of a sentence (Zhang et al., 2022).

No code of the authors is public; what is ours is said where it stands. Sizes: n sentences, k of them long enough for a triplet,
d width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from jtcse.core.config import Rate
from jtcse.encoders.batches import Batch, Tower
from jtcse.method.losses import cosine, lift
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import one_tower
from jtcse.training.masked_words import mask_token
from jtcse.training.objective import TowerObjective, draws


class Settings(SystemSettings):
    """Of ArcCSE."""

    margin: Annotated[float, Field(ge=0, lt=90, description="degrees that are added to the angle of a positive pair")]
    triplet_weight: Annotated[float, Field(ge=0, description="0: no triplets")]
    triplet_margin: Annotated[float, Field(ge=0, lt=2, description="by which cosines must be in order")]
    triplet_tokens: Annotated[int, Field(ge=2, description="triplets come from sentences of more tokens than this")]
    mask_rate: Rate = Field(description="share of the tokens that the first masked copy lacks")
    mask_rate_more: Rate = Field(description="and the second, those of the first among them")

    @model_validator(mode="after")
    def _in_order(self):
        if self.mask_rate_more <= self.mask_rate:
            raise ValueError(f"mask_rate_more must be above mask_rate, {self.mask_rate}")
        return self


@dataclass(frozen=True)
class TripletBatch(Batch):
    """Two equal views, and of the ``rows`` (k,) that are long enough the sentence and its two masked copies."""

    triplets: Batch | None
    rows: Tensor


class PairsAndTriplets(nn.Module):
    """A tower that reads pairs with dropout and triplets without.

    Gives ``z``: (2, n, d), both views; ``t``: (3, n, d), the sentence and its two masked copies, zero where there is no triplet;
    ``has_triplet``: (1, n).
    """

    def __init__(self, model, head: nn.Module | None = None) -> None:
        super().__init__()
        self.tower = Tower(model, head)

    def forward(self, batch: TripletBatch) -> dict[str, Tensor]:
        """Vectors of a batch."""
        z = self.tower(batch)["z"]
        t = z.new_zeros(3, *z.shape[1:])
        has_triplet = z.new_zeros(1, z.shape[1], dtype=torch.float32)
        if batch.triplets is not None:
            t = t.index_copy(1, batch.rows, self._without_dropout(batch.triplets).to(t.dtype))
            has_triplet[0, batch.rows] = 1
        return {"z": z, "t": t, "has_triplet": has_triplet}

    def _without_dropout(self, batch: Batch) -> Tensor:
        """Masks alone should order a triplet; so in the one re-implementation that was found."""
        training = self.training
        self.tower.eval()
        try:
            return self.tower(batch)["z"]
        finally:
            self.tower.train(training)


def arc_info_nce(h: Tensor, h_plus: Tensor, temperature: float, margin: float) -> Tensor:
    r"""InfoNCE whose positive pair counts as if its angle were larger by a margin: (n, d), (n, d) -> scalar.

    .. math:: -\frac1n\sum_i\log\frac{e^{\cos(\theta_{ii}+m)/\tau}}
              {e^{\cos(\theta_{ii}+m)/\tau}+\sum_{j\ne i}e^{\cos\theta_{ij}/\tau}}

    ``cos(t + m) = cos t cos m - sin t sin m``, where sin t is the length of what is left of one unit vector beside the other: it
    needs no arccos, loses no digits near 0, and its gradient stays finite at equal and at opposite vectors. Beyond t + m = pi
    the cosine would rise again and reward opposite vectors; there it is ``cos t - m sin m``, which still falls (the rule of
    ArcFace; nothing is told of it for ArcCSE).

    Args:
        margin: m, in radians.
    """
    u, v = F.normalize(lift(h), dim=-1), F.normalize(lift(h_plus), dim=-1)
    logits = u @ v.T
    cos = (u * v).sum(-1)
    sin = torch.linalg.vector_norm(u - cos.unsqueeze(-1) * v, dim=-1)
    arc = cos * math.cos(margin) - sin * math.sin(margin)
    arc = torch.where(cos > -math.cos(margin), arc, cos - margin * math.sin(margin))
    logits = torch.where(torch.eye(len(u), dtype=torch.bool, device=u.device), arc.unsqueeze(1), logits)
    return F.cross_entropy(logits / temperature, torch.arange(len(u), device=u.device))


def order_loss(t: Tensor, has_triplet: Tensor, margin: float) -> Tensor:
    """Hinge where the copy that lacks more is not the less alike one; mean over the triplets, 0 without any.

    Args:
        t: (3, n, d), the sentence, its copy that lacks less, and that which lacks more.
        has_triplet: (n,), 1 where there is one.
    """
    hinge = F.relu(cosine(t[0], t[2]) - cosine(t[0], t[1]) + margin)
    return (hinge * has_triplet).sum() / has_triplet.sum().clamp_min(1)


def nested_masks(count: int, rates: Sequence[float], draw: np.random.Generator) -> list[slice]:
    """Two spans of a sentence of ``count`` >= 2 tokens, the first inside the second.

    One span each, its place drawn evenly, is ours; the paper's rule was not found in a public text.
    """
    short = min(max(1, round(rates[0] * count)), count - 1)
    long = min(max(short + 1, round(rates[1] * count)), count)
    start = int(draw.integers(count - long + 1))
    inner = start + int(draw.integers(long - short + 1))
    return [slice(inner, inner + short), slice(start, start + long)]


class ArcCSE(TowerObjective):
    """Angular InfoNCE between two dropout views, and the order of nested masks.

    Raises:
        UserError: a tokenizer without a mask token.
    """

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings) -> nn.Module:
        mask_token(tokenizer)  # now, rather than at the first triplet
        return PairsAndTriplets(model, head)

    def batch(self, rows: np.ndarray, seed: int) -> TripletBatch:
        """Each sentence twice, and triplets of the long ones; their masks are drawn from (seed, row)."""
        texts = self.sentences(rows)
        ids = self.token_ids(texts)
        pairs = self.batch_of([ids, ids], texts)
        long = [place for place in range(len(ids)) if self._has_triplet(ids[place])]
        copies = [self._masked(ids[place], draws(seed, rows[place])) for place in long]
        triplets = self.batch_of(list(zip(*copies, strict=True)), [texts[place] for place in long]) if long else None
        places = torch.tensor(long, dtype=torch.long)
        return TripletBatch(**vars(pairs), triplets=triplets, rows=places)

    def _has_triplet(self, ids: list[int]) -> bool:
        words = len(ids) - 2  # without [CLS] and [SEP]
        return self.settings.triplet_weight > 0 and words > self.settings.triplet_tokens

    def _masked(self, ids: list[int], draw: np.random.Generator) -> list[list[int]]:
        """The sentence and its copies with less and with more under masks, a mask for each token."""
        copies = [ids]
        for span in nested_masks(len(ids) - 2, (self.settings.mask_rate, self.settings.mask_rate_more), draw):
            first, last = span.start + 1, span.stop + 1
            copies.append([*ids[:first], *[self.tokenizer.mask_token_id] * (last - first), *ids[last:]])
        return copies

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``arc``, and ``triplet`` with its weight unless that is 0."""
        (first, second), settings = outputs["z"], self.settings
        named = {"arc": arc_info_nce(first, second, settings.temperature, math.radians(settings.margin))}
        if settings.triplet_weight:
            order = order_loss(outputs["t"], outputs["has_triplet"][0], settings.triplet_margin)
            named["triplet"] = settings.triplet_weight * order
        return named


make = one_tower(ArcCSE)
