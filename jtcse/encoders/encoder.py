"""Sentence encoders: a stock tower with a pooling, sums of them, saving and opening.

Anything with ``encode(sentences) -> (n, d) float32`` is an encoder; evaluation asks for nothing more.
Sizes: n sentences, l tokens of the longest one in a batch, d width.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from jtcse.core.device import products_in
from jtcse.core.errors import UserError, check_choice
from jtcse.core.files import new_folder
from jtcse.encoders.batches import padded, token_ids
from jtcse.encoders.loading import load_tower, save_tower, usable_positions
from jtcse.encoders.pooling import BESIDE_LAST, POOLINGS, pool

DESCRIPTION = "jtcse.json"
"""In a saved folder: which towers are summed, how they are pooled, how long their input may be."""


class Encoder(Protocol):
    """What evaluation needs of a model."""

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """One vector a sentence, in order: (n, d) float32."""


class TowerEncoder:
    """A stock BERT-like tower, its tokenizer and a pooling; with ``unit`` vectors of length 1, as some repositories end with.

    No cosine notices their length, but a classifier does that is fitted on them. It encodes in fp32 whatever its weights were
    trained in, unless another ``precision`` is given.
    """

    def __init__(
        self,
        model,
        tokenizer,
        *,
        pooling: str = "cls",
        max_length: int | None = None,
        precision: str = "fp32",
        unit: bool = False,
    ) -> None:
        check_choice("pooling", pooling, POOLINGS)
        if pooling == "pooler" and getattr(model, "pooler", None) is None:
            raise UserError(
                "pooling 'pooler' needs a pooler layer, and this tower has none; take another pooling, such as 'cls'"
            )
        self.model, self.tokenizer, self.pooling, self.precision = model, tokenizer, pooling, precision
        self.unit = unit
        self.max_length = min(max_length or 512, usable_positions(model))

    @torch.inference_mode()
    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """One vector a sentence, in order: (n, d) float32. Each distinct sentence is computed once, in batches of like length."""
        distinct = list(dict.fromkeys(sentences))
        place = {sentence: row for row, sentence in enumerate(distinct)}
        ids = self.tokenise(distinct) if distinct else []
        vectors = np.empty((len(distinct), self.width), dtype=np.float32)
        training = self.model.training
        self.model.eval()
        for rows, tokens, mask in padded(ids, self.tokenizer.pad_token_id, self.device):
            vectors[rows] = self._encode_batch(tokens, mask)
        self.model.train(training)
        if self.unit:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors[[place[sentence] for sentence in sentences]] if distinct else vectors

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def _encode_batch(self, tokens: Tensor, mask: Tensor) -> np.ndarray:
        with products_in(self.precision, tokens.device):
            return self.vectors(tokens, mask).float().cpu().numpy()

    # What a system reads in another way, a subclass says in these three.

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return self.model.config.hidden_size

    def tokenise(self, sentences: Sequence[str]) -> list[list[int]]:
        """Token ids of each sentence, special tokens included, at most ``max_length``."""
        return token_ids(sentences, self.tokenizer, self.max_length)

    def vectors(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, d) vectors out of (n, l) ids and mask."""
        output = self.model(
            input_ids=tokens,
            attention_mask=None if bool(mask.all()) else mask,
            output_hidden_states=self.pooling in BESIDE_LAST,
        )
        return pool(output, mask, self.pooling)

    def described(self) -> dict[str, Any]:
        """How sentences are read, for ``describe``."""
        return {"pooling": self.pooling, "max_length": self.max_length, "unit": self.unit}

    def save(self, folder: Path | str) -> None:
        """Write tower and tokenizer as a stock folder that also opens as a ``SentenceTransformer``."""
        with new_folder(folder) as fresh:
            save_tower(self.model, self.tokenizer, fresh)
            describe(fresh, towers=["."], weights=[1.0], **self.described())
            describe_for_sentence_transformers(fresh, self.model.config.hidden_size, self.pooling, self.max_length)


class SumEncoder:
    """The weighted sum of encoders' vectors (Sec. III.C: the twin's embedding is the sum of both [CLS] vectors)."""

    def __init__(self, encoders: Sequence[Encoder], weights: Sequence[float] | None = None) -> None:
        self.encoders = list(encoders)
        self.weights = list(weights) if weights is not None else [1.0] * len(self.encoders)
        if len(self.weights) != len(self.encoders):
            raise ValueError(f"{len(self.encoders)} encoders but {len(self.weights)} weights")

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """One vector a sentence, in order: (n, d) float32."""
        return sum(np.float32(w) * e.encode(sentences) for w, e in zip(self.weights, self.encoders, strict=True))

    def save(self, folder: Path | str) -> None:
        """Write all towers as stock folders beside a small description; ``open_encoder`` takes the folder."""
        with new_folder(folder) as fresh:
            names = [f"tower_{i + 1}" for i in range(len(self.encoders))]
            for name, tower in zip(names, self.encoders, strict=True):
                save_tower(tower.model, tower.tokenizer, fresh / name)
            describe(fresh, towers=names, weights=self.weights, **self.encoders[0].described())


def all_towers(encoder: Encoder) -> list[Encoder]:
    """What an encoder sums, first ones first; itself where it is no sum."""
    return [tower for one in getattr(encoder, "encoders", ()) for tower in all_towers(one)] or [encoder]


def describe(folder: Path, **told: Any) -> None:
    """Write the description by which ``open_encoder``, or the module of the ``system`` it names, opens the folder as it was."""
    (folder / DESCRIPTION).write_text(json.dumps({"format": 1, **told}, indent=1) + "\n", encoding="utf8")


def open_encoder(
    name: str | Path, *, pooling: str | None = None, max_length: int | None = None, precision: str = "fp32"
):
    """Open a hub model, a stock folder, or a saved tower or twin.

    Args:
        name: hub name or folder.
        pooling: one of ``POOLINGS``; by default the folder's own, else ``cls``.
        max_length: tokens; by default the folder's own, else what the tower can take.
        precision: fp32, as scores of record are; bf16, or auto.
    Raises:
        UserError: as ``load_tower``; a broken description.
    """
    described = Path(name) / DESCRIPTION
    if not described.is_file():
        model, tokenizer = load_tower(name)
        return TowerEncoder(model, tokenizer, pooling=pooling or "cls", max_length=max_length, precision=precision)
    try:
        settings = json.loads(described.read_text(encoding="utf8"))
        towers, weights = [str(t) for t in settings["towers"]], [float(w) for w in settings["weights"]]
        own_pooling, own_length = settings["pooling"], settings["max_length"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{described} is not a whole description of a saved encoder ({error!r}); save the model again"
        ) from error
    encoders = [
        TowerEncoder(
            *load_tower(Path(name) / tower),
            pooling=pooling or own_pooling,
            max_length=max_length or own_length,
            precision=precision,
            unit=settings.get("unit", False) is True,
        )
        for tower in towers
    ]
    return encoders[0] if len(encoders) == 1 else SumEncoder(encoders, weights)


def describe_for_sentence_transformers(folder: Path, width: int, pooling: str, max_length: int) -> None:
    """The three small files by which ``SentenceTransformer(folder)`` finds tower and pooling."""
    modes = {"cls": "cls", "mean": "mean", "avg": "mean"}
    if pooling not in modes:
        return
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf8")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": max_length}), encoding="utf8")
    (folder / "1_Pooling").mkdir()
    settings = {
        "word_embedding_dimension": width,
        "pooling_mode_cls_token": modes[pooling] == "cls",
        "pooling_mode_mean_tokens": modes[pooling] == "mean",
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings), encoding="utf8")
