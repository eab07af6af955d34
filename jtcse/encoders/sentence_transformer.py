"""Our encoders in the hands of other libraries."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from jtcse.encoders.batches import check_same_words
from jtcse.encoders.encoder import SumEncoder, TowerEncoder, open_encoder
from jtcse.encoders.pooling import BESIDE_LAST, pool


class _Sum(nn.Module):
    """Towers that share a tokenizer, as one module of a ``SentenceTransformer``."""

    def __init__(self, encoder: SumEncoder) -> None:
        super().__init__()
        for tower in encoder.encoders[1:]:
            check_same_words(encoder.encoders[0].tokenizer, tower.tokenizer)
        self.towers = nn.ModuleList([tower.model for tower in encoder.encoders])
        self.weights, self.pooling = encoder.weights, encoder.encoders[0].pooling
        self.tokenizer, self.max_seq_length = encoder.encoders[0].tokenizer, encoder.encoders[0].max_length

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        inputs = {"input_ids": features["input_ids"], "attention_mask": features["attention_mask"]}
        outputs = [tower(**inputs, output_hidden_states=self.pooling in BESIDE_LAST) for tower in self.towers]
        vectors = [
            w * pool(out, inputs["attention_mask"], self.pooling) for w, out in zip(self.weights, outputs, strict=True)
        ]
        return features | {"sentence_embedding": torch.stack(vectors).sum(0)}

    def tokenize(self, texts: list[str], **_) -> dict[str, Tensor]:
        return dict(
            self.tokenizer(
                list(texts), padding=True, truncation=True, max_length=self.max_seq_length, return_tensors="pt"
            )
        )

    preprocess = tokenize  # the name from sentence-transformers 6 on

    def get_sentence_embedding_dimension(self) -> int:
        return self.towers[0].config.hidden_size

    get_embedding_dimension = get_sentence_embedding_dimension


def as_sentence_transformer(name: str | Path):
    """A saved model, twin or single, as a ``SentenceTransformer``.

    A single tower's folder also opens by ``SentenceTransformer(folder)``. A twin's does not: the sum of two towers is no stock
    module, and naming ours in the folder would ask every user for ``trust_remote_code``.

    Args:
        name: hub name or folder, as ``open_encoder`` takes it.
    """
    from sentence_transformers import SentenceTransformer

    encoder = open_encoder(name)
    if isinstance(encoder, TowerEncoder):
        encoder = SumEncoder([encoder])
    return SentenceTransformer(modules=[_Sum(encoder)])
