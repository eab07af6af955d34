"""The pages on a small run: what its tries and claims say, from records alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up import metric, over_seeds, record

from jtcse.core.config import load_settings
from jtcse.core.record import RunRecord, write_record
from jtcse.core.run import Run, Workspace
from jtcse.paper.ledger import AllRecords

pandas = pytest.importorskip("pandas")
pytest.importorskip("IPython", reason="IPython comes with the extra 'book'")
from jtcse.experiments.ablations.claim_effects import OVER_TOWERS  # noqa: E402
from jtcse.pages import methods, summary  # noqa: E402
from jtcse.pages.ablations import CLAIMS  # noqa: E402
from jtcse.pages.methods import tries_plot as drawn  # noqa: E402
from jtcse.paper.printed import claims  # noqa: E402

GRID = record(
    *over_seeds("claim/C31", [0.2, 0.3, 0.4], 0.1, 0.5),  # agrees
    *over_seeds("claim/C43", [-0.2, -0.3, -0.4], -0.5, -0.1),  # disagrees
    *over_seeds("claim/C41", [0.2, -0.1, 0.4], 0.1, 0.3),  # the interval is above zero, a seed is not
    *over_seeds(OVER_TOWERS, [0.5, 0.6, 0.7], 0.4, 0.8),
    *over_seeds("table10/NCE>table10/none", [0.1, 0.2, 0.3], 0.1, 0.3),
    run="table10",
)  # fmt: skip
LOOKS = {
    "stage1/1e-05/0": 70.0,
    "stage1/1e-05/25": 75.0,
    "stage1/0.0001/25": 76.0,
    "stage2/3e-06/12": 76.1,
    "distillation/0.0001/25": 76.2,
}
CHOSEN = {"stage1": (1e-4, 25), "stage2": (3e-6, 12), "distillation": (1e-4, 25)}
TRIES = record(
    *(metric(name, score) for name, score in LOOKS.items()),
    *(metric(f"{stage}/learning_rate", rate, unit="1") for stage, (rate, _) in CHOSEN.items()),
    *(metric(f"{stage}/steps", steps, unit="steps") for stage, (_, steps) in CHOSEN.items()),
    run="tuning",
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of mini with these records above the committed ones."""
    for one in (GRID, TRIES):
        write_record(one, tmp_path / "records" / f"{one.run}.json")
    return Run("methods", "mini", load_settings("mini"), Workspace(tmp_path))


def alone(monkeypatch: pytest.MonkeyPatch, *records: RunRecord) -> None:
    """No other records than these."""
    monkeypatch.setattr(methods, "all_records", lambda workdir=None: AllRecords(list(records)))


def test_each_statement_stands_under_the_state_of_its_effect(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(monkeypatch, GRID)
    groups = {title: {f.statement for f in some} for title, some in summary.grouped(summary.findings(run)).items()}
    words = summary.STATEMENTS
    assert words["C31"] in groups["What holds"] and summary.OWN[OVER_TOWERS][1] in groups["What holds"]
    assert groups["What does not"] == {words["C43"]}
    assert groups["What cannot be decided"] == {words["C41"]}


def test_a_sentence_has_its_effect_interval_seeds_and_page(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(monkeypatch, GRID)
    html = summary.summary(summary.grouped(summary.findings(run))).data
    assert '<a href="table10.html">+0.30 points, +0.10 to +0.50; 3 seeds</a>' in html


def test_without_records_nothing_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(monkeypatch)
    html = summary.summary(summary.grouped(summary.findings(run))).data
    assert html.count("Nothing.") == 3


def test_every_statement_is_of_a_claim_that_any_run_can_answer() -> None:
    answerable = {id.removeprefix("claim/") for id in claims().query("needs == 'any'").index}
    assert set(summary.STATEMENTS) <= answerable
    assert {number for numbers in CLAIMS.values() for number in numbers} <= answerable


def test_tries_and_what_they_chose_are_read_from_the_record(run: Run) -> None:
    looks = methods.tries(TRIES)
    assert list(looks.itertuples(index=False, name=None))[:2] == [("stage1", 1e-5, 0, 70.0), ("stage1", 1e-5, 25, 75.0)]
    table = methods.frozen(TRIES, run.settings)
    assert table["best tried"].tolist() == table["profile"].tolist(), "the profile has what was chosen"
    assert len(methods.tries(None)) == len(methods.frozen(None, run.settings)) == 0


def test_the_figure_rings_the_best_look_after_a_step() -> None:
    figure = drawn(methods.tries(TRIES))
    ring = next(line for line in figure.axes[0].lines if line.get_fillstyle() == "none")
    assert ring.get_xydata().tolist() == [[25.0, 76.0]] and [
        axis.get_title(loc="left") for axis in figure.axes
    ] == list(methods.STAGES.values())


def test_seeds_that_the_printed_size_would_need_follow_from_the_spread(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jtcse.evaluation.statistics.power import seeds_needed
    from jtcse.paper.printed import printed

    alone(monkeypatch, GRID)
    (row,) = methods.seeds_table(run).itertuples()
    wanted = printed("table10/NCE") - printed("table10/none")
    assert row.comparison == "table10/NCE" and row.seeds == 3 and row.printed == pytest.approx(wanted)
    assert row[6] == seeds_needed(0.1, abs(wanted))


def test_a_comparison_that_two_rows_share_is_told_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    both = record(*over_seeds("table8/+SICKR/JTCSE>table8/Wiki1M/JTCSE", [0.1, 0.2], 0.0, 0.3), run="table8")
    alone(monkeypatch, both)
    assert len(methods.seeds_table(run)) == 1


def test_dates_pairs_and_facts_are_in_words(run: Run) -> None:
    assert methods.begun({"tuning": TRIES, "table10": GRID}) == GRID.provenance.started
    assert methods.begun({"tuning": TRIES}) == "not run"
    assert GRID.provenance.started in methods.fixed_before({"tuning": TRIES, "table10": GRID})
    assert methods.fixed_before({"table10": GRID}).startswith("Nothing was fixed beforehand")
    assert methods.pairs_in_words(run.settings) == "at most 300 evenly spaced pairs of each"
    assert methods.pairs_in_words(load_settings("embedded")) == "all pairs of each"
    assert "all-MiniLM-L6-v2" in methods.facts(run)["encoder"]
