"""The page of the fair race: it shows records, says "not run" without one, and trains nothing."""

from __future__ import annotations

from pathlib import Path

import made_up
import made_up_race
import pytest

pandas = pytest.importorskip("pandas")
pytest.importorskip("matplotlib", reason="Matplotlib comes with the extra 'book'")
pytest.importorskip("IPython", reason="IPython comes with the extra 'book'")
from jtcse.core.config import load_settings  # noqa: E402
from jtcse.core.record import write_record  # noqa: E402
from jtcse.core.run import Run, Workspace  # noqa: E402
from jtcse.experiments.race.record import metrics  # noqa: E402
from jtcse.pages import race as page  # noqa: E402
from jtcse.pages.furniture import style  # noqa: E402
from jtcse.pages.plots import race as plotting_race  # noqa: E402

NOISES = {"simcse": 2.0, "esimcse": 0.5, "jtcse": 4.0}
SETTINGS = load_settings("embedded", {"evaluation.resamples": 100})


@pytest.fixture
def this_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose checkout has no committed record of a race."""
    monkeypatch.setattr("jtcse.paper.ledger.all_records.__defaults__", (tmp_path / "none", None))
    return Run("fair_race", "embedded", SETTINGS, Workspace(tmp_path / "work"))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list:
    found: list = []
    monkeypatch.setattr("IPython.display.display", found.append)
    return found


def raced(this_run: Run, profile: str = "embedded"):
    record = made_up.record(*metrics(made_up_race.results(NOISES), SETTINGS), run="race", profile=profile)
    write_record(record, this_run.workspace.records / f"race_{profile}.json")
    return record


def test_without_a_record_it_says_so_and_names_the_command(this_run: Run, shown: list) -> None:
    for show in (page.show_standings, page.show_costs, page.show_ranks, page.show_development):
        show(this_run)
    assert len(shown) == 4 and all(
        "not run" in one.data and "jtcse race --profile embedded" in one.data for one in shown
    )
    assert set(page.words(this_run).values()) == {page.NOT_RUN}


def test_standing_is_the_records_the_best_first(this_run: Run) -> None:
    record = raced(this_run)
    frame = page.standing(record)
    assert list(frame.index) == ["esimcse", "simcse", "jtcse"] and list(frame["rank"]) == [1, 2, 3]
    assert frame.loc["simcse", "printed"] == 76.25 and frame.loc["simcse", "minutes"] == 1.5
    mean = next(m for m in record.metrics if m.name == "race/jtcse/average" and m.seed is None)
    assert (frame.loc["jtcse", "average"], frame.loc["jtcse", "average_low"]) == (mean.value, mean.low)
    html = page.standing_table(record).data
    assert "ESimCSE" in html and "1 (1 to 1)" in html and "76.25" in html


def test_words_of_a_race(this_run: Run) -> None:
    raced(this_run)
    found = page.words(this_run)
    assert (found.systems, found.seeds, found.improved, found.apart) == ("3", "2", "3 of 3", "1")
    assert found.first == "ESimCSE (rank 1 to 1)" and "3 systems" in found.ranking


def test_each_profile_with_a_race_is_shown_the_pages_own_first(this_run: Run, shown: list) -> None:
    raced(this_run, "mini")
    raced(this_run)
    assert list(page.races(this_run)) == ["embedded", "mini"]
    page.show_standings(this_run)
    assert sum('<img alt="' in one.data for one in shown) == 2
    assert not [one for one in shown if "not run" in one.data]


def test_a_system_that_the_package_no_longer_has_keeps_its_name(this_run: Run) -> None:
    record = made_up.record(
        made_up.metric("race/gone/average", 50.0, 49.0, 51.0), made_up.metric("race/gone/rank", 1, 1, 1, unit="rank"),
        *(made_up.metric(f"race/gone/{what}", 1.0) for what in page.SUMMARY if what not in ("average", "rank", "rate")),
        run="race", profile="embedded",
    )  # fmt: skip
    frame = page.standing(record)
    assert frame["title"]["gone"] == "gone" and frame["printed"].isna().all()
    assert "gone" in page.standing_table(record).data


def test_figures_have_a_line_for_each_system_and_suit_a_phone(this_run: Run) -> None:
    record = raced(this_run)
    frame = page.standing(record)
    figures = [plotting_race.standings(frame), plotting_race.costs(frame), plotting_race.beside_print(frame)]
    figures.append(plotting_race.development(page.looks(record)))
    for figure in figures:
        assert figure.get_figwidth() == style.WIDTH and 'alt="x"' in style.picture(figure, "x")
    assert [t.get_text() for t in figures[0].axes[0].get_yticklabels()] == list(frame["title"])
    assert len(figures[2].axes[0].texts) == 2 * len(frame)
    assert [axis.get_title(loc="left") for axis in figures[3].axes if axis.get_visible()] == list(frame["title"])
