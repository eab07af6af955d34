"""Run records: what is written is what is read, and what is not whole is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jtcse.core.config import load_settings
from jtcse.core.errors import UserError
from jtcse.core.record import Metric, Provenance, RunRecord, read_record, read_records, write_record
from jtcse.core.run import start

SETTINGS = load_settings("embedded").model_dump(mode="json")


def record(run: str = "stage1", metrics: tuple[Metric, ...] = ()) -> RunRecord:
    made = Provenance(
        commit="0" * 40, dirty=False, started="2026-11-21T10:00:00+00:00", seconds=1.5, peak_memory_mib=300.0,
        device="cpu", machine="Linux", threads=2, versions={"torch": "2"}, hashes={"corpus": "ab"},
    )  # fmt: skip
    return RunRecord(run=run, profile="embedded", settings=SETTINGS, metrics=list(metrics), provenance=made)


METRIC = Metric(name="jtcse/STS12", value=71.25, n=3108, low=70.0, high=72.5)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = record(metrics=(METRIC, Metric(name="steps", value=3, unit="steps", n=1)))
    write_record(written, tmp_path / "stage1.json")
    assert read_record(tmp_path / "stage1.json") == written
    assert written.metric("jtcse/STS12").value == 71.25


@settings(max_examples=50, deadline=None)
@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20).filter(lambda text: text.isprintable()),
    st.integers(0, 10**9),
)
def test_any_number_survives(value: float, name: str, n: int) -> None:
    whole = record(metrics=(Metric(name=name, value=value, unit="steps", n=n),))
    assert RunRecord.model_validate(json.loads(whole.model_dump_json())) == whole


def test_records_of_a_folder_come_by_name(tmp_path: Path) -> None:
    for name in ("stage2", "data", "stage1"):
        write_record(record(name), tmp_path / f"{name}.json")
    (tmp_path / "note.txt").write_text("not a record")
    assert [found.run for found in read_records(tmp_path)] == ["data", "stage1", "stage2"]
    assert read_records(tmp_path / "nowhere") == []


def test_a_run_leaves_its_record(tmp_path: Path) -> None:
    run = start("stage1", "embedded", tmp_path, stage1={"steps": 7})
    (tmp_path / "corpus.txt").write_text("one line\n")
    made = run.finish([METRIC], {"corpus": tmp_path / "corpus.txt"})
    (found,) = read_records(run.workspace.records)
    assert found == made
    assert found.settings["stage1"]["steps"] == 7
    assert len(found.provenance.hashes["corpus"]) == 64
    assert found.provenance.seconds >= 0 and found.provenance.peak_memory_mib > 0
    assert found.provenance.versions["torch"] != "not installed"


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'jtcse/STS12'"):
        record(metrics=(METRIC,)).metric("jtcse/STS21")


# -- not whole -----------------------------------------------------------------------------------------------


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_record(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_record_says_what_to_run(tmp_path: Path) -> None:
    assert "run the notebook 'stage1'" in refusal(tmp_path / "stage1.json")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_record_cut_in_half_is_one_sentence(share: float, tmp_path: Path) -> None:
    path = tmp_path / "stage1.json"
    write_record(record(metrics=(METRIC,)), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert "not whole JSON" in refusal(path)
    with pytest.raises(UserError):
        read_records(tmp_path)


def test_a_binary_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "stage1.json").write_bytes(b"\x80\x81\xff")
    refusal(tmp_path / "stage1.json")


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """A record's JSON with one value changed; None takes it away."""
    whole = json.loads(record(metrics=(METRIC,)).model_dump_json())
    place: Any = whole
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return whole


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metrics", 0, "value"), None),
        (("metrics", 0, "value"), "high"),
        (("metrics", 0, "n"), 2.5),
        (("metrics", 0, "p"), 0.05),
        (("metrics", 0, "high"), None),
        (("provenance", "commit"), 3),
        (("provenance", "seconds"), None),
        (("settings",), []),
        (("note",), "by hand"),
        (("schema_version",), 2),
    ],
    ids=str,
)
def test_a_record_of_another_schema_names_the_place(path: tuple, value: Any, tmp_path: Path) -> None:
    (tmp_path / "stage1.json").write_text(json.dumps(changed(path, value)))
    sentence = refusal(tmp_path / "stage1.json")
    place = ".".join(map(str, path[:2])) if path[-1] == "high" else ".".join(map(str, path))
    assert place in sentence, sentence


def test_a_list_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "stage1.json").write_text("[]")
    refusal(tmp_path / "stage1.json")


# -- metrics that are none -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [{"low": 1.0}, {"high": 3.0}])
def test_an_interval_has_both_ends(ends: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="one end of an interval only"):
        Metric(name="x", value=2, n=5, **ends)


def test_an_interval_has_its_ends_in_order() -> None:
    with pytest.raises(ValidationError, match=r"interval from 3\.0 to 1\.0"):
        Metric(name="x", value=2, n=5, low=3, high=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_hold_is_refused_before_it_is_written(value: float) -> None:
    """NaN would be written as null, and the whole record be refused on reading."""
    with pytest.raises(ValidationError, match="finite"):
        Metric(name="x", value=value, n=5)


@pytest.mark.parametrize("value", [100.5, -101.0])
def test_points_beyond_100_are_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=f"jtcse/STS12 has {value:g} points, where -100 to 100 is possible"):
        Metric(name="jtcse/STS12", value=value, n=7)


def test_a_seed_twice_in_the_grids_is_refused() -> None:
    with pytest.raises(UserError, match="names a seed twice"):
        load_settings("embedded", {"ablations.seeds": [1, 1]})
