"""Findings and verdicts as tables of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jtcse.audit.claims import Verdict
from jtcse.audit.finding import Finding, short
from jtcse.paper.printed import claims
from jtcse.tables import table

if TYPE_CHECKING:
    from IPython.display import HTML

NONE = "none"


def findings_table(found: Sequence[Finding], strength: str) -> HTML:
    """The findings of one strength: where, by which rule, and the sentence with its numbers."""
    import pandas as pd

    rows = [
        {"place": short(one.place), "rule": one.rule, "what was found": one.sentence}
        for one in found
        if one.strength == strength
    ]
    return table(pd.DataFrame(rows or [{"place": "", "rule": "", "what was found": NONE}]))


def verdicts_table(judged: Sequence[Verdict], *states: str) -> HTML:
    """Claims whose verdict is one of these states, with what the tables say."""
    import pandas as pd

    words = claims()["text"]
    rows = [
        {
            "claim": one.claim.partition("/")[2],
            "in our words": words[one.claim],
            "state": one.state,
            "tables": one.sentence,
        }
        for one in judged
        if one.state in states
    ]
    return table(pd.DataFrame(rows or [{"claim": "", "in our words": NONE, "state": "", "tables": ""}]))
