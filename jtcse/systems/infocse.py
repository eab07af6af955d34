"""InfoCSE: InfoNCE, and an auxiliary network that guesses hidden words with the help of the sentence's [CLS] (Wu et al., 2022).

Sizes: n sentences, v = 2 views, m rows of a group of a batch, l tokens, d width.
"""

from __future__ import annotations

import copy
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from jtcse.core.config import Count, Rate
from jtcse.core.errors import UserError
from jtcse.encoders.batches import Batch, Tower
from jtcse.encoders.loading import load_masked_model
from jtcse.method.losses import info_nce
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import Shop, one_tower
from jtcse.training.masked_words import (
    Masker,
    by_group,
    fresh_layers,
    fresh_masked_model,
    make_masker,
    mean_of_sums,
    word_head,
    word_sums,
)
from jtcse.training.objective import TowerObjective


class Settings(SystemSettings):
    """Of InfoCSE."""

    weight: Annotated[float, Field(ge=0, le=1, description="of the hidden words' cross-entropy")]
    mask_rate: Rate = Field(description="share of the words that are hidden")
    lower_layers: Count | None = Field(
        description="frozen layers of the starting encoder that read the masked copy; null: half of them"
    )
    extra_layers: Count = Field(description="layers between those and the words")
    words: Literal["checkpoint", "fresh"] = Field(
        description="masked-word head: of the checkpoint that 'start' names, or a fresh one on the word embeddings"
    )


class Lower:
    """The first layers of an encoder, frozen as they are now: (m, l) ids and mask -> (m, l, d).

    They are no module, so that they take no part in training and in checkpoints, and stay in eval mode.

    Raises:
        UserError: fewer layers in the encoder than asked for.
    """

    def __init__(self, model, layers: int | None) -> None:
        depth = len(model.encoder.layer)
        if layers is not None and layers > depth:
            raise UserError(
                f"lower_layers is {layers} but the encoder has {depth} layers; set at most that, or null for half of them"
            )
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.model.encoder.layer = self.model.encoder.layer[: layers or max(1, depth // 2)]

    @torch.no_grad()
    def __call__(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.model(input_ids=tokens, attention_mask=mask).last_hidden_state


class _Informed(nn.Module):
    """The tower and its auxiliary network; gives ``h`` and ``z`` of ``Tower`` and ``words``, (v, n, 2) for ``mean_of_sums``."""

    def __init__(self, tower: Tower, lower: Lower, extra, words: nn.Module, masker: Masker) -> None:
        super().__init__()
        self.tower, self.extra, self.words = tower, extra, words
        self.lower, self.masker = lower, masker

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        found = self.tower(batch)
        return found | {"words": batch.read(self._group, by_group(batch, found["h"]))}

    def _group(self, tokens: Tensor, mask: Tensor, cls: Tensor) -> Tensor:
        hidden, chosen = self.masker.hide(tokens)
        below = self.lower(hidden, mask)
        states = torch.cat([cls.unsqueeze(1), below[:, 1:]], dim=1)
        states = self.extra(inputs_embeds=states, attention_mask=mask).last_hidden_state
        return word_sums(self.words, states, tokens, chosen)


class InfoCSE(TowerObjective):
    """Objective: InfoNCE between two dropout views, and hidden words guessed from a shallow reading and the deep [CLS].

    The projection head is for InfoNCE alone.

    Raises:
        UserError: a tokenizer without a mask token; more frozen layers than the tower has.
    """

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings, words: nn.Module, seed: int) -> nn.Module:
        """All that is trained.

        Args:
            words: masked-word head, (k, d) -> (k, words).
            seed: of the extra layers.
        """
        extra = fresh_layers(model.config, settings.extra_layers, seed).to(next(model.parameters()).device)
        lower, masker = Lower(model, settings.lower_layers), make_masker(tokenizer, settings.mask_rate)
        return _Informed(Tower(model, head), lower, extra, words, masker)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce`` (Eq. 11) and ``words``, times its weight."""
        z = outputs["z"]
        return {
            "infonce": info_nce(z[0], z[1], self.settings.temperature),
            "words": self.settings.weight * mean_of_sums(outputs["words"]),
        }


def _auxiliary(shop: Shop, model, tokenizer) -> dict:
    return {"words": word_head(_masked_model(shop, model)), "seed": shop.stream("extra")}


def _masked_model(shop: Shop, model):
    if shop.settings.words == "fresh":
        return fresh_masked_model(model, shop.stream("words"))
    if shop.settings.start is None:
        raise UserError(
            f"{shop.name}: words is 'checkpoint' but start is null; set start to a checkpoint with a masked-word head, "
            "or words to 'fresh'"
        )
    return load_masked_model(shop.settings.start)[0]


make = one_tower(InfoCSE, _auxiliary)
