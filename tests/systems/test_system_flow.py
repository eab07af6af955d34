"""BERT-flow: the likelihood is the formula's, the map is exact and invertible, and the encoder stays as it was."""

from __future__ import annotations

import builtins
import sys
from math import log, pi
from pathlib import Path

import numpy as np
import pytest
import torch
import zoo

from jtcse.core.errors import UserError
from jtcse.encoders.encoder import TowerEncoder
from jtcse.encoders.postprocessing import MappedEncoder
from jtcse.systems.flow import BERTFlow, SentenceFlow
from jtcse.systems.opening import open_model
from jtcse.training import checkpoints
from jtcse.training.trainer import train

WIDTH = 6


def shaken(coupling: str = "additive", steps: int = 3) -> SentenceFlow:
    """A flow in float64 that does something."""
    torch.manual_seed(1)
    flow = SentenceFlow(WIDTH, steps, 5, coupling).double()
    flow.standardise(np.arange(WIDTH) - 2.0, np.linspace(0.2, 3, WIDTH))
    for weight in flow.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return flow


def by_hand(flow: SentenceFlow, vector: list[float]) -> tuple[list[float], float]:
    """One vector through an additive flow in plain loops: (z, log-determinant)."""
    centre, spread, half = flow.centre.tolist(), flow.spread.tolist(), WIDTH // 2
    x = [(value - c) / s for value, c, s in zip(vector, centre, spread, strict=True)]
    volume = -sum(map(log, spread))
    transforms = list(flow.transform.transforms)
    for number, (act, coupling) in enumerate(zip(transforms[::2], transforms[1::2], strict=True)):
        shift, raw = (phi.tolist() for phi in act.phi)
        logs = [a / (1 + abs(a / log(1e-3))) for a in raw]  # zuko keeps scales within a thousandth and a thousand
        x = [value * np.exp(a) + b for value, a, b in zip(x, logs, shift, strict=True)]
        volume += sum(logs)
        moved = range(half) if number % 2 else range(half, WIDTH)
        read = [x[i] for i in range(WIDTH) if i not in moved]
        for layer in coupling.hyper:
            if hasattr(layer, "weight"):
                rows = zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
                read = [sum(w * v for w, v in zip(row, read, strict=True)) + b for row, b in rows]
            else:
                read = [max(v, 0.0) for v in read]
        for i, add in zip(moved, read, strict=True):
            x[i] += add
    return x, volume


@pytest.fixture
def objective(tmp_path: Path) -> BERTFlow:
    shop = zoo.shop(tmp_path, "flow")
    return an_objective(shop)


def an_objective(shop) -> BERTFlow:
    """On the small workspace's encoder, with a flow of three steps that does something."""
    model, tokenizer = shop.tower()
    torch.manual_seed(2)
    flow = SentenceFlow(model.config.hidden_size, 3, 8, "additive")
    for weight in flow.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    encoder = MappedEncoder(TowerEncoder(model, tokenizer, pooling="first_last"), flow, "flow")
    return BERTFlow(encoder, shop.corpus, shop.settings)


def test_the_flow_is_the_formulas() -> None:
    flow, vectors = shaken(), torch.randn(4, WIDTH, dtype=torch.float64)
    z, volume = flow.with_volume(vectors)
    for row in range(4):
        expected, expected_volume = by_hand(flow, vectors[row].tolist())
        assert np.allclose(z[row].tolist(), expected, atol=1e-11)
        assert volume[row].item() == pytest.approx(expected_volume, abs=1e-11)


@pytest.mark.parametrize("coupling", ["additive", "affine"])
def test_the_volume_is_that_of_the_jacobian_and_the_flow_turns_back(coupling: str) -> None:
    flow, vectors = shaken(coupling), torch.randn(4, WIDTH, dtype=torch.float64)
    z, volume = flow.with_volume(vectors)
    for row in range(4):
        jacobian = torch.autograd.functional.jacobian(lambda u: flow(u[None])[0], vectors[row])
        assert volume[row].item() == pytest.approx(torch.linalg.slogdet(jacobian).logabsdet.item(), abs=1e-10)
    assert torch.allclose(flow.transform().inv(z) * flow.spread + flow.centre, vectors, atol=1e-10)


def test_only_affine_couplings_change_volume_from_vector_to_vector() -> None:
    vectors = torch.randn(20, WIDTH, dtype=torch.float64)
    assert shaken("additive").with_volume(vectors)[1].std() < 1e-12
    assert shaken("affine").with_volume(vectors)[1].std() > 1e-3


