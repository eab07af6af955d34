"""What the systems that train on sentences inside templates share: settings, module, batches (PromptBERT, SNCSE).

Sizes: n sentences, v views of each, l tokens, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jtcse.core.errors import UserError
from jtcse.encoders.batches import Batch, batch_of, headed, in_order
from jtcse.encoders.loading import load_tower, usable_positions
from jtcse.encoders.prompts import KEPT, Template, TemplateEncoder, ended, make_template, state_at
from jtcse.systems.settings import Backbone, SystemSettings, published_values
from jtcse.systems.shop import Shop
from jtcse.training.objective import TowerObjective


class PromptSettings(SystemSettings):
    """Of systems that read the mask token of a template."""

    template: str = Field(description="of a sentence's first view; X is the sentence, [MASK] the mask token")
    other_template: str = Field(description="of its other views")
    kept_template: str = Field(description="of the vector that is kept; tokenised as one text")
    apart: bool = Field(
        description="training tokenises X apart from what stands before it: on RoBERTa it then has no blank of its own"
    )
    length_of: Literal["sentence", "whole"] = Field(
        description="what max_length cuts X for: X alone, or with its template"
    )
    ending: str = Field(description="what a sentence gets that ends in none of 'endings'; empty: nothing")
    endings: str = Field(description="characters")
    ending_in_training: bool = Field(description="whether training adds it too, or only the vector that is kept")


def limit_of(template: Template, settings: PromptSettings, model) -> int:
    """Tokens of X at most, by the settings.

    Raises:
        UserError: a template that leaves no room for X, or more tokens than the tower has positions.
    """
    limit = settings.max_length - (template.size if settings.length_of == "whole" else 0)
    if limit < 1 or limit + template.size > usable_positions(model):
        raise UserError(
            f"max_length {settings.max_length} (of {settings.length_of}) leaves {limit} tokens for the sentence beside the "
            f"template's {template.size}, and the encoder takes {usable_positions(model)} in all; set another max_length"
        )
    return limit


def templates_of(settings: PromptSettings, tokenizer, views: int) -> list[Template]:
    """The first view's template and that of the others, v in all."""
    texts = [settings.template, *[settings.other_template] * (views - 1)]
    return [make_template(text, tokenizer, settings.apart) for text in texts]


class Prompted(nn.Module):
    """One stock tower, read at the mask token; view w of the batch is in ``templates[w]``.

    Gives ``h``: (v, n, d), states of the mask token in the last layer, and ``z``, what the head makes of them.
    """

    def __init__(self, model, head: nn.Module, templates: Sequence[Template]) -> None:
        super().__init__()
        self.model, self.head = model, head
        self.templates = list(templates)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors of a batch."""
        h, _ = self.states(batch)
        return {"h": h, "z": headed(self.head, h)}

    def states(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(v, n, d) states of the mask token and (v, n) numbers of tokens, padding left out."""
        places = torch.tensor([template.place for template in self.templates], device=batch.order.device)
        a_view = len(batch.order) // batch.views
        views = (batch.order.argsort() // a_view).split([len(ids) for ids, _ in batch.groups])
        found = []
        for (ids, mask), view in zip(batch.groups, views, strict=True):
            last = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
            found.append([state_at(last, mask, places[view]), mask.sum(1)])
        h, lengths = in_order(batch, found)
        return h, lengths


class PromptObjective(TowerObjective):
    """Base of an objective on sentences in templates, one a view; a subclass gives ``parts``, and ``views`` where texts differ.

    Raises:
        UserError: as ``make_template`` and ``limit_of``.
    """

    module: Prompted

    def __init__(self, *given, **more) -> None:
        super().__init__(*given, **more)
        self.limits = [limit_of(one, self.settings, self.module.model) for one in self.module.templates]

    def views(self, rows: np.ndarray, seed: int) -> list[list[str]]:
        """Each sentence once a template."""
        return [self.finished(self.sentences(rows))] * len(self.limits)

    def finished(self, texts: Sequence[str]) -> list[str]:
        """Texts with their ending, if training adds it."""
        settings = self.settings
        return ended(texts, settings.ending, settings.endings) if settings.ending_in_training else list(texts)

    def batch(self, rows: np.ndarray, seed: int) -> Batch:
        """The views of some sentences in their templates."""
        texts = self.views(rows, seed)
        made = zip(self.module.templates, texts, self.limits, strict=True)
        ids = [template.ids(view, self.tokenizer, limit) for template, view, limit in made]
        return batch_of(ids, self.tokenizer.pad_token_id, self.settings.length_groups, texts)


def kept_encoder(shop: Shop, model, tokenizer) -> TemplateEncoder:
    """The tower with the settings' template."""
    read = {name: getattr(shop.settings, name) for name in KEPT}
    return TemplateEncoder(model, tokenizer, shop.name, **read)


def open_published(system: str, names: Sequence[str], backbone: Backbone, precision: str) -> TemplateEncoder:
    """A released stock tower, read through its authors' template."""
    values = published_values(system, backbone)
    read = {name: values[name] for name in KEPT}
    return TemplateEncoder(*load_tower(names[0]), system, precision=precision, **read)
