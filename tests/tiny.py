"""Tiny random stock towers and token ids, in memory."""

from __future__ import annotations

from pathlib import Path

import standin
import torch
from torch import Tensor

WORDS = 60
PAD = 1  # RoBERTa's, and for BERT as good as any


def tower(family: str = "bert", *, seed: int = 0, **changes):
    """A random ``BertModel`` or ``RobertaModel`` in eval mode; ``changes`` go to its configuration."""
    from transformers import AutoConfig, AutoModel

    settings = {
        "vocab_size": WORDS,
        "hidden_size": 24,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "intermediate_size": 40,
        "max_position_embeddings": 32,
        "pad_token_id": PAD,
        "initializer_range": 0.2,  # ten times the usual: attention that is far from even
    }
    torch.manual_seed(seed)
    model = AutoModel.from_config(AutoConfig.for_model(family, **settings | changes))
    torch.nn.init.normal_(model.pooler.dense.bias, std=0.1)
    for layer in model.encoder.layer:  # stock biases are zero, which would hide one that is left out
        for part in (*layer.attention.self.children(), layer.attention.output.dense, layer.output.dense):
            if isinstance(part, torch.nn.Linear):
                torch.nn.init.normal_(part.bias, std=0.1)
    return model.eval()


def tokens(
    lengths: tuple[int, ...] = (7, 5, 2, 7), *, width: int | None = None, seed: int = 3
) -> tuple[Tensor, Tensor]:
    """Random ids of sentences of these lengths and their mask, padded to ``width``: (n, l) each."""
    width = width or max(lengths)
    ids = torch.randint(5, WORDS, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(seed))
    ids = torch.nn.functional.pad(ids, (0, width - ids.shape[1]), value=PAD)
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    return ids.masked_fill(mask == 0, PAD), mask


def saved(folder: Path, family: str = "bert", *, layers: int = 2, seed: int = 0, **changes):
    """A stand-in tower and its tokenizer, through its folder: (model in eval mode, tokenizer)."""
    from jtcse.encoders.loading import load_tower

    getattr(standin, family)(folder, layers=layers, seed=seed, **changes)
    model, tokenizer = load_tower(folder)
    return model.cpu(), tokenizer
