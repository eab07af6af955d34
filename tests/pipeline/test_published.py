"""Published runs: the book builds from them alone, what is not whole is refused, intervals can be computed again."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from made_up import metric, record
from tiny_checkout import environment, make

from jtcse.core import store
from jtcse.core.config import load_settings, profiles
from jtcse.core.errors import UserError
from jtcse.core.record import read_record, write_record
from jtcse.core.run import Run, start
from jtcse.evaluation.statistics import resampled
from jtcse.evaluation.sts import TaskScore, read_scores, save_scores
from jtcse.experiments import published_scores
from jtcse.experiments.ablations import cells, effects
from jtcse.pipeline import book, plan
from jtcse.pipeline import publish as published
from jtcse.pipeline.book import _without_glue, assemble, build_book
from jtcse.pipeline.publish import outcome, pages
from jtcse.pipeline.publish.outcome import publish

HERE = Path(__file__).parents[2]
NAMES = ("first", "second", "aside")
COMMITTED = sorted(folder.parent for folder in HERE.glob("results/*/pages"))
NO_NETWORK = """
import socket
from pathlib import Path

def refused(self, address):
    Path({asked!r}).write_text(repr(address))
    raise OSError("no network in this test")

socket.socket.connect = socket.socket.connect_ex = refused
"""


PICTURE = base64.b64encode(np.random.default_rng(0).bytes(600)).decode()  # nobody looks at it here


def execute(checkout: Path, name: str, html: str = "") -> None:
    """An executed copy of a notebook as papermill leaves it, with its record, made without a kernel."""
    build = checkout / "build" / "embedded"
    notebook = json.loads((checkout / "notebooks" / f"{name}.ipynb").read_text())
    glued = {"application/papermill.record/text/plain": "41.0"}
    drawn = f'<img alt="noise" src="data:image/png;base64,{PICTURE}"><script>figure = {{"data": []}}</script>{html}'
    notebook["cells"][-1]["outputs"] = [
        {"output_type": "stream", "name": "stderr", "text": [f"{sys.prefix}/lib: a notice\n"]},
        {"output_type": "stream", "name": "stdout", "text": [f"saved in {build}/models, of {checkout}\n"]},
        {"output_type": "display_data", "data": {pages.WIDGET: {"model_id": "1"}}, "metadata": {}},
        {
            "output_type": "display_data",
            "data": glued,
            "metadata": {"scrapbook": {"mime_prefix": "application/papermill.record/", "name": "score"}},
        },
        {"output_type": "display_data", "data": {"text/html": [drawn]}, "metadata": {}},
    ]
    tags = {"tags": [pages.INJECTED]}
    given = {"cell_type": "code", "id": "given", "metadata": tags, "execution_count": 1, "outputs": []}
    notebook["cells"].insert(2, given | {"source": [f'workdir = "{build}"\n']})
    for cell in notebook["cells"]:
        cell["metadata"]["papermill"] = {"duration": time.perf_counter()}
    notebook["metadata"] |= {"papermill": {"start_time": "now"}, "widgets": {}}
    path = build / "executed" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook))
    made = record(metric("tiny/score", 41.0, 40.0, 42.0), run=name, profile="embedded")
    write_record(made, build / "records" / f"{name}.json")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout with a finished run."""
    folder = make(tmp_path / "checkout")
    (folder / "book" / "run-yourself.md").write_text("# Run it yourself\n\nBy hand.\n")
    with (folder / "book" / "_toc.yml").open("a") as stream:
        stream.write("- file: run-yourself\n")
    for name in NAMES:
        execute(folder, name)
    return folder


def turn(checkout: Path, name: str, **changes) -> None:
    """Change the provenance of a record of the run."""
    path = checkout / "build" / "embedded" / "records" / f"{name}.json"
    content = json.loads(path.read_text())
    content["provenance"] |= changes
    path.write_text(json.dumps(content))


def edit(checkout: Path, name: str) -> None:
    """Change a word of a clean notebook."""
    path = checkout / "notebooks" / f"{name}.ipynb"
    path.write_text(path.read_text().replace("A formula:", "One formula:"))


