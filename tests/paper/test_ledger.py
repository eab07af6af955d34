"""The ledger: one state for every printed value and claim, from records alone; bad records are told and do no harm."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import made_up
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import PAPER, metric, over_seeds, record
from scipy import stats

from jtcse.core.errors import UserError
from jtcse.core.record import RunRecord, write_record
from jtcse.paper import printed
from jtcse.paper.ledger import STATES, all_records, counts, entries, places, reference
from jtcse.paper.ledger.entry import Entry
from jtcse.paper.ledger.judging import Evidence, Printed, seed_band

IDS = list(printed.values().index)
TOTAL = len(IDS) + len(printed.claims())


def entry(id: str, *records: RunRecord, profile: str | None = None) -> Entry:
    """The ledger's entry of one id."""
    return next(e for e in entries(records, id.split("/")[0], profile) if e.id == id)


def said(folder: Path) -> str:
    """The one problem of a checkout's records."""
    (problem,) = all_records(folder).problems
    assert "\n" not in problem
    return problem


# -- laws ------------------------------------------------------------------------------------------------------


def test_without_records_everything_is_not_run() -> None:
    assert counts(entries([])) == {state: 0 for state in STATES} | {"not run": TOTAL}


def test_a_claim_that_was_not_run_says_what_could_answer_it() -> None:
    reasons = {entry.id: entry.reason for entry in entries([], "claim")}
    assert "released weights" in reasons["claim/C02"] and "paper's own setting" in reasons["claim/C19"]
    assert "audit" in reasons["claim/C03"] and "authors" in reasons["claim/C23"]
    assert reasons["claim/C31"] == "no run record answers for it"


def test_every_value_and_claim_has_one_entry_in_the_order_of_the_paper() -> None:
    assert [e.id for e in entries(made_up.one_of_each())] == [*IDS, *printed.claims().index]
    assert sum(len(entries([], place)) for place in places()) == TOTAL


def test_all_states_can_be_reached() -> None:
    found = counts(entries(made_up.one_of_each()))
    assert all(found.values()), found
    assert sum(found.values()) == TOTAL


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_any_records_add_up_and_taking_one_away_takes_its_states_away(data: st.DataObject) -> None:
    names = st.sampled_from(IDS[-100:])
    made = []
    for number in range(data.draw(st.integers(1, 4))):
        chosen = data.draw(st.lists(names, unique=True, max_size=8))
        points = data.draw(st.lists(st.floats(-100, 100), min_size=len(chosen), max_size=len(chosen)))
        profile = data.draw(st.sampled_from(["embedded", "mini", PAPER]))
        both = [metric(name, value, value - 1, value + 1) for name, value in zip(chosen, points, strict=True)]
        both += [metric(f"{n}>{reference(n)}", value, value - 1, value + 1)
                 for n, value in zip(chosen, points, strict=True) if reference(n)]  # fmt: skip
        made.append(record(*both, run=f"run{number}", profile=profile))
    ledger = entries(made)
    assert sum(counts(ledger).values()) == TOTAL
    gone = entries(made[1:])
    only_first = _named(made[:1]) - _named(made[1:])
    for after in gone:
        if after.id in only_first:
            assert (after.state, after.measured, after.run) == ("not run", None, None)


def _named(records: list) -> set[str]:
    """Ids that metrics name, on either side of a difference."""
    return {id for record in records for metric in record.metrics for id in metric.name.split(">")}


def test_the_order_of_records_does_not_matter() -> None:
    made = [
        *made_up.one_of_each(),
        record(metric("table10/NCE", 60), run="other"),
        record(metric("claim/C43", -1), run="x"),
    ]
    assert [e.as_dict() for e in entries(made)] == [e.as_dict() for e in entries(made[::-1])]


def test_a_state_cannot_be_set() -> None:
    found = entry("table10/NCE")
    with pytest.raises(AttributeError):
        found.state = "reproduced"  # type: ignore[misc]
    with pytest.raises(TypeError):
        dataclasses.replace(found, state="reproduced")
    with pytest.raises(TypeError):
        Entry(found.printed, None, "reproduced")  # type: ignore[call-arg]


def test_rows_are_whole_json() -> None:
    rows = [e.as_dict() for e in entries(made_up.one_of_each())]
    assert json.loads(json.dumps(rows, allow_nan=False)) == json.loads(json.dumps(rows))
    assert {"id", "printed", "tolerance", "measured", "state"} <= rows[0].keys()


