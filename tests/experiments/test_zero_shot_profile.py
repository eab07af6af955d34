"""The profile ``checkpoints``: it trains nothing, scores part by part, tries again what is missing, and has a whole book."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from made_up import metric, record
from rich.console import Console
from tiny_checkout import environment, make, write_notebook

from jtcse.core.config import load_settings
from jtcse.core.errors import UserError
from jtcse.core.record import write_record
from jtcse.core.run import Run, Workspace
from jtcse.evaluation.mteb.running import Outcome
from jtcse.experiments import table1 as table1_scoring
from jtcse.experiments.zero_shot import parts
from jtcse.experiments.zero_shot import profile as scoring
from jtcse.experiments.zero_shot.subjects import Subject, subjects
from jtcse.pages import table1
from jtcse.pages.zero_shot import runs
from jtcse.pages.zero_shot.runs import progress_map
from jtcse.paper.ledger.judging import CHECKPOINT_TOLERANCE
from jtcse.pipeline import book, plan, reproduce

HERE = Path(__file__).parents[2]
SETTINGS = load_settings("checkpoints")
TRAINED = {"data", "encoder", "stage1", "stage2", "distillation", "seven_tasks", "ruler", "figure10", "fair_race"}
SCORED = {"zero_shot.systems": ["simcse"], "zero_shot.tasks": ["table4", "STS17:en-en"]}

SCORER = '''
"""Stands in for the module that scores: every task that the file 'gone' names is missing."""
import json, pathlib, sys

name, marker = sys.argv[4], pathlib.Path(sys.argv[5])
gone = pathlib.Path("gone").read_text().split()
print("a library's word")
if "crash" in gone:
    raise RuntimeError("the cat sat on the cable")
lost = {name: "not there"} if name in gone else {}
marker.parent.mkdir(parents=True, exist_ok=True)
marker.write_text(json.dumps({"done": [] if lost else [name], "missing": lost, "failed": {}}))
'''
TINY = """
zero_shot: {needs: [], sections: [run], threads: 1, outputs: []}
first: {needs: [zero_shot], sections: [run], threads: 1, outputs: [], trains: true}
second: {needs: [first], sections: [stage2], threads: 1, outputs: []}
aside: {needs: all, sections: [], threads: 1, outputs: []}
"""


def run_at(root: Path, profile: str = "checkpoints", **turned: object) -> Run:
    return Run("zero_shot", profile, load_settings(profile, turned), Workspace(root))


# -- what is in the plan -------------------------------------------------------------------------------------


def test_nothing_that_trains_is_in_the_plan_and_nothing_waits_for_it() -> None:
    there, whole = plan.plan_of(HERE, SETTINGS), plan.read_plan(HERE)
    assert not TRAINED & there.keys() and whole.keys() > TRAINED
    assert {f"table{number}" for number in range(1, 7)} | {"zero_shot", "audit", "ledger", "report"} <= there.keys()
    assert all(set(notebook.needs) <= there.keys() for notebook in there.values())
    assert set(there["report"].needs) == there.keys() - {"report"}
    for profile in ("embedded", "mini", "paper_bert"):
        assert plan.plan_of(HERE, load_settings(profile)) == whole


def test_tables_1_to_6_come_after_the_scores() -> None:
    for scale in ("checkpoints", "embedded"):
        there = plan.plan_of(HERE, load_settings(scale))
        assert all("zero_shot" in there[f"table{number}"].needs for number in range(1, 7))


def test_a_profile_that_trains_scores_once_its_systems_are_there() -> None:
    asked = load_settings("mini", {"zero_shot.systems": ["jtcse"], "zero_shot.tasks": ["table4"]})
    assert plan.plan_of(HERE, asked)["zero_shot"].needs == ("distillation",)


def test_what_trains_is_refused_with_a_word_on_profiles_that_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in ("workflow", "notebooks"):
        shutil.copytree(HERE / folder, tmp_path / folder)
    monkeypatch.setattr(reproduce, "checkout", lambda: tmp_path)
    for given, words in (({"only": ["stage1"]}, "stage1 trains"), ({"full": True}, "encoder trains")):
        with pytest.raises(UserError, match=f"{words}.*checkpoints.*expected a profile that trains"):
            reproduce.reproduce("checkpoints", **given)
    assert not (tmp_path / "build").exists()


def test_the_promise_names_the_ledgers_tolerance() -> None:
    assert f"within {CHECKPOINT_TOLERANCE} points" in SETTINGS.promise


# -- parts ---------------------------------------------------------------------------------------------------


def test_a_part_is_one_encoder_on_one_list_and_the_lists_of_all_encoders_come_in_turn() -> None:
    found, labels = parts.parts(SETTINGS), [subject.label for subject in subjects(SETTINGS)]
    assert len(found) == len(labels) * len(SETTINGS.zero_shot.tasks) == len(set(found))
    assert found[: len(labels)] == [(label, SETTINGS.zero_shot.tasks[0]) for label in labels]
    assert parts.parts(load_settings("embedded")) == []


def test_steps_and_markers_lead_to_each_other() -> None:
    path = parts.marker("simcse-bert", "STS17:en-en+es-es")
    assert parts.step_of(path) == "zero_shot/simcse-bert/STS17:en-en+es-es"
    assert parts.marker_of(parts.step_of(path)) == path
    assert parts.marker_of("zero_shot") is None and parts.marker_of("stage1") is None


def test_a_marker_holds_no_times_and_says_what_has_no_result(tmp_path: Path) -> None:
    settings = load_settings("checkpoints", SCORED)
    path = tmp_path / parts.marker("simcse-bert", "table4")
    assert parts.incomplete(tmp_path, settings) == [], "never begun is not 'again'"
    done, gone = Outcome("STS22", "scored", seconds=3.0), Outcome("BIOSSES", "missing", "gone")
    parts.write(path, [done, gone])
    assert parts.incomplete(tmp_path, settings) == ["zero_shot/simcse-bert/table4"]
    before = path.read_bytes()
    parts.write(path, [Outcome("STS22", "kept"), gone])
    assert path.read_bytes() == before
    parts.write(path, [done])
    assert parts.incomplete(tmp_path, settings) == []
    path.write_text("{")
    assert parts.incomplete(tmp_path, settings) == ["zero_shot/simcse-bert/table4"], "half a marker is no marker"


def test_turned_settings_reach_a_part_as_words() -> None:
    words = parts.turned(
        {"zero_shot.limit": 50, "zero_shot.systems": ["jtcse"], "stage2.steps": 3}, ["run", "zero_shot"]
    )
    assert words == "zero_shot.limit=50 'zero_shot.systems=[\"jtcse\"]'"


# -- through Snakemake ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkout whose notebook zero_shot shows what is done, and whose scorer does as it is told."""
    pytest.importorskip("snakemake", reason="the extra 'book' is not installed")
    folder = make(tmp_path_factory.mktemp("parts") / "checkout")
    (folder / "workflow" / "notebooks.yaml").write_text(TINY)
    (folder / "jtcse" / "experiments" / "zero_shot" / "profile.py").write_text(SCORER)
    body = 'name, value = "zero_shot", float(len(list((Path(workdir) / "zero_shot" / "done").rglob("*.json"))))'
    write_notebook(folder, "first", body)
    (folder / "notebooks" / "first.ipynb").rename(folder / "notebooks" / "zero_shot.ipynb")
    write_notebook(folder, "first", "raise RuntimeError('this profile trains nothing')")
    return folder


