"""The commands that read: the ledger of printed values, and the audit of the paper by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jtcse.core.errors import unknown

if TYPE_CHECKING:
    from jtcse.paper.ledger.entry import Entry

AsJson = Annotated[bool, typer.Option("--json", help="Rows as JSON, for a program.")]
COLUMNS = ("id", "printed", "measured", "measured difference", "printed difference", "state", "profile", "run")


def ledger(
    table: Annotated[str | None, typer.Option(help="10, table10, figure7, prose or claim; by default all.")] = None,
    state: Annotated[str | None, typer.Option(help="Only this state, such as 'direction agrees' or not-run.")] = None,
    profile: Annotated[str | None, typer.Option(help="Look only at records of this profile.")] = None,
    workdir: Annotated[
        Path | None,
        typer.Option(help="Workspace whose records count above the committed ones; by default all in build/."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say for every printed value and every claim what the run records say about it.

    Without --table and --state it counts states by table; with one of them it lists the rows.

    Examples:

        jtcse ledger

        jtcse ledger --table 10 --profile mini

        jtcse ledger --state "direction disagrees" --json
    """
    from jtcse.paper import ledger as book

    place, wanted = _place(table), _state(state)
    folders = [workdir] if workdir else sorted(Path("build").glob("*"))
    found = book.all_records(workdir=folders)
    listed = book.entries(found.records, place=place, profile=profile)
    shown = [entry for entry in listed if wanted in (None, entry.state)]
    for problem in found.problems:
        typer.secho(f"jtcse: {problem}", err=True, fg="yellow")
    if as_json:
        typer.echo(json.dumps([entry.as_dict() for entry in shown], indent=1, ensure_ascii=False))
    elif table or state:
        _show(COLUMNS, [_cells(entry) for entry in shown])
        typer.echo(_counted(shown))
    else:
        _print_counts(shown)


def audit(as_json: AsJson = False) -> None:
    """Check the paper's numbers against each other, by rules, without any run.

    Examples:

        jtcse audit

        jtcse audit --json
    """
    from jtcse.paper.audit import findings

    found = findings()
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in found], indent=1, ensure_ascii=False))
    else:
        _show(("place", "strength", "rule", "finding"), [(f.place, f.strength, f.rule, f.sentence) for f in found])
        typer.echo(f"{len(found):,} findings")


def _place(table: str | None) -> str | None:
    """``10`` as ``table10``."""
    if table is None:
        return None
    return f"table{table}" if table.isdecimal() else table.lower().replace(" ", "")


def _state(state: str | None) -> str | None:
    from jtcse.paper.ledger import STATES

    name = None if state is None else state.lower().replace("-", " ").replace("_", " ")
    if name is not None and name not in STATES:
        raise unknown("state", name, STATES)
    return name


# -- for people ------------------------------------------------------------------------------------------------


def _show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table without the columns that would be empty; names in the first one are never cut."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    used = [number for number in range(len(columns)) if number == 0 or any(row[number] for row in rows)]
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for number in used:
        table.add_column(columns[number], no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[number]) for number in used))  # Text: a bracket in a name is no markup
    Console().print(table)


def _cells(entry: Entry) -> list[str]:
    low, high = entry.difference_low, entry.difference_high
    interval = "" if low is None or high is None else f" ({low:+.2f} to {high:+.2f})"
    printed = entry.printed.difference
    return [
        entry.id,
        entry.text,
        "" if entry.measured is None else f"{entry.measured:.2f}",
        "" if entry.difference is None else f"{entry.difference:+.2f}{interval}",
        "" if printed is None else f"{printed:+.2f}",
        entry.state,
        entry.profile or "",
        entry.run or "",
    ]


def _print_counts(entries: Sequence[Entry]) -> None:
    from jtcse.paper.ledger import STATES, by_place, counts

    rows = [
        [place, f"{len(some):,}", *(f"{n:,}" if n else "" for n in counts(some).values())]
        for place, some in by_place(entries).items()
    ]
    _show(("place", "values", *(state.replace(" ", "\n") for state in STATES)), rows)
    typer.echo(_counted(entries))


def _counted(entries: Sequence[Entry]) -> str:
    from jtcse.paper.ledger import counts

    found = ", ".join(f"{n:,} {state}" for state, n in counts(entries).items() if n)
    return f"{len(entries):,} in all: {found}" if entries else "none in all"
