"""What of the race is done, what remains and about how long it takes: for ``--plan`` and for dry runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from jtcse.errors import UserError
from jtcse.race.cells import Cell, is_done, seconds
from jtcse.run import Run


def say_plan(run: Run, cells: Sequence[Cell], skipped: Mapping[str, str], jobs: int, console: Console) -> None:
    """Print a line a system: cells that are done and that remain, and an estimate of their time."""
    done = {cell: seconds(run, cell) for cell in cells if is_done(run, cell)}
    table = Table("system", "done", "remain", "minutes, about", title=f"The race in {run.profile}")
    for name in dict.fromkeys(cell.system for cell in cells):
        own = [cell for cell in cells if cell.system == name]
        left = [cell for cell in own if cell not in done]
        rest = ", ".join(str(cell).partition(", ")[2] for cell in left)
        table.add_row(name, str(len(own) - len(left)), rest or "–", _minutes(left, done) if left else "–")
    console.print(table)
    say_skipped(skipped, console)
    left = [cell for cell in cells if cell not in done]
    told = f"{len(done)} of {len(cells)} cells are done, {len(left)} remain"
    about = f"; about {_minutes(left, done, jobs)} minutes, {jobs} at a time" if left and done else ""
    unknown = "; how long they take is known once some are done" if left and not done else ""
    console.print(told + about + unknown)


def say_skipped(skipped: Mapping[str, str], console: Console) -> None:
    """Name what takes no part, and why."""
    for name, reason in skipped.items():
        console.print(f"{name} takes no part: {reason}", soft_wrap=True, markup=False)


def remaining(run: Run, cells: Sequence[Cell]) -> int:
    """How many cells are not done; all where text or encoder are not there yet."""
    try:
        return sum(not is_done(run, cell) for cell in cells)
    except UserError:
        return len(cells)


def _minutes(left: Sequence[Cell], done: Mapping[Cell, float], jobs: int = 1) -> str:
    guesses = [_guess(cell, done) for cell in left]
    return "?" if None in guesses else f"{sum(filter(None, guesses)) / 60 / jobs:.1f}"


def _guess(cell: Cell, done: Mapping[Cell, float]) -> float | None:
    """Seconds of a cell: as the system's other seeds took, or as all cells of its kind."""
    alike = {other: took for other, took in done.items() if other.tunes == cell.tunes}
    own = [took for other, took in alike.items() if other.system == cell.system]
    known = own or list(alike.values())
    return float(np.mean(known)) if known else None
