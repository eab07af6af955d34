"""From kept results to numbers of a run record: under the paper's ids where they answer a printed value, else by task.

A score of ``mteb`` is a share; here it is in points (times 100). A printed value is answered only by all of what it was printed
of: all subsets of a task, all rows of an average.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jtcse.core.record import Metric
from jtcse.evaluation.mteb.store import Store
from jtcse.evaluation.mteb.tasks import LISTS, Row, Wanted, opened, rows
from jtcse.evaluation.mteb.tasks import wanted as of_words
from jtcse.systems.cards import card
from jtcse.systems.settings import HALVES, Backbone

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask
    from mteb.results import TaskResult

MANY = 5  # subsets that are named one by one


def metrics(store: Store, system: str | None, backbone: str | None, wanted: Sequence[Wanted]) -> list[Metric]:
    """Everything that the kept results of an encoder say.

    Args:
        system, backbone: which row of the paper the encoder is; None: of none.
        wanted: tasks that were asked for.
    Returns:
        the main score of each task that has a result, values under the paper's ids, and the fifteen metrics of Table VI over the
        retrieval tasks that were asked for (without any: the predecessor's thirty) once all of them are there; of limited rows
        only the first, named ``limited-<rows>/<task>``.
    """
    found = list(_main_scores(store))
    if store.limit is None:
        named = columns(system, backbone) if system and backbone else {}
        found += [metric for place, column in named.items() for metric in _of_place(store, place, column)]
        found += _retrieval(store, wanted, named.get("table6", store.label))
    return found


def main_score(store: Store, one: Wanted) -> float | None:
    """The mean main score of a task, points; None where it has no result."""
    task = opened(one)
    result = store.result(task)
    return None if result is None else round(100 * _mean(result, task, "main_score"), 4)


def _main_scores(store: Store) -> Iterator[Metric]:
    """Of each task the mean main score over the subsets that were scored, which are named where they are not all."""
    head = f"limited-{store.limit}" if store.limit else "zero_shot"
    for name in store.names():
        task = store.scored_part(name)
        if task is not None:
            whole = len(task.hf_subsets) == len(opened(Wanted(name)).hf_subsets)
            chosen = "" if whole else f"/{_words(task.hf_subsets)}"
            share = _mean(store.result(task), task, "main_score")
            yield from _metric(f"{head}/{name}{chosen}", share, _used(store, task))


def _used(store: Store, task: AbsTask) -> int:
    """What a result is of: the task's samples, of limited rows at most about so many of each split and subset."""
    if store.limit is None:
        return samples(task)
    kept = store.limit * len(task.eval_splits) * len(task.hf_subsets)
    return min(samples(task) or kept, kept)


def _words(subsets: Sequence[str]) -> str:
    return "+".join(subsets) if len(subsets) <= MANY else f"{len(subsets)} subsets"


def _of_place(store: Store, place: str, column: str) -> Iterator[Metric]:
    """Rows of a table that are answered, and its averages where all are."""
    from jtcse.paper.places import LAYOUTS

    if place not in LISTS and place != "table1":
        return
    of = rows("table1-right" if place == "table1" else place)
    scored = store.names()  # what has no file is not looked up in mteb, which need not be installed for other numbers
    points = {row.row: _answer(store, row) for row in of if row.wanted.name in scored}
    known = {name: value for name, value in points.items() if value is not None}
    sizes = {row.row: samples(opened(row.wanted), row.subset) for row in of if row.row in known}
    for name, value in known.items():
        yield from _metric(_id(place, column, name), value, sizes[name])
    if of and len(known) == len(of):
        averages = ["3Avg"] if place == "table1" else LAYOUTS[place].averages
        for name in averages:
            yield from _metric(_id(place, column, name), float(np.mean(list(known.values()))), sum(sizes.values()))


def _id(place: str, column: str, row: str) -> str:
    return f"{place}/{column}/{row}" if place == "table1" else f"{place}/{row}/{column}"


def _answer(store: Store, row: Row) -> float | None:
    """The value of a printed row, as a share."""
    task = opened(row.wanted)
    result = store.result(task)
    return None if result is None else _mean(result, task, row.metric, row.subset)


def _mean(result: TaskResult, task: AbsTask, metric: str, subset: str | None = None) -> float:
    """Mean of a score over the splits and subsets that the task stands for, or of one subset over splits."""
    chosen = set(task.hf_subsets) if subset is None else {subset}
    values = [
        scores[metric] for split in task.eval_splits for scores in result.scores[split] if scores["hf_subset"] in chosen
    ]
    return float(np.mean(values))


def _retrieval(store: Store, wanted: Iterable[Wanted], column: str) -> Iterator[Metric]:
    """The metrics of Table VI, each the mean over the retrieval tasks of a list, once all of these are done."""
    asked = [one for one in wanted if opened(one).metadata.type == "Retrieval"] or of_words("table6")
    if {one.name for one in asked} - {*store.names()}:
        return
    tasks = [opened(one) for one in asked]
    results = [store.result(task) for task in tasks]
    if any(result is None for result in results):
        return
    for name, metric in retrieval_metrics().items():
        value = float(np.mean([_mean(result, task, metric) for result, task in zip(results, tasks, strict=True)]))
        yield from _metric(f"retrieval/{name}/{column}", value, len(tasks))


def retrieval_metrics() -> Mapping[str, str]:
    """Rows of Table VI without its average, each with the name of the score in mteb: ``MAP@1`` to ``map_at_1``."""
    from jtcse.paper.places import LAYOUTS
    from jtcse.paper.printed import table

    names = [name for name in dict.fromkeys(table("table6")["row"]) if name not in LAYOUTS["table6"].averages]
    return {name: name.lower().replace("@", "_at_") for name in names}


def samples(task: AbsTask, subset: str | None = None) -> int:
    """What a task is scored on, by mteb's own statistics: samples of its splits and subsets; 0 where they do not tell."""
    told = task.metadata.descriptive_stats or {}
    count = 0
    for split in task.eval_splits:
        of = told.get(split) or {}
        parts = of.get("hf_subset_descriptive_stats") or {}
        chosen = [subset] if subset else task.hf_subsets
        count += sum(parts[one]["num_samples"] for one in chosen if one in parts) if parts else of.get("num_samples", 0)
    return count


def _metric(name: str, share: float, n: int) -> Iterator[Metric]:
    """The number in points; nothing where there is none, as the correlation of an encoder that is constant."""
    if np.isfinite(share):
        yield Metric(name=name, value=round(100 * share, 6), n=n)


def columns(system: str, backbone: Backbone) -> dict[str, str]:
    """Where the paper prints a system's scores: by place the column of its ids (in Table I, backbone and row).

    The name is that of the system's card. So RankCSE is answered with ListMLE, which script and README of the community code
    train; which of its checkpoints the authors ran is not said. Tables II to VI are of BERT-base only.

    Returns:
        Such as ``{"table1": "BERT-base/JTCSE", "table2": "JTCSE", ...}``; empty for a system in no table.

    Raises:
        UserError: no such system.
    """
    from jtcse.paper.printed import table

    row = card(system).head.row.get(backbone)
    if row is None:
        return {}
    blocks = LISTS[1:] if backbone == "bert" else ()
    printed = [place for place in blocks if row in set(table(place)["column"])]
    return {"table1": f"{HALVES[backbone]}/{row}"} | dict.fromkeys(printed, row)
