"""Tasks of mteb through ``jtcse evaluate``: scores are mteb's own, nothing is done twice, and what fails stops nothing else.

The tasks are mteb's, their data are made up in the numbers that mteb counts, the hub is on the loopback address. The first two
calls meet an empty cache, one of them a hub that fails in four ways; later ones find the data on disk. Each call is a process.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import loopback
import pytest
from forked import Done, Forked

from jtcse.paper.ledger import all_records, entries

SOUND, GATED, GONE, SHORT, ILL = (
    "BIOSSES",
    "AILAStatutes",
    "SiswatiNewsClassification",
    "NorwegianCourtsBitextMining",
    "RomaTalesBitextMining",
)
FIVE = (SOUND, GATED, GONE, SHORT, ILL)
PARTS = "STS22.v2:de-pl+fr-pl"
TWO = f"{SOUND},{ILL}"

MAKE = """
import json, sys
from pathlib import Path
import standin, standin_tasks
from standin_systems import sentence_transformer
root, models = map(Path, sys.argv[1:3])
for name in sys.argv[3:]:
    standin_tasks.write_task(name, root, rows=None)
standin_tasks.write_task("STS22.v2", root, rows=None, subsets=["de-pl", "fr-pl"])
[table] = (root / "datasets" / "kardosdrur").rglob("test.jsonl")
rows = [json.loads(line) for line in table.read_text().splitlines()]
rows[3]["romani"], rows[4]["hungarian"], rows[5]["romani"] = "", " ", "the old sailor " * 6700
rows[6]["hungarian"] = "x" * 100_000
table.write_text("".join(json.dumps(row) + "\\n" for row in rows))
for seed in (0, 1):
    model = standin.bert(models / f"seed_{seed}", layers=2, seed=seed)
    sentence_transformer(model, "mean_tokens")
