"""The profile ``checkpoints`` as a user runs it, from hub names to executed pages: stand-in repositories, eight rows a task.

Three calls of the real pipeline with the real notebooks: one while a data set is not on the hub, one when it is, one more. What
is scored here is no score of a task, and nothing of it may look like one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import loopback
import pytest
import standin
import standin_systems
from standin_tasks import write_task
from tiny_checkout import HERE, call

from jtcse.core.record import RunRecord, read_record
from jtcse.paper.ledger.all_records import ids
from jtcse.systems import released

pytestmark = pytest.mark.systems
SYSTEMS = {"jtcse": "a sum of two towers", "promptbert": "a template", "simcse": "a pickle with a conversion beside it"}
LIMIT = 8
LATE = "AskUbuntuDupQuestions"
SUBSETS = {"BUCC.v2": "de-en", "FloresBitextMining": "eng_Latn-deu_Latn+deu_Latn-eng_Latn", "STS22.v2": "de-pl+es"}
RIGHT = ["STS17", "STS22.v2", "STSBenchmarkMultilingualSTS"]
MIXED = ["AllegroReviews", "SiswatiNewsClassification", LATE, "BUCC.v2", "FloresBitextMining", "STS22.v2", "NFCorpus"]
WORD = ",".join(["sts7", "table1-right", *(f"{name}:{SUBSETS[name]}" if name in SUBSETS else name for name in MIXED)])
TASKS = {*RIGHT, *MIXED}
ALL = len(TASKS) + 1  # with the seven sets, which count as one
PAGES = ("zero_shot", "table2")
KNOWN = frozenset().union(*ids().values())


@dataclass(frozen=True)
class Call:
    """What one call said, and what there was after it."""

    said: str
    results: dict[str, int]
    """When each result was written, by its path."""
    pages: dict[str, str]
    """What the cells of a page put out."""
    records: dict[str, RunRecord]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout without results of others, so that pages show what is made here alone."""
    for package in ("snakemake", "mteb"):
        pytest.importorskip(package, reason="the extras 'book' and 'zero-shot' are needed")
    folder = tmp_path_factory.mktemp("profile") / "checkout"
    for part in ("jtcse", "workflow", "notebooks"):
        shutil.copytree(HERE / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a hub with weights and data, all but one task's, that every process started here asks."""
    root, home = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("hf_home")
    for name in sorted({name for system in SYSTEMS for name in released.names(system, "bert")}):
        standin_systems.write(root, name)
    standin.senteval_tar(root / "datasets" / "princeton-nlp" / "datasets-for-simcse" / "senteval.tar")
    for name in sorted(TASKS - {LATE}):
        write_task(name, root, subsets=SUBSETS[name].split("+") if name == "FloresBitextMining" else None)
    told = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1,localhost"}
    with loopback.serve(root) as url, pytest.MonkeyPatch.context() as patch:
        for name, value in {"HF_ENDPOINT": url, "HF_HOME": str(home), **told}.items():
            patch.setenv(name, value)
        for name in [name for name in os.environ if name.endswith("_OFFLINE")]:
            patch.delenv(name)
        yield root


@pytest.fixture(scope="module")
def calls(checkout: Path, hub: Path) -> tuple[Call, Call, Call]:
    """Without the data of one task, with them, and once more."""
    first = reproduced(checkout)
    write_task(LATE, hub)
    return first, reproduced(checkout), reproduced(checkout)


def reproduced(checkout: Path) -> Call:
    turned = {"zero_shot.limit": LIMIT, "zero_shot.systems": list(SYSTEMS), "zero_shot.tasks": [WORD]}
    done = call(checkout, f"reproduce('checkpoints', {PAGES}, jobs=2, overrides={turned})", timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    build = checkout / "build" / "checkpoints"
    files = [path for path in build.glob("zero_shot/**/results/**/*.json") if path.name != "model_meta.json"]
    files += build.glob("zero_shot/**/sts7/**/*.json")
    return Call(
        done.stdout,
        {str(path.relative_to(build)): path.stat().st_mtime_ns for path in files},
        {name: shown(build / "executed" / f"{name}.ipynb") for name in PAGES},
        {path.stem.removeprefix("zero_shot_"): read_record(path) for path in build.glob("records/zero_shot_*.json")},
    )


def shown(notebook: Path) -> str:
    """All text that a page's cells put out or glue into its sentences, without marks."""
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    outs = [out for cell in cells for out in cell.get("outputs", [])]
    kinds = [{"text/plain": out.get("text", ""), **out.get("data", {})} for out in outs]
    texts = ["".join(data.get("text/html") or data.get("text/plain") or "") for data in kinds]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", " ".join(texts)))


def of(call: Call, system: str) -> dict[str, int]:
    return {path: stamp for path, stamp in call.results.items() if f"{system}-bert/" in path}


# -- what is scored ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_kind_of_weights_is_scored_on_all_that_is_there(calls: tuple[Call, ...], system: str) -> None:
    first, later, _ = calls
    names = {Path(path).stem for path in of(first, system) if "/results/" in path}
    assert names == TASKS - {LATE} and len(of(first, system)) == len(names) + 1, "the seven sets are one file"
    assert {Path(path).stem for path in of(later, system) if "/results/" in path} == TASKS
    assert all(path.startswith(f"zero_shot/limited-{LIMIT}/") for path in of(first, system))


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_number_of_a_few_rows_stands_under_an_id_of_the_paper(calls: tuple[Call, ...], system: str) -> None:
    made = calls[1].records[f"{system}-bert"]
    names = [metric.name for metric in made.metrics]
    assert [name for name in names if not name.startswith(f"limited-{LIMIT}/")] == ["tasks/done"]
    assert not KNOWN & set(names)
    assert all(metric.n <= 7 * LIMIT for metric in made.metrics), "not the samples of the whole set"
    assert {name.split("/")[1] for name in names[:-1]} == {*TASKS, "sts7"}
    (parts,) = (name.split("/")[2] for name in names if name.startswith(f"limited-{LIMIT}/STS22.v2/"))
    assert set(parts.split("+")) == {"de-pl", "en", "es"}, "two words ask for parts of one task"


def test_other_weights_have_other_scores(calls: tuple[Call, ...]) -> None:
    kept = calls[1].records.values()
    assert len({record.provenance.hashes["encoder"] for record in kept}) == len(SYSTEMS)
    assert len({tuple(metric.value for metric in record.metrics) for record in kept}) == len(SYSTEMS)


# -- what the pages say --------------------------------------------------------------------------------------------


def test_the_page_names_the_task_that_is_missing_and_says_why(calls: tuple[Call, ...]) -> None:
    first, later, _ = calls
    assert f"{LATE} missing {LATE} cannot be scored" in first.pages["zero_shot"]
    assert "it is not there any more, or private: leave the task out 3" in first.pages["zero_shot"], "once for all"
    assert f"{ALL - 1} of {ALL}, 1 missing" in first.pages["zero_shot"]
    assert "cannot be scored" not in later.pages["zero_shot"] and f"{ALL} of {ALL}" in later.pages["zero_shot"]


def test_the_page_says_that_these_are_no_scores(calls: tuple[Call, ...]) -> None:
    assert f"Only the first {LIMIT} rows of each task: these are no scores" in calls[1].pages["zero_shot"]


def test_a_table_of_the_paper_stays_without_measured_numbers(calls: tuple[Call, ...]) -> None:
    page = calls[1].pages["table2"]
    assert page.count(f"first {LIMIT} rows only") == len(SYSTEMS) and page.count("0 of 45") == len(SYSTEMS)
    for made in calls[1].records.values():
        (score,) = (metric.value for metric in made.metrics if metric.name.endswith("/SiswatiNewsClassification"))
        assert "SiswatiNewsClassification" in page and f"SiswatiNewsClassification {score:.2f}" not in page


# -- what runs again -----------------------------------------------------------------------------------------------


def test_data_that_appear_later_are_scored_by_the_next_call_and_nothing_else_is(calls: tuple[Call, ...]) -> None:
    first, later, _ = calls
    new = later.results.keys() - first.results.keys()
    assert len(new) == len(SYSTEMS) and {Path(path).stem for path in new} == {LATE}
    assert {path: later.results[path] for path in first.results} == first.results


def test_a_call_with_nothing_left_runs_nothing(calls: tuple[Call, ...]) -> None:
    _, later, last = calls
    assert "Nothing to do" in last.said and "Running" not in last.said
    assert last.results == later.results and last.records == later.records
