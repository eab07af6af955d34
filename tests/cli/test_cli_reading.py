"""The commands that read: rows for people and programs, bad words refused, bad records told beside what is good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_up import metric, record
from test_cli import jtcse, refused

from jtcse.core.record import write_record
from jtcse.paper import printed
from jtcse.paper.ledger import STATES

TOTAL = len(printed.values()) + len(printed.claims())


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A workspace with a good record and a broken one."""
    made = record(metric("table10/NCE", 71.0), metric("table10/NCE>table10/none", 0.5, 0.1, 0.9), run="table10")
    write_record(made, tmp_path / "records" / "table10.json")
    (tmp_path / "records" / "table9.json").write_text("{")
    return tmp_path


@pytest.mark.parametrize("verb", ["ledger", "audit"])
def test_help_has_examples(verb: str) -> None:
    told = jtcse(verb, "--help").stdout.decode()
    assert f"jtcse {verb} --json" in told.replace('jtcse ledger --state "direction disagrees"', "jtcse ledger")
    assert "Examples" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--table", "12"], ["table12", "did you mean 'table2'"]),
        (["--table", "figur7"], ["did you mean 'figure7'"]),
        (["--state", "agrees"], ["did you mean 'direction agrees'"]),
        (["--profile", "minni"], ["did you mean 'mini'"]),
    ],
)
def test_unknown_words_name_the_nearest(words: list[str], said: list[str]) -> None:
    refused(jtcse("ledger", *words), *said)


def test_all_rows_are_there_for_a_program() -> None:
    rows = json.loads(jtcse("ledger", "--json").stdout)
    assert len(rows) == TOTAL == len({row["id"] for row in rows})
    assert {row["state"] for row in rows} <= set(STATES)


@pytest.mark.parametrize("table", ["10", "table10", "Table 10"])
def test_a_workspace_counts_and_its_broken_record_is_told_apart(table: str, workdir: Path) -> None:
    done = jtcse("ledger", "--table", table, "--profile", "mini", "--workdir", workdir, "--json")
    rows = {row["id"]: row for row in json.loads(done.stdout)}
    assert len(rows) == 8
    assert rows["table10/NCE"]["measured"] == 71 and rows["table10/NCE"]["state"] == "direction agrees"
    assert rows["table10/NCE"] | {"printed": "78.50", "tolerance": 0.05, "run": "table10"} == rows["table10/NCE"]
    assert b"table9.json" in done.stderr and b"not whole JSON" in done.stderr and done.returncode == 0


def test_rows_of_a_state_with_or_without_hyphen(workdir: Path) -> None:
    both = [
        jtcse("ledger", "--state", state, "--table", "10", "--profile", "mini", "--workdir", workdir).stdout.decode()
        for state in ("direction agrees", "direction-agrees")
    ]
    assert both[0] == both[1] and "table10/NCE" in both[0] and "+0.50 (+0.10 to +0.90)" in both[0]


def test_people_see_counts_by_table_first() -> None:
    told = jtcse("ledger").stdout.decode()
    assert "table10" in told and f"{TOTAL:,} in all:" in told and "table10/NCE" not in told


def test_the_audit_gives_its_findings() -> None:
    pytest.importorskip("jtcse.paper.audit")
    rows = json.loads(jtcse("audit", "--json").stdout)
    assert rows and {"strength", "rule", "place", "sentence", "ids", "numbers"} <= rows[0].keys()
    assert f"{len(rows):,} findings" in jtcse("audit").stdout.decode()
