"""Variants of the grids: trained once, whoever asks; resumed after a kill to the same bits; only what is named is changed."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_run
import standin
import tiny
import torch
from torch import nn

from jtcse.core.errors import UserError
from jtcse.core.run import Run, start
from jtcse.encoders.encoder import SumEncoder, TowerEncoder
from jtcse.encoders.loading import load_tower
from jtcse.evaluation.energy import REFERENCE, energies, readings
from jtcse.evaluation.geometry import cls_energy_weight, layer_states
from jtcse.evaluation.poolings import pooled
from jtcse.evaluation.sts import cosine
from jtcse.experiments import one_cell, stages, train_once
from jtcse.experiments.ablations import cells as variants
from jtcse.experiments.ablations import effects, starting_towers, train_cell
from jtcse.experiments.ablations.claim_effects import claims
from jtcse.experiments.ablations.grids import Cell, with_beside
from jtcse.experiments.ablations.train_cell import HiddenModulus, remove_layer_norms
from jtcse.method.joint_training import JTCSE
from jtcse.training import checkpoints

SHORT = {"batch_size": 8, "steps": 4, "evaluate_every": 2, "max_length": 24, "length_groups": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of stand-ins: a start, two towers, text and graded pairs."""
    root = tmp_path_factory.mktemp("workspace")
    standin.bert(root / "models" / "start", layers=4, width=16, heads=2)
    for number in (1, 2):
        another(root / "models" / "start", root / "models" / f"tower_{number}", seed=number)
    (root / "data").mkdir()
    (root / "data" / "corpus.txt").write_text("\n".join(standin.sentences(40, seed=5)) + "\n", encoding="utf8")
    standin.pair_files(root / "data/pairs")
    return root


