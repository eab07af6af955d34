"""The generated encoder of the ``embedded`` profile: a small BERT and its masked language modelling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jtcse.config import EncoderSettings, PretrainSettings
from jtcse.twin import Batch, make_batch

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def word_tokenizer(words: Sequence[str], max_length: int):
    """A stock BERT tokenizer that knows every word of the generated world as one token."""
    import tempfile

    from transformers import BertTokenizerFast

    vocabulary = [*SPECIAL, *sorted(set(words) - set(SPECIAL))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("\n".join(vocabulary) + "\n", encoding="utf8")
        return BertTokenizerFast(str(path), do_lower_case=True, model_max_length=max_length)


def small_bert(settings: EncoderSettings, vocabulary: int, max_length: int, dropout: float, seed: int):
    """A stock ``BertForMaskedLM`` with random weights."""
    from transformers import BertConfig, BertForMaskedLM, BertModel

    torch.manual_seed(seed)
    config = BertConfig(vocab_size=vocabulary, hidden_size=settings.width, num_hidden_layers=settings.layers,
                        num_attention_heads=settings.heads, intermediate_size=4 * settings.width,
                        max_position_embeddings=max_length, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    model = BertForMaskedLM(config)
    model.bert = BertModel(config)  # with the pooler, which the tensor-modulus constraint reads later
    return model


class _MaskedModel(nn.Module):
    def __init__(self, model, mask_id: int, special: Sequence[int], rate: float) -> None:
        super().__init__()
        self.model, self.mask_id, self.rate = model, mask_id, rate
        self.register_buffer("special", torch.tensor(sorted(special)), persistent=False)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        losses = []
        for tokens, mask in batch.groups:
            chosen = (torch.rand(tokens.shape, device=tokens.device) < self.rate) & ~torch.isin(tokens, self.special)
            hidden = self.model.bert(input_ids=tokens.masked_fill(chosen, self.mask_id), attention_mask=mask).last_hidden_state
            losses.append(F.cross_entropy(self.model.cls(hidden[chosen]).float(), tokens[chosen], reduction="none"))
        return {"mlm": torch.cat(losses).mean().view(1, 1)}


class MaskedLanguageModel:
    """Objective: predict masked words (BERT's rate, always the mask token; one view, no pairs).

    Args:
        model: from ``small_bert``.
        tokenizer: from ``word_tokenizer``.
        corpus: sentences.
    """

    def __init__(self, model, tokenizer, corpus: Sequence[str], settings: PretrainSettings) -> None:
        self.module = _MaskedModel(model, tokenizer.mask_token_id, tokenizer.all_special_ids, settings.mask_rate)
        self.tokenizer, self.corpus, self.settings = tokenizer, corpus, settings
        self.size = len(corpus)

    def batch(self, rows: np.ndarray, seed: int) -> Batch:
        """Each sentence once; masks are drawn from the step's own seed."""
        texts = [[self.corpus[int(row)] for row in rows]]
        return make_batch(texts, self.tokenizer, self.settings.max_length, self.settings.length_groups)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``mlm``, mean over masked words (of each process, then over processes)."""
        return {"mlm": outputs["mlm"].mean()}
