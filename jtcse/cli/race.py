"""The commands that race all systems against each other, and that make a single cell of the race or of a grid."""

from __future__ import annotations

from typing import Annotated

import typer

from jtcse.cli.options import Profile, Turned, Workdir, run_of
from jtcse.core.errors import UserError


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
    from jtcse.pipeline.race import run_race

    turned = parse_assignments(settings or [])
    if seeds is not None:
        turned["race.seeds"] = _numbers(seeds)
    run = run_of("race", profile, workdir, turned)
    run_race(run, systems.split(",") if systems else None, jobs, Console(highlight=False), only_plan=plan)


def cell(
    id: Annotated[str, typer.Argument(help="Of a grid's cell, such as table10/NCE, or race/SYSTEM.")],
    settings: Turned = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of its training; 0 chooses the learning rate of a system of the race.")
    ] = None,
    profile: Profile = "embedded",
    workdir: Workdir = None,
) -> None:
    """Make one cell of a grid or of the race in a profile's workspace, where it is kept for pages and records.

    Several may be made at once, by other processes or machines on one disk: what two of them need, one makes.

    Examples:

        jtcse cell table10/NCE+ICTM --seed 1 --profile mini

        jtcse cell race/simcse --seed 2
    """
    from jtcse.core.config import parse_assignments
    from jtcse.experiments.one_cell import do

    do(run_of("cell", profile, workdir, parse_assignments(settings or [])), id, seed)


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise UserError(f"--seeds is {text!r}; expected whole numbers with commas between them, such as 1,2") from error
