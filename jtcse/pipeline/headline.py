"""The few numbers that a run is asked for, in at most ten rows; all others are on the book's pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from jtcse.core.record import Metric, RunRecord, read_record
from jtcse.experiments.names import SYSTEMS

ROWS = 10
SYSTEMS_OF, REFERENCE, START = "seven_tasks", "table1", "start"
SIMCSE = "table1/BERT-base/SimCSE/7Avg"  # in the record of REFERENCE
FIRST = (r"(^|/)(average|7Avg|Avg)$", r"/dev$", r"^difference/|/average>|7Avg>")
"""Names of metrics that say most, the most telling first; then come the others, in the record's order."""


def headline(folder: Path, only: Sequence[str]) -> Table | None:
    """The table at the end of a run, from the records in ``folder``; None where nothing was measured.

    Args:
        only: notebooks that were asked for; empty: all of the profile.
    """
    if not only and (folder / f"{SYSTEMS_OF}.json").is_file():
        return _systems(folder)
    records = [read_record(path) for path in sorted(folder.glob("*.json")) if not only or path.stem in only]
    return _numbers(records)


def _systems(folder: Path) -> Table:
    """Average of the seven tasks, one row a system."""
    record = read_record(folder / f"{SYSTEMS_OF}.json")
    found = {metric.name: metric for metric in record.metrics}
    start = found[f"{START}/average"]
    tasks = sum(name.startswith(f"{START}/") for name in found) - 1
    table = Table(
        "system", "average", "95 % interval", "to the start",
        title=f"Profile {record.profile!r}: rank correlation in points, average of {tasks} tasks, {start.n:,} pairs",
    )  # fmt: skip
    _numbers_right(table, 1, 2, 3)
    rows = {words: found[f"{name}/average"] for name, words in SYSTEMS.items() if f"{name}/average" in found}
    if (folder / f"{REFERENCE}.json").is_file():
        found = read_record(folder / f"{REFERENCE}.json").metrics
        simcse = [metric for metric in found if metric.name == SIMCSE and metric.seed is None]
        rows |= dict(zip(["SimCSE, the paper's reference"], simcse, strict=False))
    for words, one in rows.items():
        interval = "" if one.low is None else f"{one.low:.1f} to {one.high:.1f}"
        table.add_row(words, f"{one.value:.1f}", interval, "" if one is start else f"{one.value - start.value:+.1f}")
    return table


def _numbers(records: Sequence[RunRecord]) -> Table | None:
    """The most telling numbers of some records, from each some where there are several."""
    told = [(place, run, one) for run, record in enumerate(records) for place, one in enumerate(_by_weight(record))]
    chosen = sorted(sorted(told, key=lambda row: row[:2])[:ROWS], key=lambda row: (row[1], row[0]))
    if not chosen:
        return None
    table = Table("notebook", "measured", "value", "95 % interval", "unit", "n")
    table.columns[1].overflow = "fold"  # a name that is cut short names nothing
    _numbers_right(table, 2, 3, 5)
    for _, run, one in chosen:
        name = records[run].run
        interval = "" if one.low is None else f"{one.low:.3g} to {one.high:.3g}"
        table.add_row(name, _words(one.name, name), f"{one.value:.4g}", interval, one.unit, f"{one.n:,}")
    return table


def _by_weight(record: RunRecord) -> list[Metric]:
    """The metrics of a record, the most telling first, without those of single seeds where their mean is there."""
    means = {metric.name for metric in record.metrics if metric.seed is None}
    whole = [metric for metric in record.metrics if metric.seed is None or metric.name not in means]
    return sorted(whole, key=_weight)


def _weight(metric: Metric) -> int:
    return next((place for place, name in enumerate(FIRST) if re.search(name, metric.name)), len(FIRST))


def _words(name: str, run: str) -> str:
    """A metric's name as words that can be broken into lines: ``a/b>a/c`` of run ``a`` is *b minus c*."""
    return " minus ".join(part.removeprefix(f"{run}/").replace("/", " ") for part in name.split(">"))


def _numbers_right(table: Table, *columns: int) -> None:
    for column in columns:
        table.columns[column].justify = "right"
