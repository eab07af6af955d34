"""What the race left so far as one run record, ``records/race.json``: written anew from all finished cells at any time.

Metrics of a system are named ``race/<system>/...``; a system that is a row of Table I also answers under that row's ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from jtcse.core.config import Settings
from jtcse.core.record import Metric, RunRecord, write_record
from jtcse.core.run import Run
from jtcse.evaluation.statistics.resampled import Drawn, by_task, mean
from jtcse.experiments.race.cells import Cell, Result, cells_of, is_done, result, seconds, seeds_seen
from jtcse.experiments.race.members import members
from jtcse.experiments.race.standing import beside_print, over_seeds, ranks
from jtcse.experiments.table1 import RANKING, printed_averages, rows

Found = Mapping[int, Mapping[str, Drawn]]  # of a system: seed to task to score


def finished(run: Run) -> tuple[list[Result], list[Cell]]:
    """All seeds that were finished in this workspace with today's settings, and all finished cells."""
    cells = [
        cell
        for name in members(run)[0]
        for cell in cells_of(run, [name], sorted({*run.settings.race.seeds, *seeds_seen(run, name)}))
        if is_done(run, cell)
    ]
    return [result(run, cell) for cell in cells if not cell.tunes], cells


def write(run: Run) -> RunRecord | None:
    """Write the record of all finished cells; nothing where none is.

    Its seconds are those of the cells together, learning rates included, and its memory is that of the largest; both would
    otherwise be those of the call that happened to write it.
    """
    results, cells = finished(run)
    if not results:
        return None
    record = run.finish(metrics(results, run.settings))
    took = round(sum(seconds(run, cell) for cell in cells), 1)
    most = max(one.story.peak_memory_mib for one in results)
    made = record.provenance.model_copy(update={"seconds": took, "peak_memory_mib": most})
    record = record.model_copy(update={"provenance": made})
    write_record(record, run.workspace.records / f"{run.name}.json")
    return record


def metrics(results: Sequence[Result], settings: Settings) -> list[Metric]:
    """All metrics of the race.

    Args:
        results: finished seeds, all scored on the same pairs.
    """
    seed = settings.run.seed
    drawn = by_task({(one.system, one.seed): one.scores for one in results}, settings.evaluation.resamples, seed)
    found: dict[str, dict[int, dict[str, Drawn]]] = {}
    for (system, at), tasks in drawn.items():
        found.setdefault(system, {})[at] = tasks
    pairs = {task: score.n for task, score in results[0].scores.items()}
    averages = {system: _mean(of, list(pairs), seed) for system, of in found.items()}
    made = [metric for system, of in found.items() for metric in _scores(system, of, pairs, seed)]
    for system in found:
        made += _trainings(system, [one for one in results if one.system == system])
    made += [
        Metric(name=f"race/{system}/rank", value=rank.place, unit="rank", n=len(averages), low=rank.low, high=rank.high)
        for system, rank in ranks(averages).items()
    ]
    return made + _beside_print(averages, settings) + _table1(found, pairs, settings)


def _mean(of: Found, tasks: Sequence[str], seed: int) -> Drawn:
    """The average over tasks, over seeds."""
    return over_seeds({at: mean([found[task] for task in tasks]) for at, found in of.items()}, seed)


def _scores(system: str, of: Found, pairs: Mapping[str, int], seed: int) -> Iterator[Metric]:
    yield from _by_seed(f"race/{system}/average", of, list(pairs), pairs, seed)
    for task in pairs:
        yield _mean(of, [task], seed).metric(f"race/{system}/{task}", pairs[task])


def _by_seed(name: str, of: Found, tasks: Sequence[str], pairs: Mapping[str, int], seed: int) -> Iterator[Metric]:
    """A number of each seed, and that over seeds."""
    n = sum(pairs[task] for task in tasks)
    for at in sorted(of):
        yield mean([of[at][task] for task in tasks]).metric(name, n, at)
    yield _mean(of, tasks, seed).metric(name, n)


def _trainings(system: str, results: Sequence[Result]) -> Iterator[Metric]:
    """How a system's trainings went: means over seeds, of the memory the most.

    ``steps`` and ``minutes`` are its own, ``all_steps`` and ``all_minutes`` those of everything that it is made from as well.
    """
    stories = [one.story for one in results]

    def told(what: str, values: Sequence[float], unit: str) -> Metric:
        value = max(values) if what == "memory" else float(np.mean(values))
        return Metric(name=f"race/{system}/{what}", value=value, unit=unit, n=len(values))

    yield told("start", [one.start_score for one in stories], "points")
    yield told("dev", [one.best_score for one in stories], "points")
    yield told("minutes", [one.seconds / 60 for one in stories], "minutes")
    yield told("memory", [one.peak_memory_mib for one in stories], "MiB")
    yield told("steps", [one.steps for one in stories], "steps")
    whole = [(one.story, *one.parts) for one in results]
    yield told("all_minutes", [sum(one.seconds for one in of) / 60 for of in whole], "minutes")
    yield told("all_steps", [sum(one.steps for one in of) for of in whole], "steps")
    if any(one.steps for one in stories):
        yield told("rate", [one.settings["learning_rate"] for one in stories], "learning rate")
    looks: dict[int, list[float]] = {}
    for one in stories:
        for row in one.rows:
            if "dev" in row:
                looks.setdefault(int(row["step"]), []).append(row["dev"])
    for step, scores in sorted(looks.items()):
        yield told(f"dev/{step}", scores, "points")


def _beside_print(averages: Mapping[str, Drawn], settings: Settings) -> list[Metric]:
    printed = printed_averages(averages, settings)
    found = beside_print(averages, printed)
    if found is None:
        return []
    points, low, high = found.estimate()
    return [Metric(name=RANKING, value=points, unit="rank correlation x 100", n=len(printed), low=low, high=high)]


def _table1(found: Mapping[str, Found], pairs: Mapping[str, int], settings: Settings) -> list[Metric]:
    """Values under ids of Table I, and paired differences to the row that the ledger compares each with."""
    from jtcse.experiments.table1 import row_ids
    from jtcse.paper.ledger import reference
    from jtcse.paper.printed import values

    known, seed = values().index, settings.run.seed
    ids = {
        id: (system, tasks)
        for row, system in rows(found, settings).items()
        for id, tasks in row_ids(row, pairs, settings).items()
        if id in known
    }
    made: list[Metric] = []
    for id, (system, tasks) in ids.items():
        made += _by_seed(id, found[system], tasks, pairs, seed)
        other = reference(id)
        if other in ids:
            apart = _differences(found[system], found[ids[other][0]], tasks)
            made += _by_seed(f"{id}>{other}", apart, tasks, pairs, seed) if apart else []
    return made


def _differences(first: Found, second: Found, tasks: Sequence[str]) -> dict[int, dict[str, Drawn]]:
    """First minus second at every seed that both have."""
    return {at: {task: first[at][task] - second[at][task] for task in tasks} for at in first if at in second}
