"""Table I at this scale: whose scores answer for which row, in pairs, and the claims on them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from jtcse.core.config import Settings
from jtcse.core.errors import UserError
from jtcse.systems.cards import card
from jtcse.systems.settings import backbone_of, systems

RACE = "race"  # the run
RANKING = "ranking/print"  # the metric that holds the rank correlation with print

if TYPE_CHECKING:
    from jtcse.core.config import Settings
    from jtcse.core.record import Metric
    from jtcse.core.run import Run
    from jtcse.evaluation.statistics.spearman import Estimate
    from jtcse.evaluation.sts import TaskScore

    Scores = Mapping[str, Mapping[str, TaskScore]]

TASK_IDS = {"STS-B": "STSB", "SICK-R": "SICKR"}  # our names of tasks to those in ids
SEVEN, REFERENCE = "7Avg", "SimCSE"


def backbone(settings: Settings) -> str:
    """The half of Table I that a profile's encoder belongs beside."""
    from jtcse.systems.settings import HALVES, backbone_of

    return HALVES[backbone_of(settings.encoder.name)]


def table1_scores(run: Run) -> dict[str, dict[str, TaskScore]]:
    """The rows of Table I that this run has, by their names there: what ``seven_tasks`` left, the untrained encoder and SimCSE.

    None in a profile that trains nothing: its rows are in the records of the encoders (``released_leads``).
    The untrained row pools as the paper's does, the mean of first and last layer; SimCSE is the grids' (``variants.py``),
    trained in this run from the same encoder on the same text, here on all pairs.

    Raises:
        UserError: the seven tasks were not measured, or the start is missing.
    """
    from jtcse.core.config import UNTRAINED
    from jtcse.encoders.encoder import open_encoder
    from jtcse.evaluation.sts import read_scores, score_sets
    from jtcse.experiments.ablations.cells import scores
    from jtcse.experiments.ablations.grids import Cell
    from jtcse.experiments.stages import graded

    settings = run.settings
    if settings.scale == UNTRAINED:
        return {}
    found = {"JTCSE": read_scores(run.workspace.scores / "jtcse.npz")}
    found["JTCSE_D"] = read_scores(run.workspace.scores / "distilled.npz")
    start = open_encoder(run.workspace.model("start"), pooling="first_last")
    found[backbone(settings)] = score_sets(
        start, graded(run)[1], resamples=settings.evaluation.resamples, seed=settings.run.seed
    )
    found["SimCSE"] = scores(_on_all_pairs(run), Cell("simcse", "simcse", {}), settings.ablations.seeds[0])
    return found


def _on_all_pairs(run: Run) -> Run:
    """The run without the grids' limit of pairs: the other rows were measured on all."""
    from jtcse.core.run import Run

    grids = run.settings.ablations.model_copy(update={"pair_limit": None})
    return Run(run.name, run.profile, run.settings.model_copy(update={"ablations": grids}), run.workspace)


def table1_metrics(scores: Scores, settings: Settings) -> list[Metric]:
    """Metrics under the ids of Table I: each real task, the average of all, and differences to the row of reference.

    Generated tasks have no id of their own; of real tasks the average counts only where all seven were measured.

    Args:
        scores: model of Table I to task to score.
    """
    from jtcse.paper.ledger import reference

    cells = _by_id(scores, settings)
    found = [_metric(id, _value(tasks, settings), tasks) for id, tasks in cells.items()]
    pairs = [(id, reference(id)) for id in cells]
    return found + [
        _metric(f"{id}>{other}", paired(cells[id], cells[other], settings), cells[id])
        for id, other in pairs
        if other in cells and other != id
    ]


def row_ids(model: str, tasks: Collection[str], settings: Settings) -> dict[str, list[str]]:
    """The ids of Table I that a row with these tasks answers for, each with the tasks behind it."""
    from jtcse.data.pairs import TASKS

    stem, real = f"table1/{backbone(settings)}/{model}", settings.data.pair_sets != "generated"
    found = {f"{stem}/{TASK_IDS.get(name, name)}": [name] for name in tasks} if real else {}
    return found | ({f"{stem}/{SEVEN}": list(tasks)} if not real or set(tasks) == set(TASKS) else {})


def _by_id(scores: Scores, settings: Settings) -> dict[str, dict[str, TaskScore]]:
    return {
        id: {name: tasks[name] for name in names}
        for model, tasks in scores.items()
        for id, names in row_ids(model, tasks, settings).items()
    }


def _value(tasks: Mapping[str, TaskScore], settings: Settings) -> TaskScore | Estimate:
    from jtcse.evaluation.sts import average

    if len(tasks) == 1:
        return next(iter(tasks.values()))
    return average(tasks, resamples=settings.evaluation.resamples, seed=settings.run.seed)


def _metric(name: str, estimate: Estimate | TaskScore, tasks: Mapping[str, TaskScore]) -> Metric:
    from jtcse.evaluation.sts import metric

    return metric(name, estimate, sum(score.n for score in tasks.values()))


def paired(first: Mapping[str, TaskScore], second: Mapping[str, TaskScore], settings: Settings) -> Estimate:
    """First minus second on the same pairs, the mean over tasks, in points.

    Raises:
        UserError: they were not measured on the same tasks and pairs.
    """
    from jtcse.evaluation.statistics.spearman import paired_average_difference

    if {task: score.n for task, score in first.items()} != {task: score.n for task, score in second.items()}:
        raise UserError(
            f"cannot pair scores on {sorted(first)} with scores on {sorted(second)}: tasks or numbers of pairs differ; "
            "measure both again with the same settings"
        )
    tasks = [(first[task].similarity, second[task].similarity, first[task].gold) for task in first]
    return paired_average_difference(tasks, resamples=settings.evaluation.resamples, seed=settings.run.seed)


def table1_claims(scores: Scores, settings: Settings) -> list[Metric]:
    """C24 (JTCSE beats the rest) and C06, C25 (JTCSE_D beats single towers) against the best other row; none without scores."""
    if not scores:
        return []
    others = {model: tasks for model, tasks in scores.items() if not model.startswith("JTCSE")}
    best = max(others.values(), key=lambda tasks: np.mean([score.points for score in tasks.values()]))
    found = []
    for model, claims in (("JTCSE", ("C24",)), ("JTCSE_D", ("C06", "C25"))):
        lead = paired(scores[model], best, settings)
        found += [_metric(f"claim/{claim}", lead, best) for claim in claims]
    return found


def rows(names: Iterable[str], settings: Settings) -> dict[str, str]:
    """The profile's half of Table I: row to the system of it; of several with one row the first."""
    backbone, known, found = backbone_of(settings.encoder.name), systems(), {}
    for name in names:
        row = card(name).head.row.get(backbone) if name in known else None
        if row is not None:
            found.setdefault(row, name)
    return found


def printed_averages(names: Iterable[str], settings: Settings) -> dict[str, float]:
    """The printed average of the seven tasks in the profile's half of Table I, of systems that have one."""
    from jtcse.experiments.table1 import SEVEN, backbone
    from jtcse.paper.printed import values

    print_ = values()["value"].dropna()
    ids = {name: f"table1/{backbone(settings)}/{row}/{SEVEN}" for row, name in rows(names, settings).items()}
    return {name: float(print_[id]) for name, id in ids.items() if id in print_.index}
