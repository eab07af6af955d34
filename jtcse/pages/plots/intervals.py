"""One interval plot for every page: a line a row, marks with their intervals, single values as strokes, a level of reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jtcse.pages.furniture.style import COLOURS, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Row = Sequence[float]

STROKE = COLOURS["tower_1"]


class Series(NamedTuple):
    """One mark a row; NaN where a row has none."""

    values: Row
    low: Row | None = None  # ends of each interval
    high: Row | None = None
    label: str = ""
    colour: str | Sequence[str] = COLOURS["jtcse"]  # of all rows, or one a row
    marker: str = "o"
    strokes: Sequence[Row] = ()  # single values behind each mark, such as those of single seeds
    strokes_label: str = "single seeds"
    stroke: str = STROKE  # colour of these


def intervals(
    axis: Axes,
    names: Sequence[str],
    series: Sequence[Series],
    xlabel: str = "",
    *,
    reference: float | None = None,
    step: float = 0.0,
    size: float = 6.0,
    stroke: float = 11.0,
    fontsize: float = 10.0,
    lines: bool = True,
) -> None:
    """Draw series on an axis, the first row on top.

    Args:
        names: of the rows.
        reference: where an upright line stands.
        step: how far two series of a row lie apart, rows being 1 apart.
        size, stroke: of a mark, and the height of a stroke, in points.
        lines: whether a thin line runs through each row.
    """
    rows = np.arange(len(names))
    for number, one in enumerate(series):
        at = rows + (number - (len(series) - 1) / 2) * step
        if one.low is not None:
            axis.hlines(at, one.low, one.high, color=one.colour, linewidth=2)
        axis.scatter(one.values, at, s=size**2, marker=one.marker, color=one.colour, label=one.label, zorder=3)
        if len(one.strokes):
            values, heights = np.concatenate([*one.strokes]), np.repeat(at, [len(some) for some in one.strokes])
            look = {"color": one.stroke, "markersize": stroke, "markeredgewidth": 1.5}
            axis.plot(values, heights, "|", label=one.strokes_label, **look)
    if reference is not None:
        axis.axvline(reference, color="#444444", linewidth=1)
    axis.set_yticks(rows, names, fontsize=fontsize)
    axis.set(xlabel=xlabel, ylim=(len(names) - 0.5, -0.5))
    axis.grid(lines, axis="y")


def beside(
    names: Sequence[str], printed: Row, measured: Series, titles: Sequence[str], label: str, row: float = 0.36
) -> Figure:
    """Printed differences to the left and measured ones to the right, each on an axis of its own: sizes are not comparable.

    Args:
        row: inches of a row.
    """
    figure, axes = panels(2, columns=2, height=row * len(names) + 1.5, sharey=True)
    left = Series(printed, colour="#222222", marker="D")
    for axis, one, title in zip(axes, (left, measured), titles, strict=True):
        intervals(axis, names, [one], reference=0, fontsize=10 if row > 0.3 else 9)
        axis.set_title(title)
    figure.supxlabel(label, fontsize=11)
    return figure


def legend(figure: Figure, columns: int = 2) -> Figure:
    """The same figure with its legend above."""
    figure.legend(loc="outside upper center", ncols=columns)
    return figure
