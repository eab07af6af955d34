"""The trainer on tiny towers: repeatable, resumable, shared over processes, careful with what it keeps."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_run
import standin
import torch
import two_processes
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from jtcse.core.errors import UserError
from jtcse.training import checkpoints, trainer

HERE = Path(__file__).parents[1]
NAMES = tuple(small_run.SECTIONS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a stand-in BERT of two layers, 32 wide."""
    return standin.bert(tmp_path_factory.mktemp("model") / "bert", layers=2)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two sets of weights are equal to the last bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def trained(name: str, model: Path, folder: Path, *, looks: bool = True, **more) -> dict[str, Tensor]:
    """The weights after a small run."""
    made = small_run.objective(name, model)
    select = (lambda: small_run.score(made.module)) if looks else None
    small_run.run(made, folder, **{"select": select} | more)
    return small_run.weights(made.module)


def counted(made) -> list[int]:
    """A list that will hold one number for each batch that is made."""
    calls, batch = [], made.batch
    made.batch = lambda rows, seed: calls.append(len(rows)) or batch(rows, seed)
    return calls


def program(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python with the checkout's package and these helpers importable."""
    settings = os.environ | {"PYTHONPATH": os.pathsep.join((str(HERE.parent), str(HERE)))}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, env=settings, cwd=HERE, capture_output=True, text=True, timeout=300)


# -- repeatable ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_every_bit(name: str, model: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = trained(name, model, tmp_path / "a")
    torch.manual_seed(2)  # the global state has no say
    torch.rand(7)
    assert same(first, trained(name, model, tmp_path / "b"))
    assert not same(first, trained(name, model, tmp_path / "c", seed=4))


@pytest.mark.parametrize("name", NAMES)
def test_training_lowers_the_loss(name: str, model: Path, tmp_path: Path) -> None:
    made = small_run.objective(name, model, steps=20, evaluate_every=20)
    losses = small_run.run(made, tmp_path, rate=3e-3).frame()["loss"]
    assert losses[-6:].mean() < 0.97 * losses[:6].mean()


def test_every_step_of_every_run_draws_dropout_masks_of_its_own(model: Path, tmp_path: Path) -> None:
    def seeds(seed: int) -> list[int]:
        made, seen = small_run.objective("simcse", model), []
        parts = made.parts
        made.parts = lambda outputs, draw: seen.append(torch.initial_seed()) or parts(outputs, draw)
        small_run.run(made, tmp_path / f"{len(list(tmp_path.iterdir()))}", seed=seed)
        return seen

    first = seeds(1)
    assert first == seeds(1)
    assert len(set(first + seeds(2))) == 12


def test_an_epoch_meets_every_sentence_once_in_an_order_of_its_own() -> None:
    steps = [trainer._rows(21, 5, step, seed=1) for step in range(1, 9)]
    epochs = [np.concatenate(steps[:4]), np.concatenate(steps[4:])]
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert not np.array_equal(*epochs)
    assert np.array_equal(trainer._rows(21, 5, 6, seed=1), steps[5])


def test_null_steps_are_one_pass(model: Path, tmp_path: Path) -> None:
    made = small_run.objective("simcse", model, steps=None, batch_size=7)
    history = small_run.run(made, tmp_path)
    assert history.rows[-1]["step"] == len(small_run.corpus()) // 7 == 8


def test_length_groups_change_no_loss(model: Path, tmp_path: Path) -> None:
    for name in ("simcse", "jtcse", "distillation"):
        runs = []
        for groups in (1, 3):
            made = small_run.objective(name, model, dropout=0.0, length_groups=groups, steps=3)
            runs.append(small_run.run(made, tmp_path / f"{name}_{groups}", rate=1e-4).frame().drop(columns="step"))
        assert all(np.allclose(runs[0], other, atol=1e-5) for other in runs[1:])


# -- rates ---------------------------------------------------------------------------------------------------


def rates(model: Path, folder: Path, **changes) -> list[float]:
    """The learning rate of every update, as the optimiser saw it."""
    seen: list[float] = []
    hook = register_optimizer_step_pre_hook(lambda optimiser, *_: seen.append(optimiser.param_groups[0]["lr"]))
    small_run.run(small_run.objective("simcse", model, **changes), folder, rate=0.01)
    hook.remove()
    return seen


def test_schedules(model: Path, tmp_path: Path) -> None:
    assert rates(model, tmp_path / "a") == pytest.approx([0.01] * 6)
    linear = rates(model, tmp_path / "b", schedule="linear")
    assert linear == pytest.approx([0.01 * left / 6 for left in (6, 5, 4, 3, 2, 1)])  # the next would be 0
    assert rates(model, tmp_path / "c", warmup=4) == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01, 0.01])
    both = rates(model, tmp_path / "d", schedule="linear", warmup=2)
    assert both == pytest.approx([0.01 * left / 6 * min(1, step / 2) for step, left in enumerate(range(6, 0, -1), 1)])


