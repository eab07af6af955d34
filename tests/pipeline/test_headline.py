"""What a run prints at its end: few rows that a person understands."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from jtcse.core.record import Metric, Provenance, RunRecord, write_record
from jtcse.experiments.names import SYSTEMS
from jtcse.pipeline.headline import ROWS, headline

HERE = Path(__file__).parents[2]
PROVENANCE = Provenance(commit=None, dirty=None, started="now", seconds=1, peak_memory_mib=1, device="cpu", machine="m",
                        threads=1, versions={}, hashes={})  # fmt: skip


def _write(folder: Path, run: str, *metrics: Metric) -> None:
    record = RunRecord(run=run, profile="embedded", settings={}, metrics=list(metrics), provenance=PROVENANCE)
    write_record(record, folder / f"{run}.json")


def _text(folder: Path, *only: str) -> str:
    console = Console(width=80, no_color=True)
    with console.capture() as caught:
        console.print(headline(folder, only))
    return caught.get()


def test_a_whole_run_shows_each_system_with_interval_and_difference_to_the_start(tmp_path: Path) -> None:
    scores = [
        Metric(name=f"{system}/{part}", value=40.0 + place, n=70, low=39.0, high=50.0)
        for place, system in enumerate(SYSTEMS)
        for part in ("news", "forum", "average")
    ]
    _write(tmp_path, "seven_tasks", *scores)
    _write(tmp_path, "table1", Metric(name="table1/BERT-base/SimCSE/7Avg", value=42.5, n=70))
    _write(tmp_path, "aside", Metric(name="aside/average", value=1, n=1))
    table, text = headline(tmp_path, ()), _text(tmp_path)
    assert table is not None and table.row_count == len(SYSTEMS) + 1 <= ROWS
    for words in (
        "average of 2 tasks",
        "JTCSE, the twin after stage 2",
        "44.0",
        "39.0 to 50.0",
        "+4.0",
        "SimCSE",
        "+2.5",
    ):
        assert words in text
    assert "aside" not in text and "+0.0" not in text


def test_asked_for_one_notebook_shows_its_own_averages_first_and_means_in_place_of_seeds(tmp_path: Path) -> None:
    rest = [Metric(name=f"grid/part {place}", value=place, n=3) for place in range(30)]
    mean = Metric(name="grid/base/average", value=12.34, n=9, low=11, high=13)
    seeds = [mean.model_copy(update={"seed": seed, "value": 70.0 + seed}) for seed in (1, 2)]
    difference = Metric(name="grid/base/average>grid/none/average", value=-3.5, n=9)
    _write(tmp_path, "grid", *rest, *seeds, mean, difference)
    _write(tmp_path, "aside", Metric(name="aside/average", value=1, n=1))
    text = _text(tmp_path, "grid")
    assert headline(tmp_path, ["grid"]).row_count == ROWS
    rows = [line for line in text.splitlines() if line.startswith("│")]
    assert "base average" in rows[0] and "12.34" in rows[0] and "11 to 13" in rows[0]
    assert "base average minus none" in text and "71" not in text and "aside" not in text


def test_several_notebooks_share_the_rows_and_one_without_numbers_takes_none(tmp_path: Path) -> None:
    for run in ("first", "second"):
        _write(tmp_path, run, *(Metric(name=f"{run}/{place}", value=place, n=1) for place in range(20)))
    _write(tmp_path, "third")
    table, text = headline(tmp_path, ["first", "second", "third"]), _text(tmp_path, "first", "second", "third")
    assert (
        table is not None and table.row_count == ROWS and text.count("│ first") == text.count("│ second") == ROWS // 2
    )
    assert headline(tmp_path, ["third"]) is None


def test_every_committed_record_has_a_short_headline() -> None:
    for folder in (HERE / "results" / "embedded", HERE / "results" / "mini"):
        for path in folder.glob("*.json"):
            table = headline(folder, [path.stem])
            assert table is None or table.row_count <= ROWS
        assert headline(folder, ()).row_count <= ROWS
