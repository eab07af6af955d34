"""JTCSE and TNCSE: stage 2 is the formula's, begins where stage 1 ended, and without a cross stream one is the other."""

from __future__ import annotations

from pathlib import Path

import loops
import numpy as np
import pytest
import small_run
import torch
import zoo
from torch import Tensor

from jtcse.core.config import Stage2Settings, load_settings
from jtcse.core.errors import UserError
from jtcse.encoders.encoder import SumEncoder
from jtcse.method.joint_training import JTCSE
from jtcse.method.losses import draw_direction
from jtcse.systems import jtcse
from jtcse.systems.edfse import sub_encoders
from jtcse.systems.opening import open_model
from jtcse.systems.settings import published_values, system_settings

TEXTS = ["a doctor helped the boy .", "noon", "the old sailor sells some ripe plums near a quiet lake ."]


def objective(folder: Path, name: str, **changes) -> JTCSE:
    shop = zoo.shop(folder, name, **changes)
    (first, tokenizer), (second, _) = shop.tower(), shop.tower()
    small_run.shake(second, seed=4)
    return JTCSE(first, second, tokenizer, shop.corpus, shop.settings)


def moved(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Outputs whose two views differ, as dropout would make them."""
    generator = torch.Generator().manual_seed(1)
    return {
        key: value + 0.3 * torch.randn(value.shape, generator=generator, dtype=value.dtype)
        for key, value in found.items()
    }


def reference(found: dict[str, Tensor], direction: int, tau: float) -> float:
    """Eq. 15 in its released form, from plain loops."""
    h, p, c = ([zoo.rows(found[f"{kind}_{i}"]) for i in (1, 2) if f"{kind}_{i}" in found] for kind in "hpc")
    a, b = (0, 1) if direction == 1 else (1, 0)
    total = sum(loops.over_all_views(one, one, tau) for one in h)
    total += sum(loops.over_all_views(stream[a], stream[b], tau) for stream in (h, c) if stream)
    return total + loops.ictm(h, p, other_view=1, factor=0.5)


@pytest.mark.parametrize("name", ["jtcse", "tncse"])
def test_the_loss_is_the_formulas(name: str, tmp_path: Path) -> None:
    made = objective(tmp_path, name)
    found = moved(zoo.outputs(made)[0])
    assert ("c_1" in found) == (name == "jtcse")
    for seed in range(4):
        direction = draw_direction(torch.Generator().manual_seed(seed))
        loss = sum(made.parts(found, torch.Generator().manual_seed(seed)).values())
        assert loss.item() == pytest.approx(reference(found, direction, 0.05), abs=1e-9)


def test_gradients_reach_both_towers_and_their_poolers(tmp_path: Path) -> None:
    made = objective(tmp_path, "jtcse")
    loss = sum(made.parts(moved(zoo.outputs(made)[0]), torch.Generator()).values())
    sizes = zoo.gradients(made, loss)
    for tower in (0, 1):
        for part in ("embeddings.word_embeddings", "encoder.layer.1.output.dense", "pooler.dense"):
            assert sizes[f"towers.{tower}.{part}.weight"] > 0


def test_without_its_cross_stream_jtcse_is_tncse(tmp_path: Path) -> None:
    plain, other = objective(tmp_path, "jtcse", cross_stream="none"), objective(tmp_path, "tncse")
    assert zoo.outputs(plain)[1].item() == zoo.outputs(other)[1].item()
    story, first = zoo.trained(tmp_path, "jtcse", cross_stream="none")
    again, second = zoo.trained(tmp_path, "tncse")
    assert story.rows == again.rows
    for a, b in zip(first.encoders, second.encoders, strict=True):
        ours, theirs = small_run.weights(a.model), small_run.weights(b.model)
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    crossed, _ = zoo.trained(tmp_path, "jtcse")
    assert crossed.rows[-1]["loss"] != story.rows[-1]["loss"], "and with it it is not"


def test_stage_2_goes_on_from_stage_1_with_its_own_dropout(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "jtcse", dropout=0.0)
    apart = sub_encoders(shop)
    for tower in apart:
        model, _ = jtcse._to_go_on(shop, tower)
        assert model.config.hidden_dropout_prob == model.config.attention_probs_dropout_prob == 0.0
        weights = small_run.weights(model)
        assert all(torch.equal(weights[key], value) for key, value in small_run.weights(tower.model).items())
    assert not np.allclose(*(tower.encode(TEXTS) for tower in apart), atol=1e-3), "each tower has its own view"


def test_what_is_kept_is_the_sum_and_opens_as_it_was(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "jtcse")
    encoder = jtcse.make(shop)
    encoder.save(tmp_path / "kept")
    opened = open_model(tmp_path / "kept", precision="fp32")
    assert isinstance(opened, SumEncoder) and opened.weights == [1.0, 1.0]
    assert np.array_equal(opened.encode(TEXTS), encoder.encode(TEXTS))
    assert shop.histories[-1].rows[-1]["step"] == 4


@pytest.mark.parametrize("profile", ["paper_bert", "paper_roberta"])
def test_the_published_settings_are_those_of_the_reproduction(profile: str) -> None:
    """The card must show them, the reproduction's own run reads the profile: this keeps both the same."""
    run = load_settings(profile)
    own = system_settings("jtcse", run, profile)
    for name in Stage2Settings.model_fields:
        assert getattr(own, name) == getattr(run.stage2, name), name
    assert own.views == [f"round_trip:{language}" for language in run.translation.languages]
    towers = [run.stage1.tower_1, run.stage1.tower_2]
    assert own.tower_rates == [tower.learning_rate for tower in towers]
    assert own.tower_batch == run.stage1.batch_size
    for name in ("max_length", "schedule", "weight_decay", "evaluate_every"):
        assert getattr(own, name) == getattr(run.stage1, name), name


def test_tncse_differs_from_jtcse_in_what_its_paper_says() -> None:
    ours, theirs = published_values("jtcse"), published_values("tncse")
    differing = {key for key in ours if ours[key] != theirs[key]}
    assert differing == {"cross_stream", "cael_count", "learning_rate", "dropout"}


def test_bad_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="names one twice"):
        sub_encoders(zoo.shop(tmp_path, "jtcse", views=["deletion", "deletion"]))
    with pytest.raises(UserError, match="2 views but 3 tower_rates"):
        sub_encoders(zoo.shop(tmp_path, "jtcse", tower_rates=[1e-3] * 3))
    with pytest.raises(UserError, match="views"):
        zoo.settings("jtcse", views=["deletion", "repetition", "dropout"])
    with pytest.raises(UserError, match="do not divide a depth of 2"):
        objective(tmp_path, "jtcse", cael_count=3)
    with pytest.raises(UserError, match="did you mean 'deletion'"):
        sub_encoders(zoo.shop(tmp_path, "jtcse", views=["deletions", "repetition"]))
