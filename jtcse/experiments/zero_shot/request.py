"""Who is scored on what, in which workspace: what ``jtcse evaluate`` and the profile ``checkpoints`` ask for, and its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jtcse.core.config import load_settings
from jtcse.core.errors import NoRoom, UserError
from jtcse.core.record import Metric, RunRecord
from jtcse.core.run import Run, Workspace
from jtcse.evaluation.mteb.running import KEPT, MISSING, SCORED, Outcome, open_cache, score
from jtcse.evaluation.mteb.store import Store
from jtcse.evaluation.mteb.tasks import Wanted, opened, wanted
from jtcse.experiments.zero_shot import sts7
from jtcse.experiments.zero_shot.answers import columns, main_score, metrics
from jtcse.experiments.zero_shot.subjects import Subject, scored_in, subject_of, trained_subject

if TYPE_CHECKING:
    from rich.console import Console

    from jtcse.encoders.encoder import Encoder
    from jtcse.systems.settings import Backbone

RELEASED = "checkpoints"
"""The profile of everything that was not trained here."""
Sets = tuple[str, ...] | None  # of sts7: () means all, None that it was not asked for


def name_of(label: str) -> str:
    """The name of an encoder's run record."""
    return f"zero_shot_{label}"


def record(run: Run, store: Store, subject: Subject, wanted: Sequence[Wanted]) -> RunRecord | None:
    """Write the run record of an encoder, anew from all that is kept; nothing where no task of it is done.

    Its seconds are those of all its tasks together, as ``mteb`` timed them, in whichever call they were scored.

    Args:
        wanted: all tasks of mteb that were asked for.
    """
    system, backbone = subject.system, subject.backbone
    row = columns(system, backbone).get("table1") if system and backbone else None
    found = [*metrics(store, system, backbone, wanted), *sts7.metrics(store, row)]
    if not found:
        return None
    done = [result for one in wanted if (result := store.result(opened(one))) is not None]
    found.append(Metric(name="tasks/done", value=len(done), unit="tasks", n=len(wanted)))
    took = round(sum(result.evaluation_time or 0.0 for result in done), 1)
    named = Run(name_of(subject.label), run.profile, run.settings, run.workspace)
    precision = run.settings.zero_shot.precision
    return named.finish(found, seconds=took, hashes={"encoder": store.revision}, scored_in=precision)


def split(words: Sequence[str]) -> tuple[Sets, list[Wanted]]:
    """The sets of ``sts7`` and the tasks of ``mteb`` that some words ask for.

    Raises:
        UserError: a word that means nothing.
    """
    pieces = [piece.strip() for word in words for piece in word.split(",")]
    ours = [piece for piece in pieces if piece.partition(":")[0] == sts7.WORD]
    names = [name for piece in ours for name in piece.partition(":")[2].split("+") if name]
    seven = None if not ours else () if sts7.WORD in ours else tuple(dict.fromkeys(names))
    rest = [piece for piece in pieces if piece not in ours]
    return seven, wanted(",".join(rest)) if rest else []


