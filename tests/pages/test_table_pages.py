"""Pages of Tables II to VI: what they compute from print agrees with print and with arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jtcse.core.errors import UserError

pandas = pytest.importorskip("pandas")
pytest.importorskip("IPython", reason="IPython comes with the extra 'book'")
pages = pytest.importorskip("jtcse.pages.zero_shot.printed_blocks")
from jtcse.pages.plots import tables as plotting_tables  # noqa: E402
from jtcse.pages.zero_shot import ranking  # noqa: E402
from jtcse.paper.printed import claims, printed, tasks  # noqa: E402


@pytest.mark.parametrize(
    ("place", "rows"), {"table2": 45, "table3": 14, "table4": 15, "table5": 18, "table6": 15}.items()
)
def test_block_is_the_printed_cells_without_averages(place: str, rows: int) -> None:
    cells = pages.block(place)
    assert cells.shape == (rows, 11) and not cells.isna().any().any()
    assert not [name for name in cells.index if "avg" in name.lower()]
    row, model = cells.index[3], "JTCSE_D"
    assert cells.loc[row, model] == printed(f"{place}/{row}/{model}")


@pytest.mark.parametrize("place", pages.BLOCKS)
def test_printed_averages_are_means_of_the_cells_up_to_rounding(place: str) -> None:
    found = pages.averages(place)
    assert found["difference"].abs().max() < 0.0101, "half a hundredth of the average and half a hundredth of each cell"
    assert found["mean of the cells"].is_monotonic_decreasing


def test_an_average_that_does_not_follow_shows_in_the_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, names = pages._cells("table4")
    cells.loc[names[0], "JTCSE"] += 0.3
    monkeypatch.setattr(pages, "_cells", lambda place: (cells, names))
    found = pages.averages("table4")["difference"].abs()
    assert found.idxmax() == "JTCSE" and found.max() == pytest.approx(0.3, abs=0.01)


def test_what_is_no_block_is_refused_with_the_blocks() -> None:
    with pytest.raises(UserError, match="table2"):
        pages.block("table7")
    with pytest.raises(UserError, match="table1"):
        pages.said("figure6")


@pytest.mark.parametrize("place", pages.CLAIMS)
def test_claims_of_a_page_are_the_papers_and_are_shown(place: str) -> None:
    html = pages.said(place).data
    for number in pages.CLAIMS[place]:
        assert f"claim/{number}" in claims().index and number in html


@pytest.mark.parametrize("place", pages.BLOCKS)
def test_tasks_to_run_are_all_named(place: str) -> None:
    html = pages.needed(place).data
    for name in tasks().query("place == @place")["mteb"]:
        assert name in html


def test_ranks_share_the_better_place() -> None:
    rows = pandas.DataFrame({"a": [1.0, 5.0], "b": [2.0, 5.0], "c": [3.0, 4.0]})
    assert pages.ranks(rows).to_numpy().tolist() == [[3, 2, 1], [1, 1, 3]]


grids = st.integers(2, 6).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 100)] * 3), min_size=n, max_size=n))


@settings(max_examples=40, deadline=None)
@given(cells=grids)
def test_leads_are_antisymmetric_and_count_every_row(cells: list[tuple[int, int, int]]) -> None:
    rows = pandas.DataFrame(cells, columns=["a", "b", "c"], dtype=float)
    one, two = pages.leads(rows, "a").loc["b"], pages.leads(rows, "b").loc["a"]
    assert one["difference"] == pytest.approx(-two["difference"]) == pytest.approx(rows["a"].mean() - rows["b"].mean())
    assert (one["low"], one["high"]) == pytest.approx((-two["high"], -two["low"]))
    assert one["low"] - 1e-9 <= one["difference"] <= one["high"] + 1e-9 or len(rows) < 5
    assert (one["rows won"], one["rows lost"]) == (two["rows lost"], two["rows won"])
    assert one["rows won"] + one["rows lost"] + (rows["a"] == rows["b"]).sum() == len(rows)


def test_interval_of_a_lead_is_that_of_a_mean() -> None:
    rng = np.random.default_rng(3)
    rows = pandas.DataFrame({"a": rng.normal(1, 2, 400), "b": np.zeros(400)})
    found, error = pages.leads(rows, "a").loc["b"], 1.96 * rows["a"].std() / 20
    assert (found["low"], found["high"]) == pytest.approx(
        (found["difference"] - error, found["difference"] + error), abs=0.02
    )


def test_rows_that_are_no_sample_get_no_interval() -> None:
    assert "low" not in pages.leads(pages.block("table6"), draw=False)
    assert "interval" not in pages.summary("table6").lead and "interval" in pages.summary("table2").lead


def test_summary_says_what_the_cells_say() -> None:
    found, cells = pages.summary("table5"), pages.block("table5")
    assert found.first == cells.mean().idxmax() == "TNCSE" and found.place == 2
    assert found.won == (cells["JTCSE"] > cells[found.rival]).sum()
    assert found.own_first == (cells[list(pages.OWN)].max(axis=1) >= cells.max(axis=1)).sum()


def test_rows_that_say_the_same_are_named_once() -> None:
    rows = pandas.DataFrame({"a": [1.0, 2.0, 1.0], "b": [3.0, 3.0, 3.0]}, index=["x", "y", "z"])
    assert pages.same_rows(rows) == "x = z" and pages.same_rows(rows.iloc[:2]) == "none"


def test_counts_in_the_prose_are_held_against_the_tables() -> None:
    found = {metric.name: metric for place in pages.BLOCKS for metric in pages.block_metrics(place)}
    assert found["claim/C22"].value == 3 and found["claim/C28"].value == 1
    assert found["claim/C21"].value == -1, "the text counts the row of averages as a sub-set"
    assert found["claim/C21"].high < 0 and found["tasks/table5"].value == 18


def test_figures_have_a_mark_for_every_model_and_row() -> None:
    rows = pages.block("table4")
    (axis,) = plotting_tables.rank_map(pages.ranks(rows), pages.OWN).axes
    assert len(axis.texts) == rows.size and len(axis.get_yticklabels()) == len(rows)
    (axis,) = plotting_tables.leads(pages.leads(rows), "JTCSE", pages.OWN).axes
    assert len(axis.get_yticklabels()) == rows.shape[1] - 1
    frame, shares = ranking.standing(rows), ranking.place_shares(rows)
    mean, place = plotting_tables.standing(frame, shares, pages.OWN, "each task").axes
    assert [label.get_text() for label in mean.get_yticklabels()] == list(frame.index)
    assert place.images[0].get_array().shape == (rows.shape[1],) * 2
    series = pandas.Series({"start": -30.0, "JTCSE": 3.0, "other": 1.0})
    figure = plotting_tables.beside_reference(series, {"JTCSE": (1.0, 0.5, 1.5)}, "SimCSE")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["JTCSE", "other", "start"]
