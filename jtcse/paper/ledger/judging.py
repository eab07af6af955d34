"""What a measured number says about a printed one: tolerances, seed bands, directions. Pure functions.

A value is judged as a number only where the setting is the paper's. Elsewhere only its direction is: whether the printed
difference to the reference row has the same sign here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jtcse.core.record import Metric

STATES = (
    "reproduced",
    "within seed band",
    "not reproduced",
    "direction agrees",
    "direction disagrees",
    "direction undecided",
    "not run",
)
NEEDS = {
    "released": "; it takes released weights of the compared systems, or tasks beyond the seven",
    "paper": "; it takes training in the paper's own setting",
    "print": "; it is about what is printed, and the audit looks into that",
    "nobody": "; nobody but the authors could check it",
}
CHECKPOINT_TOLERANCE = 0.05  # points
ROUNDING = 1e-9  # of floating point, so that 79.75 lies within 0.05 of 79.70


@dataclass(frozen=True)
class Printed:
    """A row of the paper's data, or a claim of its prose."""

    id: str
    place: str
    text: str
    value: float = math.nan
    kind: str = "claim"  # score, count, ratio, gain, constant, or claim
    unit: str = ""
    status: str = "printed"
    exact: bool = False  # a count or a fact of mathematics: the same at any profile, so any record may answer
    precision: float = 0.0  # half a unit of the last printed digit
    reference: str | None = None  # the row that it is compared with
    difference: float | None = None  # printed: value minus that of the reference
    needs: str = ""  # of a claim: what could answer for it (``printed.claims``)

    @property
    def tolerance(self) -> float | None:
        """What counts as the same number in the same setting; None for a claim and for a value that is not printed."""
        if self.kind == "claim" or math.isnan(self.value):
            return None
        in_points = self.kind in ("score", "gain") and self.unit in ("points", "")
        return max(CHECKPOINT_TOLERANCE, self.precision) if in_points else self.precision


@dataclass(frozen=True)
class Evidence:
    """What the records of one profile say about a printed value."""

    profile: str
    run: str
    scale: str  # of the profile: paper, checkpoints or smaller
    departures: tuple[str, ...] = ()  # why the setting is not the paper's; empty where it is
    value: Metric | None = None
    seeds: tuple[Metric, ...] = ()
    difference: Metric | None = None  # to the reference
    difference_seeds: tuple[Metric, ...] = ()

    @property
    def measured(self) -> float | None:
        """The value; the mean over seeds where the record has only those."""
        if self.value is not None:
            return self.value.value
        return math.fsum(m.value for m in self.seeds) / len(self.seeds) if self.seeds else None


class Verdict(NamedTuple):
    """A state and the sentence that says why."""

    state: str
    reason: str


def seed_band(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Interval in which one more training seed is expected: mean ± t · sd · sqrt(1 + 1/n).

    Args:
        values: one a seed, (n,); taken as draws from one normal distribution.
    Returns:
        The ends, or None with fewer than two seeds.
    """
    n = len(values)
    if n < 2:
        return None
    from scipy.special import stdtrit

    mean = math.fsum(values) / n
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    reach = float(stdtrit(n - 1, 0.5 + confidence / 2)) * spread * math.sqrt(1 + 1 / n)
    return mean - reach, mean + reach


def judge(printed: Printed, evidence: Evidence | None) -> Verdict:
    """The state of a printed value, from what was measured and from nothing else. ``not run``: no record answers for it."""
    if evidence is None:
        return Verdict("not run", f"no run record answers for it{NEEDS.get(printed.needs, '')}")
    if printed.kind == "claim":
        return _direction(1.0, evidence, "".join(f"{words}; " for words in evidence.departures))
    if math.isnan(printed.value):
        return Verdict("direction undecided", f"the paper prints no number here; measured {_shown(evidence)}")
    if printed.exact and evidence.measured is not None:
        return _near(printed, evidence, "the same at any profile, so exact to printed precision")
    if evidence.departures:
        return _by_direction(printed, evidence, "; ".join(evidence.departures))
    if evidence.measured is None:
        return _by_direction(
            printed, evidence, "the records have a difference to another row, and not the value itself"
        )
    if evidence.scale == "checkpoints":
        return _near(printed, evidence, "released checkpoint")
    return _own_training(printed, evidence)


def _near(printed: Printed, evidence: Evidence, words: str) -> Verdict:
    measured, tolerance = evidence.measured or 0.0, printed.tolerance or 0.0
    near = abs(measured - printed.value) <= tolerance + ROUNDING
    status = "printed" if printed.status == "printed" else f"({printed.status}, not read in the paper)"
    reason = f"{words}; {measured:.4g} measured, {printed.text} {status}, tolerance {tolerance:g}"
    return Verdict("reproduced" if near else "not reproduced", reason)


def _own_training(printed: Printed, evidence: Evidence) -> Verdict:
    """Within tolerance of the mean over seeds, within their band, or neither."""
    band = seed_band([metric.value for metric in evidence.seeds])
    if band is None:
        return _by_direction(printed, evidence, "one training seed cannot be judged as a number, two are needed")
    near = _near(printed, evidence, f"own training, mean of {len(evidence.seeds)} seeds")
    if near.state == "reproduced":
        return near
    inside = band[0] - ROUNDING <= printed.value <= band[1] + ROUNDING
    reason = f"{near.reason}, band of the seeds {band[0]:.2f} to {band[1]:.2f}"
    return Verdict("within seed band" if inside else "not reproduced", reason)


def _by_direction(printed: Printed, evidence: Evidence, why: str) -> Verdict:
    """Where the value cannot be compared, the sign of its printed difference can."""
    if printed.difference is None:
        other = "it stands beside no row that it could be compared with"
        words = f"the paper prints no difference to {printed.reference}" if printed.reference else other
        return Verdict("direction undecided", f"{why}; {words}; measured {_shown(evidence)}")
    return _direction(printed.difference, evidence, f"{why}; printed {printed.difference:+.2f}, ")


def _direction(expected: float, evidence: Evidence, words: str) -> Verdict:
    """Whether the measured difference lies on the expected side, in its interval and in every seed."""
    found = evidence.difference
    if found is None:
        return Verdict("direction undecided", f"{words}no measured difference to the reference")
    if found.low is None or found.high is None:
        return Verdict("direction undecided", f"{words}measured {found.value:+.2f} without an interval")
    reason = f"{words}measured {found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
    if abs(expected) < ROUNDING:
        return Verdict("direction undecided", f"{reason}; the paper prints the same number for both")
    side = 1 if found.low > 0 else -1 if found.high < 0 else 0
    others = sum(metric.value * side <= 0 for metric in evidence.difference_seeds)
    if side and others:
        return Verdict("direction undecided", f"{reason}; {others} of {len(evidence.difference_seeds)} seeds not so")
    if not side:
        return Verdict("direction undecided", f"{reason}: the interval holds 0")
    return Verdict("direction agrees" if side * expected > 0 else "direction disagrees", reason)


def _shown(evidence: Evidence) -> str:
    measured = evidence.measured
    return "nothing but a difference" if measured is None else f"{measured:.2f} in profile {evidence.profile}"
