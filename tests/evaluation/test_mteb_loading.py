"""Tasks load whole or not at all: what may pass is tried again, what will not is named at once, and spoilt files do not stay.

The tasks are mteb's own, their data are made up (``standin_tasks.py``) in the numbers that mteb counts, the hub is on the
loopback address and fails as ``loopback.Fault`` says. One process loads everything: with the hub, then what that left behind once
the hub is dead, and once the user has switched it off.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import huggingface_hub
import loopback
import pytest
import standin_tasks

from jtcse.evaluation.mteb import downloads

PROGRAM = """
import contextlib, json, os, shutil, sys, time
waited = []
time.sleep = waited.append
import huggingface_hub
import mteb
huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE = 4096  # of 10 MB: what holds for large files shows on small ones
from jtcse.core.errors import UserError
from jtcse.evaluation.mteb import downloads, loading
def answer(name, case):
    found = []
    for number in range(case["loads"]):
        task = mteb.get_task(name, hf_subsets=case["subsets"])
        task.metadata = task.metadata.model_copy(deep=True)
        task.metadata.dataset.update(case["dataset"])
        waited.clear()
        if number and case["mended"]:
            shutil.copy(*case["mended"])
        try:
            notes = loading.load(task, limit=case["limit"], tries=case["tries"], pause=1000.0)
            split = task.eval_splits[0]
            data = task.dataset.get("default", task.dataset).get(split)
            kept = {key: len(one) for key, one in data.items() if one} if isinstance(data, dict) else data and len(data)
            found.append({"kind": None, "words": notes, "kept": kept})
        except UserError as error:
            found.append({"kind": getattr(error, "kind", "user"), "words": str(error), "kept": task.dataset})
        found[-1]["waited"] = [one for one in waited if one >= 1000]
    gigabytes, missing = loading.availability(task)
    found.append({"gigabytes": gigabytes, "kind": missing and missing.kind})
    return found
for line in sys.stdin:
    cases, off = json.loads(line)
    with downloads.offline() if off else contextlib.nullcontext():
        print("ANSWERS", json.dumps({name: answer(name, case) for name, case in cases.items()}), flush=True)
os._exit(0)  # taking so many modules apart takes seconds
"""


@dataclass
class Case:
    """A task, what goes wrong on the way to it, and how it is loaded."""

    faults: list[loopback.Fault] = field(default_factory=list)
    rows: int | None = None
    subsets: list[str] | None = None
    loads: int = 1
    tries: int = 3
    limit: int | None = None
    mended: list[str] | None = None
    dataset: dict = field(default_factory=dict)

    def shown(self) -> dict:
        """What the other process is told."""
        return {key: value for key, value in vars(self).items() if key not in ("faults", "rows")}


def fault(where: str, does: int | str, times: int | None = None, *methods: str) -> list[loopback.Fault]:
    return [loopback.Fault(where, does, times, methods or ("HEAD", "GET", "POST"))]


CASES = {
    "STS12": Case(fault("mteb/sts12-sts/", 500, 2)),
    "STS13": Case(fault("mteb/sts13-sts/", 500)),
    "STS14": Case(fault("sts14-sts/.*jsonl", "breaks off", 1, "GET")),
    "STS15": Case(fault("sts15-sts/.*jsonl", "breaks off", None, "GET"), tries=2),
    "STS16": Case(fault("sts16-sts/.*jsonl", "hangs", None, "GET"), tries=1),
    "STSBenchmark": Case(fault("stsbenchmark-sts/tree", "silent", 6), tries=1),
    "SICK-R": Case(fault("sickr-sts/resolve/.*jsonl", "cut short", 2, "HEAD", "GET"), loads=2),
    "AllegroReviews": Case(fault("allegro-reviews", 401)),
    "AngryTweetsClassification": Case(fault("angry-tweets", 403)),
    "PunjabiNewsClassification": Case(fault("PunjabiNews", 404)),
    "PolEmo2.0-IN": Case(),
    "SiswatiNewsClassification": Case(loads=2),
    "NorwegianCourtsBitextMining": Case(rows=24),
    "Banking77Classification": Case(),
    "TNews": Case(rows=24, limit=7),
    "SyntecReranking": Case(),
    "AILAStatutes": Case(),
}
FOLDERS = {"PolEmo2.0-IN": "PL-MTEB/polemo2_in"}
"""Of what is not there at all."""
WITHOUT_A_HUB = {
    "STS12": Case(),
    "SyntecReranking": Case(),
    "STS14": Case(dataset={"revision": "f" * 40}),
    "Banking77Classification": Case(),
    "STS13": Case(tries=2),
}


def repositories(root: Path) -> None:
    """Every case's repository as the public one has it, with what is wrong in some of them."""
    for name, case in CASES.items():
        if name not in FOLDERS:
            standin_tasks.write_task(name, root, rows=case.rows)
    sets = root / "datasets" / "mteb"
    train = sets / "banking77" / "default" / "train.jsonl"
    train.write_text("".join(train.read_text().splitlines(keepends=True)[:-3]))
    queries = sets / "AILA_statutes" / "queries" / "test.jsonl"
    relevant = sets / "AILA_statutes" / "default" / "test.jsonl"
    once_more(queries, id="one more", _id="one more")
    once_more(relevant, **{"query-id": "one more"})
    more_candidates(sets / "SyntecReranking" / "top_ranked" / "test.jsonl", 1017)
    into_parquet(sets / "SiswatiNewsClassification", root / "whole.parquet")


