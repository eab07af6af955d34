"""EDFSE: the sum of six SimCSE trainings, each on its own view, in both readings of the augmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import one_tower
import pytest
import torch
import zoo

from jtcse.core.errors import UserError
from jtcse.data.views import make_view
from jtcse.experiments import trained_systems
from jtcse.systems.edfse import ChangedText, make
from jtcse.systems.opening import open_model
from jtcse.systems.settings import published_values

TEXTS = ["a doctor helped the boy .", "noon", "the old sailor sells some ripe plums near a quiet lake ."]
WORDS = ["repetition", "deletion", "crop", "shuffle", "rotation", "reversal"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edfse")


def test_it_is_the_sum_of_six_simcse_trainings(place: Path) -> None:
    run = zoo.a_run(place)
    shop = trained_systems.Workshop(run, "edfse", 1)
    encoder = make(shop)
    assert len(encoder.encoders) == 6 and shop.histories == [], "nothing is trained beside them"
    vectors = []
    for view in shop.settings.views:
        folder = trained_systems.made(
            run, "simcse", 1, {"view": view, "head": "none", "learning_rate": shop.rate_of("simcse")}
        )
        vectors.append(trained_systems.opened(folder).encode(TEXTS))
    assert len(list((run.workspace.root / "systems" / "simcse").glob("*/story.json"))) == 6, "each of them only once"
    assert np.array_equal(encoder.encode(TEXTS), sum(vectors))
    assert all(not np.allclose(a, b, atol=1e-4) for i, a in enumerate(vectors) for b in vectors[:i])
    encoder.save(place / "kept")
    assert np.array_equal(open_model(place / "kept", precision="fp32").encode(TEXTS), encoder.encode(TEXTS))


def test_word_level_views_do_where_nothing_translates(place: Path) -> None:
    _, encoder = zoo.trained(place, "edfse", views=WORDS)
    assert len(encoder.encoders) == 6
    assert published_values("edfse")["views"][0].startswith("round_trip:")


def test_the_other_reading_trains_on_the_changed_text_alone(place: Path) -> None:
    story, encoder = zoo.trained(place, "edfse", augmentation="corpus", views=["round_trip:fr", "reversal"])
    assert story.steps == 2 * 4 and len(encoder.encoders) == 2
    _, pairs = zoo.trained(place, "edfse", views=["round_trip:fr", "reversal"])
    assert not np.allclose(encoder.encode(TEXTS), pairs.encode(TEXTS), atol=1e-4)
    again, _ = zoo.trained(place / "again", "edfse", augmentation="corpus", views=["round_trip:fr", "reversal"])
    assert again.rows == story.rows


def test_changed_text_is_the_second_of_a_pair_or_always_the_same_view() -> None:
    assert list(ChangedText([("a b", "c d")], make_view("round_trip"), 1)) == ["c d"]
    lines = [f"one two three four five {n}" for n in range(20)]
    text = ChangedText(lines, make_view("rotation"), 1)
    assert list(text) == list(ChangedText(lines, make_view("rotation"), 1)) != lines
    assert len({line.split().index("one") for line in text}) > 2, "each row has its own draw"


@torch.inference_mode()
def test_one_towers_activations_at_a_time(place: Path) -> None:
    _, encoder = zoo.trained(place, "edfse", views=WORDS)
    models = [tower.model for tower in encoder.encoders]
    with one_tower.watched(models) as watch:
        encoder.encode(TEXTS * 50)
    assert watch.met == set(range(6)) and watch.most == 1
    ids, mask = torch.ones(3, 5, dtype=torch.long), torch.ones(3, 5, dtype=torch.long)
    with one_tower.watched(models) as watch:  # what the watch is there to see
        states = [model(input_ids=ids, attention_mask=mask).last_hidden_state for model in models]
    assert len(states) == watch.most == 6


def test_bad_views_are_named(place: Path) -> None:
    with pytest.raises(UserError, match=r"edfse: views .* names one twice"):
        zoo.trained(place, "edfse", views=["crop", "crop"])
    with pytest.raises(UserError, match="did you mean 'reversal'"):
        zoo.trained(place, "edfse", augmentation="corpus", views=["crop", "reversals"])
    with pytest.raises(UserError, match="2 views but 1 tower_rates"):
        zoo.trained(place, "edfse", views=["crop", "shuffle"], tower_rates=[1e-3])