# -- references ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "other"),
    [
        ("table1/BERT-base/JTCSE/STS12", "table1/BERT-base/SimCSE/STS12"),
        ("table1/BERT-base/SimCSE/7Avg", "table1/BERT-base/BERT-base/7Avg"),
        ("table1/RoBERTa-base/SimCSE/7Avg", "table1/RoBERTa-base/RoBERTa-base/7Avg"),
        ("table1/BERT-base/BERT-base/7Avg", "table1/BERT-base/SimCSE/7Avg"),
        ("table2/AllegroReviews/JTCSE", "table2/AllegroReviews/SimCSE"),
        ("table5/de-en/TNCSE", "table5/de-en/SimCSE"),
        ("table6/MAP@1/SimCSE", "table6/MAP@1/JTCSE"),
        ("table7/JTCSE-BERT/eta", "table7/EDFSE-BERT/eta"),
        ("table8/+SICKR/JTCSE", "table8/Wiki1M/JTCSE"),
        ("table8/Wiki1M/JTCSE", "table8/+SICKR/JTCSE"),
        ("table8/Gain/JTCSE", None),
        ("table9/6", "table9/none"),
        ("table10/none", "table10/NCE+ICNCE+ICTM"),
        ("table10/NCE+ICNCE", "table10/none"),
        ("table11/Avg(FL)/JTCSE", "table11/CLS/JTCSE"),
        ("figure7/JTCSE", "figure7/SimCSE"),
        ("prose/modulus/low", None),
    ],
)
def test_each_table_has_its_reference(id: str, other: str | None) -> None:
    assert reference(id) == other


def test_every_reference_is_of_the_same_place_and_printed_beside_it() -> None:
    for id in IDS:
        other = reference(id)
        assert other is None or (other in IDS and other != id and other.split("/")[0] == id.split("/")[0])


def test_an_unknown_id_place_or_profile_is_a_sentence() -> None:
    with pytest.raises(UserError, match="table10/NCE"):
        reference("table10/NCEE")
    with pytest.raises(UserError, match="did you mean 'table2'"):
        entries([], "table12")
    with pytest.raises(UserError, match="did you mean 'mini'"):
        entries([], profile="minni")
    assert entries([], "figure4") == []


# -- numbers in the paper's setting ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "state"),
    [(10.90, "reproduced"), (10.905, "reproduced"), (10.895, "reproduced"), (10.91, "not reproduced")],
)
@pytest.mark.parametrize("profile", ["embedded", "mini", PAPER])
def test_counts_are_exact_to_printed_precision_at_any_profile(value: float, state: str, profile: str) -> None:
    found = entry(
        "table7/JTCSE-BERT/gmac", record(metric("table7/JTCSE-BERT/gmac", value, unit="GMAC"), profile=profile)
    )
    assert found.state == state and found.printed.tolerance == 0.005
    assert "inferred" in found.reason  # nobody at hand could read that number in the paper


@pytest.mark.parametrize(
    ("seeds", "state"),
    [
        ([79.70, 79.70], "reproduced"),
        ([79.60, 79.90], "reproduced"),  # the mean lies within 0.05
        ([79.65, 79.65], "reproduced"),
        ([79.60, 79.60], "not reproduced"),  # no spread, no band
        ([79.3, 79.4, 79.5, 79.6, 79.4], "within seed band"),
        ([79.1, 79.0, 79.1, 79.0, 79.1], "not reproduced"),
    ],
)
def test_own_training_is_judged_by_the_mean_and_the_band_of_its_seeds(seeds: list[float], state: str) -> None:
    found = entry("table9/6", record(*over_seeds("table9/6", seeds), profile=PAPER))
    assert found.state == state, found.reason
    assert found.seeds == len(seeds)


@pytest.mark.parametrize("made", [[metric("table9/6", 79.70)], [metric("table9/6", 79.70, seed=1)],
                                  over_seeds("table9/6", [79.70])], ids=["no seed", "one", "one and mean"])  # fmt: skip
def test_one_seed_is_no_judgement_even_if_it_hits(made: list) -> None:
    found = entry("table9/6", record(*made, profile=PAPER))
    assert found.state == "direction undecided" and found.measured == 79.70
    assert "one training seed" in found.reason


