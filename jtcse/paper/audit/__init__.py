"""An audit of the paper by program: rules over the printed numbers alone, no list of known slips.

``findings()`` is what ``jtcse audit`` and the page print; ``checks()`` says how much each rule could test, so that what
was found can be weighed against what was in order. Both take a frame of ``printed.values``, so that tests can break one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jtcse.paper import printed
from jtcse.paper.audit import arithmetic, cells, claims, metrics
from jtcse.paper.audit.arithmetic import margins
from jtcse.paper.audit.finding import STRENGTHS, Finding, Interval, Result
from jtcse.paper.audit.judging import Verdict

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["RULES", "STRENGTHS", "Finding", "Interval", "checks", "counts", "findings", "margins", "verdicts"]

RULES: dict[str, Callable[[DataFrame], Result]] = {
    "averages follow from their cells": arithmetic.averages,
    "derived values follow from what they derive from": arithmetic.derived,
    "a quantity printed twice is the same": arithmetic.twice,
    "claims of the prose agree with the tables": claims.ranking,
    "best and second are marked where they are": claims.marks,
    "retrieval metrics are possible together": metrics.retrieval,
    "scores of small sets lie on their grid": metrics.granularity,
    "sets are large enough to rank on": metrics.coarse,
    "rows and columns are not copies": cells.repeated_lines,
    "neighbouring cells are not copies": cells.copied_cells,
    "one test set gives one score": cells.one_set_twice,
    "two systems have two scores": cells.one_score_for_two,
}
"""What each rule expects, in words, and the rule."""


def results(values: DataFrame | None = None) -> dict[str, Result]:
    """What each rule examined and found. ``values``: a frame as of ``printed.values``, which is the default."""
    frame = printed.values() if values is None else values
    return {words: rule(frame) for words, rule in RULES.items()}


def findings(values: DataFrame | None = None) -> list[Finding]:
    """All findings, the strongest first, in the order of the rules."""
    found = [finding for result in results(values).values() for finding in result.findings]
    return sorted(found, key=lambda finding: STRENGTHS.index(finding.strength))


def counts(found: list[Finding]) -> dict[str, int]:
    """How many findings there are of each strength."""
    return {strength: sum(finding.strength == strength for finding in found) for strength in STRENGTHS}


def checks(values: DataFrame | None = None) -> DataFrame:
    """Per rule: what it expects, how many places it could test, and how many findings of each strength it has."""
    import pandas as pd

    rows = [
        {"the paper should show that": words, "tested": result.examined, **counts(result.findings)}
        for words, result in results(values).items()
    ]
    return pd.DataFrame(rows)


def verdicts(values: DataFrame | None = None) -> list[Verdict]:
    """What the tables say on each claim of the prose; states are ``claims.STATES``."""
    return claims.verdicts(printed.values() if values is None else values)
