"""What the pages "ledger" and "runs" show besides the picture: counts, claims, problems, and every run record."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from jtcse.core.record import Metric, RunRecord
from jtcse.experiments.ablations.grids import GRIDS
from jtcse.pages.ledger.html import LETTERS, box, piece
from jtcse.pages.ledger.tables import book_pages, run_id
from jtcse.paper import printed
from jtcse.paper.ledger import AllRecords, counts
from jtcse.paper.ledger.all_records import CLAIM, changed_settings
from jtcse.paper.ledger.entry import Entry
from jtcse.paper.ledger.judging import STATES

if TYPE_CHECKING:
    from IPython.display import HTML

COMMANDS = {"race": "fair_race", "tuning": "methods"}
"""Runs that are no notebook, and the page that shows each."""
OPEN = """<script>(() => {
  const open = () => {
    const run = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (run && run.tagName === "DETAILS") { run.open = true; run.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  document.readyState === "complete" ? open() : addEventListener("load", open);
})()</script>"""  # a link to a closed part of a page must open it


def counts_table(ledger: Sequence[Entry]) -> HTML:
    """How many values of each table or figure are in each state."""
    from IPython.display import HTML

    by_place: dict[str, list[Entry]] = {}
    for entry in ledger:
        by_place.setdefault(entry.place, []).append(entry)
    rows = []
    for place, some in by_place.items():
        name = "claims" if place == CLAIM else printed.TITLES[place].partition(":")[0]
        found = counts(some)
        cells = "".join(f"<td class={LETTERS[s]}>{n:,}</td>" if (n := found[s]) else "<td></td>" for s in STATES)
        rows.append(f"<th scope=row>{escape(name)}</th><td>{len(some):,}</td>{cells}")
    return HTML(piece(box(["", "values", *STATES], rows, "States by table and figure")))


def claims_list(ledger: Sequence[Entry]) -> HTML:
    """Every claim of the prose: what it says, the measured effect behind it, its state."""
    from IPython.display import HTML

    section = printed.claims()["section"]
    rows = [
        f"<th scope=row>{escape(entry.id.removeprefix('claim/'))}</th><td>{escape(section[entry.id])}</td>"
        f"<td class=words>{escape(entry.text)}</td><td>{_effect(entry)}</td>"
        f'<td class={LETTERS[entry.state]} title="{escape(entry.reason)}">{entry.state}</td>'
        for entry in ledger
        if entry.place == CLAIM
    ]
    table = box(["", "section", "the paper says (in our words)", "effect measured", "state"], rows, "Claims")
    return HTML(f'<div id="claims">{piece(table)}</div>')


def _effect(entry: Entry) -> str:
    if entry.difference is None:
        return "–"
    low, high = entry.difference_low, entry.difference_high
    interval = "" if low is None else f"<small>{low:+.2f} to {high:+.2f}, profile {escape(str(entry.profile))}</small>"
    return f'<a href="runs.html#{run_id(entry.profile, entry.run)}">{entry.difference:+.2f}</a>{interval}'


def problems_list(found: AllRecords) -> HTML:
    """What could not be used of the records, a sentence each."""
    from IPython.display import HTML

    if not found.problems:
        return HTML(piece("<p>Every record that was found could be used.</p>"))
    return HTML(piece(f"<ul>{''.join(f'<li>{escape(problem)}</li>' for problem in found.problems)}</ul>"))


# -- runs ------------------------------------------------------------------------------------------------------


def runs_list(found: AllRecords) -> HTML:
    """Every record, closed until it is asked for: a link to ``runs.html#run-<profile>-<run>`` opens its part."""
    from IPython.display import HTML

    if not found.records:
        return HTML(piece("<p>not run: there is no run record.</p>"))
    by_profile: dict[str, list[RunRecord]] = {}
    for record in found.records:
        by_profile.setdefault(record.profile, []).append(record)
    parts = []
    for profile in sorted(by_profile):
        parts.append(f"<p><b>Profile {escape(profile)}</b></p>")
        parts += map(_run, by_profile[profile])
    return HTML(piece(*parts, OPEN))


def _run(record: RunRecord) -> str:
    made = record.provenance
    seconds = f"{made.seconds:,.0f} s" if made.seconds < 600 else f"{made.seconds / 60:,.0f} minutes"
    told = f"{len(record.metrics)} metrics, {made.started[:10]}, {seconds}"
    parts = [_origin(record), _changes(record), _metrics(record.metrics), _settings(record)]
    begin = f'<details id="{run_id(record.profile, record.run)}"><summary>{escape(record.run)} <small>({escape(told)})'
    return f"{begin}</small></summary>{''.join(parts)}</details>"


def _origin(record: RunRecord) -> str:
    """Where, when and with what, and how to have it once more, in two columns."""
    made, pages = record.provenance, book_pages()
    page = COMMANDS.get(record.run, record.run)
    shown = escape(page)
    linked = f'<a href="{shown}.html">{shown}</a>' if pages and page in pages else f"{shown} (no page of this book)"
    commit = (
        "none" if made.commit is None else made.commit + (", with changes that are not in it" if made.dirty else "")
    )
    facts = {
        "commit": commit,
        "machine": f"{made.machine}; {made.device}, {made.threads} threads",
        "begun": made.started.replace("T", " "),
        "seconds": f"{made.seconds:,.1f}",
        "peak memory": f"{made.peak_memory_mib:,.0f} MiB",
        "versions": ", ".join(f"{name} {version}" for name, version in made.versions.items()),
        "hashes": ", ".join(f"{name} {digest[:12]}" for name, digest in made.hashes.items()) or "–",
    }
    rows = [f"<th scope=row>notebook</th><td>{linked}</td>"]
    rows += [f"<th scope=row>{name}</th><td class=words>{escape(fact)}</td>" for name, fact in facts.items()]
    again = ", or ".join(f"<code>{escape(command)}</code>" for command in commands(record))
    rows.append(f"<th scope=row>run again</th><td class=words>{again}</td>")
    return box(["", ""], rows, f"Origin of {record.run}")


def _changes(record: RunRecord) -> str:
    """Settings that are not the profile's; a record from before a setting existed does not have it."""
    changed = changed_settings(record)
    turned = {name: pair for name, pair in changed.items() if ... not in pair}
    lacking = [name for name, pair in changed.items() if ... in pair]
    said = "".join(
        f"<li>{escape(name)}: {_json(here)}, profile {_json(there)}</li>" for name, (here, there) in turned.items()
    )
    words = f"<ul>{said}</ul>" if said else "<p>All settings are the profile's.</p>"
    more = f"<p>The record and today's profile do not both have: {escape(', '.join(lacking))}.</p>" if lacking else ""
    return f"<p><b>Settings that differ from the profile</b></p>{words}{more}"


def _metrics(metrics: Sequence[Metric]) -> str:
    if not metrics:
        return "<p>It measured nothing that is kept.</p>"
    rows = [
        f"<th scope=row>{escape(metric.name)}</th><td>{metric.value:.6g}</td><td>{escape(metric.unit)}</td>"
        f"<td>{'–' if metric.low is None else f'{metric.low:.4g} to {metric.high:.4g}'}</td><td>{metric.n:,}</td>"
        f"<td>{'–' if metric.seed is None else metric.seed}</td>"
        for metric in metrics
    ]
    return box(["metric", "value", "unit", "95 % interval", "n", "seed"], rows, "Metrics")


def _settings(record: RunRecord) -> str:
    lines = [f"{group}: {json.dumps(values, ensure_ascii=False)}" for group, values in record.settings.items()]
    text = escape("\n".join(lines), quote=False)
    return f'<p><b>All settings</b></p><pre style="white-space:pre-wrap">{text}</pre>'


def _json(value: Any) -> str:
    return escape(json.dumps(value, ensure_ascii=False), quote=False)


def commands(record: RunRecord) -> list[str]:
    """What makes a whole record anew, and for a grid also what makes the first of its cells."""
    asked = [shlex.quote(record.run)]
    cells = (metric for metric in record.metrics if metric.seed is not None and ">" not in metric.name)
    first = next(cells, None) if record.run in GRIDS else None
    if first is not None:
        asked.append(f"{shlex.quote(first.name)} --seed {first.seed}")
    return [f"jtcse rerun {words} --profile {record.profile}" for words in asked]
