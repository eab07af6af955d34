"""IS-CSE: neighbours are the second to the last of rank, the term waits for a full buffer, nothing flows into the buffer."""

from __future__ import annotations

from pathlib import Path

import loops
import loops_contrast
import numpy as np
import pytest
import torch
import zoo
from torch.nn import functional as F

from jtcse.core.errors import UserError
from jtcse.systems.iscse import ISCSE, smoothed
from jtcse.systems.simcse import SimCSE

SMALL = {"buffer": 20, "neighbours": 4}


def made(folder: Path, **changes) -> ISCSE:
    shop = zoo.shop(folder, "iscse", **{**SMALL, **changes})
    model, tokenizer = shop.tower()
    return ISCSE(model, tokenizer, shop.corpus, shop.settings, shop.head(model))


def draw() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def unit(rows: list) -> list:
    return F.normalize(torch.tensor(rows, dtype=torch.float64), dim=-1).tolist()


def test_the_loss_is_the_formulas_and_the_term_starts_with_the_full_buffer(tmp_path: Path) -> None:
    objective = made(tmp_path, dropout=0.0, alpha=0.3)
    objective.module.double().train()
    noise, held = draw(), []
    for step in range(4):
        z = objective.module(objective.batch(np.arange(8) + 8 * step, seed=step))["z"]
        z = z + 0.3 * torch.randn(z.shape, generator=noise, dtype=torch.float64)
        parts = objective.parts({"z": z}, draw())
        z1, z2 = zoo.rows(z)
        held = [*held, *unit(z2)][-20:]
        assert parts["infonce"].item() == pytest.approx(loops.info_nce(z1, z2, 0.05), abs=1e-9)
        assert ("smoothed" in parts) == (step >= 2), "20 vectors are full with the third batch of 8"
        if step >= 2:
            positives = loops_contrast.smoothed(unit(z2), held, 4, 2.0)
            assert parts["smoothed"].item() == pytest.approx(0.3 * loops.info_nce(z1, positives, 0.05), abs=1e-9)


def test_the_nearest_of_all_is_the_sentence_itself_and_counts_once() -> None:
    anchors = torch.eye(3)[:1]
    held = torch.tensor([[1.0, 0, 0], [0.8, 0.6, 0], [0, 1, 0], [0, 0, 1]])
    found = smoothed(anchors, held, 1, 2.0)
    weight = torch.softmax(torch.tensor([1.0, 0.8]) / 2, dim=0)
    assert torch.allclose(found[0], weight[0] * held[0] + weight[1] * held[1])


def test_gradients_go_through_the_second_view_but_not_into_the_buffer(tmp_path: Path) -> None:
    objective = made(tmp_path)
    objective.module.train()
    for step in range(3):
        z = objective.module(objective.batch(np.arange(8) + 8 * step, seed=step))["z"]
        parts = objective.parts({"z": z}, draw())
    z.retain_grad()
    sizes = zoo.gradients(objective, parts["smoothed"])
    assert z.grad[1].abs().max() > 0 and z.grad[0].abs().max() > 0
    assert not objective.module.buffer.held.requires_grad and not any("buffer" in name for name in sizes)
    assert sizes["head.0.weight"] > 0


def test_with_alpha_0_it_is_simcse(tmp_path: Path) -> None:
    objective = made(tmp_path, alpha=0.0)
    plain = SimCSE(objective.module.model, objective.tokenizer, objective.corpus, zoo.settings("simcse"))
    plain.module.head = objective.module.head
    (_, own), (_, other) = zoo.outputs(objective), zoo.outputs(plain)
    assert own.item() == pytest.approx(other.item(), abs=1e-6)


def test_training_keeps_the_tower_alone_and_repeats_itself(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "iscse", **SMALL)
    again, other = zoo.trained(tmp_path / "again", "iscse", **SMALL)
    assert again.rows == story.rows and "smoothed" in story.rows[-1]
    assert not any("head" in name or "buffer" in name for name, _ in encoder.model.named_parameters())
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_a_run_that_was_cut_off_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, resumed = loops_contrast.whole_and_resumed(lambda: made(tmp_path), tmp_path, batches=3)
    assert loops_contrast.same(whole, resumed) and int(whole["buffer.count"]) == 20


@pytest.mark.parametrize(("changes", "least"), [({"buffer": 7}, 8), ({"neighbours": 20}, 21)])
def test_a_buffer_that_is_too_short_is_refused(tmp_path: Path, changes: dict, least: int) -> None:
    with pytest.raises(UserError, match=f"expected at least {least}"):
        made(tmp_path, **changes)


def test_smaller_scales_have_a_buffer_that_fills_early() -> None:
    settings = zoo.settings("iscse", batch_size=64)
    assert settings.buffer == 4 * settings.batch_size
