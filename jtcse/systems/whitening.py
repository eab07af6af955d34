"""BERT-whitening: centre and decorrelate the vectors of a frozen encoder (Su et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jtcse.core.config import Count
from jtcse.core.errors import UserError
from jtcse.encoders.encoder import TowerEncoder
from jtcse.encoders.loading import load_tower
from jtcse.encoders.postprocessing import MappedEncoder, moments, open_mapped
from jtcse.systems.settings import Backbone, SystemSettings, published_values
from jtcse.systems.shop import Shop

SYSTEM = "whitening"


class Settings(SystemSettings):
    """Of whitening."""

    text: str = Field(
        description="whose mean and covariance: corpus (the run's), nli (sentences of NLI pairs), or a source as data.corpus"
    )
    dimensions: Count | None = Field(description="directions of largest variance that are kept; null: all")
    floor: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="directions with less than this share of the largest variance are left out: noise, not text"
    )


class Affine(nn.Module):
    """x -> (x - mean) W, (n, d) -> (n, k); nothing in it takes a gradient."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.plan = {"features": features, "width": width}
        self.mean = nn.Parameter(torch.zeros(features), requires_grad=False)
        self.weight = nn.Parameter(torch.zeros(features, width), requires_grad=False)

    @property
    def width(self) -> int:
        """k"""
        return self.weight.shape[1]

    def forward(self, vectors: Tensor) -> Tensor:
        """Centred and turned vectors."""
        return (vectors - self.mean) @ self.weight


def whitening_matrix(covariance: np.ndarray, dimensions: int | None = None, floor: float = 0.0) -> np.ndarray:
    r"""W with W' S W = 1: eigenvectors over the roots of their eigenvalues, largest variance first; (d, k) float64.

    Args:
        covariance: S, (d, d) float64.
        dimensions: at most so many directions.
        floor: directions with at most this share of the largest eigenvalue are left out (at least those that cannot be told
            from 0 in float64): dividing by their root would blow up rounding errors.
    Raises:
        UserError: no direction with any variance.
    """
    values, directions = np.linalg.eigh(covariance)
    values, directions = values[::-1], directions[:, ::-1]
    least = max(floor, len(values) * np.finfo(np.float64).eps) * values[0]
    kept = min(int((values > max(least, 0)).sum()), dimensions or len(values))
    if not kept:
        raise UserError("all sentences of the text have one vector, which cannot be whitened; give a text that varies")
    return directions[:, :kept] / np.sqrt(values[:kept])


def whitened(
    plain: TowerEncoder, sentences: Sequence[str], dimensions: int | None = None, floor: float = 0.0
) -> MappedEncoder:
    """An encoder whose vectors have mean 0 and covariance 1 over some sentences."""
    mean, covariance, _ = moments(plain.encode, sentences)
    matrix = whitening_matrix(covariance, dimensions, floor)
    affine = Affine(*matrix.shape)
    affine.mean.copy_(torch.from_numpy(mean))
    affine.weight.copy_(torch.from_numpy(matrix))
    return MappedEncoder(plain, affine, SYSTEM)


def text_of(name: str) -> Sequence[str]:
    """The sentences that a setting ``text`` other than ``corpus`` names.

    Raises:
        UserError: a source that is none, or that cannot be had.
    """
    from jtcse.data.labelled import nli
    from jtcse.data.sources import clean, read_source

    if name == "nli":
        return [text for pair in nli() for text in (pair.first, pair.second)]
    return list(clean(read_source(name), []))


def make(shop: Shop) -> MappedEncoder:
    """Fit mean and covariance; nothing is trained by gradient."""
    settings = shop.settings
    sentences = shop.corpus if settings.text == "corpus" else text_of(settings.text)
    return whitened(shop.encoder(*shop.tower()), sentences, settings.dimensions, settings.floor)


open_saved = partial(open_mapped, build=Affine)


def open_released(names: Sequence[str], backbone: Backbone, precision: str) -> MappedEncoder:
    """The stock encoder, whitened here by the published text's statistics; no such weights are released.

    Raises:
        UserError: the text cannot be had.
    """
    values = published_values(SYSTEM, backbone)
    plain = TowerEncoder(*load_tower(names[0]), pooling=values["pooling"], precision=precision)
    return whitened(plain, text_of(values["text"]), values["dimensions"], values["floor"])
