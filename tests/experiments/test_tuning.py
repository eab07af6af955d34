"""Tries before a run: by development pairs alone, at a seed of their own, each once; the best look is what is chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import small_run
import standin
from hypothesis import given
from hypothesis import strategies as st

from jtcse.core.run import Run, Workspace, start
from jtcse.encoders.loading import load_tower
from jtcse.experiments import stages, tuning
from jtcse.experiments.tuning import STAGES, Look, best, metrics, tune

SHORT = {"batch_size": 8, "steps": 4, "evaluate_every": 2, "max_length": 24, "length_groups": 1}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose text, start and graded pairs are stand-ins."""
    model, tokenizer = load_tower(standin.bert(tmp_path / "made", layers=2, width=16, heads=2))
    small_run.shake(model, 1)
    place = tmp_path / "ws"
    model.save_pretrained(place / "models/start")
    tokenizer.save_pretrained(place / "models/start")
    (place / "data").mkdir()
    (place / "data/corpus.txt").write_text("\n".join(standin.sentences(40, seed=5)) + "\n", encoding="utf8")
    standin.pair_files(place / "data/pairs")
    rates = {"stage1_rates": [1e-4, 1e-2], "stage2_rates": [1e-4, 1e-3], "distillation_rates": [1e-4], "longer": 1.5}
    towers = {f"tower_{i}": {"view": view, "learning_rate": 1e-3} for i, view in ((1, "repetition"), (2, "deletion"))}
    stage2 = SHORT | {"learning_rate": 1e-3, "cael_count": 1}
    return start("tuning", "embedded", place, run={"precision": "fp32", "seed": 7}, stage1=SHORT | towers, stage2=stage2,
                 distillation=SHORT | {"learning_rate": 1e-3}, tuning=rates)  # fmt: skip


def test_every_rate_is_looked_at_and_steps_are_a_multiple_of_the_stages_own(run: Run) -> None:
    found = {metric.name for metric in tune(run).metrics}
    looks = {f"stage1/{rate}/{step}" for rate in ("0.0001", "0.01") for step in (0, 2, 4, 6)}
    assert looks < found and {f"{stage}/{what}" for stage in STAGES for what in ("learning_rate", "steps")} < found


def test_the_record_chooses_the_best_look_after_a_step(run: Run) -> None:
    record = tune(run)
    tried = {m.name: m.value for m in record.metrics if m.name.count("/") == 2 and m.name.startswith("stage1/")}
    _, rate, step = max((name for name in tried if not name.endswith("/0")), key=tried.get).split("/")
    assert record.metric("stage1/learning_rate").value == float(rate) and record.metric("stage1/steps").value == int(
        step
    )


def test_what_was_tried_is_not_tried_again_and_the_record_is_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tune(run).metrics
    for name in ("train_tower", "train_twin", "distil"):
        monkeypatch.setattr(stages, name, lambda *_: pytest.fail("tried again"))
    assert tune(run).metrics == first


def test_tries_have_a_seed_of_their_own_and_leave_the_run_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, train_tower = [], stages.train_tower
    monkeypatch.setattr(stages, "train_tower", lambda r, n: (seeds.append(r.settings.run.seed), train_tower(r, n))[1])
    tune(run)
    assert set(seeds) == {run.settings.tuning.seed} and run.settings.tuning.seed not in run.settings.ablations.seeds
    assert [path.name for path in run.workspace.models.iterdir()] == ["start"]


def test_the_next_stage_starts_from_the_best_rate(run: Run) -> None:
    tune(run)
    place = run.workspace.root / "tuning"
    notes = [json.loads(path.read_text(encoding="utf8")) for path in place.glob("tries/*/looks.json")]
    looks = [Look(**row) for rows in notes for row in rows if row["rate"] in run.settings.tuning.stage1_rates]
    kept, rate = load_tower(place / "models/tower_1")[0], best(looks, "stage1").rate
    history = stages.train_tower(tuning._at(run, Workspace(place / "x", shared=run.workspace), "stage1", rate), 1)
    assert history.best_score == best(looks, "stage1").development
    fresh = load_tower(place / "x/models/tower_1")[0]
    assert all((a == b).all() for a, b in zip(kept.state_dict().values(), fresh.state_dict().values(), strict=True))


@given(st.lists(st.tuples(st.sampled_from([1e-5, 1e-4]), st.integers(0, 3), st.floats(-100, 100)), min_size=1))
def test_a_look_before_the_first_step_is_never_chosen(rows: list[tuple[float, int, float]]) -> None:
    looks = [Look("stage1", *row) for row in rows] + [Look("stage1", 1e-3, 1, -100.0)]
    chosen = best(looks, "stage1")
    assert chosen.step > 0 and all(chosen.development >= look.development for look in looks if look.step)


def test_numbers_are_development_scores_on_so_many_pairs() -> None:
    looks = [Look(stage, 1e-4, step, 70.0 + step) for stage in STAGES for step in (0, 5)]
    found = {m.name: m for m in metrics(looks, 1500)}
    assert found["stage2/0.0001/5"].value == 75.0 and {m.n for m in found.values()} == {1500}
