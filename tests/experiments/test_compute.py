"""Operations and times before a run, and what records say a run took: against counts written anew and made-up records."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from jtcse.core.config import load_settings, profiles
from jtcse.core.errors import UserError
from jtcse.core.record import Metric, Provenance, RunRecord
from jtcse.experiments.ablations.grids import Cell
from jtcse.experiments.cost import forecast, operations
from jtcse.experiments.cost.operations import Work
from jtcse.pages import compute
from jtcse.pages.compute import hours_over_rate

TRAINING = [name for name in profiles() if load_settings(name).scale != "checkpoints"]


def record(run: str, metrics: list[Metric] | None = None, profile: str = "mini", **made) -> RunRecord:
    """A record of a run of two threads that took an hour."""
    given = {"seconds": 3600.0, "device": "cpu", "threads": 2, "machine": "a machine"} | made
    provenance = Provenance(commit=None, dirty=None, started="now", peak_memory_mib=1, versions={}, hashes={}, **given)
    settings = load_settings(profile).model_dump(mode="json")
    return RunRecord(run=run, profile=profile, settings=settings, metrics=metrics or [], provenance=provenance)


def seconds(id: str, value: float, seed: int = 1) -> Metric:
    return Metric(name=f"seconds/{id}", value=value, unit="s", n=7, seed=seed)


# -- operations ----------------------------------------------------------------------------------------------


def test_stage_2_of_bert_is_what_a_sum_by_hand_gives() -> None:
    settings = load_settings("rung_bert", {"stage2.steps": 200, "stage2.cross_stream": "none"})
    text, looked = operations.corpus_of(settings).tokens, operations.DEVELOPMENT["senteval"]

    def tower(tokens: float) -> float:  # multiplications and additions of BERT-base, whose pooler reads one token
        a_token = 12 * (4 * 768 * 768 + 2 * 768 * 3072 + 2 * tokens * 768)
        return 2 * (a_token * tokens + 768 * 768)

    trained = 3 * 2 * 2 * 64 * 200 * tower(text)  # backward is two more; towers, views, batch, steps
    looks = (1 + 2) * 2 * looked.sentences * tower(looked.tokens)
    assert operations.stage2(settings).operations == pytest.approx(trained + looks)
    assert operations.stage2(settings).layers == 200 * 2 * 2 * 12


def test_the_cross_stream_costs_and_more_layers_of_it_cost_more() -> None:
    count = {
        reading: operations.stage2(load_settings("rung_bert", {"stage2.cross_stream": reading})).operations
        for reading in ("none", "last", "carried")
    }
    assert count["none"] < count["last"] < count["carried"]


def test_without_steps_a_stage_is_one_pass_over_the_text() -> None:
    settings = load_settings("rung_narrow")
    assert operations.steps_of(settings.stage1, settings) == settings.data.corpus_limit // settings.stage1.batch_size


def test_half_of_the_text_is_half_of_the_work_but_for_looks() -> None:
    whole, half = (load_settings("rung_bert", {"data.corpus_limit": n}) for n in (96_000, 48_000))
    assert operations.stage1(half).operations == pytest.approx(operations.stage1(whole).operations / 2, rel=0.01)


@pytest.mark.parametrize("profile", TRAINING)
def test_every_profile_that_trains_can_be_counted(profile: str) -> None:
    found = forecast.parts(load_settings(profile))
    assert all(one.operations > 0 for one in found.values())
    assert ("pre-training" in found) == (profile == "embedded")


def test_sizes_are_read_from_the_names_of_encoders() -> None:
    sizes = {name: operations.shape_of(load_settings(name)) for name in ("rung_narrow", "rung_bert", "mini", "embedded")}
    assert [(one.width, one.layers, one.inner) for one in sizes.values()] == [
        (128, 12, 512), (768, 12, 3072), (384, 6, 1536), (96, 4, 384),
    ]  # fmt: skip


def test_unknown_sizes_are_a_sentence() -> None:
    with pytest.raises(UserError, match="does not tell its width"):
        operations.shape_of(load_settings("mini", {"encoder.name": "owner/name"}))
    with pytest.raises(UserError, match="unknown text of known size"):
        operations.corpus_of(load_settings("mini", {"data.corpus": "my.txt"}))


def test_a_cell_that_two_grids_share_is_counted_once_and_each_seed_adds_the_same() -> None:
    one, three = (load_settings("rung_bert", {"ablations.seeds": seeds}) for seeds in ([1], [1, 2, 3]))
    grids = [forecast.grids(settings)[forecast.GRIDS[0]].operations for settings in (one, three)]
    places = forecast.grids_of_paper.GRIDS
    listed = [forecast.cell_work(cell, one).operations for place in places for cell in forecast.every_cell(place, one)]
    assert grids[0] < 0.9 * sum(listed), "nothing was shared"
    assert 2 * grids[0] < grids[1] < 3 * grids[0], "Fig. 8 keeps one seed, the rest have three"


def test_time_grows_with_work_and_falls_with_the_rate_but_not_below_the_calls() -> None:
    some = Work(1e15, 1000)
    assert some.seconds(100, 0.5) == pytest.approx(1e15 / 5e10 + 1000 * operations.LAYER_SECONDS)
    assert some.seconds(1e12, 0.5) == pytest.approx(1000 * operations.LAYER_SECONDS, rel=0.01)
    assert (some + some).seconds(100, 0.5) == pytest.approx((some * 2).seconds(100, 0.5))


# -- the share -----------------------------------------------------------------------------------------------


def test_the_share_is_recovered_from_cells_that_took_as_long_as_it_says() -> None:
    settings, ids = load_settings("mini"), ("table10/NCE", "table10/ICTM")
    cells = {cell.id: cell for cell in forecast.every_cell("table10", settings)}
    taken = [seconds(id, forecast.cell_work(cells[id], settings).seconds(150, 0.37)) for id in ids]
    assert forecast.achieved([record("table10", taken)], 150) == pytest.approx(0.37)
    interrupted = [*taken, seconds("table10/NCE", taken[0].value / 50, seed=2)]
    assert forecast.achieved([record("table10", interrupted)], 150) == pytest.approx(0.37), "one odd cell moves nothing"


def test_without_seconds_or_with_other_settings_there_is_no_share() -> None:
    old = record("table10", [seconds("table10/NCE", 9)])
    assert forecast.achieved([record("table10")], 150) is None
    assert forecast.achieved([old.model_copy(update={"settings": {"title": "of another time"}})], 150) is None
    assert forecast.achieved([record("table10", [seconds("table10/gone", 9)])], 150) is None


def test_cells_that_are_not_trained_have_no_training_in_them() -> None:
    settings = load_settings("mini")
    assert forecast.cell_work(Cell("towers/I", "tower_I"), settings).layers == 0


# -- in words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 minutes"), (5400, "90 minutes"), (7200, "2 hours"), (172_800, "2 days")]
)
def test_durations_have_the_unit_that_a_reader_would_take(seconds: float, words: str) -> None:
    assert forecast.duration(seconds) == words


def test_the_sentence_for_the_readme_says_rate_share_and_that_it_was_not_run() -> None:
    words = forecast.sentence("rung_narrow", 50_000)
    assert words.startswith("`rung_narrow`: ") and "50,000 GFLOP/s" in words
    assert "An estimate" in words and "% of that rate" in words and words.endswith("it was not run.")


# -- what was spent ------------------------------------------------------------------------------------------


def test_hours_and_energy_add_up_by_profile() -> None:
    records = [record("a"), record("b", seconds=1800.0, threads=1), record("c", profile="embedded", device="a GPU")]
    frame = compute.spent(records, core_watts=10, gpu_watts=300)
    assert frame.loc["mini", ["runs", "hours"]].tolist() == [2, 1.5]
    assert frame.loc["mini", "kWh, estimated"] == pytest.approx((2 * 10 * 1 + 1 * 10 * 0.5) / 1000)
    assert frame.loc["embedded", "kWh, estimated"] == pytest.approx(0.3) and "a GPU" in frame.loc["embedded", "on"]
    assert compute.longest(records, 1)["run"].tolist() in (["a"], ["c"])


def test_a_page_that_found_its_cells_made_counts_with_what_they_took() -> None:
    again = record("table9", [seconds("table9/1", 2000), seconds("table9/1", 1600, seed=2)], seconds=60.0)
    assert compute.took(again) == 3600 and compute.took(record("stage1", seconds=60.0)) == 60
    assert compute.spent([again]).loc["mini", "hours"] == 1.0


def test_times_of_cells_are_by_page_and_their_absence_is_told() -> None:
    found = [record("table9", [seconds("table9/1", 60), seconds("table9/1", 120, seed=2)]), record("stage1")]
    frame = compute.timed(found)
    assert frame.loc[0, ["page", "cells and seeds", "all, min"]].tolist() == ["table9", 2, 3.0]
    assert "2 of them" in compute.timed_words(frame) and "No record" in compute.timed_words(compute.timed([]))


def test_the_calculator_has_a_row_a_profile_and_a_column_a_rate() -> None:
    frame = compute.calculator({"slow": 100, "fast": 1e5}, 0.5)
    assert list(frame.index) == list(compute.BEFORE) and frame.shape[1] == 2
    assert frame.loc["paper_bert"].iloc[0].endswith("days")
    table = compute.operations()
    assert table.loc["all"].tolist() == pytest.approx([forecast.total(load_settings(n)).operations / 1e15 for n in table])


def test_the_figure_draws_a_line_a_profile() -> None:
    figure = hours_over_rate({"one": Work(1e15, 10), "two": Work(1e16, 10)}, 0.5, {"here": 50.0})
    assert {"one", "two"} <= {line.get_label() for line in figure.axes[0].get_lines()}


def test_metrics_name_hours_and_operations() -> None:
    names = {metric.name: metric for metric in compute.compute_metrics(compute.spent([record("a")]))}
    assert names["compute/mini/hours"].value == 1 and names["compute/rung_bert/operations"].unit == "operations"


def test_rates_and_watts_are_typed_into_code_and_not_into_prose() -> None:
    page = json.loads((Path(__file__).parents[2] / "notebooks" / "compute.ipynb").read_text(encoding="utf8"))
    code = "\n".join(
        "".join(c["source"]) for c in page["cells"] if c["cell_type"] == "code" and not c["metadata"].get("tags")
    )
    named = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    assert {"rates", "core_watts", "gpu_watts"} <= named


@pytest.mark.parametrize("profile", ["rung_narrow", "rung_bert"])
def test_the_readme_quotes_the_estimate(profile: str) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf8")
    assert forecast.sentence(profile, 50_000.0) in readme
