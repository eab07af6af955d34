"""The number format: decided by what hardware says, once a workspace, forced by the environment; scores are fp32."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import small_run
import standin
import torch

from jtcse.core import device
from jtcse.core.config import load_settings
from jtcse.core.device import DECISION, decided, decided_once, number_format, products_in
from jtcse.core.errors import UserError
from jtcse.core.run import Run, Workspace, start
from jtcse.encoders.encoder import TowerEncoder
from jtcse.encoders.loading import load_tower
from jtcse.experiments import stages, train_once


@pytest.fixture(autouse=True)
def nothing_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JTCSE_PRECISION", raising=False)


def machine(monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    """Another machine without a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "cpu_flags", lambda: frozenset(flags))


# -- what the hardware says --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "meant"),
    [
        (("avx2", "avx512f", "avx512_bf16"), "bf16"),
        (("amx_tile", "amx_bf16"), "bf16"),
        (("avx2", "avx512f", "avx512_vnni"), "fp32"),
        ((), "fp32"),
    ],
)
def test_flags_decide_and_no_stopwatch(monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], meant: str) -> None:
    machine(monkeypatch, *flags)
    monkeypatch.setattr(time, "perf_counter", lambda: pytest.fail("the clock was asked"))
    assert decided("auto") == meant
    assert number_format("auto") == number_format(meant)
    assert (decided("fp32"), decided("bf16")) == ("fp32", "bf16")


@pytest.mark.parametrize(("word", "meant"), [(True, "bf16"), (False, "fp32")])
def test_a_gpu_speaks_for_itself(monkeypatch: pytest.MonkeyPatch, word: bool, meant: str) -> None:
    machine(monkeypatch, "amx_bf16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: word and not including_emulation)
    assert decided("auto") == meant


# -- what the environment says -----------------------------------------------------------------------------------


def test_the_environment_stands_above_the_profile_and_below_what_is_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    assert load_settings("embedded").run.precision == "fp32"
    monkeypatch.setenv("JTCSE_PRECISION", "bf16")
    assert load_settings("embedded").run.precision == load_settings("mini").run.precision == decided("auto") == "bf16"
    assert load_settings("embedded", {"run.precision": "fp32"}).run.precision == decided("fp32") == "fp32"
    assert load_settings("embedded", as_filed=True).run.precision == "fp32"
    for nothing in ("auto", ""):
        monkeypatch.setenv("JTCSE_PRECISION", nothing)
        assert load_settings("embedded").run.precision == decided("auto") == "fp32"
        assert load_settings("mini").run.precision == "auto"


@pytest.mark.parametrize("word", ["fp16", "BF16", "1"])
def test_another_word_in_the_environment_is_one_sentence(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("JTCSE_PRECISION", word)
    with pytest.raises(UserError, match=f"JTCSE_PRECISION is '{word}'.*expected auto, fp32 or bf16"):
        load_settings("embedded")


# -- once a workspace --------------------------------------------------------------------------------------------


def test_the_first_decision_holds_for_the_workspace_on_any_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, "amx_bf16")
    assert start("data", "mini", tmp_path).settings.run.precision == "bf16"
    written = (tmp_path / DECISION).read_bytes()
    assert "amx_bf16" in json.loads(written)["instructions"]
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    machine(monkeypatch)
    record = start("stage1", "mini", moved).finish([])
    assert record.settings["run"]["precision"] == record.provenance.number_format == "bf16"
    assert record.provenance.scored_in == "fp32" and "flags not told" in record.provenance.instructions
    assert (moved / DECISION).read_bytes() == written
    assert start("stage1", "mini", tmp_path / "other").settings.run.precision == "fp32"
    monkeypatch.setenv("JTCSE_PRECISION", "fp32")
    assert start("stage1", "mini", moved).settings.run.precision == "fp32", "an operator may force it"


def test_of_two_that_decide_at_once_the_first_is_right(tmp_path: Path) -> None:
    for word in ("bf16", "fp32"):
        device._write_first(tmp_path / DECISION, {"precision": word})
        assert decided_once("auto", tmp_path) == "bf16"
    assert [path.name for path in (tmp_path / DECISION).parent.iterdir()] == [DECISION.name]


def test_what_is_pinned_or_has_no_folder_leaves_no_decision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, "amx_bf16")
    assert decided_once("fp32", tmp_path) == "fp32" and decided_once("auto", tmp_path / "nowhere") == "bf16"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"precision": "fp8"}'])
def test_a_broken_decision_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / DECISION).write_text(text)
    with pytest.raises(UserError, match=r"precision\.json .*delete it, and the number format is decided anew"):
        start("data", "mini", tmp_path)


# -- scores ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory):
    model, tokenizer = load_tower(standin.bert(tmp_path_factory.mktemp("tower") / "m", layers=2, width=32, heads=2))
    small_run.shake(model, seed=1)
    return model, tokenizer


def test_scores_are_fp32_whatever_was_trained_in_and_whatever_a_caller_allows(tower) -> None:
    texts = standin.sentences(20, seed=1)
    exact = TowerEncoder(*tower).encode(texts)
    assert np.array_equal(exact, TowerEncoder(*tower, precision="fp32").encode(texts))
    assert not np.array_equal(exact, TowerEncoder(*tower, precision="bf16").encode(texts))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")  # TF32 on a GPU, bf16 on a CPU that has it
    try:
        assert np.array_equal(exact, TowerEncoder(*tower).encode(texts))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert np.array_equal(exact, TowerEncoder(*tower).encode(texts))
        with products_in("fp32", torch.device("cpu")):
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_run_that_trains_in_bf16_selects_and_scores_in_fp32(tower, tmp_path: Path) -> None:
    run = Run("x", "embedded", load_settings("embedded", {"run.precision": "bf16"}), Workspace(tmp_path))
    assert run.settings.run.precision == "bf16" and train_once.tower_encoder(run, *tower).precision == "fp32"
    TowerEncoder(*tower).save(run.workspace.model("start"))
    assert stages.open_system(run, "start").precision == "fp32"
    assert load_tower(run.workspace.model("start"))[0].dtype == torch.float32
