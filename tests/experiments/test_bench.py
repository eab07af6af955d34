"""The benchmark compares like with like: the naive step computes the same loss as ours."""

from __future__ import annotations

import numpy as np
import pytest
import standin
import torch

from jtcse.core.config import load_settings
from jtcse.encoders.loading import load_tower
from jtcse.experiments.cost.benchmark import naive_loss
from jtcse.method.joint_training import JTCSE

TEXTS = standin.sentences(12)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("draw", range(4))
def test_naive_step_has_our_loss_and_gradient(tmp_path, groups, draw):
    folder = standin.bert(tmp_path / "bert")
    settings = load_settings("mini").stage2.model_copy(update={"cross_stream": "none", "length_groups": groups})
    (first, tokenizer), (second, _) = (load_tower(folder, dropout=0.0) for _ in range(2))
    with torch.no_grad():
        second.encoder.layer[0].output.dense.weight.mul_(1.5)
    objective = JTCSE(first, second, tokenizer, TEXTS, settings)
    outputs = objective.module(objective.batch(np.arange(12), 0))
    ours = sum(objective.parts(outputs, torch.Generator().manual_seed(draw)).values())
    (gradient,) = torch.autograd.grad(ours, first.pooler.dense.weight)
    naive = naive_loss((first, second), tokenizer, TEXTS, settings, torch.Generator().manual_seed(draw))
    (expected,) = torch.autograd.grad(naive, first.pooler.dense.weight)
    assert ours.item() == pytest.approx(naive.item(), abs=1e-5)
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-5)
