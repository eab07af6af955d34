"""Sums with InfoCSE: the weights of the released code, every tower with its own tokenizer, one after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import one_tower
import pytest
import standin
import zoo

from jtcse.core.errors import UserError
from jtcse.encoders.encoder import SumEncoder, TowerEncoder, open_encoder
from jtcse.encoders.loading import load_tower
from jtcse.systems import opening
from jtcse.systems.combination import combined
from jtcse.systems.settings import published_values

TEXTS = ["a baker hides the blue boat .", "noon", "the old sailor sells some ripe plums near a quiet lake ."]


def tower(folder: Path, family: str = "bert", seed: int = 0, **changes) -> TowerEncoder:
    getattr(standin, family)(folder, layers=2, seed=seed, **changes)
    return TowerEncoder(*load_tower(folder), precision="fp32")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two RoBERTa towers and a BERT one, each as the hub has it."""
    root = tmp_path_factory.mktemp("towers")
    kinds = {"first": ("roberta", 1), "second": ("roberta", 2), "info": ("bert", 3), "one": ("bert", 4)}
    for name, (family, seed) in kinds.items():
        getattr(standin, family)(root / name, layers=2, seed=seed)
    return {name: root / name for name in kinds}


@pytest.fixture(scope="module")
def towers(folders: dict[str, Path]) -> dict[str, TowerEncoder]:
    return {name: TowerEncoder(*load_tower(folder), precision="fp32") for name, folder in folders.items()}


def test_a_twin_counts_as_two_towers(towers: dict[str, TowerEncoder]) -> None:
    twin, w = SumEncoder([towers["first"], towers["second"]]), 0.75
    found = combined({"tncse": twin, "infocse": towers["info"]}, published_values("tncse_uc", "roberta")["weights"])
    h_1, h_2, h_uc = (towers[name].encode(TEXTS) for name in ("first", "second", "info"))
    assert np.allclose(found.encode(TEXTS), (1 - w) * (h_1 + h_2) + w * h_uc, atol=1e-6)
    assert not np.allclose(found.encode(TEXTS), h_1 + h_2 + h_uc, atol=1e-2)


def test_towers_of_two_vocabularies_are_kept_whole(towers: dict[str, TowerEncoder], tmp_path: Path) -> None:
    """The RoBERTa sums hold a BERT tower."""
    twin = SumEncoder([towers["first"], towers["second"]])
    found = combined({"jtcse": twin, "infocse": towers["info"]}, [0.3, 0.3, 0.7])
    found.save(tmp_path / "kept")
    again = open_encoder(tmp_path / "kept", precision="fp32")
    assert [one.model.config.model_type for one in again.encoders] == ["roberta", "roberta", "bert"]
    assert again.weights == [0.3, 0.3, 0.7]
    assert np.array_equal(again.encode(TEXTS), found.encode(TEXTS))


def test_one_towers_activations_at_a_time(towers: dict[str, TowerEncoder]) -> None:
    twin = SumEncoder([towers["first"], towers["second"]])
    found = combined({"jtcse": twin, "infocse": towers["info"]}, [0.3, 0.3, 0.7])
    with one_tower.watched([one.model for one in found.encoders]) as watch:
        found.encode(TEXTS * 50)
    assert watch.met == {0, 1, 2} and watch.most == 1


@pytest.mark.parametrize(
    ("system", "names", "weights"),
    [
        ("jtcse_uc", ("first", "second", "info"), (0.3, 0.3, 0.7)),
        ("tncse_uc", ("first", "second", "info"), (0.25, 0.25, 0.75)),
    ],
)
def test_released_towers_are_summed_as_the_authors_do(system, names, weights, folders, towers) -> None:
    found = opening.open_released(system, "roberta", names=[str(folders[name]) for name in names], precision="fp32")
    expected = sum(w * towers[name].encode(TEXTS) for w, name in zip(weights, names, strict=True))
    assert np.allclose(found.encode(TEXTS), expected, atol=1e-6)


def test_too_few_released_towers_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=r"found 2 .* expected 3"):
        opening.open_released("tncse_uc", "roberta", names=[str(folders["first"]), str(folders["info"])])


def test_a_released_twin_is_a_plain_sum(folders: dict[str, Path], towers: dict[str, TowerEncoder]) -> None:
    names = ("first", "second")
    found = opening.open_released("tncse", "roberta", names=[str(folders[name]) for name in names], precision="fp32")
    assert np.allclose(found.encode(TEXTS), sum(towers[name].encode(TEXTS) for name in names), atol=1e-6)


def test_what_cannot_be_summed_is_refused(towers: dict[str, TowerEncoder], tmp_path: Path) -> None:
    one, info = towers["one"], towers["info"]
    with pytest.raises(UserError, match="rankcse_uc sums 2 towers but has 3 weights"):
        combined({"rankcse_listmle": one, "infocse": info}, [0.3, 0.3, 0.7], "rankcse_uc")
    with pytest.raises(UserError, match="differ in width: 32 and 48"):
        combined({"a": one, "b": tower(tmp_path / "wide", width=48)}, [0.5, 0.5])
    mean = TowerEncoder(info.model, info.tokenizer, pooling="mean")
    with pytest.raises(UserError, match="differ in pooling: cls and mean"):
        combined({"a": one, "b": mean}, [0.5, 0.5])

    class Other(TowerEncoder):
        pass

    for strange in (Other(info.model, info.tokenizer), SumEncoder([one, info], [0.5, 2.0])):
        with pytest.raises(UserError, match="infocse is no plain sum of stock towers"):
            combined({"a": one, "infocse": strange}, [0.5, 0.5])


def test_nothing_is_trained_beside_its_parts(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "tncse_uc")
    assert story.steps == 0 and story.rows == []
    assert len(encoder.encoders) == 3 and encoder.weights == [0.3, 0.3, 0.7]
    assert len(list((tmp_path / "systems" / "infocse").glob("*/story.json"))) == 1
    _, student = zoo.trained(tmp_path, "tncse_uc_d")
    assert type(student) is TowerEncoder
