"""The grids as data: every printed id has a cell or a reason, every cell has valid settings, metrics carry the ids."""

from __future__ import annotations

import numpy as np
import pytest

from jtcse.core.config import Settings, load_settings, profiles
from jtcse.core.errors import UserError
from jtcse.evaluation.statistics.resampled import Drawn, mean, smallest, together
from jtcse.evaluation.statistics.spearman import paired_average_difference
from jtcse.evaluation.sts import TaskScore, average
from jtcse.experiments.ablations.claim_effects import boundary, claims
from jtcse.experiments.ablations.effects import Grid, named
from jtcse.experiments.ablations.grids import PLACES, Cell, absent, grid, other_backbone, other_first_layer, seeds
from jtcse.experiments.ablations.train_cell import turned
from jtcse.pages import ablations as ablation_pages
from jtcse.paper.printed import printed, values

TABLES = [place for place in PLACES if place.startswith("table")]


@pytest.fixture(params=profiles())
def settings(request: pytest.FixtureRequest) -> Settings:
    return load_settings(request.param)


@pytest.mark.parametrize("place", TABLES)
def test_every_printed_id_has_a_cell_or_a_reason(place: str, settings: Settings) -> None:
    ids = set() if other_backbone(settings) else {cell.id for cell in grid(place, settings)}
    gains = {id.replace("+SICKR", "Gain") for id in ids if "+SICKR" in id}
    reasons = absent(place, settings)
    assert ids | gains | set(reasons) == set(values().query("place == @place").index)
    assert not (ids | gains) & set(reasons) and all(reasons.values())


@pytest.mark.parametrize("place", PLACES)
def test_every_cell_has_valid_settings_and_a_reference_in_its_grid(place: str, settings: Settings) -> None:
    cells = grid(place, settings)
    ids = [cell.id for cell in cells]
    assert len(set(ids)) == len(ids)
    for cell in cells:
        chosen = turned(settings, cell)  # validates
        assert chosen.stage2.steps == (settings.ablations.steps or settings.stage2.steps)
        assert cell.reference is None or (cell.reference in ids and cell.reference != cell.id)


def test_the_paper_profile_trains_every_row_of_tables_9_and_10() -> None:
    paper = load_settings("paper_bert")
    assert absent("table9", paper) == absent("table10", paper) == {}
    assert len(seeds("figure8", paper)) == 5 and len(grid("figure8", paper)) == 14


def test_cross_attention_keeps_the_distance_between_its_layers() -> None:
    cells = {depth: grid("table9", load_settings("embedded"), depth) for depth in (4, 6, 12)}
    counts = {d: {c.id.split("/")[1]: c.overrides["stage2.cael_count"] for c in some[:-1]} for d, some in cells.items()}
    assert counts[4] == {"3": 1, "6": 2, "12": 4} and counts[6] == {"2": 1, "4": 2, "6": 3, "12": 6}
    assert counts[12] == {str(n): n for n in (1, 2, 3, 4, 6, 12)}


def test_the_grids_of_a_roberta_answer_for_no_printed_id() -> None:
    roberta, cells = load_settings("paper_roberta"), grid("table10", load_settings("paper_bert"))
    found = made_up(cells, {cell.id: printed(cell.id) for cell in cells}, "table10")
    names = {m.name for m in named(found.metrics() + claims(found), roberta)}
    assert len(absent("table10", roberta)) == 8 and all(name.startswith("other backbone/") for name in names)
    assert (
        not any(">" in name for name in names) and named(found.metrics(), load_settings("embedded")) == found.metrics()
    )


def test_subsets_that_do_not_read_the_cross_stream_do_without_it() -> None:
    settings = load_settings("embedded")
    streams = {c.id.split("/")[1]: turned(settings, c).stage2.cross_stream for c in grid("table10", settings)[1:]}
    assert {name for name, stream in streams.items() if stream == "none"} == {"NCE", "ICTM", "NCE+ICTM"}
    fed = load_settings("embedded", {"stage2.cross_stream": "fed"})  # this reading changes the towers' own states
    assert {turned(fed, c).stage2.cross_stream for c in grid("table10", fed)[1:]} == {"fed"}


def test_an_unknown_place_is_a_sentence() -> None:
    with pytest.raises(UserError, match="table10"):
        grid("table1O", load_settings("embedded"))


# -- metrics ---------------------------------------------------------------------------------------------------


