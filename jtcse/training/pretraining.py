"""The generated encoder of the ``embedded`` profile: a small BERT, pre-trained on two tasks at once.

Masked words, as BERT's; and, in place of BERT's next-sentence task, for which the generated world has no texts, the words of a
sentence out of its [CLS] vector, by the same output layer. Without a task of its own [CLS] would start as noise, and the two
towers that stage 1 makes of it would share no directions for stage 2 to tie (BERT's do share them).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jtcse.core.config import EncoderSettings, PretrainSettings
from jtcse.encoders.batches import Batch
from jtcse.training.objective import SentenceObjective

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
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=4 * settings.width,
        max_position_embeddings=max_length,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    model = BertForMaskedLM(config)
    model.bert = BertModel(config)  # with the pooler, which the tensor-modulus constraint reads later
    return model


class _MaskedModel(nn.Module):
    def __init__(self, model, mask_id: int, special: Sequence[int], rate: float) -> None:
        super().__init__()
        self.model, self.mask_id, self.rate = model, mask_id, rate
        self.register_buffer("special", torch.tensor(sorted(special)), persistent=False)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        masked, summary = [], []
        for tokens, mask in batch.groups:
            words = ~torch.isin(tokens, self.special)
            chosen = (torch.rand(tokens.shape, device=tokens.device) < self.rate) & words
            hidden = self.model.bert(
                input_ids=tokens.masked_fill(chosen, self.mask_id), attention_mask=mask
            ).last_hidden_state
            masked.append(F.cross_entropy(self.model.cls(hidden[chosen]).float(), tokens[chosen], reduction="none"))
            told = self.model.cls(hidden[:, 0]).float().log_softmax(-1).gather(1, tokens)
            summary.append(-(told * words).sum(1) / words.sum(1))
        return {"mlm": torch.cat(masked).mean().view(1, 1), "summary": torch.cat(summary).mean().view(1, 1)}


class MaskedLanguageModel(SentenceObjective):
    """Objective: predict masked words (BERT's rate, always the mask token) from their states and all words from [CLS].

    Args:
        model: from ``small_bert``.
        tokenizer: from ``word_tokenizer``.
        corpus: sentences.
    """

    copies = 1

    def __init__(self, model, tokenizer, corpus: Sequence[str], settings: PretrainSettings) -> None:
        module = _MaskedModel(model, tokenizer.mask_token_id, tokenizer.all_special_ids, settings.mask_rate)
        super().__init__(module, tokenizer, corpus, settings)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``mlm``, mean over masked words, and ``summary``, mean over sentences (of each process, then over processes)."""
        return {name: value.mean() for name, value in outputs.items()}
