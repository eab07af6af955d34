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
        table.add_row(
            words, f"{one.value:.1f}", _interval(one), "" if one is start else f"{one.value - start.value:+.1f}"
        )
    return table


def _numbers(records: Sequence[RunRecord]) -> Table | None:
    """The most telling numbers of some records, in turn where there are several."""
    sorted_by_weight = [sorted(_means(record), key=_weight)[:ROWS] for record in records]
    turns = [(place, run) for run, found in enumerate(sorted_by_weight) for place in range(len(found))]
    chosen = sorted(sorted(turns)[:ROWS], key=lambda turn: (turn[1], turn[0]))
    if not chosen:
        return None
    table = Table("notebook", "measured", "value", "95 % interval", "unit", "n")
    table.columns[1].overflow = "fold"  # a name that is cut short names nothing
    _numbers_right(table, 2, 3, 5)
    for place, run in chosen:
        one = sorted_by_weight[run][place]
        table.add_row(records[run].run, _words(one.name), f"{one.value:.4g}", _interval(one), one.unit, f"{one.n:,}")
    return table


def _means(record: RunRecord) -> list[Metric]:
    """The metrics of a record, without those of single seeds where their mean is there."""
    means = {metric.name for metric in record.metrics if metric.seed is None}
    return [metric for metric in record.metrics if metric.seed is None or metric.name not in means]


def _weight(metric: Metric) -> int:
    return next((place for place, name in enumerate(FIRST) if re.search(name, metric.name)), len(FIRST))


def _words(name: str) -> str:
    """A metric's name as words: a difference says of what."""
    first, _, second = name.partition(">")
    return f"{first} minus {second}" if second else name


def _interval(metric: Metric) -> str:
    return "" if metric.low is None else f"{metric.low:.4g} to {metric.high:.4g}"


def _numbers_right(table: Table, *columns: int) -> None:
    for column in columns:
        table.columns[column].justify = "right"
