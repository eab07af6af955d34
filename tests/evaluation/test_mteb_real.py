"""The real encoder on real sets through unchanged tasks: published scores, and those of ``mteb`` with ``SentenceTransformer``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jtcse.core.config import load_settings
from jtcse.evaluation.mteb.running import score
from jtcse.evaluation.mteb.store import Store
from jtcse.evaluation.mteb.tasks import opened, wanted
from jtcse.systems.opening import open_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
NAME = "sentence-transformers/all-MiniLM-L6-v2"
PUBLISHED = {
    "STS12": 72.37, "STS13": 80.60, "STS14": 75.59, "STS15": 85.39, "STS16": 78.99, "STSBenchmark": 82.03, "SICK-R": 77.58,
    "STS17:en-en": 87.59, "Banking77Classification": 80.04,
}  # fmt: skip
"""Of mteb's public results, with the encoder's own pooling, the mean."""
BESIDE = ["STSBenchmarkMultilingualSTS:en", "XQuADRetrieval:en", "NTREXBitextMining:eng_Latn-deu_Latn+deu_Latn-fra_Latn"]
TOLERANCE = 0.05  # points


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Results by word, all scored in one workspace."""
    root, words = tmp_path_factory.mktemp("real"), [*PUBLISHED, *BESIDE]
    encoder, asked = open_model(NAME), wanted(",".join(words))
    store = Store.of(encoder, root, "real")
    outcomes = score(encoder, store, asked, load_settings("checkpoints").zero_shot)
    assert [one.words for one in outcomes if not one.done] == []
    return {word: store.result(opened(one)) for word, one in zip(words, asked, strict=True)}


@pytest.mark.parametrize("word", PUBLISHED)
def test_a_published_score_comes_out(word: str, kept: dict[str, Any]) -> None:
    assert points(kept[word]) == pytest.approx([PUBLISHED[word]], abs=TOLERANCE)


@pytest.mark.parametrize("word", BESIDE)
def test_scores_are_those_of_the_usual_way(word: str, kept: dict[str, Any]) -> None:
    import mteb
    from sentence_transformers import SentenceTransformer

    task = opened(wanted(word)[0])
    usual = mteb.evaluate(SentenceTransformer(NAME), task, cache=None, co2_tracker=False).task_results[0]
    assert len(points(usual)) == len(task.eval_splits) * len(task.hf_subsets)
    np.testing.assert_allclose(points(kept[word]), points(usual), atol=TOLERANCE)


def test_nothing_is_kept_that_was_not_asked_for(kept: dict[str, Any]) -> None:
    assert {one["hf_subset"] for of in kept["STS17:en-en"].scores.values() for one in of} == {"en-en"}


def points(result: Any) -> list[float]:
    """Main scores of splits and subsets."""
    found = sorted((split, one["hf_subset"], one["main_score"]) for split, of in result.scores.items() for one in of)
    return [100 * score for _, _, score in found]
