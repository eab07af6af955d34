"""That nothing is to be done is recognised without Snakemake, and only where Snakemake would say so too."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_checkout import call, environment, make

from jtcse.pipeline import unchanged
from jtcse.pipeline.unchanged import State


@pytest.fixture
def state_of(tmp_path: Path):
    """A function that takes the state of a few files of a checkout now."""
    build = tmp_path / "build" / "mini"
    for name in (
        "jtcse/pages/a.py",
        "notebooks/a.ipynb",
        "workflow/Snakefile",
        "book/a.md",
        "results/mini/a.json",
        "_config.yml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    for name in ("settings/a.yaml", "executed/a.ipynb", "records/a.json", "records/race.json", "book.json"):
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_text("x")
    return lambda *aims: State(tmp_path, build, aims or ["book"])


def test_only_what_was_kept_is_recognised(state_of, tmp_path: Path) -> None:
    assert not state_of().recognised()
    state_of("a", "b").keep()
    assert state_of("a", "b").recognised() and not state_of("a").recognised() and not state_of().recognised()
    state_of().keep()
    assert state_of("a").recognised(), "whoever has all has a part"
    (tmp_path / "build" / "mini" / "up_to_date.json").write_text("{")
    assert not state_of().recognised()


@pytest.mark.parametrize(
    "name",
    ["jtcse/pages/a.py", "notebooks/a.ipynb", "workflow/Snakefile", "book/a.md", "results/mini/a.json", "_config.yml"]
    + [
        f"build/mini/{name}"
        for name in ("settings/a.yaml", "executed/a.ipynb", "records/a.json", "records/race.json", "book.json")
    ],
)
def test_whatever_is_edited_added_or_lost_is_left_for_snakemake(state_of, tmp_path: Path, name: str) -> None:
    for change in (lambda path: path.write_text("xy"), Path.unlink):
        state_of().keep()
        assert state_of().recognised()
        change(tmp_path / name)
        assert not state_of().recognised()
    (tmp_path / name).with_name("new.json").touch()
    state_of().keep()
    (tmp_path / name).with_name("newer.json").touch()
    assert state_of().recognised() == (Path(name).name in ("_config.yml", "book.json")), (
        "files of a folder, and single ones"
    )


def test_what_was_edited_during_a_run_is_not_kept(state_of, tmp_path: Path) -> None:
    before = state_of()
    (tmp_path / "jtcse" / "pages" / "a.py").write_text("edited")
    before.keep()
    assert not state_of().recognised()
    (tmp_path / "build" / "mini" / "executed" / "a.ipynb").write_text("made by the run")
    state = state_of()
    state.keep()
    assert state_of().recognised()


def test_a_second_run_starts_no_snakemake_and_every_input_of_the_workflow_is_watched(tmp_path: Path) -> None:
    pytest.importorskip("snakemake", reason="the extra 'book' is not installed")
    folder = make(tmp_path / "checkout")
    assert call(folder, "reproduce(jobs=2)").returncode == 0
    hidden = 'sys.modules["subprocess"].run = None; reproduce(jobs=2)'
    done = call(folder, hidden)
    assert done.returncode == 0 and "Nothing to do" in done.stdout, done.stderr
    words = [
        "-m",
        "snakemake",
        "-s",
        "workflow/Snakefile",
        "--config",
        "profile=embedded",
        "-c",
        "1",
        "--detailed-summary",
        "book",
    ]
    told = subprocess.run([sys.executable, *words], cwd=folder, env=environment(folder), capture_output=True, text=True)
    rows = list(csv.DictReader(told.stdout.splitlines(), delimiter="\t"))
    inputs = {path for row in rows for path in row["input-file(s)"].split(",")}
    assert len(rows) > 3 and any(path.endswith("tiny_a.py") for path in inputs), told.stderr
    build = folder / "build" / "embedded"
    watched = [path for name in unchanged.WRITTEN for path in folder.glob(name)] + [
        build / name for name in unchanged.MADE
    ]
    watched = {file for path in [*watched, *unchanged._given(build)] for file, _ in unchanged._files(path)}
    assert {path for path in inputs if str(folder / path) not in watched} == set()
