"""From kept results to numbers: a printed value is answered by all of what it was printed of, by that mean, and by no less."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from zlib import crc32

import mteb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mteb.abstasks import AbsTask
from mteb.results import TaskResult

from jtcse.core.config import load_settings
from jtcse.core.errors import UserError
from jtcse.core.record import Metric, read_record
from jtcse.core.run import Run, Workspace
from jtcse.evaluation.mteb.adapter import model_meta
from jtcse.evaluation.mteb.store import Store
from jtcse.evaluation.mteb.tasks import LISTS, Wanted, opened, rows, wanted
from jtcse.experiments.zero_shot import answers, sts7
from jtcse.experiments.zero_shot.answers import columns, main_score, metrics, retrieval_metrics, samples
from jtcse.experiments.zero_shot.request import record
from jtcse.experiments.zero_shot.subjects import Subject
from jtcse.paper.ledger import all_records, entries
from jtcse.paper.ledger.all_records import ids
from jtcse.paper.printed import values

KNOWN = frozenset().union(*ids().values())
JTCSE = ("jtcse", "bert")
SUBJECT = Subject("jtcse-bert", *JTCSE, open=lambda run: None)
HUGE = "FloresBitextMining"  # 41,412 subsets: many seconds for each test that reads them
AVERAGES = {
    "table1": ("BERT-base/JTCSE/{}", ["3Avg"]),
    "table2": ("{}/JTCSE", ["45 Avg. Acc"]),
    "table3": ("{}/JTCSE", ["Avg. MAP"]),
    "table5": ("{}/JTCSE", ["avg", "Avg. Acc"]),
}


def share(task: str, split: str, subset: str, metric: str) -> float:
    """Any score from 0 to 1, always the same of a place: six decimals, as mteb keeps."""
    return crc32(f"{task} {split} {subset} {metric}".encode()) % 1_000_001 / 1e6


def result(task: AbsTask, more: Iterable[str] = ()) -> TaskResult:
    """Of all splits and subsets of a task; its main score, and further ones, are ``share``s."""
    name, main = task.metadata.name, task.metadata.main_score
    parts = {
        split: {
            subset: {"main_score": share(name, split, subset, main)}
            | {metric: share(name, split, subset, metric) for metric in (main, *more)}
            for subset in task.hf_subsets
        }
        for split in task.eval_splits
    }
    return TaskResult.from_task_results(task, parts, evaluation_time=1.5)


def write(store: Store, task: AbsTask, made: TaskResult) -> None:
    """Keep a result as mteb does, beside those of other subsets of the task."""
    cache, meta = store.cache(task), model_meta(store.label, store.revision)
    kept = cache.load_task_result(task.metadata.name, meta)
    cache.save_to_cache(kept.merge(made) if kept else made, meta)


def keep(store: Store, *wanted: Wanted, more: Iterable[str] = ()) -> None:
    for one in wanted:
        write(store, task := opened(one), result(task, more))


def by_name(found: Iterable[Metric]) -> dict[str, float]:
    """Each name once."""
    found = list(found)
    named = {metric.name: metric.value for metric in found}
    assert len(named) == len(found)
    return named


def answered(named: Iterable[str]) -> set[str]:
    return {name for name in named if name in KNOWN}


def plain(place: str, row: str) -> float:
    """A row's points by a loop over mteb's own lists of splits and subsets."""
    (one,) = [entry for entry in rows(place) if entry.row == row]
    task = mteb.get_task(one.wanted.name)
    found = [
        share(one.wanted.name, split, subset, one.metric)
        for split in one.wanted.splits or task.eval_splits
        for subset in one.wanted.subsets or task.hf_subsets
    ]
    return 100 * fmean(found)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "jtcse-bert", "a" * 40)


@pytest.fixture(scope="module")
def light() -> list[Wanted]:
    """All tasks of the tables but the huge one."""
    found = {row.wanted for place in LISTS for row in rows(place)}
    return sorted((one for one in found if one.name != HUGE), key=repr)


# -- main scores -----------------------------------------------------------------------------------------------------


def test_nothing_kept_says_nothing(store: Store) -> None:
    assert metrics(store, *JTCSE, []) == metrics(store, None, None, wanted("table2")) == []


def test_each_task_gives_its_mean_main_score_whoever_the_encoder_is(store: Store) -> None:
    keep(store, Wanted("STS17"), Wanted("BUCC.v2"), Wanted("MTOPDomainClassification", ("de", "en")))
    subsets = {"STS17": opened(Wanted("STS17")).hf_subsets, "BUCC.v2": opened(Wanted("BUCC.v2")).hf_subsets}
    for subject in (JTCSE, (None, None)):
        named = by_name(metrics(store, *subject, []))
        for name, of in (subsets | {"MTOPDomainClassification": ["en", "de"]}).items():
            task = mteb.get_task(name)
            places = [(split, subset) for split in task.eval_splits for subset in of]
            mean = fmean(share(name, *place, task.metadata.main_score) for place in places)
            shown = name if name in subsets else f"{name}/en+de"
            assert named[f"zero_shot/{shown}"] == pytest.approx(100 * mean, abs=1e-4)


def test_many_of_a_tasks_subsets_are_counted_and_not_named(store: Store) -> None:
    keep(store, Wanted("STS17", tuple(opened(Wanted("STS17")).hf_subsets[:-1])))
    (name,) = {name for name in by_name(metrics(store, None, None, [])) if name.startswith("zero_shot/STS17")}
    assert name == f"zero_shot/STS17/{len(opened(Wanted('STS17')).hf_subsets) - 1} subsets"


def test_the_number_of_samples_is_mtebs_own(store: Store) -> None:
    keep(store, Wanted("STS17", ("en-en", "es-es")))
    told = mteb.get_task("STS17").metadata.descriptive_stats["test"]["hf_subset_descriptive_stats"]
    found = {metric.name: metric.n for metric in metrics(store, *JTCSE, [])}
    assert found["table1/BERT-base/JTCSE/STS17"] == told["en-en"]["num_samples"]
    assert found["zero_shot/STS17/en-en+es-es"] == told["en-en"]["num_samples"] + told["es-es"]["num_samples"]
    assert samples(opened(Wanted("STS12"))) == 3108


def test_the_main_score_of_a_task_is_rounded_points_or_none(store: Store) -> None:
    keep(store, Wanted("STS22.v2", ("en",)))
    assert main_score(store, Wanted("STS22.v2", ("en",))) == pytest.approx(plain("table5", "en"), abs=1e-4)
    assert main_score(store, Wanted("STS22.v2")) is main_score(store, Wanted("STS12")) is None


def test_splits_with_different_subsets_do_not_stop_the_others(store: Store) -> None:
    """As after table1-right (English, test split) and then another language with all splits."""
    name = "STSBenchmarkMultilingualSTS"
    keep(store, Wanted(name, ("en",), ("test",)), Wanted(name, ("fr",)), Wanted("STS12"))
    named = by_name(metrics(store, *JTCSE, []))
    assert {"zero_shot/STS12", "table1/BERT-base/JTCSE/STSBM"} <= set(named)


def test_a_score_that_is_no_number_does_not_stop_the_others(store: Store) -> None:
    """Spearman of an encoder that gives all texts one vector."""
    task = opened(Wanted("STS22.v2", ("en",)))
    scores = dict.fromkeys(("main_score", "cosine_spearman"), float("nan"))
    write(store, task, TaskResult.from_task_results(task, {"test": {"en": scores}}, evaluation_time=1.0))
    keep(store, Wanted("STS22.v2", ("de",)), Wanted("STS12"))
    named = by_name(metrics(store, *JTCSE, []))
    assert {"zero_shot/STS12", "table5/de/JTCSE"} <= set(named)
    assert "table5/en/JTCSE" not in named and "table1/BERT-base/JTCSE/STS22" not in named


# -- rows of the paper -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["table1-right", "table2", "table3", "table5"])
def test_a_whole_table_is_answered_by_its_rows_and_its_averages(place: str, store: Store) -> None:
    keep(store, *(row.wanted for row in rows(place)))
    named = by_name(metrics(store, *JTCSE, []))
    short = place.removesuffix("-right")
    form, averages = AVERAGES[short]
    points = {row.row: plain(place, row.row) for row in rows(place)}
    expected = {f"{short}/{form.format(name)}": value for name, value in points.items()}
    expected |= {f"{short}/{form.format(name)}": fmean(points.values()) for name in averages}
    of_place = {name: value for name, value in named.items() if name.startswith(f"{short}/")}
    assert of_place == pytest.approx(expected, abs=1e-5)
    assert set(of_place) <= KNOWN


@pytest.mark.parametrize("place", ["table1-right", "table2", "table3", "table5"])
def test_with_one_row_missing_there_is_no_average(place: str, store: Store) -> None:
    short = place.removesuffix("-right")
    form = AVERAGES[short][0]
    every = rows(place)
    keep(store, *(row.wanted for row in every[:-1]))
    named = answered(by_name(metrics(store, *JTCSE, [])))
    own = {name for name in named if name.startswith(f"{short}/")}
    assert own == {f"{short}/{form.format(row.row)}" for row in every[:-1]}


def test_an_average_is_over_rows_not_over_subsets(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of bitext mining, which has tasks of one subset and of hundreds; the one of 41,412 is left out, it takes too long here."""
    smaller = [row for row in rows("table4") if row.wanted.name != HUGE]
    monkeypatch.setattr(answers, "rows", lambda place: smaller if place == "table4" else [])
    for row in smaller:
        task = opened(row.wanted)
        value = len(task.hf_subsets) / 2000
        parts = {subset: {"main_score": value, "f1": value} for subset in task.hf_subsets}
        write(store, task, TaskResult.from_task_results(task, {row.wanted.splits[0]: parts}, evaluation_time=1.0))
    sizes = [len(opened(row.wanted).hf_subsets) for row in smaller]
    assert max(sizes) == 1916 and min(sizes) == 1
    named = by_name(metrics(store, *JTCSE, []))
    assert named["table4/Avg. F1/JTCSE"] == pytest.approx(fmean(size / 20 for size in sizes), abs=1e-5)


