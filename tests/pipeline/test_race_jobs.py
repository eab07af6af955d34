"""The race's cells as jobs of Snakemake: their order, what fails, what a kill leaves, the record, and the pipeline around it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zoo
from rich.console import Console
from tiny_checkout import BODIES, make, write_notebook

from jtcse.core.errors import UserError
from jtcse.core.record import read_record
from jtcse.core.run import Run
from jtcse.evaluation.sts import average
from jtcse.experiments.race import cells
from jtcse.experiments.race.cells import Cell
from jtcse.experiments.trained_systems import TUNING_SEED
from jtcse.pipeline import race, reproduce
from jtcse.pipeline.snakemake import cell_log, cell_marker, locked

pytest.importorskip("snakemake", reason="the extra 'book' is not installed")

TUNED = {"race.rates": [1e-3, 2e-3], "race.seeds": [1]}
TESTS = Path(__file__).parents[1]

NO_WORK = """
import sys
from pathlib import Path

file, id, seed = sys.argv[1:]
with Path("order.txt").open("a") as stream:
    stream.write(f"{id}/{seed}\\n")
if id == "race/teacher":
    sys.exit("something\\nthe last word")
if id == "race/lost":
    import os
    import signal

    print("it was here", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def race_on(run: Run, systems: list[str], jobs: int = 2, **more: bool) -> str:
    """Race, and return what was said."""
    console = Console(file=io.StringIO(), width=200)
    try:
        race.run_race(run, systems, jobs, console, **more)
    finally:
        said = console.file.getvalue()
        print(said)
    return said


def pretend(monkeypatch: pytest.MonkeyPatch, folder: Path, needs: dict[str, list[str]]) -> Run:
    """A race of made-up systems, whose cells take no time and are done when their marker is there."""
    checkout = make(folder / "checkout")
    (checkout / "jtcse" / "experiments" / "one_cell.py").write_text(NO_WORK)
    run = zoo.a_run(folder / "work", {"race.seeds": [1, 2]})
    monkeypatch.setattr(race, "checkout", lambda: checkout)
    monkeypatch.setattr(race, "chosen", lambda run, systems: (list(needs), {}))
    monkeypatch.setattr(race, "cells_of", lambda run, names, seeds: [Cell(one, at) for one in names for at in seeds])
    monkeypatch.setattr(race, "waits_for", lambda run, cell: [Cell(one, cell.seed) for one in needs[cell.system]])
    monkeypatch.setattr(race, "is_done", lambda run, cell: (folder / "work" / cell_marker(race._step(cell))).is_file())
    monkeypatch.setattr(race, "seconds", lambda run, cell: 60.0)
    return run


def begun(run: Run) -> list[str]:
    """Systems of the cells in the order in which they began."""
    return [line.split("/")[1] for line in (run.workspace.root / "order.txt").read_text().splitlines()]


def test_cells_wait_for_what_they_need_and_a_failure_stops_only_those(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys
) -> None:
    needs = {"teacher": [], "lost": [], "student": ["teacher"], "grandchild": ["student"], "other": []}
    run = pretend(monkeypatch, tmp_path, needs)
    with pytest.raises(UserError, match=r"4 of 10 cells failed .*teacher, seed 1.*; 4 more need them; the first: "):
        race_on(run, [])
    assert sorted(begun(run)) == sorted(["teacher", "lost", "other"] * 2)
    said = capsys.readouterr().out
    for system, reason in {
        "teacher": "the last word",
        "lost": "it was ended from outside, or ran out of memory; it last said: it was here",
    }.items():
        log = run.workspace.root / cell_log(f"race/{system}/2")
        assert f"{system}, seed 2 failed: {reason}; its log is {log}\n" in said and log.is_file()
    assert "race/other/1" in said, "progress"
    (tmp_path / "checkout" / "jtcse" / "experiments" / "one_cell.py").write_text(NO_WORK.replace("race/", "no/"))
    assert "2 of 10 cells are done; doing 8, 2 at a time." in race_on(run, [])


def test_cells_that_need_nothing_that_failed_are_all_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = pretend(monkeypatch, tmp_path, {"mentor": [], "other": ["mentor"], "student": ["mentor", "other"]})
    race_on(run, [], 1)
    found = begun(run)
    assert len(found) == 6 and {*found[:1], *found[-1:]} == {"mentor", "student"}


def test_only_one_race_runs_in_a_workspace(tmp_path: Path) -> None:
    run = zoo.a_run(tmp_path)
    with locked(tmp_path / "race", "jtcse race"), pytest.raises(UserError, match="another 'jtcse race' is at work in"):
        race_on(run, ["simcse"])


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_killed_race_leaves_nothing_running_and_the_next_one_goes_on(tmp_path: Path) -> None:
    program = (
        f"import zoo\nfrom pathlib import Path\nfrom rich.console import Console\nfrom jtcse.pipeline.race import run_race\n"
        f"run_race(zoo.a_run(Path({str(tmp_path)!r}), {{'race.steps': 100_000}}), ['simcse'], 1, Console())"
    )
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    run = zoo.a_run(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.DEVNULL
    )
    wait(lambda: list(tmp_path.glob("systems/simcse/*.unfinished")))
    with pytest.raises(UserError, match="another 'jtcse race' is at work in"):
        race_on(run, ["simcse"])
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait(lambda: not processes(tmp_path))
    assert not (tmp_path / cell_marker("race/simcse/1")).exists()
    wait(lambda: goes_on(run))
    assert (tmp_path / cell_marker("race/simcse/1")).is_file() and cells.is_done(run, Cell("simcse", 1))


def goes_on(run) -> bool:
    """Race, unless the system has not yet taken the lock back from a process that is dying."""
    try:
        race_on(run, ["simcse"])
    except UserError as error:
        assert "is at work in" in str(error)
        return False
    return True


def wait(ready, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def processes(folder: Path) -> list[str]:
    """What runs and has this folder among its words or as its own."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_text() if process.name.isdigit() else ""
            if str(folder) in words or (words and os.readlink(process / "cwd") == str(folder)):
                found.append(words)
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory):
    """A small race of two systems, one without training, in real processes."""
    run = zoo.a_run(tmp_path_factory.mktemp("race"), TUNED)
    run.name = "race"
    race_on(run, ["vanilla"])
    return run


def test_a_race_leaves_its_record_of_all_cells(raced) -> None:
    made = read_record(raced.workspace.records / "race.json")
    assert made.run == "race" and made.metric("race/vanilla/steps").value == 0
    assert made.metric("race/simcse/steps").value == 4
    done = [Cell("simcse", TUNING_SEED), Cell("simcse", 1), Cell("vanilla", 1)]
    assert made.provenance.seconds == pytest.approx(sum(cells.seconds(raced, cell) for cell in done), abs=0.1)
    best = {rate: cells.story(place).best_score for rate, place in cells._tries(raced, "simcse").items()}
    assert made.metric("race/simcse/rate").value == max(best, key=best.__getitem__)
    found = cells.result(raced, done[1])
    assert made.metric("race/simcse/average").value == pytest.approx(average(found.scores).points)


def test_a_second_call_trains_nothing_and_another_seed_only_itself(raced, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (raced.workspace.records / "race.json").read_text()
    monkeypatch.setattr(race, "watch", lambda *given: pytest.fail("something was done"))
    race_on(raced, ["vanilla"])
    metrics = [json.loads(text)["metrics"] for text in (before, (raced.workspace.records / "race.json").read_text())]
    assert metrics[0] == metrics[1]
    more = zoo.a_run(raced.workspace.root, {**TUNED, "race.seeds": [1, 2]})
    todo = [cell for cell in cells.cells_of(more, ["simcse"], [1, 2]) if not cells.is_done(more, cell)]
    assert todo == [Cell("simcse", 2)]
    other = zoo.a_run(raced.workspace.root, {**TUNED, "evaluation.tasks": ["news"]})
    assert not cells.is_done(other, Cell("simcse", 1)) and cells.is_done(other, Cell("simcse", TUNING_SEED))


def test_the_plan_says_what_is_done_and_what_remains(raced) -> None:
    more = zoo.a_run(raced.workspace.root, {**TUNED, "race.seeds": [1, 3]})
    said = race_on(more, ["vanilla"], 1, only_plan=True)
    assert "3 of 5 cells are done, 2 remain; under a minute, 1 at a time" in said and "seed 3" in said


# -- bad input, and the pipeline -------------------------------------------------------------------------------


def test_a_cell_that_fails_is_told_with_its_last_line(tmp_path: Path) -> None:
    run = zoo.a_run(tmp_path, {"race.max_length": 100})
    with pytest.raises(UserError, match=r"1 of 1 cells failed \(simcse, seed 1\).*takes at most 64 tokens"):
        race_on(run, ["simcse"], 1)
    assert not (run.workspace.records / "race.json").exists()


def test_full_reproduction_races_between_encoder_and_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "checkout")
    write_notebook(folder, "aside", "import jtcse.paper.ledger.all_records\n" + BODIES["aside"])
    build, seen = folder / "build" / "embedded", []

    def no_race(run, systems, jobs, console) -> None:
        seen.append(sorted(path.stem for path in (build / "executed").glob("*.ipynb")))
        (build / "records" / "race.json").write_text("{}")

    def would_run() -> str:
        console = Console(file=io.StringIO(), width=160)
        reproduce.reproduce(jobs=2, dry_run=True, full=True, console=console)
        return console.file.getvalue()

    monkeypatch.setattr(reproduce, "checkout", lambda: folder)
    monkeypatch.setattr(reproduce, "BEFORE_RACE", "first")
    monkeypatch.setattr(race, "run_race", no_race)
    assert "Once 'first' is done, the race: " in would_run() and not seen, "a dry run runs nothing"
    reproduce.reproduce(jobs=2, full=True, only=["aside"], console=Console(file=io.StringIO()))
    assert seen == [["first"]], "text and encoder are there, and no more"
    said = [line.split()[0] for line in would_run().splitlines() if line.startswith("  ")]
    assert said == ["second", "book"], "what was asked for was run"
    (build / "records" / "race.json").write_text("{ }")
    said = [line.split()[0] for line in would_run().splitlines() if line.startswith("  ")]
    assert said == ["second", "aside", "book"], "pages that read records are made anew after a race"
