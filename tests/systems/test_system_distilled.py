"""Students of several towers: their losses, a teacher that stays as it is, and where they start."""

from __future__ import annotations

from pathlib import Path

import loops
import numpy as np
import pytest
import small_run
import torch
import zoo

from jtcse.core.errors import UserError
from jtcse.encoders.encoder import SumEncoder, TowerEncoder
from jtcse.systems import distilled
from jtcse.systems.opening import open_model
from jtcse.systems.settings import fragment, published_values, systems

TEXTS = ["a doctor helped the boy .", "noon", "the old sailor sells some ripe plums near a quiet lake ."]
STUDENTS = [name for name in systems() if fragment(name).module == "distilled"]


def teacher_of(shop) -> SumEncoder:
    """Two towers with weights of their own."""
    found = []
    for seed in (3, 4):
        model, tokenizer = shop.tower()
        small_run.shake(model, seed=seed)
        found.append(TowerEncoder(model, tokenizer, precision="fp32"))
    return SumEncoder(found)


def objective(folder: Path, name: str):
    shop = zoo.shop(folder, name)
    model, tokenizer = shop.tower()
    made = distilled.OBJECTIVES[shop.settings.loss]
    return made(model, tokenizer, teacher_of(shop), shop.corpus, shop.settings)


def test_the_squared_error_is_the_formulas(tmp_path: Path) -> None:
    made = objective(tmp_path, "jtcse_d")
    found, loss = zoo.outputs(made)
    h, target = zoo.rows(found["h"][0]), zoo.rows(found["teacher_1"][0])
    squares = [(a - b) ** 2 for one, other in zip(h, target, strict=True) for a, b in zip(one, other, strict=True)]
    assert loss.item() == pytest.approx(sum(squares) / len(squares), abs=1e-9)
    assert np.allclose(target, made.module._teachers[0].encode(made.views(np.arange(6), 5)[0]))


def test_the_contrastive_loss_is_the_formulas(tmp_path: Path) -> None:
    made = objective(tmp_path, "edfse_d")
    found, loss = zoo.outputs(made)
    h, target = zoo.rows(found["h"][0]), zoo.rows(found["teacher_1"][0])
    assert loss.item() == pytest.approx(loops.info_nce(h, target, tau=0.05), abs=1e-9)


@pytest.mark.parametrize("name", ["jtcse_d", "edfse_d"])
def test_the_teacher_has_no_gradient_and_does_not_change(name: str, tmp_path: Path) -> None:
    made = objective(tmp_path, name)
    towers = [tower.model for tower in made.module._teachers[0].encoders]
    before = [small_run.weights(tower) for tower in towers]
    found, loss = zoo.outputs(made)
    assert not found["teacher_1"].requires_grad
    sizes = zoo.gradients(made, loss)
    assert sizes["tower.model.embeddings.word_embeddings.weight"] > 0
    assert set(sizes) <= {f"tower.model.{key}" for key in before[0]}, "the teacher is no part of what is trained"
    made.module.float()
    small_run.run(made, tmp_path / "run")
    for tower, weights in zip(towers, before, strict=True):
        assert all(weight.grad is None for weight in tower.parameters()) and not tower.training
        assert all(torch.equal(value, weights[key]) for key, value in small_run.weights(tower).items())


@pytest.mark.parametrize("name", ["tncse_d", "edfse_d"])
def test_a_student_is_one_tower_that_opens_as_it_was(name: str, tmp_path: Path) -> None:
    changes = {"student": "tower"}
    shop = zoo.shop(tmp_path, name, **changes)
    encoder = distilled.make(shop)
    encoder.save(tmp_path / "kept")
    opened = open_model(tmp_path / "kept", precision="fp32")
    assert type(opened) is TowerEncoder
    assert np.array_equal(opened.encode(TEXTS), encoder.encode(TEXTS))
    story, again = zoo.trained(tmp_path, name, **changes)
    assert story.rows == shop.histories[-1].rows, "one seed, one training"
    assert np.array_equal(again.encode(TEXTS), opened.encode(TEXTS))


def test_where_the_student_starts(tmp_path: Path) -> None:
    """After no update to speak of, it is what it started as."""
    shop = zoo.shop(tmp_path, "tncse_d")
    first = shop.trained("tncse").encoders[0].encode(TEXTS)
    plain = shop.encoder(*shop.tower()).encode(TEXTS)
    for student, expected in (("tower", first), ("fresh", plain)):
        _, encoder = zoo.trained(tmp_path, "tncse_d", student=student, learning_rate=1e-12)
        assert np.allclose(encoder.encode(TEXTS), expected, atol=1e-5)
    assert not np.allclose(first, plain, atol=1e-3)


def test_teacher_and_student_read_the_same_part_of_a_long_sentence(tmp_path: Path, monkeypatch) -> None:
    shop, seen = zoo.shop(tmp_path, "tncse_d", max_length=6), []
    made = distilled.Distillation.__init__
    monkeypatch.setattr(distilled.Distillation, "__init__", lambda self, *a: seen.append(a[2]) or made(self, *a))
    distilled.make(shop)
    assert [tower.max_length for tower in seen[0].encoders] == [6, 6]


def test_each_row_d_has_its_teacher_and_starts_fresh_in_print() -> None:
    teachers = {name: fragment(name).needs for name in STUDENTS}
    assert teachers == {name: (name.removesuffix("_d"),) for name in STUDENTS} and len(STUDENTS) == 6
    assert {published_values(name)["student"] for name in STUDENTS} == {"fresh"}
    assert {name for name in STUDENTS if published_values(name)["loss"] == "infonce"} == {"edfse_d"}


def test_a_teacher_of_another_width_is_refused(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "tncse_d")
    student = shop.encoder(*shop.tower())
    teacher = SumEncoder([student])
    distilled.check_teacher(teacher, student, "tncse")

    class Wide(TowerEncoder):
        width = 48

    with pytest.raises(UserError, match="teacher tncse have 48 numbers and the student's 32"):
        distilled.check_teacher(Wide(student.model, student.tokenizer), student, "tncse")
