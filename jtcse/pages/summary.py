"""The summary of a small run: what holds, what does not, what cannot be decided, each sentence resting on a measured effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from jtcse.experiments.ablations.claim_effects import OVER_TOWERS
from jtcse.pages.methods import claims, records
from jtcse.paper.ledger.judging import Evidence, Printed, judge

if TYPE_CHECKING:
    from IPython.display import HTML

    from jtcse.core.record import Metric, RunRecord
    from jtcse.core.run import Run

GROUPS = {
    "direction agrees": "What holds",
    "direction disagrees": "What does not",
    "direction undecided": "What cannot be decided",
}
STATEMENTS = {
    "C31": "Joint training by the full loss adds to the sum of two towers.",
    "C07": "JTCSE beats the single encoder, at every seed.",
    "C24": "JTCSE leads both SimCSE and the untrained encoder with first and last layer averaged.",
    "C06": "The distilled tower leads both SimCSE and that untrained encoder.",
    "C10": "The twin with cross-attention beats the twin without (TNCSE).",
    "C36": "Cross-attention in every second layer is the best choice.",
    "C41": "InfoNCE with the modulus constraint gives some gain.",
    "C42": "ICNCE with the modulus constraint gives a gain near the full loss.",
    "C43": "Every part of the loss is needed.",
    "C37": "InfoNCE alone gives no gain to speak of.",
    "C38": "ICNCE alone gives no gain to speak of.",
    "C39": "The modulus constraint alone gives no gain to speak of.",
    "C40": "InfoNCE with ICNCE gives no gain to speak of.",
    "C34": "The twin is steadier over seeds than the single encoder.",
    "C35": "Unlabelled sentences of SICK-R help every model.",
    "C49": "[CLS] is the best pooling.",
    "C18": "Last hidden states beat pooler outputs.",
    "C30": "JTCSE has the better alignment and uniformity.",
    "C17": "The pooler gives back a modulus that varies.",
    "C44": "Last hidden states have nearly one modulus.",
    "C45": "Pooler outputs spread over nearly any modulus.",
    "C46": "Each LayerNorm that is taken away lowers the score.",
    "C47": "Deep layers attend to the end of a sentence.",
    "C09": "Scores rise with the attention to [CLS].",
}
"""Claims of the paper that training at any scale can answer, in few words; the wording of the paper is in the ledger."""
OWN = {
    OVER_TOWERS: ("table10", "The twin beats the better of its two towers alone."),
    "difference/distilled-jtcse": ("seven_tasks", "The distilled tower beats its twin."),
}
"""Questions of ours: the metric of the effect, the run that has it, the statement."""


@dataclass(frozen=True)
class Finding:
    """A statement, the effect behind it, over how many seeds, and its state; ``page`` leads on."""

    statement: str
    effect: Metric
    seeds: int
    state: str
    page: str

    def html(self) -> str:
        """As an item of a list."""
        unit = "" if self.effect.unit == "1" else f" {self.effect.unit}"
        ends = "" if self.effect.low is None else f", {self.effect.low:+.2f} to {self.effect.high:+.2f}"
        seeds = f"{self.seeds} seed" + ("s" if self.seeds != 1 else "")
        numbers = f"{self.effect.value:+.2f}{unit}{ends}; {seeds}"
        return f'<li>{escape(self.statement)} <a href="{escape(self.page)}.html">{escape(numbers)}</a></li>'


def findings(run: Run) -> list[Finding]:
    """Every statement that a record of this run's profile has an effect for, in the order of ``OWN`` and ``STATEMENTS``."""
    by_run, entries = records(run), {entry.id: entry for entry in claims(run)}
    found = [_own(by_run.get(page), name, words) for name, (page, words) in OWN.items()]
    for number, words in STATEMENTS.items():
        entry = entries.get(f"claim/{number}")
        evidence = entry.evidence if entry else None
        if evidence and evidence.difference:
            found.append(Finding(words, evidence.difference, entry.seeds, entry.state, evidence.run))
    return [finding for finding in found if finding is not None]


def _own(record: RunRecord | None, name: str, words: str) -> Finding | None:
    metrics = [metric for metric in record.metrics if metric.name == name] if record else []
    mean = next((metric for metric in metrics if metric.seed is None), None)
    if mean is None:
        return None
    seeds = tuple(metric for metric in metrics if metric.seed is not None)
    evidence = Evidence(record.profile, record.run, "smaller", (), mean, seeds, mean, seeds)
    state = judge(Printed(name, "claim", words), evidence).state
    return Finding(words, mean, max(1, len(seeds)), state, record.run)


def grouped(found: Iterable[Finding]) -> dict[str, list[Finding]]:
    """The findings by heading, all headings named."""
    every = list(found)
    return {title: [finding for finding in every if finding.state == state] for state, title in GROUPS.items()}


def summary(groups: Mapping[str, list[Finding]]) -> HTML:
    """Three lists under their headings."""
    from IPython.display import HTML

    parts = []
    for title, some in groups.items():
        items = "".join(finding.html() for finding in some) or "<li>Nothing.</li>"
        parts.append(f"<h3>{escape(title)} ({len(some)})</h3><ul style='margin:0'>{items}</ul>")
    return HTML(f'<div style="font-size:.9em;line-height:1.35">{"".join(parts)}</div>')
