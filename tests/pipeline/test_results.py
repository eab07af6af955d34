"""The committed run records, and that the README quotes them and nothing else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from jtcse.core.config import load_settings
from jtcse.core.record import RunRecord, read_records
from jtcse.experiments.names import SYSTEMS
from jtcse.pages.summary import GROUPS
from jtcse.paper import printed
from jtcse.paper.ledger import entries
from jtcse.paper.ledger.entry import Entry
from jtcse.systems.cards import card
from jtcse.systems.settings import fragment, systems

ROOT = Path(__file__).parents[2]
PROFILES = sorted(folder.name for folder in (ROOT / "results").iterdir())


def seven_tasks(profile: str) -> RunRecord:
    return next(r for r in read_records(ROOT / "results" / profile) if r.run == "seven_tasks")


def row(name: str) -> str:
    """The README's table row of a system: averages with intervals, a column a profile."""
    cells = [seven_tasks(profile).metric(f"{name}/average") for profile in PROFILES]
    return f"| {SYSTEMS[name]} | " + " | ".join(f"{m.value:.1f} ({m.low:.1f} to {m.high:.1f})" for m in cells) + " |"


@pytest.mark.parametrize("name", SYSTEMS)
def test_readme_quotes_the_records(name):
    assert row(name) in (ROOT / "README.md").read_text(encoding="utf8")


def raced(name: str) -> dict[str, float]:
    """What the race of the embedded profile measured of a system, means over seeds."""
    record = next(r for r in read_records(ROOT / "results" / "embedded") if r.run == "race")
    head = f"race/{name}/"
    return {m.name.removeprefix(head): m.value for m in record.metrics if m.name.startswith(head) and m.seed is None}


@pytest.mark.parametrize("name", systems())
def test_every_system_ends_above_the_untrained_encoder_or_its_card_says_why_not(name):
    own, before = raced(name), raced("simcse")["start"]
    assert own, "every system was raced"
    if not fragment(name).needs:  # the untrained encoder, read in the system's own way; others start from trained ones
        before = max(before, own["start"] if own["steps"] else raced("vanilla")["start"])
    assert (own["dev"] > before) == card(name).head.gains, own


@pytest.mark.parametrize("profile", PROFILES)
def test_records_are_of_their_profile_and_of_a_known_commit(profile):
    records = read_records(ROOT / "results" / profile)
    assert {record.profile for record in records} == {profile}
    assert load_settings(profile)
    assert all(record.provenance.commit for record in records)


@pytest.mark.parametrize("stage", ["stage1", "stage2", "distillation"])
def test_rates_and_steps_of_mini_are_those_that_its_tries_chose(stage: str) -> None:
    tried = next(r for r in read_records(ROOT / "results" / "mini") if r.run == "tuning")
    settings = load_settings("mini")
    own = getattr(settings, stage)
    rates = {own.tower_1.learning_rate, own.tower_2.learning_rate} if stage == "stage1" else {own.learning_rate}
    assert rates == {tried.metric(f"{stage}/learning_rate").value} and own.steps == tried.metric(f"{stage}/steps").value
    assert settings.ablations.steps == settings.stage2.steps and settings.tuning.seed not in settings.ablations.seeds


def answers() -> dict[str, Entry]:
    """The claims that a run of any size can answer, as the published run of mini answers them, by id."""
    ids = set(printed.claims().query("needs == 'any'").index)
    found = {entry.id: entry for entry in entries(read_records(ROOT / "results" / "mini"), "claim", "mini")}
    return {id: found[id] for id in sorted(ids)}


def answered_words() -> str:
    """The README's sentence on them."""
    states = Counter(entry.state for entry in answers().values())
    agree, disagree, undecided = (states[state] for state in GROUPS)
    return (
        f"Of the {len(answers())} claims of the paper that a run of any size can test, {agree} agree, {disagree} disagree and "
        f"{undecided} are\nundecided in `mini`: `jtcse ledger --profile mini --table claim` lists them with effects, "
        "intervals and seeds."
    )


def test_mini_answers_every_claim_that_a_run_of_any_size_can_answer() -> None:
    for name, entry in answers().items():
        assert entry.state in GROUPS, f"{name}: {entry.state}; {entry.reason}"
        effect = entry.evidence.difference
        assert effect.low <= effect.value <= effect.high and entry.seeds >= 1, name


def test_readme_counts_the_answers() -> None:
    assert answered_words() in (ROOT / "README.md").read_text(encoding="utf8")
