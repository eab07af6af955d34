"""What pages show of the ledger: the printed table with the measured one under it, and all of it as one picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING

import yaml

from jtcse.core.config import load_settings
from jtcse.core.files import ROOT
from jtcse.core.run import Run
from jtcse.pages.furniture.elements import give as give  # the page "ledger" takes it from here
from jtcse.pages.furniture.elements import ranged
from jtcse.pages.furniture.html import LETTERS, Markup, box, cell, key, line, link, shown, small, square
from jtcse.pages.furniture.style import shorten
from jtcse.paper import printed
from jtcse.paper.ledger import all_records, by_place, counts, entries
from jtcse.paper.ledger.all_records import CLAIM
from jtcse.paper.ledger.entry import Entry

if TYPE_CHECKING:
    from IPython.display import HTML
    from pandas import DataFrame


def side_by_side(place: str, this_run: Run) -> HTML:
    """The table as printed, and under it what each profile that has records measured.

    Args:
        place: ``table1`` ... ``table11``, ``figure2`` ... ``figure10`` or ``prose``.
        this_run: its workspace's records count above the committed ones.
    Raises:
        UserError: no such table or figure.
    """
    frame, found = printed.table(place), all_records(workdir=this_run.workspace.root)
    parts = [_printed_table(frame, place)]
    for profile in sorted({record.profile for record in found.records}):
        answered = [entry for entry in entries(found.records, place, profile) if entry.evidence is not None]
        parts += [_measured_table(frame, profile, answered)] if answered else []
    if len(parts) == 1:
        parts.append("<p><b>Measured:</b> not run. No run record answers for a value of this place.</p>")
    if found.problems:
        where = link("runs.html", "which and why")
        parts.append(f"<p>{len(found.problems)} records or metrics could not be used: {where}.</p>")
    return shown(*parts)


# -- as printed ------------------------------------------------------------------------------------------------


def _printed_table(frame: DataFrame, place: str) -> str:
    if frame.empty:
        return "<p><b>Printed:</b> no number here that can be read.</p>"
    parts = []
    for group, block in frame.groupby("group", sort=False):
        columns = list(dict.fromkeys(block["column"]))
        texts = {(one.row, one.column): _printed_cell(one.text, one.status) for one in block.itertuples()}
        rows = [line(row, [texts[row, column] for column in columns]) for row in dict.fromkeys(block["row"])]
        name = f"Printed in the paper{f', {group}' if group else ''}"
        parts.append(f"<p><b>{escape(name)}</b></p>" + box(["", *columns], rows, f"{name}: {printed.TITLES[place]}"))
    return "".join(parts)


def _printed_cell(text: str, status: str) -> Markup:
    """The text as printed; what was not read in the paper itself says so."""
    return cell(Markup(escape(text) + small("" if status in ("printed", text) else status)))


# -- as measured -----------------------------------------------------------------------------------------------


def _measured_table(frame: DataFrame, profile: str, answered: Sequence[Entry]) -> str:
    """The answers of one profile: a list where the place is one row or one column, else in the printed layout."""
    places = frame[["group", "row", "column"]]
    spots = places.loc[[entry.id for entry in answered]].itertuples(index=False, name=None)
    at = dict(zip(spots, answered, strict=True))
    columns = list(dict.fromkeys(column for _, _, column in at))
    name = f"Measured, {load_settings(profile).title}"
    if frame["column"].nunique() == 1:
        table = _as_list([(row, entry) for (_, row, _), entry in at.items()], name)
    elif frame["row"].nunique() == 1:
        table = _as_list([(column, entry) for (_, _, column), entry in at.items()], name)
    else:
        table = _as_grid(at, columns, name)
    found = {state: n for state, n in counts(answered).items() if n}
    return f"<p><b>{escape(name)}</b>. {escape(_how(answered))}</p>{key(found)}{table}"


def _as_list(answered: Sequence[tuple[str, Entry]], label: str) -> str:
    head = ["", "printed", "measured", "difference printed", "difference measured", "state"]
    rows = []
    for name, entry in answered:
        number, state = state_cell(entry, _link(entry)), state_cell(entry, entry.state, entry.reason)
        in_print = _signed(entry, entry.printed.difference)
        rows.append(line(name, [entry.text, number, in_print, _difference(entry), state]))
    return box(head, rows, label)


def _as_grid(at: dict[tuple[str, str, str], Entry], columns: Sequence[str], label: str) -> str:
    """Rows and columns as printed, without those that nothing was measured for."""
    rows = []
    for group, row in dict.fromkeys(spot[:2] for spot in at):
        found = [at.get((group, row, column)) for column in columns]
        cells = ["" if one is None else _grid_cell(one) for one in found]
        rows.append(line(f"{group}, {row}" if group else row, cells))
    return box(["", *columns], rows, label)


def _grid_cell(entry: Entry) -> Markup:
    lines = [f"{entry.text} printed"]
    if entry.difference is not None and entry.printed.kind != "gain":
        lines += [f"difference {_difference(entry)}", f"printed {_signed(entry, entry.printed.difference)}"]
    return state_cell(entry, Markup(_link(entry) + small(*lines, entry.state)), entry.reason)


def state_cell(entry: Entry, text: str, title: str = "") -> Markup:
    """A cell in the colour of an entry's state."""
    return cell(text, LETTERS[entry.state], title)


