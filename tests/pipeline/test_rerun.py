"""Run again: a cell or a record comes back digit for digit, a changed number is found, and wrong words are sentences."""

from __future__ import annotations

import shutil
from pathlib import Path

import made_up
import numpy as np
import pytest
import small_run
import standin
from made_up import metric
from typer.testing import CliRunner

from jtcse import cli
from jtcse.core import files
from jtcse.core.config import load_settings
from jtcse.core.errors import UserError
from jtcse.core.record import RunRecord, read_record, write_record
from jtcse.core.run import Workspace, start
from jtcse.data.pairs import PairSet, save_pair_set
from jtcse.encoders.loading import load_tower
from jtcse.experiments import stages, train_once
from jtcse.experiments.ablations import effects
from jtcse.experiments.ablations.grids import Cell
from jtcse.pipeline.rerun import find, remake, rerun
from jtcse.pipeline.rerun.compare import SAME, band, compare, differences
from jtcse.pipeline.rerun.remake import settings_of

SHORT = {"batch_size": 8, "steps": 3, "evaluate_every": 3, "max_length": 24, "length_groups": 1}
TURNED = {"run": {"precision": "fp32"}, "evaluation": {"resamples": 100}, "stage1": SHORT, "stage2": SHORT,
          "ablations": {"steps": 2, "own_towers": True}}  # fmt: skip


@pytest.fixture(scope="module")
def start_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in encoder, made once: its words are put together in another order each time."""
    folder = standin.bert(tmp_path_factory.mktemp("models") / "start", layers=4, width=16, heads=2)
    model, tokenizer = load_tower(folder)
    small_run.shake(model, seed=1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def small_world(start_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Text and starting encoder are made in no time, and the current folder is an empty one."""
    monkeypatch.setattr(stages, "prepare_data", lambda run: data(run.workspace.data))
    monkeypatch.setattr(
        stages, "starting_encoder", lambda run: shutil.copytree(start_model, run.workspace.model("start"))
    )
    monkeypatch.chdir(tmp_path)


def data(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "corpus.txt").write_text("\n".join(standin.sentences(40, seed=5)) + "\n", encoding="utf8")
    for number in (1, 2):
        rows = "".join(f"{text}\t{text}\n" for text in standin.sentences(40, seed=5 + number))
        (folder / f"round_trip_{number}.tsv").write_text(rows, encoding="utf8")
    for number, name in enumerate(("captions", "news", "dev")):
        first, second, gold = zip(*standin.graded_pairs(20, seed=10 * number), strict=True)
        save_pair_set(PairSet(name, list(first), list(second), np.array(gold), "made up"), folder / f"pairs/{name}.csv")


