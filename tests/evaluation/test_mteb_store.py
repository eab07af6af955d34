"""Kept results: found by the same encoder, task and data alone, united over calls, and readable as mteb's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mteb
import pytest
from conftest import REPOSITORY
from mteb.abstasks import AbsTask
from mteb.results import TaskResult

from jtcse.core.errors import UserError
from jtcse.evaluation.mteb import adapter as module
from jtcse.evaluation.mteb.adapter import MtebEncoder, model_meta
from jtcse.evaluation.mteb.store import Store
from jtcse.evaluation.mteb.tasks import Wanted, opened

SEVERAL = "STSBenchmarkMultilingualSTS"  # ten subsets, two splits


def result(task: AbsTask, value: float = 0.5, seconds: float = 2.0) -> TaskResult:
    """Of all splits and subsets of a task; every score is the value."""
    scores = {"main_score": value, task.metadata.main_score: value}
    parts = {split: {subset: dict(scores) for subset in task.hf_subsets} for split in task.eval_splits}
    return TaskResult.from_task_results(task, parts, evaluation_time=seconds)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "jtcse-bert", "a" * 40)


class Constant:
    """A task's ``evaluate`` that gives every subset one value, without any data."""

    def __init__(self, task: AbsTask, value: float) -> None:
        self.scores, self.asked = {"main_score": value, task.metadata.main_score: value}, []

    def __call__(self, model: object, split: str, subsets_to_run: list[str], **_: object) -> dict[str, dict]:
        self.asked.append((split, *subsets_to_run))
        return {subset: dict(self.scores) for subset in subsets_to_run}


def evaluated(store: Store, one: Wanted, value: float = 0.5) -> tuple[AbsTask, Constant]:
    """A task that mteb scores through the store."""
    task = opened(one)
    task.data_loaded, task.evaluate = True, Constant(task, value)
    model = MtebEncoder(None, store.label, store.revision)
    mteb.evaluate(model, task, cache=store.cache(task), co2_tracker=False, show_progress_bar=False)
    return task, task.evaluate


def write(store: Store, task: AbsTask, made: TaskResult) -> None:
    store.cache(task).save_to_cache(made, model_meta(store.label, store.revision))


def written(store: Store, *wanted: Wanted, value: float = 0.5) -> list[AbsTask]:
    """Scored one after the other, each in the place of what was kept of it."""
    tasks = [opened(one) for one in wanted]
    for task in tasks:
        write(store, task, result(task, value))
    return tasks


def parts_of(found: TaskResult) -> set[tuple[str, str]]:
    return {(split, scores["hf_subset"]) for split, rows in found.scores.items() for scores in rows}


# -- whose -----------------------------------------------------------------------------------------------------------


def test_a_result_is_found_as_it_was_written(store: Store, tmp_path: Path) -> None:
    (task,) = written(store, Wanted("STS12"), value=0.25)
    again = Store(tmp_path, "jtcse-bert", "a" * 40).result(opened(Wanted("STS12")))
    assert again == result(task, 0.25)
    assert store.names() == ["STS12"]


@pytest.mark.parametrize(
    ("label", "revision", "limit"),
    [("simcse-bert", "a" * 40, None), ("jtcse-bert", "b" * 40, None), ("jtcse-bert", "a" * 40, 50)],
)
def test_another_label_fingerprint_or_limit_never_finds_it(
    store: Store, tmp_path: Path, label: str, revision: str, limit: int | None
) -> None:
    other = Store(tmp_path, label, revision, limit)
    for one, another, value in ((store, other, 0.25), (other, store, 0.75)):
        (task,) = written(one, Wanted("STS12"), value=value)
        (apart,) = written(one, Wanted("STS13"), value=value)
        assert another.result(apart) is None or another.result(apart).main_score != value
        assert one.result(task).main_score == value
    assert store.result(task).main_score == 0.25 and other.result(task).main_score == 0.75


def test_limits_are_apart_from_each_other_and_from_the_whole(tmp_path: Path) -> None:
    stores = [Store(tmp_path, "x", "r", limit) for limit in (None, 5, 50)]
    for number, one in enumerate(stores):
        assert one.names() == []
        written(one, Wanted("STS12"), value=number / 10)
    assert [one.result(opened(Wanted("STS12"))).main_score for one in stores] == [0, 0.1, 0.2]


# -- what of a task --------------------------------------------------------------------------------------------------


