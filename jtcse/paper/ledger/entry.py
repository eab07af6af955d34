"""An entry of the ledger: what was printed and what was measured. Its state is worked out from these; nobody can set it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jtcse.core.record import Metric
from jtcse.paper.ledger.judging import Evidence, Printed, Verdict, judge, seed_band

SPREAD = "log ratio"  # unit of an effect on deviations over seeds: its n are seeds


@dataclass(frozen=True)
class Entry:
    """One printed value, or one claim, and what the records say about it.

    Its fields are only these two; every other attribute follows from them.
    """

    printed: Printed
    evidence: Evidence | None = None

    @cached_property
    def _verdict(self) -> Verdict:
        return judge(self.printed, self.evidence)

    @property
    def state(self) -> str:
        """One of ``STATES``."""
        return self._verdict.state

    @property
    def reason(self) -> str:
        """Why it is in that state, with the numbers."""
        return self._verdict.reason

    @property
    def id(self) -> str:
        return self.printed.id

    @property
    def place(self) -> str:
        """Where it is printed: ``table10``, ``figure7``, ``prose``, or ``claim``."""
        return self.printed.place

    @property
    def text(self) -> str:
        """As printed; of a claim its words."""
        return self.printed.text

    @property
    def measured(self) -> float | None:
        return self.evidence.measured if self.evidence else None

    @property
    def difference(self) -> float | None:
        """Measured: to the reference row, or the effect behind a claim."""
        return _end(self.evidence and self.evidence.difference, "value")

    @property
    def difference_low(self) -> float | None:
        return _end(self.evidence and self.evidence.difference, "low")

    @property
    def difference_high(self) -> float | None:
        return _end(self.evidence and self.evidence.difference, "high")

    @property
    def seeds(self) -> int:
        """Training seeds behind the measured value; 0 where nothing was measured."""
        if self.evidence is None:
            return 0
        effect = self.evidence.difference
        over = effect.n if effect and effect.unit == SPREAD else 1
        return max(over, len(self.evidence.seeds), len(self.evidence.difference_seeds))

    @property
    def profile(self) -> str | None:
        return self.evidence.profile if self.evidence else None

    @property
    def run(self) -> str | None:
        return self.evidence.run if self.evidence else None

    def as_dict(self) -> dict[str, Any]:
        """A row for JSON: nothing in it is NaN. ``n`` is what the measured value was taken on (pairs, sentences, steps), ``band``
        where one more training seed is expected."""
        printed, found = self.printed, self.evidence
        told = (found.value, *found.seeds, found.difference, *found.difference_seeds) if found else ()
        row: dict[str, Any] = {"id": self.id, "place": self.place, "printed": self.text}
        row |= {"value": None if math.isnan(printed.value) else printed.value, "status": printed.status}
        row |= {"kind": printed.kind, "unit": printed.unit, "tolerance": printed.tolerance, "measured": self.measured}
        row |= {end: _end(found and found.value, end) for end in ("low", "high")}
        row |= {"state": self.state, "reason": self.reason, "reference": printed.reference}
        row |= {"printed_difference": printed.difference, "difference": self.difference}
        row |= {"difference_low": self.difference_low, "difference_high": self.difference_high}
        row |= {"n": next((metric.n for metric in told if metric is not None), None), "seeds": self.seeds}
        band = seed_band([metric.value for metric in found.seeds]) if found else None
        return row | {"band": band, "profile": self.profile, "run": self.run}


def _end(metric: Metric | None, name: str) -> float | None:
    return getattr(metric, name) if metric else None
