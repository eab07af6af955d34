"""A task cut to a few rows is the front of the whole, the same every time, and mteb evaluates it as it would the whole."""

from __future__ import annotations

from collections import Counter

import mteb
import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from standin import graded_pairs, sentences

from jtcse.core.errors import UserError
from jtcse.evaluation.mteb import limits

TEXTS = sentences(120, seed=9)


class Letters:
    """An encoder that counts letters."""

    mteb_model_meta = None

    def encode(self, inputs, **_) -> np.ndarray:
        texts = [text for batch in inputs for text in batch["text"]]
        return np.array([[1 + text.count(letter) for letter in "abdefhiklmnoprstuw"] for text in texts], dtype=float)

    def similarity(self, left, right) -> np.ndarray:
        left, right = (np.asarray(one) / np.linalg.norm(one, axis=1, keepdims=True) for one in (left, right))
        return left @ right.T

    def similarity_pairwise(self, left, right) -> np.ndarray:
        return self.similarity(left, right).diagonal()


def made(name: str, dataset, *, subsets: list[str] | None = None):
    """A task of mteb that has loaded ``dataset``."""
    task = mteb.get_task(name, hf_subsets=subsets)
    task.dataset, task.data_loaded = dataset, True
    return task


def labelled(rows: int, labels: int, *, sorted_by_label: bool = False) -> Dataset:
    values = [i % labels for i in range(rows)]
    return Dataset.from_dict({"text": TEXTS[:rows], "label": sorted(values) if sorted_by_label else values})


def scored(scores: list[float]) -> Dataset:
    pairs = graded_pairs(len(scores))
    return Dataset.from_dict(
        {"sentence1": [a for a, _, _ in pairs], "sentence2": [b for _, b, _ in pairs], "score": scores}
    )


def sought(candidates: bool, first: int = 0) -> dict:
    """Twelve queries of 30 documents; nobody judged documents for the first one."""
    names = [f"q{i}" for i in range(12)]
    return {
        "queries": Dataset.from_dict({"id": names, "text": TEXTS[:12]}),
        "corpus": Dataset.from_dict(
            {"id": [f"d{i}" for i in range(30)], "text": TEXTS[first : first + 30], "title": [""] * 30}
        ),
        "relevant_docs": {name: {f"d{29 - i}": 1} if i else {} for i, name in enumerate(names)},
        "top_ranked": {name: [f"d{29 - i}", f"d{i}", "d5"] for i, name in enumerate(names)} if candidates else None,
    }


def mined(rows: int) -> Dataset:
    return Dataset.from_dict({"sentence1": TEXTS[:rows], "sentence2": TEXTS[rows : 2 * rows]})


def bucc() -> dict:
    """Gold pairs count sentences of a larger second side."""
    return {"sentence1": TEXTS[:10], "sentence2": TEXTS[20:60], "gold": [(i, 39 - 3 * i) for i in range(10)]}


PAIRS = ["eng_Latn-deu_Latn", "deu_Latn-eng_Latn"]
TASKS = {
    "STS12": lambda: made("STS12", DatasetDict(test=scored([1, 1, 1, 1, 1, 1, 2, 3, 4, 0]))),
    "STS17": lambda: made("STS17", {"en-en": DatasetDict(test=scored([1, 2, 3, 4, 5, 0, 1]))}, subsets=["en-en"]),
    "classification": lambda: made(
        "Banking77Classification", DatasetDict(train=labelled(60, 6, sorted_by_label=True), test=labelled(40, 6))
    ),
    "scored on train": lambda: made(
        "SiswatiNewsClassification", DatasetDict(train=labelled(60, 3, sorted_by_label=True))
    ),
    "retrieval": lambda: made("XQuADRetrieval", {"en": {"validation": sought(candidates=False)}}, subsets=["en"]),
    "reranking": lambda: made("AskUbuntuDupQuestions", {"default": {"test": sought(candidates=True)}}),
    "bitext": lambda: made("NorwegianCourtsBitextMining", DatasetDict(test=mined(20))),
    "parallel": lambda: made(
        "NTREXBitextMining",
        DatasetDict(test=Dataset.from_dict({"eng_Latn": TEXTS[:30], "deu_Latn": TEXTS[30:60]})),
        subsets=PAIRS,
    ),
    "BUCC": lambda: made("BUCC", {"de-en": {"test": bucc()}}, subsets=["de-en"]),
}


def evaluated(task) -> dict:
    return {subset: scores["main_score"] for subset, scores in _all_scores(task).items()}