def test_an_effect_on_deviations_counts_the_seeds_behind_them() -> None:
    made = record(metric("claim/C34", 0.5, -0.6, 1.6, unit="log ratio", n=5), run="figure6")
    assert entry("claim/C34", made).seeds == 5


def test_seeds_without_their_mean_are_averaged() -> None:
    made = over_seeds("table9/6", [79.6, 79.8])[:2]
    assert entry("table9/6", record(*made, profile=PAPER)).measured == pytest.approx(79.7)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(6000, 9000).map(lambda hundredths: hundredths / 100), min_size=2, max_size=8))
def test_the_seed_band_is_the_prediction_interval_of_a_linear_model(values: list[float]) -> None:
    low, high = seed_band(values)
    n, mean = len(values), stats.tmean(values)
    if len(set(values)) > 1:
        assert (low, high) == pytest.approx(
            stats.t.interval(0.95, n - 1, mean, stats.tstd(values) * (1 + 1 / n) ** 0.5)
        )
    assert low <= mean + 1e-9 and mean - 1e-9 <= high


def test_the_seed_band_holds_the_next_seed_at_the_stated_rate() -> None:
    import numpy as np

    draws = np.random.default_rng(7).normal(79, 0.3, (4000, 6))
    held = [low <= row[5] <= high for row in draws for low, high in [seed_band(row[:5].tolist())]]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(("value", "state"), [(79.75, "reproduced"), (79.65, "reproduced"), (79.76, "not reproduced")])
def test_released_checkpoints_have_five_hundredths(value: float, state: str) -> None:
    row = Printed("table9/6", "table9", "79.70", 79.70, "score", "points", precision=0.005)
    assert Entry(row, Evidence("checkpoints", "table9", "checkpoints", value=metric("table9/6", value))).state == state


# -- the same setting, or only directions ----------------------------------------------------------------------

SEEDS = [*over_seeds("table9/6", [79.6, 79.8]), *over_seeds("table9/6>table9/none", [0.2, 0.3], 0.1, 0.4)]


@pytest.mark.parametrize("free", [{"run__seed": 7}, {"evaluation__resamples": 5000}, {"ablations__seeds": [1, 2]}])
def test_seed_threads_and_resamples_are_no_other_setting(free: dict) -> None:
    assert entry("table9/6", record(*SEEDS, profile=PAPER, **free)).state == "reproduced"


@pytest.mark.parametrize("changed", [{"stage2__steps": 20}, {"data__pair_limit": 10}, {"ablations__steps": 20}])
def test_a_changed_setting_speaks_for_directions_and_is_named(changed: dict) -> None:
    found = entry("table9/6", record(*SEEDS, profile=PAPER, **changed))
    ((name, value),) = changed.items()
    assert found.state == "direction agrees"
    assert f"{name.replace('__', '.')} is {value}" in found.reason


def test_a_record_that_lost_its_settings_is_not_the_papers_setting() -> None:
    bare = record(*SEEDS, profile=PAPER).model_copy(update={"settings": {}})
    assert entry("table9/6", bare).state == "direction agrees"


def test_another_backbone_speaks_for_directions() -> None:
    id = "table1/RoBERTa-base/JTCSE/7Avg"
    made = [*over_seeds(id, [79.0, 79.2]), *over_seeds(f"{id}>{reference(id)}", [1, 2], 0.5, 2)]
    wrong, right = (entry(id, record(*made, profile=profile)) for profile in (PAPER, "paper_roberta"))
    assert wrong.state == "direction agrees" and "trains BERT-base" in wrong.reason
    assert not right.state.startswith("direction")


@pytest.mark.parametrize(
    ("ends", "seeds", "state"),
    [
        ((0.1, 0.9), [], "direction agrees"),
        ((-0.9, -0.1), [], "direction disagrees"),
        ((-0.1, 0.9), [], "direction undecided"),
        ((0.0, 0.9), [], "direction undecided"),
        ((0.1, 0.9), [0.3, 0.7], "direction agrees"),
        ((0.1, 0.9), [-0.1, 1.1], "direction undecided"),
        ((-0.9, -0.1), [-0.3, -0.7], "direction disagrees"),
        ((-0.9, -0.1), [0.1, -1.1], "direction undecided"),
        ((None, None), [], "direction undecided"),
    ],
)
def test_a_direction_needs_the_interval_and_all_seeds(ends: tuple, seeds: list[float], state: str) -> None:
    name = "table10/NCE>table10/none"
    mean = sum(ends) / 2 if None not in ends else 0.5
    made = [metric(name, value, seed=seed) for seed, value in enumerate(seeds)]
    assert entry("table10/NCE", record(*made, metric(name, mean, *ends))).state == state