@pytest.mark.parametrize("row", [row.row for row in rows("table5")])
def test_a_language_of_table_5_answers_its_row_and_no_other(row: str, store: Store) -> None:
    keep(store, Wanted("STS22.v2", (row,)))
    named = by_name(metrics(store, *JTCSE, []))
    english = {"table1/BERT-base/JTCSE/STS22"} if row == "en" else set()
    assert answered(named) == {f"table5/{row}/JTCSE"} | english
    assert named[f"table5/{row}/JTCSE"] == pytest.approx(plain("table5", row), abs=1e-6)


def test_a_row_over_several_subsets_or_splits_waits_for_all_of_them(store: Store) -> None:
    for name, place, row in (
        ("DiaBlaBitextMining", "table4", "DiaBla"),
        ("ESCIReranking", "table3", "ESCI"),
        ("WebLINXCandidatesReranking", "table3", "WebLINXCandidates"),
    ):
        whole = opened(Wanted(name))
        parts = [Wanted(name, (subset,), (split,)) for subset in whole.hf_subsets for split in whole.eval_splits]
        assert len(parts) > 1
        for part in parts:
            assert f"{place}/{row}/JTCSE" not in by_name(metrics(store, *JTCSE, []))
            keep(store, part)
        assert by_name(metrics(store, *JTCSE, []))[f"{place}/{row}/JTCSE"] == pytest.approx(plain(place, row), abs=1e-5)


