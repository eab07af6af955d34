"""The same numbers whatever the locale, the terminal, the number of threads and cores, the order of directories, the seed of
Python's hashes, the time zone and the home folder are. What stays: last digits of fp32 hang on the instruction set."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jtcse.core.files import ROOT

SCRIPT = '''
import io, json, os, random, sys

if "SHUFFLED" in os.environ:
    listdir, scandir = os.listdir, os.scandir

    class Entries:
        def __init__(self, entries): self.entries = iter(entries)
        def __iter__(self): return self
        def __next__(self): return next(self.entries)
        def __enter__(self): return self
        def __exit__(self, *error): pass
        def close(self): pass

    def shuffled(names):
        random.Random(os.environ["SHUFFLED"]).shuffle(names)
        return names

    def other_scandir(*place):
        with scandir(*place) as found:
            return Entries(shuffled(list(found)))

    os.listdir, os.scandir = lambda *place: shuffled(listdir(*place)), other_scandir

from rich.console import Console
from jtcse.core.config import profiles
from jtcse.core.files import sha256
from jtcse.core.run import start
from jtcse.core.store import content
from jtcse.experiments import stages
from jtcse.systems.settings import systems

short = {"steps": 2, "batch_size": 8, "evaluate_every": 2, "length_groups": 1}
run = start("seven_tasks", "embedded", sys.argv[1], data={"corpus_limit": 300}, pretrain=short, stage1=short,
            encoder={"layers": 2, "width": 16, "heads": 2}, evaluation={"resamples": 100})
stages.prepare_data(run)
stages.starting_encoder(run)
stages.train_tower(run, 1)
record = run.finish(stages.evaluate_all(run, ["start", "tower_1"]).metrics(), {"start": run.workspace.model("start")})
made = record.provenance
print(json.dumps({
    "metrics": [metric.model_dump() for metric in record.metrics], "hashes": made.hashes, "threads": made.threads,
    "settings": record.settings, "names": [profiles(), systems()], "tower": content(run.workspace.model("tower_1")),
    # beside each text lies an index that holds the time of the text's writing
    "data": [sha256(path) for path in sorted(run.workspace.data.rglob("*.[tc]*")) if path.suffix != ".npy"],
    "format": [made.number_format, made.scored_in, made.instructions],
}))
'''


def made(folder: Path, **environment: str) -> dict:
    """What a small run comes to in a process of its own."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), "JTCSE_PRECISION": "auto", **environment}
    words = [sys.executable, "-c", SCRIPT, str(folder / "work")]
    done = subprocess.run(words, env=given, cwd=folder, capture_output=True, encoding="utf8")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_run_is_the_same_whatever_surrounds_it(tmp_path: Path) -> None:
    for name in ("one", "another", "home"):
        (tmp_path / name).mkdir()
    usual = made(tmp_path / "one", OMP_NUM_THREADS="1", PYTHONHASHSEED="0")
    other = made(
        tmp_path / "another", OMP_NUM_THREADS="3", PYTHONHASHSEED="4711", LC_ALL="C", LANG="C", PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0", COLUMNS="40", TERM="dumb", TZ="Pacific/Chatham", SHUFFLED="1",
        HOME=str(tmp_path / "home"), XDG_CACHE_HOME=str(tmp_path / "home"), HF_HOME=str(tmp_path / "home"),
    )  # fmt: skip
    assert {name for name in usual if usual[name] != other[name]} == set()
    assert usual["format"][:2] == ["fp32", "fp32"] and usual["threads"] == 1


@pytest.mark.parametrize("path", sorted((ROOT / "jtcse").rglob("*.py")), ids=lambda path: path.stem)
def test_no_text_is_read_or_written_in_the_encoding_of_the_locale(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Call):
            given = {word.arg for word in node.keywords}
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("read_text", "write_text"):
                assert "encoding" in given, f"{path.name}:{node.lineno} has no encoding"
            if "text" in given and "capture_output" in given:
                assert "encoding" in given, f"{path.name}:{node.lineno} takes output in the encoding of the locale"
