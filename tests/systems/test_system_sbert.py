"""SBERT: cross-entropy of labels by formula, both sentences through one tower, and a classifier that is thrown away."""

from __future__ import annotations

from math import exp, log
from pathlib import Path

import numpy as np
import pytest
import torch
import zoo

from jtcse.core.errors import UserError
from jtcse.data.labelled import LABELS, LabelledPair, generated
from jtcse.systems import sbert
from jtcse.systems.sbert import SBERT
from jtcse.systems.settings import fragment, published_values


@pytest.fixture
def objective(tmp_path: Path) -> SBERT:
    return an_objective(zoo.shop(tmp_path, "sbert"))


def an_objective(shop, **changes) -> SBERT:
    model, tokenizer = shop.tower()
    return SBERT(model, tokenizer, generated(1, 40), shop.settings.model_copy(update=changes), seed=4)


def cross_entropy(u: list, v: list, labels: list[int], weight: list, bias: list) -> float:
    """In plain loops."""
    total = 0.0
    for a, b, label in zip(u, v, labels, strict=True):
        read = a + b + [abs(x - y) for x, y in zip(a, b, strict=True)]
        logits = [sum(w * x for w, x in zip(row, read, strict=True)) + c for row, c in zip(weight, bias, strict=True)]
        total -= log(exp(logits[label]) / sum(map(exp, logits)))
    return total / len(labels)


def test_the_loss_is_the_formulas(objective: SBERT) -> None:
    found, loss = zoo.outputs(objective)
    classifier = objective.module.classifier
    labels = [objective.corpus[row].label for row in range(6)]
    assert sorted(set(labels)) == [0, 1, 2]
    expected = cross_entropy(*zoo.rows(found["v"]), labels, zoo.rows(classifier.weight), zoo.rows(classifier.bias))
    assert loss.item() == pytest.approx(expected, abs=1e-9)


def test_vectors_are_the_kept_encoders_mean(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "sbert")
    objective = an_objective(shop)
    found, _ = zoo.outputs(objective)
    encoder = shop.encoder(objective.module.model.float(), objective.tokenizer)
    pairs = objective.corpus[:6]
    for view, texts in enumerate(([p.first for p in pairs], [p.second for p in pairs])):
        assert np.allclose(encoder.encode(texts), found["v"][view].detach(), atol=1e-4)


def test_splitting_by_length_changes_no_loss(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "sbert")
    one, two = (zoo.outputs(an_objective(shop, length_groups=groups))[1].item() for groups in (1, 3))
    assert one == pytest.approx(two, abs=1e-9)


def test_gradients_reach_tower_and_classifier_but_not_the_pooler(objective: SBERT) -> None:
    _, loss = zoo.outputs(objective)
    sizes = zoo.gradients(objective, loss)
    assert not any("pooler" in name for name in sizes)
    assert sizes["classifier.weight"] > 0 and sizes["model.embeddings.word_embeddings.weight"] > 0
    assert {name for name, _ in objective.module.named_parameters() if "pooler" not in name} == set(sizes)


def test_a_label_moves_with_its_pair(objective: SBERT) -> None:
    batch = objective.batch(np.array([5, 2]), seed=1)
    assert batch.labels.tolist() == [objective.corpus[5].label, objective.corpus[2].label]
    assert batch.texts[0][0] == objective.corpus[5].first and batch.to(torch.device("cpu")).labels.tolist() == [2, 2]


def test_it_learns_labels_that_words_tell(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "sbert")
    same = [LabelledPair(text, text, 0) for text in shop.corpus[:20]]
    other = [LabelledPair(a, b, 1) for a, b in zip(shop.corpus[:20], shop.corpus[20:40], strict=True)]
    model, tokenizer = shop.tower()
    objective = SBERT(model, tokenizer, same + other, shop.settings.model_copy(update={"steps": 30}), seed=1)
    history = sbert_train(objective, tmp_path)
    losses = [row["loss"] for row in history.rows]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def sbert_train(objective: SBERT, folder: Path):
    from jtcse.training.trainer import train

    return train(objective, objective.settings, learning_rate=3e-3, seed=1, folder=folder / "t", precision="fp32")


def test_training_keeps_the_tower_and_throws_the_classifier_away(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "sbert")
    assert story.steps == 4 and story.rows[-1]["loss"] == pytest.approx(story.rows[-1]["labels"])
    assert encoder.pooling == "mean" and not any("classifier" in name for name, _ in encoder.model.named_parameters())
    again, other = zoo.trained(tmp_path / "again", "sbert")
    assert again.rows == story.rows and np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_each_scale_has_labels_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = fragment("sbert").values
    assert (published_values("sbert")["labels"], values["smaller"]["labels"]) == ("nli", "sick")
    shop = zoo.shop(tmp_path, "sbert")
    assert shop.settings.labels == "generated" and len(sbert.pairs_of(shop)) == len(shop.corpus)
    for name in ("nli", "sick"):
        monkeypatch.setattr(sbert, name, lambda name=name: [name])
        assert sbert.pairs_of(zoo.shop(tmp_path, "sbert", labels=name)) == [name]


def test_an_unknown_kind_of_labels_is_refused() -> None:
    with pytest.raises(UserError, match=r"unknown value of labels 'snli'.*did you mean 'nli'"):
        zoo.settings("sbert", labels="snli")


def test_as_many_logits_as_labels(objective: SBERT) -> None:
    assert zoo.outputs(objective)[0]["logits"].shape == (1, 6, len(LABELS))