"""
REFERENCE = """
import json, sys
import mteb
from sentence_transformers import SentenceTransformer
model, out, *names = sys.argv[1:]
tasks = [mteb.get_task(name) for name in names]
tasks += [mteb.get_task("STS22.v2", hf_subsets=["de-pl", "fr-pl"])]
done = mteb.evaluate(SentenceTransformer(model, device="cpu"), tasks, cache=None, co2_tracker=False)
told = {one.task_name: one.get_score() * 100 for one in done.task_results}
json.dump(told, open(out, "w"))
"""
SPOIL = """
import sys
from safetensors.torch import load_file, save_file
[path] = sys.argv[1:]
weights = load_file(path)
weights["encoder.layer.1.output.LayerNorm.weight"].fill_(3e38)  # finite, but its products are not
save_file(weights, path, {"format": "pt"})
"""


@dataclass(frozen=True)
class World:
    """What all tests share: calls, two checkpoints, requests for data, and how the first two calls went."""

    forked: Forked
    models: Path
    requests: loopback.Fault
    ill: Done
    well: Done
    asked_when_well: list[str]
    workdir: Path

    @property
    def model(self) -> Path:
        return self.models / "seed_0"

    def evaluate(self, workdir: Path, tasks: str, *words: object, model: Path | None = None, **fault: object) -> Done:
        """Score a checkpoint in a workspace."""
        given = (
            "evaluate",
            model or self.model,
            "--tasks",
            tasks,
            "--workdir",
            workdir,
            "--json",
            workdir / "told.json",
        )
        return self.forked.run(*given, *words, cwd=workdir, **fault)


def faults() -> list[loopback.Fault]:
    of = {
        GATED: ("AILA_statutes", 401),
        GONE: ("SiswatiNews", 404),
        ILL: ("roma-tales", 500),
        SHORT: ("NorwegianCourts.*jsonl", "cut short"),
    }
    return [loopback.Fault(where, does) for where, does in of.values()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("zero_shot")
    root, models, workdir = (folder / name for name in ("hub", "models", "workdir"))
    root.mkdir()
    every, wrong = loopback.Fault("^/(api/)?datasets/", 500, 0), faults()
    with loopback.serve(root, [every, *wrong]) as url, Forked(url, folder / "home") as forked:
        made = forked.run("-c", MAKE, root, models, *FIVE, cwd=folder)
        assert made.status == 0, made.error
        words = (
            "evaluate",
            models / "seed_0",
            "--tasks",
            ",".join(FIVE),
            "--workdir",
            workdir,
            "--json",
            workdir / "told.json",
        )
        ill = forked.run(*words, cwd=workdir)
        (workdir / "told.json").rename(workdir / "ill.json")
        for one in wrong:
            one.times = 0
        every.asked.clear()
        well = forked.run(*words, cwd=workdir)
        yield World(forked, models, every, ill, well, list(every.asked), workdir)


def told(workdir: Path, name: str = "told.json") -> dict[str, float]:
    """Scores that ``--json`` wrote."""
    return json.loads((workdir / name).read_text())["scores"]


def rows(done: Done) -> dict[str, str]:
    """Task to the other cells of its line."""
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.out.splitlines() if "│" in line]
    return {cells[0]: " ".join(cells[1:]) for cells in lines if cells and cells[0]}


def kept(done: Done) -> set[str]:
    """Tasks whose result was there before."""
    return {name for name, cells in rows(done).items() if cells.endswith("kept from before")}


def scored(done: Done) -> set[str]:
    """Tasks that were scored now."""
    return {name for name, cells in rows(done).items() if re.search(r" \d+ s$", cells)}


def results(workdir: Path) -> list[Path]:
    """Files of results of whole tasks, of all encoders."""
    return [path for path in (workdir / "zero_shot" / "results").rglob("*.json") if path.name != "model_meta.json"]


def record(workdir: Path) -> dict:
    """The only run record of a workspace."""
    [path] = (workdir / "records").glob("zero_shot_*.json")
    return json.loads(path.read_text())


def numbers(workdir: Path) -> dict[str, float]:
    return {one["name"]: one["value"] for one in record(workdir)["metrics"]}


def sentence(done: Done) -> str:
    """The one sentence of a call that was refused or failed."""
    assert done.status == 2 and "Traceback" not in done.error, done.error
    [line] = [line for line in done.error.splitlines() if "jtcse: " in line]
    return line


# -- what fails on the way --------------------------------------------------------------------------------------


def test_tasks_that_cannot_be_had_are_told_with_their_reasons_and_the_others_are_scored(world: World) -> None:
    said = sentence(world.ill)
    assert f"4 of 5 have no score; the first is {GATED}" in said and "the same command tries these again" in said
    assert told(world.workdir, "ill.json").keys() == {SOUND} == scored(world.ill)
    shown = " ".join(world.ill.out.split())
    for reason in ("hf auth login", "it is not there any more, or private", "downloaded again", "HF_ENDPOINT"):
        assert all(word in shown for word in reason.split()), reason
    assert {name: cells.split()[0] for name, cells in rows(world.ill).items() if name in FIVE[1:]} == dict.fromkeys(
        FIVE[1:], "missing"
    )


def test_when_the_hub_is_well_again_the_same_command_does_the_rest_only(world: World) -> None:
    assert world.well.status == 0, world.well.error
    assert kept(world.well) == {SOUND} and scored(world.well) == {*FIVE[1:]}
    assert not [one for one in world.asked_when_well if "biosses" in one]
    assert numbers(world.workdir)["tasks/done"] == 5


# -- scores -----------------------------------------------------------------------------------------------------


def test_scores_are_those_of_mteb_with_the_same_model_through_sentence_transformers(
    world: World, tmp_path: Path
) -> None:
    done = world.evaluate(tmp_path, PARTS)
    assert done.status == 0, done.error
    reference = world.forked.run("-c", REFERENCE, world.model, tmp_path / "reference.json", *FIVE, cwd=tmp_path)
    assert reference.status == 0, reference.error
    expected = json.loads((tmp_path / "reference.json").read_text())
    assert told(world.workdir) | told(tmp_path) == pytest.approx(expected, abs=0.01)
    assert len(set(expected.values())) == 6 and all(0.1 < abs(score) < 99.9 for score in expected.values()), expected


def test_the_record_names_encoder_tasks_and_subsets(world: World, tmp_path: Path) -> None:
    world.evaluate(tmp_path, f"{PARTS},{SOUND}")
    found, scores = record(tmp_path), told(tmp_path)
    [revision] = {path.parent.name for path in results(tmp_path)}
    assert found["profile"] == "checkpoints" and found["provenance"]["hashes"] == {"encoder": revision}
    assert re.fullmatch("[0-9a-f]{40}", revision)
    values = {"zero_shot/BIOSSES": scores[SOUND], "zero_shot/STS22.v2/de-pl+fr-pl": scores["STS22.v2"], "tasks/done": 2}
    assert numbers(tmp_path) == pytest.approx(values, abs=1e-3)
    counts = {one["name"]: one["n"] for one in found["metrics"]}
    assert counts == {"zero_shot/BIOSSES": 100, "zero_shot/STS22.v2/de-pl+fr-pl": 36, "tasks/done": 2}


# -- once -------------------------------------------------------------------------------------------------------


def test_a_second_call_asks_for_no_data_and_embeds_nothing(world: World) -> None:
    world.requests.asked.clear()
    before = numbers(world.workdir)
    again = world.evaluate(world.workdir, ",".join(FIVE), die_at="jtcse.evaluation.mteb.cached_encoder:KeptEncoder.encode:1")
    assert again.status == 0 and kept(again) == {*FIVE} and not scored(again), again.error
    assert world.requests.asked == []
    assert numbers(world.workdir) == before


def test_another_checkpoint_under_the_same_name_runs_again(world: World, tmp_path: Path) -> None:
    scores = []
    for seed in (0, 1, 0):
        shutil.rmtree(tmp_path / "model", ignore_errors=True)
        shutil.copytree(world.models / f"seed_{seed}", tmp_path / "model")
        done = world.evaluate(tmp_path / "w", SOUND, model=tmp_path / "model")
        assert done.status == 0, done.error
        scores.append((told(tmp_path / "w")[SOUND], bool(kept(done))))
    assert scores[0][0] == scores[2][0] != scores[1][0] and [again for _, again in scores] == [False, False, True]
    assert len(results(tmp_path / "w")) == 2
    assert numbers(tmp_path / "w")["zero_shot/BIOSSES"] == pytest.approx(scores[0][0], abs=1e-3)


# -- kills, full disks, broken weights --------------------------------------------------------------------------

MOMENTS = {
    "before the first result is written": ("jtcse.evaluation.mteb.adapter:WholeResults.save_to_cache:1", set()),
    "while the first result is written": ("os:fsync:1", set()),
    "within the second task": ("jtcse.evaluation.mteb.cached_encoder:KeptEncoder.encode:4", {SOUND}),
    "while the second result is written": ("os:fsync:4", {SOUND}),
    "while the record is written": ("jtcse.core.run:write_record:1", {SOUND, ILL}),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_a_kill_the_same_command_goes_on_with_what_is_not_done(world: World, tmp_path: Path, moment: str) -> None:
    place, finished = MOMENTS[moment]
    killed = world.evaluate(tmp_path, TWO, die_at=place)
    assert killed.status == -signal.SIGKILL
    assert {path.stem for path in results(tmp_path)} == finished
    assert all(json.loads(path.read_text())["scores"] for path in results(tmp_path)), "no half file"
    done = world.evaluate(tmp_path, TWO)
    assert done.status == 0, done.error
    assert kept(done) == finished and scored(done) == {SOUND, ILL} - finished
    assert told(tmp_path) == {name: told(world.workdir)[name] for name in (SOUND, ILL)}
    assert numbers(tmp_path)["tasks/done"] == 2


def test_a_full_disk_is_one_sentence_and_what_was_done_stays(world: World, tmp_path: Path) -> None:
    """The system refuses files as long as the second task's result."""
    done = world.evaluate(tmp_path, f"{SOUND},{GONE},{ILL}", longest_file=4000)
    assert "no room left" in sentence(done) and "run the same command again" in sentence(done)
    assert {path.stem for path in results(tmp_path)} == {SOUND}
    again = world.evaluate(tmp_path, f"{SOUND},{GONE},{ILL}")
    assert again.status == 0 and kept(again) == {SOUND}, again.error
    assert numbers(tmp_path)["tasks/done"] == 3


