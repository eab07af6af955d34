"""The profiles between ``mini`` and the paper: their settings, and their pages with stand-ins under public names at a limit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import loopback
import pytest
import small_run
import standin

from jtcse.core.config import load_settings
from jtcse.core.record import read_record
from jtcse.encoders.loading import load_tower
from jtcse.experiments.ablations.grids import PLACES, absent, depth_of, grid, seeds
from jtcse.experiments.cost import forecast
from jtcse.pipeline.plan import write_parameters

ROOT = Path(__file__).parents[2]
RUNGS = ("rung_narrow", "rung_bert")
WAY = ("data", "encoder", "stage1", "stage2", "distillation", "seven_tasks")
STAGE = {"batch_size": 8, "steps": 2, "evaluate_every": 2}
LIMITS = {
    "run.threads": 1,
    "data.corpus_limit": 32,
    "data.pair_limit": 8,
    "evaluation.resamples": 100,
    "ablations.seeds": [1],
    "ablations.pair_limit": 5,
} | {f"{stage}.{name}": value for stage in ("stage1", "stage2", "distillation") for name, value in STAGE.items()}
"""Fewer rows, steps and seeds; everything else is the profile's."""

WALK = """
import json, os, pathlib, sys, yaml

def walk(name, given):
    place = {"get_ipython": lambda: "no notebook"}
    for cell in json.loads(pathlib.Path(f"{name}.ipynb").read_text())["cells"]:
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code" and "hide-cell" not in tags:  # what Colab needs is no Python
            exec(compile("".join(cell["source"]), f"{name}, cell {cell['id']}", "exec"), place)
            if "parameters" in tags:
                place.update(given)

for profile, names in json.loads(sys.argv[1]).items():
    os.chdir(f"{sys.argv[2]}/{profile}/notebooks")
    for name in names:
        walk(name, yaml.safe_load(pathlib.Path(f"../build/{profile}/settings/{name}.yaml").read_text()))
"""
"""The code of notebooks of profiles, one after the other in one process: a kernel for each would take longer than all of them."""
PAGES = {"rung_narrow": (*WAY, "table9", "table10"), "rung_bert": WAY}
"""The grids of one are enough: the other's towers are as deep, so its cells are the same."""


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", RUNGS)
def test_a_rung_speaks_for_directions_needs_no_translation_and_has_the_papers_seeds(profile: str) -> None:
    rung, paper = load_settings(profile), load_settings("paper_bert")
    assert rung.scale == "smaller" and rung.ablations == paper.ablations and rung.ablations.seeds == [1, 2, 3, 4, 5]
    assert (rung.stage1.tower_1.view, rung.stage1.tower_2.view) == ("repetition", "deletion")
    assert rung.data == paper.data.model_copy(update={"corpus_limit": rung.data.corpus_limit})
    free = {"learning_rate", "tower_1", "tower_2"}
    for stage in ("stage1", "stage2", "distillation"):
        ours, theirs = getattr(rung, stage).model_dump(), getattr(paper, stage).model_dump()
        assert {name for name in ours if ours[name] != theirs[name]} <= free


def test_the_rung_with_the_papers_encoder_has_its_rates() -> None:
    rung, paper = load_settings("rung_bert"), load_settings("paper_bert")
    assert rung.encoder == paper.encoder and rung.stage2 == paper.stage2 and rung.distillation == paper.distillation
    for tower in ("tower_1", "tower_2"):
        assert getattr(rung.stage1, tower).learning_rate == getattr(paper.stage1, tower).learning_rate


@pytest.mark.parametrize("profile", RUNGS)
def test_every_count_of_table_9_has_a_cell_at_five_seeds(profile: str) -> None:
    settings = load_settings(profile)
    assert depth_of(settings) == 12 and absent("table9", settings) == {}
    assert len(seeds("table9", settings)) == 5 and all(grid(place, settings) for place in PLACES)


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("google/bert_uncased_L-12_H-128_A-2", 12),
        ("google/bert_uncased_L-4_H-256_A-4", 4),
        ("sentence-transformers/all-MiniLM-L6-v2", 6),
        ("google-bert/bert-large-uncased", 24),
    ],
)
def test_depth_is_read_from_a_name_with_hyphens_or_underscores(name: str, depth: int) -> None:
    assert depth_of(load_settings("rung_narrow", {"encoder.name": name})) == depth


@pytest.mark.parametrize("profile", RUNGS)
def test_the_file_says_its_budget_as_counted_and_that_nobody_tuned_it(profile: str) -> None:
    text = files("jtcse").joinpath(f"profiles/{profile}.yaml").read_text(encoding="utf8")
    told = float(re.search(r"([\d.]+e\d+) operations", text)[1])
    assert told == pytest.approx(forecast.total(load_settings(profile)).operations, rel=0.03)
    assert f"not tuned: 'jtcse tune --profile {profile}'" in text
    assert "not tuned" in load_settings(profile).promise


# -- pages ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins for all that the two profiles fetch: twelve layers of width 16, made-up sentences and pairs."""
    root = tmp_path_factory.mktemp("hub")
    for seed, profile in enumerate(RUNGS):
        folder = root / "models" / load_settings(profile).encoder.name
        standin.bert(folder, layers=12, width=16, heads=2, seed=seed)
        model, _ = load_tower(folder)
        small_run.shake(model, seed)
        model.save_pretrained(folder)
    texts = root / "datasets" / "princeton-nlp" / "datasets-for-simcse"
    standin.senteval_tar(texts / "senteval.tar")
    (texts / "wiki1m_for_simcse.txt").write_text("".join(f"{text}\n" for text in standin.sentences(600, seed=7)))
    return root


@pytest.fixture(scope="module")
def walked(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a profile, in which its pages ran."""
    root = tmp_path_factory.mktemp("walked")
    for profile in PAGES:
        for name in ("notebooks", "workflow"):
            shutil.copytree(ROOT / name, root / profile / name)
        write_parameters(root / profile, profile, LIMITS)
    offline = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
    online = {name: value for name, value in os.environ.items() if name not in offline}
    own = {"HF_HOME": str(root / "hf_home"), "HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(ROOT)}
    with loopback.serve(hub) as url:
        command = [sys.executable, "-c", WALK, json.dumps(PAGES), str(root)]
        environment = online | own | {"HF_ENDPOINT": url, "NO_PROXY": "127.0.0.1,localhost"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return root


@pytest.mark.parametrize("profile", RUNGS)
def test_the_pages_of_a_rung_run_at_a_row_limit_with_the_parameters_of_the_pipeline(profile: str, walked: Path) -> None:
    made, pages = walked / profile / "build" / profile, PAGES[profile]
    records = {name: read_record(made / "records" / f"{name}.json") for name in pages}
    assert all(record.profile == profile and record.settings["scale"] == "smaller" for record in records.values())
    wanted = {cell.id for page in pages if page in PLACES for cell in grid(page, load_settings(profile))}
    assert len(wanted) == sum({"table9": 7, "table10": 8}.get(page, 0) for page in pages)
    assert wanted <= {metric.name for record in records.values() for metric in record.metrics}
    assert not list((made / "data").glob("round_trip_*"))