def reproduced(folder: Path) -> str:
    """What a call says that runs the notebook zero_shot and all it needs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduce, "checkout", lambda: folder)
        patch.setenv("PYTHONPATH", str(folder))
        console = Console(file=io.StringIO(), width=160)
        reproduce.reproduce("checkpoints", ["zero_shot"], jobs=2, overrides=SCORED, console=console)
    return console.file.getvalue()


def test_parts_run_once_and_what_is_missing_is_tried_again_until_it_is_there(checkout: Path) -> None:
    (checkout / "gone").write_text("table4")
    said = reproduced(checkout)
    assert "3/3] zero_shot " in said and "simcse-bert/table4" in said and "simcse-bert/STS17:en-en" in said
    said = reproduced(checkout)
    assert "Running 1 step" in said and "simcse-bert/table4" in said and "Nothing to do" in said, said
    (checkout / "gone").write_text("")
    said = reproduced(checkout)
    assert "1/1] zero_shot/simcse-bert/table4" in said and "1/1] zero_shot " in said, "a new score changes the page"
    assert "simcse-bert" not in reproduced(checkout)


def test_a_part_that_crashes_stops_the_run_with_its_reason(checkout: Path) -> None:
    (checkout / "gone").write_text("crash")
    shutil.rmtree(checkout / "build", ignore_errors=True)
    with pytest.raises(UserError, match=r"zero_shot/simcse-bert/\S+ failed: RuntimeError: the cat sat on the cable"):
        reproduced(checkout)


def test_snakefile_by_itself_spreads_the_parts_over_gpus(checkout: Path) -> None:
    shutil.rmtree(checkout / "build", ignore_errors=True)
    words = ["-m", "snakemake", "-s", "workflow/Snakefile", "--config", "profile=checkpoints", "-c2", "-n", "zero_shot"]
    done = subprocess.run(
        [sys.executable, *words], cwd=checkout, env=environment(checkout), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    planned = done.stdout + done.stderr
    assert len(re.findall("rule zero_shot_part:", planned)) == len(parts.parts(SETTINGS)) and "gpu=1" in planned
    assert "rule first" not in planned


# -- the page ------------------------------------------------------------------------------------------------


def found(*states: str) -> list:
    """The first two encoders of the profile, each with the same outcomes for the tasks A, B, ..."""
    outcomes = [
        Outcome("ABC"[number], state, "gone" if state == "missing" else "") for number, state in enumerate(states)
    ]
    return [(subject, outcomes) for subject in subjects(SETTINGS)[:2]]


def test_the_page_counts_each_list_and_names_what_is_missing_once_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "named", {"one": ["A", "B"], "two": ["B", "C", "D"]}.__getitem__)
    frame = runs.progress(found("kept", "missing", "scored"), ["one", "two"])
    counts = runs.counts(frame)
    assert counts["one"].tolist() == ["1 of 2, 1 missing"] * 2
    assert counts["two"].tolist() == ["1 of 3, 1 missing, 1 not run"] * 2
    left = runs.missing(frame)
    assert left[["task", "state", "why", "encoders"]].values.tolist() == [
        ["B", "missing", "gone", 2],
        ["D", "not run", "", 2],
    ]
    values = {one.name: (one.value, one.n) for one in runs.run_metrics(frame)}
    assert values == {f"progress/{k}": (v, 8) for k, v in (("done", 4), ("missing", 2), ("failed", 0), ("not_run", 2))}
    texts = [text.get_text() for text in progress_map(runs.shares(frame)).axes[0].texts]
    assert texts == ["50", "33"] * 2


def test_an_encoder_that_does_not_open_lacks_every_task_of_its_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "named", {"table4": ["A", "B"]}.__getitem__)
    gone = [(subjects(SETTINGS)[0], [Outcome("table4", "missing", "no such repository")])]
    frame = runs.progress(gone, ["table4"])
    assert frame["state"].tolist() == ["missing"] * 2 and set(frame["why"]) == {"no such repository"}


def test_words_of_the_settings_are_the_tasks_that_they_name() -> None:
    assert runs.named("sts7") == ["sts7"]
    assert runs.named("STS17:en-en") == ["STS17"]


def test_a_profile_that_asks_for_nothing_says_so(tmp_path: Path) -> None:
    run = run_at(tmp_path, "embedded")
    frame = runs.progress([], [])
    assert "embedded asks for no tasks" in runs.asked_words(run, frame)
    assert len(runs.missing(frame)) == 0
    assert {one.value for one in runs.run_metrics(frame)} == {0}


# -- Table I without training --------------------------------------------------------------------------------


def test_table_1_has_the_released_rows_beside_the_released_simcse(tmp_path: Path) -> None:
    run = run_at(tmp_path)
    for label, row, value in (("jtcse-bert", "JTCSE", 79.5), ("simcse-bert", "SimCSE", 76.5)):
        name = f"zero_shot_{label}"
        own = record(metric(f"table1/BERT-base/{row}/7Avg", value), run=name, profile="checkpoints")
        write_record(own, run.workspace.records / f"{name}.json")
    assert table1_scoring.table1_scores(run) == {} and table1_scoring.table1_claims({}, run.settings) == []
    leads = table1.released_leads(run)
    assert leads == {"JTCSE": (3.0, 3.0, 3.0)}
    assert table1.lead_words(leads, "JTCSE") == "different by +3.00 points (without an interval)"
    assert table1.lead_words(leads, "JTCSE_D") == "not measured"
    assert table1.claim_words([], "C24") == "is unknown"


def test_table_1_without_the_row_of_reference_has_no_leads(tmp_path: Path) -> None:
    assert table1.released_leads(run_at(tmp_path)) == {}


# -- the book ------------------------------------------------------------------------------------------------


def test_the_book_has_a_page_for_every_link_and_uses_nothing_of_a_page_that_is_left_out(tmp_path: Path) -> None:
    for folder in ("workflow", "notebooks", "book"):
        shutil.copytree(HERE / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "_config.yml", tmp_path)
    executed, there = tmp_path / "build" / "checkpoints" / "executed", plan.plan_of(HERE, SETTINGS)
    executed.mkdir(parents=True)
    for name in there:
        shutil.copy(HERE / "notebooks" / f"{name}.ipynb", executed)
    book.assemble(tmp_path, "checkpoints", tmp_path / "sources")
    sources = tmp_path / "sources"
    contents = yaml.safe_load((sources / "_toc.yml").read_text())
    files = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    assert all((sources / f"{name}.ipynb").is_file() or (sources / f"{name}.md").is_file() for name in files)
    left_out = plan.read_plan(HERE).keys() - there.keys()
    for name in left_out:
        (cell,) = json.loads((sources / f"{name}.ipynb").read_text())["cells"]
        assert "".join(cell["source"]).startswith("# ") and "not part of the profile `checkpoints`" in cell["source"]
    pages = [page.read_text() for page in (*sources.glob("*.md"), *sources.glob("*.ipynb"))]
    glued = {name for page in pages for name in re.findall(r"(\w+)\.ipynb::", page)}
    assert glued and not glued & left_out
    assert "Nothing is trained in this build" in (sources / "intro.md").read_text()


def test_a_profile_that_trains_shows_its_averages_on_the_first_page_and_not_the_other_passage() -> None:
    text = (HERE / "book" / "intro.md").read_text()
    trains, scores = book._of_scale(text, trains=True), book._of_scale(text, trains=False)
    assert "seven_tasks.ipynb::average_jtcse" in trains and "Nothing is trained" not in trains
    assert "seven_tasks.ipynb::" not in scores and "Nothing is trained" in scores
    assert "begin" not in trains.replace("beginning", "") and "% only" not in scores


def test_weights_are_hashed_once_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []
    monkeypatch.setattr(
        "jtcse.evaluation.mteb.fingerprint.fingerprint", lambda encoder: hashed.append(encoder) or "a" * 40
    )
    request = scoring.Request(run_at(tmp_path), Subject("x", None, None, lambda run: "encoder"), ("STS12",))
    _, outcomes = request.score(told={"STS12": Outcome("STS12", "missing", "gone")})
    assert [one.state for one in outcomes] == ["missing"] and request.main_scores() == {}
    assert hashed == ["encoder"]


def test_what_parts_tried_in_vain_is_told_and_not_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder of one is not to be had, a task of the other is not there: neither is asked for by the notebook."""
    turned = {"zero_shot.systems": ["simcse", "diffcse"], "zero_shot.tasks": ["STS17:en-en,SiswatiNewsClassification"]}
    run = Run("zero_shot", "checkpoints", load_settings("checkpoints", turned), Workspace(tmp_path))
    (word,) = run.settings.zero_shot.tasks
    parts.write(tmp_path / parts.marker("simcse-bert", word), [Outcome(word, "missing", "no hub")])
    gone = Outcome("SiswatiNewsClassification", "missing", "gone")
    parts.write(tmp_path / parts.marker("diffcse-bert", word), [Outcome("STS17", "scored"), gone])
    asked = []

    def scored(request, console=None, told=()):
        asked.extend((request.subject.label, one.name) for one in request.asked[1] if one.name not in told)
        return {}, [Outcome("STS17", "kept"), *told.values()]

    monkeypatch.setattr(scoring.Request, "score", scored)
    monkeypatch.setattr(scoring.Request, "encoder", None)
    found = {subject.label: {one.name: one.state for one in outcomes} for subject, outcomes in scoring.score_all(run)}
    assert asked == [("diffcse-bert", "STS17")]
    assert found == {
        "simcse-bert": {word: "missing"},
        "diffcse-bert": {"STS17": "kept", "SiswatiNewsClassification": "missing"},
    }
