"""The cells of the race, one a system and seed and one a system for its learning rate; where they are kept, and which are done.

``<workspace>/race/<system>/<seed>-<key>/`` holds the scores of a seed and the seconds of the scoring; encoder and story of its
training, and the tries of learning rates, are kept where all systems are (``trained_systems``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jtcse.core.files import write_atomically
from jtcse.core.run import Run
from jtcse.core.store import made_once
from jtcse.experiments import trained_systems
from jtcse.experiments.train_once import graded, training_key
from jtcse.experiments.trained_systems import TUNING_SEED, Story, place_of, story
from jtcse.systems.settings import fragment

if TYPE_CHECKING:
    from jtcse.evaluation.sts import TaskScore

SCORES, SECONDS = "scores.npz", "seconds.json"


@dataclass(frozen=True)
class Cell:
    """A system and a seed of its training; ``TUNING_SEED``: the choice of its learning rate."""

    system: str
    seed: int

    def __str__(self) -> str:
        return f"{self.system}, {'learning rate' if self.tunes else f'seed {self.seed}'}"

    @property
    def tunes(self) -> bool:
        """Whether it is the choice of a learning rate."""
        return self.seed == TUNING_SEED


@dataclass(frozen=True)
class Result:
    """A finished seed of a system: how it was trained, its scores by task, and the trainings that it is made from."""

    system: str
    seed: int
    story: Story
    scores: Mapping[str, TaskScore]
    parts: Sequence[Story] = ()


def cells_of(run: Run, systems: Iterable[str], seeds: Sequence[int]) -> list[Cell]:
    """All cells of some systems, in their order."""
    return [Cell(name, seed) for name in systems for seed in [*([TUNING_SEED] if _tunes(run, name) else []), *seeds]]


def waits_for(run: Run, cell: Cell) -> list[Cell]:
    """What must be done before a cell: the choice of its learning rate, and the same cell of the systems that it needs."""
    own = [] if cell.tunes else [Cell(cell.system, TUNING_SEED)]
    needs = [Cell(name, cell.seed) for name in fragment(cell.system).needs]
    return [one for one in own + needs if not one.tunes or _tunes(run, one.system)]


def is_done(run: Run, cell: Cell) -> bool:
    """Whether a cell was finished with today's settings and text."""
    if cell.tunes:
        return all(place.is_dir() for place in _tries(run, cell.system).values())
    training = _training(run, cell)
    return training is not None and training.is_dir() and _scored(run, cell, training).is_dir()


def seconds(run: Run, cell: Cell) -> float:
    """How long a finished cell took, without the systems that it needs."""
    if cell.tunes:
        return sum(story(place).seconds for place in _tries(run, cell.system).values())
    training = _training(run, cell)
    scoring = json.loads((_scored(run, cell, training) / SECONDS).read_text(encoding="utf8"))
    return story(training).seconds + scoring


def result(run: Run, cell: Cell) -> Result:
    """What a finished seed left."""
    from jtcse.evaluation.sts import read_scores

    training, root = _training(run, cell), run.workspace.root / "systems"
    told, scores = story(training), read_scores(_scored(run, cell, training) / SCORES)
    return Result(cell.system, cell.seed, told, scores, [story(root / name) for name in told.parts])


def seeds_seen(run: Run, system: str) -> list[int]:
    """Seeds that a system was ever raced with in this workspace, whether or not they are still of use."""
    names = [path.name.partition("-")[0] for path in (run.workspace.root / "race" / system).glob("*-*")]
    return sorted({int(name) for name in names if name.isdigit()})


def do(run: Run, cell: Cell) -> None:
    """Do the work of a cell, if it is not done: choose the learning rate, or train a system and score it on the graded sets.

    Any number of processes may do cells at once: what two of them need, a training or a choice of rate, one makes.
    """
    if cell.tunes:
        trained_systems.rate(run, cell.system, {})
        return
    training = trained_systems.made(run, cell.system, cell.seed)
    place = _scored(run, cell, training)
    made_once(place.parent, place.name, lambda fresh: _score(run, training, fresh))


def _score(run: Run, training: Path, folder: Path) -> None:
    from jtcse.evaluation.sts import save_scores, score_sets

    began, evaluation, sets = time.perf_counter(), run.settings.evaluation, graded(run)[1]
    encoder = trained_systems.opened(training)
    scores = score_sets(encoder, sets, resamples=evaluation.resamples, seed=run.settings.run.seed)
    save_scores(folder / SCORES, scores)
    write_atomically(folder / SECONDS, f"{time.perf_counter() - began:.1f}\n")


def _tunes(run: Run, name: str) -> bool:
    """Whether a system has a learning rate to choose."""
    return bool(trained_systems.tries(run, name, {}))


def _tries(run: Run, name: str) -> dict[float, Path]:
    """Where a system's tries are kept, by learning rate; none where nothing is chosen."""
    tries = trained_systems.tries(run, name, {})
    return {rate: place_of(run, name, TUNING_SEED, changes) for rate, changes in tries.items()}


def _training(run: Run, cell: Cell) -> Path | None:
    """Where a seed's training is kept; None while its learning rate is not chosen yet."""
    tries = _tries(run, cell.system)
    if not all(place.is_dir() for place in tries.values()):
        return None
    best = {"learning_rate": max(tries, key=lambda rate: story(tries[rate]).best_score)} if tries else {}
    return place_of(run, cell.system, cell.seed, best)


def _scored(run: Run, cell: Cell, training: Path) -> Path:
    """Where the scores of a training on this run's graded sets are kept."""
    key = training_key(run, training=training.name, tasks=run.settings.evaluation.tasks)
    return run.workspace.root / "race" / cell.system / f"{cell.seed}-{key}"
