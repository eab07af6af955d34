"""Stand-ins for retrieval and reranking tasks of ``mteb``: documents, queries, and which of them belong together."""

from __future__ import annotations

from dataclasses import dataclass

from standin_tasks_made import Order, Rows, Tables

CANDIDATES = 6  # documents that a query of a reranking task is to order


@dataclass(frozen=True)
class Sought:
    """A split of a retrieval task, with mteb's columns."""

    corpus: Rows
    queries: Rows
    qrels: Rows
    top_ranked: Rows


def sought(order: Order, split: str, subset: str = "default") -> Sought:
    """Documents, and queries that share words with theirs; queries 2k and 2k+1 count as parts of one where a task has such."""
    asking, holding = sizes(order, split, subset)
    texts = order.asked(max(asking, holding), split, subset)
    queries = [{"_id": f"q{i // 2}_{i % 2}", "text": query} for i, (_, query) in enumerate(texts[:asking])]
    corpus = [
        {"_id": f"d{i}", "title": " ".join(document.split()[:2]), "text": document}
        for i, (document, _) in enumerate(texts[:holding])
    ]
    metadata = order.task.metadata
    parts = 2 if metadata.main_score.startswith("max_over_subqueries") else 1
    reranked = metadata.type == "Reranking"
    qrels: Rows = []
    top_ranked: Rows = []
    for i, query in enumerate(queries):
        right = _next_to(i, parts, parts, holding)
        shown = sorted({*right, *_next_to(i, 4, CANDIDATES, holding)}) if reranked else right
        qrels += [{"query-id": query["_id"], "corpus-id": f"d{one}", "score": int(one in right)} for one in shown]
        top_ranked += [{"query-id": query["_id"], "corpus-ids": [f"d{one}" for one in shown]}] if reranked else []
    return Sought(corpus, queries, qrels, top_ranked)


def sizes(order: Order, split: str, subset: str) -> tuple[int, int]:
    """(queries, documents). Where mteb counts only their sum, half of it each."""
    if order.rows:
        return order.rows, order.rows
    counted = order.counted(split, subset)
    asking = counted.get("num_queries") or (counted["num_samples"] + 1) // 2
    return asking, counted["num_samples"] - asking


def _next_to(place: int, block: int, count: int, length: int) -> list[int]:
    """``count`` numbers below ``length`` from the start of the block that a place is in."""
    return [(place // block * block + k) % length for k in range(count)]


def searched(order: Order) -> Tables:
    """As mteb's own loader reads them: documents, queries, judgements, and candidates where they are reranked."""
    made: Tables = {}
    for subset in order.subsets:
        prefix = "" if subset == "default" else f"{subset}-"
        configs = {part: f"{prefix}{part}" for part in ("corpus", "queries", "qrels", "top_ranked")}
        configs["qrels"] = f"{prefix}qrels" if prefix else "default"
        for split in order.splits:
            found = sought(order, split, subset)
            for part, config in configs.items():
                if rows := getattr(found, part):
                    made.setdefault(f"{order.path}/{config}", {})[split] = rows
    return made
