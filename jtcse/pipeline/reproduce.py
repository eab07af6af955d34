"""Run the notebooks of a profile through Snakemake, say what happens and show what was measured."""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from jtcse.core.config import load_settings
from jtcse.core.device import cores
from jtcse.core.errors import UserError
from jtcse.core.files import checkout, last_line
from jtcse.experiments.zero_shot import parts
from jtcse.pipeline.headline import headline
from jtcse.pipeline.plan import (
    BOOK,
    SCORES,
    Notebook,
    plan_of,
    refuse_left_out,
    shown_committed,
    with_format,
    with_needs,
    write_changed,
    write_parameters,
)
from jtcse.pipeline.schedule import Forecast, known_seconds, told
from jtcse.pipeline.snakemake import Steps, locked, near, watch
from jtcse.pipeline.unchanged import State

if TYPE_CHECKING:
    from jtcse.core.run import Run

LOST, AGAIN = "a product is missing", "tasks have no result yet"
FORCED = (LOST, AGAIN)  # reasons that Snakemake does not see by itself
BEFORE_RACE = "encoder"  # the notebook whose products the race of all systems starts from


@dataclass(frozen=True)
class Request:
    """What is asked of one call of the pipeline."""

    root: Path
    profile: str
    only: tuple[str, ...]
    jobs: int
    overrides: Mapping[str, Any]
    full: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)
    """Of the overrides those that somebody typed."""
    shown: Sequence[str] = ()
    """Notebooks whose committed pages stand in place of a run."""

    @property
    def build(self) -> Path:
        """Folder of everything that the profile produces."""
        return self.root / "build" / self.profile

    def words(self) -> str:
        """The command that asks for the same."""
        settings = [shlex.quote(f"{name}={json.dumps(value)}") for name, value in self.asked.items()]
        only = [word for name in self.only for word in ("--only", name)]
        full = ["--full"] if self.full else []
        return " ".join(["jtcse reproduce --profile", self.profile, *full, *only, *settings])


def reproduce(
    profile: str = "embedded",
    only: Sequence[str] = (),
    jobs: int | None = None,
    dry_run: bool = False,
    overrides: Mapping[str, Any] | None = None,
    console: Console | None = None,
    full: bool = False,
) -> Path:
    """Run what is out of date and build the book.

    Args:
        profile: name of a profile.
        only: notebooks to run with all they need; the book is then left as it is. Empty: all, and the book.
        jobs: cores to use; None: all of this machine.
        dry_run: only say what would run, and why.
        overrides: settings to turn, by dotted name, as typed values.
        console: where to speak; None: standard output.
        full: run also what is else shown from committed records: the notebooks that the profile names under ``committed``, and,
            once text and encoder are there, the race of all systems.
    Returns:
        The book's first page, or with ``only`` the folder of executed notebooks.
    Raises:
        UserError: wrong input, another run at work in the same folder, or a notebook that failed.
    """
    console = console or Console(highlight=False)
    root, asked = checkout(), dict(overrides or {})
    settings = load_settings(profile, asked)
    shown = [] if full else [name for name in shown_committed(root, profile, settings) if name not in only]
    plan = plan_of(root, settings, shown)
    refuse_left_out(root, plan, [*only, *([BEFORE_RACE] if full else [])], profile)
    names = with_needs(plan, list(only) or list(plan))
    turned = with_format(root, profile, asked)
    request = Request(root, profile, tuple(only), jobs or cores(), turned, full, asked, shown)
    aims = names if only else [BOOK]
    with locked(request.build, "jtcse reproduce") as lock:
        write_parameters(request.root, profile, request.overrides)
        if full and not dry_run:
            _race(request, plan, lock, console)
        again = parts.incomplete(request.build, settings) if SCORES in names else []
        if again and not dry_run:
            _run(request, plan, dict.fromkeys(again, AGAIN), _targets(request, again), lock, console)
            again = []  # what has no result now waits for the next call
        pending = _pending(request, plan, names, aims, again)
        if dry_run:
            _say_plan(console, pending)
            if full:
                _say_race(request, console)
        elif pending:
            _run(request, plan, pending, aims, lock, console)
        else:
            console.print(f"Nothing to do: everything in {near(request.build)} is up to date.")
    result = request.build / "executed" if only else request.build / "book" / "_build" / "html" / "index.html"
    if not dry_run:
        _show(request, console)
        if shown and not only:
            console.print(
                f"Not run but shown from results/{profile}: {', '.join(shown)} (--full runs them).", soft_wrap=True
            )
        console.print(f"{'Executed notebooks' if only else 'The book'}: {result}", soft_wrap=True)
    return result


def _show(request: Request, console: Console) -> None:
    table = headline(request.build / "records", request.only)
    if table:
        console.print(table)
    console.print(f"All numbers, with where they come from: {near(request.build / 'records')}", soft_wrap=True)


