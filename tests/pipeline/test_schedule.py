"""Which step begins first, and the time that is left."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from jtcse.core.config import load_settings
from jtcse.pipeline import plan, snakemake
from jtcse.pipeline.plan import BOOK, Notebook
from jtcse.pipeline.schedule import STARTING, Forecast, known_seconds, priorities, told

HERE = Path(__file__).parents[2]


def _notebooks(**needs: list[str]) -> dict[str, Notebook]:
    return {name: Notebook(name, tuple(wanted), (), 1, ()) for name, wanted in needs.items()}


CHAIN = _notebooks(text=[], quick=[], towers=["text"], grid=["towers"], page=["quick", "towers"])
SECONDS = {"text": 10.0, "quick": 1.0, "towers": 60.0, "grid": 200.0, "page": 5.0, BOOK: 30.0}


def test_the_longest_way_to_the_end_begins_first() -> None:
    found = priorities(CHAIN, SECONDS)
    assert found == {"text": 270, "towers": 260, "grid": 200, "quick": 6, "page": 5}
    assert priorities(CHAIN, {})["text"] > priorities(CHAIN, {})["page"], "without seconds, by the number of steps"


def test_the_long_grids_of_the_default_profile_come_before_the_quick_pages() -> None:
    profile = plan.plan_of(HERE, load_settings("embedded"))
    found = priorities(profile, known_seconds(HERE, "embedded", profile))
    assert list(sorted(found, key=found.__getitem__, reverse=True))[:2] == ["data", "encoder"]
    long, quick = (
        ("stage1", "stage2", "table8", "table10", "paper_and_code"),
        ("table3", "audit", "figure2", "overview"),
    )
    assert min(found[name] for name in long) > 0
    assert max(found[name] for name in ("family_early", "report", "runs")) < min(found[name] for name in long), quick


def test_seconds_come_from_the_last_run_here_else_from_the_committed_record(tmp_path: Path) -> None:
    for name in ("here", "committed"):
        record = tmp_path / "results" / "mini" / f"{name}.json"
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps({"provenance": {"seconds": 100.0}}))
    log = tmp_path / "build" / "mini" / "logs" / "here.tsv"
    log.parent.mkdir(parents=True)
    log.write_text("s\th:m:s\n12.5\t0:00:12\n")
    (log.parent / "broken.tsv").write_text("s\th:m:s\n")
    found = known_seconds(tmp_path, "mini", ["here", "committed", "broken", "new"])
    assert found == {"here": 12.5, "committed": 100.0 + STARTING}
    (log.parents[1] / "book.json").write_text(json.dumps({"seconds": 20}))
    assert known_seconds(tmp_path, "mini", [])[BOOK] == 20


def test_time_left_counts_the_cores_the_longest_way_and_the_pace_of_this_run() -> None:
    steps = [*CHAIN, BOOK]
    assert Forecast(CHAIN, steps, SECONDS, 1, None).left({}, {}) == sum(SECONDS.values())
    two = Forecast(CHAIN, steps, SECONDS, 2, None)
    assert two.left({}, {}) == 10 + 60 + 200 + 30, "two cores help no chain"
    assert two.left({"text": 10.0, "quick": 1.0}, {"towers": 20.0}) == 40 + 200 + 30
    slow = two.left({"text": 20.0, "quick": 2.0, "towers": 120.0}, {})
    assert 1.5 * 230 < slow < 2 * 230, "twice as slow so far"
    assert two.left(dict.fromkeys(steps, 1.0), {}) == 0
    wide = {"wide": Notebook("wide", (), (), None, ()), **_notebooks(other=[])}
    seconds = {"wide": 10.0, "other": 10.0}
    assert Forecast(wide, list(wide), seconds, 2, None).left({}, {}) == 15, "a training takes both cores"
    assert Forecast(wide, list(wide), seconds, 2, 1).left({}, {}) == 10


def test_time_left_is_not_told_where_nothing_is_known_and_words_are_short() -> None:
    assert Forecast(CHAIN, list(CHAIN), {}, 2, None).left({}, {}) is None
    assert Forecast(CHAIN, ["zero_shot/some/table2", "page"], SECONDS, 2, None).left({}, {}) > 5
    assert [told(seconds) for seconds in (3, 50, 610)] == ["under a minute", "about 1 min", "about 10 min"]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_says_what_runs_what_is_to_come_and_the_time_left(tmp_path: Path, terminal: bool, monkeypatch) -> None:
    monkeypatch.setattr(snakemake, "QUIET", 0.5)
    program = (
        "import pathlib, time\nlogs, made = pathlib.Path('logs'), pathlib.Path('executed')\nmade.mkdir()\n"
        "for name in ('text', 'quick'):\n    (logs / f'{name}.ipynb').touch(); time.sleep(1.5)\n"
        "    (made / f'{name}.ipynb').touch(); time.sleep(0.5)\n"
    )
    names = ["text", "quick", "towers"]
    steps, forecast = snakemake.Steps(tmp_path, names), Forecast(CHAIN, names, SECONDS, 2, None)
    console = Console(file=io.StringIO(), width=200, force_terminal=terminal, no_color=True, highlight=False)
    with (tmp_path / "lock").open("w") as lock:
        command = [sys.executable, "-c", program]
        assert snakemake.watch(
            command, tmp_path, steps, forecast, tmp_path / "logs" / "all.txt", lock.fileno(), console
        )
    text = console.file.getvalue()
    assert "[ 1/3] text" in text and "[ 2/3] quick" in text
    assert "now text" in text and "2 to come, about 1 min left" in text and "1 to come" in text
    if not terminal:
        assert "\x1b" not in text and "\r" not in text, "a log has whole lines only"
