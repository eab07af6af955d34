"""RankCSE: both list losses and the divergence are the formulas, teachers are read as text and never touched."""

from __future__ import annotations

from pathlib import Path

import loops
import loops_contrast
import numpy as np
import pytest
import standin
import torch
import zoo
from torch import Tensor

from jtcse.core.errors import UserError
from jtcse.encoders.encoder import TowerEncoder
from jtcse.encoders.loading import load_tower
from jtcse.systems import rankcse
from jtcse.systems.rankcse import RankCSE
from jtcse.systems.simcse import SimCSE

NAMES = ("rankcse_listnet", "rankcse_listmle")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Teachers of two other vocabularies, and of another width than the student's."""
    root = tmp_path_factory.mktemp("teachers")
    return [str(standin.bert(root / "bert", width=16)), str(standin.roberta(root / "roberta", width=24, seed=1))]


def made(folder: Path, name: str, teachers: list[str], **changes) -> RankCSE:
    shop = zoo.shop(folder, name, teachers=teachers, **changes)
    model, tokenizer = shop.tower()
    found = [rankcse.teacher(shop, one) for one in shop.settings.teachers]
    return RankCSE(model, tokenizer, shop.corpus, shop.settings, shop.head(model), teachers=found)


def apart(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The student's vectors moved apart, so that lists are not all alike."""
    noise = torch.randn(found["z"].shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return found | {"z": found["z"] + noise}


def matrix(seed: int, n: int = 6) -> Tensor:
    return torch.randn(n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_list_losses_are_the_formulas() -> None:
    a, b = matrix(0), matrix(1)
    assert rankcse.list_net(a, b).item() == pytest.approx(loops_contrast.list_net(a.tolist(), b.tolist()), abs=1e-9)
    assert rankcse.list_mle(a, b).item() == pytest.approx(loops_contrast.list_mle(a.tolist(), b.tolist()), abs=1e-9)
    found = rankcse.consistency(a).item()
    assert found == pytest.approx(loops_contrast.jensen_shannon(a.tolist(), a.T.tolist()), abs=1e-9)


def test_the_losses_know_a_good_list_from_a_bad_one() -> None:
    teacher = matrix(0)
    for loss in (rankcse.list_net, rankcse.list_mle):
        assert loss(teacher, teacher) < loss(matrix(1), teacher) < loss(-teacher, teacher)
    assert torch.allclose(rankcse.list_mle(matrix(1), teacher), rankcse.list_mle(matrix(1), 7 * teacher + 1))


def test_the_divergence_is_0_for_equal_lists_and_at_most_log_2() -> None:
    even = matrix(0) + matrix(0).T
    assert rankcse.consistency(even).abs() < 1e-12
    assert 0 < rankcse.consistency(1000 * matrix(1)) <= np.log(2) + 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_is_the_formulas(name: str, folders: list[str], tmp_path: Path) -> None:
    objective = made(tmp_path, name, folders, teacher_share=0.25, ranking_weight=0.5, consistency_weight=2.0)
    found, _ = zoo.outputs(objective)
    found = apart(found)
    z1, z2 = zoo.rows(found["z"])
    first, second = zoo.rows(found["teacher_1"][0].double()), zoo.rows(found["teacher_2"][0].double())
    n, drop = len(z1), name == "rankcse_listnet"
    places = [[j for j in range(n) if not (drop and i == j)] for i in range(n)]
    student = [[loops.cosine(z1[i], z2[j]) / 0.05 for j in places[i]] for i in range(n)]
    teacher = [
        [
            (0.25 * loops.cosine(first[i], first[j]) + 0.75 * loops.cosine(second[i], second[j])) / 0.025
            for j in places[i]
        ]
        for i in range(n)
    ]
    loss = loops_contrast.list_net if drop else loops_contrast.list_mle
    forth = [[loops.cosine(z1[i], z2[j]) / 0.05 for j in range(n)] for i in range(n)]
    back = [[loops.cosine(z2[i], z1[j]) / 0.05 for j in range(n)] for i in range(n)]
    parts = {k: part.item() for k, part in objective.parts(found, torch.Generator()).items()}
    assert parts == {
        "infonce": pytest.approx(loops.info_nce(z1, z2, 0.05), abs=1e-9),
        "consistency": pytest.approx(2 * loops_contrast.jensen_shannon(forth, back), abs=1e-9),
        "ranking": pytest.approx(0.5 * loss(student, teacher), abs=1e-9),
    }


def test_teachers_of_other_vocabularies_read_the_sentences_themselves(folders: list[str], tmp_path: Path) -> None:
    objective = made(tmp_path, "rankcse_listnet", folders)
    batch = objective.batch(np.arange(5), seed=1)
    found = objective.module(batch)
    for name, folder in zip(("teacher_1", "teacher_2"), folders, strict=True):
        alone = TowerEncoder(*load_tower(folder), max_length=24, precision="fp32").encode(batch.texts[0])
        assert np.allclose(found[name][0].numpy(), alone, atol=1e-6)
    one = made(tmp_path, "rankcse_listnet", folders[1:])
    assert set(one.module(batch)) == {"h", "z", "teacher_1"}


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_goes_into_a_teacher(name: str, folders: list[str], tmp_path: Path) -> None:
    objective = made(tmp_path, name, folders)
    before = [loops_contrast.state(teacher.model) for teacher in objective.module._teachers]
    found, _ = zoo.outputs(objective)
    found = apart(found)
    sizes = zoo.gradients(objective, objective.parts(found, torch.Generator())["ranking"])
    assert sizes["tower.head.0.weight"] > 0 and not any("teacher" in key for key in sizes)
    assert not found["teacher_1"].requires_grad
    loops_contrast.run(objective.__class__(
        objective.module.float().tower.model, objective.tokenizer, objective.corpus, objective.settings,
        objective.module.tower.head, teachers=objective.module._teachers,
    ), tmp_path / "run")  # fmt: skip
    for teacher, old in zip(objective.module._teachers, before, strict=True):
        assert loops_contrast.same(loops_contrast.state(teacher.model), old) and not teacher.model.training


def test_without_ranking_and_consistency_it_is_simcse(folders: list[str], tmp_path: Path) -> None:
    objective = made(tmp_path, "rankcse_listmle", folders, ranking_weight=0.0, consistency_weight=0.0)
    plain = SimCSE(objective.module.tower.model, objective.tokenizer, objective.corpus, zoo.settings("simcse"))
    plain.module.head = objective.module.tower.head
    (found, own), (_, other) = zoo.outputs(objective), zoo.outputs(plain)
    assert set(found) == {"h", "z"} and own.item() == pytest.approx(other.item(), abs=1e-6)


def test_equal_sentences_and_tied_teachers_have_finite_gradients(folders: list[str], tmp_path: Path) -> None:
    for name in NAMES:
        objective = made(tmp_path, name, folders)
        z = torch.ones(2, 6, 8, requires_grad=True)
        same = torch.ones(1, 6, 16)
        loss = sum(objective.parts({"z": z, "teacher_1": same, "teacher_2": same}, torch.Generator()).values())
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(z.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_systems_of_the_workspace_teach(name: str, tmp_path: Path) -> None:
    assert zoo.settings(name).teachers == ["diffcse", "simcse"]
    story, encoder = zoo.trained(tmp_path, name, teachers=["simcse"])
    again, other = zoo.trained(tmp_path / "again", name, teachers=["simcse"])
    assert again.rows == story.rows and {"infonce", "consistency", "ranking"} < set(story.rows[-1])
    assert not any("head" in key for key, _ in encoder.model.named_parameters())
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_a_teacher_with_the_tokenizer_of_another_is_refused(folders: list[str], tmp_path: Path) -> None:
    model, _ = load_tower(folders[0])
    model.resize_token_embeddings(40)
    _, tokenizer = load_tower(folders[1])
    mixed = TowerEncoder(model, tokenizer)
    with pytest.raises(UserError, match=r"teacher mixed knows 40 token ids, but its tokenizer gives ids up to"):
        rankcse.check_vocabulary(mixed, "mixed")


def test_missing_teachers_are_refused(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "rankcse_listnet")
    model, tokenizer = shop.tower()
    with pytest.raises(UserError, match="no teacher was given"):
        RankCSE(model, tokenizer, shop.corpus, shop.settings)
    with pytest.raises(UserError, match="teachers"):
        zoo.settings("rankcse_listnet", teachers=[])