def test_further_splits_that_were_scored_leave_a_row_as_it_is(store: Store) -> None:
    keep(store, Wanted("STSBenchmarkMultilingualSTS", ("en",)))  # dev and test; the row is of the test split
    named = by_name(metrics(store, *JTCSE, []))
    assert named["table1/BERT-base/JTCSE/STSBM"] == pytest.approx(plain("table1-right", "STSBM"), abs=1e-6)


@pytest.mark.parametrize(
    ("system", "backbone", "expected"),
    [
        ("jtcse", "bert", {"table5/de/JTCSE"}),
        ("jtcse_d", "bert", {"table5/de/JTCSE_D"}),
        ("simcse", "bert", {"table5/de/SimCSE"}),
        ("simcse", "roberta", set()),
        ("rankcse_listmle", "bert", {"table5/de/RankCSE"}),
        (None, None, set()),
    ],
)
def test_only_the_column_of_the_system_is_answered(
    system: str | None, backbone: str | None, expected: set[str], store: Store
) -> None:
    keep(store, Wanted("STS22.v2", ("de",)))
    assert answered(by_name(metrics(store, system, backbone, []))) == expected


def test_the_right_half_of_table_1_is_answered_for_roberta_too(store: Store) -> None:
    keep(store, *(row.wanted for row in rows("table1-right")))
    own = {f"table1/RoBERTa-base/SimCSE/{name}" for name in ("STS17", "STS22", "STSBM", "3Avg")}
    assert answered(by_name(metrics(store, "simcse", "roberta", []))) == own


# -- retrieval -------------------------------------------------------------------------------------------------------

TWO = [Wanted("FQuADRetrieval"), Wanted("XQuADRetrieval", ("de", "en"))]