def built_without_network(checkout: Path, fresh: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Build the book in a copy of a checkout that never ran anything, where every call to a network fails and is noted."""
    shutil.copytree(checkout, fresh, ignore=shutil.ignore_patterns("build", "__pycache__"))
    hook, asked = fresh.parent / "hook", fresh.parent / "asked"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(NO_NETWORK.format(asked=str(asked)))
    env = environment(fresh) | {"PYTHONPATH": f"{hook}{os.pathsep}{fresh}"}
    words = [sys.executable, "-m", "jtcse", "book", "--profile", "embedded"]
    done = subprocess.run(words, cwd="/", env=env, capture_output=True, text=True)
    assert not asked.exists(), asked.read_text()
    return done, fresh / "build" / "embedded" / "book" / "_build" / "html"


def test_book_builds_from_what_is_committed_alone_without_network_and_weights(checkout: Path, tmp_path: Path) -> None:
    pytest.importorskip("jupyter_book", reason="the book is built only where the extra 'book' is installed")
    publish("embedded", root=checkout)
    clock = time.perf_counter()
    done, html = built_without_network(checkout, tmp_path / "fresh" / "checkout")
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.perf_counter() - clock < 90
    assert "published in results/embedded" in done.stdout and str(html / "index.html") in done.stdout
    intro = (html / "intro.html").read_text()
    assert '<span class="pasted-text">41.0</span>' in intro and "published run of commit 01234567" in intro
    assert "data:image/png" in (html / "second.html").read_text()


def test_book_of_a_part_of_a_run_says_what_was_not_run(checkout: Path, tmp_path: Path) -> None:
    pytest.importorskip("jupyter_book", reason="the book is built only where the extra 'book' is installed")
    (checkout / "build" / "embedded" / "executed" / "first.ipynb").unlink()
    with pytest.raises(UserError, match=r"'first' was not executed.*--partial publishes the rest"):
        publish("embedded", root=checkout)
    said = publish("embedded", partial=True, root=checkout).said
    assert len(said) == 1 and "'first' was not executed" in said[0]
    done, html = built_without_network(checkout, tmp_path / "fresh" / "checkout")
    assert done.returncode == 0, done.stdout + done.stderr
    page = re.sub(r"<[^>]+>", "", (html / "first.html").read_text())
    assert "This page was not run" in page and "jtcse reproduce --profile embedded --only first" in page
    assert "The score is <em>not run</em>" in (html / "intro.html").read_text()


def test_a_whole_run_here_is_shown_before_the_published_one(checkout: Path, tmp_path: Path) -> None:
    from jtcse.pipeline.book import is_executed

    assert is_executed(checkout, "embedded")
    (checkout / "build" / "embedded" / "executed" / "aside.ipynb").unlink()
    assert not is_executed(checkout, "embedded")
    with pytest.raises(UserError, match="no pages of profile 'embedded' in results/embedded/pages"):
        build_book("embedded", checkout, published=True)


def test_a_page_that_the_profile_names_is_shown_from_the_committed_run_until_it_is_run(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings("embedded", {"committed": ["aside"]})
    for module in (outcome, book):
        monkeypatch.setattr(module, "load_settings", lambda profile: settings)
    assert set(publish("embedded", root=checkout).pages) == {"aside"}
    assert {path.stem for path in (checkout / "results" / "embedded").glob("*.json")} == set(NAMES)
    executed = checkout / "build" / "embedded" / "executed" / "aside.ipynb"
    assert plan.shown_committed(checkout, "embedded", settings) == []
    own = executed.read_text()
    executed.unlink()
    assert plan.shown_committed(checkout, "embedded", settings) == ["aside"]
    assert list(plan.plan_of(checkout, settings, ["aside"])) == ["first", "second"]
    assert book.is_executed(checkout, "embedded")
    assemble(checkout, "embedded", tmp_path / "sources")
    shown = {name: (tmp_path / "sources" / f"{name}.ipynb").read_text() for name in NAMES}
    assert [name for name, text in shown.items() if "This page was not run now" in text] == ["aside"]
    executed.write_text(own)
    assemble(checkout, "embedded", tmp_path / "again")
    assert "This page was not run now" not in (tmp_path / "again" / "aside.ipynb").read_text()


@pytest.mark.parametrize("profile", profiles())
def test_every_page_that_a_profile_shows_from_a_committed_run_is_committed(profile: str) -> None:
    for name in load_settings(profile).committed:
        assert name in plan.read_plan(HERE) and pages.read_page(HERE, profile, name), name


def test_pages_keep_what_a_reader_sees_and_nothing_of_the_machine(checkout: Path) -> None:
    done = publish("embedded", root=checkout)
    text = (checkout / "results" / "embedded" / "pages" / "second.ipynb").read_text()
    page = json.loads(text)
    kinds = [
        kind for cell in page["cells"] for out in cell.get("outputs", []) for kind in out.get("data", {"stdout": 0})
    ]
    assert kinds == ["stdout", "application/papermill.record/text/plain", "text/html"]
    assert "saved in build/embedded/models, of ." in text and 'workdir = \\"build/embedded\\"' in text
    for word in ('papermill":', "notice", "widget", str(checkout), str(Path.home()) + "/", sys.prefix):
        assert word not in text, word
    assert PICTURE in text
    assert set(page["metadata"]["jtcse"]) == {"record", "notebook"}
    assert any("3 pages" in line and "largest" in line for line in done.sizes())


def test_publishing_twice_gives_the_same_bytes(checkout: Path) -> None:
    def files() -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in (checkout / "results").rglob("*") if p.is_file()}

    publish("embedded", root=checkout)
    before = files()
    for name in NAMES:
        execute(checkout, name)  # other timings
    publish("embedded", root=checkout)
    assert files() == before and len(before) == 6


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: turn(c, "second", dirty=True), "a tree with changes that are in no commit; expected a commit"),
        (lambda c: turn(c, "second", commit=None), "was made by no commit"),
        (lambda c: turn(c, "second", machine=f"{Path.home()}/me"), "holds the path"),
        (lambda c: (c / "build/embedded/records/second.json").unlink(), "no run record"),
        (lambda c: shutil.copy(c / "build/embedded/records/first.json", c / "build/embedded/records/second.json"),
         "is of run 'first'"),
        (lambda c: edit(c, "second"), "was edited after .* run it again"),
        (lambda c: execute(c, "second", "<script src='https://cdn.example.org/x.js'></script>"), "asks a network"),
        (lambda c: execute(c, "second", f"<b>{sys.prefix}/lib</b>"), "holds the path .* of this machine"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_refused_and_left_out_of_a_part(checkout: Path, spoil, words: str) -> None:
    spoil(checkout)
    with pytest.raises(UserError, match=words):
        publish("embedded", root=checkout)
    assert not (checkout / "results").exists()
    done = publish("embedded", partial=True, root=checkout)
    assert set(done.pages) == set(done.records) == {"first", "aside"} and re.search(words, done.said[0])


@pytest.mark.parametrize(
    "html",
    [
        "<script src=//cdn.example.org/x.js></script>",
        '<script>Object.assign(s, {src: "https://cdn.example.org/x.js"})</script>',
        '<script>fetch("https://example.org/data.json")</script>',
        '<script type="module">import x from "https://example.org/x.js"</script>',
        '<link rel="stylesheet" href="https://example.org/x.css">',
        '<img src="https://example.org/x.png">',
        "<style>@import 'https://example.org/x.css'</style>",
        "<p style=\"background: url('https://example.org/x.png')\">",
    ],
)
def test_outputs_that_ask_a_network_are_refused(checkout: Path, html: str) -> None:
    execute(checkout, "first", html)
    with pytest.raises(UserError, match="asks a network"):
        publish("embedded", root=checkout)


def test_links_and_namespaces_ask_nothing(checkout: Path) -> None:
    execute(checkout, "first", '<a href="https://example.org">e</a><svg xmlns="http://www.w3.org/2000/svg"></svg>')
    assert "first" in publish("embedded", root=checkout).pages


def test_a_record_edited_by_hand_is_refused_by_the_book(checkout: Path) -> None:
    publish("embedded", root=checkout)
    path = checkout / "results" / "embedded" / "second.json"
    path.write_text(path.read_text().replace("41.0", "43.0"))
    with pytest.raises(
        UserError, match=r"second.ipynb does not belong to the record .* jtcse publish --profile embedded"
    ):
        build_book("embedded", checkout, published=True)
    assert not list((checkout / "build" / "embedded").glob(".book.*"))


def test_a_page_whose_notebook_was_edited_since_says_so(checkout: Path, tmp_path: Path) -> None:
    publish("embedded", root=checkout)
    edit(checkout, "second")
    (tmp_path / "sources").mkdir()
    assemble(checkout, "embedded", tmp_path / "sources", published=True)
    noted = {name: "was edited after the run" in (tmp_path / "sources" / f"{name}.ipynb").read_text() for name in NAMES}
    assert noted == {"first": False, "second": True, "aside": False}


def test_pages_that_are_too_large_are_refused_by_name(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(checkout, "aside", "<p>" + "long " * 2000)
    monkeypatch.setattr(outcome, "PAGES_LIMIT", 10_000)
    with pytest.raises(UserError, match=r"the largest aside with .* expected at most"):
        publish("embedded", root=checkout)
    assert not (checkout / "results").exists()


def test_only_records_of_this_profiles_plan_and_of_race_and_tuning_are_there_afterwards(checkout: Path) -> None:
    results, kept = checkout / "results", checkout / "build" / "embedded" / "records"
    for profile, run in (("embedded", "table99"), ("embedded", "race"), ("mini", "table99")):
        write_record(record(run=run, profile=profile), results / profile / f"{run}.json")
    for run in ("tuning", "train_twin"):
        write_record(record(run=run, profile="embedded"), kept / f"{run}.json")
    said = publish("embedded", root=checkout).said
    assert {p.stem for p in (results / "embedded").glob("*.json")} == {*NAMES, "race", "tuning"}
    assert (results / "mini" / "table99.json").is_file() and "table99" in said[-1]


def test_every_number_that_the_first_page_takes_from_another_can_be_missing() -> None:
    text = (HERE / "book" / "intro.md").read_text(encoding="utf8")
    sources = set(re.findall(r"(\w+)\.ipynb::|:doc: (\w+)\.ipynb", text))
    names = {name for pair in sources for name in pair if name}
    assert len(names) > 1 and "{glue" not in _without_glue(text, names) and _without_glue(text, set()) == text


# -- scores of single pairs ------------------------------------------------------------------------------------


def scored(seed: int, n: int = 60) -> dict[str, TaskScore]:
    """Made-up scores of two tasks, with the same gold scores whatever the seed."""
    found = {}
    for number, task in enumerate(("captions", "news")):
        gold = np.random.default_rng(number).integers(0, 11, n) / 2
        similarity = (gold + np.random.default_rng([seed, number]).normal(0, 2, n)).astype(np.float32)
        found[task] = TaskScore(task, 50.0 + seed, n, 40.0, 60.0, similarity, gold)
    return found


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A workspace in which all of Table X was made, and the systems of the seven tasks."""
    root = tmp_path / "workspace"
    for name, text in {
        "models/start/config.json": '{"num_hidden_layers": 4}',
        "models/tower_1/weights": "1",
        "models/tower_2/weights": "2",
        "data/corpus.txt": "a sentence\n",
        "data/pairs/news.csv": "pairs",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    made = start("table10", "embedded", root, evaluation={"resamples": 100})
    for number, (cell, seed) in enumerate(cells.members(made, "table10")):
        save_scores(cells.place_of(made, cell, seed) / cells.scores_file(made, cell), scored(number))
    for number, system in enumerate(("start", "tower_1", "tower_2", "sum", "jtcse", "distilled")):
        save_scores(root / "scores" / f"{system}.npz", scored(100 + number))
    return made


def put(files: dict[str, bytes], root: Path) -> Path:
    """Published files of scores in a checkout of nothing else."""
    folder = root / "results" / "embedded" / published_scores.FOLDER
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def test_an_interval_of_the_record_can_be_computed_again_from_published_scores(run: Run, tmp_path: Path) -> None:
    folder = run.workspace.root / "variants"
    members = list(cells.members(run, "table10"))
    first = {(cell.id, seed): cells.scores(run, cell, seed) for cell, seed in members}
    grid = effects.Grid("table10", cells.cells(run, "table10"), resampled.together(first, 100, 1), 120)
    before = sorted(folder.rglob("*"))
    files, missing = published_scores.gathered(run, ["table10", "seven_tasks"])
    assert not missing and sorted(folder.rglob("*")) == before
    put(files, tmp_path)
    again = {
        (id, seed): published.scores("embedded", id, seed, tmp_path)
        for id, seed in (("table10/NCE", 1), ("table10/ICTM", 1))
    }
    drawn = resampled.together(again, 100, 1)
    difference = (drawn["table10/NCE", 1] - drawn["table10/ICTM", 1]).estimate()
    assert difference == grid.difference("table10/NCE", "table10/ICTM", 1).estimate()
    assert difference.low < difference.points < difference.high


def test_published_scores_are_those_of_the_workspace_and_gold_is_there_once(run: Run, tmp_path: Path) -> None:
    files, _ = published_scores.gathered(run, ["table10", "seven_tasks"])
    folder = put(files, tmp_path)
    assert len(list(folder.glob("gold-*.npz"))) == 1
    assert "table10-NCE+ICTM-seed-1.npz" in files and all(re.fullmatch(r"[\w.+=-]+", name) for name in files)
    whole, found = read_scores(run.workspace.scores / "jtcse.npz"), published.scores("embedded", "jtcse", root=tmp_path)
    for task, score in whole.items():
        assert (found[task].similarity == score.similarity).all() and found[task].similarity.dtype == np.float32
        assert (found[task].gold == score.gold).all()
        assert (found[task].points, found[task].low, found[task].n) == (score.points, score.low, score.n)


def test_scores_that_are_not_published_are_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no scores of profile 'embedded' are published"):
        published.scores("embedded", "jtcse", root=tmp_path)
    folder = put(published_scores.gathered(run, ["table10", "seven_tasks"])[0], tmp_path)
    with pytest.raises(UserError, match="did you mean 'table10/NCE'"):
        published.scores("embedded", "table10/NCEE", 1, tmp_path)
    with pytest.raises(UserError, match=r"of seed 1, 2; got seed 9"):
        published.scores("embedded", "table10/NCE", 9, tmp_path)
    (folder / "jtcse.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"jtcse.npz with gold-\w+.npz is no whole file"):
        published.scores("embedded", "jtcse", root=tmp_path)


def test_a_cell_that_was_not_finished_is_told_and_not_trained(run: Run) -> None:
    cell, seed = next(cells.members(run, "table10"))
    place = cells.place_of(run, cell, seed)
    place.rename(store.unfinished(place.parent, place.name))
    files, missing = published_scores.gathered(run, ["table10"])
    assert missing == [(cell.id, seed)] and files
    assert not place.exists()


def test_scores_that_are_too_large_are_left_out_with_the_way_to_make_them(
    checkout: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run.workspace.scores, checkout / "build" / "embedded" / "scores")
    monkeypatch.setattr(published_scores, "SYSTEMS_PAGE", "first")
    assert "jtcse.npz" in publish("embedded", root=checkout).scores
    monkeypatch.setattr(outcome, "SCORES_LIMIT", 100)
    done = publish("embedded", root=checkout)
    assert not done.scores and not (checkout / "results" / "embedded" / "scores").exists()
    assert "left out" in done.said[0] and "jtcse reproduce --profile embedded" in done.said[0]


# -- what this repository has published ------------------------------------------------------------------------


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)
def test_every_published_page_of_this_repository_belongs_to_its_record(folder: Path) -> None:
    names = [path.stem for path in sorted((folder / "pages").glob("*.ipynb"))]
    assert names and all(pages.read_page(HERE, folder.name, name) for name in names)
    assert sum(path.stat().st_size for path in (folder / "pages").iterdir()) <= outcome.PAGES_LIMIT


@pytest.mark.parametrize("folder", [f for f in COMMITTED if (f / "scores").is_dir()], ids=lambda folder: folder.name)
def test_an_interval_of_a_committed_record_can_be_computed_again(folder: Path) -> None:
    kept = read_record(folder / "table10.json")
    wanted = next(m for m in kept.metrics if m.name == "table10/NCE" and m.seed is not None)
    evaluation, seed = kept.settings["evaluation"], kept.settings["run"]["seed"]
    of = {wanted.name: published.scores(folder.name, wanted.name, wanted.seed)}
    (drawn,) = resampled.together(of, evaluation["resamples"], seed).values()
    again = drawn.metric(wanted.name, wanted.n, wanted.seed)
    assert (again.value, again.low, again.high) == pytest.approx((wanted.value, wanted.low, wanted.high), abs=1e-6)
