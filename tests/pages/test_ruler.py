"""The ruler's page: printed differences come from the paper's data, marks from scores, seeds from records."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="Matplotlib comes with the extra 'book'")
pandas = pytest.importorskip("pandas")
pytest.importorskip("seaborn")

from jtcse.core.config import load_settings  # noqa: E402
from jtcse.core.record import Metric, Provenance, RunRecord  # noqa: E402
from jtcse.core.run import start  # noqa: E402
from jtcse.evaluation.statistics.comparison import compare_all  # noqa: E402
from jtcse.evaluation.sts import TaskScore, save_scores  # noqa: E402
from jtcse.experiments.stages import NAMES, SYSTEMS  # noqa: E402
from jtcse.pages import ruler  # noqa: E402
from jtcse.pages.furniture import style  # noqa: E402
from jtcse.pages.plots import ruler as plotting_ruler  # noqa: E402
from jtcse.pages.seed_spread import pooled_sd, seed_differences  # noqa: E402
from jtcse.paper.printed import printed  # noqa: E402

TASKS = ("STS12", "STS-B", "SICK-R")


@pytest.fixture(scope="module")
def scores() -> dict[str, dict[str, TaskScore]]:
    rng = np.random.default_rng(33)
    found: dict[str, dict[str, TaskScore]] = {system: {} for system in SYSTEMS}
    for task in TASKS:
        gold, shared = rng.normal(size=(2, 200))
        for number, system in enumerate(SYSTEMS):
            similarity = gold + shared + 0.1 * (number + 1) * rng.normal(size=200)
            found[system][task] = TaskScore(task, 50.0, 200, 40.0, 60.0, similarity, gold)
    return found


@pytest.fixture(scope="module")
def comparisons(scores) -> pandas.DataFrame:
    return compare_all(scores, ruler.all_pairs(), resamples=200)


def test_every_two_systems_are_compared_once_and_claims_keep_their_direction() -> None:
    pairs = ruler.all_pairs()
    assert len({frozenset(pair) for pair in pairs}) == len(pairs) == 15
    assert set(ruler.COMPARISONS) <= set(pairs) and ruler.TRAININGS in pairs


def test_marks_span_the_pairs_of_systems(comparisons) -> None:
    marks = ruler.marks(comparisons)
    assert list(marks.index) == [*TASKS, "average"] and marks["n"].tolist() == [200, 200, 200, 600]
    assert (marks["lowest"] < marks["median"]).all() and (marks["median"] < marks["highest"]).all()
    assert marks.loc["SICK-R", "towers"] == comparisons.loc[(*ruler.TRAININGS, "SICK-R"), "mdd"]
    assert marks.loc["average", "highest"] < marks["highest"][:3].min(), "the average is surer than each task"


def test_the_two_differences_of_the_page_are_among_the_printed_steps() -> None:
    steps = ruler.printed_steps().set_index(["first", "second"])
    for number, pair in enumerate(ruler.NAMED):
        assert (
            steps.loc[pair, "step"]
            == pytest.approx(ruler.wanted(number))
            == pytest.approx(printed(pair[0]) - printed(pair[1]))
        )
    assert steps["step"].abs().max() < 20 and len(steps) > 40
    assert not steps.index.duplicated().any()


def test_neighbours_are_of_one_block() -> None:
    steps = ruler.printed_steps()
    parts = [[id.split("/")[:-2] for id in ids] for ids in (steps["first"], steps["second"])]
    assert parts[0] == parts[1], "one table, one backbone"
    words = set(steps["words"])
    assert "JTCSE − TNCSE" in words and "JTCSE_UC − TNCSE_UC" in words and "3 CAELs − 2 CAELs" in words
    assert "EDFSE_D − JTCSE" not in words, "a distilled model does not follow on a twin"


def test_a_difference_is_placed_by_its_size() -> None:
    mark = pandas.Series({"lowest": 0.1, "highest": 0.5})
    assert ruler.placed([0.09, -0.1, 0.49, -0.5], mark) == [ruler.TOO_SMALL, ruler.DEPENDS, ruler.DEPENDS, ruler.LARGE]


def test_printed_differences_stand_beside_their_own_task(comparisons) -> None:
    steps = ruler.task_steps(ruler.marks(comparisons)).set_index(["task", "backbone"])["step"]
    assert len(steps) == 2 * 4
    expected = printed("table1/RoBERTa-base/JTCSE/STSB") - printed("table1/RoBERTa-base/TNCSE/STSB")
    assert steps["STS-B", "RoBERTa-base"] == pytest.approx(expected)


def test_a_star_stands_only_where_the_corrected_p_is_small(comparisons) -> None:
    table = ruler.differences_table(comparisons)
    assert list(table.index) == [*TASKS, "average"] and table.shape[1] == 15
    for (first, second, task), row in comparisons.iterrows():
        words = table.loc[task, f"{NAMES[first]} − {NAMES[second]}"]
        p = row["p_bootstrap"] if task == "average" else row["p_holm"]
        assert words.endswith(" *") == (p < 0.05) and words.startswith(f"{row['difference']:+.2f} (")


def test_very_small_p_values_are_not_shown_as_zero(comparisons) -> None:
    shown = ruler.named(comparisons.assign(p_williams=1e-9))
    assert set(shown["p_williams"]) == {"below 0.0001"}
    assert (shown.loc[shown["task"] == "average", "p_holm"] == "–").all()


def test_every_number_of_the_page_becomes_a_metric_of_its_own_name(comparisons) -> None:
    marks = ruler.marks(comparisons)
    metrics = {metric.name: metric for metric in ruler.metrics(comparisons, marks, 900, 0.1, 8)}
    assert metrics["mdd/STS12"].value == marks.loc["STS12", "towers"]
    assert metrics["mdd/average/lowest"].value <= metrics["mdd/average"].value <= metrics["mdd/average/highest"].value
    assert (metrics["needed/pairs"].value, metrics["needed/seeds"].value, metrics["seeds/sd"].value) == (900, 8, 0.1)
    assert metrics["compared/jtcse-sum/STS-B/p_holm"].unit == "probability"
    assert len(metrics) == 3 + 4 * 3 + 15 * (3 * 4 + 2)
    assert "needed/seeds" not in {metric.name for metric in ruler.metrics(comparisons, marks, 900, None, None)}


def test_figures_are_drawn_and_narrow_enough_for_a_phone(comparisons) -> None:
    marks, steps = ruler.marks(comparisons), ruler.printed_steps()
    for figure in (
        plotting_ruler.ruler(marks, ruler.printed_points(marks)),
        plotting_ruler.steps(steps, 0.1, 0.7),
        plotting_ruler.alike(comparisons),
    ):
        assert figure.get_figwidth() == style.WIDTH and style.picture(figure, "x").startswith('<img alt="x"')


def test_scores_of_all_systems_are_read_from_the_workspace(scores, tmp_path) -> None:
    run = start("ruler", "embedded", tmp_path)
    for system, by_task in scores.items():
        save_scores(run.workspace.scores / f"{system}.npz", by_task)
    read = ruler.system_scores(run)
    assert list(read) == list(SYSTEMS)
    np.testing.assert_array_equal(read["sum"]["STS12"].similarity, scores["sum"]["STS12"].similarity)


# -- seeds -----------------------------------------------------------------------------------------


def record(values: dict[str, list[float]], *more: Metric) -> RunRecord:
    made = Provenance(
        commit=None, dirty=None, started="2026-01-01", seconds=1, peak_memory_mib=1, device="cpu", machine="x",
        threads=1, versions={}, hashes={},
    )  # fmt: skip
    metrics = [Metric(name=n, value=v, n=10, seed=seed) for n, row in values.items() for seed, v in enumerate(row)]
    return RunRecord(run="table10", profile="embedded", settings={}, metrics=[*metrics, *more], provenance=made)


def test_differences_over_seeds_pair_the_same_seed() -> None:
    rows = {"table10/none": [70.0, 71.0, 72.0], "table10/NCE": [70.5, 71.1, 72.3], "table10/ICTM": [60.0]}
    over = Metric(name="table10/NCE>table10/none", value=0.3, n=10, low=0.3 - 1.96, high=0.3 + 1.96)
    (row,) = seed_differences([record(rows, over)]).to_dict("records")
    assert (row["first"], row["second"], row["seeds"]) == ("table10/NCE", "table10/none", 3)
    assert (row["mean"], row["sd"], row["pair_se"]) == pytest.approx((0.3, 0.2, 1.0))


def test_a_recorded_difference_that_is_no_neighbour_counts_too() -> None:
    rows = {"table10/none": [70.0, 71.0], "table10/ICTM": [72.0, 71.0]}
    assert seed_differences([record(rows)]).empty
    over = Metric(name="table10/ICTM>table10/none", value=1.0, n=10)
    (row,) = seed_differences([record(rows, over)]).to_dict("records")
    assert row["sd"] == pytest.approx(np.sqrt(2)) and np.isnan(row["pair_se"])


def test_deviations_are_pooled_by_their_degrees_of_freedom() -> None:
    frame = pandas.DataFrame({"seeds": [2, 4], "sd": [2.0, 1.0]})
    assert pooled_sd(frame) == pytest.approx(np.sqrt((1 * 4 + 3 * 1) / 4))


def test_the_page_says_what_it_knows_of_seeds_and_of_pairs() -> None:
    assert ruler.seed_words(None, None, 0)["seeds_run"] == "Not run for this profile."
    assert "takes 8 seeds" in ruler.seed_words(0.1, 8, 7)["seeds_needed"]
    assert "more than a thousand seeds" in ruler.seed_words(9.0, None, 7)["seeds_needed"]
    embedded, mini = (ruler.whose_pairs(load_settings(profile)) for profile in ("embedded", "mini"))
    assert "generated" in embedded and "generated" not in mini
