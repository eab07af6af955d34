"""The audit: each rule fires where it must and not where it must not; a broken average is caught wherever it is."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jtcse.paper import audit
from jtcse.paper.audit import arithmetic, cells, claim_judges, claims, finding, judging, metrics
from jtcse.paper.places import STS3, STS7
from jtcse.paper.printed import DASH, laid_out, models, values
from jtcse.paper.printed import claims as printed_claims

PAPER = values()
MARGINS = audit.margins(PAPER)
CELLS = dict(arithmetic._averaged(PAPER))
FOUND = audit.findings()


def made(texts: Mapping[str, str], **others: Mapping[str, str]) -> pd.DataFrame:
    """A small frame: text by id; other columns by keyword, by id (status is printed unless said)."""
    raw = pd.DataFrame({"id": list(texts), "text": list(texts.values())})
    for name in ("status", "readme", "mark", "source", "note"):
        default = "printed" if name == "status" else ""
        raw[name] = [others.get(name, {}).get(id, default) for id in texts]
    return laid_out(raw)


def row(model: str, tasks: tuple[str, ...], texts: str, backbone: str = "BERT-base") -> dict[str, str]:
    return {f"table1/{backbone}/{model}/{task}": text for task, text in zip(tasks, texts.split(), strict=True)}


def edited(id: str, value: float) -> pd.DataFrame:
    """The paper with one number changed, to the same number of decimals."""
    frame = PAPER.copy()
    text = f"{value:.{len(frame.text[id].partition('.')[2])}f}"
    frame.loc[id, ["text", "value"]] = text, float(text)
    return frame


def contradicted(frame: pd.DataFrame) -> set[str]:
    return {one.ids[0] for one in arithmetic.averages(frame).findings if one.strength == "contradiction"}


def strengths(result: finding.Result) -> list[str]:
    return [one.strength for one in result.findings]


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_edit_that_breaks_an_average_is_caught_and_one_within_rounding_is_not(data: st.DataObject) -> None:
    average = data.draw(st.sampled_from(sorted(MARGINS.index)))
    place = data.draw(st.sampled_from([average, *CELLS[average]]))
    share = -1 if place == average else 1 / len(CELLS[average])
    before, allowed = MARGINS.loc[average, "printed"] - MARGINS.loc[average, "mean"], MARGINS.loc[average, "allowed"]
    step = data.draw(st.integers(-400, 400)) / 100
    if not 0 <= PAPER.value[place] + step <= 100:
        step = -step
    frame = edited(place, PAPER.value[place] + step)
    after = abs(before - share * step)
    if abs(after - allowed) > 1e-6:  # at the very edge either answer is right
        assert (average in contradicted(frame)) == (after > allowed)


@pytest.mark.parametrize("average", ["table1/BERT-base/JTCSE/7Avg", "table2/45 Avg. Acc/TNCSE", "table6/45 Avg./JTCSE"])
def test_the_smallest_step_that_rounding_cannot_explain_is_caught(average: str) -> None:
    before, allowed = MARGINS.loc[average, "printed"] - MARGINS.loc[average, "mean"], MARGINS.loc[average, "allowed"]
    steps = [step for step in range(1, 10) if before + step / 100 > allowed]
    assert average in contradicted(edited(average, PAPER.value[average] + steps[0] / 100))
    if steps[0] > 1:
        assert average not in contradicted(edited(average, PAPER.value[average] + (steps[0] - 1) / 100))


def test_the_known_slips_are_found_by_rule_with_their_size() -> None:
    off = {one.ids[0]: (one.strength, one.numbers["off"]) for one in FOUND if one.rule == "average"}
    assert off["table1/RoBERTa-base/JTCSE/7Avg"] == ("contradiction", pytest.approx(0.093, abs=0.001))
    assert off["table1/BERT-base/SBERT-base(Sup)/7Avg"] == ("contradiction", pytest.approx(0.03, abs=0.001))
    assert off["table1/BERT-base/PromptBERT/7Avg"] == ("contradiction", pytest.approx(0.017, abs=0.001))
    assert off["table1/RoBERTa-base/JTCSE_UC/7Avg"] == ("tension", pytest.approx(0.006, abs=0.001))
    (worst,) = [one for one in FOUND if one.ids[0] == "table1/RoBERTa-base/JTCSE/7Avg"]
    assert "79.94" in worst.sentence and "79.85" in f"{worst.numbers['mean']:.2f}" and "TNCSE_D" in worst.sentence


def test_a_repaired_slip_is_no_finding() -> None:
    frame = edited("table1/RoBERTa-base/JTCSE/7Avg", 79.85)
    assert "table1/RoBERTa-base/JTCSE/7Avg" in contradicted(PAPER) - contradicted(frame)


def test_averages_are_judged_by_intervals() -> None:
    good = made(row("X", STS3, "70.00 71.00 72.00") | {"table1/BERT-base/X/3Avg": "71.00"})
    wide = made(row("X", STS3, "70 71 72") | {"table1/BERT-base/X/3Avg": "71.49"})
    wrong = made(row("X", STS3, "70.00 71.00 72.00") | {"table1/BERT-base/X/3Avg": "71.02"})
    assert strengths(arithmetic.averages(good)) == []
    assert strengths(arithmetic.averages(wide)) == ["note"], "whole numbers allow half a point"
    assert strengths(arithmetic.averages(wrong)) == ["contradiction"]


def test_the_authors_own_averages_are_of_rounded_cells() -> None:
    texts = row("X", STS7, "70.00 70.00 70.00 70.00 70.00 70.00 70.03") | {"table1/BERT-base/X/7Avg": "70.01"}
    own = made(texts, source={"table1/BERT-base/X/7Avg": "own run"})
    assert strengths(arithmetic.averages(made(texts))) == ["note"]
    assert strengths(arithmetic.averages(own)) == ["tension"]


def test_an_average_with_a_dash_among_its_cells_is_not_tested() -> None:
    frame = made(row("X", STS3, f"70.00 71.00 {DASH}") | {"table1/BERT-base/X/3Avg": "90.00"})
    assert arithmetic.averages(frame) == finding.Result()


@pytest.mark.parametrize(("gain", "expected"), [("1.6", []), ("1.7", []), ("1.8", ["contradiction"])])
def test_gains_follow_from_the_rows_above(gain: str, expected: list[str]) -> None:
    texts = {"table8/Wiki1M/X": "74.3", "table8/+SICKR/X": "75.9", "table8/Gain/X": gain}
    assert strengths(arithmetic.derived(made(texts))) == expected


def test_what_was_filled_in_by_us_yields_notes_only() -> None:
    texts = {"table7/JTCSE-BERT/sts7": "79.70", "table7/JTCSE-BERT/gmac": "10.90", "table7/JTCSE-BERT/eta": "7.500"}
    assert strengths(arithmetic.derived(made(texts))) == ["contradiction"]
    assert strengths(arithmetic.derived(made(texts, status={"table7/JTCSE-BERT/eta": "inferred"}))) == ["note"]
    right = made(texts | {"table7/JTCSE-BERT/eta": "7.312"})
    assert arithmetic.derived(right).examined == 1 and strengths(arithmetic.derived(right)) == []


@pytest.mark.parametrize(("cost", "expected"), [("10.90", []), ("10.95", ["contradiction"])])
def test_costs_are_multiples_of_a_tower(cost: str, expected: list[str]) -> None:
    frame = made({"table7/JTCSE_D-BERT/gmac": "5.45", "table7/JTCSE-BERT/gmac": cost})
    assert strengths(arithmetic.derived(frame)) == expected


def test_a_quantity_printed_twice_may_differ_by_rounding_only() -> None:
    table1 = {"table1/BERT-base/JTCSE/7Avg": "79.70", "table1/BERT-base/BERT-base/7Avg": "56.70"}
    same = made(table1 | {"table9/6": "79.7", "table11/CLS/JTCSE": "79.7", "figure7/BERT": "56.70"})
    assert arithmetic.twice(same).examined == 3 and strengths(arithmetic.twice(same)) == []
    other = made(table1 | {"table9/6": "79.58", "table11/CLS/JTCSE": "79.8"})
    assert sorted(strengths(arithmetic.twice(other))) == ["contradiction", "tension"]


def test_print_and_readme_are_compared() -> None:
    id = "table2/Scala/TNCSE"
    assert strengths(arithmetic.twice(made({id: "50.10"}, readme={id: "50.10"}))) == []
    assert strengths(arithmetic.twice(made({id: "50.10"}, readme={id: "50.20"}))) == ["contradiction"]
    from_readme = made({id: "50.10"}, readme={id: "50.20"}, status={id: "readme"})
    assert arithmetic.twice(from_readme).examined == 0, "what was taken from the README proves nothing about it"


def grid(lines: Mapping[str, str], place: str = "table11") -> pd.DataFrame:
    texts = {name: line.split() for name, line in lines.items()}
    return made({f"{place}/{name}/M{i}": text for name, line in texts.items() for i, text in enumerate(line)})


def test_lines_that_share_many_cells_are_found_and_chance_is_not() -> None:
    different = {"CLS": "76.3 78.3 78.5 78.9 78.8 79.0 78.4 41.1", "Avg": "76.2 77.3 76.5 78.5 75.1 68.9 76.9 66.3"}
    copied = different | {"Pooler": "75.3 67.2 76.5 78.5 75.1 50.7 78.0 22.7"}
    once = different | {"Pooler": "75.3 67.2 78.2 78.5 78.1 50.7 78.0 22.7"}
    (one,) = cells.repeated_lines(grid(copied)).findings
    assert one.strength == "tension" and "Avg and Pooler" in one.sentence and one.numbers["shared"] == 3
    assert cells.repeated_lines(grid(once)).findings == []


def test_lines_that_are_equal_by_definition_are_left_out() -> None:
    lines = {"MAP@1": "7.16 8.43 7.60 6.70", "RECALL@1": "7.16 8.43 7.60 6.70"}
    assert cells.repeated_lines(grid(lines, "table6")).findings == []


def test_a_copied_neighbour_is_told_from_a_chance_meeting() -> None:
    rest = row("A", STS3, "84.1 61.3 84.2") | row("B", STS3, "85.0 61.9 84.9") | row("C", STS3, "86.2 62.8 85.5")
    copied = made(rest | row("X", STS3, "85.88 62.46 62.46"))
    (one,) = cells.copied_cells(copied).findings
    assert one.strength == "tension" and one.ids[1].endswith("X/STSBM")
    assert strengths(cells.copied_cells(made(rest | row("X", STS3, "85.88 62.46 85.10")))) == []
    near = made(row("A", ("STS15", "STS16"), "81.1 81.3") | row("X", ("STS15", "STS16"), "81.28 81.28"))
    assert strengths(cells.copied_cells(near)) == ["note"]


def pair(model: str, stsb: str, stsbm: str) -> dict[str, str]:
    return row(model, ("STSB", "STSBM"), f"{stsb} {stsbm}")


def test_one_set_scored_on_two_splits_is_found() -> None:
    higher = pair("A", "81.00", "84.50") | pair("B", "82.00", "85.10")
    assert strengths(cells.one_set_twice(made(higher))) == [], "all on one split is in order"
    (one,) = cells.one_set_twice(made(higher | pair("C", "83.02", "83.01"))).findings
    assert one.rule == "mixed splits" and one.strength == "tension" and "C on BERT-base" in one.sentence
    (two,) = cells.one_set_twice(made(higher | pair("D", "81.60", "43.75"))).findings
    assert two.rule == "one set, two scores"


def test_one_score_for_two_systems_is_a_note_with_what_chance_brings() -> None:
    table1 = {"table1/BERT-base/TNCSE/7Avg": "79.58", "table1/BERT-base/JTCSE/7Avg": "79.70"}
    same = made(table1 | {"table9/none": "79.58", "table9/6": "79.70"})
    (one,) = cells.one_score_for_two(same).findings
    assert one.strength == "note" and one.ids == ("table9/none", "table1/BERT-base/TNCSE/7Avg")
    assert one.numbers["expected_by_chance"] > 0
    assert cells.one_score_for_two(made(table1 | {"table9/none": "79.57"})).findings == []


def table6(**texts: str) -> pd.DataFrame:
    return made({f"table6/{name.replace('_', '@')}/X": text for name, text in texts.items()})


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"MAP_1": "7.16", "RECALL_1": "7.17"}, []),  # rounding
        ({"MAP_1": "7.16", "RECALL_1": "7.18"}, ["tension"]),
        ({"MRR_1": "11.14", "PRECISION_1": "11.18"}, ["tension"]),
        ({"MAP_1": "7.16", "MAP_5": "7.15"}, []),
        ({"MAP_5": "7.16", "MAP_10": "7.10"}, ["contradiction"]),
        ({"RECALL_5": "20.00", "RECALL_10": "19.00"}, ["contradiction"]),
        ({"MRR_5": "20.00", "MRR_10": "19.00"}, ["contradiction"]),
        ({"PRECISION_1": "12.00", "PRECISION_5": "3.00"}, []),
        ({"PRECISION_1": "12.00", "PRECISION_5": "2.30"}, ["contradiction"]),
        ({"MAP_5": "12.00", "RECALL_5": "11.00"}, ["contradiction"]),
        ({"RECALL_5": "31.00", "PRECISION_5": "6.00"}, ["contradiction"]),
        ({"MAP_5": "18.00", "MRR_5": "17.00"}, []),  # possible: later hits may have the higher precision
        ({"NDCG_5": "18.00", "NDCG_10": "17.00"}, []),  # possible: the ideal grows too
        ({"NDCG_1": "12.00", "PRECISION_1": "11.00"}, ["contradiction"]),
    ],
)
def test_retrieval_metrics_that_are_impossible_together(texts: dict[str, str], expected: list[str]) -> None:
    assert strengths(metrics.retrieval(table6(**texts))) == expected


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_ranking_breaks_what_the_rules_call_impossible(data: st.DataObject) -> None:
    """Metrics computed from random rankings, averaged over queries, satisfy every identity and order."""
    names: dict[str, float] = {}
    queries = data.draw(st.lists(st.lists(st.integers(0, 2), min_size=10, max_size=14), min_size=1, max_size=4))
    queries = [[*gains, 1] for gains in queries]  # at least one relevant document, perhaps out of sight
    for gains in queries:
        hits, relevant = [gain > 0 for gain in gains], sum(gain > 0 for gain in gains)
        first = next(rank for rank, hit in enumerate(hits, 1) if hit)
        for k in (1, 5, 10):
            found = {
                "MAP": sum(sum(hits[: i + 1]) / (i + 1) for i in range(k) if hits[i]) / relevant,
                "MRR": 1 / first if first <= k else 0.0,
                "PRECISION": sum(hits[:k]) / k,
                "RECALL": sum(hits[:k]) / relevant,
            }
            for metric, value in found.items():
                names[f"{metric}_{k}"] = names.get(f"{metric}_{k}", 0) + 100 * value / len(queries)
        names["NDCG_1"] = names.get("NDCG_1", 0) + 100 * gains[0] / max(gains) / len(queries)
    result = metrics.retrieval(table6(**{name: f"{value:.2f}" for name, value in names.items()}))
    assert result.findings == [] and result.examined == 22


def test_accuracies_lie_on_the_grid_of_their_runs() -> None:
    (size,) = metrics.sizes().query("task == 'SiswatiNews'").itertuples()
    assert (size.n, size.runs) == (80, 10)
    on, off = f"{100 * 601 / 800:.2f}", f"{100 * 601 / 800 + 0.05:.2f}"
    assert strengths(metrics.granularity(made({"table2/SiswatiNews/X": on}))) == []
    assert strengths(metrics.granularity(made({"table2/SiswatiNews/X": off}))) == ["tension"]


def test_the_grid_of_a_small_correlation_is_that_of_scipy() -> None:
    from itertools import permutations

    from scipy.stats import spearmanr

    seen = {round(float(spearmanr([1, 1, 2, 2, 2], order).statistic), 9) for order in permutations(range(5))}
    assert seen == {round(value, 9) for value in metrics.spearman_grid(5, "2 3")}
    with pytest.raises(ValueError, match="do not make 6 pairs"):
        metrics.spearman_grid(6, "2 3")


def test_a_set_too_small_to_rank_on_is_noted() -> None:
    assert strengths(metrics.coarse(made({"table5/fr-pl/X": "39.44"}))) == ["note"]
    assert strengths(metrics.coarse(made({"table2/SiswatiNews/X": "75.13"}))) == []


def test_marks_stand_on_the_best_and_the_second() -> None:
    ids = [f"table3/T2/M{i}" for i in range(3)]
    texts = dict(zip(ids, ("50.10", "51.20", "50.10"), strict=True))
    assert strengths(claims.marks(made(texts, mark={ids[1]: "best", ids[0]: "second", ids[2]: "second"}))) == []
    assert strengths(claims.marks(made(texts, mark={ids[1]: "best", ids[0]: "second"}))) == ["note"]
    assert "contradiction" in strengths(claims.marks(made(texts, mark={ids[0]: "best"})))


def states(frame: pd.DataFrame) -> dict[str, str]:
    return {one.claim.partition("/")[2]: one.state for one in claims.verdicts(frame)}


STATES = states(PAPER)


def test_every_claim_has_one_state() -> None:
    judged = audit.verdicts()
    assert len(judged) == 50 and len({one.claim for one in judged}) == 50
    assert {one.state for one in judged} <= set(judging.STATES)
    assert all(id in PAPER.index for one in judged for id in one.ids)


def test_every_ranking_is_of_a_claim_and_names_systems_of_table_1() -> None:
    known = {model for _, model in models().index}
    for claim, rule in claim_judges.RANKINGS.items():
        assert f"claim/{claim}" in printed_claims().index
        named = {*rule.get("ours", ()), *(model for pair in rule.get("pairs", []) for model in pair)}
        assert rule.get("ours") == "best" or named <= known, claim
        assert rule.keys() <= {"ours", "groups", "towers", "pairs", "backbones", "columns", "before", "behind"}, claim


def test_a_rule_counts_the_places_that_it_could_test_and_keeps_what_it_found() -> None:
    one = finding.Finding("a", finding.STRENGTHS[0], "table1", (), {}, "something")
    result = finding.rule(lambda frame: iter([None, one, None]))(PAPER)
    assert (result.examined, result.findings) == (3, [one])


@pytest.mark.parametrize(
    ("id", "value", "claim", "before", "after"),
    [
        ("table9/12", 79.90, "C36", "supported", "contradicted"),
        ("table10/none", 79.95, "C31", "supported", "contradicted"),
        ("table10/NCE", 79.50, "C37", "supported", "contradicted"),
        ("table10/ICNCE+ICTM", 79.80, "C43", "supported", "partly"),
        ("table11/CLS/PromptBERT", 67.0, "C49", "partly", "supported"),
        ("table1/BERT-base/RankCSE/7Avg", 79.00, "C25", "partly", "supported"),
        ("table1/BERT-base/RankCSE/7Avg", 79.89, "C25", "partly", "partly"),  # a tie is no lead
        ("table1/RoBERTa-base/TNCSE/7Avg", 80.10, "C10", "supported", "partly"),
        ("table8/+SICKR/TNCSE", 79.2, "C35", "supported", "partly"),
    ],
)
def test_claims_are_judged_from_the_numbers(id: str, value: float, claim: str, before: str, after: str) -> None:
    assert STATES[claim] == before
    assert states(edited(id, value))[claim] == after


def test_a_claim_whose_values_are_missing_is_not_judged() -> None:
    frame = PAPER[PAPER.place != "table9"]
    assert states(frame)["C36"] == "not in the tables"
    assert set(states(made({"table9/none": "79.58"})).values()) == {"not in the tables"}


def test_findings_are_whole_and_can_be_written_as_json() -> None:
    assert {one.strength for one in FOUND} == set(audit.STRENGTHS)
    known = set(PAPER.index) | {one.claim for one in audit.verdicts()}
    for one in FOUND:
        assert one.sentence.endswith(".") and one.ids and set(one.ids) <= known
        assert set(one.as_dict()) == {"rule", "strength", "place", "ids", "numbers", "sentence"}
    assert json.loads(json.dumps([one.as_dict() for one in FOUND], allow_nan=False))


def test_checks_count_what_findings_list() -> None:
    table = audit.checks()
    assert len(table) == len(audit.RULES) and (table["tested"] > 0).all()
    assert {name: table[name].sum() for name in audit.STRENGTHS} == audit.counts(FOUND)


def test_what_the_page_says_in_words_holds() -> None:
    assert arithmetic.derived(PAPER).findings == [], "all gains follow"
    assert not [one for one in FOUND if "readme" in one.numbers], "print and README agree"
    assert not [one for one in FOUND if one.rule == "metric order"], "retrieval scores keep their order"
    assert 100 * len(contradicted(PAPER)) < 5 * len(MARGINS), "most averages follow"


def test_the_figure_shows_every_average() -> None:
    pytest.importorskip("seaborn", reason="figures come with the extra 'book'")
    from jtcse.pages.audit import off_averages

    (axis,) = off_averages(MARGINS).axes
    assert sum(len(dots.get_offsets()) for dots in axis.collections) == len(MARGINS)
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        f"Table {n}" for n in ("I", "II", "III", "IV", "V", "VI")
    ]


def test_tables_of_findings_are_escaped_and_say_when_there_is_none() -> None:
    pytest.importorskip("IPython", reason="IPython comes with the extra 'book'")
    from jtcse.pages.audit import findings_table, verdicts_table

    one = finding.Finding("rule", "note", "table1", ("x",), {}, "a < b & <script>.")
    assert "&lt;script&gt;" in findings_table([one], "note").data and "none" in findings_table([one], "tension").data
    assert "C21" in verdicts_table(audit.verdicts(), "contradicted").data


def test_the_audit_takes_less_than_ten_seconds() -> None:
    begun = time.process_time()
    audit.findings()
    assert time.process_time() - begun < 10
