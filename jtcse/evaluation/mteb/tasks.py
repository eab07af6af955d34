"""Which tasks of ``mteb`` are meant: the rows of the paper they answer, the words of ``--tasks``, the task objects.

``paper/tasks.csv`` says for each row of Tables II to V and of the right part of Table I which task, splits and subsets it is
taken to be, and where that is in doubt. The metric is mteb's main score everywhere: the paper says that it reports "Main result".

Words are ``table2``, ``STS17`` or ``STS17:en-en+es-es``, with commas between them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from jtcse.core.errors import UserError, check_choice

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask

LISTS = ("table1-right", "table2", "table3", "table4", "table5", "table6")
PREDECESSOR = "predecessor"  # in tasks.csv: the retrieval tasks that TNCSE's supplement names
OFFERED = 5  # names in a message at most


@dataclass(frozen=True)
class Wanted:
    """A task by mteb's name, with what of it is to be scored."""

    name: str
    subsets: tuple[str, ...] = ()  # of its languages; empty: all
    splits: tuple[str, ...] = ()  # empty: its own evaluation splits


@dataclass(frozen=True)
class Row:
    """A row of a table of the paper, and the task that answers it."""

    place: str  # "table1" ... "table5"
    row: str  # as in ids: "AllegroReviews", "STS17", "de-en"
    wanted: Wanted
    metric: str  # key among mteb's scores
    subset: str | None = None  # None: mean over all subsets of ``wanted``; over its splits in any case


def rows(place: str) -> list[Row]:
    """The rows of one of ``LISTS`` that mteb can answer, in printed order; of Table VI none, its tasks are named nowhere.

    Raises:
        UserError: no such list.
    """
    check_choice("list of tasks", place, LISTS)
    return list(_rows(place.removesuffix("-right")))


@cache
def _rows(place: str) -> tuple[Row, ...]:
    from jtcse.paper.printed import tasks

    frame = tasks().query("place == @place and splits != ''")
    return tuple(_row(entry) for entry in frame.itertuples())


def _row(entry: Any) -> Row:
    subsets, splits = (tuple(filter(None, text.split("+"))) for text in (entry.subsets, entry.splits))
    only = subsets[0] if len(subsets) == 1 else None
    return Row(entry.place, entry.task, Wanted(entry.mteb, subsets, splits), entry.main_score, only)


def wanted(words: str) -> list[Wanted]:
    """What words name, each task once, in the order of first mention.

    Subsets and splits of a task that is named twice are united; all of them, once asked for, stay all. For ``table6`` the 30
    retrieval tasks of the predecessor stand in. Whether mteb has a task is not looked up here, but by ``opened``.

    Raises:
        UserError: a word that is empty or of another form, an unknown list, a list with subsets.
    """
    found: dict[str, Wanted] = {}
    for word in words.split(","):
        for one in _meant(word.strip()):
            other = found.get(one.name, one)
            subsets, splits = _union(other.subsets, one.subsets), _union(other.splits, one.splits)
            found[one.name] = Wanted(one.name, subsets, splits)
    return list(found.values())


def _meant(word: str) -> list[Wanted]:
    name, colon, text = (part.strip() for part in word.partition(":"))
    subsets = re.split(r"\+(?=[^+])", text) if colon else []  # one of mteb's subsets is called "c++"
    if not name or "" in subsets:
        raise UserError(f"{word!r} names no task; expected NAME or NAME:SUBSET+SUBSET, with commas between tasks")
    if not re.match(r"table\d", name):
        return [Wanted(name, tuple(subsets))]
    check_choice("list of tasks", name, LISTS)
    if colon:
        raise UserError(f"{word!r} asks for subsets of a list; write the list alone, or NAME:SUBSET for single tasks")
    return [row.wanted for row in (_rows(PREDECESSOR) if name == "table6" else rows(name))]


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Both, sorted; nothing means all, so that nothing with something is all."""
    return tuple(sorted({*one, *other})) if one and other else ()


def opened(one: Wanted) -> AbsTask:
    """The task of mteb, cut down to the subsets and splits that are wanted; no data is loaded.

    Raises:
        UserError: mteb has no such task (with the nearest names) or has renamed it, it is a collection of others or not of text
            alone, or it lacks a subset or split (with the nearest it has).
    """
    _check_installed()
    from mteb import get_task

    _check_name(one.name)
    task = get_task(one.name)
    _check_scorable(task)
    _check_part("subset", one.subsets, list(task.hf_subsets), one.name)
    _check_part("split", one.splits, list(task.eval_splits), one.name)
    return task.filter_languages(None, hf_subsets=one.subsets or None).filter_eval_splits(list(one.splits) or None)


def _check_installed() -> None:
    from importlib.util import find_spec

    if find_spec("mteb") is None:
        raise UserError(
            'tasks of mteb need the package mteb, which is not installed; pip install -e ".[zero-shot]" brings it'
        )


def _check_name(name: str) -> None:
    renamed = getattr(_registry(), "_TASK_RENAMES", {})
    if name in renamed:
        raise UserError(f"mteb has renamed its task {name!r}; write {renamed[name]!r}")
    known = _modalities()
    if name not in known:
        text = [other for other, modalities in known.items() if modalities == ["text"]]
        raise UserError(f"mteb has no task {name!r}; {_offered(name, text)}; lists of tasks: {', '.join(LISTS)}")


def _registry() -> ModuleType:
    return import_module("mteb.get_tasks")  # the function of that name hides the module


@cache
def _modalities() -> dict[str, list[str]]:
    """Of each task of mteb by its name: more than a thousand, each built anew when it is asked for."""
    return {task.metadata.name: task.metadata.modalities for task in _registry().TASK_LIST}


def _check_scorable(task: AbsTask) -> None:
    name, members = task.metadata.name, getattr(task.metadata, "tasks", [])
    modalities = sorted(set(task.modalities))
    if modalities != ["text"]:
        raise UserError(f"mteb's task {name!r} is of {' and '.join(modalities)}; choose one of text only")
    if members:
        names = ",".join(member.metadata.name for member in members)
        raise UserError(f"mteb's task {name!r} is a collection of others; write them instead: {names}")


def _check_part(kind: str, names: Sequence[str], valid: list[str], task: str) -> None:
    for name in names:
        if name not in valid:
            raise UserError(f"mteb's task {task!r} has no {kind} {name!r}; {_offered(name, valid)}")


def _offered(name: str, valid: list[str]) -> str:
    """The valid names where they are few, else the nearest, whatever their case; the same languages turned round come first."""
    if len(valid) <= OFFERED:
        return f"valid: {', '.join(valid)}"
    name, folded = name.casefold(), {other.casefold(): other for other in valid}
    turned = [other for other in folded if sorted(other.split("-")) == sorted(name.split("-"))]
    near = dict.fromkeys([*turned, *get_close_matches(name, folded, n=OFFERED, cutoff=0.0)])
    return f"the nearest of {len(valid):,}: {', '.join([folded[other] for other in near][:OFFERED])}"
