"""How many texts a task embeds, by ``mteb``'s own descriptive statistics: known before anything is downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask

SUBSETS = "hf_subset_descriptive_stats"
"""Where ``mteb``'s statistics of a split have those of its language subsets."""


@dataclass(frozen=True)
class Size:
    """Distinct texts and the characters of all of them."""

    texts: int
    characters: int


def size_of(task: AbsTask, limit: int | None = None) -> Size | None:
    """Distinct texts that a task embeds in its splits and subsets; None where ``mteb`` has no statistics of one of them.

    At most so many: a text that is a query and a document counts twice. Sets of texts whose statistics are equal to the last
    digit count once: parallel tasks list the same sentences with every other language. Of the training rows of a
    classification only those count that its draws are expected to hit.

    Args:
        task: filtered to what is wanted; its data need not be there.
        limit: rows of each split that it will be cut to (``limits.cut``).
    """
    stats = task.metadata.descriptive_stats or {}
    every = set(task.hf_subsets) == set(task.metadata.hf_subsets)
    whole = _sum(task, [stats], limit) if every else None
    if not any(SUBSETS in told for told in stats.values()):
        return whole
    subsets = [{split: told.get(SUBSETS, {}).get(name) for split, told in stats.items()} for name in task.hf_subsets]
    parts = _sum(task, subsets, limit)
    if parts is None or whole is None or limit or _trains(task):
        return parts
    return min(parts, whole, key=lambda size: size.texts)  # the whole knows of sentences that several subsets have


def _trains(task: AbsTask) -> bool:
    """Whether a task embeds rows of a training split as well, which it draws in each subset."""
    return hasattr(task, "samples_per_label") and task.train_split not in task.eval_splits


def _sum(task: AbsTask, subsets: Iterable[Mapping[str, Any]], limit: int | None) -> Size | None:
    """Of subsets, each as split -> statistics."""
    found: dict[tuple, Size] = {}
    for told in subsets:
        for split in task.eval_splits:
            if not (texts := _texts(told.get(split) or {}, limit)):
                return None
            found |= texts
        if _trains(task):
            if not (drawn := _drawn(task, told.get(task.train_split) or {}, limit)):
                return None
            found |= drawn
    return Size(sum(size.texts for size in found.values()), sum(size.characters for size in found.values()))


def _texts(told: Mapping[str, Any], limit: int | None) -> dict[tuple, Size]:
    """Columns of a split that hold texts, under what tells them apart from others."""
    columns = _columns(told)
    rows = {name: _rows(name, told, limit) if limit else None for name in columns}
    return {tuple(sorted(column.items())): _size(column, rows[name]) for name, column in columns.items()}


def _columns(told: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {name: value for name, value in told.items() if isinstance(value, dict) and "unique_texts" in value}


def _size(column: Mapping[str, Any], rows: int | None) -> Size:
    """Of a column, or of as many of its rows."""
    texts = column["unique_texts"] if rows is None else min(rows, column["unique_texts"])
    return Size(texts, round(texts * column["average_text_length"]))


def _rows(name: str, told: Mapping[str, Any], limit: int) -> int:
    """Rows that a limit leaves of a column: of documents, those of the first queries on average."""
    if not name.startswith("documents"):
        return limit
    if ranked := told.get("top_ranked_statistics"):
        return round(limit * ranked["average_top_ranked_per_query"])
    return round(limit * (1 + told["relevant_docs_statistics"]["average_relevant_docs_per_query"]))


def _drawn(task: AbsTask, told: Mapping[str, Any], limit: int | None) -> dict[tuple, Size]:
    """Training rows that at least one of the task's draws is expected to hit; without labels, as in regressions, all rows."""
    labels = (told.get("label_statistics") or {}).get("labels") or {}
    rows = round(sum(_hit(task, label["count"]) for label in labels.values())) if labels else None
    if limit and rows is not None:
        rows = min(rows, max(limit, len(labels)))
    return {("drawn", *sorted(column.items())): _size(column, rows) for column in _columns(told).values()}


def _hit(task: AbsTask, rows: int) -> float:
    """Of a label's rows, those in one of ``n_experiments`` draws of ``samples_per_label`` rows."""
    return rows * (1 - (1 - min(1, task.samples_per_label / rows)) ** task.n_experiments)
