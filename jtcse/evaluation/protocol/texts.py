"""The same graded pairs as other readers of the same files would hand them to an encoder.

A task of the protocol chapter keeps the subset of every pair, and comes in several texts: as filed, lower-cased, with the
blanks before punctuation taken out or put in, with a full stop at every end, or as ``mteb`` publishes the pairs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from jtcse.core.errors import UserError
from jtcse.data import senteval
from jtcse.data.pairs import PairSet, evenly_spaced, load_pair_sets

AFTER = r"[.,;:!?%)\]}]"  # signs that stand close to the word before them
BEFORE = r"[(\[{$#]"  # and to the word after them
TOGETHER = "all sets as one"


@dataclass(frozen=True, eq=False)
class Task:
    """Graded pairs with the subset of each.

    Attributes:
        first, second: n sentences each.
        gold: (n,) float64.
        subset: (n,) labels; one label where a task has no subsets.
        counted: whether it counts in the average over tasks.
    """

    name: str
    first: list[str]
    second: list[str]
    gold: np.ndarray
    subset: np.ndarray
    counted: bool = True

    def __len__(self) -> int:
        return len(self.gold)

    def rewritten(self, change: Callable[[str], str]) -> Task:
        """The same pairs in other words or signs."""
        return replace(self, first=[change(s) for s in self.first], second=[change(s) for s in self.second])


def joined(text: str) -> str:
    """Without the blanks that tokenised files have around punctuation: ``don ' t go , he said .`` -> ``don't go, he said.``"""
    text = re.sub(rf"\s+({AFTER})", r"\1", text)
    text = re.sub(rf"({BEFORE})\s+", r"\1", text)
    return re.sub(r"(?<=\w)\s+'\s+(?=\w)", "'", text)


def spaced(text: str) -> str:
    """With a blank on both sides of every sign that is no letter, digit or blank."""
    return " ".join(re.sub(r"([^\w\s]|_)", r" \1 ", text).split())


def closed(text: str) -> str:
    """With a full stop where the sentence ends without one (nor with another closing sign)."""
    return text if re.search(r"[.!?][\"')\]\s]*$", text) else text.rstrip() + " ."


REWRITINGS: dict[str, Callable[[str], str]] = {"lower": str.lower, "joined": joined, "spaced": spaced, "closed": closed}


@dataclass(frozen=True)
class Material:
    """Tasks in every text that could be had, ``texts[text][task]``, and other pairs of the same task, ``pairs[which][task]``.

    ``left_out`` says of a choice that could not be had why.
    """

    texts: dict[str, dict[str, Task]]
    pairs: dict[str, dict[str, Task]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def tasks(self, text: str = "filed", pairs: str = "filed") -> dict[str, Task]:
        """The tasks in one text, with other pairs where they are asked for."""
        return self.texts[text] | self.pairs.get(pairs, {})


def material(
    source: str, folder: Path | None = None, names: Sequence[str] | None = None, limit: int | None = None
) -> Material:
    """The graded sets of a source in every text; what the hub does not have is left out with the reason.

    Args:
        source, folder, names: as for ``load_pair_sets``.
        limit: at most so many pairs a task, evenly spaced.
    """
    filed = tasks_of(load_pair_sets(source, folder=folder, names=names), source, limit)
    texts = {"filed": filed}
    for label, change in REWRITINGS.items():
        texts[label] = {name: task.rewritten(change) for name, task in filed.items()}
    if source != "senteval":
        reason = f"the pairs of this run are {source}, not SentEval's"
        return Material(texts, left_out={"text=mteb": reason, "pairs=all": reason})
    pairs = {"all": {"SICK-R": whole_sick(limit)}} if "SICK-R" in filed else {}
    try:
        return Material(texts | {"mteb": other_files(filed)}, pairs)
    except UserError as error:
        return Material(texts, pairs, {"text=mteb": str(error)})


def tasks_of(sets: Mapping[str, PairSet], source: str, limit: int | None = None) -> dict[str, Task]:
    """Tasks with their subsets out of whole pair sets, thinned to ``limit`` pairs each.

    The years of SentEval have subsets. The generated world has none, so its sets are put together once more as the subsets
    of a task ``all sets as one``, which does not count in the average.
    """
    tasks = {}
    for name, pairs in sets.items():
        task = Task(pairs.name, pairs.first, pairs.second, pairs.gold, _labels(name, pairs, source))
        tasks[name] = _thinned(task, limit)
    return tasks | {TOGETHER: _as_one(tasks)} if source == "generated" and len(tasks) > 1 else tasks


def whole_sick(limit: int | None = None) -> Task:
    """All 9,927 pairs of SICK-R out of SentEval's files: test, training and trial pairs."""
    files = senteval.members()
    parts = [senteval.task(name, files) for name in ("SICK-R", "SICK-R train", "SICK-R trial")]
    first, second = ([text for part in parts for text in part[side]] for side in (0, 1))
    gold = np.concatenate([part[2] for part in parts])
    return _thinned(Task("SICK-R", first, second, gold, np.repeat("SICK-R", len(gold))), limit)


def other_files(tasks: Mapping[str, Task]) -> dict[str, Task]:
    """The pairs of ``tasks`` as ``mteb`` publishes them, in the order of ``tasks``.

    Raises:
        UserError: no hub; a pair that ``mteb`` does not have.
    """
    found = load_pair_sets("mteb", names=list(tasks))
    return {name: matched(task, found[name]) for name, task in tasks.items()}


def matched(task: Task, other: PairSet) -> Task:
    """Each pair of a task in the writing of another file; letters, digits and gold score tell which pair is which.

    Raises:
        UserError: a pair that the other file does not have.
    """
    places: dict[tuple, list[int]] = {}
    for row, key in reversed(list(enumerate(_keys(other.first, other.second, other.gold)))):
        places.setdefault(key, []).append(row)
    rows = []
    for number, key in enumerate(_keys(task.first, task.second, task.gold), 1):
        if not places.get(key):
            raise UserError(f"pair {number} of {task.name} is not in {other.source}; these are not the same pairs")
        rows.append(places[key].pop())
    return replace(task, first=[other.first[i] for i in rows], second=[other.second[i] for i in rows])


def _keys(first: Iterable[str], second: Iterable[str], gold: np.ndarray) -> list[tuple]:
    sides = ([re.sub(r"[\W_]", "", text.lower()) for text in side] for side in (first, second))
    return list(zip(*sides, np.round(gold, 6).tolist(), strict=True))


def _labels(name: str, pairs: PairSet, source: str) -> np.ndarray:
    if source != "senteval" or name in senteval.TABLES:
        return np.repeat(name, len(pairs))
    parts = senteval.subsets(name, senteval.members())
    return np.repeat(list(parts), [len(part[2]) for part in parts.values()])


def _thinned(task: Task, limit: int | None) -> Task:
    if limit is None or limit >= len(task):
        return task
    rows = evenly_spaced(len(task), limit)
    first, second = ([side[i] for i in rows] for side in (task.first, task.second))
    return replace(task, first=first, second=second, gold=task.gold[rows], subset=task.subset[rows])


def _as_one(tasks: Mapping[str, Task]) -> Task:
    first, second = ([text for task in tasks.values() for text in getattr(task, side)] for side in ("first", "second"))
    gold, subset = (np.concatenate([getattr(task, part) for task in tasks.values()]) for part in ("gold", "subset"))
    return Task(TOGETHER, first, second, gold, subset, counted=False)
