"""Scoring what a profile names: each encoder on each list of tasks, its results kept and its run record written.

``python -m jtcse.experiments.zero_shot.profile checkpoints build/checkpoints jtcse-bert table2 MARKER zero_shot.limit=50`` is one
part of it, for the pipeline.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from jtcse.core.errors import UserError, check_choice, status_of
from jtcse.core.run import Run, Workspace
from jtcse.evaluation.mteb.running import MISSING, Outcome
from jtcse.experiments.zero_shot import parts
from jtcse.experiments.zero_shot.request import Request
from jtcse.experiments.zero_shot.subjects import Subject, subjects

if TYPE_CHECKING:
    from rich.console import Console


def score_all(run: Run, console: Console | None = None) -> list[tuple[Subject, list[Outcome]]]:
    """Score all encoders of a profile on all its tasks; what is kept is not run again, what fails does not stop the others.

    What the pipeline's parts tried in vain (``parts.py``) is told, and not tried once more.
    """
    words = run.settings.zero_shot.tasks
    found = []
    for subject in subjects(run.settings) if words else []:
        tried = parts.without_result(run.workspace.root, subject.label, words)
        told = {name: Outcome(name, *state_and_words) for name, state_and_words in tried.items()}
        found.append((subject, score_subject(run, subject, words, console, told)))
    return found


def score_subject(
    run: Run,
    subject: Subject,
    words: Sequence[str],
    console: Console | None = None,
    told: Mapping[str, Outcome] = MappingProxyType({}),
) -> list[Outcome]:
    """Score one encoder on tasks, and write its record.

    Args:
        words: as ``--tasks`` takes them, ``sts7`` among them.
        told: outcomes of tasks, or of words, that are not to be tried again.
    Returns:
        as ``Request.score``; where the encoder cannot be opened, an outcome for each word, missing.
    Raises:
        UserError: a task that is not there, a full disk.
    """
    left = tuple(word for word in words if word not in told)
    if not left:
        return list(told.values())
    request = Request(run, subject, left)
    _ = request.asked  # words that mean nothing are said before weights are fetched
    try:
        _ = request.encoder
    except UserError as error:
        return [*told.values(), *(Outcome(word, MISSING, str(error)) for word in left)]
    return request.score(console, told)[1]


def main(words: Sequence[str] | None = None) -> int:
    """A part: ``PROFILE WORKDIR LABEL LIST MARKER [KEY=VALUE]...``. A task without a result is no failure; an error is, 2."""
    from rich.console import Console

    from jtcse.core.config import load_settings, parse_assignments

    profile, workdir, label, tasks, marker, *turned = sys.argv[1:] if words is None else words

    def part() -> None:
        settings = load_settings(profile, parse_assignments(turned))
        known = {one.label: one for one in subjects(settings)}
        check_choice("encoder of the profile", label, known)
        run = Run("zero_shot", profile, settings, Workspace(Path(workdir)))
        parts.write(Path(marker), score_subject(run, known[label], [tasks], Console(stderr=True)))

    return status_of(part)


if __name__ == "__main__":
    sys.exit(main())
