"""The summary of a small run: what holds, what does not, what cannot be decided, each sentence resting on a measured effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import yaml

from jtcse.core.record import Metric, RunRecord
from jtcse.core.run import Run
from jtcse.experiments.ablations.claim_effects import OVER_TOWERS
from jtcse.pages.furniture.elements import beside
from jtcse.pages.furniture.html import Markup, link
from jtcse.pages.methods import claims, records
from jtcse.paper.ledger.judging import Evidence, Printed, judge

if TYPE_CHECKING:
    from IPython.display import HTML

GROUPS = {
    "direction agrees": "What holds",
    "direction disagrees": "What does not",
    "direction undecided": "What cannot be decided",
}
STATEMENTS: dict[str, str] = yaml.safe_load(beside("claims.yaml"))["statements"]
OWN = {
    OVER_TOWERS: ("table10", "The twin beats the better of its two towers alone."),
    "difference/distilled-jtcse": ("seven_tasks", "The distilled tower beats its twin."),
}
"""Questions of ours: the metric of the effect, the run that has it, the statement."""


@dataclass(frozen=True)
class Statement:
    """A statement in words, the effect behind it, over how many seeds, and its state; ``page`` leads on."""

    words: str
    effect: Metric
    seeds: int
    state: str
    page: str

    def html(self) -> Markup:
        """The words, and the numbers behind them."""
        unit = "" if self.effect.unit == "1" else f" {self.effect.unit}"
        ends = "" if self.effect.low is None else f", {self.effect.low:+.2f} to {self.effect.high:+.2f}"
        seeds = f"{self.seeds} seed" + ("s" if self.seeds != 1 else "")
        numbers = f"{self.effect.value:+.2f}{unit}{ends}; {seeds}"
        return Markup(f"{escape(self.words)} {link(f'{self.page}.html', numbers)}")


def findings(run: Run) -> list[Statement]:
    """Every statement that a record of this run's profile has an effect for, in the order of ``OWN`` and ``STATEMENTS``."""
    by_run, entries = records(run), {entry.id: entry for entry in claims(run)}
    found = [_own(by_run.get(page), name, words) for name, (page, words) in OWN.items()]
    for number, words in STATEMENTS.items():
        entry = entries.get(f"claim/{number}")
        evidence = entry.evidence if entry else None
        if evidence and evidence.difference:
            found.append(Statement(words, evidence.difference, entry.seeds, entry.state, evidence.run))
    return [one for one in found if one is not None]


def _own(record: RunRecord | None, name: str, words: str) -> Statement | None:
    metrics = [metric for metric in record.metrics if metric.name == name] if record else []
    mean = next((metric for metric in metrics if metric.seed is None), None)
    if mean is None:
        return None
    seeds = tuple(metric for metric in metrics if metric.seed is not None)
    evidence = Evidence(record.profile, record.run, "smaller", (), mean, seeds, mean, seeds)
    state = judge(Printed(name, "claim", words), evidence).state
    return Statement(words, mean, max(1, len(seeds)), state, record.run)


def grouped(found: Iterable[Statement]) -> dict[str, list[Statement]]:
    """The statements by heading, all headings named."""
    every = list(found)
    return {title: [one for one in every if one.state == state] for state, title in GROUPS.items()}


def summary(groups: Mapping[str, list[Statement]]) -> HTML:
    """Three lists under their headings."""
    from IPython.display import HTML

    parts = []
    for title, some in groups.items():
        items = "".join(f"<li>{one.html()}</li>" for one in some) or "<li>Nothing.</li>"
        parts.append(f"<h3>{escape(title)} ({len(some)})</h3><ul style='margin:0'>{items}</ul>")
    return HTML(f'<div style="font-size:.9em;line-height:1.35">{"".join(parts)}</div>')
