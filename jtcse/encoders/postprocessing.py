"""Encoders that stay as they are, with a map behind their pooling: whitening, a normalising flow.

A saved folder holds the stock tower, ``map.safetensors`` and ``jtcse.json``. Sizes: n sentences, l tokens, d width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from jtcse.core.errors import UserError
from jtcse.core.files import new_folder
from jtcse.encoders.encoder import DESCRIPTION, TowerEncoder, describe
from jtcse.encoders.loading import check_weights, load_tower, save_tower

MAP = "map.safetensors"
CHUNK = 8192  # sentences that are encoded at a time while moments are gathered


class MappedEncoder(TowerEncoder):
    """A stock tower, a pooling, and a map of the pooled vectors.

    Args:
        plain: the encoder before the map; it stays as it is.
        mapping: module (n, d) -> (n, k) in float32, with ``width`` (k) and ``plan``, by which its class builds it again.
        system: module of ``jtcse/systems`` whose ``open_saved`` opens what is saved.
    """

    def __init__(self, plain: TowerEncoder, mapping: nn.Module, system: str) -> None:
        shape = {"pooling": plain.pooling, "max_length": plain.max_length, "precision": plain.precision}
        super().__init__(plain.model, plain.tokenizer, **shape)
        self.mapping, self.system = mapping.to(plain.device), system

    @property
    def width(self) -> int:
        """Numbers of a mapped vector."""
        return self.mapping.width

    def plain(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, d) pooled vectors before the map, out of (n, l) ids and mask."""
        return super().vectors(tokens, mask)

    def vectors(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, k) mapped vectors; the map itself is always computed in float32."""
        plain = self.plain(tokens, mask)
        with torch.autocast(plain.device.type, enabled=False):
            return self.mapping(plain.float())

    def save(self, folder: Path | str) -> None:
        """Write the stock tower, the map and the description.

        Raises:
            UserError: NaN or infinite weights.
        """
        check_weights(self.mapping, "the map to be saved")
        shape = {"pooling": self.pooling, "max_length": self.max_length}
        with new_folder(folder) as fresh:
            save_tower(self.model, self.tokenizer, fresh)
            save_file({name: t.detach().contiguous() for name, t in self.mapping.state_dict().items()}, fresh / MAP)
            describe(fresh, system=self.system, **shape, plan=self.mapping.plan)


def open_mapped(
    folder: Path, described: dict[str, Any], precision: str, build: Callable[..., nn.Module]
) -> MappedEncoder:
    """What ``MappedEncoder.save`` wrote.

    Args:
        described: content of ``jtcse.json``.
        build: class of the map; ``build(**plan)`` gives one with any weights.
    Raises:
        UserError: a file that is missing, broken or of another map; unusable files of the tower.
    """
    try:
        weights = load_file(folder / MAP)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / MAP} is missing or broken ({error}); save the model again") from error
    try:
        mapping = build(**described["plan"])
        mapping.load_state_dict(weights)
        settings = {"pooling": described["pooling"], "max_length": int(described["max_length"])}
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"{folder / DESCRIPTION} does not describe the map in {MAP} beside it ({type(error).__name__}: {first}); "
            "save the model again"
        ) from error
    plain = TowerEncoder(*load_tower(folder), precision=precision, **settings)
    return MappedEncoder(plain, mapping, described["system"])


def moments(
    encode: Callable[[Sequence[str]], np.ndarray], sentences: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean (d,) and covariance (d, d) of sentences' vectors, with 1/n, in float64; and n.

    Sums run over vectors less the first chunk's mean, so that no large numbers cancel. A sentence that comes twice counts twice.

    Raises:
        UserError: fewer than two sentences.
    """
    count, centre, first, second = 0, None, None, None
    for start in range(0, len(sentences), CHUNK):
        vectors = encode(sentences[start : start + CHUNK]).astype(np.float64)
        if centre is None:
            centre, first = vectors.mean(0), np.zeros(vectors.shape[1])
            second = np.zeros((vectors.shape[1],) * 2)
        vectors -= centre
        count, first, second = count + len(vectors), first + vectors.sum(0), second + vectors.T @ vectors
    if count < 2:
        raise UserError(f"the text has {count} sentences; a covariance needs two or more")
    shift = first / count
    return centre + shift, second / count - np.outer(shift, shift), count