def test_subsets_are_united_and_become_whole(store: Store) -> None:
    subsets = mteb.get_task(SEVERAL).hf_subsets
    whole = opened(Wanted(SEVERAL))
    for number, subset in enumerate(subsets):
        assert store.result(whole) is None
        task, _ = evaluated(store, Wanted(SEVERAL, (subset,)), number / 100)
        assert parts_of(store.result(task)) == {(s, one) for s in ("dev", "test") for one in subsets[: number + 1]}
    found = store.result(whole)
    values = {scores["hf_subset"]: scores["main_score"] for scores in found.scores["test"]}
    assert values == {subset: pytest.approx(number / 100) for number, subset in enumerate(subsets)}


def test_only_what_has_no_score_is_scored(store: Store) -> None:
    evaluated(store, Wanted(SEVERAL, ("en",)), 0.1)
    _, calls = evaluated(store, Wanted(SEVERAL, ("en", "fr")), 0.2)
    assert calls.asked == [("dev", "fr"), ("test", "fr")]
    rows = store.result(opened(Wanted(SEVERAL, ("en", "fr")))).scores["test"]
    assert {row["hf_subset"]: row["main_score"] for row in rows} == {"en": 0.1, "fr": 0.2}
    _, calls = evaluated(store, Wanted(SEVERAL, ("en", "fr")), 0.3)
    assert calls.asked == []


def test_seconds_of_calls_are_added_up(store: Store) -> None:
    write(store, opened(one := Wanted(SEVERAL, ("en",))), result(opened(one), seconds=100.0))
    evaluated(store, Wanted(SEVERAL, ("fr",)))
    assert 100 <= store.result(opened(Wanted(SEVERAL, ("en", "fr")))).evaluation_time < 110


def test_a_task_of_several_subsets_is_kept_once_all_are_scored(store: Store) -> None:
    """Some tasks draw random numbers from one subset to the next: going on in the middle would give other scores."""
    task = opened(Wanted(SEVERAL, ("en", "fr")))
    task.data_loaded, task.evaluate = True, Constant(task, 0.5)
    calls = iter(range(3))
    whole = task.evaluate

    def dies(*given: object, **more: object) -> dict:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return whole(*given, **more)

    task.evaluate = dies
    with pytest.raises(KeyboardInterrupt):
        mteb.evaluate(MtebEncoder(None, store.label, store.revision), task, cache=store.cache(task), co2_tracker=False)
    assert len(whole.asked) == 2 and store.names() == []


def test_one_split_of_two_is_not_the_whole(store: Store) -> None:
    written(store, Wanted(SEVERAL, ("en",), ("test",)))
    assert store.result(opened(Wanted(SEVERAL, ("en",)))) is None
    assert store.result(opened(Wanted(SEVERAL, ("en",), ("test",)))) is not None
    evaluated(store, Wanted(SEVERAL, ("en",), ("dev",)))
    assert store.result(opened(Wanted(SEVERAL, ("en",)))) is not None


def test_the_scored_part_is_what_has_a_score(store: Store) -> None:
    assert store.scored_part(SEVERAL) is None
    written(store, Wanted(SEVERAL, ("fr", "en"), ("test",)))
    part = store.scored_part(SEVERAL)
    assert (set(part.hf_subsets), part.eval_splits) == ({"en", "fr"}, ["test"])
    assert store.result(part) is not None


@pytest.mark.parametrize("splits", [(), ("dev",)])
def test_a_scored_part_has_a_result_also_where_splits_have_different_subsets(splits: tuple, store: Store) -> None:
    """As after table1-right (English, test split) and then another language with all splits."""
    evaluated(store, Wanted(SEVERAL, ("en",), ("test",)))
    evaluated(store, Wanted(SEVERAL, ("fr",), splits))
    part = store.scored_part(SEVERAL)
    assert part is None or store.result(part) is not None


# -- what is as none -------------------------------------------------------------------------------------------------


def test_a_result_of_other_data_is_as_none_and_is_replaced(store: Store) -> None:
    task = opened(Wanted(SEVERAL, ("en",)))
    old = result(task, 0.1)
    old.dataset_revision = "0" * 40
    store.folder.mkdir(parents=True)
    old.to_disk(store.folder / f"{SEVERAL}.json")
    assert store.result(task) is None and store.scored_part(SEVERAL) is None
    other, _ = evaluated(store, Wanted(SEVERAL, ("fr",)), 0.2)
    assert parts_of(store.result(other)) == {("dev", "fr"), ("test", "fr")}, "nothing of the old data is left"


