"""ESimCSE (Wu et al., 2022): the second view repeats some sub-words, a queue brings more negatives.

The queue holds what a slowly following copy of the encoder made of earlier batches. Rules and order of steps are those of the
authors' code (caskcsg/sentemb, ESimCSE), which repeats sub-words where the paper's text speaks of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from jtcse.core.config import Probability
from jtcse.core.errors import UserError
from jtcse.encoders.batches import Batch, Tower
from jtcse.encoders.loading import usable_positions
from jtcse.method.losses import cosine_matrix
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import one_tower
from jtcse.training.objective import Queue, TowerObjective, draws

MOST = 10
"""Fewer sub-words than this are repeated in a sentence, however long it is (authors' code)."""


class Settings(SystemSettings):
    """Of ESimCSE."""

    repeat_rate: Probability = Field(description="share of a sentence's tokens that bounds how many are repeated")
    queue: int = Field(ge=0, description="negatives from earlier batches; 0: none, and no momentum encoder")
    momentum: Probability = Field(description="share of itself that the momentum encoder keeps at each step")


def repeat_tokens(ids: Sequence[int], rate: float, room: int, generator: np.random.Generator) -> list[int]:
    """Say some tokens twice in place, never the first and the last, which are [CLS] and [SEP].

    How many is drawn evenly from 0 to min(10, int(rate * l)) - 1, where l counts the special tokens as well; which ones,
    without replacement.

    Args:
        ids: l token ids.
        rate: of the rule above.
        room: longest result in tokens.
        generator: of the draws.
    """
    most = min(MOST, int(rate * len(ids)))
    count = min(int(generator.integers(most)), room - len(ids)) if most else 0
    chosen = {int(place) + 1 for place in generator.choice(len(ids) - 2, size=count, replace=False)} if count else ()
    return [token for place, token in enumerate(ids) for _ in range(2 if place in chosen else 1)]


class Followed(nn.Module):
    """A tower, and a copy of its model that follows it: gives ``h``, ``z`` and, in training, ``queued``, (1, n, d).

    ``queued`` is what the copy, without dropout, and the shared head make of the first view.

    Args:
        model, head: as of ``Tower``.
        queue: vectors that the queue holds; 0: no queue and no copy.
        momentum: of the copy's weights.
    """

    def __init__(self, model, head: nn.Module | None, queue: int, momentum: float) -> None:
        super().__init__()
        self.tower, self.momentum = Tower(model, head), momentum
        self.follower = deepcopy(model).requires_grad_(False) if queue else None
        self.queue = Queue(queue, model.config.hidden_size) if queue else None

    def train(self, mode: bool = True) -> Followed:
        """As any module, but the copy has no dropout at any time."""
        super().train(mode)
        if self.follower is not None:
            self.follower.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors of a batch; in training the copy takes its step first, as in the authors' code."""
        found = self.tower(batch)
        if self.follower is not None and self.training:
            with torch.no_grad():
                self._follow()
                found["queued"] = self.tower.head(self._first_view(batch))[None]
        return found

    def _follow(self) -> None:
        for own, other in zip(self.tower.model.parameters(), self.follower.parameters(), strict=True):
            other.mul_(self.momentum).add_(own, alpha=1 - self.momentum)

    def _first_view(self, batch: Batch) -> Tensor:
        one = only_view(batch, 0)
        return one.read(lambda ids, mask: self.follower(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0])[0]


def only_view(batch: Batch, view: int) -> Batch:
    """One view of a batch, in the same groups of like length."""
    n = len(batch.order) // batch.views
    wanted = batch.order[view * n : (view + 1) * n]
    groups, places, start = [], [], 0
    for ids, mask in batch.groups:
        inside = wanted[(wanted >= start) & (wanted < start + len(ids))]
        if len(inside):
            groups.append((ids[inside - start], mask[inside - start]))
            places.append(inside)
        start += len(ids)
    slots = torch.cat(places)  # where each row of the new groups stood in the old ones
    rank = torch.empty(start, dtype=torch.long, device=wanted.device)
    rank[slots] = torch.arange(n, device=wanted.device)
    return Batch(groups, rank[wanted], 1, [batch.texts[view]])


class ESimCSE(TowerObjective):
    """InfoNCE between a sentence and its copy with repeated sub-words, with the queue as further negatives.

    The queue's vectors pass the head too.

    Raises:
        UserError: a queue that is not 0 and shorter than a batch.
    """

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings) -> nn.Module:
        if 0 < settings.queue < settings.batch_size:
            raise UserError(
                f"the queue holds {settings.queue} vectors, fewer than a batch of {settings.batch_size}; expected 0 or at "
                "least a batch: set a longer queue, such as two and a half batches, or a smaller batch_size"
            )
        return Followed(model, head, settings.queue, settings.momentum)

    def batch(self, rows: np.ndarray, seed: int) -> Batch:
        """Each sentence and its copy with repetitions, which may be longer than ``max_length``, as in the authors' code."""
        texts = self.sentences(rows)
        first, room = self.token_ids(texts), usable_positions(self.module.tower.model)
        second = [
            repeat_tokens(ids, self.settings.repeat_rate, room, draws(seed, row))
            for row, ids in zip(rows, first, strict=True)
        ]
        return self.batch_of([first, second], texts)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce`` with the queue's vectors behind the batch's; then ``queued`` goes into the queue."""
        z, queue = outputs["z"], self.module.queue
        logits = cosine_matrix(z[0], z[1])
        if queue is not None:
            logits = torch.cat([logits, cosine_matrix(z[0], queue.rows())], dim=1)
        if "queued" in outputs:
            queue.push(outputs["queued"][0])
        target = torch.arange(z.shape[1], device=z.device)
        return {"infonce": F.cross_entropy(logits / self.settings.temperature, target)}


make = one_tower(ESimCSE)
