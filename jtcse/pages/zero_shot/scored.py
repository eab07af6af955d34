"""What was scored here with ``mteb``: from run records to the rows of a table, and which runs these are.

Places are ``table1`` to ``table5``, and ``predecessor``: the retrieval tasks that are known by name, those of the paper before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pandas import DataFrame, Series

from jtcse.core.errors import check_choice
from jtcse.core.record import RunRecord
from jtcse.core.run import Run
from jtcse.pages.furniture.html import box, line, shown
from jtcse.pages.ledger.tables import run_link
from jtcse.paper.ledger import all_records
from jtcse.paper.printed import sources, table, tasks

if TYPE_CHECKING:
    from IPython.display import HTML

PLACES = ("table1", "table2", "table3", "table4", "table5", "predecessor")
RECORD = "zero_shot_"
ASKED = {"table1": "table1-right", "predecessor": "table6"}  # how --tasks calls what is not called like the place
HASH = 12  # letters of a hash that a page shows


def named(place: str) -> DataFrame:
    """A place's rows that are tasks: ``mteb``, ``splits`` and ``subsets`` (tuples, empty: all) and ``source`` (the benchmark).

    Raises:
        UserError: not one of ``PLACES``.
    """
    check_choice("place with named tasks", place, PLACES)
    frame = tasks().query("place == @place and mteb != ''").set_index("task")
    known = sources().query("place == @place").set_index("task")["source"]
    parts = {name: [tuple(filter(None, text.split("+"))) for text in frame[name]] for name in ("splits", "subsets")}
    return frame[["mteb"]].assign(**parts, source=known.reindex(frame.index).fillna(""))


def printed_cells(place: str, system: str = "JTCSE") -> Series:
    """A system's printed scores by row of the place, points, its averages among them; of ``predecessor`` none is printed."""
    if place == "predecessor":
        return Series(dtype=float)
    frame = table(place)
    if place == "table1":
        frame = frame.query("group == 'BERT-base'").rename(columns={"row": "column", "column": "row"})
    return frame[frame["column"] == system].set_index("row")["value"]


def records(run: Run) -> list[RunRecord]:
    """The records of encoders that were scored with ``mteb``, the workspace's above the committed ones."""
    found = [record for record in all_records(workdir=run.workspace.root).records if record.run.startswith(RECORD)]
    return sorted(found, key=lambda record: (record.profile, record.run))


def label(record: RunRecord) -> str:
    """The encoder of a record, as it was named when it was scored."""
    return record.run.removeprefix(RECORD)


def measured(place: str, run: Run) -> dict[str, Series]:
    """What records hold of a place, by encoder and profile: row to points. Scores of limited rows are not among them."""
    found = {f"{label(record)} ({record.profile})": answers(record, place) for record in records(run)}
    return {name: scores for name, scores in found.items() if len(scores)}


def answers(record: RunRecord, place: str) -> Series:
    """A record's scores by row of the place, averages left out: by the paper's ids, else by the tasks' names in ``mteb``.

    A task that stands under no id of the paper is recorded as ``zero_shot/<name in mteb>``, with its sub-sets if not all.
    """
    rows, found = named(place), {metric.name: metric.value for metric in record.metrics}
    answered: dict[str, float] = {}
    for row, mteb, subsets in rows[["mteb", "subsets"]].itertuples():
        name = "/".join(("zero_shot", mteb, *(["+".join(subsets)] if subsets else [])))
        answered |= {row: found[name]} if name in found else {}
    if place != "predecessor":  # Table I has tasks as columns
        ids = table(place)["column" if place == "table1" else "row"]
        answered |= {row: found[id] for id, row in ids.items() if id in found}
    return Series({row: answered[row] for row in rows.index if row in answered}, dtype=float)


def scored_here(place: str, run: Run) -> HTML:
    """Which encoders were scored on the tasks of a place, when, with which weights, and how many tasks are done and missing.

    Where there is no record, the words "not run" and the command that makes one.
    """
    found, command = records(run), f"<code>jtcse evaluate --system jtcse --tasks {ASKED.get(place, place)}</code>"
    if not found:
        return _not_scored(f"No run record of such tasks is there; {command} makes one.")
    head = ["encoder", "profile", "date", "hash of the weights", "tasks of this page", "missing", "tasks in all"]
    rows = [_scored_row(record, place) for record in found]
    return shown(f"<p>More of them: {command}, say.</p>", box(head, rows, "What was scored here"))


def _not_scored(words: str) -> HTML:
    return shown(f"<p><b>Scored here:</b> not run. {words}</p>")


def _scored_row(record: RunRecord, place: str) -> str:
    made, wanted, done = record.provenance, named(place).index, answers(record, place).index
    missing = [row for row in wanted if row not in done]
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    words = [record.profile, made.started[:10], made.hashes.get("encoder", "–")[:HASH]]
    words += [f"{len(done)} of {len(wanted)}", ", ".join(missing[:3]) + more or "none", _in_all(record)]
    return line(run_link(record.profile, record.run, label(record)), words)


def _in_all(record: RunRecord) -> str:
    """Tasks that are done of those that were asked for, on whichever page; limited rows are said."""
    done = next((f"{metric.value:.0f} of {metric.n}" for metric in record.metrics if metric.name == "tasks/done"), "–")
    limited = {metric.name.split("/")[0] for metric in record.metrics if metric.name.startswith("limited-")}
    return done + "".join(f", first {name.removeprefix('limited-')} rows only" for name in sorted(limited))


def number(value: float | None) -> str:
    """A score in a cell, a dash for none."""
    return "–" if value is None or value != value else f"{value:.2f}"


# -- retrieval -----------------------------------------------------------------------------------------------------


def retrieval_beside(run: Run) -> HTML:
    """Table VI's metrics as printed for JTCSE beside means over tasks that were scored here, by encoder and profile."""
    printed = printed_cells("table6")
    found = {f"{label(record)} ({record.profile})": _retrieval(record) for record in records(run)}
    found = {name: values for name, values in found.items() if values}
    if not found:
        known, own = "jtcse evaluate --system jtcse --tasks table6", "--tasks NFCorpus,SciFact"
        return _not_scored(
            f"<code>{known}</code> computes these metrics over the known names, <code>{own}</code> over a list of your own."
        )
    head, rows = ["", "JTCSE, printed"], []
    for name, values in found.items():
        counts = " or ".join(str(n) for n in sorted({n for _, n in values.values()}))
        head.append(f"{name}, mean over {counts} tasks")
    for name in printed.index:
        if any(name in values for values in found.values()):
            here = [values.get(name, (None,))[0] for values in found.values()]
            rows.append(line(name, map(number, [printed[name], *here])))
    return shown(box(head, rows, "Retrieval: printed over unnamed tasks, and scored here over named ones"))


def _retrieval(record: RunRecord) -> dict[str, tuple[float, int]]:
    """Metrics ``retrieval/<METRIC>/<COLUMN>`` of a record by ``<METRIC>``: points and number of tasks."""
    parts = ((metric.name.split("/"), metric) for metric in record.metrics)
    return {path[1]: (metric.value, metric.n) for path, metric in parts if path[0] == "retrieval" and len(path) == 3}
