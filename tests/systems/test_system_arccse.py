"""ArcCSE: the margin against arccos, gradients at the ends of the angle, nested masks, and triplets of long sentences only."""

from __future__ import annotations

from math import acos, cos, exp, log, pi, radians, sin
from pathlib import Path

import loops
import numpy as np
import pytest
import torch
import zoo

from jtcse.core.errors import UserError
from jtcse.data.corpus import LineCorpus
from jtcse.method.losses import info_nce
from jtcse.systems.arccse import ArcCSE, arc_info_nce, nested_masks, order_loss

TEN = radians(10)


def made(tmp_path: Path, **changes) -> ArcCSE:
    shop = zoo.shop(tmp_path, "arccse", **changes)
    model, tokenizer = shop.tower()
    return ArcCSE(model, tokenizer, shop.corpus, shop.settings, shop.head(model))


def arc_by_loops(h: loops.Rows, h_plus: loops.Rows, tau: float, margin: float) -> float:
    """InfoNCE with the margin by way of arccos; beyond pi the rule of ArcFace."""
    total = 0.0
    for i, anchor in enumerate(h):
        angle = acos(max(-1.0, min(1.0, loops.cosine(anchor, h_plus[i]))))
        positive = cos(angle + margin) if angle + margin < pi else cos(angle) - margin * sin(margin)
        others = [loops.cosine(anchor, other) for j, other in enumerate(h_plus) if j != i]
        total -= positive / tau - log(exp(positive / tau) + sum(exp(one / tau) for one in others))
    return total / len(h)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_margin_is_added_to_the_angle() -> None:
    h, h_plus = noise(6, 5), noise(6, 5, seed=1)
    h_plus[:2] = h[:2] + 0.1 * h_plus[:2]
    h_plus[2] = -h[2] + 0.01 * h_plus[2]  # beyond pi with the margin
    for margin in (0.0, TEN, 1.2):
        found = arc_info_nce(h, h_plus, 0.05, margin)
        assert found.item() == pytest.approx(arc_by_loops(h.tolist(), h_plus.tolist(), 0.05, margin), abs=1e-9)
    assert arc_info_nce(h, h_plus, 0.05, 0.0).item() == pytest.approx(info_nce(h, h_plus).item(), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("distance", [0.0, 1e-12, 1e-6, 1e-3])
def test_gradients_are_finite_and_bounded_at_both_ends(dtype: torch.dtype, sign: int, distance: float) -> None:
    h = noise(4, 8).to(dtype).requires_grad_()
    h_plus = (sign * h.detach() + distance * noise(4, 8, seed=1).to(dtype)).requires_grad_()
    loss = arc_info_nce(h, h_plus, 0.05, TEN)
    loss.backward()
    assert bool(loss.isfinite())
    for gradient in (h.grad, h_plus.grad):
        assert bool(gradient.isfinite().all())
        # each logit moves by at most 1 / tau for a unit vector; the shortest of these is longer than one
        assert gradient.norm(dim=-1).max() < 4 / 0.05


def test_the_positive_only_falls_as_the_angle_grows() -> None:
    """Also beyond pi minus the margin, where the cosine of the sum would rise again."""
    angles = torch.linspace(0.0, pi, 200, dtype=torch.float64)
    losses = []
    for angle in angles.tolist():
        h = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
        h_plus = torch.tensor([[cos(angle), sin(angle), 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
        losses.append(arc_info_nce(h, h_plus, 1.0, TEN).item())
    assert np.all(np.diff(losses) > 0)


def test_the_order_loss_is_the_formulas() -> None:
    t, has = noise(3, 7, 5), torch.tensor([1.0, 0, 1, 1, 0, 1, 1])
    for margin in (0.0, 0.3):
        each = []
        for k in range(7):
            whole, less, more = t[:, k].tolist()
            each.append(max(0.0, loops.cosine(whole, more) - loops.cosine(whole, less) + margin) * has[k].item())
        assert order_loss(t, has, margin).item() == pytest.approx(sum(each) / 5, abs=1e-9)
    nothing = t.requires_grad_()
    loss = order_loss(nothing, torch.zeros(7), 0.3)
    loss.backward()
    assert loss.item() == 0 and bool((nothing.grad == 0).all())


def test_both_parts_make_the_loss(tmp_path: Path) -> None:
    objective = made(tmp_path, triplet_tokens=11, triplet_margin=0.2)
    found, _ = zoo.outputs(objective, count=12)
    found["z"] = found["z"] + 0.1 * noise(
        *found["z"].shape
    )  # equal views: the arccos of the reference would lose digits
    loss = sum(objective.parts(found, torch.Generator()).values())
    first, second = (zoo.rows(view) for view in found["z"])
    long = [k for k, has in enumerate(found["has_triplet"][0].tolist()) if has]
    assert 0 < len(long) < 12
    hinges = []
    for k in long:
        whole, less, more = found["t"][:, k].tolist()
        hinges.append(max(0.0, loops.cosine(whole, more) - loops.cosine(whole, less) + 0.2))
    expected = arc_by_loops(first, second, 0.05, TEN) + 0.1 * sum(hinges) / len(hinges)
    assert sum(hinges) > 0 and loss.item() == pytest.approx(expected, abs=1e-9)


def test_without_margin_and_triplets_it_is_simcse(tmp_path: Path) -> None:
    objective = made(tmp_path, margin=0.0, triplet_weight=0.0)
    found, loss = zoo.outputs(objective)
    assert objective.batch(np.arange(6), 5).triplets is None
    assert loss.item() == pytest.approx(loops.info_nce(*zoo.rows(found["z"]), tau=0.05), abs=1e-9)


@pytest.mark.parametrize("count", [2, 3, 5, 10, 30])
def test_masks_are_nested_and_of_the_asked_size(count: int) -> None:
    places = set()
    for seed in range(200):
        inner, outer = nested_masks(count, (0.2, 0.4), np.random.default_rng(seed))
        short, long = inner.stop - inner.start, outer.stop - outer.start
        assert 0 <= outer.start <= inner.start < inner.stop <= outer.stop <= count
        assert 1 <= short < long
        if count >= 5:
            assert (short, long) == (round(0.2 * count), round(0.4 * count))
        places |= set(range(inner.start, inner.stop))
    assert places == set(range(count)), "every token is masked in time"


def test_triplets_come_from_long_sentences_and_mask_no_special_token(tmp_path: Path) -> None:
    objective = made(tmp_path, triplet_tokens=9)
    batch = objective.batch(np.arange(20), 5)
    tokenizer, texts = objective.tokenizer, objective.sentences(np.arange(20))
    ids = tokenizer(texts)["input_ids"]
    long = [k for k, row in enumerate(ids) if len(row) - 2 > 9]
    assert batch.rows.tolist() == long and 0 < len(long) < 20
    whole, less, more = batch.triplets.groups[0][0][batch.triplets.order].unflatten(0, (3, -1))
    for k, place in enumerate(long):
        row, size = torch.tensor(ids[place]), len(ids[place])
        hidden = [(copy[k, :size] == tokenizer.mask_token_id) for copy in (less, more)]
        assert torch.equal(whole[k, :size], row)
        assert bool((hidden[1] | ~hidden[0]).all()) and hidden[1].sum() > hidden[0].sum(), "nested"
        assert not hidden[1][0] and not hidden[1][-1], "[CLS] and [SEP] stay"
        assert torch.equal(more[k, :size][~hidden[1]], row[~hidden[1]])
    again = objective.batch(np.array([long[0]]), 5).triplets
    assert torch.equal(again.groups[0][0][again.order][2], more[0, : len(ids[long[0]])]), "by seed and row alone"


def test_triplets_are_read_without_dropout_and_pairs_with_it(tmp_path: Path) -> None:
    objective = made(tmp_path, triplet_tokens=2)
    module = objective.module.train()
    batch = objective.batch(np.arange(4), 5)
    torch.manual_seed(0)
    first = module(batch)
    torch.manual_seed(1)
    second = module(batch)
    assert torch.equal(first["t"], second["t"]) and not torch.equal(first["z"], second["z"])
    assert module.tower.training, "it goes back to training"


def test_gradients_reach_tower_and_head_but_not_the_pooler(tmp_path: Path) -> None:
    objective = made(tmp_path, triplet_tokens=2, triplet_margin=1.0)
    found, _ = zoo.outputs(objective)
    for part in ("arc", "triplet"):
        moved = {**found, "z": found["z"] + noise(*found["z"].shape, seed=2)}
        sizes = zoo.gradients(objective, objective.parts(moved, torch.Generator())[part])
        assert not any("pooler" in name for name in sizes), part
        assert sizes["tower.head.0.weight"] > 0 and sizes["tower.model.embeddings.word_embeddings.weight"] > 0
        found, _ = zoo.outputs(objective)


def test_training_keeps_the_tower_and_throws_the_head_away(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "arccse", triplet_margin=0.5)
    assert story.steps == 4
    assert all(row["triplet"] > 0 for row in story.rows if "loss" in row), "sentences here are long enough"
    assert story.rows[-1]["loss"] == pytest.approx(story.rows[-1]["arc"] + story.rows[-1]["triplet"])
    assert not any("head" in name for name, _ in encoder.model.named_parameters())
    again, other = zoo.trained(tmp_path / "again", "arccse", triplet_margin=0.5)
    assert again.rows == story.rows, "one seed, one training"
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_the_published_threshold_would_leave_the_generated_world_without_triplets(tmp_path: Path) -> None:
    corpus = LineCorpus(zoo.a_run(tmp_path).workspace.data / "corpus.txt")
    tokenizer = zoo.shop(tmp_path, "arccse").tower()[1]
    sizes = [len(tokenizer(corpus[k])["input_ids"]) - 2 for k in range(len(corpus))]
    assert max(sizes) <= 25 and np.mean(np.array(sizes) > zoo.settings("arccse").triplet_tokens) > 0.3


def test_a_tokenizer_without_a_mask_is_refused(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "arccse")
    model, tokenizer = shop.tower()
    tokenizer.mask_token = None
    with pytest.raises(UserError, match="no mask token"):
        ArcCSE(model, tokenizer, shop.corpus, shop.settings)


def test_masks_that_could_not_be_nested_are_refused() -> None:
    with pytest.raises(UserError, match="mask_rate_more must be above mask_rate"):
        zoo.settings("arccse", mask_rate_more=0.2)
