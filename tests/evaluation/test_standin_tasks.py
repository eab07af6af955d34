"""Stand-ins for tasks of mteb: unchanged tasks load them under their public names and give scores that are no extremes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import loopback
import mteb
import pytest
from conftest import REPOSITORY
from standin_tasks import write_task

PROGRAM = """
import json, sys
from zlib import crc32
import mteb, numpy as np
from mteb.models.model_meta import ModelMeta

class Bag:
    "Counts of words in 64 bins."
    mteb_model_meta = ModelMeta.create_empty({"name": "made-up/bag", "revision": "1"})
    def encode(self, inputs, **_):
        found = []
        for text in (text for batch in inputs for text in batch["text"]):
            bins = [crc32(word.encode()) % 64 for word in text.split()]
            found.append(np.bincount(bins, minlength=64) / len(bins))
        found = np.array(found, dtype=np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)
    def similarity(self, left, right):
        return left @ right.T
    def similarity_pairwise(self, left, right):
        return (left * right).sum(1)

answers = {}
for name, subsets in json.load(sys.stdin):
    task = mteb.get_task(name, hf_subsets=subsets)
    task.load_data()
    found = mteb.evaluate(Bag(), task, cache=None, co2_tracker=False, show_progress_bar=False).task_results[0].scores
    answers[name] = {f"{split} {row['hf_subset']}": row["main_score"] for split, rows in found.items() for row in rows}
print(json.dumps(answers))
"""
EACH_TYPE = [
    "AllegroReviews",  # classification
    "SiswatiNewsClassification",  # trained and tested on one split
    "KLUE-TC",  # labels with names
    "AlloprofReranking",
    "MindSmallReranking",  # queries of several parts
    "BUCC",  # all sentences in one row
    "FloresBitextMining",  # a column a language
    "NollySentiBitextMining",  # a configuration a pair
    "STS17",  # all subsets in one table
    "STSBenchmarkMultilingualSTS",
    "XQuADRetrieval",
    "FQuADRetrieval",  # a layout of its own
]


def scored(folder: Path, names: list[str]) -> dict[str, dict[str, float]]:
    """By name of the task: the main score of each split and of its first two subsets."""
    asked = []
    for name in names:
        task = mteb.get_task(name)
        subsets = list(task.hf_subsets)[:2] if task.metadata.is_multilingual else None
        write_task(name, folder / "hub", subsets=subsets)
        asked.append((name, subsets))
    kept = {key: value for key, value in os.environ.items() if not key.endswith("_OFFLINE")}
    settings = {"HF_HOME": str(folder / "hf_home"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with loopback.serve(folder / "hub") as url:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            env=kept | settings | {"HF_ENDPOINT": url, "NO_PROXY": "127.0.0.1,localhost"},
            timeout=1700,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def extremes(found: dict[str, dict[str, float]]) -> list[tuple[str, str, float]]:
    return [(name, one, score) for name, scores in found.items() for one, score in scores.items() if not 0 < score < 1]


def test_one_task_of_each_type_is_loaded_from_the_hub_and_neither_all_right_nor_all_wrong(tmp_path) -> None:
    found = scored(tmp_path, EACH_TYPE)
    assert sorted(found) == sorted(EACH_TYPE)
    assert len(found["STSBenchmarkMultilingualSTS"]) == 4, "two splits of two subsets"
    assert not extremes(found)


@pytest.mark.systems
@pytest.mark.timeout(1800)
def test_every_task_that_the_paper_or_its_predecessor_names_has_a_stand_in(tmp_path) -> None:
    with (REPOSITORY / "jtcse" / "paper" / "tasks.csv").open(newline="") as file:
        names = sorted({row["mteb"].split(" / ")[0] for row in csv.DictReader(file)} - {""})
    found = scored(tmp_path, names)
    assert sorted(found) == names and len(names) == 114
    assert not extremes(found)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("SiswatiNewsClassification", {"mteb/SiswatiNewsClassification/default/train": 80}),
        ("NollySentiBitextMining", {"mteb/NollySentiBitextMining/en-ha/train": 410}),
        ("AILAStatutes", {"mteb/AILA_statutes/corpus/test": 82, "mteb/AILA_statutes/queries/test": 50}),
        ("STS22.v2", {"mteb/sts22-crosslingual-sts/default/test": 3958}),
    ],
)
def test_without_a_number_of_rows_there_are_as_many_as_mteb_counts(name, files, tmp_path) -> None:
    write_task(name, tmp_path, rows=None)
    for place, count in files.items():
        assert len((tmp_path / "datasets" / f"{place}.jsonl").read_text().splitlines()) == count
    counted = mteb.get_task(name).metadata.descriptive_stats
    assert sum(files.values()) == sum(
        one.get("hf_subset_descriptive_stats", {}).get("en-ha", one)["num_samples"] for one in counted.values()
    )


def test_the_same_seed_makes_the_same_files(tmp_path) -> None:
    for folder, seed in (("one", 0), ("again", 0), ("other", 1)):
        write_task("SciDocsRR", tmp_path / folder, rows=6, seed=seed)

    def contents(folder: str) -> dict[str, bytes]:
        files = (tmp_path / folder).rglob("*.*")
        return {path.relative_to(tmp_path / folder).as_posix(): path.read_bytes() for path in files}

    assert contents("one") == contents("again") != contents("other")
    assert sorted(contents("one")) == [
        f"datasets/mteb/SciDocsRR/{name}"
        for name in ("README.md", *(f"{part}/test.jsonl" for part in ("corpus", "default", "queries", "top_ranked")))
    ]