def _command(request: Request, targets: Sequence[str], *flags: str) -> list[str]:
    """The Snakemake call; its own lock is off because ours is on."""
    configuration = request.build / "settings" / "snakemake.json"
    write_changed(
        configuration, json.dumps({"profile": request.profile, "overrides": request.overrides, "shown": request.shown})
    )
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(request.root / "workflow" / "Snakefile"),
        "--configfile", str(configuration), "--cores", str(request.jobs), "--nolock", "--rerun-incomplete",
        "--rerun-triggers", "mtime", "input", "code", *flags, "--", *targets,
    ]  # fmt: skip


def _pending(
    request: Request, plan: Mapping[str, Notebook], names: Sequence[str], aims: Sequence[str], again: Sequence[str] = ()
) -> dict[str, str]:
    """Steps that would run for the sake of ``aims``, in running order, with the reason; ``again``: parts that run in any case."""
    state = State(request.root, request.build, aims)
    lost = [
        name for name in names
        if (request.build / "executed" / f"{name}.ipynb").is_file()
        and not all((request.build / output).exists() for output in plan[name].outputs)
    ]  # fmt: skip
    if not lost and not again and state.recognised():
        return {}
    command = _command(request, aims, *_force(request, [*lost, *again]), "--summary")
    done = subprocess.run(
        command, cwd=request.root, capture_output=True, encoding="utf8", errors="replace", stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise UserError(f"Snakemake could not make a plan: {last_line(done.stderr)}")
    rows = [row for row in csv.DictReader(done.stdout.splitlines(), delimiter="\t") if row["plan"] != "no update"]
    known = dict.fromkeys(lost, LOST) | dict.fromkeys(again, AGAIN)
    steps = [(parts.step_of(row["output_file"]) if row["rule"] == parts.RULE else row["rule"], row) for row in rows]
    reasons = {step: known.get(step, row["status"]) for step, row in steps}
    if not steps:
        state.keep()
    order = [*plan, BOOK]
    return {step: reasons[step] for step in sorted(reasons, key=lambda one: order.index(one) if one in order else -1)}


def _force(request: Request, steps: Sequence[str]) -> list[str]:
    return ["--forcerun", *_targets(request, steps)] if steps else []


def _targets(request: Request, steps: Sequence[str]) -> list[str]:
    """What Snakemake calls these steps: a part goes by its file, anything else by its name."""
    markers = {step: parts.marker_of(step) for step in steps}
    return [f"build/{request.profile}/{path}" if path else step for step, path in markers.items()]


def _say_plan(console: Console, pending: Mapping[str, str]) -> None:
    console.print(f"Would run {len(pending)} step(s):" if pending else "Nothing to do: everything is up to date.")
    for step, reason in pending.items():
        console.print(f"  {step:16} ({reason})")


def _race(request: Request, plan: Mapping[str, Notebook], lock: int, console: Console) -> None:
    """Text and encoder first, then the race of all systems, which needs nothing else."""
    from jtcse.pipeline.race import default_jobs, run_race

    names = with_needs(plan, [BEFORE_RACE])
    pending = _pending(request, plan, names, names)
    if pending:
        _run(request, plan, pending, names, lock, console)
    run = _race_of(request)
    run_race(run, None, default_jobs(run, request.jobs), console)


def _say_race(request: Request, console: Console) -> None:
    from jtcse.experiments.race.cells import cells_of
    from jtcse.experiments.race.members import members
    from jtcse.pipeline.race import remaining

    run = _race_of(request)
    cells = cells_of(run, members(run)[0], run.settings.race.seeds)
    console.print(f"Once {BEFORE_RACE!r} is done, the race: {remaining(run, cells)} of {len(cells)} cells remain.")


def _race_of(request: Request) -> Run:
    from jtcse.core.run import Run, Workspace

    settings = load_settings(request.profile, request.overrides)
    return Run("race", request.profile, settings, Workspace(request.build))


def _run(
    request: Request,
    plan: Mapping[str, Notebook],
    pending: Mapping[str, str],
    aims: Sequence[str],
    lock: int,
    console: Console,
) -> None:
    """Run the pending steps; when one fails, say which, why, where its traceback is, and how to go on."""
    steps, output = Steps(request.build, list(pending)), request.build / "logs" / "snakemake.txt"
    state = State(request.root, request.build, aims)
    forced = [step for step, reason in pending.items() if reason in FORCED]
    command = _command(request, aims, *_force(request, forced), "--resources", "gpu=1")
    seconds = known_seconds(request.root, request.profile, plan)
    threads = load_settings(request.profile, request.overrides).run.threads
    forecast = Forecast(plan, list(pending), seconds, request.jobs, threads)
    left = forecast.left({}, {})
    console.print(
        f"Running {len(pending)} step(s) of profile {request.profile!r} on {request.jobs} core(s)"
        + ("." if left is None else f", {told(left)} by earlier runs.")
    )
    if watch(command, request.root, steps, forecast, output, lock, console):
        state.keep()
        return
    failure = steps.failure()
    if failure is None:
        said = last_line(output.read_text(encoding="utf8", errors="replace"))
        raise UserError(f"Snakemake stopped before a step began: {said}; see {near(output)}")
    step, reason, log = failure
    raise UserError(f"{step} failed: {reason}; its log is {near(log)}; mend it and go on with: {request.words()}")