def once_more(table: Path, **values: str) -> None:
    """Repeat the last row under another name."""
    row = json.loads(table.read_text().splitlines()[-1])
    row |= {key: value for key, value in values.items() if key in row}
    table.write_text(table.read_text() + json.dumps(row) + "\n")


def more_candidates(table: Path, total: int) -> None:
    """Let the first query have what all queries together lack."""
    first, *rows = [json.loads(line) for line in table.read_text().splitlines()]
    others = [f"d{i}" for i in range(total) if f"d{i}" not in first["corpus-ids"]]
    held = sum(len(row["corpus-ids"]) for row in (first, *rows))
    first["corpus-ids"] += others[: total - held]
    table.write_text("".join(json.dumps(row) + "\n" for row in (first, *rows)))


def into_parquet(repository: Path, whole: Path) -> None:
    """Make the one table a parquet file that lacks its end; ``whole`` has it."""
    import pandas

    [table] = repository.glob("*/*.jsonl")
    pandas.read_json(table, lines=True).to_parquet(whole)
    spoilt = table.with_suffix(".parquet")
    spoilt.write_bytes(whole.read_bytes()[:-40])
    table.unlink()
    readme = repository / "README.md"
    readme.write_text(readme.read_text().replace(table.name, spoilt.name))
    CASES["SiswatiNewsClassification"].mended = [str(whole), str(spoilt)]


@dataclass(frozen=True)
class Loads:
    """What another process says of each load while there is a hub, when it is dead, and when it is switched off."""

    hub: dict[str, list[dict]]
    dead: dict[str, list[dict]]
    off: dict[str, list[dict]]


