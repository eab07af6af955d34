"""The command that races all systems against each other."""

from __future__ import annotations

from typing import Annotated

import typer

from jtcse.cli.options import Profile, Turned, Workdir, run_of
from jtcse.core.errors import UserError
from jtcse.experiments.race.command import run_race


def race(
    settings: Turned = None,
    profile: Profile = "embedded",
    workdir: Workdir = None,
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

    from jtcse.core.config import parse_assignments

    turned = parse_assignments(settings or [])
    if seeds is not None:
        turned["race.seeds"] = _numbers(seeds)
    run = run_of("race", profile, workdir, turned)
    run_race(run, systems.split(",") if systems else None, jobs, Console(highlight=False), only_plan=plan)


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise UserError(f"--seeds is {text!r}; expected whole numbers with commas between them, such as 1,2") from error
