"""SBERT: a siamese encoder taught by the labels of sentence pairs (Reimers and Gurevych, EMNLP 2019).

Supervised, and therefore a reference and no competitor. Sizes: n pairs, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from jtcse.data.labelled import LABELS, LabelledPair, generated, nli, sick
from jtcse.encoders.batches import Batch, make_batch
from jtcse.encoders.encoder import Encoder
from jtcse.encoders.pooling import pool
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import Shop
from jtcse.training.objective import SentenceObjective, seeded


class Settings(SystemSettings):
    """Of SBERT."""

    labels: Literal["nli", "sick", "generated"] = Field(
        description="labelled pairs: SNLI and MultiNLI, SICK's training split, or the generated world"
    )


@dataclass(frozen=True)
class LabelledBatch(Batch):
    """Two texts of n pairs, and the (n,) numbers of their labels."""

    labels: Tensor


class Siamese(nn.Module):
    """One tower for both sentences; gives ``v``: (2, n, d) pooled vectors, ``logits``: (1, n, 3) and ``labels``: (1, n).

    The classifier reads (v1, v2, |v1 - v2|) and is thrown away after training.
    """

    def __init__(self, model, pooling: str, seed: int) -> None:
        super().__init__()
        self.model, self.pooling = model, pooling
        with seeded(seed):
            self.classifier = nn.Linear(3 * model.config.hidden_size, len(LABELS))
        self.classifier.to(next(model.parameters()).device)

    def forward(self, batch: LabelledBatch) -> dict[str, Tensor]:
        """Vectors and logits of a batch."""
        v = batch.read(
            lambda i, m: pool(self.model(input_ids=i, attention_mask=m, output_hidden_states=True), m, self.pooling)
        )
        with torch.autocast(v.device.type, enabled=False):
            read = torch.cat([v[0], v[1], (v[0] - v[1]).abs()], dim=-1).to(self.classifier.weight.dtype)
            logits = self.classifier(read)
        return {"v": v, "logits": logits[None], "labels": batch.labels[None]}


class SBERT(SentenceObjective):
    """Cross-entropy of the label of a pair.

    Args:
        model, tokenizer: a stock tower.
        corpus: labelled pairs.
        seed: of the classifier's weights.
    """

    def __init__(self, model, tokenizer, corpus: Sequence[LabelledPair], settings: Settings, seed: int) -> None:
        super().__init__(Siamese(model, settings.pooling, seed), tokenizer, corpus, settings)

    def batch(self, rows: np.ndarray, seed: int) -> LabelledBatch:
        """Both sentences of some pairs, tokenised, with their labels; nothing in it is random."""
        pairs = self.sentences(rows)
        texts = [[pair.first for pair in pairs], [pair.second for pair in pairs]]
        made = make_batch(texts, self.tokenizer, self.settings.max_length, self.settings.length_groups)
        labels = torch.tensor([pair.label for pair in pairs])
        return LabelledBatch(**vars(made), labels=labels)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``labels``: -log softmax of the right label, mean over pairs."""
        return {"labels": F.cross_entropy(outputs["logits"][0], outputs["labels"][0])}


def pairs_of(shop: Shop) -> list[LabelledPair]:
    """The labelled pairs of the settings; of the generated world as many as the corpus has sentences.

    Raises:
        UserError: they cannot be had.
    """
    if shop.settings.labels == "generated":
        return generated(shop.run.settings.run.seed, len(shop.corpus))
    return nli() if shop.settings.labels == "nli" else sick()


def make(shop: Shop) -> Encoder:
    """Train SBERT; the classifier is thrown away."""
    model, tokenizer = shop.tower()
    objective = SBERT(model, tokenizer, pairs_of(shop), shop.settings, shop.stream("classifier"))
    return shop.train(objective, shop.encoder(model, tokenizer))
