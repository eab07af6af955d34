"""SNCSE: prompts as in PromptBERT, and the negated sentence as a soft negative (Wang et al., 2022)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jtcse.encoders.prompts import open_kept
from jtcse.method.losses import cosine, info_nce
from jtcse.systems import negation
from jtcse.systems.prompted import Prompted, PromptObjective, PromptSettings, kept_encoder, open_published, templates_of
from jtcse.systems.shop import one_tower

Margin = Annotated[float, Field(ge=0, le=2)]


class Settings(PromptSettings):
    """Of SNCSE."""

    negation: Literal["parser", "lexical"] = Field(
        description="by spaCy's dependency parse, or by closed lists of words"
    )
    alpha: Margin = Field(description="by how much the negation must at least be less similar than the positive")
    beta: Margin = Field(description="by how much at most")
    margin_weight: Annotated[float, Field(ge=0)] = Field(description="of the bidirectional margin loss: lambda")


def margin_loss(z: Tensor, positive: Tensor, negated: Tensor, alpha: float, beta: float) -> Tensor:
    r"""Bidirectional margin loss, mean over a batch: three times (n, d) to a scalar.

    .. math:: \max(0, \Delta + \alpha) + \max(0, -\Delta - \beta), \quad \Delta = \cos(z, z^-) - \cos(z, z^+)
    """
    difference = cosine(z, negated) - cosine(z, positive)
    return (torch.relu(difference + alpha) + torch.relu(-difference - beta)).mean()


class SNCSE(PromptObjective):
    """InfoNCE between two templates, and the margins of the negated sentence.

    Raises:
        UserError: as ``PromptObjective`` and, for a negation by parse, ``negation.parser``.
    """

    @staticmethod
    def build(model, head: nn.Module, tokenizer, settings: Settings) -> Prompted:
        if settings.negation == "parser":
            negation.parser()  # now, rather than after the first look at the development set
        return Prompted(model, head, templates_of(settings, tokenizer, views=3))

    def views(self, rows: np.ndarray, seed: int) -> list[list[str]]:
        """The sentence in the first template; sentence and negation in the other one."""
        texts = self.sentences(rows)
        negated = negation.negations(texts, self.settings.negation)
        return [self.finished(view) for view in (texts, texts, negated)]

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``infonce`` between the first two views, and ``margin`` with its weight."""
        first, positive, negated = outputs["z"]
        settings = self.settings
        margin = margin_loss(first, positive, negated, settings.alpha, settings.beta)
        return {
            "infonce": info_nce(first, positive, settings.temperature),
            "margin": settings.margin_weight * margin,
        }


make = one_tower(SNCSE, kept=kept_encoder)
open_saved = open_kept
open_released = partial(open_published, "sncse")
