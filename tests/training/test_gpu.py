"""The training path on a GPU, at BERT-base shape with untrained weights; skips where there is none."""

from __future__ import annotations

import math

import pytest
import standin
import torch

from jtcse.core.config import load_settings
from jtcse.core.device import device, has_bf16
from jtcse.method.joint_training import JTCSE
from jtcse.training.trainer import train

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]


def test_the_twin_trains_in_bf16_at_bert_base_shape(tmp_path):
    from transformers import AutoTokenizer, BertConfig, BertModel

    assert has_bf16()
    tokenizer = AutoTokenizer.from_pretrained(standin.bert(tmp_path / "small"))
    towers = [BertModel(BertConfig(vocab_size=len(tokenizer))).to(device()) for _ in range(2)]
    settings = load_settings("paper_bert").stage2.model_copy(
        update={"steps": 3, "evaluate_every": 3, "length_groups": 1}
    )
    objective = JTCSE(*towers, tokenizer, standin.sentences(256), settings)
    history = train(objective, settings, learning_rate=1e-5, seed=1, folder=tmp_path / "c", precision="bf16")
    assert len(history.rows) == 3
    assert all(math.isfinite(row["loss"]) for row in history.rows)
    assert {"infonce_1", "infonce_2", "icnce_hidden", "icnce_cross", "ictm"} <= history.rows[0].keys()
