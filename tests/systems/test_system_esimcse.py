"""ESimCSE: repetitions as the authors draw them, a queue first in first out, an encoder that follows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import loops
import loops_contrast
import numpy as np
import pytest
import small_run
import torch
import zoo

from jtcse.core.errors import UserError
from jtcse.systems.esimcse import ESimCSE, only_view, repeat_tokens
from jtcse.systems.simcse import SimCSE
from jtcse.training.objective import Queue, off_diagonal


def made(folder: Path, **changes) -> ESimCSE:
    shop = zoo.shop(folder, "esimcse", **changes)
    model, tokenizer = shop.tower()
    return ESimCSE(model, tokenizer, shop.corpus, shop.settings, shop.head(model))


@pytest.fixture
def objective(tmp_path: Path) -> ESimCSE:
    """Without dropout, with a queue of two and a half batches, in float64 and in training."""
    found = made(tmp_path, dropout=0.0, queue=20, length_groups=2)
    found.module.double().train()
    return found


def draw() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("length", "rate", "most"), [(12, 0.32, 3), (32, 0.32, 10), (60, 0.32, 10), (4, 0.3, 1), (3, 0.3, 0)]
)
def test_repetitions_are_drawn_evenly_below_the_published_bound(length: int, rate: float, most: int) -> None:
    generator, seen = np.random.default_rng(1), Counter()
    for _ in range(600):
        ids = repeat_tokens(range(length), rate, 512, generator)
        often = Counter(ids)
        assert ids == sorted(ids) and set(ids) == set(range(length)), "in place, nothing lost"
        assert often[0] == often[length - 1] == 1 and max(often.values()) <= 2
        seen[len(ids) - length] += 1
    assert set(seen) == set(range(max(most, 1)))
    assert min(seen.values()) > 600 / max(most, 1) / 2


def test_a_repeated_sentence_fits_the_encoder() -> None:
    lengths = {len(repeat_tokens(range(40), 0.9, 42, np.random.default_rng(seed))) for seed in range(40)}
    assert lengths == {40, 41, 42}


def test_a_queue_is_first_in_first_out() -> None:
    queue, told = Queue(5, 2), []
    for step in range(1, 6):
        rows = [[float(step), float(place)] for place in range(2)]
        queue.push(torch.tensor(rows, requires_grad=True))
        told = [*told, *rows][-5:]
        assert queue.rows().tolist() == told and queue.full == (step >= 3)
        assert not queue.rows().requires_grad
    assert off_diagonal(torch.arange(9).view(3, 3)).tolist() == [[1, 2], [3, 5], [6, 7]]


def test_the_loss_is_the_formulas_over_several_steps(objective: ESimCSE) -> None:
    held: list = []
    for step in range(4):
        found = objective.module(objective.batch(np.arange(8) + 8 * step, seed=step))
        loss = objective.parts(found, draw())["infonce"]
        z1, z2 = zoo.rows(found["z"])
        assert loss.item() == pytest.approx(loops_contrast.with_queue(z1, z2, held, 0.05), abs=1e-9)
        held = [*held, *zoo.rows(found["queued"][0])][-20:]
    assert len(held) == 20


def test_the_follower_moves_by_its_momentum_before_it_reads_the_plain_sentences(objective: ESimCSE) -> None:
    module = objective.module
    before = [weight.clone() for weight in module.follower.parameters()]
    small_run.shake(module.tower.model, seed=9)
    batch = objective.batch(np.arange(8), seed=2)
    queued = module(batch)["queued"][0]
    for old, new, own in zip(before, module.follower.parameters(), module.tower.model.parameters(), strict=True):
        assert torch.allclose(new, 0.995 * old + 0.005 * own, atol=1e-14, rtol=0) and not torch.equal(new, old)
    ids = objective.tokenizer(batch.texts[0], return_tensors="pt", padding=True)
    plain = module.follower(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]).last_hidden_state[:, 0]
    assert torch.allclose(queued, module.tower.head(plain), atol=1e-12)


def test_one_view_of_a_batch_keeps_groups_and_order(objective: ESimCSE) -> None:
    batch = objective.batch(np.arange(9), seed=1)
    for view in (0, 1):
        one = only_view(batch, view)
        rows = torch.cat([ids.sum(1) for ids, _ in one.groups])[one.order]
        whole = torch.cat([ids.sum(1) for ids, _ in batch.groups])[batch.order]
        assert len(one.groups) == 2 and torch.equal(rows, whole.view(2, -1)[view])


def test_the_queue_and_the_follower_take_no_gradient_and_have_no_dropout(tmp_path: Path) -> None:
    objective = made(tmp_path, queue=20, dropout=0.3)
    objective.module.train()
    batch = objective.batch(np.arange(8), seed=1)
    first, second = objective.module(batch), objective.module(batch)
    assert not torch.equal(first["z"], second["z"]) and not first["queued"].requires_grad
    assert torch.allclose(first["queued"], second["queued"], atol=1e-6)
    objective.parts(first, draw())
    sizes = zoo.gradients(objective, objective.parts(second, draw())["infonce"])
    assert not any("follower" in name or "pooler" in name for name in sizes)
    assert sizes["tower.head.0.weight"] > 0 and sizes["tower.model.embeddings.word_embeddings.weight"] > 0


def test_without_queue_and_repetition_it_is_simcse(tmp_path: Path) -> None:
    objective = made(tmp_path, queue=0, repeat_rate=0.0)
    assert objective.module.follower is None
    plain = SimCSE(objective.module.tower.model, objective.tokenizer, objective.corpus, zoo.settings("simcse"))
    plain.module.head = objective.module.tower.head
    (_, own), (_, other) = zoo.outputs(objective), zoo.outputs(plain)
    assert own.item() == pytest.approx(other.item(), abs=1e-6)


def test_training_keeps_the_tower_alone_and_repeats_itself(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "esimcse", queue=20)
    again, other = zoo.trained(tmp_path / "again", "esimcse", queue=20)
    assert story.steps == 4 and again.rows == story.rows
    assert not any("head" in name or "follower" in name for name, _ in encoder.model.named_parameters())
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_a_run_that_was_cut_off_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, resumed = loops_contrast.whole_and_resumed(lambda: made(tmp_path, queue=20), tmp_path, batches=3)
    assert {"queue.held", "queue.count"} < set(whole) and any("follower" in name for name in whole)
    assert loops_contrast.same(whole, resumed) and int(whole["queue.count"]) == 20


def test_a_queue_shorter_than_a_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="queue holds 5 vectors, fewer than a batch of 8"):
        made(tmp_path, queue=5)


def test_the_loops_without_a_queue_are_infonce() -> None:
    z = torch.randn(2, 5, 3, generator=draw(), dtype=torch.float64).tolist()
    assert loops_contrast.with_queue(*z, [], 0.05) == pytest.approx(loops.info_nce(*z, tau=0.05), abs=1e-12)