@contextmanager
def loader(url: str, home: Path) -> Iterator[Callable[..., dict[str, list[dict]]]]:
    """That process; it waits at most a second for a byte, and only writes down its pauses."""
    named = {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
    plain = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_UPDATE_DOWNLOAD_COUNTS": "0"}
    kept = {key: value for key, value in os.environ.items() if not key.endswith("_OFFLINE")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env={**kept, **named, **plain}, **pipes) as process:

        def loaded(cases: dict[str, Case], off: bool = False) -> dict[str, list[dict]]:
            process.stdin.write(json.dumps([{name: case.shown() for name, case in cases.items()}, off]) + "\n")
            process.stdin.flush()
            told = next((line for line in process.stdout if line.startswith("ANSWERS ")), None)
            assert told, "the process that loads has ended; its error is among the test's captured output"
            return json.loads(told.removeprefix("ANSWERS "))

        yield loaded


@pytest.fixture(scope="module")
def loads(tmp_path_factory: pytest.TempPathFactory) -> Loads:
    root, home = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("home")
    repositories(root)
    with ExitStack() as hub:
        url = hub.enter_context(loopback.serve(root, [one for case in CASES.values() for one in case.faults]))
        with loader(url, home) as loaded:
            with_hub = loaded(CASES)
            hub.close()
            return Loads(with_hub, loaded(WITHOUT_A_HUB), loaded(WITHOUT_A_HUB, off=True))


@pytest.fixture(scope="module")
def answers(loads: Loads) -> dict[str, list[dict]]:
    return loads.hub


def asked(name: str) -> list[str]:
    return [one.split()[0] for one in CASES[name].faults[0].asked]


def test_what_passes_is_tried_again_after_growing_pauses(answers) -> None:
    [first, held] = answers["STS12"]
    assert first["kind"] is None and first["kept"] == 3108, first
    assert first["waited"] == [1000.0, 2000.0]
    assert held == {"gigabytes": 0.0, "kind": None}


def test_what_does_not_pass_is_asked_for_once_a_try(answers) -> None:
    [first, later] = answers["STS13"]
    assert first["kind"] == later["kind"] == "offline" and first["waited"] == [1000.0, 2000.0]
    assert "STS13" in first["words"] and "HF_ENDPOINT" in first["words"] and "\n" not in first["words"]
    assert asked("STS13") == ["HEAD"] * (3 + 1), "three tries to load, and one to see whether it is there"


def test_a_body_that_breaks_off_once_is_no_failure(answers) -> None:
    assert answers["STS14"][0]["kind"] is None and answers["STS14"][0]["waited"] == []


@pytest.mark.parametrize(("name", "tries"), [("STS15", 2), ("STS16", 1)])
def test_a_body_that_never_gets_further_ends(answers, name, tries) -> None:
    assert answers[name][0]["kind"] == "offline", answers[name]
    of_the_table = [one for one in CASES[name].faults[0].asked if one.endswith(".jsonl")]
    assert len(of_the_table) <= tries * (downloads.REPEATS + 2)
    assert answers[name][0]["kept"] is None, "nothing of a task that did not load is left in it"


def test_a_hub_that_falls_silent_in_its_listing_ends(answers) -> None:
    assert answers["STSBenchmark"][0]["kind"] == "offline"


def test_a_file_cut_short_does_not_stay_in_the_cache(answers) -> None:
    first, second, _ = answers["SICK-R"]
    assert first["kind"] in ("broken", "incomplete") and first["waited"] == []
    assert "test.jsonl" in first["words"] and "downloaded again" in first["words"]
    assert second["kind"] is None and second["kept"] == 9927, second


@pytest.mark.parametrize(
    ("name", "kind"),
    [("AllegroReviews", "gated"), ("AngryTweetsClassification", "gated"), ("PunjabiNewsClassification", "gone")],
)
def test_what_is_refused_is_not_asked_for_again(answers, name, kind) -> None:
    first, later = answers[name]
    assert first["kind"] == later["kind"] == kind and first["waited"] == [], answers[name]
    assert asked(name) == ["HEAD"] * (1 + 1), "one to load, and one to see whether it is there"


def test_a_repository_that_is_not_there_is_gone(answers) -> None:
    first, later = answers["PolEmo2.0-IN"]
    assert first["kind"] == later["kind"] == "gone" and FOLDERS["PolEmo2.0-IN"] in first["words"]


def test_a_broken_parquet_file_is_downloaded_again_by_the_next_load(answers) -> None:
    first, second, _ = answers["SiswatiNewsClassification"]
    assert first["kind"] == "broken" and "train.parquet" in first["words"] and first["waited"] == [], first
    assert second["kind"] is None and second["kept"] == 80, second


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NorwegianCourtsBitextMining", ["found 24 ", "test", "228"]),
        ("Banking77Classification", ["10,000", "train", "10,003"]),
    ],
)
def test_part_of_a_set_is_not_scored(answers, name, words) -> None:
    first = answers[name][0]
    assert first["kind"] == "incomplete" and all(one in first["words"] for one in words), first
    assert first["kept"] is None


def test_more_than_mteb_counts_is_scored_and_told(answers) -> None:
    first = answers["AILAStatutes"][0]
    assert first["kind"] is None and len(first["words"]) == 1, first
    assert "51 queries" in first["words"][0] and "count 50" in first["words"][0]


def test_a_limit_cuts_and_does_not_count(answers) -> None:
    assert answers["TNews"][0]["kind"] is None and answers["TNews"][0]["kept"] == 7


def test_patience_leaves_nothing_behind() -> None:
    before = huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY
    with pytest.raises(ValueError), downloads.patience():
        assert len(huggingface_hub.get_session().event_hooks["request"]) == 2
        raise ValueError
    assert huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY is before


@pytest.mark.parametrize("why", ["dead", "off"])
def test_without_a_hub_the_cache_answers_and_what_it_lacks_is_missing(loads: Loads, why: str) -> None:
    answers, found = loads.hub, getattr(loads, why)
    assert found["STS12"][0]["kind"] is None and found["STS12"][0]["kept"] == 3108, found["STS12"]
    reranking, there = found["SyntecReranking"][0], answers["SyntecReranking"][0]
    assert reranking["kind"] is None and reranking["kept"] == there["kept"], "candidates, too"
    assert reranking["kept"]["top_ranked"] == 100
    assert found["STS13"][0]["kind"] == "offline"
    assert found["STS13"][0]["waited"] == ([] if why == "off" else [1000.0]), "what the user switched off does not pass"
    assert found["STS14"][0]["kind"] == "offline", "another revision than the task's is no substitute"
    assert found["Banking77Classification"][0]["kind"] == "incomplete"
    assert found["STS12"][-1]["kind"] == "offline", "no listing without a hub"