def _link(entry: Entry) -> Markup:
    """The measured number, leading to its run."""
    number = "difference only" if entry.measured is None else f"{entry.measured:.{_digits(entry)}f}"
    return run_link(entry.profile, entry.run, number)


def run_link(profile: str | None, run: str | None, text: str) -> Markup:
    """A text that leads to where the page "Look up a run" has a record."""
    return link(f"runs.html#{run_id(profile, run)}", text)


def run_id(profile: str | None, run: str | None) -> str:
    """The name of that place."""
    return escape(f"run-{profile}-{run}")


def _digits(entry: Entry) -> int:
    """Two decimals, or as many as are printed."""
    return max(2, len(entry.text.partition(".")[2]))


def _signed(entry: Entry, number: float | None) -> str:
    return "–" if number is None else f"{number:+.{_digits(entry)}f}"


def _difference(entry: Entry) -> str:
    if entry.difference is None:
        return "–"
    return ranged(entry.difference, entry.difference_low, entry.difference_high, f"+.{_digits(entry)}f")


def _how(answered: Sequence[Entry]) -> str:
    """What the differences are to, and over how many training seeds."""
    pairs = ((entry.id, entry.printed.reference) for entry in answered if entry.printed.reference and entry.difference)
    parts = (zip(id.split("/"), other.split("/"), strict=True) for id, other in pairs)
    others = dict.fromkeys(there for part in parts for here, there in part if here != there)
    seeds = sorted({entry.seeds for entry in answered if not entry.printed.exact})
    named = " or ".join(f"'{name}'" for name in others)
    words = [f"Differences are to {named}, with 95 % intervals."] if others else []
    words += [f"Training seeds: {' or '.join(map(str, seeds))}."] if seeds else []
    return " ".join(words)


# -- the whole -------------------------------------------------------------------------------------------------


def picture(ledger: Sequence[Entry], pages: Collection[str] | None = None) -> HTML:
    """The whole ledger: a strip for each table or figure, a small square for each value, coloured by its state.

    Args:
        pages: names of pages that strips may lead to; by default those of the plan of notebooks.
    """
    known = book_pages() if pages is None else frozenset(pages)
    return shown(key(counts(ledger)), *(_strip(place, some, known) for place, some in by_place(ledger).items()))


def _strip(place: str, some: Sequence[Entry], pages: Collection[str] | None) -> str:
    short, _, rest = ("Claims of the prose" if place == CLAIM else printed.TITLES[place]).partition(":")
    name = f"<b>{escape(short)} <span>{escape(rest)} · {len(some):,}</span></b>"
    squares = "".join(square(entry.state, f"{entry.id}: {shorten(entry.text, 60)}, {entry.state}") for entry in some)
    page, anchor = ("ledger", "#claims") if place == CLAIM else (place, "")
    if pages is not None and page not in pages:
        return f"<div class=strip>{name}{squares}</div>"
    return f'<a class=strip href="{page}.html{anchor}">{name}{squares}</a>'


@cache
def book_pages() -> frozenset[str] | None:
    """Names of the pages of the checkout's plan; None where there is no checkout, and every link may lead somewhere."""
    plan = ROOT / "workflow" / "notebooks.yaml"
    return frozenset(yaml.safe_load(plan.read_text(encoding="utf8"))) if plan.is_file() else None
