"""One look for every table: settings, measured scores, claims, run records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jtcse.core.config import Section, Settings, load_settings
from jtcse.pages.furniture.elements import direction, verdict

if TYPE_CHECKING:
    import pandas
    from IPython.display import HTML

    from jtcse.core.record import Metric, RunRecord

SENTENCE = 60  # letters from which a cell is kept wide enough to be read
CELL = "padding:0.2em 0.9em 0.2em 0;vertical-align:top;text-align:left"
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


def table(frame: pandas.DataFrame, *, index: bool = False, digits: int = 2, wrap: bool = True) -> HTML:
    """A frame as HTML: text escaped, numbers rounded, dashes for gaps; it scrolls where it is too wide."""
    from IPython.display import HTML

    html = _without_axis_names(frame).to_html(
        index=index, border=0, escape=True, na_rep="–", float_format=f"{{:.{digits}f}}".format, justify="left"
    )
    style = CELL if wrap else CELL + ";white-space:nowrap"
    html = html.replace("<th>", f'<th style="{CELL};min-width:5em">')
    html = re.sub(rf"<td>(?=[^<]{{{SENTENCE},}})", f'<td style="{CELL};min-width:18em">', html)
    html = html.replace("<td>", f'<td style="{style}">')
    return HTML(f'<div style="overflow-x:auto">{html}</div>')


def _without_axis_names(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Names of an index would stand in a line of their own, above all rows."""
    plain = frame.copy()
    plain.index = plain.index.set_names([None] * plain.index.nlevels)
    plain.columns = plain.columns.set_names([None] * plain.columns.nlevels)
    return plain


def facts(values: Mapping[str, Any]) -> HTML:
    """Names and values in two columns; whole numbers with their thousands apart."""
    import pandas

    shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    return table(pandas.DataFrame({"": list(shown), "value": list(shown.values())}))


def settings_table(
    settings: Settings, sections: Sequence[str], paper: str = "paper_bert", *, all_of_them: bool = True
) -> HTML:
    """The settings of a run beside those of the paper's profile, with what each means.

    Args:
        sections: groups to show.
        paper: the profile to compare with.
        all_of_them: False leaves out what is equal.
    """
    import pandas

    here, there = dict(_leaves(settings)), dict(_leaves(load_settings(paper)))
    rows = [
        {
            "setting": name,
            "here": _plain(value),
            paper: _plain(there[name]),
            "differs": "differs" if value != there[name] else "",
            "meaning": _meaning(name),
        }
        for name, value in here.items()
        if name.split(".")[0] in sections and (all_of_them or value != there[name])
    ]
    columns = ["setting", "here", paper, *(["differs"] if all_of_them else []), "meaning"]
    return table(pandas.DataFrame(rows, columns=columns))


def _leaves(section: Section, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _meaning(name: str) -> str:
    model: Any = Settings
    *path, last = name.split(".")
    for part in path:
        model = model.model_fields[part].annotation
    return model.model_fields[last].description or ""


def scores_table(metrics: Sequence[Metric]) -> HTML:
    """Tasks by systems, out of metrics named ``system/task``: points and the 95 % interval."""
    import pandas

    rows = {}
    for metric in metrics:
        system, task = metric.name.split("/")
        rows.setdefault(system, {})[task] = f"{metric.value:.1f} ({metric.low:.0f} to {metric.high:.0f})"
    return table(pandas.DataFrame(rows), index=True, wrap=False)


def claims_table(record: RunRecord) -> HTML:
    """The comparisons of the seven tasks' record: what the paper says, what was found, whether they agree."""
    import pandas

    found = {metric.name: metric for metric in record.metrics}
    rows = []
    for (first, second), words in COMPARISONS.items():
        metric = found.get(f"difference/{first}-{second}")
        state = direction(metric.low, metric.high) if metric else "not run"
        result = verdict(metric.value, metric.low, metric.high) if metric else "–"
        rows.append({"claim": words, "here": result, "direction": state})
    return table(pandas.DataFrame(rows))


def tally(record: RunRecord) -> dict[str, int]:
    """How many of the comparisons in a record of the seven tasks agree, disagree and are undecided."""
    found = [direction(m.low, m.high) for m in record.metrics if m.name.startswith("difference/")]
    states = ("agrees", "disagrees", "undecided")
    return {"compared": len(found)} | {state: found.count(state) for state in states}


def runs_table(records: Sequence[RunRecord]) -> HTML:
    """One row a run: when, how long, on what."""
    import pandas

    rows = [
        {
            "run": record.run,
            "minutes": record.provenance.seconds / 60,
            "peak memory, MiB": f"{record.provenance.peak_memory_mib:,.0f}",
            "device": record.provenance.device,
            "commit": _commit(record),
            "begun": record.provenance.started[:16].replace("T", " "),
        }
        for record in records
    ]
    return table(pandas.DataFrame(rows), wrap=False)


def _commit(record: RunRecord) -> str:
    made = record.provenance
    return "none" if made.commit is None else made.commit[:8] + (" (changed)" if made.dirty else "")


def metrics_table(records: Sequence[RunRecord]) -> HTML:
    """Every metric of every record."""
    import pandas

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
    return table(pandas.DataFrame(rows), wrap=False)
