"""Tables II to VI beside today: each benchmark counted once, public scores on the right splits, what was scored here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import metric, record

from jtcse.core.errors import UserError
from jtcse.core.record import RunRecord, write_record

pandas = pytest.importorskip("pandas")
pytest.importorskip("IPython", reason="IPython comes with the extra 'book'")
from jtcse.pages.zero_shot import (  # noqa: E402
    ranking,
    scored,
    today,
)
from jtcse.pages.zero_shot.printed_blocks import block  # noqa: E402
from jtcse.paper import printed  # noqa: E402

RANKED = ("table2", "table3", "table4", "table5")


@pytest.fixture
def run(tmp_path: Path):
    """A run whose workspace holds the given records of scored encoders, and no committed ones beside them."""

    def made(*records: RunRecord) -> SimpleNamespace:
        for one in records:
            write_record(one, tmp_path / "records" / f"{one.run}.json")
        return SimpleNamespace(workspace=SimpleNamespace(root=tmp_path))

    return made


@pytest.fixture(autouse=True)
def only_the_workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    all_records = scored.all_records
    monkeypatch.setattr(scored, "all_records", lambda workdir: all_records(tmp_path / "no checkout", workdir))


# -- sources -------------------------------------------------------------------------------------------------------


def test_every_task_with_a_name_has_one_source() -> None:
    tasks, sources = printed.tasks(), printed.sources()
    wanted = tasks[tasks["place"].isin([*RANKED, "predecessor"]) & (tasks["mteb"] != "")]
    assert sorted(zip(wanted["place"], wanted["task"], strict=True)) == sorted(
        zip(sources["place"], sources["task"], strict=True)
    )
    assert (sources["source"].str.strip() == sources["source"]).all() and (sources["source"] != "").all()


def test_legalbench_is_as_many_rows_of_table_2_as_its_names_say() -> None:
    tasks, found = printed.tasks().query("place == 'table2'"), ranking.sources("table2")
    assert list(found.index) == list(block("table2").index)
    in_name = tasks.loc[tasks["mteb"].str.contains("LegalBench"), "task"]
    assert set(found[found == "LegalBench"].index) == set(in_name) and len(in_name) == 22


def test_a_source_counts_once_however_many_rows_it_has() -> None:
    rows = pandas.DataFrame({"a": [10.0, 20.0, 60.0], "b": [1.0, 3.0, 5.0]}, index=["x", "y", "z"])
    found = ranking.once(rows, pandas.Series(["s", "s", "t"], index=rows.index))
    assert found.loc["s"].tolist() == [15, 2] and found.loc["t"].tolist() == [60, 5]
    assert ranking.once(rows, pandas.Series(["s", "t", "u"], index=rows.index)).to_numpy() == pytest.approx(rows)


def test_counting_legalbench_once_takes_the_first_place_from_jtcse() -> None:
    found, frame = ranking.ranked("table2"), ranking.two_rankings("table2")
    assert frame["place, tasks"]["JTCSE"] == 1 and found.once_first != "JTCSE"
    rows, source = block("table2"), ranking.sources("table2")
    counted = ranking.once(rows, source)
    for name in ("LegalBench", "MASSIVE"):
        assert counted.loc[name].to_numpy() == pytest.approx(rows[source == name].mean())
    assert (found.largest, found.of_largest, found.sources) == ("LegalBench", 22, len(counted))


def test_a_table_of_one_source_has_one_row_when_it_is_counted_once() -> None:
    assert len(ranking.once(block("table5"), ranking.sources("table5"))) == 1


# -- standing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", RANKED)
def test_shares_of_places_add_up_to_one_for_every_model_and_every_draw(place: str) -> None:
    shares, frame = ranking.place_shares(block(place)), ranking.standing(block(place))
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1)
    assert list(shares.index) == list(frame.index) and frame["mean"].is_monotonic_decreasing
    assert (frame["first"] <= frame["place"]).all() and (frame["place"] <= frame["last"]).all()


def test_interval_of_a_mean_is_that_of_the_rows() -> None:
    rows = pandas.DataFrame({"a": np.random.default_rng(5).normal(50, 10, 300), "b": 0.0})
    found, error = ranking.standing(rows).loc["a"], 1.96 * rows["a"].std() / np.sqrt(300)
    assert (found["low"], found["high"]) == pytest.approx((found["mean"] - error, found["mean"] + error), abs=0.1)


def test_a_model_that_is_ahead_on_every_row_is_always_first_though_intervals_overlap() -> None:
    spread = np.linspace(0, 90, 20)
    rows = pandas.DataFrame({"behind": spread, "ahead": spread + 0.1})
    frame = ranking.standing(rows)
    assert ranking.place_shares(rows).loc["ahead", 1] == 1 and frame.loc["ahead", "last"] == 1
    assert frame.loc["behind", "high"] > frame.loc["ahead", "low"]


@settings(max_examples=30, deadline=None)
@given(scores=st.lists(st.integers(0, 100), min_size=2, max_size=8))
def test_models_that_are_equal_share_a_place_in_every_draw(scores: list[int]) -> None:
    rows = pandas.DataFrame({"a": scores, "b": scores}, dtype=float)
    assert ranking.place_shares(rows).loc[["a", "b"], 1].tolist() == [1, 1]


# -- public scores -------------------------------------------------------------------------------------------------


def test_encoders_of_today_stand_beside_the_same_tasks_only() -> None:
    found, cells = today.present_day("table4"), block("table4")
    assert found["tasks"].between(len(cells) / 2, len(cells)).all()
    assert found["JTCSE, printed"].between(cells["JTCSE"].min(), cells["JTCSE"].max()).all()


def test_a_public_score_is_of_the_splits_that_the_row_stands_for() -> None:
    known = printed.references().query("task == 'TNews'").set_index(["model", "split"])["score"]
    found = today.public("table2").query("row == 'TNews'").set_index("model")["score"]
    for model, score in found.items():
        assert score == known[model, "validation"]
    assert (known.xs("test", level="split") < found).any(), "its test split has no labels, so it drags a mean down"


def test_a_score_of_english_alone_is_not_taken_for_one_of_all_languages() -> None:
    rows = today.public("table2").query("row == 'MassiveIntent'").set_index("model")
    part = rows.loc["Alibaba-NLP/gte-modernbert-base"]
    assert np.isnan(part["score"]) and part["english"] > 70
    assert rows.drop(part.name)["score"].max() < rows.drop(part.name)["english"].min()


def test_table_1_has_the_english_sub_set_and_table_5_the_mean_over_languages() -> None:
    known = printed.references().query("task == 'STS22.v2'").set_index("model")
    table1 = today.public("table1").query("row == 'STS22'").set_index("model")["score"]
    table5 = today.public("table5").set_index(["row", "model"])["score"]
    assert len(table1) >= 5
    for model in table1.index:
        assert table1[model] == table5["en", model] == known.loc[model, "english"]
        assert table5["avg", model] == known.loc[model, "score"]


def test_the_worth_of_an_average_is_over_tasks_that_both_have() -> None:
    found, cells = today.worth("table2"), block("table2")["JTCSE"]
    rows = today.public("table2").dropna(subset="score")
    rows = rows[rows["model"].str.endswith(found.encoder)].set_index("row")["score"]
    assert (found.tasks, found.ahead) == (len(rows), (rows > cells[rows.index]).sum())
    assert (found.mean, found.printed) == pytest.approx((rows.mean(), cells[rows.index].mean()))


@pytest.mark.parametrize("place", scored.PLACES)
def test_task_by_task_has_a_line_for_every_row_and_a_dash_for_every_gap(place: str, run) -> None:
    html = today.task_by_task(place, run()).data
    rows, public = today._rows(place), today.public(place)
    assert html.count("<th scope=row") == len(rows) and html.count("<div class=box tabindex=0") == 1
    cells = len(rows) * (public["model"].nunique() + (place != "predecessor"))
    assert html.count("<td>") == cells and "nan" not in html
    for name in named(place):
        assert f">{name}<" in html


def named(place: str) -> list[str]:
    return list(scored.named(place).index)


def test_what_is_no_place_is_refused_with_those_that_are() -> None:
    with pytest.raises(UserError, match="table2"):
        scored.named("table7")


# -- scored here ---------------------------------------------------------------------------------------------------


def test_without_records_the_page_says_not_run_and_which_command_runs_it(run) -> None:
    for place, words in (("table2", "table2"), ("predecessor", "table6"), ("table1", "table1-right")):
        html = scored.scored_here(place, run()).data
        assert "not run" in html and f"jtcse evaluate --system jtcse --tasks {words}<" in html
    assert "not run" in scored.retrieval_beside(run()).data
    assert "here" not in " ".join(today.present_day("table2", run()).index)


def test_measured_scores_stand_beside_printed_ones_per_task_and_per_block(run) -> None:
    own = record(
        metric("table2/AllegroReviews/JTCSE", 12.34), metric("table2/TNews/JTCSE", 20.0), run="zero_shot_jtcse-bert"
    )
    html, frame = today.task_by_task("table2", run(own)).data, today.present_day("table2", run())
    assert "<td>12.34</td>" in html and "jtcse-bert (mini), here" in html
    cells, here = block("table2")["JTCSE"], frame.loc["jtcse-bert (mini), here"]
    assert (here["tasks"], here["its mean"]) == (2, pytest.approx(16.17))
    assert here["JTCSE, printed"] == pytest.approx(cells[["AllegroReviews", "TNews"]].mean())
    table = scored.scored_here("table2", run()).data
    assert f"<td>2 of {len(cells)}</td>" in table and f"and {len(cells) - 5} more" in table


def test_an_average_is_no_task_and_limited_rows_are_no_score(run) -> None:
    own = record(
        metric("table5/avg/JTCSE", 40),
        metric("table5/en/JTCSE", 60),
        metric("limited-64/STS22.v2/ar", 99),
        run="zero_shot_jtcse-bert",
    )
    assert scored.answers(own, "table5").to_dict() == {"en": 60}
    assert "first 64 rows only" in scored.scored_here("table5", run(own)).data


def test_a_score_under_a_tasks_own_name_counts_for_that_sub_set_only(run) -> None:
    own = record(metric("zero_shot/STS17", 20), metric("zero_shot/STS22.v2/en", 60), run="zero_shot_other")
    assert scored.answers(own, "table1").to_dict() == {"STS22": 60}
    assert scored.answers(own, "table5").to_dict() == {"en": 60}


def test_hash_and_date_of_scored_weights_are_on_the_page(run) -> None:
    own = record(metric("zero_shot/NFCorpus", 20), metric("tasks/done", 1, unit="tasks", n=30), run="zero_shot_<b>")
    own = own.model_copy(
        update={"provenance": own.provenance.model_copy(update={"hashes": {"encoder": "0123456789abcdef" * 2}})}
    )
    html = scored.scored_here("predecessor", run(own)).data
    assert "0123456789ab<" in html and "2026-11-21" in html and "<td>1 of 30</td>" in html
    assert "<b>" not in html and "&lt;b&gt;" in html


def test_retrieval_metrics_stand_beside_the_printed_ones_with_the_number_of_tasks(run) -> None:
    names = list(block("table6").index)
    own = record(*(metric(f"retrieval/{name}/JTCSE", 40 + i, n=30) for i, name in enumerate(names)), run="zero_shot_x")
    html = scored.retrieval_beside(run(own)).data
    assert "mean over 30 tasks" in html and html.count("<th scope=row>") == len(names)
    printed_value = block("table6").loc["MAP@5", "JTCSE"]
    assert f"MAP@5</th><td>{printed_value:.2f}</td><td>41.00</td>" in html
