"""Vanilla: nothing is trained, and both readings of "first and last layer" are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import zoo

from jtcse.core.errors import UserError
from jtcse.encoders.loading import load_tower
from jtcse.systems.cards import card
from jtcse.systems.opening import open_released
from jtcse.systems.settings import fragment, published_values


@pytest.mark.parametrize(("pooling", "first"), [("first_last", 0), ("first_last_1", 1)])
@torch.no_grad()
def test_both_readings(pooling: str, first: int, tmp_path: Path) -> None:
    _, encoder = zoo.trained(tmp_path, "vanilla", pooling=pooling)
    text = "a cook stirs the soup slowly"
    inputs = {key: torch.tensor([value]).to(encoder.model.device) for key, value in encoder.tokenizer(text).items()}
    states = encoder.model(**inputs, output_hidden_states=True).hidden_states
    expected = (states[first][0].mean(0) + states[-1][0].mean(0)) / 2
    assert np.allclose(encoder.encode([text])[0], expected.cpu(), atol=1e-5)


def test_nothing_is_trained(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "vanilla")
    start, _ = load_tower(zoo.a_run(tmp_path).workspace.model("start"))
    assert story.steps == 0 and story.rows == [] and story.start_score == story.best_score
    assert encoder.pooling == "first_last"
    for name, weight in start.named_parameters():
        assert torch.equal(weight, encoder.model.get_parameter(name)), name
    assert fragment("vanilla").rate_factor == 0


def test_released_is_the_stock_tower_under_the_printed_reading(tmp_path: Path) -> None:
    start = str(zoo.a_run(tmp_path).workspace.model("start"))
    (tmp_path / "stock").mkdir()
    model, tokenizer = load_tower(start)
    model.save_pretrained(tmp_path / "stock")
    tokenizer.save_pretrained(tmp_path / "stock")
    encoder = open_released("vanilla", names=[str(tmp_path / "stock")], precision="fp32")
    _, trained = zoo.trained(tmp_path, "vanilla")
    assert encoder.pooling == published_values("vanilla")["pooling"] == "first_last"
    assert np.array_equal(encoder.encode(["noon"]), trained.encode(["noon"]))


def test_the_card_explains_both_readings() -> None:
    prose = card("vanilla").prose
    assert "--pooling first_last_1" in prose["Checkpoints"] and "206d7ae" in prose["Traps"]


def test_an_unknown_pooling_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'first_last2'.*did you mean 'first_last'"):
        zoo.settings("vanilla", pooling="first_last2")
