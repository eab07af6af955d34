"""PCL (Wu et al., 2022): ten views of a sentence, and two encoders that learn from each other.

Views and terms are those of the authors' code (qiyuw/PeerCL), which gives none of them a weight. Sizes: v views of n sentences,
the first two of them the sentence itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from jtcse.core.config import Rate
from jtcse.core.errors import UserError
from jtcse.encoders.batches import Batch, Tower, headed
from jtcse.method.losses import info_nce, lift
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import Shop, one_tower
from jtcse.training.objective import TowerObjective, draws, off_diagonal


class Settings(SystemSettings):
    """Of PCL."""

    augmentations: list[Literal["shuffle", "reverse", "delete", "repeat"]] = Field(
        description="views beside the sentence and its second copy, in order"
    )
    change_rate: Rate = Field(description="share of the tokens that 'delete' and 'repeat' touch")
    positives: bool = Field(description="whether all views of a sentence are told from the other sentences")
    peer: bool = Field(description="whether a second encoder is trained beside the one that is kept")


def augmented(kind: str, ids: Sequence[int], rate: float, max_length: int, generator: np.random.Generator) -> list[int]:
    """One augmentation of a sentence; its first and last token stay where they are.

    ``shuffle``, ``reverse``; ``delete`` leaves out a share of the tokens; ``repeat`` puts copies of drawn tokens at drawn
    places, as far as the result has at most ``max_length`` tokens, so that a sentence that was cut stays as it is.

    Args:
        kind: which.
        ids: token ids with special tokens.
        rate: the share, rounded to whole tokens.
        max_length: in tokens.
        generator: of the draws.
    """
    inner, count = list(ids[1:-1]), round(rate * (len(ids) - 2))
    if kind == "shuffle":
        inner = [inner[place] for place in generator.permutation(len(inner))]
    elif kind == "reverse":
        inner.reverse()
    elif kind == "delete":
        gone = {int(place) for place in generator.choice(len(inner), size=count, replace=False)} if count else ()
        inner = [token for place, token in enumerate(inner) if place not in gone]
    else:
        for _ in range(min(count, max_length - len(ids))):
            token = inner[generator.integers(len(inner))]
            inner.insert(int(generator.integers(len(inner) + 1)), token)
    return [ids[0], *inner, ids[-1]]


class Peers(nn.Module):
    """The tower that is kept and its peer, under one head: gives ``z`` and ``peer``, (v, n, d) each.

    The peer's vectors are its pooler's output, as in the authors' code.

    Raises:
        UserError: a peer without a pooler.
    """

    def __init__(self, model, peer, head: nn.Module | None) -> None:
        super().__init__()
        if peer is not None and getattr(peer, "pooler", None) is None:
            raise UserError(
                "the peer of PCL is read at its pooler, and this encoder has none; start from one that has, or set peer=false"
            )
        self.tower, self.peer = Tower(model, head), peer

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors of a batch."""
        found = {"z": self.tower(batch)["z"]}
        if self.peer is not None:
            pooled = batch.read(lambda ids, mask: self.peer(input_ids=ids, attention_mask=mask).pooler_output)
            found["peer"] = headed(self.tower.head, pooled)
        return found


def similarities(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """What the first view of each sentence in ``a`` is compared with in ``b``.

    Args:
        a, b: (v, n, d), of one encoder or of both.
        temperature: by which cosines are divided.
    Returns:
        (n, v - 1 + n - 1): the sentence's other views, then the first views of the other sentences.
    """
    anchors, others = F.normalize(lift(a[0]), dim=-1), F.normalize(lift(b), dim=-1)
    own = torch.einsum("nd,vnd->nv", anchors, others[1:])
    return torch.cat([own, off_diagonal(anchors @ others[0].T)], dim=1) / temperature


def positives(z: Tensor, temperature: float) -> Tensor:
    """Binary cross-entropy of every similarity's share, 1 for own views and 0 for other sentences.

    The shares come out of a softmax and are taken for logits once more, as in the authors' code.
    """
    shares = similarities(z, z, temperature).softmax(dim=1)
    labels = torch.zeros_like(shares)
    labels[:, : len(z) - 1] = 1
    return F.binary_cross_entropy_with_logits(shares, labels)


def divergence(own: Tensor, other: Tensor) -> Tensor:
    """Kullback-Leibler divergence of softmax(own) from softmax(other), mean over all entries; both take gradients."""
    return F.kl_div(own.log_softmax(1), other.log_softmax(1), reduction="none", log_target=True).mean()


class PCL(TowerObjective):
    """Contrast among ten views in two encoders, and agreement of the two.

    Its ``model`` is the tower that is kept; both encoders share the head.
    """

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings, peer=None) -> Peers:
        """All that is trained; ``peer`` is another tower with the same vocabulary, None for one encoder alone."""
        return Peers(model, peer, head)

    def batch(self, rows: np.ndarray, seed: int) -> Batch:
        """The sentences twice, and each of the augmentations, which change token ids and not words."""
        settings, texts = self.settings, self.sentences(rows)
        ids = self.token_ids(texts)
        views = [ids, ids]
        for number, kind in enumerate(settings.augmentations):
            views.append(
                [
                    augmented(kind, one, settings.change_rate, settings.max_length, draws(seed, row, number + 1))
                    for row, one in zip(rows, ids, strict=True)
                ]
            )
        return self.batch_of(views, texts)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce`` and ``positives`` of each encoder, ``cross`` and ``relations`` between them."""
        tau, parts = self.settings.temperature, {}
        for name, z in outputs.items():
            behind = "" if name == "z" else "_peer"
            parts[f"infonce{behind}"] = info_nce(z[0], z[1], tau)
            if self.settings.positives:
                parts[f"positives{behind}"] = positives(z, tau)
        if "peer" in outputs:
            z, peer = outputs["z"], outputs["peer"]
            parts["cross"] = divergence(similarities(z, peer, tau), similarities(peer, z, tau))
            parts["relations"] = divergence(similarities(z, z, tau), similarities(peer, peer, tau))
        return parts


def _peer(shop: Shop, model, tokenizer) -> dict:
    return {"peer": shop.tower()[0] if shop.settings.peer else None}


make = one_tower(PCL, _peer)
