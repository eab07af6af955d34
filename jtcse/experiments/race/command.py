"""What of the race is done, what remains and about how long it takes: for ``--plan`` and for dry runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from jtcse.core.errors import UserError
from jtcse.core.run import Run
from jtcse.experiments.race.cells import Cell, cells_of, is_done, seconds
from jtcse.experiments.race.members import chosen
from jtcse.experiments.race.running import Runner, default_jobs


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


def run_race(
    run: Run, systems: Iterable[str] | None, jobs: int | None, console: Console, *, only_plan: bool = False
) -> None:
    """Do all cells that are not done, and write the record; or say what there is to do.

    Raises:
        UserError: unknown systems, no text or encoder in the workspace, another race at work there, or cells that failed.
    """
    from jtcse.experiments.race.record import write

    names, skipped = chosen(run, systems)
    cells, jobs = cells_of(run, names, run.settings.race.seeds), jobs or default_jobs(run)
    if only_plan:
        say_plan(run, cells, skipped, jobs, console)
        return
    say_skipped(skipped, console)
    runner = Runner(run, cells, jobs)
    try:
        runner.go()
    finally:
        record = write(run)
    if record is not None:
        console.print(f"The record: {run.workspace.records / f'{run.name}.json'}", soft_wrap=True)
    if runner.failed:
        names, first = ", ".join(map(str, runner.failed)), next(iter(runner.failed.values()))
        waiting = f"; {len(runner.held)} more need them" if runner.held else ""
        raise UserError(
            f"{len(runner.failed)} of {len(cells)} cells failed ({names}){waiting}; the first: {first}; mend it and race again"
        )