def another(folder: Path, out: Path, seed: int) -> None:
    """The same words, other weights."""
    model, tokenizer = load_tower(folder)
    small_run.shake(model, seed)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Run:
    """A run in a fresh copy of the workspace."""
    shutil.copytree(made, tmp_path / "ws")
    changes = {"run": {"precision": "fp32"}, "evaluation": {"resamples": 100}, "ablations": {"steps": 4}}
    return start("x", "embedded", tmp_path / "ws", stage1=SHORT, stage2=SHORT | {"learning_rate": 1e-3}, **changes)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Titles of the trainings that really ran."""
    titles, train = [], train_once.train
    monkeypatch.setattr(train_once, "train", lambda *a, **k: (titles.append(k["title"]), train(*a, **k))[1])
    return titles


def the(run: Run, id: str) -> Cell:
    place = {"towers": "table10", "readings": "table9"}.get(id.split("/")[0], id.split("/")[0])
    return next(cell for cell in variants.cells(run, place) if cell.id == id)


def test_a_variant_that_stands_in_several_grids_is_trained_once(run: Run, trainings: list[str]) -> None:
    ids = ("table10/NCE+ICNCE+ICTM", "table9/6", "table8/Wiki1M/JTCSE", "figure6/JTCSE")
    found = [variants.scores(run, the(run, id), 1) for id in ids]
    assert trainings == ["table10/NCE+ICNCE+ICTM, seed 1"]
    assert all((f["news"].similarity == found[0]["news"].similarity).all() for f in found)
    assert variants.key(run, the(run, "table9/none"), 1) == variants.key(run, the(run, "figure6/TNCSE"), 1)


def test_cells_and_seeds_that_differ_have_different_keys(run: Run) -> None:
    members = [m for place in ("table8", "table9", "table10", "figure8") for m in variants.members(run, place)]
    keys = {variants.key(run, cell, seed) for cell, seed in members}
    shared = 2 * 3  # at each seed the full loss stands in three of these grids, and 'last' is 'carried' with one layer
    assert len(keys) == len(members) - shared


def test_another_text_or_another_tower_is_another_variant(run: Run) -> None:
    cell = the(run, "table10/NCE")
    before = variants.key(run, cell, 1)
    with (run.workspace.data / "corpus.txt").open("a") as stream:
        stream.write("one more sentence .\n")
    text = variants.key(run, cell, 1)
    another(run.workspace.model("start"), run.workspace.model("tower_2"), seed=9)
    assert len({before, text, variants.key(run, cell, 1)}) == 3


def test_only_scores_and_facts_stay(run: Run) -> None:
    cell = the(run, "table10/ICTM")
    variants.scores(run, cell, 2)
    (folder,) = (p for p in (run.workspace.root / "variants" / "cells").iterdir() if p.is_dir())
    assert sorted(p.name for p in folder.iterdir()) == ["cls.npz", "facts.json"]
    facts = variants.facts(run, cell, 2)
    assert (
        facts["modulus"] > 0
        and set(facts["energy"]) == set(map(str, readings()))
        and -100 <= facts["development"] <= 100
    )


def test_the_single_encoder_is_scored_under_every_pooling(run: Run, trainings: list[str]) -> None:
    cells = [c for c in variants.cells(run, "table11") if c.system == "simcse"]
    found = {c.pooling: variants.scores(run, c, 1)["news"].similarity for c in cells}
    assert len(cells) == 5 and len(trainings) == 1
    assert len({tuple(s.tolist()) for s in found.values()}) == 5


def test_killed_while_training_it_goes_on_to_the_same_bits(run: Run, trainings: list[str], tmp_path: Path) -> None:
    cell = the(run, "table10/NCE+ICNCE")
    assert killed(lambda: variants.scores(run, cell, 1))
    (folder,) = (run.workspace.root / "variants" / "cells").glob("*.unfinished")
    assert (folder / "last").is_dir() and not variants.place_of(run, cell, 1).exists()
    resumed = variants.scores(run, cell, 1)
    shutil.rmtree(run.workspace.root / "variants")
    whole = variants.scores(run, cell, 1)
    assert all((resumed[task].similarity == whole[task].similarity).all() for task in whole)
    assert not list(run.workspace.root.glob("variants/**/*.unfinished"))


def test_two_processes_that_want_the_same_train_it_once(run: Run, tmp_path: Path, monkeypatch) -> None:
    log, train = tmp_path / "log", train_once.train

    def logged(*arguments, **named):
        with log.open("a") as stream:
            stream.write("once\n")
        return train(*arguments, **named)

    monkeypatch.setattr(train_once, "train", logged)
    cell = the(run, "table10/NCE")
    children = [child(lambda: variants.scores(run, cell, 1)) for _ in range(2)]
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
    assert log.read_text() == "once\n"


def test_a_cell_is_done_by_its_id_and_an_unknown_one_is_a_sentence(run: Run, trainings: list[str]) -> None:
    for _ in range(2):
        one_cell.do(run, "code/base", 2)
    assert trainings == ["code/base, seed 2"] and variants.place_of(run, variants.find(run, "code/base"), 2).is_dir()
    with pytest.raises(UserError, match=r"unknown cell 'table10/NCEE'; did you mean 'table10/NCE'"):
        one_cell.do(run, "table10/NCEE", 1)
    for id, seed, said in (
        ("code/base", None, "give one"),
        ("race/simcse", None, "give one"),
        ("table10/none", 1, "give none"),
    ):
        with pytest.raises(UserError, match=said):
            one_cell.do(run, id, seed)


def test_a_grid_gives_its_metrics_end_to_end(run: Run) -> None:
    measured = effects.measured(run, "table9")
    found = measured.metrics() + claims(measured)
    names = {m.name for m in found}
    assert {"table9/6", "table9/none", "table9/6>table9/none", "claim/C36", "claim/C10"} <= names
    assert {m.seed for m in found if m.name == "table9/6"} == {1, 2, None} and all(m.n == 40 for m in found)


def test_a_missing_tower_is_a_sentence(run: Run) -> None:
    shutil.rmtree(run.workspace.model("tower_1"))
    with pytest.raises(UserError, match="tower_1; make it first"):
        variants.scores(run, the(run, "table10/NCE"), 1)


def test_added_sentences_are_those_of_one_graded_set(run: Run) -> None:
    cell = the(run, "table8/+SICKR/SimCSE")
    lines = train_cell.text(run, cell).read_text(encoding="utf8").splitlines()
    own = (run.workspace.data / "corpus.txt").read_text(encoding="utf8").splitlines()
    pairs = train_cell.graded(run)[1]["captions"]
    assert lines[: len(own)] == own and set(lines[len(own) :]) == {*pairs.first, *pairs.second} - set(own)


# -- towers of a seed ------------------------------------------------------------------------------------------


@pytest.fixture
def own(run: Run) -> Run:
    """The run with towers of stage 1 for each seed."""
    towers = {f"tower_{i}": {"view": view, "learning_rate": 1e-3} for i, view in ((1, "repetition"), (2, "deletion"))}
    changes = {"ablations": {"steps": 4, "own_towers": True, "pair_limit": 10}, "evaluation": {"resamples": 100}}
    changes |= {"stage1": SHORT | towers, "stage2": SHORT | {"learning_rate": 1e-3}, "run": {"precision": "fp32"}}
    return start("x", "embedded", run.workspace.root, **changes)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_tower(folder)[0].state_dict()


def test_cells_of_a_seed_share_its_towers_and_seeds_do_not(own: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, train_tower = [], stages.train_tower
    monkeypatch.setattr(
        stages, "train_tower", lambda r, n: (trained.append((r.settings.run.seed, n)), train_tower(r, n))[1]
    )
    cells = [the(own, id) for id in ("table10/NCE", "table10/none", "table9/none", "towers/II")]
    for cell in cells:
        for seed in (1, 2):
            variants.scores(own, cell, seed)
        for note in own.workspace.root.glob("variants/towers/*/seconds"):
            note.write_text("1000.0")  # as if it had taken so long: no clock of this machine is asked
    assert sorted(trained) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    took = [variants.facts(own, cell, 1)["seconds"]["training"] for cell in cells]
    assert took[3] == 1000 > max(took[:3])  # a tower's own time is told once, where it stands alone
    one, two = (starting_towers.starts(own, cells[0], seed)[0] for seed in (1, 2))
    assert any(not torch.equal(a, b) for a, b in zip(weights(one).values(), weights(two).values(), strict=True))


def test_no_training_is_the_sum_of_the_towers_of_the_seed(own: Run) -> None:
    none, one, two = (the(own, id) for id in ("table10/none", "towers/I", "towers/II"))
    folders = starting_towers.starts(own, none, 1)
    assert folders == [*starting_towers.starts(own, one, 1), *starting_towers.starts(own, two, 1)]
    pairs = train_cell.graded(own)[1]["news"].thinned(10)
    vectors = [
        SumEncoder([TowerEncoder(*load_tower(f)) for f in folders]).encode(side) for side in (pairs.first, pairs.second)
    ]
    np.testing.assert_allclose(variants.scores(own, none, 1)["news"].similarity, cosine(*vectors), atol=1e-6)


def test_keys_of_own_towers_need_no_training(own: Run) -> None:
    keys = [
        variants.key(own, the(own, id), seed) for id in ("table10/none", "towers/I", "towers/II") for seed in (1, 2)
    ]
    assert len(set(keys)) == 6 and not (own.workspace.root / "variants").exists()


def test_a_limit_of_pairs_is_another_variant_on_fewer_pairs(run: Run, own: Run) -> None:
    few, all_pairs = (the(one, "figure6/SimCSE") for one in (own, run))
    assert [len(variants.scores(own, cell, 1)["news"].gold) for cell in (few, all_pairs)] == [10, 20]
    assert variants.key(own, few, 1) != variants.key(own, all_pairs, 1)


def test_what_a_cell_took_is_told_once(run: Run) -> None:
    first, second = effects.measured(run, "table10"), effects.measured(run, "figure6")
    told = [{(m.name, m.seed) for m in grid.metrics() if m.name.startswith("seconds/")} for grid in (first, second)]
    assert ("seconds/table10/NCE+ICNCE+ICTM", 1) in told[0] and not any("figure6/JTCSE" in name for name, _ in told[1])
    assert all(m.value > 0 and m.unit == "s" for m in first.times)


# -- LayerNorms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_just_the_last_layers_lose_their_layer_norms(family: str, count: int) -> None:
    model = tiny.tower(family)
    before = {name for name, module in model.named_modules() if isinstance(module, nn.LayerNorm)}
    gone = remove_layer_norms(model, count)
    after = {name for name, module in model.named_modules() if isinstance(module, nn.LayerNorm)}
    assert before - after == set(gone) and len(gone) == 2 * count
    assert {name.split(".")[2] for name in gone} == {str(layer) for layer in range(6 - count, 6)}
    tokens, mask = tiny.tokens()
    assert torch.isfinite(model(input_ids=tokens, attention_mask=mask).last_hidden_state).all()


def test_more_layers_than_there_are_is_a_sentence() -> None:
    with pytest.raises(UserError, match="7 layers of a tower with 6"):
        remove_layer_norms(tiny.tower(), 7)


def test_the_hidden_modulus_takes_hidden_states_for_pooler_outputs(run: Run) -> None:
    (first, tokenizer), (second, _) = (load_tower(run.workspace.model(f"tower_{i}")) for i in (1, 2))
    texts = standin.sentences(8)
    settings = run.settings.stage2
    plain, hidden = (made(first, second, tokenizer, texts, settings) for made in (JTCSE, HiddenModulus))
    outputs = plain.module(plain.batch(np.arange(8), 0))
    replaced = outputs | {"p_1": outputs["h_1"], "p_2": outputs["h_2"]}
    draw = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    assert hidden.parts(outputs, draw())["ictm"] == plain.parts(replaced, draw())["ictm"]
    assert hidden.parts(outputs, draw())["ictm"] != plain.parts(outputs, draw())["ictm"]


# -- poolings and energies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["cls", "mean", "first_last", "pooler"])
def test_one_pass_gives_what_each_pooling_alone_gives(run: Run, pooling: str) -> None:
    texts = standin.sentences(12)
    towers = [TowerEncoder(*load_tower(run.workspace.model(f"tower_{i}")), pooling=pooling) for i in (1, 2)]
    alone = SumEncoder(towers).encode(texts)
    np.testing.assert_allclose(pooled(towers, texts, ["cls", pooling])[pooling], alone, atol=1e-5)


def test_the_first_reading_is_equation_6_and_a_sum_has_the_mean_of_its_towers(run: Run) -> None:
    towers = [TowerEncoder(*load_tower(run.workspace.model(f"tower_{i}"))) for i in (1, 2)]
    texts = standin.sentences(5)
    one, two, both = (energies(e, texts) for e in (*towers, SumEncoder(towers)))
    assert both == pytest.approx({name: (one[name] + two[name]) / 2 for name in one})
    batch = towers[0].tokenizer(texts, padding=True, return_tensors="pt")
    _, contexts = layer_states(towers[0].model, dict(batch))
    whole = [cls_energy_weight(c.transpose(1, 2).flatten(-2), batch["attention_mask"]) for c in contexts]
    assert one[str(REFERENCE)] == pytest.approx(torch.stack(whole).mean().item())
    assert len(set(map(str, readings()))) == 16 and readings()[0] == REFERENCE


# -- processes -------------------------------------------------------------------------------------------------


def child(action: Callable[[], object]) -> int:
    """Run something in a process of its own; it ends with 0 where that went well."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def killed(action: Callable[[], object]) -> bool:
    """Run something in a process that kills itself when it has written its first checkpoint."""

    def fatal() -> None:
        save = checkpoints.Checkpoints.save

        def once(*arguments, **named) -> None:
            save(*arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        checkpoints.Checkpoints.save = once
        action()

    _, status = os.waitpid(child(fatal), 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def test_grids_of_the_run_are_those_of_its_towers(run: Run) -> None:
    assert variants.cells(run, "table9") == with_beside("table9", run.settings, 4)