def _all_scores(task) -> dict:
    return task.evaluate(Letters(), split=task.eval_splits[0], encode_kwargs={"batch_size": 16})


def test_a_cross_validated_task_is_not_cut() -> None:
    task = TASKS["scored on train"]()
    task.is_cross_validation = True
    with pytest.raises(UserError, match="not cross-validated"):
        limits.cut(task, 4)


@pytest.mark.parametrize("limit", [1, 4])
@pytest.mark.parametrize("name", TASKS)
def test_mteb_evaluates_what_is_left_of_a_task(name, limit) -> None:
    task = TASKS[name]()
    limits.cut(task, limit)
    found = evaluated(task)
    assert set(found) == set(task.hf_subsets) and all(np.isfinite(one) for one in found.values()), found


def content(value):
    """What a task holds, as plain lists and dictionaries."""
    if isinstance(value, Dataset):
        return value.to_dict()
    return {key: content(one) for key, one in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("name", TASKS)
def test_a_limit_above_the_size_changes_nothing_that_is_scored(name) -> None:
    whole, task = TASKS[name](), TASKS[name]()
    limits.cut(task, 1000)
    if name in ("retrieval", "reranking"):  # one query has nothing to be scored by
        assert evaluated(task) == evaluated(whole)
    else:
        assert content(task.dataset) == content(whole.dataset)


@pytest.mark.parametrize("name", TASKS)
def test_a_cut_is_the_same_every_time_and_cutting_again_changes_nothing(name) -> None:
    first, second = TASKS[name](), TASKS[name]()
    for task in (first, second, second):
        limits.cut(task, 4)
    assert content(first.dataset) == content(second.dataset) != content(TASKS[name]().dataset)


def test_pairs_go_on_to_another_score() -> None:
    task = TASKS["STS12"]()
    limits.cut(task, 3)
    assert task.dataset["test"]["score"][:] == [1, 1, 1, 1, 1, 1, 2], "a correlation needs two scores"


def test_training_rows_are_the_first_of_every_label() -> None:
    task = TASKS["classification"]()
    limits.cut(task, 12)
    assert Counter(task.dataset["train"]["label"]) == dict.fromkeys(range(6), 2)
    assert task.dataset["train"]["text"][:2] == TASKS["classification"]().dataset["train"]["text"][:2]
    assert task.dataset["test"]["text"][:] == TEXTS[:12]
    limits.cut(task, 2)
    assert Counter(task.dataset["train"]["label"]) == dict.fromkeys(range(6), 1), "never a label less"
    assert len(task.dataset["test"]) == 3, "mteb would take the labels 0 and 2 for no and yes, and fail"


def test_queries_keep_their_documents() -> None:
    found = TASKS["retrieval"]()
    limits.cut(found, 3)
    data = found.dataset["en"]["validation"]
    assert data["queries"]["id"][:] == ["q1", "q2", "q3"], "q0 has no judged document"
    assert data["corpus"]["id"][:] == ["d0", "d1", "d2", "d26", "d27", "d28"]
    assert data["relevant_docs"] == {"q1": {"d28": 1}, "q2": {"d27": 1}, "q3": {"d26": 1}}


def test_candidates_stay_whole() -> None:
    found = TASKS["reranking"]()
    limits.cut(found, 2)
    data = found.dataset["default"]["test"]
    assert data["top_ranked"] == {"q1": ["d28", "d1", "d5"], "q2": ["d27", "d2", "d5"]}
    assert set(data["corpus"]["id"]) == {"d28", "d1", "d5", "d27", "d2"}


def test_pairs_of_unequal_sides_keep_their_partners() -> None:
    task, whole = TASKS["BUCC"](), bucc()
    limits.cut(task, 3)
    data = task.dataset["de-en"]["test"]
    partners = [(data["sentence1"][i], data["sentence2"][j]) for i, j in data["gold"]]
    assert partners == [(whole["sentence1"][i], whole["sentence2"][j]) for i, j in whole["gold"][:3]]


def test_only_what_will_be_scored_is_cut() -> None:
    other = labelled(30, 3)
    task = made("Banking77Classification", DatasetDict(train=labelled(30, 3), test=other, validation=other))
    limits.cut(task, 3)
    assert len(task.dataset["validation"]) == 30 and len(task.dataset["test"]) == 3


def test_a_task_of_another_kind_is_one_sentence() -> None:
    task = made("TwitterSemEval2015", DatasetDict(test=mined(4)))
    with pytest.raises(UserError, match=r"TwitterSemEval2015 is of type PairClassification.*without a limit"):
        limits.cut(task, 3)
