"""What ``jtcse evaluate`` does: who is asked for, on what, in which workspace; the plan, the scores, the run record."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jtcse.core.config import Settings, load_settings
from jtcse.core.errors import UserError
from jtcse.core.run import Run, Workspace
from jtcse.experiments.zero_shot.sts7 import Kept
from jtcse.systems.settings import backbone_of

if TYPE_CHECKING:
    from jtcse.encoders.encoder import Encoder
    from jtcse.evaluation.mteb.running import Outcome
    from jtcse.evaluation.mteb.tasks import Wanted
    from jtcse.experiments.zero_shot.subjects import Subject

RELEASED = "checkpoints"
"""The profile of everything that was not trained here."""


@dataclass(frozen=True)
class Asked:
    """The words of one call."""

    models: tuple[str, ...]
    system: str | None
    backbone: str | None
    profile: str | None
    seed: int
    workdir: Path | None
    tasks: str
    limit: int | None
    pooling: str | None
    precision: str

    @property
    def trained(self) -> bool:
        """Whether something that a profile trained is to be scored."""
        return self.profile not in (None, RELEASED)

    def told(self) -> dict[str, Any]:
        """What belongs beside the scores in a file."""
        backbone = self.backbone or ("bert" if self.system and not self.trained else None)
        asked = {"models": list(self.models), "system": self.system, "backbone": backbone, "profile": self.profile}
        asked |= {"tasks": self.tasks, "limit": self.limit, "precision": self.precision}
        return {"pooling": self.pooling or "the model's own"} | {name: value for name, value in asked.items() if value}

    def run(self, seven: tuple[str, ...] | None) -> Run:
        """Profile, settings and workspace; of a profile's own sets those that are named."""
        turned: dict[str, Any] = {"zero_shot.limit": self.limit, "zero_shot.precision": self.precision}
        if self.trained and seven:
            turned["evaluation.tasks"] = list(seven)
        profile = self.profile or RELEASED
        settings: Settings = load_settings(profile, turned)
        return Run("evaluate", profile, settings, Workspace(self.workdir or Path("build") / profile))

    def subject(self, run: Run) -> Subject:
        """Who is scored.

        Raises:
            UserError: nobody, or a MODEL beside a profile.
        """
        from jtcse.experiments.zero_shot.subjects import Subject, scored_in, subject_of

        if not self.trained:
            return scored_in(self.precision, subject_of(self.models, self.system, self.backbone, self.pooling))
        if self.system is None or self.models:
            raise UserError("--profile says where a --system was trained; a MODEL is scored without it")
        backbone = backbone_of(run.settings.encoder.name)
        label = f"{self.system}-{backbone}-seed-{self.seed}"
        return scored_in(
            self.precision, Subject(label, self.system, backbone, partial(_trained, self.system, self.seed))
        )


def _trained(system: str, seed: int, run: Run) -> Encoder:
    from jtcse.experiments import trained_systems

    return trained_systems.opened(trained_systems.made(run, system, seed), run.settings.zero_shot.precision)


def show_plan(asked: Asked) -> None:
    """Print what there is to do of mteb's tasks."""
    from rich.console import Console

    from jtcse.evaluation.mteb.planning import plan, show
    from jtcse.evaluation.mteb.running import store_of
    from jtcse.experiments.zero_shot.profile import split

    seven, wanted = split([asked.tasks])
    if not wanted:
        raise UserError("--plan is for tasks of mteb; sts7 are seven small sets, minutes of a CPU: leave --plan out")
    run = asked.run(seven)
    subject = asked.subject(run)
    encoder = subject.open(run)
    store = store_of(encoder, subject.label, run.workspace.root, asked.limit)
    show(plan(wanted, encoder, store), Console())


def scored(asked: Asked, jobs: int) -> tuple[dict[str, Kept], list[Outcome], dict[str, float]]:
    """Score, and write the record.

    Returns:
        the seven sets with their average (empty if they were not asked for), outcomes of mteb's tasks, and the main score of each
        that has one, in points.
    """
    from rich.console import Console

    from jtcse.experiments.zero_shot.profile import split
    from jtcse.experiments.zero_shot.workers import is_worker, workers

    seven, wanted = split([asked.tasks])
    run = asked.run(seven)
    subject = asked.subject(run)
    encoder = subject.open(run)
    console = None if is_worker() else Console(stderr=True)
    if console is None:
        jobs = 1
    with workers(min(jobs, len(wanted) or 1), sys.argv[1:]):
        return _scored(asked, run, subject, encoder, seven, wanted, console)


def _scored(
    asked: Asked,
    run: Run,
    subject: Subject,
    encoder: Encoder,
    seven: tuple[str, ...] | None,
    wanted: list[Wanted],
    console,
) -> tuple[dict[str, Kept], list[Outcome], dict[str, float]]:
    from jtcse.experiments.zero_shot.profile import score_encoder

    own = _own_sets(run, encoder) if asked.trained and seven is not None else {}
    kept, outcomes = score_encoder(run, subject, encoder, None if asked.trained else seven, wanted, console)
    return own | kept, outcomes, _main_scores(run, subject, encoder, wanted)


def _own_sets(run: Run, encoder: Encoder) -> dict[str, Kept]:
    """The graded sets of a profile: small, and scored each time."""
    from jtcse.evaluation.sts import average, score_sets
    from jtcse.experiments.stages import graded

    scores = score_sets(encoder, graded(run)[1], resamples=run.settings.evaluation.resamples)
    mean, n = average(scores), sum(one.n for one in scores.values())
    found = {name: Kept(one.points, one.low, one.high, one.n) for name, one in scores.items()}
    return found | {"average": Kept(mean.points, mean.low, mean.high, n)}


def _main_scores(run: Run, subject: Subject, encoder: Encoder, wanted: list[Wanted]) -> dict[str, float]:
    from jtcse.evaluation.mteb.running import store_of
    from jtcse.experiments.zero_shot.answers import main_score

    store = store_of(encoder, subject.label, run.workspace.root, run.settings.zero_shot.limit)
    scores = {one.name: main_score(store, one) for one in wanted}
    return {name: score for name, score in scores.items() if score is not None}
