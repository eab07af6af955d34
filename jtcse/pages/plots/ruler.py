"""Figures of the ruler: what can be told apart, task by task, and where the printed differences stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jtcse.pages.furniture.style import COLOURS, CYCLE, panels

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from pandas import DataFrame

SMALLEST = 0.02  # points; a printed difference of 0 stands at the left edge of the logarithmic axis
FINE, COARSE = (1, 2, 5), (1, 3)  # marks in a power of ten


def ruler(marks: DataFrame, points: Mapping[str, Mapping[str, float]]) -> Figure:
    """The minimum detectable difference of each task, a bar from the most alike pair of systems to the least.

    Args:
        marks: ``jtcse.pages.ruler.marks``.
        points: printed differences as words to task to points; drawn by their size, in black.
    """
    figure, (axis,) = panels(height=0.42 * len(marks) + 1.8)
    colours = [COLOURS["jtcse" if task == "average" else "tower_1"] for task in marks.index]
    rows = range(len(marks))
    axis.hlines(rows, marks["lowest"], marks["highest"], color=colours, linewidth=8, alpha=0.3)
    axis.scatter(marks["towers"], rows, marker="|", s=14**2, linewidths=3, color=colours)
    for (words, by_task), shape in zip(points.items(), "Ds^", strict=False):
        sizes = [max(abs(value), SMALLEST) for value in by_task.values()]
        at = marks.index.get_indexer(list(by_task))
        axis.plot(sizes, at, shape, color="#222222", fillstyle="none", markersize=6, label=f"printed: {words}")
    axis.set_yticks(rows, marks.index)
    axis.set(xlabel="points", ylim=(len(marks) - 0.5, -0.5), xscale="log")
    _plain_log(axis.xaxis, FINE)
    figure.legend(loc="outside upper left")
    return figure


def steps(steps: DataFrame, lowest: float, highest: float) -> Figure:
    """Printed differences between neighbouring rows, a line a table, over the band that the average's ruler spans."""
    blocks = list(dict.fromkeys(steps["block"]))
    figure, (axis,) = panels(height=0.5 * len(blocks) + 1.4)
    axis.axvspan(lowest, highest, color=COLOURS["jtcse"], alpha=0.18, linewidth=0, label="marks of the average")
    for row, block in enumerate(blocks):
        sizes = steps.loc[steps["block"] == block, "step"].abs().clip(lower=SMALLEST)
        axis.plot(sizes, [row] * len(sizes), "o", color=CYCLE[row], alpha=0.6, markersize=8)
    axis.set_yticks(range(len(blocks)), [block.replace(", ", ",\n") for block in blocks])
    axis.set(xlabel="size of the printed difference, points", ylim=(len(blocks) - 0.5, -0.5), xscale="log")
    _plain_log(axis.xaxis, COARSE)
    figure.legend(loc="outside upper left")
    return figure


def alike(comparisons: DataFrame) -> Figure:
    """How unlike two systems are against what can be told apart, a dot a pair of systems and task; both logarithmic."""
    figure, (axis,) = panels(height=3.6)
    for number, (task, rows) in enumerate(comparisons.groupby(level="task", sort=False)):
        marker, colour = ("D", "#222222") if task == "average" else ("o", CYCLE[number % len(CYCLE)])
        axis.plot(1 - rows["alike"], rows["mdd"], marker, color=colour, markersize=5, alpha=0.8, label=task)
    axis.set(xlabel="1 − correlation of the two systems", ylabel="minimum detectable\ndifference, points")
    axis.set(xscale="log", yscale="log")
    _plain_log(axis.xaxis, COARSE)
    _plain_log(axis.yaxis, FINE)
    figure.legend(loc="outside upper left", ncols=3)
    return figure


def _plain_log(side: Axis, subs: tuple[int, ...]) -> None:
    """A logarithmic axis with 0.1 and not 10 to the power of -1."""
    from matplotlib.ticker import LogLocator, NullLocator

    side.set_major_locator(LogLocator(subs=subs))
    side.set_minor_locator(NullLocator())
    side.set_major_formatter("{x:g}")
