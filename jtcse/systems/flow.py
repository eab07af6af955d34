"""BERT-flow: a normalising flow carries the vectors of a frozen encoder to a standard normal (Li et al., EMNLP 2020).

Sizes: n sentences, d width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jtcse.core.config import Count
from jtcse.core.errors import UserError
from jtcse.encoders.batches import Batch
from jtcse.encoders.postprocessing import MappedEncoder, moments, open_mapped
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import Shop
from jtcse.training.objective import SentenceObjective, seeded

SYSTEM = "flow"


class Settings(SystemSettings):
    """Of BERT-flow."""

    flow_steps: Count = Field(description="steps of the flow: scale and shift of each coordinate, then a coupling")
    flow_width: Count = Field(description="hidden units of a coupling's network")
    coupling: Literal["additive", "affine"] = Field(
        description="what a coupling does to its half: shift, or scale and shift"
    )
    first_look: Count = Field(description="sentences whose mean and deviation standardise the vectors before the flow")


class SentenceFlow(nn.Module):
    """u -> z, (n, d) -> (n, d), exact and invertible: standardised, then steps in Glow's manner.

    A step is a learnt scale and shift of each coordinate and a coupling, which leaves one half of the coordinates alone and
    changes the other by a network of the first. Halves take turns. At the start the flow only standardises. The transforms are
    zuko's ``ElementWiseTransform`` and ``GeneralCouplingTransform``.

    Raises:
        UserError: zuko is not installed, or an encoder with a single coordinate.
    """

    def __init__(self, features: int, flow_steps: int, flow_width: int, coupling: str) -> None:
        super().__init__()
        if features < 2:
            raise UserError(f"a flow's couplings need vectors of at least 2 numbers; these have {features}")
        self.plan = {"features": features, "flow_steps": flow_steps, "flow_width": flow_width, "coupling": coupling}
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        self.transform = _transform(**self.plan)

    @property
    def width(self) -> int:
        """d"""
        return len(self.centre)

    def standardise(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Take mean and deviation (d,) of the vectors to come; a coordinate that never varies is only shifted."""
        self.centre.copy_(torch.from_numpy(mean))
        self.spread.copy_(torch.from_numpy(np.where(deviation > 0, deviation, 1.0)))

    def forward(self, vectors: Tensor) -> Tensor:
        """z, (n, d)"""
        return self.with_volume(vectors)[0]

    def with_volume(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """z (n, d), and log |det dz/du| (n,)"""
        z, volume = self.transform().call_and_ladj((vectors - self.centre) / self.spread)
        return z, volume - self.spread.log().sum()


def _transform(features: int, flow_steps: int, flow_width: int, coupling: str) -> nn.Module:
    """All steps, each of them the identity at the start."""
    try:
        from zuko.flows.coupling import GeneralCouplingTransform
        from zuko.flows.gaussianization import ElementWiseTransform
        from zuko.lazy import LazyComposedTransform
        from zuko.transforms import AdditiveTransform
    except ImportError as error:
        raise UserError(
            "BERT-flow needs the package zuko, which is not installed; pip install 'jtcse[systems]'"
        ) from error
    change = {"univariate": AdditiveTransform, "shapes": ((),)} if coupling == "additive" else {}
    second_half, steps = torch.arange(features) >= features // 2, []
    for number in range(flow_steps):
        kept = second_half.clone() if number % 2 else ~second_half  # no two masks in one storage: safetensors
        steps += [
            ElementWiseTransform(features),
            GeneralCouplingTransform(features, mask=kept, hidden_features=(flow_width, flow_width), **change),
        ]
        for weight in (*steps[-2].phi, *steps[-1].hyper[-1].parameters()):
            nn.init.zeros_(weight)
    return LazyComposedTransform(*steps)


class _Likelihood(nn.Module):
    """The flow behind a frozen encoder; gives ``z``: (1, n, d) and ``volume``: (1, n)."""

    def __init__(self, encoder: MappedEncoder) -> None:
        super().__init__()
        self.flow = encoder.mapping
        self._frozen = [encoder]  # in a list: not a part of what is trained

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            u = batch.read(self._frozen[0].plain)
        with torch.autocast(u.device.type, enabled=False):
            z, volume = self.flow.with_volume(u[0].to(self.flow.centre.dtype))
        return {"z": z[None], "volume": volume[None]}


class BERTFlow(SentenceObjective):
    """Negative log-likelihood of a frozen encoder's vectors under the flow.

    Args:
        encoder: stock tower with a ``SentenceFlow`` behind it, which alone is trained.
        corpus: sentences.
    """

    copies = 1

    def __init__(self, encoder: MappedEncoder, corpus: Sequence[str], settings: Settings) -> None:
        encoder.model.eval().requires_grad_(False)
        super().__init__(_Likelihood(encoder), encoder.tokenizer, corpus, settings)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``likelihood``: -log2 p(u) / d in bits a coordinate, mean over sentences, as in the authors' code."""
        z, volume = outputs["z"][0], outputs["volume"][0]
        width = z.shape[1]
        log_normal = -0.5 * (z.square().sum(1) + width * math.log(2 * math.pi))
        return {"likelihood": -(log_normal + volume).mean() / (width * math.log(2))}


def make(shop: Shop) -> MappedEncoder:
    """Train the flow; the encoder stays as it was."""
    s = shop.settings
    plain = shop.encoder(*shop.tower())
    mean, covariance, _ = moments(plain.encode, shop.corpus[: s.first_look])
    with seeded(shop.stream("flow")):
        flow = SentenceFlow(len(mean), s.flow_steps, s.flow_width, s.coupling)
    flow.standardise(mean, np.sqrt(np.diag(covariance).clip(min=0)))
    encoder = MappedEncoder(plain, flow, SYSTEM)
    return shop.train(BERTFlow(encoder, shop.corpus, s), encoder)


open_saved = partial(open_mapped, build=SentenceFlow)
