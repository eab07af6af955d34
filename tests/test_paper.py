"""Printed values: complete, unique, in range, and found by id."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from jtcse.errors import UserError
from jtcse.paper.printed import DASH, checked, printed, printed_text, table1

STS7 = ["STS12", "STS13", "STS14", "STS15", "STS16", "STSB", "SICKR"]


def rows(*values: str, model: str = "JTCSE") -> pd.DataFrame:
    tasks = [f"T{i}" for i in range(len(values))]
    return pd.DataFrame(
        {"backbone": "BERT-base", "model": model, "task": tasks, "value": values, "provenance": "own run"}
    )


def test_table_1_has_every_model_with_twelve_columns() -> None:
    table = table1()
    assert len(table) == 612
    assert (table.groupby(["backbone", "model"]).task.nunique() == 12).all()
    assert table.index.is_unique
    assert table.value.dropna().between(0, 100).all()
    assert (table.text == DASH).sum() == table.value.isna().sum() == 60


def test_values_are_found_by_id_with_their_printed_precision() -> None:
    assert printed("table1/BERT-base/JTCSE/7Avg") == 79.70
    assert printed_text("table1/BERT-base/JTCSE/7Avg") == "79.70"
    assert printed("table1/BERT-base/JTCSE_D/7Avg") == 79.89


def test_the_printed_average_of_jtcse_on_bert_is_that_of_its_seven_tasks() -> None:
    seven = [printed(f"table1/BERT-base/JTCSE/{task}") for task in STS7]
    assert math.fsum(seven) / 7 == pytest.approx(printed("table1/BERT-base/JTCSE/7Avg"), abs=0.005)


def test_a_dash_is_text_but_not_a_number() -> None:
    id = "table1/BERT-base/BERT-base/STS17"
    assert printed_text(id) == DASH
    with pytest.raises(UserError, match="prints a dash"):
        printed(id)


def test_an_unknown_id_offers_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'table1/BERT-base/JTCSE/7Avg'"):
        printed("table1/BERT-base/JTCSE/7avg")


def test_changing_a_returned_table_changes_nothing() -> None:
    table = table1()
    table["value"] = 0.0
    assert printed("table1/BERT-base/JTCSE/7Avg") == 79.70


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pd.concat([rows("1.0"), rows("2.0")], ignore_index=True), "twice"),
        (rows("1.0", "100.5"), "0 to 100 at 'table9/BERT-base/JTCSE/T1'"),
        (rows("1.0", "8o.1"), "0 to 100 at 'table9/BERT-base/JTCSE/T1'"),
    ],
)
def test_a_broken_table_is_refused(table: pd.DataFrame, words: str) -> None:
    with pytest.raises(UserError, match=words):
        checked("table9", table)