# -- what is kept --------------------------------------------------------------------------------------------


def scripted(made, scores: list[float]) -> tuple[Callable[[], float], list[dict[str, Tensor]]]:
    """A development score that is told beforehand, and the weights at each look."""
    left, seen = list(scores), []

    def select() -> float:
        seen.append(small_run.weights(made.module))
        return left.pop(0)

    return select, seen


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([99.0, 10.0, 30.0, 20.0], 2),
        ([0.0, 30.0, 20.0, 10.0], 1),
        ([0.0, 10.0, 20.0, 30.0], 3),
        ([0.0, -3.0, -2.0, -2.0], 2),  # of equals the first
        ([0.0, float("nan"), 20.0, 10.0], 2),
        ([0.0, 20.0, float("nan"), 10.0], 1),
    ],
)
def test_the_best_look_is_kept(scores: list[float], best: int, model: Path, tmp_path: Path) -> None:
    """The look before the first step only goes into the history: what is trained is what is kept."""
    made = small_run.objective("simcse", model)
    select, seen = scripted(made, scores)
    history = small_run.run(made, tmp_path, select=select)
    assert same(small_run.weights(made.module), seen[best])
    assert (history.best_step, history.best_score) == (2 * best, scores[best])
    dev = history.frame().set_index("step")["dev"].dropna().to_dict()
    assert dev == {2 * look: score for look, score in enumerate(scores) if score == score}
    assert not made.module.training


def test_without_a_score_the_last_weights_are_kept(model: Path, tmp_path: Path) -> None:
    made = small_run.objective("simcse", model)
    history = small_run.run(made, tmp_path)
    assert history.best_step == 6 and "dev" not in history.frame()
    longer = small_run.objective("simcse", model, steps=8, evaluate_every=3)
    small_run.run(longer, tmp_path / "longer")
    assert not same(small_run.weights(made.module), small_run.weights(longer.module))


def test_history_names_every_part(model: Path, tmp_path: Path) -> None:
    made = small_run.objective("jtcse", model)
    rows = small_run.run(made, tmp_path, select=lambda: 1.0).rows
    parts = ("infonce_1", "infonce_2", "icnce_hidden", "icnce_cross", "ictm")
    assert [row["step"] for row in rows] == list(range(7))
    for row in rows[1:]:
        assert row["loss"] == pytest.approx(sum(row[part] for part in parts), rel=1e-6)


# -- going on ------------------------------------------------------------------------------------------------


def test_a_finished_run_is_not_repeated(model: Path, tmp_path: Path) -> None:
    first = trained("simcse", model, tmp_path)
    made = small_run.objective("simcse", model)
    calls = counted(made)
    history = small_run.run(made, tmp_path, select=lambda: pytest.fail("looked again"))
    assert calls == [] and same(small_run.weights(made.module), first)
    assert [row["step"] for row in history.rows] == list(range(7))


@pytest.mark.parametrize("change", [{"seed": 9}, {"rate": 2e-3}, {"fingerprint": "another corpus"}])
def test_another_run_does_not_go_on_from_this_ones_checkpoint(change: dict, model: Path, tmp_path: Path) -> None:
    trained("simcse", model, tmp_path)
    made = small_run.objective("simcse", model)
    calls = counted(made)
    small_run.run(made, tmp_path, select=lambda: 1.0, **change)
    assert len(calls) == 6


MOMENTS = {
    "look_2": 6,  # in the look after step 2, before the first checkpoint
    "batch_4": 4,  # between checkpoints, after that of step 2
    "last_2": 4,  # between 'best' and 'last' of the checkpoint of step 4
}
"""Moments of the kill, and how many of the six batches are then still to come."""


