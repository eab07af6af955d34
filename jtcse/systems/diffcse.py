"""DiffCSE: InfoNCE, and a discriminator that needs the sentence vector to tell which words were replaced (Chuang et al., 2022).

Sizes: n sentences, v = 2 views, m rows of a group of a batch, l tokens, d width.
"""

from __future__ import annotations

import copy
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from jtcse.core.config import Count, LearningRate, Rate
from jtcse.core.errors import UserError
from jtcse.encoders.batches import Batch, Tower
from jtcse.encoders.loading import load_masked_model
from jtcse.method.losses import info_nce
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import Shop, one_tower
from jtcse.training.masked_words import (
    MaskedWords,
    Masker,
    by_group,
    cross_entropies,
    fresh_masked_model,
    layers_only,
    make_masker,
    mean_of_sums,
)
from jtcse.training.objective import TowerObjective, seeded

OWN = "own"


class Settings(SystemSettings):
    """Of DiffCSE."""

    weight: Annotated[float, Field(ge=0, le=1, description="lambda: of the detection of replaced words")]
    mask_rate: Rate = Field(description="share of the words that are hidden from the generator")
    generator: str = Field(
        description="stock masked-language model with the encoder's vocabulary, by hub name or folder; own: made here, "
        "from the starting encoder"
    )
    generator_steps: Count = Field(description="training of an own generator")
    generator_rate: LearningRate = Field(description="learning rate of an own generator")
    edits: Literal["everywhere", "hidden"] = Field(
        description="whether the generator's word is taken at every position, [SEP] too, or where a word was hidden"
    )
    padding: Literal["counted", "left_out"] = Field(
        description="whether the detection's mean runs over padding too, where nothing is ever replaced"
    )


class Editor:
    """A frozen masked-language model that rewrites sentences.

    It is no module, so that it takes no part in training and in checkpoints, and stays in eval mode.

    Args:
        model: stock masked-language model.
        masker: hides words from it.
        edits: ``everywhere`` or ``hidden``, see ``Settings``.
    """

    def __init__(self, model, masker: Masker, edits: str) -> None:
        self.model, self.masker, self.edits = model.eval().requires_grad_(False), masker, edits

    @torch.no_grad()
    def __call__(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(m, l) ids -> (m, l) ids: the generator's likeliest words; [CLS] and padding stay."""
        hidden, chosen = self.masker.hide(tokens)
        words = self.model(input_ids=hidden, attention_mask=mask).logits.argmax(-1)
        open_to_it = chosen if self.edits == "hidden" else mask.bool()
        edited = torch.where(open_to_it, words, tokens)
        edited[:, 0] = tokens[:, 0]
        return edited


class Discriminator(nn.Module):
    """Tells which words of an edited sentence were replaced, given the vector of the original.

    The vector takes the place of [CLS] behind the embeddings, as in the authors' patched models: position and norm are not
    applied to it.

    Args:
        model: a stock tower, which is copied.
        seed: of the two-class head.
    """

    def __init__(self, model, seed: int) -> None:
        super().__init__()
        body = copy.deepcopy(model)
        body.pooler = None
        self.embeddings = body.embeddings
        self.body = layers_only(body)
        with seeded(seed):
            self.classes = nn.Linear(model.config.hidden_size, 2).to(next(model.parameters()).device)

    def forward(self, words: Tensor, mask: Tensor, vectors: Tensor) -> Tensor:
        """(m, l) ids and mask, (m, d) -> (m, l, 2) logits of kept and replaced."""
        states = self.embeddings(input_ids=words)
        states = torch.cat([vectors.unsqueeze(1), states[:, 1:]], dim=1)
        return self.classes(self.body(inputs_embeds=states, attention_mask=mask).last_hidden_state)


class _Detecting(nn.Module):
    """The tower and its discriminator; gives ``h`` and ``z`` of ``Tower`` and ``detection``, (v, n, 2) for ``mean_of_sums``."""

    def __init__(self, tower: Tower, discriminator: Discriminator, editor: Editor, padding: str) -> None:
        super().__init__()
        self.tower, self.discriminator, self.editor, self.padding = tower, discriminator, editor, padding

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        found = self.tower(batch)
        return found | {"detection": batch.read(self._group, by_group(batch, found["z"]))}

    def _group(self, tokens: Tensor, mask: Tensor, vectors: Tensor) -> Tensor:
        words = self.editor(tokens, mask)
        replaced = (words != tokens).long()
        logits = self.discriminator(words, mask, vectors)
        losses = cross_entropies(logits.flatten(0, 1), replaced.flatten()).unflatten(0, tokens.shape)
        counted = mask.to(losses.dtype) if self.padding == "left_out" else torch.ones_like(losses)
        return torch.stack([(losses * counted).sum(1), counted.sum(1)], dim=-1)


class DiffCSE(TowerObjective):
    """Objective: InfoNCE between two dropout views, and the detection of replaced words.

    Both parts read the output of the projection head.

    Raises:
        UserError: a tokenizer without a mask token.
    """

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings, generator, seed: int) -> nn.Module:
        """All that is trained.

        Args:
            generator: stock masked-language model with the tower's vocabulary; it is frozen.
            seed: of the discriminator's head.
        """
        editor = Editor(generator, make_masker(tokenizer, settings.mask_rate), settings.edits)
        return _Detecting(Tower(model, head), Discriminator(model, seed), editor, settings.padding)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce`` (Eq. 11) and ``detection``, times its weight."""
        z = outputs["z"]
        return {
            "infonce": info_nce(z[0], z[1], self.settings.temperature),
            "detection": self.settings.weight * mean_of_sums(outputs["detection"]),
        }


def _discriminator(shop: Shop, model, tokenizer) -> dict:
    generator = _own(shop, model, tokenizer) if shop.settings.generator == OWN else _public(shop, tokenizer)
    return {"generator": generator, "seed": shop.stream("discriminator")}


def _public(shop: Shop, tokenizer):
    """The generator that the settings name."""
    name = shop.settings.generator
    model, words = load_masked_model(name)
    if words.get_vocab() != tokenizer.get_vocab():
        raise UserError(
            f"generator {name} numbers its words in another way than the encoder ({len(words):,} and {len(tokenizer):,} "
            f"entries); set generator to a masked-language model with the encoder's vocabulary, or to '{OWN}'"
        )
    return model


def _own(shop: Shop, model, tokenizer):
    """A generator made of the starting encoder, fitted on the corpus at the rate at which words will be hidden from it."""
    s = shop.settings
    generator = fresh_masked_model(model, shop.stream("generator"))
    fit = s.model_copy(update={"steps": s.generator_steps, "learning_rate": s.generator_rate})
    shop.train(MaskedWords(generator, tokenizer, shop.corpus, fit, s.mask_rate), None, part="generator")
    return generator


make = one_tower(DiffCSE, _discriminator)
