"""One look for every table: settings, measured scores, claims, run records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pandas import DataFrame

from jtcse.core.config import Section, Settings, load_settings
from jtcse.core.record import Metric, Provenance, RunRecord
from jtcse.pages.furniture.elements import NOT_RUN, direction, ranged, verdict
from jtcse.pages.furniture.html import shown
from jtcse.paper.printed import claims

if TYPE_CHECKING:
    from IPython.display import HTML

SENTENCE = 60  # letters from which a cell is kept wide enough to be read
COMPARISONS = {
    ("tower_1", "start"): "Stage 1 improves the encoder (tower I)",
    ("tower_2", "start"): "Stage 1 improves the encoder (tower II)",
    ("sum", "tower_1"): "Two towers together are better than tower I",
    ("sum", "tower_2"): "Two towers together are better than tower II",
    ("jtcse", "tower_1"): "The twin after stage 2 is better than tower I after stage 1",
    ("jtcse", "tower_2"): "The twin after stage 2 is better than tower II after stage 1",
    ("jtcse", "sum"): "Training the twin jointly is better than adding its towers",
    ("distilled", "tower_1"): "The distilled tower is better than tower I",
    ("distilled", "jtcse"): "The distilled tower is better than its teacher",
}
"""What the paper says or its Table I shows: the first system's average is above the second's."""


def table(frame: DataFrame, *, index: bool = False, digits: int = 2, wrap: bool = True) -> HTML:
    """A frame as HTML: text escaped, numbers rounded, dashes for gaps; it scrolls where it is too wide."""
    bare = frame.copy()  # names of an index would stand in a line of their own, above all rows
    bare.index = bare.index.set_names([None] * bare.index.nlevels)
    bare.columns = bare.columns.set_names([None] * bare.columns.nlevels)
    html = bare.to_html(index=index, border=0, na_rep="–", float_format=f"{{:.{digits}f}}".format)
    html = re.sub(rf"<td>(?=[^<]{{{SENTENCE},}})", "<td class=words>", html)
    return shown(html, kind="frame" if wrap else "frame unbroken")


def rows_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = (), **options: Any) -> HTML:
    """Rows as a table; ``columns`` are its head where there are none."""
    return table(DataFrame(rows, columns=columns or None), **options)


def facts(values: Mapping[str, Any]) -> HTML:
    """Names and values in two columns; whole numbers with their thousands apart."""
    written = [f"{value:,}" if isinstance(value, int) else value for value in values.values()]
    return table(DataFrame({"": list(values), "value": written}))


def claims_in(numbers: Sequence[str]) -> HTML:
    """Claims of the prose by their numbers, in our words, with where they are made."""
    found = claims().loc[[f"claim/{number}" for number in numbers], ["section", "text"]]
    named = found.rename(columns={"section": "in", "text": "the paper says"}).rename_axis("claim")
    return table(named.rename(index=lambda id: id.removeprefix("claim/")).reset_index())


def settings_table(
    settings: Settings, sections: Sequence[str], paper: str = "paper_bert", *, all_of_them: bool = True
) -> HTML:
    """The settings of a run beside those of the paper's profile, with what each means.

    Args:
        sections: groups to show.
        paper: the profile to compare with.
        all_of_them: False leaves out what is equal.
    """
    there, rows = {name: value for name, value, _ in _leaves(load_settings(paper))}, []
    for name, value, meaning in _leaves(settings):
        differs = value != there[name]
        if name.split(".")[0] in sections and (all_of_them or differs):
            row = {"setting": name, "here": plain(value), paper: plain(there[name])}
            rows.append(row | {"differs": "differs" if differs else "", "meaning": meaning})
    return rows_table(rows, ["setting", "here", paper, *(["differs"] if all_of_them else []), "meaning"])


def _leaves(section: Section, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Every setting with its value and what it means."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, field.description or ""


def plain(value: Any) -> str:
    """The value of a setting as it is shown."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def scores_table(metrics: Sequence[Metric]) -> HTML:
    """Tasks by systems, out of metrics named ``system/task``: points and the 95 % interval."""
    rows = {}
    for metric in metrics:
        system, task = metric.name.split("/")
        rows.setdefault(system, {})[task] = ranged(metric.value, metric.low, metric.high, ".1f", ".0f")
    return table(DataFrame(rows), index=True, wrap=False)


def claims_table(record: RunRecord) -> HTML:
    """The comparisons of the seven tasks' record: what the paper says, what was found, whether they agree."""
    found = {metric.name: metric for metric in record.metrics}
    rows = []
    for (first, second), words in COMPARISONS.items():
        metric = found.get(f"difference/{first}-{second}")
        state = direction(metric.low, metric.high) if metric else NOT_RUN
        result = verdict(metric.value, metric.low, metric.high) if metric else "–"
        rows.append({"claim": words, "here": result, "direction": state})
    return rows_table(rows)


def tally(record: RunRecord) -> dict[str, int]:
    """How many of the comparisons in a record of the seven tasks agree, disagree and are undecided."""
    found = [direction(m.low, m.high) for m in record.metrics if m.name.startswith("difference/")]
    states = ("agrees", "disagrees", "undecided")
    return {"compared": len(found)} | {state: found.count(state) for state in states}


def runs_table(records: Sequence[RunRecord]) -> HTML:
    """One row a run: when, how long, on what."""
    rows = [
        {
            "run": record.run,
            "minutes": record.provenance.seconds / 60,
            "peak memory, MiB": f"{record.provenance.peak_memory_mib:,.0f}",
            "device": record.provenance.device,
            "commit": commit(record.provenance, 8, " (changed)"),
            "begun": record.provenance.started[:16].replace("T", " "),
        }
        for record in records
    ]
    return rows_table(rows, wrap=False)


def commit(made: Provenance, letters: int | None, changed: str) -> str:
    """The commit that a run was made with, "none" outside a repository; ``changed`` is said of a tree that was not clean."""
    return "none" if made.commit is None else made.commit[:letters] + (changed if made.dirty else "")


def metrics_table(records: Sequence[RunRecord]) -> HTML:
    """Every metric of every record."""
    rows = [
        {
            "run": record.run,
            "metric": metric.name,
            "value": f"{metric.value:.4g}",
            "unit": metric.unit,
            "n": f"{metric.n:,}",
            "95 % interval": "–" if metric.low is None else f"{metric.low:.4g} to {metric.high:.4g}",
        }
        for record in records
        for metric in record.metrics
    ]
    return rows_table(rows, wrap=False)