def test_there_are_fifteen_metrics_of_retrieval_and_mteb_has_them() -> None:
    found = retrieval_metrics()
    heads = ("map", "mrr", "ndcg", "precision", "recall")
    assert list(found.values()) == [f"{head}_at_{k}" for head in heads for k in (1, 5, 10)]
    assert all(metric == name.lower().replace("@", "_at_") for name, metric in found.items())
    assert {f"table6/{name}/JTCSE" for name in found} <= KNOWN


def test_metrics_of_retrieval_are_means_over_the_tasks_that_were_asked_for(store: Store) -> None:
    heads = retrieval_metrics()
    keep(store, TWO[0], more=heads.values())
    assert not [name for name in by_name(metrics(store, *JTCSE, TWO)) if name.startswith("retrieval/")]
    keep(store, TWO[1], more=heads.values())
    named = by_name(metrics(store, *JTCSE, [*TWO, Wanted("STS12")]))
    for name, metric in heads.items():
        means = []
        for one in TWO:
            task = mteb.get_task(one.name)
            places = [(s, sub) for s in task.eval_splits for sub in one.subsets or task.hf_subsets]
            means.append(fmean(share(one.name, *place, metric) for place in places))
        assert named[f"retrieval/{name}/JTCSE"] == pytest.approx(100 * fmean(means), abs=1e-4)
    assert not {name for name in named if name.startswith("table6/")}, "its 45 tasks are named nowhere"
    assert f"retrieval/MAP@10/{store.label}" in by_name(metrics(store, None, None, TWO))


def test_without_retrieval_asked_for_the_predecessors_thirty_count(store: Store) -> None:
    thirty = wanted("table6")
    keep(store, *thirty, more=retrieval_metrics().values())
    found = {metric.name: metric.n for metric in metrics(store, *JTCSE, wanted("table2")[:1])}
    assert found["retrieval/NDCG@10/JTCSE"] == 30
    assert not answered(found)


# -- laws ------------------------------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(st.data(), st.none() | st.integers(1, 10_000))
def test_whatever_is_done_ids_are_the_papers_and_limited_rows_have_none(
    light: list[Wanted], data: st.DataObject, limit: int | None
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(light), unique=True, max_size=12))
    system, backbone = data.draw(st.sampled_from([JTCSE, ("simcse", "bert"), ("simcse", "roberta"), (None, None)]))
    with TemporaryDirectory() as folder:
        store = Store(Path(folder), "x", "r", limit)
        keep(store, *chosen)
        named = by_name(metrics(store, system, backbone, chosen))
    if limit is not None:
        assert all(name.startswith(f"limited-{limit}/") for name in named)
        assert not answered(named)
    of = columns(system, backbone) if system else {}
    for name in named:
        place = name.split("/")[0]
        assert place in ("zero_shot", "retrieval", f"limited-{limit}") or (place in of and name in KNOWN)
    assert {name.split("/")[1] for name in named if name.startswith("zero_shot/")} >= (
        set() if limit else {one.name for one in chosen}
    )


# -- the record and the ledger ---------------------------------------------------------------------------------------


def run_in(folder: Path, **changes) -> Run:
    turned = {name.replace("__", "."): value for name, value in changes.items()}
    return Run("evaluate", "checkpoints", load_settings("checkpoints", turned), Workspace(folder))


def near(id: str, off: float) -> dict[str, float]:
    """Scores whose points are the printed ones and so much more."""
    value = round((values()["value"][id] + off) / 100, 6)
    return {"main_score": value, "cosine_spearman": value}


def scored(store: Store, off: dict[str, float]) -> list[Wanted]:
    """Table V's languages, each so far from what is printed."""
    task = opened(Wanted("STS22.v2", tuple(off)))
    parts = {subset: near(f"table5/{subset}/JTCSE", points) for subset, points in off.items()}
    write(store, task, TaskResult.from_task_results(task, {"test": parts}, evaluation_time=7.25))
    return [Wanted("STS22.v2", tuple(off)), Wanted("STS12")]


def states(folder: Path) -> dict[str, str]:
    found = all_records(folder / "no checkout", folder)
    assert not found.problems
    return {entry.id: entry.state for entry in entries(found.records, "table5", "checkpoints")}


