"""What the pages "ledger" and "runs" show besides the picture: counts, claims, problems, and every run record."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from jtcse.core.record import Metric, RunRecord
from jtcse.experiments.ablations.grids import GRIDS
from jtcse.pages.furniture.elements import beside
from jtcse.pages.furniture.html import LETTERS, Markup, box, cell, line, link, listed, shown, small
from jtcse.pages.furniture.tables import commit
from jtcse.pages.ledger.tables import book_pages, run_id, run_link, state_cell
from jtcse.paper import printed
from jtcse.paper.ledger import AllRecords, by_place, counts
from jtcse.paper.ledger.all_records import CLAIM, changed_settings
from jtcse.paper.ledger.entry import Entry
from jtcse.paper.ledger.judging import STATES

if TYPE_CHECKING:
    from IPython.display import HTML

COMMANDS = {"race": "fair_race", "tuning": "methods"}
"""Runs that are no notebook, and the page that shows each."""


def counts_table(ledger: Sequence[Entry]) -> HTML:
    """How many values of each table or figure are in each state."""
    rows = []
    for place, some in by_place(ledger).items():
        name = "claims" if place == CLAIM else printed.TITLES[place].partition(":")[0]
        found = counts(some)
        states = [cell(f"{found[s]:,}", LETTERS[s]) if found[s] else "" for s in STATES]
        rows.append(line(name, [f"{len(some):,}", *states]))
    return shown(box(["", "values", *STATES], rows, "States by table and figure"))


def claims_list(ledger: Sequence[Entry]) -> HTML:
    """Every claim of the prose: what it says, the measured effect behind it, its state."""
    section, rows = printed.claims()["section"], []
    for entry in (one for one in ledger if one.place == CLAIM):
        state = state_cell(entry, entry.state, entry.reason)
        cells = [section[entry.id], cell(entry.text, "words"), _effect(entry), state]
        rows.append(line(entry.id.removeprefix("claim/"), cells))
    head = ["", "section", "the paper says (in our words)", "effect measured", "state"]
    return shown('<div id="claims">', box(head, rows, "Claims"), "</div>")


def _effect(entry: Entry) -> str:
    if entry.difference is None:
        return "–"
    low, high = entry.difference_low, entry.difference_high
    interval = "" if low is None else f"{low:+.2f} to {high:+.2f}, profile {entry.profile}"
    return Markup(run_link(entry.profile, entry.run, f"{entry.difference:+.2f}") + small(interval))


def problems_list(found: AllRecords) -> HTML:
    """What could not be used of the records, a sentence each."""
    return shown(listed(found.problems) if found.problems else "<p>Every record that was found could be used.</p>")


# -- runs ------------------------------------------------------------------------------------------------------


def runs_list(found: AllRecords) -> HTML:
    """Every record, closed until it is asked for: a link to ``runs.html#run-<profile>-<run>`` opens its part."""
    if not found.records:
        return shown("<p>not run: there is no run record.</p>")
    parts = []
    for profile in sorted({record.profile for record in found.records}):
        parts.append(f"<p><b>Profile {escape(profile)}</b></p>")
        parts += [_run(record) for record in found.records if record.profile == profile]
    return shown(*parts, beside("open_run.html"))


def _run(record: RunRecord) -> str:
    made = record.provenance
    seconds = f"{made.seconds:,.0f} s" if made.seconds < 600 else f"{made.seconds / 60:,.0f} minutes"
    told = f"{len(record.metrics)} metrics, {made.started[:10]}, {seconds}"
    parts = [_origin(record), _changes(record), _metrics(record.metrics), _settings(record)]
    begin = f'<details id="{run_id(record.profile, record.run)}"><summary>{escape(record.run)} <small>({escape(told)})'
    return f"{begin}</small></summary>{''.join(parts)}</details>"


def _origin(record: RunRecord) -> str:
    """Where, when and with what, and how to have it once more, in two columns."""
    made, pages, page = record.provenance, book_pages(), COMMANDS.get(record.run, record.run)
    facts = {
        "notebook": link(f"{escape(page)}.html", page) if pages and page in pages else f"{page} (no page of this book)",
        "commit": commit(made, None, ", with changes that are not in it"),
        "machine": f"{made.machine}; {made.device}, {made.threads} threads",
        "begun": made.started.replace("T", " "),
        "seconds": f"{made.seconds:,.1f}",
        "peak memory": f"{made.peak_memory_mib:,.0f} MiB",
        "versions": ", ".join(f"{name} {version}" for name, version in made.versions.items()),
        "hashes": ", ".join(f"{name} {digest[:12]}" for name, digest in made.hashes.items()) or "–",
        "run again": Markup(", or ".join(f"<code>{escape(command)}</code>" for command in commands(record))),
    }
    return box(["", ""], [line(name, [cell(fact, "words")]) for name, fact in facts.items()], f"Origin of {record.run}")


def _changes(record: RunRecord) -> str:
    """Settings that are not the profile's; a record from before a setting existed does not have it."""
    changed = changed_settings(record)
    lacking = [name for name, pair in changed.items() if ... in pair]
    known = {name: map(_json, pair) for name, pair in changed.items() if name not in lacking}
    said = [f"{name}: {here}, profile {there}" for name, (here, there) in known.items()]
    words = listed(said) if said else "<p>All settings are the profile's.</p>"
    more = f"<p>The record and today's profile do not both have: {escape(', '.join(lacking))}.</p>" if lacking else ""
    return f"<p><b>Settings that differ from the profile</b></p>{words}{more}"


def _metrics(metrics: Sequence[Metric]) -> str:
    if not metrics:
        return "<p>It measured nothing that is kept.</p>"
    rows = []
    for one in metrics:
        interval = "–" if one.low is None else f"{one.low:.4g} to {one.high:.4g}"
        seed = "–" if one.seed is None else str(one.seed)
        rows.append(line(one.name, [f"{one.value:.6g}", one.unit, interval, f"{one.n:,}", seed]))
    return box(["metric", "value", "unit", "95 % interval", "n", "seed"], rows, "Metrics")


def _settings(record: RunRecord) -> str:
    lines = [f"{group}: {_json(values)}" for group, values in record.settings.items()]
    text = escape("\n".join(lines), quote=False)
    return f'<p><b>All settings</b></p><pre style="white-space:pre-wrap">{text}</pre>'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def commands(record: RunRecord) -> list[str]:
    """What makes a whole record anew, and for a grid also what makes the first of its cells."""
    asked = [shlex.quote(record.run)]
    cells = (metric for metric in record.metrics if metric.seed is not None and ">" not in metric.name)
    first = next(cells, None) if record.run in GRIDS else None
    if first is not None:
        asked.append(f"{shlex.quote(first.name)} --seed {first.seed}")
    return [f"jtcse rerun {words} --profile {record.profile}" for words in asked]
