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
    def value(self) -> float:
        return self.printed.value

    @property
    def tolerance(self) -> float | None:
        return self.printed.tolerance

    @property
    def measured(self) -> float | None:
        return self.evidence.measured if self.evidence else None

    @property
    def low(self) -> float | None:
        """Lower end of the 95 % interval of the measured value."""
        return _end(self.evidence and self.evidence.value, "low")

    @property
    def high(self) -> float | None:
        return _end(self.evidence and self.evidence.value, "high")

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
    def n(self) -> int | None:
        """What the measured value was taken on (pairs, sentences, steps)."""
        evidence = self.evidence
        if evidence is None:
            return None
        told = (evidence.value, *evidence.seeds, evidence.difference, *evidence.difference_seeds)
        return next((metric.n for metric in told if metric is not None), None)

    @property
    def seeds(self) -> int:
        """Training seeds behind the measured value; 0 where nothing was measured."""
        if self.evidence is None:
            return 0
        effect = self.evidence.difference
        over = effect.n if effect and effect.unit == SPREAD else 1
        return max(over, len(self.evidence.seeds), len(self.evidence.difference_seeds))

    @property
    def band(self) -> tuple[float, float] | None:
        """Where one more training seed is expected; None with fewer than two seeds."""
        return seed_band([metric.value for metric in self.evidence.seeds]) if self.evidence else None

    @property
    def profile(self) -> str | None:
        return self.evidence.profile if self.evidence else None

    @property
    def run(self) -> str | None:
        return self.evidence.run if self.evidence else None

    def as_dict(self) -> dict[str, Any]:
        """A row for JSON: nothing in it is NaN."""
        row: dict[str, Any] = {"id": self.id, "place": self.place, "printed": self.text}
        row |= {"value": None if math.isnan(self.value) else self.value, "status": self.printed.status}
        row |= {"kind": self.printed.kind, "unit": self.printed.unit}
        row |= {name: getattr(self, name) for name in ("tolerance", "measured", "low", "high", "state", "reason")}
        row |= {"reference": self.printed.reference, "printed_difference": self.printed.difference}
        row |= {name: getattr(self, name) for name in ("difference", "difference_low", "difference_high", "n", "seeds")}
        return row | {"band": self.band, "profile": self.profile, "run": self.run}


def _end(metric: Metric | None, name: str) -> float | None:
    return getattr(metric, name) if metric else None
