"""Whitening: mean 0 and covariance 1 over its text, by formula; small eigenvalues, first directions, texts that cannot be had."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import zoo

from jtcse.core.errors import UserError
from jtcse.encoders.loading import load_tower, save_tower
from jtcse.systems import whitening
from jtcse.systems.opening import open_model, open_released
from jtcse.systems.settings import published_values
from jtcse.systems.whitening import text_of, whitened, whitening_matrix


def covariance(rows: list[list[float]]) -> list[list[float]]:
    """In plain loops."""
    n, d = len(rows), len(rows[0])
    mean = [sum(row[i] for row in rows) / n for i in range(d)]
    return [[sum((row[i] - mean[i]) * (row[j] - mean[j]) for row in rows) / n for j in range(d)] for i in range(d)]


def test_the_matrix_makes_the_covariance_one() -> None:
    rows = np.random.default_rng(3).normal(size=(200, 5)) @ np.random.default_rng(4).normal(size=(5, 5))
    w = whitening_matrix(np.cov(rows.T, bias=True)).tolist()
    centred = [[x - m for x, m in zip(row, rows.mean(0).tolist(), strict=True)] for row in rows.tolist()]
    turned = [[sum(row[i] * w[i][j] for i in range(5)) for j in range(5)] for row in centred]
    assert np.allclose(covariance(turned), np.eye(5), atol=1e-9)


def test_a_covariance_of_two_by_two_by_hand() -> None:
    w = whitening_matrix(np.array([[5.0, 4.0], [4.0, 5.0]]))  # eigenvalues 9 and 1 along (1, 1) and (1, -1)
    assert np.allclose(np.abs(w), [[1 / 3 / sqrt(2), 1 / sqrt(2)]] * 2, atol=1e-12)


def test_the_first_directions_are_those_of_largest_variance() -> None:
    whole = whitening_matrix(np.diag([1.0, 100.0, 4.0]))
    two = whitening_matrix(np.diag([1.0, 100.0, 4.0]), dimensions=2)
    assert np.array_equal(two, whole[:, :2])
    assert np.allclose(np.abs(two), [[0, 0], [0.1, 0], [0, 0.5]])
    assert whitening_matrix(np.eye(3), dimensions=9).shape == (3, 3)


def test_directions_without_variance_are_left_out() -> None:
    spread = np.array([1.0, 1e-3, 1e-12])
    assert whitening_matrix(np.diag(spread), floor=0.0).shape == (3, 3)
    assert whitening_matrix(np.diag(spread), floor=1e-9).shape == (3, 2)
    assert whitening_matrix(np.diag(spread), floor=1e-2).shape == (3, 1)
    flat = np.outer([1.0, 2.0], [1.0, 2.0])  # rank 1: the other eigenvalue is 0 up to rounding, of either sign
    assert np.isfinite(whitening_matrix(flat)).all() and whitening_matrix(flat).shape == (2, 1)


def test_a_text_of_one_vector_cannot_be_whitened(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "whitening")
    with pytest.raises(UserError, match="all sentences of the text have one vector"):
        whitened(shop.encoder(*shop.tower()), ["noon", "noon"])


def test_make_whitens_the_runs_corpus_and_opens_again(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "whitening")
    vectors = encoder.encode(zoo.shop(tmp_path, "whitening").corpus[:]).astype(np.float64)
    assert story.steps == 0 and encoder.pooling == "first_last"
    assert np.abs(vectors.mean(0)).max() < 1e-3
    assert np.allclose(np.cov(vectors.T, bias=True), np.eye(encoder.width), atol=1e-3)
    _, other = zoo.trained(tmp_path / "again", "whitening")
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))
    encoder.save(tmp_path / "saved")
    assert np.array_equal(open_model(tmp_path / "saved", precision="fp32").encode(["noon"]), encoder.encode(["noon"]))


def test_first_dimensions_give_shorter_vectors_with_the_same_numbers(tmp_path: Path) -> None:
    _, whole = zoo.trained(tmp_path, "whitening")
    _, short = zoo.trained(tmp_path, "whitening", dimensions=4)
    assert short.encode(["noon"]).shape == (1, 4)
    assert np.allclose(short.encode(["noon"]), whole.encode(["noon"])[:, :4], atol=1e-5)


def test_another_text_moves_the_map(tmp_path: Path) -> None:
    texts = tmp_path / "text.txt"
    texts.write_text("".join(f"{text}\n" for text in zoo.shop(tmp_path, "whitening").corpus[:50]))
    _, own = zoo.trained(tmp_path, "whitening")
    _, other = zoo.trained(tmp_path, "whitening", text=str(texts))
    assert other.width <= own.width
    assert not np.allclose(other.encode(["noon"])[:, :3], own.encode(["noon"])[:, :3])


def test_released_fits_on_the_published_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, asked = zoo.shop(tmp_path, "whitening"), []
    monkeypatch.setattr(whitening, "text_of", lambda name: asked.append(name) or shop.corpus[:])
    start = shop.run.workspace.model("start")
    encoder = whitening.open_released([start], "bert", "fp32")
    _, trained = zoo.trained(tmp_path, "whitening")
    assert asked == ["nli"] == [published_values("whitening")["text"]]
    assert np.array_equal(encoder.encode(["noon"]), trained.encode(["noon"]))


def test_without_the_text_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def nowhere(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", nowhere)
    model = zoo.a_run(tmp_path).workspace.model("start")
    save_tower(*load_tower(model), tmp_path / "stock")
    with pytest.raises(UserError, match=r"could not get the NLI pairs .*all-nli.* no route"):
        open_released("whitening", names=[str(tmp_path / "stock")])
    with pytest.raises(UserError, match="there is no corpus 'nliX'"):
        text_of("nliX")


def test_both_sentences_of_each_nli_pair_count(monkeypatch: pytest.MonkeyPatch) -> None:
    from jtcse.data import labelled

    pairs = [labelled.LabelledPair("a", "b", 0), labelled.LabelledPair("a", "c", 2)]
    monkeypatch.setattr(labelled, "nli", lambda: pairs)
    assert text_of("nli") == ["a", "b", "a", "c"]