def test_an_encoder_that_gives_nan_is_one_sentence_and_nothing_is_kept(world: World, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(world.model, model)
    assert world.forked.run("-c", SPOIL, model / "model.safetensors", cwd=tmp_path).status == 0
    done = world.evaluate(tmp_path / "w", TWO, model=model)
    assert (
        "2 of 2 have no score" in sentence(done)
        and "the encoder gives NaN" in sentence(done)
        and "--precision fp32" in sentence(done)
    )
    assert results(tmp_path / "w") == [] and not (tmp_path / "w" / "records").exists()


# -- at once ----------------------------------------------------------------------------------------------------


def test_two_commands_at_once_score_each_task_once_and_both_tell_all(world: World, tmp_path: Path) -> None:
    tasks = f"{SOUND},{GONE},{ILL},{PARTS}"
    given = ("evaluate", world.model, "--tasks", tasks, "--workdir", tmp_path / "w")
    begun = [world.forked.start(*given, "--json", tmp_path / f"{n}.json", cwd=tmp_path) for n in (1, 2)]
    both = [world.forked.end(pid) for pid in begun]
    assert [done.status for done in both] == [0, 0], both
    assert sorted(name for done in both for name in scored(done)) == sorted([SOUND, GONE, ILL, "STS22.v2"])
    assert told(tmp_path, "1.json") == told(tmp_path, "2.json")
    assert told(tmp_path, "1.json").items() >= {name: told(world.workdir)[name] for name in (SOUND, GONE, ILL)}.items()
    assert numbers(tmp_path / "w")["tasks/done"] == 4


# -- a limit ----------------------------------------------------------------------------------------------------


def test_a_limited_run_lies_apart_and_says_nothing_of_the_paper(world: World, tmp_path: Path) -> None:
    words = ("--system", "simcse", "--limit", 6)
    plain = tmp_path / "model"  # a tower without a pooling of its own
    shutil.copytree(world.model, plain, ignore=shutil.ignore_patterns("modules.json", "1_Pooling"))
    limited = world.evaluate(tmp_path / "w", f"{GATED},{ILL}", *words, model=plain)
    assert limited.status == 0, limited.error
    names = numbers(tmp_path / "w").keys() - {"tasks/done"}
    assert names == {f"limited-6/{GATED}", f"limited-6/{ILL}"}
    assert results(tmp_path / "w") == [] and (tmp_path / "w" / "zero_shot" / "limited-6" / "results").is_dir()
    found = all_records(tmp_path / "none", tmp_path / "w")
    assert not found.problems and len(found.records) == 1
    assert {entry.state for entry in entries(found.records)} == {"not run"}
    cut = told(tmp_path / "w")
    whole = world.evaluate(tmp_path / "w", f"{GATED},{ILL}", "--system", "simcse", model=plain)
    assert whole.status == 0 and scored(whole) == {GATED, ILL}, whole.error
    assert all(told(tmp_path / "w")[name] != cut[name] for name in cut)
    names = numbers(tmp_path / "w").keys()
    assert {f"zero_shot/{GATED}", f"zero_shot/{ILL}"} < names and not any(name.startswith("limited") for name in names)
