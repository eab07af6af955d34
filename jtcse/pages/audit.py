"""Findings and verdicts of the audit as tables and a figure of its page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jtcse.pages.furniture.style import COLOURS, panels
from jtcse.pages.furniture.tables import rows_table
from jtcse.paper.audit.finding import Finding, short
from jtcse.paper.audit.judging import Verdict
from jtcse.paper.printed import claims

if TYPE_CHECKING:
    from IPython.display import HTML
    from matplotlib.figure import Figure
    from pandas import DataFrame

NONE = "none"


def findings_table(found: Sequence[Finding], strength: str) -> HTML:
    """The findings of one strength: where, by which rule, and the sentence with its numbers."""
    own = [one for one in found if one.strength == strength]
    rows = [{"place": short(one.place), "rule": one.rule, "what was found": one.sentence} for one in own]
    return rows_table(rows or [{"place": "", "rule": "", "what was found": NONE}])


def verdicts_table(judged: Sequence[Verdict], *states: str) -> HTML:
    """Claims whose verdict is one of these states, with what the tables say."""
    words, names = claims()["text"], ("claim", "in our words", "state", "tables")
    own = [one for one in judged if one.state in states]
    rows = [(one.claim.partition("/")[2], words[one.claim], one.state, one.sentence) for one in own]
    return rows_table([dict(zip(names, row, strict=True)) for row in rows or [("", NONE, "", "")]])


def off_averages(margins: DataFrame) -> Figure:
    """How far each printed average lies from the mean of its cells, in units of what rounding allows.

    Args:
        margins: as of ``audit.margins``; beyond 1 on either side an average contradicts its cells.
    """
    places = list(dict.fromkeys(margins["place"]))
    figure, (axis,) = panels(height=0.42 * len(places) + 1.2)
    off = (margins["printed"] - margins["mean"]) / margins["allowed"]
    beyond = off.abs() > 1 + 1e-9
    sizes = margins.groupby("place").size()[places]
    rows = np.concatenate([row + np.linspace(-0.3, 0.3, n) for row, n in enumerate(sizes)])
    axis.axvspan(-1, 1, color="#DDDDDD", alpha=0.6, linewidth=0)
    axis.scatter(off[~beyond], rows[~beyond], s=14, color=COLOURS["start"])
    axis.scatter(off[beyond], rows[beyond], s=40, color=COLOURS["jtcse"], marker="D", clip_on=False)
    axis.set_xscale("symlog", linthresh=1)
    most = max(2.0, float(off.abs().max()) * 1.3)
    axis.set(xlim=(-most, most), xlabel="printed average minus mean of its cells,\nin units of what rounding allows")
    axis.set_xticks([tick for tick in (-10, -3, -1, 0, 1, 3, 10) if abs(tick) <= most])
    axis.xaxis.set_major_formatter("{x:g}")
    axis.minorticks_off()
    axis.set_yticks(range(len(places)), [short(place) for place in places])
    axis.invert_yaxis()
    return figure
