"""PromptBERT: InfoNCE between a sentence in two templates, with what the template alone says taken away (Jiang et al., 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from jtcse.encoders.batches import Batch, headed
from jtcse.encoders.loading import usable_positions
from jtcse.encoders.prompts import Template, open_kept
from jtcse.method.losses import info_nce
from jtcse.systems.prompted import Prompted, PromptObjective, PromptSettings, kept_encoder, open_published, templates_of
from jtcse.systems.shop import one_tower


class Settings(PromptSettings):
    """Of PromptBERT."""

    denoising: Literal["off", "released", "own_positions"] = Field(
        description="template denoising; released counts positions from 0, own_positions from the encoder's first (RoBERTa: 2)"
    )


class Denoised(Prompted):
    """``Prompted`` whose ``z`` is the head of h minus the mask state of the template without its sentence."""

    def __init__(self, model, head: nn.Module, templates: Sequence[Template], first_position: int = 0) -> None:
        super().__init__(model, head, templates)
        self.first_position = first_position

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors of a batch."""
        h, lengths = self.states(batch)
        z = h - torch.stack([self.bias(*view) for view in zip(self.templates, lengths, strict=True)])
        return {"h": h, "z": headed(self.head, z)}

    def bias(self, template: Template, lengths: Tensor) -> Tensor:
        """Mask state of the empty template, what follows X at the positions that a sentence leaves it: (n,) lengths -> (n, d).

        Sentences of one length share one state, and so its dropout mask, as in the authors' code; gradients flow through it.
        """
        inner, row = (lengths - template.size).unique(return_inverse=True)
        ids = torch.tensor(template.before + template.after, device=inner.device).expand(len(inner), -1)
        positions = self.first_position + torch.arange(template.size, device=inner.device).repeat(len(inner), 1)
        positions[:, len(template.before) :] += inner[:, None]
        states = self.model(input_ids=ids, position_ids=positions).last_hidden_state
        return states[:, template.place][row]


class PromptBERT(PromptObjective):
    """InfoNCE between the views of the two templates."""

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings) -> Prompted:
        templates = templates_of(settings, tokenizer, views=2)
        if settings.denoising == "off":
            return Prompted(model, head, templates)
        reserved = model.config.max_position_embeddings - usable_positions(model)
        return Denoised(model, head, templates, reserved if settings.denoising == "own_positions" else 0)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce``, from the first template's view to the other's."""
        z = outputs["z"]
        return {"infonce": info_nce(z[0], z[1], self.settings.temperature)}


make = one_tower(PromptBERT, kept=kept_encoder)
open_saved = open_kept
open_released = partial(open_published, "promptbert")
