"""ConSERT: two views made inside the tower, one without some features, one with its words out of order (Yan et al., 2021).

Sizes: n sentences, v = 2 views, m rows and l tokens of a group of a batch, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jtcse.core.config import Probability
from jtcse.encoders.batches import Batch, headed
from jtcse.encoders.loading import usable_positions
from jtcse.encoders.pooling import pool
from jtcse.method.losses import info_nce_2n
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import one_tower
from jtcse.training.objective import TowerObjective, draws


class Settings(SystemSettings):
    """Of ConSERT without labels."""

    weight: Annotated[float, Field(gt=0, description="of the loss; with Adam it scales little but Adam's epsilon")]
    cutoff_rate: Probability = Field(description="share of the embedding's dimensions that view 1 loses")


@dataclass(frozen=True)
class ChangedBatch(Batch):
    """A batch with what is changed in the tower: per group ``places`` (m, l), the position that each token is given, counted
    from 0, and ``kept`` (m, d), 1 for dimensions of the embedding that stay and 0 for those that go."""

    places: list[Tensor]
    kept: list[Tensor]


def with_changes(batch: Batch, places: Sequence[np.ndarray], kept: np.ndarray) -> ChangedBatch:
    """Lay the rows' changes beside the groups of a batch.

    Args:
        batch: of v views of n sentences.
        places: for each of the v * n rows the positions of its own tokens; padding keeps its place.
        kept: (v * n, d).
    """
    rows = np.split(np.argsort(batch.order.numpy()), np.cumsum([len(ids) for ids, _ in batch.groups])[:-1])
    grids = []
    for (ids, _), part in zip(batch.groups, rows, strict=True):
        grid = np.tile(np.arange(ids.shape[1]), (len(part), 1))
        for line, row in zip(grid, part, strict=True):
            line[: len(places[row])] = places[row]
        grids.append(torch.from_numpy(grid))
    factors = [torch.from_numpy(kept[part]) for part in rows]
    return ChangedBatch(**vars(batch), places=grids, kept=factors)


class ChangingTower(nn.Module):
    """One stock tower that reads changed batches; gives ``z``: (v, n, d), the head's image of the last layer's mean."""

    def __init__(self, model, head: nn.Module | None = None) -> None:
        super().__init__()
        self.model, self.head = model, head or nn.Identity()
        # RoBERTa numbers its positions from 2, BERT from 0
        self.first_place = model.config.max_position_embeddings - usable_positions(model)

    def forward(self, batch: ChangedBatch) -> dict[str, Tensor]:
        """Vectors of a batch."""
        return {"z": headed(self.head, batch.read(self._mean, batch.places, batch.kept))}

    def _mean(self, ids: Tensor, mask: Tensor, places: Tensor, kept: Tensor) -> Tensor:
        # behind the layer norm of the embeddings, as the authors have it: inputs_embeds would come before it
        cutting = self.model.embeddings.register_forward_hook(lambda _, __, out: out * kept.unsqueeze(1).to(out.dtype))
        try:
            output = self.model(input_ids=ids, attention_mask=mask, position_ids=places + self.first_place)
        finally:
            cutting.remove()
        return pool(output, mask, "mean")


class ConSERT(TowerObjective):
    """NT-Xent between a sentence without some features and the same sentence with its positions shuffled.

    The authors have no head.
    """

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings) -> nn.Module:
        return ChangingTower(model, head)

    def batch(self, rows: np.ndarray, seed: int) -> ChangedBatch:
        """Each sentence twice: its changes are drawn from (seed, row)."""
        texts = self.sentences(rows)
        ids, width = self.token_ids(texts), self.module.model.config.hidden_size
        kept = np.ones((2 * len(ids), width), dtype=np.float32)
        places = [np.arange(len(row)) for row in ids]
        for number, row in enumerate(rows):
            draw = draws(seed, row)
            kept[number, draw.choice(width, int(self.settings.cutoff_rate * width), replace=False)] = 0
            places.append(draw.permutation(len(ids[number])))  # [CLS] and [SEP] as well: authors' code
        return with_changes(self.batch_of([ids, ids], texts), places, kept)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``nt_xent``: over all 2n views; the authors add the means of both views' anchors, hence the 2."""
        return {"nt_xent": 2 * self.settings.weight * info_nce_2n(outputs["z"], self.settings.temperature)}


make = one_tower(ConSERT)
