"""Encoders with a map behind them: streamed moments, saving and opening, and folders that cannot be opened."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import zoo
from safetensors.torch import load_file, save_file

from jtcse.core.errors import UserError
from jtcse.encoders import postprocessing
from jtcse.encoders.encoder import TowerEncoder
from jtcse.encoders.postprocessing import MAP, MappedEncoder, moments
from jtcse.systems.opening import open_model
from jtcse.systems.whitening import Affine, whitened


@pytest.fixture
def plain(tmp_path: Path) -> TowerEncoder:
    shop = zoo.shop(tmp_path, "whitening")
    return shop.encoder(*shop.tower())


@pytest.fixture
def saved(plain: TowerEncoder, tmp_path: Path) -> Path:
    whitened(plain, zoo.shop(tmp_path, "whitening").corpus).save(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_moments_are_those_of_all_vectors_at_once(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = 1000 + np.random.default_rng(1).normal(size=(50, 6)) @ np.diag([1, 1, 2, 3, 1e-3, 1])
    monkeypatch.setattr(postprocessing, "CHUNK", chunk)
    mean, covariance, count = moments(lambda rows: vectors[[int(row) for row in rows]], [str(i) for i in range(50)])
    assert count == 50
    assert np.allclose(mean, vectors.mean(0), rtol=1e-14)
    assert np.allclose(covariance, np.cov(vectors.T, bias=True), rtol=1e-9, atol=1e-15)


def test_one_sentence_has_no_covariance(plain: TowerEncoder) -> None:
    with pytest.raises(UserError, match="the text has 1 sentences; a covariance needs two"):
        moments(plain.encode, ["noon"])


def test_vectors_are_the_map_of_the_pooled_ones(plain: TowerEncoder) -> None:
    affine = Affine(plain.width, 5)
    torch.nn.init.normal_(affine.weight)
    torch.nn.init.normal_(affine.mean)
    encoder = MappedEncoder(plain, affine, "whitening")
    texts = ["noon", "a cook stirs the soup slowly", ""]
    expected = (plain.encode(texts) - affine.mean.cpu().numpy()) @ affine.weight.cpu().numpy()
    assert encoder.encode(texts).shape == (3, 5)
    assert np.allclose(encoder.encode(texts), expected, atol=1e-5)


def test_the_map_is_computed_in_float32_under_bf16(plain: TowerEncoder) -> None:
    affine = Affine(plain.width, plain.width)
    affine.weight.copy_(torch.eye(plain.width))
    affine.mean.fill_(1000.0)  # a bf16 number near 1000 has steps of 4
    bare = TowerEncoder(plain.model, plain.tokenizer, pooling="mean", precision="bf16")
    rough = MappedEncoder(bare, affine, "whitening")
    assert np.allclose(rough.encode(["noon"]) + 1000, bare.encode(["noon"]), atol=1e-3)


def test_what_is_saved_opens_as_it_was_and_its_tower_is_stock(saved: Path, plain: TowerEncoder) -> None:
    opened = open_model(saved, precision="fp32")
    assert isinstance(opened, MappedEncoder) and (opened.pooling, opened.max_length) == ("first_last", 64)
    assert np.array_equal(
        TowerEncoder(opened.model, opened.tokenizer, pooling="first_last", precision="fp32").encode(["noon"]),
        plain.encode(["noon"]),
    )
    opened.save(saved.parent / "again")
    assert (saved.parent / "again" / MAP).read_bytes() == (saved / MAP).read_bytes()
    assert not list(saved.rglob("*.bin"))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / MAP).unlink(), r"map\.safetensors is missing or broken"),
        (lambda folder: (folder / MAP).write_bytes((folder / MAP).read_bytes()[:50]), "is missing or broken"),
        (lambda folder: save_file({"mean": torch.zeros(3)}, folder / MAP), "does not describe the map"),
        (lambda folder: described(folder, plan={"features": 3, "width": 2}), "does not describe the map"),
        (lambda folder: described(folder, plan={"size": 3}), "does not describe the map"),
        (lambda folder: described(folder, max_length=None), "does not describe the map"),
        (lambda folder: described(folder, pooling="first-last"), "unknown pooling 'first-last'"),
    ],
)
def test_a_broken_folder_is_one_sentence(saved: Path, spoil, told: str) -> None:
    spoil(saved)
    with pytest.raises(UserError, match=told) as caught:
        open_model(saved)
    assert "\n" not in str(caught.value)


def described(folder: Path, **changes) -> None:
    """Change the description of a saved encoder."""
    path = folder / "jtcse.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_map_that_is_not_finite_is_not_saved(plain: TowerEncoder, tmp_path: Path) -> None:
    affine = Affine(plain.width, 2)
    affine.mean[0] = float("nan")
    encoder = MappedEncoder(plain, affine, "whitening")
    with pytest.raises(UserError, match="the map to be saved holds 1 NaN or infinite values in mean"):
        encoder.save(tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_the_map_file_holds_the_map_alone(saved: Path) -> None:
    assert set(load_file(saved / MAP)) == {"mean", "weight"}
