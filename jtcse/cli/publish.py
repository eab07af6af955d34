"""The commands between a finished run and its readers: publish its outcome, build the book of it, hand a trained encoder out."""

from __future__ import annotations

import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from jtcse.cli.options import Profile, Workdir, workspace_of


def publish(
    profile: Profile = "mini",
    workdir: Workdir = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Publish what is whole, and say in the book what was not run.")
    ] = False,
) -> None:
    """Copy the outcome of a finished run into results/PROFILE: records, slim pages, scores of single pairs.

    What was committed there before is replaced. Everything must be of a commit, and belong together.

    Examples:

        jtcse publish --profile mini

        jtcse publish --profile mini --workdir ../run/build/mini --partial
    """
    from jtcse.pipeline.publish.outcome import publish as put_there

    done = put_there(profile, workdir, partial)
    for sentence in done.said:
        typer.secho(f"jtcse: {sentence}", err=True, fg="yellow")
    for line in done.sizes():
        typer.echo(line)
    typer.echo(f"Published in results/{profile}; commit it, then: jtcse book --profile {profile}")


def book(profile: Profile = "mini") -> None:
    """Build the book of a profile from a whole run in build/PROFILE, else from the run that is published in results/PROFILE.

    It needs no weights and no network.

    Examples:

        jtcse book

        jtcse book --profile embedded
    """
    from jtcse.core.files import checkout
    from jtcse.pipeline.book import build_book, is_executed

    root, clock = checkout(), time.perf_counter()
    published = not is_executed(root, profile)
    typer.echo(
        f"from the run that is published in results/{profile}" if published else f"from the run in build/{profile}"
    )
    log = root / "build" / profile / "logs" / "book.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf8") as stream, redirect_stdout(stream):
        first = build_book(profile, root, published)
    typer.echo(f"The book: {first}, in {time.perf_counter() - clock:.0f} s")


def release(
    out: Annotated[Path, typer.Argument(help="Folder to write; new or empty.")],
    profile: Profile = "embedded",
    system: Annotated[str, typer.Option(help="distilled, tower_1 or tower_2.")] = "distilled",
    workdir: Workdir = None,
) -> None:
    """Write a trained encoder as a folder that SentenceTransformer opens, with a model card made from the run records.

    The model is made by `jtcse reproduce --profile PROFILE --only distillation`; after `--only seven_tasks` the card has the
    scores as well.

    Examples:

        jtcse release small-encoder --profile mini

        jtcse release first-tower --profile mini --system tower_1
    """
    from jtcse.pipeline.release import release as write

    story = write(out, profile, workspace_of(profile, workdir), system)
    typer.echo(f"{out}: opens by SentenceTransformer; its model card is README.md")
    if story.scores is None:
        typer.echo(
            "The card has no scores but those of the development pairs; to have them, "
            f"jtcse reproduce --profile {profile} --only seven_tasks, then release again"
        )
