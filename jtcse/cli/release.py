"""The command that hands a trained encoder out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jtcse.cli.options import Profile, Workdir, workspace_of


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