def test_the_ledger_holds_a_record_against_the_printed_values(store: Store, tmp_path: Path) -> None:
    asked = scored(store, {"de": 0.0, "en": 0.04, "es": -0.05, "fr": 0.07, "it": -8.0})
    made = record(run_in(tmp_path), store, SUBJECT, asked)
    assert made == read_record(tmp_path / "records" / "zero_shot_jtcse-bert.json")
    assert (made.run, made.profile) == ("zero_shot_jtcse-bert", "checkpoints")
    assert made.provenance.seconds == 7.2 and made.provenance.hashes == {"encoder": "a" * 40}
    counted = made.metric("tasks/done")
    assert (counted.value, counted.n, counted.unit) == (1, 2, "tasks")
    found = states(tmp_path)
    told = {name: found[f"table5/{name}/JTCSE"] for name in ("de", "en", "es", "fr", "it", "ru", "avg")}
    assert told == dict.fromkeys(("de", "en", "es"), "reproduced") | dict.fromkeys(("fr", "it"), "not reproduced") | {
        "ru": "not run",
        "avg": "not run",
    }
    assert {state for id, state in found.items() if not id.endswith("/JTCSE")} == {"not run"}


def test_limited_rows_leave_the_ledger_as_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path, "jtcse-bert", "a" * 40, 50)
    asked = scored(store, dict.fromkeys((row.row for row in rows("table5")), 0.0))
    made = record(run_in(tmp_path, zero_shot__limit=50), store, SUBJECT, asked)
    assert made.metric("limited-50/STS22.v2").value == pytest.approx(values()["value"]["table5/avg/JTCSE"], abs=0.02)
    assert set(states(tmp_path).values()) == {"not run"}


def test_a_record_is_written_anew_from_all_that_is_kept(store: Store, tmp_path: Path) -> None:
    for subset in ("de", "en"):
        record(run_in(tmp_path), store, SUBJECT, scored(store, {subset: 0.0}))
    found = states(tmp_path)
    assert {found["table5/de/JTCSE"], found["table5/en/JTCSE"]} == {"reproduced"}


def test_without_a_result_there_is_no_record(store: Store, tmp_path: Path) -> None:
    assert record(run_in(tmp_path), store, SUBJECT, wanted("table5")) is None
    assert not (tmp_path / "records").exists()


def test_the_seven_tasks_stand_beside_them(store: Store, tmp_path: Path) -> None:
    seven(store, ["STS12"])
    made = record(run_in(tmp_path), store, SUBJECT, [])
    one = Metric(name="table1/BERT-base/JTCSE/STS12", value=70.5, n=1000, low=70, high=71)
    assert made.metric(one.name) == one and made.provenance.seconds == 0


def test_a_record_is_written_once(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between two writings would leave the seconds of the first."""
    asked, written = scored(store, {"de": 0.0}), []
    monkeypatch.setattr("jtcse.core.run.write_record", lambda record, path: written.append(record.provenance.seconds))
    record(run_in(tmp_path), store, SUBJECT, asked)
    assert written == [7.2]


# -- the seven tasks -------------------------------------------------------------------------------------------------


def seven(store: Store, names: Iterable[str]) -> None:
    path = store.base / "sts7" / store.label / f"{store.revision}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: {"points": 70.5, "low": 70, "high": 71, "n": 1000} for name in names}))


ALL_SEVEN = "average of STS12+STS13+STS14+STS15+STS16+STS-B+SICK-R"


def test_the_left_half_is_answered_set_by_set_and_its_average_by_all_seven(store: Store) -> None:
    seven(store, ["STS12", "STS-B", "average of STS12+STS-B"])
    found = by_name(sts7.metrics(store, "BERT-base/JTCSE"))
    assert set(found) == {"table1/BERT-base/JTCSE/STS12", "table1/BERT-base/JTCSE/STSB"} <= KNOWN
    assert set(by_name(sts7.metrics(store, None))) == {"sts7/STS12", "sts7/STSB"}
    seven(store, ["STS12", ALL_SEVEN])
    assert answered(by_name(sts7.metrics(store, "BERT-base/JTCSE"))) >= {"table1/BERT-base/JTCSE/7Avg"}


def test_the_left_half_of_limited_rows_has_no_id(tmp_path: Path) -> None:
    store = Store(tmp_path, "x", "r", 9)
    seven(store, ["STS12", ALL_SEVEN])
    found = by_name(sts7.metrics(store, "BERT-base/JTCSE"))
    assert set(found) == {"limited-9/sts7/STS12", "limited-9/sts7/7Avg"} and not answered(found)


@pytest.mark.parametrize("content", ["{", "[]", "null", "3", '{"STS12": 3}', '{"STS12": {"points": 3}}'])
def test_a_broken_file_of_the_seven_is_one_sentence(content: str, store: Store) -> None:
    seven(store, [])
    (path,) = (store.base / "sts7").rglob("*.json")
    path.write_text(content)
    with pytest.raises(UserError, match="delete it and run again"):
        list(sts7.metrics(store, None))
