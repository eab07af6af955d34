"""Layouts of data sets that a task of ``mteb`` reads by code of its own."""

from __future__ import annotations

from standin_tasks_made import PLACES, Order, Rows, Tables, labelled, mined
from standin_tasks_sought import Sought, sought


def topics(order: Order) -> Tables:
    """KLUE-TC: labels are numbers with names, which only a typed file holds."""
    from datasets import ClassLabel, Dataset

    def typed(rows: Rows) -> Dataset:
        table = Dataset.from_list([{"title": row["text"], "label": row["label"]} for row in rows])
        return table.cast_column("label", ClassLabel(names=list(PLACES)))

    name = order.task.metadata.dataset["name"]
    return {f"{order.path}/{name}": {split: typed(labelled(order, split, "default")) for split in order.splits}}


def comparable(order: Order) -> Tables:
    """BUCC: one row a language pair, which holds all sentences of both and the pairs by their numbers from 1."""
    made: Tables = {}
    for subset in order.subsets:
        rows = mined(order, "test", subset)
        row = {column: [one[column] for one in rows] for column in ("sentence1", "sentence2")}
        made[f"{order.path}/{subset}"] = {"test": [row | {"gold": [[i, i] for i in range(1, len(rows) + 1)]}]}
    return made


def tales(order: Order) -> Tables:
    """RomaTales: its one language pair is not the name of a configuration."""
    rows = mined(order, "test", order.subsets[0])
    return {
        f"{order.path}/default": {"test": [{"romani": row["sentence1"], "hungarian": row["sentence2"]} for row in rows]}
    }


def titles(order: Order) -> Tables:
    """TbilisiCityHall: one table for both directions."""
    rows = mined(order, "test", "kat_Geor-eng_Latn")
    return {f"{order.path}/default": {"test": [{"ka": row["sentence1"], "en": row["sentence2"]} for row in rows]}}


# -- retrieval: a question beside its document in one row ----------------------------------------------------------------


def beside(found: Sought) -> list[tuple[str, dict[str, str]]]:
    """Each query with its document."""
    documents = {one["_id"]: one for one in found.corpus}
    return [(query["text"], documents[one["corpus-id"]]) for query, one in zip(found.queries, found.qrels, strict=True)]


def answered(order: Order) -> Tables:
    """FQuAD: splits of questions that have an answer, documents known by their titles."""
    made: Tables = {f"{order.path}/default": {}}
    for split, public in {"test": "test_hasAns", "validation": "valid_hasAns"}.items():
        rows = [
            {"title": document["_id"], "context": document["text"], "question": query}
            for query, document in beside(sought(order, split))
        ]
        made[f"{order.path}/default"][public] = rows
    return made


def frequent(order: Order) -> Tables:
    """GeorgianFAQ: equal questions and equal answers are one, so the repeated question gets a word of its own."""
    rows = beside(sought(order, "test"))
    table = [{"question": f"{query} {i}", "answer": document["text"]} for i, (query, document) in enumerate(rows)]
    return {f"{order.path}/default": {"test": table}}


def summed_up(order: Order) -> Tables:
    """SlovakSum: the summary of an article asks for it."""
    rows = beside(sought(order, "test"))
    table = [{"sum": query, "title": document["title"], "text": document["text"]} for query, document in rows]
    return {f"{order.path}/default": {"test": table}}


# -- retrieval: documents and queries apart ------------------------------------------------------------------------------


def judged_apart(order: Order) -> Tables:
    """GermanQuAD: judgements in a repository of their own, splits named after what they hold."""
    found = sought(order, "test")
    return {
        f"{order.path}/corpus": {"corpus": found.corpus},
        f"{order.path}/queries": {"queries": found.queries},
        f"{order.path}-qrels/default": {"test": found.qrels},
    }


def articles(order: Order) -> Tables:
    """Syntec: a question names its article."""
    found = sought(order, "test")
    return {
        f"{order.path}/documents": {
            "test": [{"id": one["_id"], "title": one["title"], "content": one["text"]} for one in found.corpus]
        },
        f"{order.path}/queries": {
            "test": [{"Question": query, "Article": document["_id"]} for query, document in beside(found)]
        },
    }


def long_documents(order: Order) -> Tables:
    """LongEmbed: a configuration a task, whose splits are documents, queries and judgements, all with the same columns."""
    found = sought(order, order.splits[0])
    table = {
        "corpus": [{"doc_id": one["_id"], "qid": "", "text": one["text"]} for one in found.corpus],
        "queries": [{"doc_id": "", "qid": one["_id"], "text": one["text"]} for one in found.queries],
        "qrels": [{"doc_id": one["corpus-id"], "qid": one["query-id"], "text": ""} for one in found.qrels],
    }
    return {f"{order.path}/{order.task.metadata.dataset['name']}": table}


OWN = {
    "BUCC": comparable,
    "FQuADRetrieval": answered,
    "GeorgianFAQRetrieval": frequent,
    "GermanQuAD-Retrieval": judged_apart,
    "KLUE-TC": topics,
    "LEMBNarrativeQARetrieval": long_documents,
    "LEMBQMSumRetrieval": long_documents,
    "LEMBSummScreenFDRetrieval": long_documents,
    "LEMBWikimQARetrieval": long_documents,
    "RomaTalesBitextMining": tales,
    "SlovakSumRetrieval": summed_up,
    "SyntecRetrieval": articles,
    "TbilisiCityHallBitextMining": titles,
}
