"""What pages show of the ledger: the printed table with the measured one under it, and all of it as one picture."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING

import yaml

from jtcse.core.config import load_settings
from jtcse.core.files import ROOT
from jtcse.pages.ledger.html import LETTERS, box, cell, key, piece
from jtcse.paper import printed
from jtcse.paper.ledger import AllRecords, all_records, counts, entries
from jtcse.paper.ledger.all_records import CLAIM
from jtcse.paper.ledger.entry import Entry

if TYPE_CHECKING:
    from IPython.display import HTML
    from pandas import DataFrame

    from jtcse.core.run import Run

CLAIMS = "Claims of the prose"


def side_by_side(place: str, this_run: Run) -> HTML:
    """The table as printed, and under it what each profile that has records measured.

    Args:
        place: ``table1`` ... ``table11``, ``figure2`` ... ``figure10`` or ``prose``.
        this_run: its workspace's records count above the committed ones.
    Raises:
        UserError: no such table or figure.
    """
    from IPython.display import HTML

    frame, found = printed.table(place), all_records(workdir=this_run.workspace.root)
    of = sorted({record.profile for record in found.records})
    measured = {profile: _answered(found, place, profile) for profile in of}
    parts = [_printed_table(frame, place)]
    parts += [_measured_table(frame, profile, some) for profile, some in measured.items() if some]
    if not any(measured.values()):
        parts.append("<p><b>Measured:</b> not run. No run record answers for a value of this place.</p>")
    return HTML(piece(*parts, _hint(found)))


def _answered(found: AllRecords, place: str, profile: str) -> list[Entry]:
    return [entry for entry in entries(found.records, place, profile) if entry.evidence is not None]


def _hint(found: AllRecords) -> str:
    if not found.problems:
        return ""
    return f'<p>{len(found.problems)} records or metrics could not be used: <a href="runs.html">which and why</a>.</p>'


# -- as printed ------------------------------------------------------------------------------------------------


def _printed_table(frame: DataFrame, place: str) -> str:
    if frame.empty:
        return "<p><b>Printed:</b> no number here that can be read.</p>"
    parts = []
    for group, block in frame.groupby("group", sort=False):
        columns = list(dict.fromkeys(block["column"]))
        texts = {(row, column): (text, status) for row, column, text, status in _of(block)}
        rows = [
            f"<th scope=row>{escape(row)}</th>" + "".join(_printed_cell(*texts[row, column]) for column in columns)
            for row in dict.fromkeys(block["row"])
        ]
        name = f"Printed in the paper{f', {group}' if group else ''}"
        parts.append(f"<p><b>{escape(name)}</b></p>" + box(["", *columns], rows, f"{name}: {printed.TITLES[place]}"))
    return "".join(parts)


def _of(block: DataFrame) -> Iterable[tuple[str, str, str, str]]:
    return zip(block["row"], block["column"], block["text"], block["status"], strict=True)


def _printed_cell(text: str, status: str) -> str:
    """The text as printed; what was not read in the paper itself says so."""
    note = "" if status == "printed" or text == status else f"<small>{escape(status)}</small>"
    return f"<td>{escape(text)}{note}</td>"


# -- as measured -----------------------------------------------------------------------------------------------


def _measured_table(frame: DataFrame, profile: str, answered: Sequence[Entry]) -> str:
    """The answers of one profile: a list where the place is one row or one column, else in the printed layout."""
    at = {id: (group, row, column) for id, group, row, column in zip(
        frame.index, frame["group"], frame["row"], frame["column"], strict=True)}  # fmt: skip
    spots = [at[entry.id] for entry in answered]
    rows, columns = (list(dict.fromkeys(spot[i] for spot in spots)) for i in (1, 2))
    name = f"Measured, {load_settings(profile).title}"
    if frame["row"].nunique() == 1 or frame["column"].nunique() == 1:
        shown = _as_list(answered, rows if frame["column"].nunique() == 1 else columns, name)
    else:
        shown = _as_grid(dict(zip(spots, answered, strict=True)), columns, name)
    found = {state: n for state, n in counts(answered).items() if n}
    return f"<p><b>{escape(name)}</b>. {escape(_how(answered))}</p>{key(found)}{shown}"


def _as_list(answered: Sequence[Entry], names: Sequence[str], label: str) -> str:
    head = ["", "printed", "measured", "difference printed", "difference measured", "state"]
    rows = [
        f"<th scope=row>{escape(name)}</th><td>{escape(entry.text)}</td><td class={LETTERS[entry.state]}>{_link(entry)}</td>"
        f"<td>{_signed(entry, entry.printed.difference)}</td><td>{_measured_difference(entry)}</td>{_state(entry)}"
        for name, entry in zip(names, answered, strict=True)
    ]
    return box(head, rows, label)


def _as_grid(at: dict[tuple[str, str, str], Entry], columns: Sequence[str], label: str) -> str:
    """Rows and columns as printed, without those that nothing was measured for."""
    rows = []
    for group, row in dict.fromkeys(spot[:2] for spot in at):
        name = f"{group}, {row}" if group else row
        found = (at.get((group, row, column)) for column in columns)
        rows.append(f"<th scope=row>{escape(name)}</th>" + "".join(map(_grid_cell, found)))
    return box(["", *columns], rows, label)


def _grid_cell(entry: Entry | None) -> str:
    if entry is None:
        return "<td></td>"
    lines = [f"{escape(entry.text)} printed"]
    if entry.difference is not None and entry.printed.kind != "gain":
        lines.append(f"difference {_measured_difference(entry)}")
        lines.append(f"printed {_signed(entry, entry.printed.difference)}")
    small = "".join(f"<small>{line}</small>" for line in [*lines, entry.state])
    return f'<td class={LETTERS[entry.state]} title="{escape(entry.reason)}">{_link(entry)}{small}</td>'


def _state(entry: Entry) -> str:
    return f'<td class={LETTERS[entry.state]} title="{escape(entry.reason)}">{escape(entry.state)}</td>'


def _link(entry: Entry) -> str:
    """The measured number, leading to its run."""
    number = "difference only" if entry.measured is None else f"{entry.measured:.{_digits(entry)}f}"
    return f'<a href="runs.html#{run_id(entry.profile, entry.run)}">{number}</a>'


def run_id(profile: str | None, run: str | None) -> str:
    """Where the page "Look up a run" has a record."""
    return escape(f"run-{profile}-{run}")


def _digits(entry: Entry) -> int:
    """Two decimals, or as many as are printed."""
    return max(2, len(entry.text.partition(".")[2]))


def _signed(entry: Entry, number: float | None) -> str:
    return "–" if number is None else f"{number:+.{_digits(entry)}f}"


def _measured_difference(entry: Entry) -> str:
    low, high = entry.difference_low, entry.difference_high
    interval = "" if low is None or high is None else f" ({_signed(entry, low)} to {_signed(entry, high)})"
    return _signed(entry, entry.difference) + interval


def _how(answered: Sequence[Entry]) -> str:
    """What the differences are to, and over how many training seeds."""
    pairs = ((entry.id, entry.printed.reference) for entry in answered if entry.printed.reference and entry.difference)
    parts = (zip(id.split("/"), other.split("/"), strict=True) for id, other in pairs)
    others = dict.fromkeys(there for part in parts for here, there in part if here != there)
    seeds = sorted({entry.seeds for entry in answered if not entry.printed.exact})
    named = " or ".join(f"'{name}'" for name in others)
    words = [f"Differences are to {named}, with 95 % intervals." if others else ""]
    words += [f"Training seeds: {' or '.join(map(str, seeds))}." if seeds else ""]
    return " ".join(filter(None, words))


# -- the whole -------------------------------------------------------------------------------------------------


def picture(ledger: Sequence[Entry], pages: Collection[str] | None = None) -> HTML:
    """The whole ledger: a strip for each table or figure, a small square for each value, coloured by its state.

    Args:
        pages: names of pages that strips may lead to; by default those of the plan of notebooks.
    """
    from IPython.display import HTML

    known = book_pages() if pages is None else frozenset(pages)
    by_place: dict[str, list[Entry]] = {}
    for entry in ledger:
        by_place.setdefault(entry.place, []).append(entry)
    strips = (_strip(place, some, known) for place, some in by_place.items())
    return HTML(piece(key(counts(ledger)), *strips))


def _strip(place: str, some: Sequence[Entry], pages: Collection[str] | None) -> str:
    title = CLAIMS if place == CLAIM else printed.TITLES[place]
    short, _, rest = title.partition(":")
    name = f"<b>{escape(short)} <span>{escape(rest)} · {len(some):,}</span></b>"
    cells = "".join(cell(entry.state, f"{entry.id}: {_brief(entry.text)}, {entry.state}") for entry in some)
    page, anchor = ("ledger", "#claims") if place == CLAIM else (place, "")
    if pages is not None and page not in pages:
        return f"<div class=strip>{name}{cells}</div>"
    return f'<a class=strip href="{page}.html{anchor}">{name}{cells}</a>'


def _brief(text: str) -> str:
    return text if len(text) <= 60 else text[:59].rstrip() + "…"


@cache
def book_pages() -> frozenset[str] | None:
    """Names of the pages of the checkout's plan; None where there is no checkout, and every link may lead somewhere."""
    plan = ROOT / "workflow" / "notebooks.yaml"
    return frozenset(yaml.safe_load(plan.read_text(encoding="utf8"))) if plan.is_file() else None


def give(**views: HTML) -> None:
    """Give views to other pages, whose ``glue`` directive takes them with ``:doc:``; where no book is made, nothing happens.

    In the book a picture is then in one place and shown in several.
    """
    try:
        from myst_nb import glue as paste
    except ImportError:  # on Colab, say
        return
    for name, view in views.items():
        paste(name, view, display=False)
