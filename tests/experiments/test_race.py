"""The fair race: who takes part, ranks and intervals, the record, cells in processes of their own, and the pipeline around it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import made_up_race
import numpy as np
import pytest
import zoo
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st

from jtcse.cli import race as cli_race
from jtcse.core.config import load_settings
from jtcse.core.errors import UserError
from jtcse.core.run import Run, Workspace
from jtcse.data.pairs import TASKS
from jtcse.evaluation.statistics.resampled import Drawn
from jtcse.evaluation.sts import average
from jtcse.experiments.race import cells, record
from jtcse.experiments.race.cells import Cell
from jtcse.experiments.race.members import REFERENCE, chosen, in_order, members
from jtcse.experiments.race.standing import beside_print, over_seeds, ranks
from jtcse.experiments.table1 import RANKING, printed_averages
from jtcse.experiments.trained_systems import TUNING_SEED
from jtcse.paper.ledger.all_records import _fault
from jtcse.systems.cards import cards
from jtcse.systems.settings import fragment

SMALL = load_settings("embedded", {"evaluation.resamples": 200})
REAL = load_settings("mini", {"evaluation.resamples": 100})
DRAWS = 60
RUN = Run("race", "embedded", SMALL, Workspace("nowhere"))


def drawn(points: float, noise: float = 0.0, seed: int = 0) -> Drawn:
    return Drawn(points, points + np.random.default_rng(seed).normal(0, noise, DRAWS))


# -- ranks and intervals -----------------------------------------------------------------------------------------

tables = st.integers(1, 7).flatmap(
    lambda n: st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), min_size=n, max_size=n)
)


def race_of(table: list[tuple[int, int]]) -> dict[str, Drawn]:
    return {f"system {i}": drawn(points, 2.0, seed) for i, (points, seed) in enumerate(table)}


@checks(max_examples=60, deadline=None)
@given(table=tables, turn=st.randoms())
def test_ranks_do_not_depend_on_the_order_of_systems(table, turn) -> None:
    found = race_of(table)
    names = list(found)
    turn.shuffle(names)
    assert ranks({name: found[name] for name in names}) == ranks(found)


@checks(max_examples=60, deadline=None)
@given(table=tables)
def test_ranks_and_their_ends_are_places(table) -> None:
    found = ranks(race_of(table))
    for place, low, high in found.values():
        assert 1 <= place <= len(table) and 1 <= low <= high <= len(table)
    assert min(rank.place for rank in found.values()) == 1


@checks(max_examples=60, deadline=None)
@given(table=tables)
def test_a_system_that_is_ahead_in_every_draw_ranks_first_for_sure(table) -> None:
    found = race_of(table)
    top = max(draws.max() for draws in (one.draws for one in found.values()))
    found["ahead"] = Drawn(top + 20, np.full(DRAWS, top + 1))
    assert ranks(found)["ahead"] == (1, 1, 1)
    assert all(rank.low > 1 for name, rank in ranks(found).items() if name != "ahead")


def test_a_place_that_chance_decides_has_a_wide_interval() -> None:
    found = ranks({"a": drawn(50, 3, 1), "b": drawn(50.1, 3, 2), "far": drawn(10, 3, 3)})
    assert (found["b"].place, found["a"].place, found["far"]) == (1, 2, (3, 3, 3))
    assert found["a"][1:] == found["b"][1:] == (1, 2)


@pytest.mark.parametrize("points", [(1.0, 3.0), (1.0, 2.0, 6.0), (4.0, 4.5, 7.0, 1.0, 2.0)])
def test_drawn_seeds_have_the_variance_of_a_mean_over_seeds(points: tuple[float, ...]) -> None:
    found = over_seeds({seed: Drawn(value, np.full(40_000, value)) for seed, value in enumerate(points, 1)})
    assert found.points == pytest.approx(np.mean(points))
    assert found.draws.var() == pytest.approx(np.var(points, ddof=1) / len(points), rel=0.05)
    assert found.draws.mean() == pytest.approx(np.mean(points), rel=0.02)


def test_one_seed_has_the_draws_of_pairs_and_equal_seeds_are_drawn_together() -> None:
    one = drawn(5, 1)
    assert np.array_equal(over_seeds({3: one}).draws, one.draws)
    first = {1: drawn(5, 1, 1), 2: drawn(9, 1, 2)}
    second = {seed: number + 2.0 for seed, number in first.items()}
    assert np.allclose((over_seeds(second) - over_seeds(first)).draws, 2)


def test_ranking_beside_print_is_spearmans_and_its_draws_move_the_measured_side() -> None:
    from scipy.stats import spearmanr

    found = {
        name: drawn(value, 2, i) for i, (name, value) in enumerate({"a": 3, "b": 9, "c": 4, "d": 1, "e": 5}.items())
    }
    printed = {"a": 70.0, "b": 80.0, "c": 75.0, "d": 75.0, "missing": 1.0}
    ranking = beside_print(found, printed)
    both = ["a", "b", "c", "d"]
    wanted = [printed[name] for name in both]
    assert ranking.points == pytest.approx(100 * spearmanr([found[n].points for n in both], wanted).statistic)
    assert ranking.draws[7] == pytest.approx(100 * spearmanr([found[n].draws[7] for n in both], wanted).statistic)
    assert beside_print(found, {"a": 1.0, "b": 2.0}) is None and beside_print(found, dict.fromkeys("abc", 1.0)) is None


# -- the record --------------------------------------------------------------------------------------------------


def by_name(found) -> dict[tuple[str, int | None], object]:
    assert len({(m.name, m.seed) for m in found}) == len(found), "a thing said twice"
    return {(m.name, m.seed): m for m in found}


def test_metrics_say_what_the_cells_left() -> None:
    results = made_up_race.results({"simcse": 2.0, "esimcse": 1.0, "jtcse": 9.0})
    found = by_name(record.metrics(results, SMALL))
    scores = [average(one.scores).points for one in results if one.system == "esimcse"]
    assert [found["race/esimcse/average", seed].value for seed in (1, 2)] == pytest.approx(scores)
    mean = found["race/esimcse/average", None]
    assert mean.value == pytest.approx(np.mean(scores)) and mean.low < mean.value < mean.high and mean.n == 240
    tasks = [found[f"race/esimcse/{task}", None].value for task in made_up_race.TASKS]
    assert np.mean(tasks) == pytest.approx(mean.value)
    assert [found[f"race/{name}/rank", None].value for name in ("esimcse", "simcse", "jtcse")] == [1, 2, 3]
    assert found["race/jtcse/rank", None].low == found["race/jtcse/rank", None].high == 3
    told = {what: found[f"race/simcse/{what}", None] for what in ("start", "dev", "minutes", "memory", "rate", "steps")}
    assert {what: m.value for what, m in told.items()} == {
        "start": 30, "dev": 42.5, "minutes": 1.5, "memory": 502, "rate": 1e-3, "steps": 4
    }  # fmt: skip
    assert told["minutes"].unit == "minutes" and told["memory"].unit == "MiB"
    assert found["race/simcse/dev/0", None].value == 30 and found["race/simcse/dev/4", None].value == 42.5
    assert found[RANKING, None].n == 3 and -100 <= found[RANKING, None].low <= found[RANKING, None].high <= 100


def test_rows_of_table_1_speak_under_their_ids_and_beside_simcse() -> None:
    found = by_name(record.metrics(made_up_race.results({"simcse": 2.0, "esimcse": 0.5}), SMALL))
    pair = "table1/BERT-base/ESimCSE/7Avg>table1/BERT-base/SimCSE/7Avg"
    assert found[pair, None].low > 0, "a quarter of the noise"
    for seed in (1, 2, None):
        mine, other = (found[f"table1/BERT-base/{row}/7Avg", seed].value for row in ("ESimCSE", "SimCSE"))
        assert found[pair, seed].value == pytest.approx(mine - other)
    assert not [name for name, _ in found if name.startswith("table1/") and not name.endswith("/7Avg")]
    assert not list(filter(None, (_fault(name) for name, _ in found)))


def test_real_tasks_have_their_columns_of_table_1() -> None:
    found = by_name(record.metrics(made_up_race.results({"simcse": 2.0, "esimcse": 1.0}, tasks=TASKS), REAL))
    names = {name for name, seed in found if seed is None and name.startswith("table1/BERT-base/ESimCSE/")}
    assert len(names) == 16, "seven tasks and their average, each alone and beside SimCSE"
    assert not list(filter(None, (_fault(name) for name in names)))


def test_a_system_without_a_seed_of_the_others_is_compared_where_both_have_one() -> None:
    results = [*made_up_race.results({"simcse": 2.0}), made_up_race.result("esimcse", 2, 1.0)]
    found = by_name(record.metrics(results, SMALL))
    pair = "table1/BERT-base/ESimCSE/7Avg>table1/BERT-base/SimCSE/7Avg"
    assert (pair, 1) not in found and found[pair, None].value == found[pair, 2].value


def test_steps_and_minutes_in_all_are_those_of_a_system_and_of_what_it_is_made_from() -> None:
    towers = [made_up_race.result("simcse", 1, 1.0, steps=10 + i).story for i in range(6)]
    whole = replace(made_up_race.result("edfse", 1, 1.0, steps=0), parts=towers)
    found = by_name(record.metrics([whole, made_up_race.result("simcse", 1, 1.0, steps=5)], SMALL))
    assert (
        found["race/edfse/all_steps", None].value == sum(range(10, 16)) and found["race/edfse/steps", None].value == 0
    )
    assert found["race/simcse/all_steps", None].value == 5
    own, every = (found[f"race/edfse/{name}minutes", None].value for name in ("", "all_"))
    assert every == pytest.approx(own + sum(one.seconds for one in towers) / 60)


def test_a_system_that_trains_nothing_has_no_learning_rate() -> None:
    results = [made_up_race.result("simcse", 1, 1.0, steps=0)]
    found = by_name(record.metrics(results, SMALL))
    assert ("race/simcse/rate", None) not in found and found["race/simcse/steps", None].value == 0
    assert (RANKING, None) not in found, "one system has no ranking"


# -- who takes part ----------------------------------------------------------------------------------------------


def test_members_come_behind_what_they_need_and_the_others_say_why() -> None:
    able, skipped = members(RUN)
    assert REFERENCE in able and not set(able) & set(skipped)
    for name in able:
        assert all(able.index(need) < able.index(name) for need in fragment(name).needs), name
    assert all(skipped.values())


def test_a_missing_package_is_named_and_what_needs_the_system_is_skipped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    card = next(one for one in cards() if one.name == REFERENCE)
    head = card.head.model_copy(update={"requires": ["no_such_package"]})
    broken = type(card)(card.name, head, card.prose)
    monkeypatch.setattr("jtcse.experiments.race.members.card", lambda name: broken)
    able, skipped = members(RUN)
    assert not able and "no_such_package" in skipped[REFERENCE]


def test_a_system_that_the_settings_do_not_fit_is_skipped_with_the_reason() -> None:
    wild = load_settings("embedded", {"race.rates": [1.0]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "jtcse.experiments.trained_systems.tries", lambda run, name, changes: {2.0: {"learning_rate": 2.0}}
        )
        able, skipped = members(Run("race", "embedded", wild, Workspace("nowhere")))
    assert not able and "learning_rate" in skipped[REFERENCE] and "found 2.0" in skipped[REFERENCE]


def test_asked_systems_bring_what_they_need_and_the_reference() -> None:
    assert chosen(RUN, [REFERENCE])[0] == [REFERENCE]
    with_needs = next((name for name in members(RUN)[0] if fragment(name).needs), REFERENCE)
    assert set(chosen(RUN, [with_needs])[0]) == {*in_order([with_needs]), REFERENCE}
    with pytest.raises(UserError, match="simcse"):
        chosen(RUN, ["simcze"])


def test_no_two_systems_are_the_same_row_of_table_1() -> None:
    for backbone in ("bert", "roberta"):
        rows = [card.head.row[backbone] for card in cards() if backbone in card.head.row]
        assert len(set(rows)) == len(rows)
    assert printed_averages(["simcse", "gone"], SMALL) == {"simcse": 76.25}


# -- cells -------------------------------------------------------------------------------------------------------

TUNED = {"race.rates": [1e-3, 2e-3], "race.seeds": [1]}


def test_what_a_version_before_left_is_not_taken_for_done_and_stops_nothing(tmp_path: Path) -> None:
    run = zoo.a_run(tmp_path, TUNED)
    for place in ("race/simcse/rate-0123", "race/simcse/1-0123", "systems/simcse/0123", "systems/simcse/0123/training"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "cell.json").write_text('{"system": "simcse", "seed": 1, "seconds": 1.0}')
    assert not any(cells.is_done(run, cell) for cell in cells.cells_of(run, ["simcse"], [1]))
    assert record.finished(run) == ([], []) and record.write(run) is None


def test_cells_of_the_paper_scale_have_no_choice_of_rates(tmp_path: Path) -> None:
    found = cells.cells_of(zoo.a_run(tmp_path, TUNED), ["simcse"], [1, 2])
    assert found == [Cell("simcse", TUNING_SEED), Cell("simcse", 1), Cell("simcse", 2)]
    assert cells.cells_of(zoo.a_run(tmp_path), ["simcse"], [1]) == [Cell("simcse", 1)], "one rate is no choice"


# -- bad input ---------------------------------------------------------------------------------------------------


def test_bad_words_and_an_empty_workspace_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="whole numbers"):
        cli_race.race(seeds="1,b", profile="embedded", workdir=tmp_path)
    with pytest.raises(UserError, match="did you mean 'simcse'"):
        cli_race.race(systems="simcze", profile="embedded", workdir=tmp_path)
    with pytest.raises(UserError, match="make it first: jtcse reproduce --only"):
        cli_race.race(systems="simcse", profile="embedded", workdir=tmp_path)


def test_help_has_examples() -> None:
    from typer.testing import CliRunner

    from jtcse.cli import app

    said = CliRunner().invoke(app, ["race", "--help"], env={"COLUMNS": "160"}).output
    assert "jtcse race --plan" in said and "--full" in CliRunner().invoke(app, ["reproduce", "--help"]).output
