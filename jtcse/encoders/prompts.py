"""Sentences inside a template, whose mask token's state is their vector (PromptBERT, SNCSE).

A template is text such as ``This sentence of "X" means [MASK] .``: X is the sentence, [MASK] the tokenizer's own mask token.
Sizes: n sentences, l tokens, d width.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jtcse.core.errors import UserError
from jtcse.core.files import new_folder
from jtcse.encoders.encoder import DESCRIPTION, TowerEncoder, describe
from jtcse.encoders.loading import load_tower, save_tower

MASK = "[MASK]"
SENTENCE = re.compile(r"(?<!\w)X(?!\w)")
KEPT = ("kept_template", "ending", "endings")
"""Settings by which a kept encoder reads; its description has them under the same names."""


@dataclass(frozen=True)
class Template:
    """A template as token ids: ``before`` X with the first special token, ``after`` X with the last.

    ``place`` is the mask token's index, from the end (negative) where it stands behind X. ``lead`` is written before X.
    """

    before: list[int]
    after: list[int]
    place: int
    lead: str

    @property
    def size(self) -> int:
        """Tokens beside X."""
        return len(self.before) + len(self.after)

    def ids(self, sentences: Sequence[str], tokenizer, limit: int) -> list[list[int]]:
        """Token ids of each sentence in the template; X is cut at ``limit`` tokens."""
        found = _pieces([self.lead + sentence for sentence in sentences], tokenizer)
        return [[*self.before, *ids[:limit], *self.after] for ids in found]


def make_template(text: str, tokenizer, apart: bool = False) -> Template:
    """A template out of its text.

    Args:
        text: with X and [MASK] once each.
        tokenizer: of the tower.
        apart: X is tokenised by itself; otherwise a blank before X belongs to it, as when the whole is tokenised at once (a
            byte-level tokenizer such as RoBERTa's tells a word with a blank before it from one without).
    Raises:
        UserError: not exactly one X or one mask; a tokenizer without a mask token.
    """
    if tokenizer.mask_token_id is None:
        raise UserError(
            "the tokenizer has no mask token, and a template's vector is that token's state; take an encoder that was trained "
            "as a masked language model"
        )
    for name, count in (("X", len(SENTENCE.findall(text))), (MASK, text.count(MASK))):
        if count != 1:
            raise UserError(
                f"the template {text!r} has {name} {count} times; expected it once, as in 'This sentence of \"X\" means {MASK} .'"
            )
    before, after = SENTENCE.split(text.replace(MASK, tokenizer.mask_token))
    lead = " " if before.endswith(" ") and not apart else ""
    first, last = tokenizer("")["input_ids"]  # the special tokens around a text
    heads, tails = _pieces([before.rstrip(" ") if lead else before, after], tokenizer)
    heads, tails = [first, *heads], [*tails, last]
    inside = tokenizer.mask_token_id in tails
    place = tails.index(tokenizer.mask_token_id) - len(tails) if inside else heads.index(tokenizer.mask_token_id)
    return Template(heads, tails, place, lead)


def _pieces(texts: Sequence[str], tokenizer) -> list[list[int]]:
    return tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]


def ended(sentences: Sequence[str], ending: str, endings: str) -> list[str]:
    """Sentences with ``ending`` behind those whose last character is none of ``endings``; empty ones stay empty."""
    return [s + ending if s.strip() and s.strip()[-1] not in endings else s for s in sentences]


def state_at(states: Tensor, mask: Tensor, places: Tensor | int) -> Tensor:
    """Rows of (n, l, d) at places counted from a row's start, or from its last token where negative: (n, d)."""
    lengths = mask.sum(1)
    places = torch.as_tensor(places, device=states.device).expand(len(states))
    return states[torch.arange(len(states), device=states.device), torch.where(places < 0, lengths + places, places)]


class TemplateEncoder(TowerEncoder):
    """A stock tower that reads each sentence inside a template, at the mask token.

    Args:
        system: module of ``jtcse/systems`` whose ``open_saved`` opens what is saved.
        kept_template, ending, endings: as in ``prompted.PromptSettings``.
        max_length: tokens, the template included.
    """

    def __init__(
        self,
        model,
        tokenizer,
        system: str,
        *,
        kept_template: str,
        ending: str = "",
        endings: str = "",
        max_length: int | None = None,
        precision: str = "fp32",
    ) -> None:
        super().__init__(model, tokenizer, max_length=max_length, precision=precision)
        self.system, self.read = system, {"kept_template": kept_template, "ending": ending, "endings": endings}
        self.template = make_template(kept_template, tokenizer)
        if self.template.size >= self.max_length:
            raise UserError(
                f"the template {kept_template!r} has {self.template.size} tokens, and the encoder takes {self.max_length} with "
                "the sentence; take a shorter template"
            )

    def tokenise(self, sentences: Sequence[str]) -> list[list[int]]:
        """Token ids of each sentence in the template; the sentence is cut, never the template."""
        whole = ended(sentences, self.read["ending"], self.read["endings"])
        return self.template.ids(whole, self.tokenizer, self.max_length - self.template.size)

    def vectors(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, d) states of the mask token."""
        states = self.model(input_ids=tokens, attention_mask=None if bool(mask.all()) else mask).last_hidden_state
        return state_at(states, mask, self.template.place)

    def save(self, folder: Path | str) -> None:
        """Write the stock tower and the description with the template."""
        with new_folder(folder) as fresh:
            save_tower(self.model, self.tokenizer, fresh)
            describe(fresh, system=self.system, max_length=self.max_length, **self.read)


def open_kept(folder: Path, described: Mapping[str, Any], precision: str) -> TemplateEncoder:
    """What ``TemplateEncoder.save`` wrote.

    Raises:
        UserError: a description without its template; as ``load_tower`` and ``make_template``.
    """
    try:
        read = {name: str(described[name]) for name in KEPT}
        system, max_length = str(described["system"]), int(described["max_length"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder / DESCRIPTION} is not a whole description of an encoder with a template ({error!r}); save the model again"
        ) from error
    return TemplateEncoder(*load_tower(folder), system, max_length=max_length, precision=precision, **read)
