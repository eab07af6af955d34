"""The race of all systems: what is done, what remains and about how long that takes, and its cells as jobs of Snakemake.

The jobs are those of ``workflow/cells.smk``. It is given the cells that are not done, by ``race/cells.py``, so that its markers
decide nothing from one call to the next.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from jtcse.core import device
from jtcse.core.errors import UserError
from jtcse.core.files import checkout, last_line, write_atomically
from jtcse.core.run import Run
from jtcse.experiments.one_cell import RACE, order
from jtcse.experiments.race.cells import Cell, cells_of, is_done, seconds, waits_for
from jtcse.experiments.race.members import chosen
from jtcse.experiments.race.record import write
from jtcse.pipeline.plan import Notebook
from jtcse.pipeline.schedule import Forecast, told
from jtcse.pipeline.snakemake import Steps, cell_marker, locked, watch


def run_race(
    run: Run, systems: Iterable[str] | None, jobs: int | None, console: Console, *, only_plan: bool = False
) -> None:
    """Do all cells that are not done, and write the record; or say what there is to do.

    Args:
        systems: to be raced, with what they need and the row of reference; None: all.
        jobs: cells at a time; None: as many as the cores allow.
        only_plan: say what there is to do, and do nothing.
    Raises:
        UserError: unknown systems, no text or encoder in the workspace, another race at work there, or cells that failed.
    """
    names, skipped = chosen(run, systems)
    cells, jobs = cells_of(run, names, run.settings.race.seeds), jobs or default_jobs(run)
    if only_plan:
        _say_plan(run, cells, skipped, jobs, console)
        return
    _say_skipped(skipped, console)
    with locked(run.workspace.root / "race", "jtcse race") as lock:
        try:
            failed = _do(run, cells, jobs, lock, console)
        finally:
            record = write(run)
    if record is not None:
        console.print(f"The record: {run.workspace.records / f'{run.name}.json'}", soft_wrap=True)
    if failed:
        waiting = remaining(run, cells) - len(failed)
        raise UserError(
            f"{len(failed)} of {len(cells)} cells failed ({', '.join(map(str, failed))})"
            f"{f'; {waiting} more need them' if waiting else ''}; the first: {next(iter(failed.values()))}; "
            "mend it and race again"
        )


def default_jobs(run: Run, cores: int | None = None) -> int:
    """As many cells at a time as the profile's threads leave room for on some cores, by default all."""
    cores = cores or device.cores()
    return max(1, cores // (run.settings.run.threads or cores))


def remaining(run: Run, cells: Sequence[Cell]) -> int:
    """How many cells are not done; all where text or encoder are not there yet."""
    try:
        return sum(not is_done(run, cell) for cell in cells)
    except UserError:
        return len(cells)


# -- doing it --------------------------------------------------------------------------------------------------


def _do(run: Run, cells: Sequence[Cell], jobs: int, lock: int, console: Console) -> dict[Cell, str]:
    """Do what is not done; returns what failed, with its last word. A cell that fails stops only those that need it."""
    done = _took(run, cells)
    pending = {_step(cell): cell for cell in cells if cell not in done}
    if not pending:
        return {}
    root, threads = run.workspace.root, _threads(run, jobs)
    plan = _plan(run, pending)
    for step in pending:
        (root / cell_marker(step)).unlink(missing_ok=True)  # of other settings, or of what was deleted since
    needs = {step: one.needs for step, one in plan.items()}
    given, output = root / "settings" / f"{run.name}.json", root / "logs" / f"{run.name}.txt"
    write_atomically(given, json.dumps(order(run) | {"cells": needs, "threads": threads}))
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(checkout() / "workflow" / "cells.smk"),
        "--configfile", str(given.resolve()), "--cores", str(jobs * threads), "--keep-going", "--nolock", "--rerun-incomplete",
    ]  # fmt: skip
    steps, forecast = Steps(root, list(pending)), _forecast(plan, pending, done, jobs, threads)
    console.print(f"{len(done)} of {len(cells)} cells are done; doing {len(pending)}, {jobs} at a time.")
    if watch(command, root, steps, forecast, output, lock, console):
        return {}
    failed = {pending[step]: steps.reason(step) for step in steps.running()}
    if not failed:
        said = last_line(output.read_text(encoding="utf8", errors="replace"))
        raise UserError(f"Snakemake stopped before a cell failed: {said}; see {output}")
    for cell, reason in failed.items():
        console.print(f"{cell} failed: {reason}; its log is {steps.log(_step(cell))}", soft_wrap=True, markup=False)
    return failed


