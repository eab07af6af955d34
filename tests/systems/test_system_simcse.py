"""SimCSE: its loss is the formula's, its gradient reaches tower and head, and what is kept opens as it was."""

from __future__ import annotations

from pathlib import Path

import loops
import numpy as np
import pytest
import torch
import zoo

from jtcse.core.errors import UserError
from jtcse.systems.simcse import SimCSE


@pytest.fixture
def objective(tmp_path: Path) -> SimCSE:
    shop = zoo.shop(tmp_path, "simcse")
    model, tokenizer = shop.tower()
    return SimCSE(model, tokenizer, shop.corpus, shop.settings, head=shop.head(model))


def test_the_loss_is_the_formulas(objective: SimCSE) -> None:
    found, loss = zoo.outputs(objective)
    z = zoo.rows(torch.tanh(found["h"] @ objective.module.head[0].weight.T))
    assert loss.item() == pytest.approx(loops.info_nce(*z, tau=0.05), abs=1e-9)


def test_gradients_reach_tower_and_head_but_not_the_pooler(objective: SimCSE) -> None:
    found, _ = zoo.outputs(objective)
    noise = torch.randn(found["z"].shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moved = objective.parts({"z": found["z"] + noise}, torch.Generator())["infonce"]
    sizes = zoo.gradients(objective, moved)
    assert {name for name in sizes if "pooler" not in name} == set(sizes), "no gradient at the pooler"
    assert all(size > 0 for name, size in sizes.items() if name.startswith("head."))
    assert sizes["model.embeddings.word_embeddings.weight"] > 0


def test_training_keeps_the_tower_and_throws_the_head_away(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "simcse")
    assert story.steps == 4 and story.rows[-1]["loss"] == pytest.approx(story.rows[-1]["infonce"])
    assert not any("head" in name for name, _ in encoder.model.named_parameters())
    again, other = zoo.trained(tmp_path / "again", "simcse")
    assert again.rows == story.rows, "one seed, one training"
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_an_unknown_setting_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'temperature'"):
        zoo.settings("simcse", temperatur=0.1)
