"""What a stand-in for a task of ``mteb`` holds: rows of each type of task, arranged as mteb's own loaders read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import standin

if TYPE_CHECKING:
    from datasets import Dataset
    from mteb.abstasks import AbsTask

Rows = list[dict[str, Any]]
Tables = dict[str, "dict[str, Rows | Dataset]"]
"""``owner/name/config`` -> split -> its rows."""

PLACES = ("hill", "coast", "plain", "town")
LABELS = {
    "HinDialectClassification": PLACES,
    "KLUE-TC": PLACES,
    "LanguageClassification": PLACES,
    "ScalaClassification": ("correct", "incorrect"),
    "TamilNewsClassification": PLACES,
}
COLUMNS = {  # mteb's name of a column -> the name in the public files, which the task's own code undoes
    "CzechSoMeSentimentClassification": {"text": "comment", "label": "sentiment_int"},
    "HinDialectClassification": {"text": "folksong", "label": "language"},
    "LanguageClassification": {"label": "labels"},
    "MarathiNewsClassification": {"text": "headline"},
    "TamilNewsClassification": {"text": "NewsInTamil", "label": "Category"},
    "STSBenchmarkMultilingualSTS": {"score": "similarity_score"},
}


@dataclass(frozen=True)
class Order:
    """What is to be made: for which task and subsets, how many rows, from which seed."""

    task: AbsTask
    subsets: Sequence[str]
    rows: int | None
    seed: int

    @property
    def path(self) -> str:
        """Owner and name of the repository."""
        return self.task.metadata.dataset["path"]

    @property
    def splits(self) -> list[str]:
        train = [self.task.train_split] if hasattr(self.task, "train_split") else []
        return list(dict.fromkeys([*self.task.metadata.eval_splits, *train]))

    def counted(self, split: str, subset: str) -> dict[str, Any]:
        """mteb's statistics of the real split."""
        found = self.task.metadata.descriptive_stats[split]
        return found["hf_subset_descriptive_stats"][subset] if "hf_subset_descriptive_stats" in found else found

    def count(self, split: str, subset: str) -> int:
        return self.rows or self.counted(split, subset)["num_samples"]

    def pairs(self, count: int, *words: str) -> list[tuple[str, str, float]]:
        """Sentences, each with one that shares some of its words, and a score from 0 to 5; words are what they are for."""
        own = crc32(" ".join([self.task.metadata.name, *words]).encode()) + self.seed
        portions = [(start, min(4000, count - start)) for start in range(0, count, 4000)]
        return [pair for start, size in portions for pair in standin.graded_pairs(size, own + start)]

    def asked(self, count: int, *words: str) -> list[tuple[str, str]]:
        """(sentence, what asks for it), where the second sentence is asked for in the words of the first."""
        pairs = [(left, mixed) for left, mixed, _ in self.pairs(count, *words)]
        return [*pairs[:1], *((left, pairs[0][1]) for left, _ in pairs[1:2]), *pairs[2:]]


def labelled(order: Order, split: str, subset: str) -> Rows:
    """Texts with labels that follow their first word."""
    kinds = min(order.counted(split, subset)["label_statistics"]["unique_labels"], len(PLACES))
    labels = LABELS.get(order.task.metadata.name) or range(kinds)
    texts = [text for text, _, _ in order.pairs(order.count(split, subset), split, subset)]
    kind = [i % len(labels) for i in range(len(texts))]
    rows = [{"text": f"{PLACES[k]} : {text}", "label": labels[k]} for k, text in zip(kind, texts, strict=True)]
    rows[1]["text"] = rows[0]["text"]
    return rows


def graded(order: Order, split: str, subset: str) -> Rows:
    """Pairs of sentences with a score on the task's scale, no language but English."""
    low, high = order.task.min_score, order.task.max_score
    pairs = order.pairs(order.count(split, subset), split, subset)
    return [{"sentence1": a, "sentence2": b, "score": low + (high - low) * s / 5} for a, b, s in pairs]


def mined(order: Order, split: str, subset: str) -> Rows:
    """Sentences in two languages that share words."""
    first, second = subset.split("-") if "-" in subset else ("one", "other")
    texts = [text for text, _, _ in order.pairs(order.count(split, subset), split, subset)]
    asked = [texts[0], *texts[:1], *texts[2:]]
    return [
        {"sentence1": in_language(a, first), "sentence2": in_language(b, second)}
        for a, b in zip(asked, texts, strict=True)
    ]


def in_language(text: str, language: str) -> str:
    """The text with each fourth word replaced by the language's own."""
    start = crc32(language.encode()) % 4
    return " ".join(f"{word}{language[:3]}" if i % 4 == start else word for i, word in enumerate(text.split()))


def tables(make: Callable[[Order, str, str], Rows]) -> Callable[[Order], Tables]:
    """As mteb loads most sets: a configuration a subset, or, where it loads "fast", one whose rows name theirs."""

    def made(order: Order) -> Tables:
        renamed = COLUMNS.get(order.task.metadata.name, {})
        found: Tables = {}
        for subset in order.subsets:
            own = order.task.metadata.is_multilingual and not order.task.fast_loading
            config = subset if own else order.task.metadata.dataset.get("name", "default")
            more = {"lang": subset} if order.task.fast_loading else {}
            for split in order.splits:
                rows = [
                    {renamed.get(key, key): value for key, value in row.items()} | more
                    for row in make(order, split, subset)
                ]
                found.setdefault(f"{order.path}/{config}", {}).setdefault(split, []).extend(rows)
        return found

    return made


def parallel(order: Order) -> Tables:
    """One table with a column for each language of the subsets."""
    languages = sorted({language for subset in order.subsets for language in subset.split("-")})
    made: Tables = {f"{order.path}/default": {}}
    for split in order.splits:
        texts = [text for _, text in order.asked(order.count(split, order.subsets[0]), split)]
        rows = [{language: in_language(text, language) for language in languages} for text in texts]
        made[f"{order.path}/default"][split] = rows
    return made