@pytest.fixture(scope="module")
def recorded(start_model: Path, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """The record of Fig. 6's grid, as its notebook would write it."""
    root = tmp_path_factory.mktemp("profile")
    data(root / "data")
    shutil.copytree(start_model, root / "models" / "start")
    run = start("figure6", "embedded", root, **TURNED)
    return run.finish(effects.measured(run, "figure6").metrics())


@pytest.fixture
def checkout(recorded: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with that record and without any notebook, which is taken for this one."""
    folder = made_up.checkout(tmp_path / "checkout", recorded)
    monkeypatch.setattr(files, "checkout", lambda: folder)
    return folder


def tampered(checkout: Path, name: str, seed: int | None, by: float = 0.0, **changes) -> None:
    """Change one number of the committed record, or its provenance."""
    path = checkout / "results" / "embedded" / "figure6.json"
    record = read_record(path)
    metrics = [
        m.model_copy(update={"value": m.value + by}) if (m.name, m.seed) == (name, seed) else m for m in record.metrics
    ]
    made = record.provenance.model_copy(update=changes)
    write_record(record.model_copy(update={"metrics": metrics, "provenance": made}), path)


def jtcse(*words: str):
    return CliRunner().invoke(cli.app, ["rerun", *words], catch_exceptions=True)


# -- one cell --------------------------------------------------------------------------------------------------


def test_a_cell_with_towers_of_its_seed_comes_back_digit_for_digit(checkout: Path, monkeypatch) -> None:
    titles, train = [], train_once.train
    monkeypatch.setattr(train_once, "train", lambda *a, **k: (titles.append(k["title"]), train(*a, **k))[1])
    for _ in range(2):  # the second time as well: nothing is kept that could be told again
        done = jtcse("figure6/JTCSE", "--seed", "2")
        assert done.exit_code == 0, done.output
        assert f"now: {SAME}" in done.output and "they are the record's" in done.output
    assert [title for title in titles if title.startswith("figure6")] == ["figure6/JTCSE, seed 2"] * 2
    left = [path.name.split("-")[0] for path in Path("build/embedded/rerun").iterdir() if path.is_dir()]
    assert left == ["start"]


def test_without_a_seed_every_seed_and_their_mean_come_back(checkout: Path) -> None:
    outcome = rerun("figure6/SimCSE", "embedded", say=lambda line: None)
    assert [(one.then.seed, one.words) for one in outcome.compared] == [(1, SAME), (2, SAME), (None, SAME)]


def test_a_changed_number_is_found_and_is_status_1(checkout: Path) -> None:
    tampered(checkout, "figure6/SimCSE", 1, by=1e-9)
    done = jtcse("figure6/SimCSE", "--seed", "1")
    assert done.exit_code == 1 and "every digit" in done.output and "did not come back" in done.output


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"instructions": "AVX2; avx2 fma"}, "instructions: AVX2; avx2 fma then"),
        ({"threads": 1, "versions": {"torch": "1.0"}}, "torch: 1.0 then"),
        ({"number_format": None, "scored_in": None}, "number format of training: the record does not say, fp32 now"),
        ({"instructions": None}, "instructions: the record does not say"),
    ],
)
def test_what_differs_or_is_not_told_is_named_and_no_digit_is_promised(checkout: Path, changes: dict, said: str) -> None:
    tampered(checkout, "figure6/SimCSE", 1, by=1e-9, **changes)
    done = jtcse("figure6/SimCSE", "--seed", "1")
    assert done.exit_code == 0, done.output
    assert said in done.output and "they are the record's" not in done.output and "within the band" in done.output


def test_a_record_is_made_anew_in_its_own_number_format(recorded: RunRecord) -> None:
    for word, taken in (("fp32", "fp32"), ("bf16", "bf16"), (None, "fp32")):  # None: older than the saying
        made = recorded.provenance.model_copy(update={"number_format": word})
        assert settings_of(recorded.model_copy(update={"provenance": made})).run.precision == taken


def test_on_another_machine_a_number_may_lie_anywhere_in_its_band_and_no_further(checkout: Path) -> None:
    tampered(checkout, "figure6/SimCSE", 1, by=1e-9, machine="Linux x86_64, another, 96 cores")
    done = jtcse("figure6/SimCSE", "--seed", "1")
    assert done.exit_code == 0 and "within the band" in done.output and "another, 96 cores then" in done.output
    tampered(checkout, "figure6/SimCSE", 1, by=-80)
    done = jtcse("figure6/SimCSE", "--seed", "1")
    assert done.exit_code == 1 and "outside the band" in done.output


def test_settings_are_those_of_the_record_and_are_said(checkout: Path) -> None:
    done = jtcse("figure6/SimCSE", "--seed", "1")
    steps = load_settings("embedded").stage1.steps
    assert f"stage1.steps {SHORT['steps']} (profile {steps})" in done.output and done.exit_code == 0


def test_a_killed_rerun_goes_on_where_it_was(checkout: Path, monkeypatch) -> None:
    made = []
    monkeypatch.setattr(stages, "train_tower", once(stages.train_tower, made))
    with pytest.raises(KeyboardInterrupt):
        rerun("figure6/TNCSE", "embedded", 1, say=lambda line: None)
    assert rerun("figure6/TNCSE", "embedded", 1, say=lambda line: None).good
    assert made == [1, 2, 2], "the first tower was made again"


def once(train, made: list[int]):
    """Trains a tower, but is stopped before the first second tower."""

    def stopped(run, number: int):
        made.append(number)
        if made == [1, 2]:
            raise KeyboardInterrupt
        return train(run, number)

    return stopped


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["figure6/SimCES"], "did you mean 'figure6/SimCSE'"),
        (["figure66"], "did you mean 'figure6'"),
        (["figure6/SimCSE", "--seed", "9"], "no seed 9 of figure6/SimCSE; take one of those it has: 1, 2"),
        (["figure6", "--seed", "1"], "leave --seed out"),
        (["figure6", "--profile", "embeded"], "did you mean 'embedded'"),
        (["figure6/SimCSE", "--profile", "mini"], "no run record"),
    ],
)
def test_wrong_words_are_a_sentence_and_nothing_is_made(words: list[str], said: str, checkout: Path) -> None:
    done = jtcse(*words)
    assert isinstance(done.exception, UserError) and said in str(done.exception)
    assert not Path("build").exists()


def test_the_profiles_own_workspace_is_refused(checkout: Path) -> None:
    (checkout / "ws" / "records").mkdir(parents=True)
    with pytest.raises(UserError, match="workspace with records of its own"):
        rerun("figure6/SimCSE", "embedded", 1, checkout / "ws")


def test_cells_of_paper_and_code_and_of_another_backbone_are_found(recorded: RunRecord) -> None:
    code = made_up.record(metric("code/base", 70, seed=1), run="paper_and_code", profile="embedded")
    other = made_up.record(metric("other backbone/table10/NCE", 70), run="table10", profile="paper_roberta")
    records = {"figure6": recorded, "paper_and_code": code, "table10": other}
    for name in ("code/base", "other backbone/table10/NCE"):
        record, cell = find(records, name, "embedded")
        assert cell is not None and name.endswith(cell.id) and record.metric(name)


@pytest.mark.parametrize(
    ("system", "own", "models"),
    [
        ("simcse", False, []),
        ("jtcse", True, []),
        ("jtcse", False, ["tower_1", "tower_2"]),
        ("sum", True, ["tower_1", "tower_2"]),
        ("twin", True, ["tower_1", "tower_2", "twin"]),
        ("distilled", True, ["tower_1", "tower_2", "twin", "distilled"]),
    ],
)
def test_models_of_the_run_are_made_only_where_a_cell_stands_on_them(system: str, own: bool, models: list) -> None:
    settings = load_settings("embedded", {"ablations.own_towers": own})
    assert remake.needed(Cell("x", system), settings) == models


def test_a_twin_is_made_with_the_settings_of_its_own_record(recorded: RunRecord, tmp_path: Path, monkeypatch) -> None:
    steps = {}
    for name in ("train_tower", "train_twin"):
        monkeypatch.setattr(stages, name, lambda run, *_, name=name: steps.update({name: run.settings}))
    records = {"figure6": recorded, "stage2": made_up.record(run="stage2", profile="embedded", stage2__steps=77)}
    remake._models(records, recorded, Cell("x", "twin"), Workspace(tmp_path))
    assert (steps["train_tower"].stage1.steps, steps["train_twin"].stage2.steps) == (SHORT["steps"], 77)


# -- a whole record --------------------------------------------------------------------------------------------


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    """A checkout in small, of which the notebook ``second`` needs ``first``."""
    pytest.importorskip("papermill", reason="papermill comes with the extra 'book'")
    from tiny_checkout import make

    folder = make(tmp_path / "small")
    shutil.rmtree(folder / "results", ignore_errors=True)
    score = metric("tiny/score", 54.0, 53.0, 55.0, n=7)
    speed = metric("tiny/speed", 9.0, unit="1/s")
    record = made_up.record(score, speed, run="second", profile="embedded", stage2__steps=4)
    return made_up.checkout(folder, record)


def test_a_record_comes_back_by_its_notebook_and_what_that_needs(notebooks: Path) -> None:
    told = []
    outcome = rerun("second", "embedded", root=notebooks, say=told.append)
    assert [line[:14] for line in told[-2:]] == ["[ 1/2] first  ", "[ 2/2] second "]
    assert [one.words for one in outcome.compared] == [SAME], "the speed is not compared"
    assert outcome.good and not (notebooks / "build").exists()


def test_a_notebook_that_fails_is_a_sentence_and_the_same_command_goes_on_behind_those_that_did_not(
    notebooks: Path,
) -> None:
    from tiny_checkout import BODIES, write_notebook

    log, stop = notebooks / "log", notebooks / "stop"
    stop.touch()
    write_notebook(notebooks, "first", f'{BODIES["first"]}\nPath("{log}").open("a").write("once")')
    fatal = f'if Path("{stop}").exists():\n    raise ValueError("the cat sat on the cable")\n'
    write_notebook(notebooks, "second", fatal + BODIES["second"])
    with pytest.raises(UserError, match=r"second failed: ValueError: the cat sat.*logs/second\.ipynb"):
        rerun("second", "embedded", root=notebooks, say=print)
    stop.unlink()
    assert rerun("second", "embedded", root=notebooks, say=print).good
    assert log.read_text() == "once"


# -- bands -----------------------------------------------------------------------------------------------------


def test_a_band_comes_from_the_other_seeds_then_from_the_interval_then_from_the_number() -> None:
    seeds = made_up.record(*made_up.over_seeds("a", [70.0, 71.0, 99.0]), metric("b", 50, 48, 51), metric("c", 50))
    a, b, c = (band(seeds.metric(name), seeds).reach for name in "abc")
    third = next(m for m in seeds.metrics if m.seed == 3)
    assert band(third, seeds).reach < 12 < a, "a number that stands apart does not widen its own band"
    assert (b, c) == (1.5, 0.5)


def test_other_versions_are_said_and_other_pairs_are_not_compared() -> None:
    then = made_up.record(metric("a", 70.0, 60, 80), metric("b", 1.0))
    told = {"number_format": "fp32", "scored_in": "fp32", "instructions": "AVX2"}
    then = then.model_copy(update={"provenance": then.provenance.model_copy(update=told)})
    made = then.provenance.model_copy(update={"versions": {"python": "3.11", "torch": "2"}})
    now = then.model_copy(update={"metrics": [metric("a", 70.0, 60, 80, n=7)], "provenance": made})
    assert differences(then.provenance, made) == ["python: 3.12 then, 3.11 now", "torch: the record does not say, 2 now"]
    assert [one.words.split(",")[0] for one in compare(then, now)] == [
        "measured on 7 instead of 1",
        "not measured this time",
    ]
    assert not any(one.good for one in compare(then, now))