def test_at_the_start_the_flow_only_standardises() -> None:
    flow = SentenceFlow(WIDTH, 3, 5, "affine").double()
    flow.standardise(np.arange(WIDTH) - 2.0, np.array([1, 2, 3, 4, 5, 0.0]))
    vectors = torch.randn(4, WIDTH, dtype=torch.float64)
    spread = torch.tensor([1, 2, 3, 4, 5, 1.0], dtype=torch.float64)  # what never varies is only shifted
    assert torch.allclose(flow(vectors), (vectors - torch.arange(WIDTH) + 2) / spread)


def test_the_loss_is_bits_a_coordinate(objective: BERTFlow) -> None:
    found, loss = zoo.outputs(objective)
    width, total = found["z"].shape[-1], 0.0
    for z, volume in zip(zoo.rows(found["z"][0]), zoo.rows(found["volume"][0]), strict=True):
        total -= sum(-0.5 * x * x - 0.5 * log(2 * pi) for x in z) + volume
    assert loss.item() == pytest.approx(total / len(found["z"][0]) / width / log(2), abs=1e-9)


def test_it_reads_the_pooled_vectors_of_each_sentence(objective: BERTFlow) -> None:
    found, _ = zoo.outputs(objective)
    encoder = objective.module._frozen[0]
    objective.module.float()
    assert np.allclose(found["z"][0].detach(), encoder.encode(objective.sentences(range(6))), atol=1e-4)


def test_gradients_reach_the_flow_alone(objective: BERTFlow) -> None:
    _, loss = zoo.outputs(objective)
    sizes = zoo.gradients(objective, loss)
    names = {name for name, _ in objective.module.named_parameters()}
    assert set(sizes) == names and all(name.startswith("flow.transform.") for name in names)
    assert all(size > 0 for size in sizes.values())
    assert all(weight.grad is None for weight in objective.module._frozen[0].model.parameters())


def test_training_leaves_the_encoder_bit_by_bit(tmp_path: Path) -> None:
    start, _ = zoo.shop(tmp_path, "flow").tower()
    before = {name: weight.clone() for name, weight in start.named_parameters()}
    story, encoder = zoo.trained(tmp_path, "flow")
    assert story.steps == 4 and story.rows[-1]["loss"] == story.rows[-1]["likelihood"]
    assert any(weight.any() for name, weight in encoder.mapping.named_parameters() if "hyper.4" in name), (
        "it was trained"
    )
    for name, weight in encoder.model.named_parameters():
        assert torch.equal(weight.cpu(), before[name].cpu()), name
    again, other = zoo.trained(tmp_path / "again", "flow")
    assert again.rows == story.rows and np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))
    encoder.save(tmp_path / "saved")
    assert np.array_equal(open_model(tmp_path / "saved", precision="fp32").encode(["noon"]), encoder.encode(["noon"]))


def test_a_broken_training_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = zoo.shop(tmp_path, "flow")
    common = {"learning_rate": 1e-2, "seed": 3, "precision": "fp32"}
    whole = an_objective(shop)
    train(whole, shop.settings, folder=tmp_path / "whole", **common)
    broken, batch = an_objective(shop), BERTFlow.batch
    calls = iter(range(10))
    monkeypatch.setattr(broken, "batch", lambda *a: batch(broken, *a) if next(calls) < 3 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(broken, shop.settings, folder=tmp_path / "broken", **common)
    went_on = an_objective(shop)
    train(went_on, shop.settings, folder=tmp_path / "broken", **common)
    state = checkpoints._state(whole.module)
    assert "flow.centre" in state, "what standardises is kept"
    assert all(torch.equal(tensor, checkpoints._state(went_on.module)[name]) for name, tensor in state.items())


def test_without_zuko_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stock = builtins.__import__

    def without(name: str, *more, **named):
        if name.startswith("zuko"):
            raise ImportError(name)
        return stock(name, *more, **named)

    for name in [name for name in sys.modules if name.split(".")[0] == "zuko"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="needs the package zuko, which is not installed"):
        SentenceFlow(4, 1, 2, "additive")


def test_a_single_coordinate_has_no_halves() -> None:
    with pytest.raises(UserError, match="at least 2 numbers; these have 1"):
        SentenceFlow(1, 1, 2, "additive")


def test_an_unknown_coupling_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'affine'"):
        zoo.settings("flow", coupling="affin")
