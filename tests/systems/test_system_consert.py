"""ConSERT: which features and places change, where in the tower, and that the loss is the authors' sum."""

from __future__ import annotations

from pathlib import Path

import loops
import numpy as np
import pytest
import standin
import torch
import zoo

from jtcse.core.errors import UserError
from jtcse.encoders.loading import load_tower
from jtcse.encoders.pooling import pool
from jtcse.method.losses import info_nce_2n
from jtcse.systems.consert import ConSERT


def made(tmp_path: Path, **changes) -> ConSERT:
    shop = zoo.shop(tmp_path, "consert", **changes)
    model, tokenizer = shop.tower()
    return ConSERT(model, tokenizer, shop.corpus, shop.settings, shop.head(model))


def by_hand(objective: ConSERT, ids: torch.Tensor, places: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """The mean vector of one sentence alone, its embeddings put together piece by piece."""
    model, parts = objective.module.model, objective.module.model.embeddings
    states = parts.word_embeddings(ids) + parts.position_embeddings(places) + parts.token_type_embeddings.weight[0]
    states = (parts.LayerNorm(states) * kept)[None]
    return model.encoder(states).last_hidden_state[0].mean(0)


def test_the_loss_is_the_authors_sum_of_both_directions(tmp_path: Path) -> None:
    objective = made(tmp_path)
    found, loss = zoo.outputs(objective)
    z = zoo.rows(found["z"])
    assert loss.item() == pytest.approx(0.15 * 2 * loops.over_all_views(z, z, tau=0.1), abs=1e-9)
    assert loss.item() == pytest.approx(0.3 * info_nce_2n(found["z"], 0.1).item(), abs=1e-9)


@pytest.mark.parametrize("groups", [1, 3])
def test_each_view_is_what_its_changes_make_of_the_sentence(groups: int, tmp_path: Path) -> None:
    objective = made(tmp_path, length_groups=groups)
    found, _ = zoo.outputs(objective)
    batch = objective.batch(np.arange(6), 5)
    whole = [
        (ids[r][mask[r].bool()], places[r][mask[r].bool()], kept[r])
        for (ids, mask), places, kept in zip(batch.groups, batch.places, batch.kept, strict=True)
        for r in range(len(ids))
    ]
    for number, row in enumerate(batch.order.tolist()):
        view, sentence = divmod(number, 6)
        torch.testing.assert_close(found["z"][view, sentence], by_hand(objective, *whole[row]), rtol=0, atol=1e-9)


def test_a_fifth_of_the_features_goes_and_all_tokens_change_places(tmp_path: Path) -> None:
    batch = made(tmp_path).batch(np.arange(8), 5)
    places = batch.places[0][batch.order]
    kept, mask = batch.kept[0][batch.order], batch.groups[0][1][batch.order]
    assert (kept[:8] == 0).sum(1).tolist() == [int(0.2 * 32)] * 8 and bool((kept[8:] == 1).all())
    assert len({tuple(row.tolist()) for row in kept[:8]}) == 8, "each sentence loses its own"
    natural = torch.arange(places.shape[1])
    assert bool((places[:8] == natural).all())
    for row, real in zip(places[8:], mask[8:].bool(), strict=True):
        assert sorted(row[real].tolist()) == natural[real].tolist() and row[~real].tolist() == natural[~real].tolist()
    assert any(row[0] != 0 for row in places[8:]), "[CLS] moves as well"


def test_changes_come_from_seed_and_row_alone(tmp_path: Path) -> None:
    objective = made(tmp_path)
    together, alone, other = (objective.batch(np.array(r), s) for r, s in (([3, 7], 5), ([7], 5), ([7], 6)))
    kept = together.kept[0][together.order]
    assert torch.equal(kept[1], alone.kept[0][alone.order][0])
    assert not torch.equal(alone.kept[0][alone.order][0], other.kept[0][other.order][0])


def test_without_changes_it_is_the_stock_tower(tmp_path: Path) -> None:
    objective = made(tmp_path, cutoff_rate=0.0)
    found, _ = zoo.outputs(objective)
    batch = objective.batch(np.arange(6), 5)
    ids, mask = batch.groups[0]
    stock = pool(objective.module.model(input_ids=ids, attention_mask=mask), mask, "mean")[batch.order]
    torch.testing.assert_close(found["z"][0], stock[:6], rtol=0, atol=1e-9)
    assert not torch.allclose(found["z"][1], stock[6:], atol=1e-3), "places are shuffled"


def test_roberta_counts_its_places_from_two(tmp_path: Path) -> None:
    model, tokenizer = load_tower(standin.roberta(tmp_path / "roberta"))
    texts = ["Amy sings", "a dog barks at noon", "the old man sleeps", "two cats eat"]
    objective = ConSERT(model, tokenizer, texts, zoo.settings("consert", cutoff_rate=0.0))
    found, _ = zoo.outputs(objective, count=4)
    ids, mask = objective.batch(np.arange(4), 5).groups[0]
    stock = pool(model(input_ids=ids, attention_mask=mask), mask, "mean")
    torch.testing.assert_close(found["z"][0], stock[objective.batch(np.arange(4), 5).order][:4], rtol=0, atol=1e-9)


def test_gradients_reach_the_tower_and_no_pooler_and_no_hook_stays(tmp_path: Path) -> None:
    objective = made(tmp_path)
    _, loss = zoo.outputs(objective)
    sizes = zoo.gradients(objective, loss)
    assert not any("pooler" in name for name in sizes)
    assert all(sizes[f"model.embeddings.{part}_embeddings.weight"] > 0 for part in ("word", "position"))
    assert not objective.module.model.embeddings._forward_hooks


def test_training_keeps_a_tower_that_is_read_by_its_last_two_layers(tmp_path: Path) -> None:
    assert zoo.settings("consert").dropout == 0
    story, encoder = zoo.trained(tmp_path, "consert")
    assert story.steps == 4 and story.rows[-1]["loss"] == pytest.approx(story.rows[-1]["nt_xent"])
    assert encoder.pooling == "last_two"
    again, other = zoo.trained(tmp_path / "again", "consert")
    assert again.rows == story.rows, "one seed, one training"
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_a_cutoff_of_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cutoff_rate"):
        zoo.settings("consert", cutoff_rate=1.0)
