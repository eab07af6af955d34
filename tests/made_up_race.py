"""Made-up results of the race: systems that see gold through more or less noise, and stories without any training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jtcse.evaluation.sts import TaskScore
from jtcse.experiments.race.cells import Result
from jtcse.experiments.trained_systems import Story

PAIRS = 80
TASKS = ("captions", "news", "forum")


def gold(task: str, tasks: tuple[str, ...] = TASKS) -> np.ndarray:
    """The same pairs for every system."""
    return np.random.default_rng(tasks.index(task)).uniform(0, 5, PAIRS)


def result(
    system: str, seed: int, noise: float, tasks: tuple[str, ...] = TASKS, *, rate: float = 1e-3, steps: int = 4
) -> Result:
    """A finished cell; the noise of a pair is of the system and the seed."""
    stream = np.random.default_rng([seed, *system.encode()])
    scores = {}
    for task in tasks:
        wanted = gold(task, tasks)
        scores[task] = TaskScore(task, 0.0, PAIRS, 0.0, 0.0, wanted + stream.normal(0, noise, PAIRS), wanted)
    looks = [
        {"step": 0, "dev": 30.0},
        *({"step": n, "loss": 1.0} for n in range(1, steps)),
        {"step": steps, "dev": 41.0 + seed},
    ]
    story = Story(
        system=system, seed=seed, settings={"learning_rate": rate}, start_score=30.0, best_score=41.0 + seed, best_step=steps,
        steps=steps, seconds=60.0 * seed, peak_memory_mib=500.0 + seed, rows=looks if steps else [],
    )  # fmt: skip
    return Result(system, seed, story, scores)


def results(
    noises: Mapping[str, float], seeds: tuple[int, ...] = (1, 2), tasks: tuple[str, ...] = TASKS
) -> list[Result]:
    """A whole race: system to its noise."""
    return [result(system, seed, noise, tasks) for system, noise in noises.items() for seed in seeds]
