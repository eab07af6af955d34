"""What several commands share: options, and the run that they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jtcse.core.run import Run, Workspace

Profile = Annotated[
    str, typer.Option(help="Profile: embedded, mini, checkpoints, rung_narrow, rung_bert, paper_bert or paper_roberta.")
]
Turned = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings to turn, such as stage2.steps=20.")
]
Workdir = Annotated[
    Path | None, typer.Option(help="Where data, models and records are kept; by default build/PROFILE.")
]


def run_of(name: str, profile: str, workdir: Path | None, turned: dict | list[str] | None = None) -> Run:
    """A run of a profile in its workspace; ``turned`` are settings by dotted name, or as they are typed."""
    from jtcse.core.config import load_settings, parse_assignments
    from jtcse.core.run import Run

    changes = turned if isinstance(turned, dict) else parse_assignments(turned or [])
    return Run(name, profile, load_settings(profile, changes), workspace_of(profile, workdir))


def workspace_of(profile: str, workdir: Path | None) -> Workspace:
    """The folders of a profile."""
    from jtcse.core.run import Workspace

    return Workspace(workdir or Path("build") / profile)
