"""Table I is measured under the ids of the printed rows, with differences to the row of reference and its claims."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jtcse.core.config import load_settings
from jtcse.core.errors import UserError
from jtcse.core.run import Run, Workspace
from jtcse.data.pairs import TASKS
from jtcse.evaluation.sts import TaskScore
from jtcse.experiments import table1 as scoring
from jtcse.experiments.ablations.grids import with_beside
from jtcse.paper.printed import printed

SEED = np.random.default_rng(0)
GOLD = {task: SEED.uniform(0, 5, 60) for task in TASKS}


def scored(noise: float, names: tuple[str, ...] = TASKS) -> dict[str, TaskScore]:
    """Scores of a system that sees gold through noise, on the same pairs for every system."""
    similarity = {task: GOLD[task] + SEED.normal(0, noise, 60) for task in names}
    return {task: TaskScore(task, 50.0, 60, 40.0, 60.0, similarity[task], GOLD[task]) for task in names}


def measured(**systems: float) -> dict[str, dict[str, TaskScore]]:
    return {model.replace("BERT", "BERT-base"): scored(noise) for model, noise in systems.items()}


REAL = load_settings("mini", {"evaluation.resamples": 100})
SOME = measured(JTCSE=0.5, JTCSE_D=0.6, SimCSE=3.0, BERT=9.0)


def test_real_tasks_are_recorded_under_the_ids_of_table_1() -> None:
    found = {metric.name: metric for metric in scoring.table1_metrics(SOME, REAL)}
    assert found["table1/BERT-base/JTCSE/STSB"].value == 50 and found["table1/BERT-base/JTCSE/STSB"].n == 60
    assert "table1/BERT-base/SimCSE/SICKR" in found and found["table1/BERT-base/JTCSE/7Avg"].n == 7 * 60
    pair = found["table1/BERT-base/JTCSE/7Avg>table1/BERT-base/SimCSE/7Avg"]
    assert pair.low > 0, "much less noise than the reference"
    assert found["table1/BERT-base/BERT-base/7Avg>table1/BERT-base/SimCSE/7Avg"].high < 0
    for name in found:
        for id in name.split(">"):
            printed(id)


def test_generated_tasks_have_an_average_only() -> None:
    names = {
        metric.name for metric in scoring.table1_metrics(SOME, load_settings("embedded", {"evaluation.resamples": 100}))
    }
    assert all(id.endswith("/7Avg") for name in names for id in name.split(">"))
    assert "table1/BERT-base/JTCSE_D/7Avg>table1/BERT-base/SimCSE/7Avg" in names


def test_average_of_fewer_than_seven_real_tasks_answers_for_none() -> None:
    few = {model: {"STS12": tasks["STS12"], "STS-B": tasks["STS-B"]} for model, tasks in SOME.items()}
    names = [metric.name for metric in scoring.table1_metrics(few, REAL)]
    assert names and not [name for name in names if "7Avg" in name]


def test_roberta_profiles_answer_for_their_half() -> None:
    names = [metric.name for metric in scoring.table1_metrics({"JTCSE": SOME["JTCSE"]}, load_settings("paper_roberta"))]
    assert all(name.startswith("table1/RoBERTa-base/JTCSE/") for name in names)


def test_claims_compare_with_the_best_other_row() -> None:
    found = {metric.name: metric for metric in scoring.table1_claims(SOME, REAL)}
    assert set(found) == {"claim/C24", "claim/C25", "claim/C06"}
    assert found["claim/C24"].low > 0 and found["claim/C25"].value == found["claim/C06"].value
    worse = {metric.name: metric for metric in scoring.table1_claims(SOME | {"SimCSE": scored(0.01)}, REAL)}
    assert worse["claim/C24"].high < 0


def test_scores_of_other_pairs_are_not_paired() -> None:
    with pytest.raises(UserError, match="tasks or numbers of pairs differ"):
        scoring.paired(SOME["JTCSE"], {"STS12": SOME["SimCSE"]["STS12"]}, REAL)


def test_its_simcse_is_scored_on_all_pairs_where_the_grids_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []
    for name, answer in {
        "evaluation.sts.read_scores": SOME["JTCSE"],
        "evaluation.sts.score_sets": SOME["BERT-base"],
        "encoders.encoder.open_encoder": None,
        "experiments.stages.graded": (None, []),
    }.items():
        monkeypatch.setattr(f"jtcse.{name}", lambda *_, answer=answer, **__: answer)
    monkeypatch.setattr(
        "jtcse.experiments.ablations.cells.scores", lambda run, cell, _: asked.append(cell) or SOME["SimCSE"]
    )
    scoring.table1_scores(Run("table1", "mini", REAL, Workspace(tmp_path)))
    (grids,) = [cell for cell in with_beside("figure6", REAL) if cell.system == "simcse"]
    assert grids.pair_limit == REAL.ablations.pair_limit == 300 and [cell.pair_limit for cell in asked] == [None]
    assert replace(asked[0], id=grids.id, pair_limit=300) == grids