BROKEN = {
    "empty": "",
    "half": None,
    "no JSON": "noon",
    "a list": "[]",
    "null": "null",
    "a number": "7",
    "a text": '"noon"',
    "an object": "{}",
    "another object": json.dumps({"name": "STS12", "scores": 3}),
    "scores of another form": json.dumps({"task_name": "STS12", "dataset_revision": "x", "scores": {"test": [3]}}),
    "bytes": b"\xff\xfe\x00",
    "a version from long ago": json.dumps({"mteb_version": "1.0.0", "mteb_dataset_name": "STS12", "test": 3}),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_whole_result_is_as_none_and_is_replaced(
    kind: str, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    (task,) = written(store, Wanted("STS12"))
    path, content = store.folder / "STS12.json", BROKEN[kind]
    text = path.read_bytes()
    content = text[: len(text) // 2] if content is None else content
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert store.result(task) is None and store.scored_part("STS12") is None
    assert all("scored again" in record.getMessage() for record in caplog.records)
    evaluated(store, Wanted("STS12"), 0.75)
    assert store.result(task).main_score == 0.75


def test_a_full_disk_leaves_what_was_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (task,) = written(store, Wanted("STS12"), value=0.1)

    def full(path: Path, content: object) -> None:
        raise UserError(f"no room for {path}")

    monkeypatch.setattr(module, "write_atomically", full)
    with pytest.raises(UserError, match="no room"):
        write(store, task, result(task, 0.9))
    assert store.result(task).main_score == 0.1
    assert sorted(path.name for path in store.folder.iterdir()) == ["STS12.json", "model_meta.json"]


# -- mteb reads it ---------------------------------------------------------------------------------------------------


def test_mteb_reads_the_folder_as_one_of_its_own_result_caches(store: Store, tmp_path: Path) -> None:
    written(store, Wanted("STS12"), Wanted("STS22.v2", ("en",)), value=0.25)
    with store.claimed("STS13", wait=False):
        pass
    loaded = mteb.ResultCache(tmp_path / "zero_shot").load_results(include_remote=False)
    (model,) = loaded.model_results
    assert (model.model_name, model.model_revision) == ("companion/jtcse-bert", "a" * 40)
    found = {one.task_name: one for one in model.task_results}
    assert set(found) == {"STS12", "STS22.v2"} and all(one.main_score == 0.25 for one in found.values())
    assert found["STS12"] == TaskResult.from_disk(store.folder / "STS12.json")


def test_limited_results_are_in_no_cache_of_whole_ones(tmp_path: Path) -> None:
    written(Store(tmp_path, "x", "r", 50), Wanted("STS12"))
    for place, count in (("zero_shot", 0), ("zero_shot/limited-50", 1)):
        assert len(mteb.ResultCache(tmp_path / place).load_results(include_remote=False).model_results) == count


def test_the_file_beside_it_names_the_model_as_mteb_writes_it(store: Store) -> None:
    written(store, Wanted("STS12"))
    told = json.loads((store.folder / "model_meta.json").read_text())
    assert (told["name"], told["revision"]) == ("companion/jtcse-bert", "a" * 40)
    assert told == json.loads(json.dumps(model_meta("jtcse-bert", "a" * 40).to_dict(), default=str))


# -- several processes -----------------------------------------------------------------------------------------------

CLAIMS = """
import sys, time
from pathlib import Path
from jtcse.evaluation.mteb.store import Store
with Store(Path(sys.argv[1]), "jtcse-bert", "a" * 40).claimed("STS12", wait=False) as mine:
    print(mine, flush=True)
    time.sleep(600)
"""


@contextmanager
def another(root: Path) -> Iterator[subprocess.Popen]:
    """A process that has claimed STS12, and lives until it is killed."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, "-c", CLAIMS, str(root)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout.readline() == "True\n"
            yield process
        finally:
            process.kill()


def test_a_claim_keeps_others_out_and_is_free_after_a_kill(store: Store, tmp_path: Path) -> None:
    with another(tmp_path) as process:
        with store.claimed("STS12", wait=False) as mine:
            assert not mine
        with store.claimed("STS13", wait=False) as mine:
            assert mine, "another task"
        with Store(tmp_path, "jtcse-bert", "b" * 40).claimed("STS12", wait=False) as mine:
            assert mine, "another encoder"
        process.send_signal(signal.SIGKILL)
        process.wait()
        with store.claimed("STS12", wait=False) as mine:
            assert mine


def test_who_waits_gets_the_claim_when_the_other_ends(store: Store, tmp_path: Path) -> None:
    with another(tmp_path) as process:
        subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {process.pid}"])
        began = time.perf_counter()
        with store.claimed("STS12", wait=True) as mine:
            assert mine and time.perf_counter() - began > 0.1


def test_a_claim_ends_with_its_block_also_by_an_error(store: Store) -> None:
    with pytest.raises(ValueError), store.claimed("STS12", wait=False):
        with store.claimed("STS12", wait=False) as mine:
            assert not mine, "nor may this process have it twice"
        raise ValueError
    with store.claimed("STS12", wait=False) as mine:
        assert mine
    assert store.names() == []
