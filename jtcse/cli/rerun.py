"""The command that makes one committed number, or a whole run record, anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jtcse.pipeline.rerun import Outcome
    from jtcse.pipeline.rerun.compare import Compared


def rerun(
    name: Annotated[
        str, typer.Argument(help="A cell of a grid, such as table10/NCE+ICTM, or a run, such as seven_tasks.")
    ],
    seed: Annotated[
        int | None, typer.Option(min=0, help="Training seed of a cell; by default all that the record has.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Profile whose committed record is meant.")] = "embedded",
    workdir: Annotated[
        Path | None, typer.Option(help="Folder to work in, other than the profile's; by default build/PROFILE/rerun.")
    ] = None,
) -> None:
    """Make a committed number anew, with the settings of its record, and hold it against what is committed.

    On the machine of the record, in its number format and with its versions, every digit must come back; elsewhere, and where the
    record does not say, the new number must lie within the band that is printed. Status 1: it does not.

    Examples:

        jtcse rerun table10/NCE+ICTM --seed 1 --profile mini

        jtcse rerun code/base --profile mini

        jtcse rerun seven_tasks --profile mini
    """
    from jtcse.pipeline.rerun import rerun as run_again

    outcome = run_again(name, profile, seed, workdir, say=typer.echo)
    for line in report(outcome, name):
        typer.echo(line)
    if not outcome.good:
        raise typer.Exit(1)


def report(outcome: Outcome, name: str) -> list[str]:
    """What came out, a line each: the machines, every number of a cell, of a whole record those that are not the same."""
    from jtcse.pipeline.rerun.compare import SAME

    machines = outcome.machines
    others = f"last digits may differ: {'; '.join(machines)}" if machines else "they are the record's"
    lines = [f"device, machine, number format, instructions, threads and versions: {others}"]
    whole, same = name == outcome.then.run, [one for one in outcome.compared if one.words == SAME]
    lines += [_line(one) for one in outcome.compared if not (whole and one in same)]
    if whole:
        lines.append(
            f"{len(same):,} of {len(outcome.compared):,} numbers are {SAME}; times and memory are not compared"
        )
    lines.append("came back" if outcome.good else f"did not come back; the record is of commit {_commits(outcome)}")
    return lines


def _line(one: Compared) -> str:
    seed = "" if one.then.seed is None else f", seed {one.then.seed}"
    now = "nothing" if one.now is None else f"{one.now.value!r}"
    return f"{one.then.name}{seed}: {one.then.value!r} in the record, {now} now: {one.words}"


def _commits(outcome: Outcome) -> str:
    then, now = outcome.then.provenance.commit, outcome.now.provenance.commit
    return f"{(then or 'unknown')[:12]}, this code of {(now or 'unknown')[:12]}"
