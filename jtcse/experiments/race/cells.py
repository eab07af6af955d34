"""The cells of the race, one a system and seed and one a system for its learning rate; where they are kept, and which are done.

``<workspace>/race/<system>/<what>-<key>/`` holds ``cell.json`` (how long it took) and, of a seed, ``scores.npz``. The key hashes
all that the scores depend on; encoder and story of the training are in the workshop's folder (``workshop.py``).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jtcse.core.files import sha256, write_atomically
from jtcse.core.run import Run
from jtcse.experiments import trained_systems
from jtcse.experiments.trained_systems import STORY, TUNING_SEED, Story, Workshop
from jtcse.systems.settings import fragment

if TYPE_CHECKING:
    from jtcse.evaluation.sts import TaskScore

DONE, SCORES = "cell.json", "scores.npz"  # the first is written last: a folder that has it is whole
RATE = "rate"  # what stands in place of the seed in the folder of a choice of learning rate


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


def folder_of(run: Run, cell: Cell) -> Path | None:
    """Where a cell is kept; None while that hangs on a learning rate that is not chosen yet."""
    place = run.workspace.root / "race" / cell.system
    if cell.tunes:
        return place / f"{RATE}-{_hash(*(folder.name for folder in _tries(run, cell.system).values()))}"
    training = _training(run, cell)
    return None if training is None else place / f"{cell.seed}-{_hash(training.name, *_scoring(run))}"


def is_done(run: Run, cell: Cell) -> bool:
    """Whether a cell was finished with today's settings, text and code."""
    folder = folder_of(run, cell)
    if folder is None or not (folder / DONE).is_file():
        return False
    trained = _tries(run, cell.system).values() if cell.tunes else [_training(run, cell)]
    return all(place is not None and (place / STORY).is_file() for place in trained)


def seconds(run: Run, cell: Cell) -> float:
    """How long a finished cell took, in a process of its own."""
    return json.loads((folder_of(run, cell) / DONE).read_text(encoding="utf8"))["seconds"]


def result(run: Run, cell: Cell) -> Result:
    """What a finished seed left."""
    from jtcse.evaluation.sts import read_scores

    told, root = trained_systems.story(_training(run, cell)), run.workspace.root / "systems"
    parts = [trained_systems.story(root / name) for name in told.parts]
    return Result(cell.system, cell.seed, told, read_scores(folder_of(run, cell) / SCORES), parts)


def seeds_seen(run: Run, system: str) -> list[int]:
    """Seeds that a system was ever raced with in this workspace, whether or not they are still of use."""
    names = [path.name.partition("-")[0] for path in (run.workspace.root / "race" / system).glob("*-*")]
    return sorted({int(name) for name in names if name.isdigit()})


def do(run: Run, cell: Cell) -> None:
    """Do the work of a cell: choose the learning rate, or train a system and score it on the graded sets."""
    from jtcse.evaluation.sts import save_scores, score_sets
    from jtcse.experiments.stages import graded

    began = time.perf_counter()
    if cell.tunes:
        trained_systems.rate(run, cell.system, {})
        trained = list(_tries(run, cell.system).values())
    else:
        trained = [trained_systems.made(run, cell.system, cell.seed)]
        evaluation, sets = run.settings.evaluation, graded(run)[1]
        encoder = trained_systems.opened(trained[0])
        scores = score_sets(encoder, sets, resamples=evaluation.resamples, seed=run.settings.run.seed)
        save_scores(folder_of(run, cell) / SCORES, scores)
    # what had been trained before the race is part of its cost as well
    took = max(time.perf_counter() - began, sum(trained_systems.story(folder).seconds for folder in trained))
    told = {"system": cell.system, "seed": cell.seed, "seconds": round(took, 1)}
    write_atomically(folder_of(run, cell) / DONE, json.dumps(told) + "\n")


def _tunes(run: Run, name: str) -> bool:
    """Whether a system has a learning rate to choose."""
    return run.settings.scale == "smaller" and bool(trained_systems.tries(run, name, {}))


def _tries(run: Run, name: str) -> dict[float, Path]:
    """The workshop's folders of a system's tries, by learning rate; none where nothing is chosen."""
    tries = trained_systems.tries(run, name, {}) if _tunes(run, name) else {}
    return {rate: Workshop(run, name, TUNING_SEED, changes).folder for rate, changes in tries.items()}


def _training(run: Run, cell: Cell) -> Path | None:
    """The workshop's folder of a seed's training; None while its learning rate is not chosen yet."""
    tries, changes = _tries(run, cell.system), {}
    if tries:
        if not all((folder / STORY).is_file() for folder in tries.values()):
            return None
        changes = {"learning_rate": max(tries, key=lambda rate: trained_systems.story(tries[rate]).best_score)}
    return Workshop(run, cell.system, cell.seed, changes).folder


def _scoring(run: Run) -> list[str]:
    """What scores depend on beside the encoder."""
    from jtcse.evaluation import sts

    data, evaluation = run.settings.data, run.settings.evaluation
    parts = [str(data.pair_sets), str(data.pair_limit), str(evaluation.tasks), sha256(Path(sts.__file__))]
    return [*parts, sha256(run.workspace.data / "pairs")] if data.pair_sets == "generated" else parts


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]