def _step(cell: Cell) -> str:
    return f"{RACE}{cell.system}/{cell.seed}"


def _threads(run: Run, jobs: int) -> int:
    """Of each cell: the profile's own number, or what the cores have for so many."""
    return run.settings.run.threads or max(1, device.cores() // jobs)


def _plan(run: Run, pending: Mapping[str, Cell]) -> dict[str, Notebook]:
    """The steps with those that each waits for."""
    found = {step: [_step(need) for need in waits_for(run, cell)] for step, cell in pending.items()}
    return {
        step: Notebook(step, tuple(need for need in needs if need in pending), (), None, ())
        for step, needs in found.items()
    }


# -- how long it takes -----------------------------------------------------------------------------------------


def _took(run: Run, cells: Sequence[Cell]) -> dict[Cell, float]:
    """Seconds of each cell that is done."""
    return {cell: seconds(run, cell) for cell in cells if is_done(run, cell)}


def _forecast(
    plan: Mapping[str, Notebook], pending: Mapping[str, Cell], done: Mapping[Cell, float], jobs: int, threads: int
) -> Forecast:
    guesses = {step: _guess(cell, done) for step, cell in pending.items()}
    known = {step: seconds for step, seconds in guesses.items() if seconds is not None}
    return Forecast(plan, list(pending), known, jobs * threads, threads)


def _guess(cell: Cell, done: Mapping[Cell, float]) -> float | None:
    """Seconds of a cell: as the system's other seeds took, or as all cells of its kind."""
    alike = {other: took for other, took in done.items() if other.tunes == cell.tunes}
    own = [took for other, took in alike.items() if other.system == cell.system]
    known = own or list(alike.values())
    return float(np.mean(known)) if known else None


def _say_plan(run: Run, cells: Sequence[Cell], skipped: Mapping[str, str], jobs: int, console: Console) -> None:
    """Print a line a system: cells that are done and that remain, and an estimate of their time."""
    done = _took(run, cells)
    table = Table("system", "done", "remain", "minutes, about", title=f"The race in {run.profile}")
    for name in dict.fromkeys(cell.system for cell in cells):
        own = [cell for cell in cells if cell.system == name]
        left = [cell for cell in own if cell not in done]
        rest = ", ".join(str(cell).partition(", ")[2] for cell in left)
        table.add_row(name, str(len(own) - len(left)), rest or "–", _minutes(left, done))
    console.print(table)
    _say_skipped(skipped, console)
    pending = {_step(cell): cell for cell in cells if cell not in done}
    said = f"{len(done)} of {len(cells)} cells are done, {len(pending)} remain"
    if pending:
        threads = _threads(run, jobs)
        took = _forecast(_plan(run, pending), pending, done, jobs, threads).left({}, {})
        said += (
            "; how long they take is known once some are done" if took is None else f"; {told(took)}, {jobs} at a time"
        )
    console.print(said)


def _minutes(left: Sequence[Cell], done: Mapping[Cell, float]) -> str:
    guesses = [_guess(cell, done) for cell in left]
    return "?" if None in guesses else f"{sum(filter(None, guesses)) / 60:.1f}" if left else "–"


def _say_skipped(skipped: Mapping[str, str], console: Console) -> None:
    """Name what takes no part, and why."""
    for name, reason in skipped.items():
        console.print(f"{name} takes no part: {reason}", soft_wrap=True, markup=False)
