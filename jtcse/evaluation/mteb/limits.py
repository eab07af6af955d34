"""How many samples a loaded task holds, beside mteb's own count of it; and cutting it to a few, to try a whole run in minutes.

Scores of cut tasks are no scores. Rows are taken from the front, and no more is kept than mteb needs to evaluate the task as it
would the whole.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from jtcse.core.errors import UserError


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
    if _smaller(task) is None:
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


# -- cutting ---------------------------------------------------------------------------------------------------


def cut(task, limit: int) -> None:
    """Cut the splits and subsets of a loaded task that will be scored, in place.

    - STS: the first ``limit`` pairs, and on to the first with another score: a correlation needs two.
    - Bitext mining: the first ``limit`` pairs; of BUCC, whose sides differ in length, those and the first of the longer side.
    - Classification: the first ``limit`` rows, and on to a third label where they have two of more; of what is trained on
      about ``limit``, the first of each label.
    - Retrieval and reranking: the first ``limit`` queries that have judged documents, with these and their candidates; without
      candidates, also with the first ``limit`` documents.

    Raises:
        UserError: a task of another kind, or a cross-validated one.
    """
    own = _smaller(task)
    if own is None or getattr(task, "is_cross_validation", False):  # its parts would need rules of their own
        raise UserError(
            f"{task.metadata.name} is of type {task.metadata.type}, and a limit is for classification (not cross-validated), "
            "STS, bitext mining, retrieval and reranking: score it whole, without a limit, or leave it out"
        )
    # Splits that several subsets share, as of bitext mining in many languages, are cut once.
    places = {}
    for split in splits(task):
        for subset in task.hf_subsets:
            holder, key = part(task, split, subset)
            places[id(holder), key] = holder
    for (_, key), holder in places.items():
        smaller = _trained_on if key == getattr(task, "train_split", None) else own
        holder[key] = smaller(holder[key], limit, task)


def _smaller(task):
    """What cuts the data of a task's kind; None for kinds that are not known here."""
    from mteb.abstasks import AbsTaskBitextMining, AbsTaskClassification, AbsTaskRetrieval, AbsTaskSTS

    kinds = {
        AbsTaskClassification: _classified,
        AbsTaskRetrieval: _queries,
        AbsTaskBitextMining: _pairs,
        AbsTaskSTS: _scored,
    }
    return next((smaller for kind, smaller in kinds.items() if isinstance(task, kind)), None)


def _first(data, limit: int):
    return data.select(range(min(limit, len(data))))


def _scored(data, limit: int, _):
    scores = data["score"]
    other = next((i for i, score in enumerate(scores) if score != scores[0]), len(scores) - 1)
    return _first(data, max(limit, other + 1))


def _pairs(data, limit: int, _):
    if not isinstance(data, dict):
        return _first(data, limit)
    gold = data["gold"][:limit]
    partners = sorted({j for _, j in gold}.union(range(min(limit, len(data["sentence2"])))))
    places = {j: place for place, j in enumerate(partners)}
    return {
        "sentence1": data["sentence1"][:limit],
        "sentence2": [data["sentence2"][j] for j in partners],
        "gold": [(i, places[j]) for i, j in gold],
    }


def _classified(data, limit: int, task):
    """The first rows, and on to a third label if there is one: mteb takes two for a yes and a no, which are 0 and 1."""
    labels = _labels(data, task)
    firsts = {label: i for i, label in reversed(list(enumerate(labels)))}
    third = sorted(firsts.values())[2:3]
    return _first(data, max(limit, third[0] + 1) if third and len(set(labels[:limit])) == 2 else limit)


def _trained_on(data, limit: int, task):
    """The first rows of each label, as many of each as make about ``limit`` together, at least one."""
    labels = _labels(data, task)
    positions = defaultdict(list)
    for position, label in enumerate(labels):
        positions[label].append(position)
    share = max(1, limit // len(positions))
    return data.select(sorted(position for some in positions.values() for position in some[:share]))


def _labels(data, task) -> list:
    return [tuple(label) if isinstance(label, list) else label for label in data[task.label_column_name]]


def _queries(data: dict, limit: int, _) -> dict:
    relevant, ranked = data["relevant_docs"], data.get("top_ranked")
    with_answers = [i for i, name in enumerate(data["queries"]["id"]) if relevant.get(name)][:limit]
    queries = data["queries"].select(with_answers)
    names = list(queries["id"])
    wanted = {document for name in names for document in relevant[name]}
    if ranked is not None:
        wanted |= {document for name in names for document in ranked.get(name, ())}
    documents = [i for i, name in enumerate(data["corpus"]["id"]) if name in wanted or (ranked is None and i < limit)]
    return {
        **data,
        "queries": queries,
        "corpus": data["corpus"].select(documents),
        "relevant_docs": {name: relevant[name] for name in names},
        "top_ranked": ranked and {name: ranked[name] for name in names if name in ranked},
    }
