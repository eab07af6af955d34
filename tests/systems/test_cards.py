"""Cards, fragments and modules of the compared systems fit together, and what is wrong with one is a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jtcse.cli import app
from jtcse.core.config import load_settings, profiles
from jtcse.core.errors import UserError
from jtcse.core.record import Metric, Provenance, RunRecord
from jtcse.core.run import Run, Workspace
from jtcse.pages.systems import card_markdown, family_table, family_words, printed_average
from jtcse.paper.printed import table, values
from jtcse.systems import cards as module
from jtcse.systems import settings
from jtcse.systems.cards import FAMILIES, card, cards
from jtcse.systems.settings import HALVES, fragment, module_of, published_values, setting_sources, systems

NAMES = systems()
IN_PRINT = sorted({tuple(id.split("/")[1:3]) for id in table("table1").index})


def record(**metrics: float) -> RunRecord:
    """A race of the embedded profile with these metrics of SimCSE."""
    made = Provenance(
        commit=None, dirty=None, started="2026-01-01", seconds=1, peak_memory_mib=1, device="cpu", machine="x",
        threads=1, versions={}, hashes={},
    )  # fmt: skip
    found = [Metric(name=f"race/simcse/{name}", value=value, n=1) for name, value in metrics.items()]
    return RunRecord(run="race", profile="embedded", settings={}, metrics=found, provenance=made)


def test_every_row_of_table_1_has_a_system_and_no_other_row_is_claimed() -> None:
    claimed = [(HALVES[backbone], row) for one in cards() for backbone, row in one.head.row.items()]
    assert sorted(claimed) == IN_PRINT


@pytest.mark.parametrize("name", NAMES)
def test_a_system_is_whole(name: str) -> None:
    one = card(name)
    assert one.head.family in FAMILIES and all(one.prose.values())
    assert hasattr(module_of(name), "make") and hasattr(module_of(name), "Settings")
    assert set(fragment(name).needs) <= set(NAMES) - {name}
    assert "$$" in one.prose["Formula"], "a formula"


@pytest.mark.parametrize("profile", profiles())
@pytest.mark.parametrize("name", NAMES)
def test_settings_are_valid_in_every_profile(name: str, profile: str) -> None:
    loaded = load_settings(profile)
    made = settings.system_settings(name, loaded, profile)
    if loaded.scale == "smaller":
        own = fragment(name).values["smaller"] | fragment(name).values.get(profile, {})
        equal = [key for key in ("steps", "batch_size", "schedule", "evaluate_every") if key not in own]
        assert len(equal) == 4, "the budget is nobody's own"
        assert all(getattr(made, key) == getattr(loaded.race, key) for key in equal)


@pytest.mark.parametrize("name", NAMES)
def test_every_published_setting_has_its_source(name: str) -> None:
    assert set(published_values(name)) <= set(setting_sources(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_card_types_no_printed_value_of_its_own(name: str) -> None:
    text = "\n".join(card(name).prose.values())
    rows = [f"/{row}/" for row in card(name).head.row.values()]
    own = {value for id, value in values()["text"].items() if id.startswith("table1/") and any(r in id for r in rows)}
    assert not own & set(re.findall(r"\d\d\.\d\d", text))


@pytest.mark.parametrize("name", NAMES)
def test_a_card_shows_print_and_what_was_measured(name: str) -> None:
    shown = card_markdown(name, [])
    assert "Not run" in shown and "{race}" not in shown
    for backbone in card(name).head.row:
        assert printed_average(card(name), backbone) in shown
    assert all(f"`{key}`" in shown for key in fragment(name).values["paper"])


def test_measured_numbers_come_from_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    one = card("simcse")
    told = one.prose | {"Traps": "From {race}`embedded/simcse/start` to {race}`embedded/simcse/dev`."}
    monkeypatch.setattr("jtcse.pages.systems.card", lambda name: module.Card(name, one.head, told))
    shown = card_markdown("simcse", [record(start=26.8, average=41.25)])
    assert "From 26.8 to (not run)." in shown and "41.2" in shown
    assert "never a reproduction" in shown


def test_a_family_says_what_was_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "jtcse.pages.systems.records", lambda workdir=None: [record(start=1.0, dev=2.0, average=3.0)]
    )
    run = Run("x", "embedded", load_settings("embedded"), Workspace(tmp_path))
    words = family_words("contrast", run)
    assert words.measured == 1 and "1 of 1" in words.improved
    shown = family_table("contrast", run).data
    assert "[SimCSE](#card-simcse)" in shown and "3.0" in shown and shown.count("–") > 5
    assert family_words("prompts", run).improved == "nothing was run"


# -- what is wrong ---------------------------------------------------------------------------------------------


def test_an_unknown_system_is_answered_with_the_nearest() -> None:
    for ask in (card, fragment):
        with pytest.raises(UserError, match="did you mean 'promptbert'"):
            ask("propmtbert")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no head", "between two lines of three dashes"),
        ("---\ntitle: X\n---\n", "family"),
        ("---\ntitle: X\nfamily: none\nyear: 1\nrepository: null\nverified: true\n---\n## Idea\n\nx", "unknown family"),
        (
            "---\ntitle: X\nfamily: early\nyear: 1\nrepository: null\nverified: true\n---\n## Idea\n\nx",
            "expected Idea, For",
        ),
    ],
)
def test_a_broken_card_is_named(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / module.FOLDER).mkdir(parents=True)
    (tmp_path / module.FOLDER / "simcse.md").write_text(text)
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    card.cache_clear()
    with pytest.raises(UserError, match=said):
        card("simcse")
    card.cache_clear()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("paper:\n  learning_rate: 1.0e-5\n", "learning_rate has no source"),
        ("papre:\n  steps: 3  # x\n", "did you mean 'paper'"),
    ],
)
def test_a_broken_fragment_is_named(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / settings.FOLDER
    folder.mkdir(parents=True)
    (folder / "simcse.yaml").write_text(text)
    monkeypatch.setattr(settings, "files", lambda _: tmp_path)
    fragment.cache_clear()
    with pytest.raises(UserError, match=said):
        fragment("simcse")
    fragment.cache_clear()


def test_the_command_line_lists_and_shows() -> None:
    listed = CliRunner().invoke(app, ["systems"], env={"COLUMNS": "200"})
    assert listed.exit_code == 0 and all(name in listed.output for name in NAMES)
    shown = CliRunner().invoke(app, ["systems", "show", "esimcse"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0 and "Traps of ESimCSE" in shown.output