def test_a_printed_fall_agrees_with_a_measured_fall() -> None:
    assert printed.printed("table9/2") < printed.printed("table9/none")
    assert entry("table9/2", record(metric("table9/2>table9/none", -1, -2, -0.5))).state == "direction agrees"


def test_a_gain_is_a_difference_by_itself() -> None:
    assert entry("table8/Gain/JTCSE", record(metric("table8/Gain/JTCSE", 0.5, 0.2, 0.8))).state == "direction agrees"


@pytest.mark.parametrize("id", ["table7/SimCSE-twin/sts7", "prose/modulus/low"])
def test_what_has_no_direction_is_undecided_and_says_what_was_measured(id: str) -> None:
    found = entry(id, record(metric(id, 15.25)))
    assert found.state == "direction undecided" and "15.25" in found.reason


def test_a_row_that_others_are_compared_with_takes_their_difference_reversed() -> None:
    made = [metric("table10/NCE+ICNCE+ICTM>table10/none", 0.5, 0.2, 0.9, seed=seed) for seed in (1, 2)]
    found = entry("table10/none", record(*made, metric("table10/NCE+ICNCE+ICTM>table10/none", 0.5, 0.2, 0.9)))
    assert printed.printed("table10/none") < printed.printed("table10/NCE+ICNCE+ICTM")
    assert (found.state, found.difference, found.difference_low, found.difference_high) == (
        "direction agrees", -0.5, -0.9, -0.2)  # fmt: skip


def test_equal_printed_numbers_have_no_direction() -> None:
    assert printed.printed("table9/none") == 79.58
    row = Printed("a/b", "a", "1.0", 1.0, "score", "points", reference="a/c", difference=0.0)
    answer = Evidence("mini", "a", "smaller", ("small",), difference=metric("a/b>a/c", 1, 0.5, 1.5))
    assert Entry(row, answer).state == "direction undecided"


@pytest.mark.parametrize(("effect", "ends", "state"), [(0.4, (0.1, 0.7), "agrees"), (-0.4, (-0.7, -0.1), "disagrees"),
                                                       (0.4, (-0.1, 0.9), "undecided")])  # fmt: skip
def test_a_claim_goes_by_its_effect(effect: float, ends: tuple[float, float], state: str) -> None:
    found = entry("claim/C31", record(metric("claim/C31", effect, *ends)))
    assert found.state == f"direction {state}" and found.difference == effect


# -- several records -------------------------------------------------------------------------------------------

UP = [metric("table9/6>table9/none", 1, 0.5, 1.5)]
DOWN = [metric("table9/6>table9/none", -1, -1.5, -0.5)]


def test_the_papers_setting_outranks_directions_and_real_data_a_generated_world() -> None:
    small = [record(*UP, profile="embedded"), record(*DOWN)]
    assert entry("table9/6", *small).profile == "mini"
    assert entry("table9/6", *small, record(*SEEDS, profile=PAPER)).state == "reproduced"
    one_seed = record(metric("table9/6", 79.0), profile=PAPER)
    assert entry("table9/6", *small, one_seed).state == "direction disagrees"
    assert entry("table9/6", *small, profile="embedded").state == "direction agrees"


def test_a_places_own_page_outranks_other_runs_and_later_runs_earlier_ones() -> None:
    own = record(*UP, run="table9", started="2026-01-01T00:00:00")
    other = record(*DOWN, run="other", started="2026-02-01T00:00:00")
    third = record(*UP, run="third", started="2026-03-01T00:00:00")
    assert entry("table9/6", own, other).run == "table9"
    assert entry("table9/6", third, other).run == "third"


def test_a_workspace_takes_the_place_of_the_committed_record(tmp_path: Path) -> None:
    root = made_up.checkout(tmp_path / "root", record(*UP, run="table9"), record(*UP, run="table10"))
    write_record(record(*DOWN, run="table9"), tmp_path / "work" / "records" / "table9.json")
    found = all_records(root, tmp_path / "work")
    assert len(found.records) == 2 and not found.problems
    assert entry("table9/6", *found.records).state == "direction disagrees"
    assert entry("table9/6", *all_records(root).records).state == "direction agrees"


