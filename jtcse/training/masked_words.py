"""Masked words as a second task: hiding words, guessing them, and stock layers on states of one's own making.

Sizes: n sentences, v views of each, m rows of a group of a batch, l tokens, d width.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jtcse.core.config import Rate, Training
from jtcse.core.errors import UserError
from jtcse.encoders.batches import Batch
from jtcse.training.objective import SentenceObjective, seeded

MASKED, RANDOM = 0.8, 0.1
"""Of the words that are hidden: the share that becomes the mask token, and the share that becomes any word (BERT's)."""


@dataclass(frozen=True)
class Masker:
    """Hides words as BERT does: each with probability ``rate``, special tokens and padding never."""

    special: Tensor
    mask_id: int
    words: int
    rate: Rate

    def hide(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The masked copy and which words were chosen, (m, l) each, by torch's own random stream.

        Args:
            tokens: (m, l) ids.
        """
        place = tokens.device
        words = ~torch.isin(tokens, self.special.to(place))
        chosen = (torch.rand(tokens.shape, device=place) < self.rate) & words
        lot = torch.rand(tokens.shape, device=place)
        drawn = torch.randint(self.words, tokens.shape, device=place)
        masked = torch.where(lot < MASKED, self.mask_id, torch.where(lot < MASKED + RANDOM, drawn, tokens))
        return torch.where(chosen, masked, tokens), chosen


def make_masker(tokenizer, rate: float) -> Masker:
    """A masker for a tokenizer's words.

    Raises:
        UserError: the tokenizer has no mask token.
    """
    return Masker(torch.tensor(sorted(tokenizer.all_special_ids)), mask_token(tokenizer), len(tokenizer), rate)


def mask_token(tokenizer) -> int:
    """Id of the mask token.

    Raises:
        UserError: there is none.
    """
    if tokenizer.mask_token_id is None:
        raise UserError(
            "the encoder's tokenizer has no mask token, by which words are hidden; take an encoder that was pre-trained "
            "on masked words, such as BERT or RoBERTa"
        )
    return tokenizer.mask_token_id


# -- models ----------------------------------------------------------------------------------------


def fresh_masked_model(model, seed: int):
    """A stock masked-language model around a copy of a tower; the head is fresh, its output layer the word embeddings.

    Raises:
        UserError: stock code has no such model for the tower's family.
    """
    from transformers import AutoModelForMaskedLM

    with seeded(seed):
        try:
            made = AutoModelForMaskedLM.from_config(model.config)
        except ValueError as error:
            raise UserError(
                f"there is no stock masked-word head for encoders of the family {model.config.model_type}; "
                "take a BERT or RoBERTa"
            ) from error
    weights = {name: weight for name, weight in model.state_dict().items() if not name.startswith("pooler.")}
    made.base_model.load_state_dict(weights)
    made.tie_weights()
    return made.to(next(model.parameters()).device)


def word_head(model) -> nn.Module:
    """The head of a stock masked-language model, (k, d) states -> (k, words): BERT calls it ``cls``, RoBERTa ``lm_head``."""
    return model.cls if hasattr(model, "cls") else model.lm_head


class _Given(nn.Module):
    """In the place of a stock model's embeddings: what comes in is what its first layer reads."""

    def forward(self, inputs_embeds: Tensor, **_) -> Tensor:
        return inputs_embeds


def layers_only(model):
    """A stock model that reads (m, l, d) states, given as ``inputs_embeds``, in place of its embeddings' output.

    Stock models add positions to ``inputs_embeds`` and normalise them; DiffCSE and InfoCSE put a sentence vector behind that.
    """
    model.embeddings = _Given()
    return model


def fresh_layers(config, count: int, seed: int):
    """``count`` stock layers of a tower's shape with a random start, as ``layers_only``."""
    from transformers import AutoModel

    shape = copy.deepcopy(config)
    shape.num_hidden_layers = count
    with seeded(seed):
        made = AutoModel.from_config(shape)
    made.pooler = None
    return layers_only(made)


# -- losses ----------------------------------------------------------------------------------------


def word_sums(head: nn.Module, states: Tensor, tokens: Tensor, chosen: Tensor) -> Tensor:
    """Cross-entropy of the hidden words by sentence: (m, 2), sum over its hidden words and their number.

    Args:
        head: (k, d) -> (k, words).
        states: (m, l, d).
        tokens, chosen: (m, l), the true words and which of them were hidden.
    """
    losses = cross_entropies(head(states[chosen]), tokens[chosen])
    sums = losses.new_zeros(len(tokens)).index_add(0, chosen.nonzero()[:, 0], losses)
    return torch.stack([sums, chosen.sum(1).to(sums.dtype)], dim=-1)


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """One cross-entropy a row, (k, c), (k,) -> (k,), in float32 or better."""
    return F.cross_entropy(logits.float() if logits.dtype == torch.bfloat16 else logits, labels, reduction="none")


def mean_of_sums(sums: Tensor) -> Tensor:
    """(v, n, 2) sums and numbers -> the mean over all that was counted, of all processes; 0 where there was nothing."""
    return sums[..., 0].sum() / sums[..., 1].sum().clamp_min(1)


def by_group(batch: Batch, rows: Tensor) -> list[Tensor]:
    """(v, n, d) vectors in the batch's order as (m, d) a group: what ``in_order`` undoes."""
    return list(rows.flatten(0, 1)[batch.order.argsort()].split([len(tokens) for tokens, _ in batch.groups]))


class _Guesser(nn.Module):
    def __init__(self, model, masker: Masker) -> None:
        super().__init__()
        self.model, self.masker = model, masker

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return {"words": batch.read(self._group)}

    def _group(self, tokens: Tensor, mask: Tensor) -> Tensor:
        hidden, chosen = self.masker.hide(tokens)
        states = self.model.base_model(input_ids=hidden, attention_mask=mask).last_hidden_state
        return word_sums(word_head(self.model), states, tokens, chosen)


class MaskedWords(SentenceObjective):
    """Objective: a stock masked-language model guesses hidden words of each sentence.

    Args:
        model: stock masked-language model.
        tokenizer: of it.
        corpus: sentences.
        rate: share of the words that are hidden.
    """

    copies = 1

    def __init__(self, model, tokenizer, corpus: Sequence[str], settings: Training, rate: float) -> None:
        super().__init__(_Guesser(model, make_masker(tokenizer, rate)), tokenizer, corpus, settings)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``mlm``, mean over hidden words."""
        return {"mlm": mean_of_sums(outputs["words"])}
