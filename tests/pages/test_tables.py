"""Tables, sentences and figures of the pages: escaped, in words that follow from the numbers, fit to be shown."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from jtcse.core.config import SECTIONS, load_settings, profiles
from jtcse.core.record import Metric, Provenance, RunRecord
from jtcse.evaluation.sts import metric, score_sets
from jtcse.evaluation.words import BagOfWords
from jtcse.pages.furniture.elements import direction, glue, source, verdict

pandas = pytest.importorskip("pandas")
pytest.importorskip("IPython", reason="IPython comes with the extra 'book'")
tables = pytest.importorskip("jtcse.pages.furniture.tables")


def record(*metrics: Metric) -> RunRecord:
    """A record of the seven tasks with these metrics."""
    made = Provenance(
        commit="0123456789", dirty=True, started="2026-01-02T03:04:05", seconds=90, peak_memory_mib=2048,
        device="cpu", machine="m", threads=1, versions={}, hashes={},
    )  # fmt: skip
    return RunRecord(run="seven_tasks", profile="embedded", settings={}, metrics=list(metrics), provenance=made)


@pytest.mark.parametrize(
    ("difference", "low", "high", "words", "state"),
    [
        (3.2, 2.1, 4.3, "better by 3.2 points (95 % interval 2.1 to 4.3)", "agrees"),
        (-1.0, -1.6, -0.4, "worse by 1.0 points (95 % interval 0.4 to 1.6)", "disagrees"),
        (
            0.3, -0.5, 1.1,
            "not distinguishable (difference +0.3 points, 95 % interval -0.5 to +1.1)", "undecided",
        ),
        (0.0, 0.0, 0.0, "not distinguishable (difference +0.0 points, 95 % interval +0.0 to +0.0)", "undecided"),
    ],
)  # fmt: skip
def test_verdict_follows_from_the_interval(difference: float, low: float, high: float, words: str, state: str) -> None:
    assert verdict(difference, low, high) == words
    assert direction(low, high) == state


def test_text_in_tables_is_escaped_and_wide_tables_scroll() -> None:
    html = tables.table(pandas.DataFrame({"a": ["<script>x</script> & y", None], "b": [1.23456, np.nan]})).data
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "1.23" in html and "1.2346" not in html and "–" in html
    assert '<div class="frame">' in html and ".frame{overflow-x:auto}" in html


def test_names_of_indexes_take_no_line_and_the_frame_stays_as_it_was() -> None:
    levels = pandas.MultiIndex.from_product([["a"], ["x", "y"]], names=["outer", "inner"])
    frame = pandas.DataFrame([[1, 2]], index=pandas.Index(["row"], name="id"), columns=levels)
    for one in (frame, frame.T):
        html = tables.table(one, index=True).data
        assert not any(name in html for name in ("outer", "inner", ">id<")) and "row" in html
    assert frame.index.name == "id" and list(frame.columns.names) == ["outer", "inner"]


@pytest.mark.parametrize("profile", profiles())
def test_settings_of_every_profile_are_shown_with_what_they_mean(profile: str) -> None:
    html = tables.settings_table(load_settings(profile), SECTIONS).data
    for name in ("stage1.tower_1.view", "stage2.cross_stream", "run.seed"):
        assert name in html
    assert "reading of Eqs. 8-10" in html


def test_table_of_changes_leaves_out_what_is_equal() -> None:
    settings = load_settings("paper_bert", {"stage2.steps": 7})
    html = tables.settings_table(settings, SECTIONS, all_of_them=False).data
    assert "stage2.steps" in html and "stage2.temperature" not in html


def test_claims_are_judged_by_their_intervals_and_missing_ones_are_not_run() -> None:
    found = record(
        Metric(name="difference/jtcse-sum", value=1, n=9, low=0.5, high=1.5),
        Metric(name="difference/sum-tower_1", value=0, n=9, low=-1, high=1),
    )
    html = tables.claims_table(found).data
    assert html.count("not run") == len(tables.COMPARISONS) - 2
    assert "better by 1.0 points" in html and "undecided" in html
    assert tables.tally(found) == {"compared": 2, "agrees": 1, "disagrees": 0, "undecided": 1}


def test_runs_and_metrics_of_records_are_listed() -> None:
    found = record(Metric(name="jtcse/average", value=61.25, n=3500, low=60, high=62))
    html = tables.runs_table([found]).data
    assert "1.50" in html and "01234567 (changed)" in html and "2,048" in html
    assert "60 to 62" in tables.metrics_table([found]).data


def test_score_becomes_a_metric_with_its_interval() -> None:
    class Pairs:  # what score_sets reads of a pair set
        first, second = ["a cat sat", "a dog ran", "no word"], ["a cat sat", "a bird ran", "in common"]
        gold = np.array([5.0, 3.0, 0.0])

        def __len__(self) -> int:
            return 3

    score = score_sets(BagOfWords(), {"tiny": Pairs()})["tiny"]
    assert score.points == pytest.approx(100)
    assert metric("words/tiny", score, 3) == Metric(
        name="words/tiny", value=score.points, n=3, low=score.low, high=score.high
    )


def test_bag_of_words_ignores_case_and_order_and_nothing_else() -> None:
    vectors = BagOfWords(64).encode(["The cat, the dog.", "the DOG the cat", "the cat dog", ""])
    assert vectors.shape == (4, 64) and vectors.dtype == np.float32
    assert (vectors[0] == vectors[1]).all() and (vectors[0] != vectors[2]).any()
    assert vectors.sum(axis=1).tolist() == [4, 4, 3, 0]


def test_glue_lists_values_where_no_book_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "myst_nb", None)
    glue(score=np.float64(1.5), word="better", count=3)
    assert capsys.readouterr().out == "score: 1.5\nword: better\ncount: 3\n"


def test_source_shows_the_code_without_its_docstring() -> None:
    text = source(verdict).data
    assert "def verdict(" in text and "Args:" not in text and text.count("```") == 2
