"""The benchmark compares like with like: the naive step computes the same loss as ours."""

from __future__ import annotations

import numpy as np
import pytest
import standin
import torch

from jtcse.core.config import load_settings
from jtcse.encoders.loading import load_tower
from jtcse.evaluation.cost import Shape
from jtcse.experiments.cost import benchmark_device
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


TINY = Shape(32, 2, 64)


@pytest.mark.parametrize("format_", ["fp32", "bf16"])
def test_device_rates_are_of_this_device_and_below_its_matrix_rate(format_):
    before = torch.get_float32_matmul_precision()
    found = benchmark_device.measure("tiny", TINY, format_, seconds=0.2, words=50)
    assert found.matrix > 0 and found.sentences > 0 and found.step_seconds > 0 and found.memory > 0
    assert 0 < found.encoding < found.matrix and 0 < found.step < found.matrix
    assert torch.get_float32_matmul_precision() == before


def test_device_table_has_a_row_a_shape_and_format_and_leaves_out_what_takes_too_long(monkeypatch, capsys):
    from rich.console import Console

    monkeypatch.setattr(benchmark_device, "SHAPES", {"tiny": TINY})
    monkeypatch.setattr(
        benchmark_device, "product_rate", lambda *_, **__: 1e-6
    )  # a device of a thousand operations a second
    Console(width=160).print(benchmark_device.device_table(seconds=0.1))
    shown = capsys.readouterr().out
    assert [line.split()[3] for line in shown.splitlines() if "tiny" in line] == ["fp32", "bf16"]
    assert shown.count("too slow here") == 4
