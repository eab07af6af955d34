"""Figures of the fair race, out of the frame of ``jtcse.pages.race.standing``: a row a system, the best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jtcse.pages.furniture.style import COLOURS, CYCLE, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

ROW = 0.27  # inches of a system's line
LONGEST = 20  # letters of a system's name; the table has the whole one


def standings(frame: DataFrame) -> Figure:
    """The average of each system with its interval and its single seeds, and its place with the range of places."""
    figure, (score, place) = panels(2, columns=2, height=ROW * len(frame) + 1.4, sharey=True)
    rows = np.arange(len(frame))
    score.hlines(rows, frame["average_low"], frame["average_high"], color=COLOURS["jtcse"], linewidth=2)
    score.plot(frame["average"], rows, "o", color=COLOURS["jtcse"], markersize=5, label="mean, 95 % interval")
    for row, seeds in enumerate(frame["seeds"]):
        label = "" if row else "single seeds"
        score.plot(
            seeds, [row] * len(seeds), "|", color=COLOURS["tower_1"], markersize=10, markeredgewidth=2, label=label
        )
    place.hlines(rows, frame["rank_low"], frame["rank_high"], color=COLOURS["jtcse"], linewidth=2)
    place.plot(frame["rank"], rows, "o", color=COLOURS["jtcse"], markersize=5)
    for axis, label in ((score, "average, points"), (place, "rank, 1 is best")):
        _name_rows(axis, frame)
        axis.set_xlabel(label)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def costs(frame: DataFrame) -> Figure:
    """Minutes of a system's own trainings and, lighter, of those that it is made from; the peak memory of the process."""
    figure, axes = panels(2, columns=2, height=ROW * len(frame) + 1.1, sharey=True)
    axes[0].barh(range(len(frame)), frame["all_minutes"], color=COLOURS["start"], alpha=0.35)
    for axis, what, label in zip(axes, ("minutes", "memory"), ("minutes", "MiB"), strict=True):
        axis.barh(range(len(frame)), frame[what], color=COLOURS["start"])
        axis.set_xlabel(label)
        axis.set_title("training" if what == "minutes" else "peak memory")
        _name_rows(axis, frame)
    return figure


def beside_print(frame: DataFrame) -> Figure:
    """Two columns of places: by the printed average, and measured among the same systems, joined by lines.

    Args:
        frame: systems that have both a measured and a printed average.
    """
    figure, (axis,) = panels(height=ROW * len(frame) + 1.2)
    printed = frame["printed"].rank(ascending=False, method="first")
    measured = frame["average"].rank(ascending=False, method="first")
    for number, system in enumerate(frame.index):
        ends, name = (printed[system], measured[system]), _short(frame["title"][system])
        axis.plot((0, 1), ends, "-o", color=CYCLE[number % len(CYCLE)], alpha=0.8, markersize=5)
        for x, text, side in (
            (-0.04, f"{name} {frame['printed'][system]:.2f}", "right"),
            (1.04, f"{frame['average'][system]:.2f} {name}", "left"),
        ):
            axis.text(x, ends[x > 0], text, ha=side, va="center", fontsize=9)
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
        axis.set_title(_short(title), fontsize=8)
        axis.tick_params(labelsize=7)
    figure.supxlabel("step of the last training", fontsize=10)
    figure.supylabel("development score, points", fontsize=10)
    return figure


def _name_rows(axis: Axes, frame: DataFrame) -> None:
    axis.set_yticks(range(len(frame)), frame["title"].map(_short), fontsize=9)
    axis.set_ylim(len(frame) - 0.4, -0.6)
    axis.grid(False, axis="y")


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"
