"""The figure of the page on methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jtcse.chapters.methods import STAGES
from jtcse.look import CYCLE, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


def tries(frame: DataFrame) -> Figure:
    """Development score against steps, a panel a stage, a line a learning rate, a ring at the best look of each stage."""
    there = [stage for stage in STAGES if (frame["stage"] == stage).any()]
    figure, axes = panels(len(there), height=3.4)
    for axis, stage in zip(axes, there, strict=True):
        own = frame[frame["stage"] == stage]
        for colour, (rate, some) in zip(CYCLE, own.groupby("rate"), strict=False):
            axis.plot(some["step"], some["development"], "o-", color=colour, markersize=4, label=f"{rate:.0e}")
        best = own[own["step"] > 0].nlargest(1, "development")
        axis.plot(best["step"], best["development"], "o", color="#222222", markersize=11, fillstyle="none")
        axis.set(xlabel="step", title=STAGES[stage])
        axis.legend(title="learning rate", fontsize="small")
    axes[0].set(ylabel="development score, points")
    return figure
