"""The paper as data: complete, unique, in range, found by id, and refused when broken."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable

import pandas as pd
import pytest

from jtcse.core.errors import UserError
from jtcse.paper import printed as paper
from jtcse.paper.ledger.judging import NEEDS
from jtcse.paper.places import LAYOUTS, STS7, TITLES
from jtcse.paper.printed import DASH, checked, precision, printed, printed_text, table, values


def raw(name: str = "values") -> pd.DataFrame:
    """A file of the package as it is read, to be broken."""
    return paper._file(name)


def test_every_value_of_the_tables_is_there() -> None:
    sizes = {place: len(table(place)) for place in TITLES}
    assert {place: n for place, n in sizes.items() if n} == {
        "table1": 51 * 12, "table2": 46 * 11, "table3": 15 * 11, "table4": 16 * 11, "table5": 20 * 11, "table6": 16 * 11,
        "table7": 9 * 3, "table8": 3 * 7, "table9": 7, "table10": 8, "table11": 4 * 10,
        "figure3": 2, "figure7": 9, "prose": 2,
    }  # fmt: skip
    assert sum(sizes.values()) == len(values())
    assert set(LAYOUTS) <= set(TITLES)


def test_ids_say_place_row_and_column() -> None:
    frame = values()
    row = frame.loc["table1/BERT-base/JTCSE/STS12"]
    assert [row.place, row.group, row.row, row.column, row.text] == ["table1", "BERT-base", "JTCSE", "STS12", "74.95"]
    row = frame.loc["table7/JTCSE-BERT/eta"]
    assert [row.kind, row.unit, row.status] == ["ratio", "points per GMAC", "inferred"]
    assert frame.loc["table8/Gain/JTCSE"].kind == "gain"
    assert frame.loc["table9/none"].column == "none" and frame.loc["table10/NCE+ICTM"].row == "NCE+ICTM"


def test_values_are_found_by_id_with_their_printed_precision() -> None:
    assert printed("table1/BERT-base/JTCSE/7Avg") == 79.70
    assert printed_text("table1/BERT-base/JTCSE/7Avg") == "79.70"
    assert precision("table1/BERT-base/JTCSE/7Avg") == pytest.approx(0.005)
    assert precision("table11/CLS/JTCSE") == pytest.approx(0.05)
    assert precision("prose/modulus/low") == 0.5


def test_the_printed_average_of_jtcse_on_bert_is_that_of_its_seven_tasks() -> None:
    seven = [printed(f"table1/BERT-base/JTCSE/{task}") for task in STS7]
    assert math.fsum(seven) / 7 == pytest.approx(printed("table1/BERT-base/JTCSE/7Avg"), abs=0.005)


def test_statuses_say_where_a_value_comes_from() -> None:
    frame = values()
    assert set(frame.status) == set(paper.STATUSES)
    assert set(frame[frame.place == "table6"].status) == {"readme"}
    assert set(frame[frame.place == "table7"].status) == {"inferred", "lost"}
    assert (frame[frame.value.isna()].text.isin([DASH, paper.LOST])).all()
    assert (frame.text == DASH).sum() == 60


def test_a_dash_and_a_lost_value_are_text_but_not_numbers() -> None:
    assert printed_text("table1/BERT-base/BERT-base/STS17") == DASH
    with pytest.raises(UserError, match="prints a dash"):
        printed("table1/BERT-base/BERT-base/STS17")
    with pytest.raises(UserError, match="lost page"):
        precision("table7/SimCSE-twin/eta")


def test_an_unknown_id_or_place_offers_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'table1/BERT-base/JTCSE/7Avg'"):
        printed("table1/BERT-base/JTCSE/7avg")
    with pytest.raises(UserError, match="did you mean 'table1'"):
        table("tabel1")


def test_a_figure_without_readable_results_has_no_values() -> None:
    assert table("figure8").empty


def test_changing_a_returned_table_changes_nothing() -> None:
    frame = values()
    frame["value"] = 0.0
    assert printed("table1/BERT-base/JTCSE/7Avg") == 79.70


def test_claims_settings_and_axes_are_complete() -> None:
    claims = paper.claims()
    assert len(claims) == 50 and claims.index[0] == "claim/C01" and claims.index.is_unique
    assert (claims.text != "").all() and list(claims) == ["section", "text", "numbers", "check", "needs"]
    assert set(claims.needs) == {"any", *NEEDS}
    settings = paper.settings()
    assert len(settings) == 64 and (settings.value != "").all()
    assert set(paper.axes().place) <= set(TITLES)


def test_every_task_of_the_zero_shot_tables_has_a_name_in_mteb() -> None:
    tasks, frame = paper.tasks(), values()
    for place in ("table2", "table3", "table4", "table5"):
        averages = {average for average in LAYOUTS[place].averages if average != "avg"}
        assert set(tasks[tasks.place == place].task) == set(frame[frame.place == place].row) - averages
        assert (tasks[(tasks.place == place) & (tasks.task != "avg")].splits != "").all()
    assert set(paper.references().task) <= set(tasks.mteb)


def test_every_system_of_table_1_has_a_group_and_towers() -> None:
    models, frame = paper.models(), table("table1")
    assert set(models.index) == set(zip(frame["group"], frame["row"], strict=True))
    assert models.towers.between(1, 6).all()


def drop(id: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame[~frame.id.str.startswith(id)]


def put(id: str, column: str, text: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**{column: frame[column].mask(frame.id == id, text)})


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda frame: pd.concat([frame, frame.iloc[[7]]]), "'table1/BERT-base/BERT-base/7Avg' stands twice"),
        (put("table2/Scala/TNCSE", "text", "100.5"), "'table2/Scala/TNCSE' is out of range; expected a number from 0 to 100"),
        (put("table2/Scala/TNCSE", "text", "8o.1"), "'table2/Scala/TNCSE' is no number"),
        (put("table2/Scala/TNCSE", "text", ""), "'table2/Scala/TNCSE' is no number; .*dash"),
        (put("table9/none", "status", "guess"), "'table9/none' has an unknown status; expected one of printed"),
        (put("table9/none", "status", "lost"), "'table9/none' says 'lost' in one"),
        (put("table9/none", "id", "table12/none"), "'table12/none' has an unknown place"),
        (put("table9/none", "id", "table9"), "'table9' does not name column"),
        (put("table9/none", "id", "table9/none/x"), "'table9/none/x' does not name column"),
        (drop("table11/Avg/PCL"), "no row for 'table11/Avg/PCL'"),
        (drop("table5/avg/"), "lacks the printed average table5/avg"),
        (drop("table1/RoBERTa-base/JTCSE/3Avg"), "no row for 'table1/RoBERTa-base/JTCSE/3Avg'"),
    ],
)  # fmt: skip
def test_broken_data_is_refused_with_the_id_and_what_was_expected(
    broken: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        checked(broken(raw()))


def test_reading_everything_takes_less_than_a_third_of_a_second() -> None:
    code = (
        "import pandas, time; from jtcse.paper import printed as p; p.TITLES\n"
        "best = 9\n"
        "for _ in range(3):\n"
        "    p._values.cache_clear(); t = time.process_time()\n"
        "    p.values(), p.claims(), p.settings(), p.axes(), p.tasks(), p.references(), p.models()\n"
        "    best = min(best, time.process_time() - t)\n"
        "assert best < 0.3, best\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
