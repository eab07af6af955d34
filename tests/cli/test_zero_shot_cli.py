"""The words of ``jtcse evaluate`` for tasks of mteb: what is refused before anything runs, plans, files, processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import loopback
import pytest
from forked import Done, Forked

ONE, OTHER, THIRD = "BIOSSES", "RomaTalesBitextMining", "SiswatiNewsClassification"
MAKE = """
import sys
from pathlib import Path
import standin, standin_tasks
root, model = map(Path, sys.argv[1:3])
for name in sys.argv[3:]:
    standin_tasks.write_task(name, root, rows=None)
standin.bert(model, layers=2)
standin.senteval_tar(root / "datasets" / "princeton-nlp" / "datasets-for-simcse" / "senteval.tar")
"""
WITHOUT_MTEB = """
import sys
for name in list(sys.modules):
    if name.split(".")[0] == "mteb" or name.startswith("jtcse.evaluation.mteb"):
        del sys.modules[name]
sys.modules["mteb"] = None
from jtcse.cli import main
sys.argv[0] = "jtcse"
main()
"""


@dataclass(frozen=True)
class World:
    """What all tests share."""

    forked: Forked
    model: Path
    silent: list[loopback.Fault]
    """Two tasks whose data never come, while ``times`` is None."""

    def jtcse(self, *words: object, cwd: Path) -> Done:
        return self.forked.run(*words, cwd=cwd)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("zero_shot_cli")
    root, model = folder / "hub", folder / "model"
    root.mkdir()
    silent = [loopback.Fault(name, "silent", 0) for name in ("roma-tales", "SiswatiNews")]
    with loopback.serve(root, silent) as url, Forked(url, folder / "home") as forked:
        made = forked.run("-c", MAKE, root, model, ONE, OTHER, THIRD, cwd=folder)
        assert made.status == 0, made.error
        yield World(forked, model, silent)


def sentence(done: Done) -> str:
    """The one sentence of a call that was refused or failed."""
    assert done.status == 2 and "Traceback" not in done.error, done.error
    [line] = [line for line in done.error.splitlines() if "jtcse: " in line]
    return line


# -- words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--tasks", "Banking77Clasification"],
            ["mteb has no task 'Banking77Clasification'", "Banking77Classification"],
        ),
        (["--tasks", "STS17:en-enn"], ["mteb's task 'STS17' has no subset 'en-enn'", "en-en"]),
        (["--tasks", "table7"], ["'table7'", "did you mean 'table", "table1-right"]),
        (["--tasks", "table2:en"], ["'table2:en' asks for subsets of a list"]),
        (["--tasks", "BIOSSES,,STS17"], ["names no task"]),
        (["--tasks", "sts7-mteb"], ["mteb has no task 'sts7-mteb'"]),
        (["--tasks", "sts7:STS-C"], ["'STS-C'", "did you mean 'STS-B'"]),
        (["--tasks", "sts7", "--plan"], ["--plan is for tasks of mteb", "leave --plan out"]),
        (["--tasks", "sts7:STS12+STS-B", "--plan"], ["--plan is for tasks of mteb"]),
    ],
)
def test_words_that_mean_nothing_are_one_sentence_and_leave_nothing(words, said, world: World, tmp_path: Path) -> None:
    line = sentence(world.jtcse("evaluate", world.model, *words, cwd=tmp_path))
    assert all(one in line for one in said), line
    assert not list(tmp_path.rglob("*.json"))


def test_nobody_to_score_is_said(world: World, tmp_path: Path) -> None:
    line = sentence(world.jtcse("evaluate", "--tasks", ONE, cwd=tmp_path))
    assert "neither a MODEL nor --system" in line
    assert not list(tmp_path.iterdir())


def test_a_limit_of_one_row_is_refused(world: World, tmp_path: Path) -> None:
    done = world.jtcse("evaluate", world.model, "--tasks", ONE, "--limit", 1, cwd=tmp_path)
    assert done.status == 2 and re.search(r"Invalid value for '--limit'.* 2|x>=2", done.error), done.error
    assert not list(tmp_path.iterdir())


def test_help_shows_examples_with_tasks(world: World, tmp_path: Path) -> None:
    done = world.jtcse("evaluate", "--help", cwd=tmp_path)
    assert done.status == 0
    for example in (
        "--tasks table2 --plan",
        "--tasks table1-right,Banking77Classification",
        "--tasks sts7:STS-B+SICK-R",
    ):
        assert example in done.out, example


def test_without_mteb_its_tasks_are_refused_with_the_way_to_it(world: World, tmp_path: Path) -> None:
    line = sentence(world.jtcse("-c", WITHOUT_MTEB, "evaluate", world.model, "--tasks", ONE, cwd=tmp_path))
    assert "mteb, which is not installed" in line and 'pip install -e ".[zero-shot]"' in line
    assert not list(tmp_path.rglob("*.json"))


def test_without_mteb_the_seven_tasks_are_scored(world: World, tmp_path: Path) -> None:
    done = world.jtcse("-c", WITHOUT_MTEB, "evaluate", world.model, "--tasks", "sts7:STS-B", cwd=tmp_path)
    assert done.status == 0, done.error
    [record] = tmp_path.rglob("records/zero_shot_*.json")
    assert json.loads(record.read_text())["metrics"][0]["name"] == "sts7/STSB"


# -- plans and files --------------------------------------------------------------------------------------------


def test_a_plan_tells_what_is_done_and_what_is_to_do_and_scores_nothing(world: World, tmp_path: Path) -> None:
    done = world.jtcse("evaluate", world.model, "--tasks", f"{ONE},{OTHER}", "--plan", "--workdir", "w", cwd=tmp_path)
    assert done.status == 0, done.error
    assert "0 of 2 tasks are done" in done.out and done.out.count("│ to do") == 2
    assert not list(tmp_path.rglob("*.json"))
    assert world.jtcse("evaluate", world.model, "--tasks", ONE, "--workdir", "w", cwd=tmp_path).status == 0
    again = world.jtcse("evaluate", world.model, "--tasks", f"{ONE},{OTHER}", "--plan", "--workdir", "w", cwd=tmp_path)
    assert "1 of 2 tasks are done" in again.out and again.out.count("│ to do") == 1


def test_the_file_has_sts7_with_intervals_and_the_scores_of_tasks_and_the_settings(
    world: World, tmp_path: Path
) -> None:
    words = ("evaluate", world.model, "--pooling", "mean", "--tasks", f"sts7:STS12+STS-B,{ONE}", "--json", "told.json")
    done = world.jtcse(*words, cwd=tmp_path)
    assert done.status == 0, done.error
    told = json.loads((tmp_path / "told.json").read_text())
    scores = told["scores"]
    assert list(scores) == ["STS12", "STS-B", ONE]
    assert told["average"] == pytest.approx((scores["STS12"] + scores["STS-B"]) / 2, abs=1e-3)
    assert all(low < scores[name] < high for name, (low, high) in told["intervals"].items())
    assert told["pairs"].keys() == {"STS12", "STS-B"}
    assert told["settings"] == {
        "pooling": "mean", "models": [str(world.model)], "tasks": f"sts7:STS12+STS-B,{ONE}", "precision": "fp32"
    }  # fmt: skip
    [path] = (tmp_path / "build" / "checkpoints" / "records").iterdir()
    metrics = {one["name"]: one for one in json.loads(path.read_text())["metrics"]}
    assert path.name.startswith("zero_shot_") and metrics.keys() == {
        "sts7/STS12",
        "sts7/STSB",
        f"zero_shot/{ONE}",
        "tasks/done",
    }
    assert metrics["sts7/STS12"]["low"] < metrics["sts7/STS12"]["value"] == pytest.approx(scores["STS12"], abs=1e-3)


# -- several processes ------------------------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in listed.stdout.split()]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def waited(condition: Callable[[], object], seconds: float) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_workers_end_with_the_first_process_and_the_next_call_scores_each_task_once(
    world: World, tmp_path: Path
) -> None:
    tasks = f"{ONE},{OTHER},{THIRD}"
    words = ("evaluate", world.model, "--tasks", tasks, "--jobs", 2, "--workdir", tmp_path / "w", "--json", "told.json")
    for one in world.silent:
        one.times = None
        one.asked.clear()
    first = world.forked.start(*words, cwd=tmp_path)
    assert waited(lambda: children(first), 30)
    [worker] = children(first)
    assert waited(lambda: all(one.asked for one in world.silent), 90), "both are at work"
    assert running(worker)
    os.kill(first, signal.SIGKILL)
    assert world.forked.end(first).status == -signal.SIGKILL
    assert waited(lambda: not running(worker), 10)
    for one in world.silent:
        one.times = 0
    done = world.jtcse(*words, cwd=tmp_path)
    assert done.status == 0, done.error
    assert json.loads((tmp_path / "told.json").read_text())["scores"].keys() == {ONE, OTHER, THIRD}
    [record] = (tmp_path / "w" / "records").iterdir()
    assert {"name": "tasks/done", "value": 3.0, "n": 3}.items() <= json.loads(record.read_text())["metrics"][-1].items()
    assert not [line for line in done.out.splitlines() if ONE in line and "kept from before" not in line]
