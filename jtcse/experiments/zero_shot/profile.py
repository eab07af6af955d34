"""Scoring what a profile names: each encoder on each list of tasks, its results kept and its run record written.

``python -m jtcse.experiments.zero_shot.profile --profile checkpoints --workdir build/checkpoints --subject jtcse-bert
--tasks table2`` is one piece of it, for the pipeline.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from jtcse.core.errors import NoRoom, UserError, unknown
from jtcse.core.run import Run, Workspace
from jtcse.evaluation.mteb.running import FAILED, KEPT, MISSING, SCORED, Outcome, open_cache, score, store_of
from jtcse.experiments.zero_shot import parts, record, sts7
from jtcse.experiments.zero_shot.subjects import Subject, subjects

if TYPE_CHECKING:
    from rich.console import Console

    from jtcse.encoders.encoder import Encoder
    from jtcse.evaluation.mteb.store import Store
    from jtcse.evaluation.mteb.tasks import Wanted

Sets = tuple[str, ...] | None  # of sts7: () means all, None that it was not asked for


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
    """Score one encoder on tasks, and write its record ``records/zero_shot_<label>.json``.

    Args:
        run: profile, settings and workspace.
        words: as ``--tasks`` takes them, ``sts7`` among them.
        told: outcomes of tasks, or of words, that are not to be tried again.
    Returns:
        an outcome for each task, and one for ``sts7``; where the encoder cannot be opened, one for each word, missing.
    Raises:
        UserError: a task that is not there, a full disk.
    """
    left = [word for word in words if word not in told]
    if not left:
        return list(told.values())
    seven, wanted = split(left)
    try:
        encoder = subject.open(run)
    except UserError as error:
        return [*told.values(), *(Outcome(word, MISSING, str(error)) for word in left)]
    return [*score_encoder(run, subject, encoder, seven, wanted, console, told)[1], *told.values()]


def score_encoder(
    run: Run,
    subject: Subject,
    encoder: Encoder,
    seven: Sets,
    wanted: list[Wanted],
    console: Console | None = None,
    without: Container[str] = (),
) -> tuple[dict[str, sts7.Kept], list[Outcome]]:
    """As ``score_subject``, with the encoder open and the words read; returns the scores of ``sts7`` as well."""
    settings, root = run.settings.zero_shot, run.workspace.root
    store = store_of(encoder, subject.label, root, settings.limit)
    scores, found = ({}, []) if seven is None or sts7.WORD in without else _seven(run, encoder, store, seven)
    left = [one for one in wanted if one.name not in without]
    try:
        found += score(encoder, subject.label, left, root, settings, console) if left else []
    finally:  # an error that ends the call leaves a record of what there is
        _record(run, subject, store, wanted)
    return scores, found


def split(words: Sequence[str]) -> tuple[Sets, list[Wanted]]:
    """The sets of ``sts7`` and the tasks of ``mteb`` that some words ask for.

    Raises:
        UserError: a word that means nothing.
    """
    from jtcse.evaluation.mteb.tasks import wanted

    pieces = [piece.strip() for word in words for piece in word.split(",")]
    ours = [piece for piece in pieces if piece.partition(":")[0] == sts7.WORD]
    names = [name for piece in ours for name in piece.partition(":")[2].split("+") if name]
    seven = None if not ours else () if sts7.WORD in ours else tuple(dict.fromkeys(names))
    rest = [piece for piece in pieces if piece not in ours]
    return seven, wanted(",".join(rest)) if rest else []


def _seven(
    run: Run, encoder: Encoder, store: Store, names: Sequence[str]
) -> tuple[dict[str, sts7.Kept], list[Outcome]]:
    from jtcse.evaluation.mteb.cached_encoder import KeptEncoder

    try:
        with store.claimed(sts7.WORD, wait=True), open_cache(run.workspace.root, run.settings.zero_shot) as cache:
            scores, fresh = sts7.score(KeptEncoder(encoder, store.revision, cache), store, names, run.settings)
    except NoRoom:
        raise
    except UserError as error:
        return {}, [Outcome(sts7.WORD, MISSING, str(error))]
    return scores, [Outcome(sts7.WORD, SCORED if fresh else KEPT)]


def _record(run: Run, subject: Subject, store: Store, wanted: Sequence[Wanted]) -> None:
    from jtcse.experiments.zero_shot.answers import columns

    row = columns(subject.system, subject.backbone).get("table1") if subject.system and subject.backbone else None
    named = Run(record.name_of(subject.label), run.profile, run.settings, run.workspace)
    record.write(named, store, subject.system, subject.backbone, wanted, list(sts7.metrics(store, row)))


def main(words: Sequence[str] | None = None) -> int:
    """One encoder on one list of tasks; prints the outcomes as JSON. Missing data are no failure, an error is: status 2."""
    from rich.console import Console

    from jtcse.core.config import load_settings, parse_assignments

    parser = argparse.ArgumentParser(
        prog="python -m jtcse.experiments.zero_shot.profile", description=__doc__.splitlines()[0]
    )
    for name in ("profile", "workdir", "subject", "tasks"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("settings", nargs="*", help="settings to turn: zero_shot.limit=50")
    asked = parser.parse_args(words)
    try:
        settings = load_settings(asked.profile, parse_assignments(asked.settings))
        run = Run("zero_shot", asked.profile, settings, Workspace(Path(asked.workdir)))
        known = {one.label: one for one in subjects(settings)}
        if asked.subject not in known:
            raise unknown("encoder of the profile", asked.subject, known)
        found = score_subject(run, known[asked.subject], [asked.tasks], Console(stderr=True))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps([vars(one) for one in found]))
    return 1 if any(one.state == FAILED for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
