"""Figures of the fair race, out of the frame of ``jtcse.pages.race.standing``: a row a system, the best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jtcse.pages.furniture.style import COLOURS, CYCLE, panels, shorten
from jtcse.pages.plots.intervals import Series, intervals, legend

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

ROW = 0.27  # inches of a system's line
LONGEST = 20  # letters of a system's name; the table has the whole one


def standings(frame: DataFrame) -> Figure:
    """The average of each system with its interval and its single seeds, and its place with the range of places."""
    figure, axes = panels(2, columns=2, height=ROW * len(frame) + 1.4, sharey=True)
    score = Series(*_ends(frame, "average"), "mean, 95 % interval", strokes=list(frame["seeds"]))
    for axis, series, label in zip(
        axes, (score, Series(*_ends(frame, "rank"))), ("average, points", "rank, 1 is best"), strict=True
    ):
        intervals(axis, _names(frame), [series], label, size=5, fontsize=9, lines=False)
    return legend(figure)


def _ends(frame: DataFrame, what: str) -> list:
    return [frame[what], frame[f"{what}_low"], frame[f"{what}_high"]]


def _names(frame: DataFrame) -> list[str]:
    return [shorten(title, LONGEST) for title in frame["title"]]


def costs(frame: DataFrame) -> Figure:
    """Minutes of a system's own trainings and, lighter, of those that it is made from; the peak memory of the process."""
    figure, axes = panels(2, columns=2, height=ROW * len(frame) + 1.1, sharey=True)
    axes[0].barh(range(len(frame)), frame["all_minutes"], color=COLOURS["start"], alpha=0.35)
    panel = (("minutes", "minutes", "training"), ("memory", "MiB", "peak memory"))
    for axis, (what, label, title) in zip(axes, panel, strict=True):
        axis.barh(range(len(frame)), frame[what], color=COLOURS["start"])
        axis.set_yticks(range(len(frame)), _names(frame), fontsize=9)
        axis.set(xlabel=label, title=title, ylim=(len(frame) - 0.4, -0.6))
        axis.grid(False, axis="y")
    return figure


def beside_print(frame: DataFrame) -> Figure:
    """Two columns of places: by the printed average, and measured among the same systems, joined by lines.

    Args:
        frame: systems that have both a measured and a printed average.
    """
    figure, (axis,) = panels(height=ROW * len(frame) + 1.2)
    places = frame[["printed", "average"]].rank(ascending=False, method="first")
    for number, (name, row) in enumerate(zip(_names(frame), frame.itertuples(), strict=True)):
        left, right = places.iloc[number]
        axis.plot((0, 1), (left, right), "-o", color=CYCLE[number % len(CYCLE)], alpha=0.8, markersize=5)
        axis.text(-0.04, left, f"{name} {row.printed:.2f}", ha="right", va="center", fontsize=9)
        axis.text(1.04, right, f"{row.average:.2f} {name}", ha="left", va="center", fontsize=9)
    axis.set_xticks((0, 1), ("printed", "measured here"))
    axis.set(xlim=(-1.1, 2.1), ylim=(len(frame) + 0.6, 0.4), yticks=())
    axis.xaxis.tick_top()
    axis.grid(False)
    axis.spines[:].set_visible(False)
    return figure


def development(looks: Mapping[str, Sequence[tuple[int, float]]]) -> Figure:
    """Development scores over steps, a small panel a system, all on one scale of points; a broken line is where it began."""
    figure, axes = panels(len(looks), columns=3, height=1.25, sharey=True)
    for axis, (title, rows) in zip(axes, looks.items(), strict=True):
        steps, points = zip(*rows, strict=True)
        axis.axhline(points[0], color="#444444", linestyle="--", linewidth=0.8)
        axis.plot(steps, points, "-o", color=COLOURS["jtcse"], markersize=3, linewidth=1.4)
        axis.set_title(shorten(title, LONGEST), fontsize=8)
        axis.tick_params(labelsize=7)
    figure.supxlabel("step of the last training", fontsize=10)
    figure.supylabel("development score, points", fontsize=10)
    return figure