@dataclass(frozen=True)
class Request:
    """One encoder and the tasks that it is to be scored on.

    Args:
        run: profile, settings and workspace.
        subject: who is scored.
        words: on what, as ``--tasks`` takes them, ``sts7`` among them.
        own_sets: ``sts7`` means the profile's own graded sets: small, and scored each time.
    """

    run: Run
    subject: Subject
    words: tuple[str, ...]
    own_sets: bool = False

    @cached_property
    def asked(self) -> tuple[Sets, list[Wanted]]:
        """As ``split``."""
        return split(self.words)

    @cached_property
    def encoder(self) -> Encoder:
        """Opened when it is first needed.

        Raises:
            UserError: weights that cannot be had, or that do not fit the system.
        """
        return self.subject.open(self.run)

    @cached_property
    def store(self) -> Store:
        """What is kept of the encoder; its weights are hashed once a request."""
        limit = self.run.settings.zero_shot.limit
        return Store.of(self.encoder, self.run.workspace.root, self.subject.label, limit)

    def score(
        self, console: Console | None = None, told: Mapping[str, Outcome] = MappingProxyType({})
    ) -> tuple[dict[str, sts7.Kept], list[Outcome]]:
        """Score what is not done, and write the record ``records/zero_shot_<label>.json`` from all that is kept.

        Args:
            console: where the bar is shown.
            told: outcomes of tasks that are not to be tried again.
        Returns:
            scores of the seven sets with their average (none if they were not asked for), and an outcome for each task; one more
            for ``sts7`` unless it means the profile's own sets.
        Raises:
            UserError: a task that is not there, a full disk.
        """
        seven, wanted = self.asked
        scores, found = ({}, []) if seven is None or sts7.WORD in told else self._seven(seven)
        left = [one for one in wanted if one.name not in told]
        try:
            if left:
                found += score(self.encoder, self.store, left, self.run.settings.zero_shot, console)
        finally:  # an error that ends the call leaves a record of what there is
            record(self.run, self.store, self.subject, wanted)
        return scores, [*found, *told.values()]

    def _seven(self, names: Sequence[str]) -> tuple[dict[str, sts7.Kept], list[Outcome]]:
        from jtcse.evaluation.mteb.cached_encoder import KeptEncoder

        if self.own_sets:
            return sts7.of_profile(self.run, self.encoder), []
        store, settings = self.store, self.run.settings
        try:
            with store.claimed(sts7.WORD, wait=True), open_cache(store.root, settings.zero_shot) as cache:
                scores, fresh = sts7.score(KeptEncoder(self.encoder, store.revision, cache), store, names, settings)
        except NoRoom:
            raise
        except UserError as error:
            return {}, [Outcome(sts7.WORD, MISSING, str(error))]
        return scores, [Outcome(sts7.WORD, SCORED if fresh else KEPT)]

    def main_scores(self) -> dict[str, float]:
        """The main score of each of mteb's tasks that has one, in points."""
        scores = {one.name: main_score(self.store, one) for one in self.asked[1]}
        return {name: score for name, score in scores.items() if score is not None}

    def show_plan(self) -> None:
        """Print what there is to do of mteb's tasks.

        Raises:
            UserError: none was asked for.
        """
        from rich.console import Console

        from jtcse.evaluation.mteb.planning import plan, show

        wanted = self.asked[1]
        if not wanted:
            raise UserError(
                "--plan is for tasks of mteb; sts7 are seven small sets, minutes of a CPU: leave --plan out"
            )
        show(plan(wanted, self.encoder, self.store), Console())


def of_command(
    models: Sequence[str],
    tasks: str,
    *,
    system: str | None = None,
    backbone: Backbone | None = None,
    pooling: str | None = None,
    profile: str | None = None,
    seed: int = 1,
    workdir: Path | None = None,
    **zero_shot_and_run: Any,
) -> Request:
    """What a command line asks for: released weights or a MODEL, or a system as a profile trained it.

    Args:
        zero_shot_and_run: settings to turn; ``zero_shot__limit`` stands for ``zero_shot.limit``.
    Raises:
        UserError: nobody is named, or a MODEL beside a profile that trains; words that mean nothing.
    """
    seven, _ = split([tasks])
    trained = profile not in (None, RELEASED)
    turned = {name.replace("__", "."): value for name, value in zero_shot_and_run.items()}
    if trained and seven:
        turned["evaluation.tasks"] = list(seven)
    profile = profile or RELEASED
    run = Run("evaluate", profile, load_settings(profile, turned), Workspace(workdir or Path("build") / profile))
    precision = run.settings.zero_shot.precision
    if not trained:
        return Request(run, scored_in(precision, subject_of(models, system, backbone, pooling)), (tasks,))
    if system is None or models:
        raise UserError("--profile says where a --system was trained; a MODEL is scored without it")
    return Request(run, scored_in(precision, trained_subject(run.settings, system, seed)), (tasks,), own_sets=True)
