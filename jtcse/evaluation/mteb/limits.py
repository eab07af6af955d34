"""Cutting a loaded task to a few rows, so that a whole run can be tried in minutes. Scores of cut tasks are no scores.

Rows are taken from the front, and no more is kept than mteb needs to evaluate the task as it would the whole.
"""

from __future__ import annotations

from collections import defaultdict

from jtcse.core.errors import UserError
from jtcse.evaluation.mteb import counts


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
    from mteb.abstasks import AbsTaskBitextMining, AbsTaskClassification, AbsTaskRetrieval, AbsTaskSTS

    kinds = {
        AbsTaskClassification: _classified,
        AbsTaskRetrieval: _queries,
        AbsTaskBitextMining: _pairs,
        AbsTaskSTS: _scored,
    }
    known = [smaller for kind, smaller in kinds.items() if isinstance(task, kind)]
    if not known or getattr(task, "is_cross_validation", False):  # its parts would need rules of their own
        raise UserError(
            f"{task.metadata.name} is of type {task.metadata.type}, and a limit is for classification (not cross-validated), "
            "STS, bitext mining, retrieval and reranking: score it whole, without a limit, or leave it out"
        )
    # Splits that several subsets share, as of bitext mining in many languages, are cut once.
    places = {}
    for split in counts.splits(task):
        for subset in task.hf_subsets:
            holder, key = counts.part(task, split, subset)
            places[id(holder), key] = holder
    for (_, key), holder in places.items():
        smaller = _trained_on if key == getattr(task, "train_split", None) else known[0]
        holder[key] = smaller(holder[key], limit, task)


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
