"""The command that races all systems against each other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jtcse.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from jtcse.run import Run


def register(app: typer.Typer) -> None:
    """Give ``jtcse race`` to the command line."""
    app.command()(race)


def race(
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings to turn, such as race.steps=50.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Profile that trains, such as embedded or mini.")] = "embedded",
    workdir: Annotated[Path | None, typer.Option(help="Workspace of the profile; by default build/PROFILE.")] = None,
    systems: Annotated[
        str | None, typer.Option(help="Names such as esimcse,pcl, with what they need, and simcse; by default all.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds such as 1,2; by default the profile's.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Trainings at a time; by default what the cores allow.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what is done, what remains and about how long it takes.")
    ] = False,
) -> None:
    """Train and score all compared systems from one encoder, on one text, with one budget, and write the record of the race.

    What is done is not done again; after an interruption the same command goes on.

    Examples:

        jtcse race --plan

        jtcse race --profile mini --jobs 1

        jtcse race --systems esimcse,pcl --seeds 1,2,3 race.steps=50
    """
    from rich.console import Console

    from jtcse.config import load_settings, parse_assignments
    from jtcse.run import Run, Workspace

    turned = parse_assignments(settings or [])
    if seeds is not None:
        turned["race.seeds"] = _numbers(seeds)
    loaded = load_settings(profile, turned)
    run = Run("race", profile, loaded, Workspace(workdir or Path("build") / profile))
    run_race(run, systems.split(",") if systems else None, jobs, Console(highlight=False), only_plan=plan)


def run_race(
    run: Run, systems: Iterable[str] | None, jobs: int | None, console: Console, *, only_plan: bool = False
) -> None:
    """Do all cells that are not done, and write the record; or say what there is to do.

    Raises:
        UserError: unknown systems, no text or encoder in the workspace, another race at work there, or cells that failed.
    """
    from jtcse.race.cells import cells_of
    from jtcse.race.members import chosen
    from jtcse.race.record import write
    from jtcse.race.report import say_plan, say_skipped
    from jtcse.race.running import Runner, default_jobs

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


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise UserError(f"--seeds is {text!r}; expected whole numbers with commas between them, such as 1,2") from error