@pytest.fixture(scope="module")
def killed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of runs that SIGKILL ended at the moments of their names (see ``killed.py``)."""
    out = tmp_path_factory.mktemp("killed")
    ended = program("killed.py", model, out, *MOMENTS)
    assert ended.returncode == 0, ended.stderr
    return out


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_kill_9_it_goes_on_to_the_same_bits(moment: str, killed: Path, model: Path, tmp_path: Path) -> None:
    whole = small_run.objective("jtcse", model)
    expected = small_run.run(whole, tmp_path, select=lambda: small_run.score(whole.module))
    made = small_run.objective("jtcse", model)
    calls = counted(made)
    history = small_run.run(made, killed / moment, select=lambda: small_run.score(made.module))
    assert same(small_run.weights(made.module), small_run.weights(whole.module))
    assert history == expected
    assert len(calls) == MOMENTS[moment]


def test_a_checkpoint_cut_in_half_is_started_over(model: Path, tmp_path: Path) -> None:
    first = trained("simcse", model, tmp_path)
    for name in ("state.safetensors", "state.json"):
        path = tmp_path / "last" / name
        path.write_bytes(path.read_bytes()[:100])
        assert same(trained("simcse", model, tmp_path), first)


# -- what goes wrong -----------------------------------------------------------------------------------------


def poisoned(made, step: int, poison: Callable[[Tensor], Tensor]) -> list[list[list[str]]]:
    """Spoil the loss of one step; returns a list that gets every batch's texts."""
    texts, parts, batch = [], made.parts, made.batch

    def noted(rows: np.ndarray, seed: int):
        made_batch = batch(rows, seed)
        texts.append(made_batch.texts)
        return made_batch

    def spoilt(outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        named = parts(outputs, draw)
        return {key: poison(part) for key, part in named.items()} if len(texts) == step else named

    made.batch, made.parts = noted, spoilt
    return texts


@pytest.mark.parametrize(
    "poison",
    [lambda loss: loss * float("nan"), lambda loss: loss / 0, lambda loss: loss + (loss - loss).sqrt()],
    ids=["NaN", "infinite", "gradient alone"],
)
def test_a_gradient_that_is_not_finite_stops_with_the_batch_saved(
    poison: Callable, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = small_run.objective("simcse", model)
    texts = poisoned(made, 4, poison)
    with pytest.raises(UserError, match=r"gradient of step 4 is not finite.*failed_batch\.json"):
        small_run.run(made, tmp_path)
    saved = json.loads((tmp_path / "failed_batch.json").read_text())
    assert (saved["step"], saved["texts"]) == (4, texts[3])
    assert all(torch.isfinite(weight).all() for weight in made.module.parameters())
    # the checkpoint of step 2 stays, and a mended run goes on from it
    again = small_run.objective("simcse", model)
    calls = counted(again)
    small_run.run(again, tmp_path)
    assert len(calls) == 4
    assert same(small_run.weights(again.module), trained("simcse", model, tmp_path / "whole", looks=False))


def test_a_corpus_smaller_than_a_batch_is_refused(model: Path, tmp_path: Path) -> None:
    made = small_run.objective("simcse", model, small_run.corpus(7))
    with pytest.raises(UserError, match="7 sentences, fewer than one batch of 8"):
        small_run.run(made, tmp_path)
    assert not list(tmp_path.iterdir())


FULL = {
    "system": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "safetensors": lambda: SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
}


@pytest.mark.parametrize(("kind", "call"), [("system", 3), ("safetensors", 4)], ids=["best", "last"])
def test_a_full_disk_leaves_the_last_checkpoint(
    kind: str, call: int, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, save_file = 0, checkpoints.save_file

    def full(tensors: dict[str, Tensor], path: Path) -> None:
        nonlocal count
        count += 1
        if count == call:
            path.write_bytes(b"half of it")
            raise FULL[kind]()
        save_file(tensors, path)

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(UserError, match="no room left to write"):
        trained("simcse", model, tmp_path)
    monkeypatch.undo()
    assert {path.name for path in tmp_path.iterdir()} == {"best", "last"}
    made = small_run.objective("simcse", model)
    calls = counted(made)
    small_run.run(made, tmp_path, select=lambda: small_run.score(made.module))
    assert len(calls) == 4
    assert same(small_run.weights(made.module), trained("simcse", model, tmp_path / "whole"))


# -- several processes ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_two(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes with 32 sentences each wrote down (see ``two_processes.py``)."""
    out = tmp_path_factory.mktemp("two")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    ended = program(*launcher, "two_processes.py", model, out)
    assert ended.returncode == 0, ended.stderr
    return out


@pytest.mark.skipif(torch.cuda.is_available(), reason="two processes on one GPU; by gloo on CPUs alone")
@pytest.mark.parametrize("case", two_processes.CASES)
def test_two_processes_of_32_train_as_one_of_64(case: str, by_two: Path, model: Path, tmp_path: Path) -> None:
    """Losses, gradients and weights; a key's bias has no gradient but rounding, of which Adam makes steps."""
    one = two_processes.trace(model, tmp_path, case)
    for rank in (0, 1):
        two = load_file(by_two / f"{case} {rank}.safetensors")
        assert two.keys() == one.keys()
        for key in one:
            if not (key.startswith("weight") and key.endswith("key.bias")):
                assert torch.allclose(two[key], one[key], atol=1e-5, rtol=0), key
    largest = max(value.abs().max() for key, value in one.items() if key.startswith("gradient"))
    assert largest > 1000 * 1e-5  # or the comparison would say nothing


@pytest.mark.skipif(torch.cuda.is_available(), reason="two processes on one GPU; by gloo on CPUs alone")
def test_a_batch_that_cannot_be_shared_out_is_refused(by_two: Path) -> None:
    for rank in (0, 1):
        assert (by_two / f"odd {rank}.txt").read_text().startswith("a batch of 7 cannot be split over 2 processes")


def test_one_process_gathers_nothing() -> None:
    rows = torch.ones(2, 3, 4)
    assert trainer.gather(rows) is rows
