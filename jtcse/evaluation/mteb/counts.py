"""How many samples a loaded task holds, beside mteb's own count of the same task (its descriptive statistics)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """A split of a subset that has not as many samples as mteb counts."""

    split: str
    subset: str
    what: str
    found: int
    expected: int

    def __str__(self) -> str:
        place = self.split if self.subset == "default" else f"{self.split} of {self.subset}"
        return f"{self.found:,} {self.what} in {place}, mteb's statistics count {self.expected:,}"


def differences(task) -> list[Difference]:
    """Where a loaded task differs from mteb's statistics, in what will be scored or trained on.

    Known are classification, STS, bitext mining, retrieval and reranking; of other kinds, and where mteb has no count, nothing
    is compared. The statistics are of the data as loaded, after the task's own subsampling.
    """
    statistics = task.metadata.descriptive_stats or {}
    if not _known(task):
        return []
    return [
        Difference(split, subset, what, found.get(what, 0), number)
        for split in splits(task)
        for subset in task.hf_subsets
        for found in [_found(task, split, subset)]
        for what, number in _expected(task, statistics.get(split, {}), subset).items()
        if found.get(what, 0) != number
    ]


def splits(task) -> list[str]:
    """Those that are scored, and of a classification task the one that is trained on."""
    return list(dict.fromkeys([*task.eval_splits, *([task.train_split] if hasattr(task, "train_split") else [])]))


def part(task, split: str, subset: str):
    """The data of a split and subset where mteb looks for them: ``(holder, key)`` with the data at ``holder[key]``.

    Raises:
        KeyError: they are not there.
    """
    data = task.dataset or {}
    whole = getattr(task, "parallel_subsets", False) or (subset == "default" and subset not in data)
    holder = data if whole else data[subset]
    if split not in holder:
        raise KeyError(split)
    return holder, split


def rows(data) -> int:
    """Rows of a split; BUCC's are a dictionary of lists."""
    return len(data["sentence1"]) if isinstance(data, dict) else len(data)


def _known(task) -> bool:
    from mteb.abstasks import AbsTaskBitextMining, AbsTaskClassification, AbsTaskRetrieval, AbsTaskSTS

    return isinstance(task, (AbsTaskBitextMining, AbsTaskClassification, AbsTaskRetrieval, AbsTaskSTS))


def _expected(task, statistics: dict, subset: str) -> dict[str, int]:
    """Mteb's numbers by the words of ``_found``; older statistics of retrieval have the sum alone."""
    if task.metadata.is_multilingual:
        statistics = statistics.get("hf_subset_descriptive_stats", {}).get(subset, {})
    ranked = (statistics.get("top_ranked_statistics") or {}).get("num_top_ranked")
    if statistics.get("num_queries"):
        numbers = {"documents": statistics.get("num_documents"), "queries": statistics["num_queries"]}
    else:
        numbers = {"samples": statistics.get("num_samples")}
    return {what: number for what, number in {**numbers, "candidates": ranked}.items() if number}


def _found(task, split: str, subset: str) -> dict[str, int]:
    """Numbers of a split and subset of a loaded task; none where it is not there."""
    from mteb.abstasks import AbsTaskRetrieval

    try:
        holder, key = part(task, split, subset)
    except KeyError:
        return {}
    if isinstance(task, AbsTaskRetrieval):
        numbers = {"documents": len(holder[key]["corpus"]), "queries": len(holder[key]["queries"])}
        ranked = sum(len(documents or ()) for documents in (holder[key].get("top_ranked") or {}).values())
        return {**numbers, "samples": sum(numbers.values()), "candidates": ranked}
    if getattr(task, "parallel_subsets", False) and not set(subset.split("-")) <= set(holder[key].column_names):
        return {}
    return {"samples": rows(holder[key])}
