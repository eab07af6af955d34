"""Run again: the command that makes the numbers of a record anew, and how near new numbers come to those of the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jtcse.core.record import Metric, Provenance, RunRecord
from jtcse.paper.ledger.judging import ROUNDING, seed_band

TIMED = ("s", "1/s", "minutes", "MiB")  # units of what the clock and the memory say: never the same twice
SHARE, LEAST = 0.01, 1e-6
"""Band of a number that has neither seeds nor an interval: a hundredth of it, and no less than what rounding does."""
SAME = "the same to the last digit"
MACHINE = {
    "device": "device",
    "machine": "machine",
    "number_format": "number format of training",
    "scored_in": "number format of scores",
    "instructions": "instructions",
    "threads": "threads",
}
"""What of a provenance digits hang on, beside the versions, and its name in words."""


@dataclass(frozen=True)
class Band:
    """How far a number may lie from the recorded one, in its unit, and why so far."""

    reach: float
    why: str


@dataclass(frozen=True)
class Compared:
    """A recorded number, the new one where there is one, what is said about both, and whether that is well."""

    then: Metric
    now: Metric | None
    words: str
    good: bool


def compare(then: RunRecord, now: RunRecord, metrics: Sequence[Metric] | None = None) -> list[Compared]:
    """Hold new numbers against recorded ones.

    Where all that digits hang on (``MACHINE``, versions) is known to be as in the record, only the same digits are well;
    elsewhere whatever lies within the band of the number.

    Args:
        metrics: of ``then``; None: all but times and memory.
    """
    exact = not differences(then.provenance, now.provenance)
    new = {(metric.name, metric.seed): metric for metric in now.metrics}
    wanted = [metric for metric in then.metrics if metric.unit not in TIMED] if metrics is None else metrics
    return [_compared(metric, new.get((metric.name, metric.seed)), band(metric, then), exact) for metric in wanted]


def band(metric: Metric, record: RunRecord) -> Band:
    """How far a new number may lie from a recorded one on another machine.

    Half the interval in which one more seed is expected, by the values of the *other* seeds (``judging.seed_band``); with fewer
    than two of them half the number's own 95 % interval; else a hundredth of the number.
    """
    others = [one.value for one in record.metrics if one.name == metric.name and one.seed not in (None, metric.seed)]
    ends = seed_band(others)
    if ends is not None:
        return Band((ends[1] - ends[0]) / 2, f"what {len(others)} other seeds let one more differ by")
    if metric.low is not None and metric.high is not None:
        return Band((metric.high - metric.low) / 2, "half its 95 % interval")
    return Band(max(SHARE * abs(metric.value), LEAST), "a hundredth of it, for want of seeds and of an interval")


def differences(then: Provenance, now: Provenance) -> list[str]:
    """In what a record's making differs from that of a new run, or does not say whether it does; nothing: digits must be the
    same."""
    pairs = {words: (getattr(then, name), getattr(now, name)) for name, words in MACHINE.items()}
    pairs |= {name: (then.versions.get(name), now.versions.get(name)) for name in sorted(then.versions | now.versions)}
    return [_difference(name, *pair) for name, pair in pairs.items() if pair[0] is None or pair[0] != pair[1]]


def _difference(name: str, then: object, now: object) -> str:
    if then is None:
        return f"{name}: the record does not say, {'not told' if now is None else now} now"
    return f"{name}: {then} then, {'not told' if now is None else now} now"


def _compared(then: Metric, now: Metric | None, allowed: Band, exact: bool) -> Compared:
    if now is None:
        return Compared(then, None, "not measured this time", False)
    if _digits(now) == _digits(then):
        return Compared(then, now, SAME, True)
    if now.n != then.n:
        return Compared(then, now, f"measured on {now.n:,} instead of {then.n:,}, so not comparable", False)
    apart = now.value - then.value
    inside = abs(apart) <= allowed.reach + ROUNDING
    words = (
        f"{apart:+.3g}, {'within' if inside else 'outside'} the band of {allowed.reach:.3g} {then.unit} ({allowed.why})"
    )
    if inside and exact:
        words += "; but this machine is what the record says of its own, so every digit, its interval's too, should be"
    return Compared(then, now, words, inside and not exact)


def _digits(metric: Metric) -> tuple[float | None, ...]:
    return metric.value, metric.low, metric.high, metric.n