# -- bad input -------------------------------------------------------------------------------------------------


def spoilt(folder: Path, **changes) -> Path:
    """A checkout with a good record and one whose JSON has these top-level values."""
    root = made_up.checkout(folder, record(*UP, run="table9"), record(metric("table10/NCE", 71.5), run="bad"))
    path = root / "results" / "mini" / "bad.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return root


def with_metric(**changes) -> dict:
    return {"metrics": [{"name": "table10/NCE", "value": 71.5, "n": 5} | changes]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"profile": "minni"}, "did you mean 'mini'"),
        (with_metric(value=101.0), "101 points"),
        (with_metric(value=float("nan")), "finite"),
        (with_metric(value=None), "metrics.0.value"),
        ({"metrics": [with_metric()["metrics"][0]] * 2}, "2 times"),
    ],
    ids=["schema", "profile", "range", "NaN", "null", "twice"],
)
def test_a_bad_record_is_a_sentence_and_the_others_count(changes: dict, words: str, tmp_path: Path) -> None:
    root = spoilt(tmp_path, **changes)
    assert words in said(root) and "bad.json" in said(root)
    found = all_records(root)
    assert [made.run for made in found.records] == ["table9"]
    assert entry("table9/6", *found.records).state == "direction agrees"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("table10/NCEE", "table10/NCE"),
        ("table1/BERT-base/JTSCE/STS12", "table1/BERT-base/JTCSE/STS12"),
        ("table1/BERT-base/JTCSE/STS21", "table1/BERT-base/JTCSE/STS"),
        ("claim/C99", "claim/C"),
        ("table10/NCE>table10/nothing", "table10/"),
        ("table10/NCE>table10/none>table10/ICTM", "3 things"),
    ],
)
def test_a_metric_of_an_unknown_system_or_task_is_a_sentence_and_its_record_counts(
    name: str, near: str, tmp_path: Path
) -> None:
    root = made_up.checkout(tmp_path, record(metric(name, 1.0), *UP, run="table9"))
    assert name.split(">")[0] in said(root) and near in said(root)
    assert entry("table9/6", *all_records(root).records).state == "direction agrees"


def test_metrics_that_are_not_the_papers_are_nobodys_problem(tmp_path: Path) -> None:
    names = ("jtcse/STS12", "tmc/minimum/k", "sum>jtcse", "sum>table10/none", "difference/a-b", "tables/x")
    root = made_up.checkout(tmp_path, record(*(metric(name, 1.0) for name in names)))
    assert not all_records(root).problems


def test_of_two_files_that_claim_one_run_neither_counts(tmp_path: Path) -> None:
    root = made_up.checkout(tmp_path, record(*UP, run="table9"), record(*UP, run="table10"))
    write_record(record(*DOWN, run="table9"), root / "results" / "mini" / "copy.json")
    assert "copy.json" in said(root) and "table9.json" in said(root) and "both claim run 'table9'" in said(root)
    assert [made.run for made in all_records(root).records] == ["table10"]


def test_a_file_that_is_cut_in_half_is_a_sentence(tmp_path: Path) -> None:
    root = made_up.checkout(tmp_path, *made_up.one_of_each())
    path = root / "results" / "mini" / "table10.json"
    path.write_bytes(path.read_bytes()[:200])
    assert "not whole JSON" in said(root) and len(all_records(root).records) == 2


def test_no_results_at_all_is_no_problem(tmp_path: Path) -> None:
    assert all_records(tmp_path).records == all_records(tmp_path, tmp_path / "nowhere").problems == []


# -- speed -----------------------------------------------------------------------------------------------------


def test_thousands_of_records_are_joined_in_seconds(tmp_path: Path) -> None:
    made = record(*UP, *(metric(name, 50, 49, 51) for name in IDS[:20]))
    text = made.model_dump_json()
    folder = tmp_path / "results" / "mini"
    folder.mkdir(parents=True)
    for number in range(5000):
        (folder / f"r{number}.json").write_text(text.replace('"grid"', f'"r{number}"'))
    begun = time.process_time()
    found = all_records(tmp_path)
    assert len(entries(found.records)) == TOTAL
    spent = time.process_time() - begun
    assert len(found.records) == 5000 and not found.problems
    assert spent < 10, f"{spent:.1f} s"  # 5 on the reference machine, alone