def made_up(cells: list[Cell], points: dict[str, float], place: str) -> Grid:
    """A grid with the given averages at two seeds and draws that lie closely around them."""
    noise = np.random.default_rng(0).normal(0, 1e-3, 50)
    members = [(cell.id, seed) for cell in cells for seed in ((1, 2) if cell.seeded else (None,))]
    return Grid(
        place, cells, {m: Drawn(points[m[0]], points[m[0]] + noise * (i + 1)) for i, m in enumerate(members)}, 7
    )


@pytest.mark.parametrize("place", TABLES)
def test_what_the_paper_printed_supports_what_it_says(place: str) -> None:
    cells = grid(place, load_settings("paper_bert"))
    found = claims(made_up(cells, {cell.id: printed(cell.id) for cell in cells}, place))
    effects = {m.name: m.low for m in found if m.name.startswith("claim/")}
    assert set(effects) == {f"claim/{number}" for number in ablation_pages.CLAIMS[place]}
    assert all(low > 0 for low in effects.values()), effects


def test_claims_turn_against_a_table_that_says_the_opposite() -> None:
    cells = grid("table10", load_settings("paper_bert"))
    upside_down = made_up(cells, {c.id: 150 - printed(c.id) for c in cells}, "table10")
    effects = {m.name: m.high for m in claims(upside_down) if m.seed is None}
    assert all(effects[f"claim/{number}"] < 0 for number in ("C31", "C41", "C42", "C43"))


@pytest.mark.parametrize("place", TABLES)
def test_metrics_carry_the_printed_ids_by_seed_and_as_a_mean(place: str) -> None:
    cells = grid(place, load_settings("paper_bert"))
    found = made_up(cells, {cell.id: printed(cell.id) for cell in cells}, place).metrics()
    for cell in cells:
        assert [m.seed for m in found if m.name == cell.id] == ([1, 2, None] if cell.seeded else [None])
        if cell.reference:
            (difference,) = (m for m in found if m.name == f"{cell.id}>{cell.reference}" and m.seed is None)
            assert difference.value == pytest.approx(printed(cell.id) - printed(cell.reference))
            assert difference.low <= difference.value <= difference.high


def test_the_second_reading_of_the_first_layer_has_no_printed_id() -> None:
    assert not {cell.id for cell in other_first_layer()} & set(values().index)
    assert {cell.pooling for cell in other_first_layer()} == {"first_last_1"}
    assert {cell.reference for cell in other_first_layer()} <= set(values().index)


def test_the_line_between_gain_and_none_lies_between_the_printed_gains() -> None:
    gains = {n: printed(f"table10/{n}") - printed("table10/none") for n in ("ICNCE", "NCE+ICTM")}
    assert gains["ICNCE"] < boundary() < gains["NCE+ICTM"]


def test_three_times_the_deviation_over_two_seeds_settles_nothing() -> None:
    cells = grid("figure6", load_settings("embedded"))
    found = made_up(cells, {cell.id: 50.0 for cell in cells}, "figure6")
    values = {
        (id, seed): Drawn(50 + (seed - 1) * (9 if "Sim" in id else 3), d.draws) for (id, seed), d in found.found.items()
    }
    (claim,) = (m for m in claims(Grid("figure6", cells, values, 7)) if m.name == "claim/C34")
    assert claim.value == pytest.approx(np.log(3)) and claim.low < 0 < claim.high


# -- resampling together ---------------------------------------------------------------------------------------


@pytest.fixture
def systems() -> dict[str, dict[str, TaskScore]]:
    rng = np.random.default_rng(1)
    golds = {task: rng.normal(size=80) for task in ("a", "b")}
    return {
        name: {t: TaskScore(t, 0, 80, 0, 0, gold + rng.normal(size=80), gold) for t, gold in golds.items()}
        for name in "xyz"
    }


def test_together_gives_the_intervals_that_each_comparison_alone_gives(systems) -> None:
    found = together({(name, None): by_task for name, by_task in systems.items()}, 400, 5)
    alone = average(systems["x"], resamples=400, seed=5)
    assert found["x", None].estimate() == pytest.approx(alone)
    tasks = [(systems["x"][t].similarity, systems["y"][t].similarity, systems["x"][t].gold) for t in "ab"]
    paired = paired_average_difference(tasks, resamples=400, seed=5)
    assert (found["x", None] - found["y", None]).estimate() == pytest.approx(paired)


def test_the_smallest_is_never_above_the_mean(systems) -> None:
    numbers = list(together({(n, None): s for n, s in systems.items()}, 100, 0).values())
    assert smallest(numbers).points <= mean(numbers).points and (smallest(numbers).draws <= mean(numbers).draws).all()
