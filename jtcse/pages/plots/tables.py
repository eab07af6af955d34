"""Figures of the pages of Tables I to VI: each function takes data and returns a figure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from jtcse.pages.furniture.style import COLOURS, CYCLE, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame, Series

NEAR = 5  # points
TICKS, REACH = (-40, -5, 0, 5, 20), (-60, 30)  # points
ROW = 0.27  # inches of a model's line
DARKEST = 0.7  # a place that a model has this often is darkest
LONGEST = 24  # letters of a task's name beside a map; the tables have the whole names


def rank_map(ranks: DataFrame, own: Collection[str]) -> Figure:
    """Each model's place on each row, dark for the first; the place is written in its cell.

    Args:
        ranks: rows x models, 1 is best.
        own: models whose names stand out.
    """
    rows, models = ranks.shape
    figure, (axis,) = panels(height=0.23 * rows + 1.2)
    axis.imshow(ranks, cmap="Blues_r", vmin=1, vmax=models, aspect="auto")
    for row, column in ((r, c) for r in range(rows) for c in range(models)):
        place = ranks.iat[row, column]
        shade = "white" if place <= models / 2 else "black"
        axis.text(column, row, f"{place:.0f}", ha="center", va="center", fontsize=8, color=shade)
    axis.set_yticks(range(rows), [_short(str(name)) for name in ranks.index], fontsize=9)
    axis.set_xticks(range(models), ranks.columns, rotation=60, ha="left", rotation_mode="anchor", fontsize=9)
    axis.xaxis.tick_top()
    _mark(axis.get_xticklabels(), own)
    axis.grid(False)
    return figure


def _short(name: str) -> str:
    name = name.removesuffix("LegalBench")
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _mark(labels: list, own: Collection[str]) -> None:
    for label in labels:
        if label.get_text() in own:
            label.set(color=COLOURS["jtcse"], fontweight="bold")


def leads(frame: DataFrame, system: str, own: Collection[str]) -> Figure:
    """The mean lead of a system over each other one, with its interval where the frame has ``low`` and ``high``."""
    frame = frame.sort_values("difference")
    figure, (axis,) = panels(height=0.3 * len(frame) + 1.1)
    if "low" in frame:
        axis.hlines(range(len(frame)), frame["low"], frame["high"], color="#444444", linewidth=2)
    axis.plot(frame["difference"], range(len(frame)), "D", color=COLOURS["jtcse"], markersize=6)
    axis.axvline(0, color="#222222", linewidth=1)
    axis.set_yticks(range(len(frame)), frame.index)
    _mark(axis.get_yticklabels(), own)
    axis.set_xlabel(f"printed mean of {system} minus that of ..., points")
    return figure


def standing(frame: DataFrame, shares: DataFrame, own: Collection[str], title: str) -> Figure:
    """Each model's mean with its interval, and how often it has each place when the rows are drawn anew.

    Args:
        frame: of ``chapters.zero_shot_ranking.standing``: the best first.
        shares: of its ``place_shares``: the same models x places, shares.
        own: models in the colour of the paper's own systems.
        title: what is drawn, in words.
    """
    rows = range(len(frame))
    figure, (mean, place) = panels(2, columns=2, height=ROW * len(frame) + 1.3, sharey=True)
    colours = [COLOURS["jtcse" if model in own else "start"] for model in frame.index]
    mean.hlines(rows, frame["low"], frame["high"], color=colours, linewidth=2)
    mean.scatter(frame["mean"], rows, color=colours, s=30, zorder=3)
    mean.set_xlabel("mean, points")
    mean.set_yticks(rows, frame.index)
    _mark(mean.get_yticklabels(), own)
    place.imshow(shares, cmap="Blues", vmin=0, vmax=DARKEST, aspect="auto")
    for row, (model, at) in enumerate(frame["place"].items()):
        edge = "white" if shares.loc[model, at] > DARKEST / 2 else "#222222"
        place.plot(at - 1, row, "D", color="none", markeredgecolor=edge, markersize=6)
    place.set_xticks(range(shares.shape[1]), shares.columns, fontsize=9)
    place.set_xlabel("place; dark: often")
    place.grid(False)
    figure.suptitle(title, fontsize=11)
    return figure


def beside_reference(printed: Series, measured: Mapping[str, tuple[float, float, float]], reference: str) -> Figure:
    """Table I's differences to the row of reference: printed ones, and in a second panel the measured ones.

    Two panels, since with other data and another encoder sizes are not comparable, directions are. The scale is
    logarithmic beyond ``NEAR`` points: the row before training is far from all others.

    Args:
        printed: model to printed difference, points.
        measured: model to difference and the ends of its interval.
    """
    printed = printed.sort_values()
    figure, axes = panels(2, columns=2, height=0.27 * len(printed) + 1.1, sharey=True)
    rows = {model: row for row, model in enumerate(printed.index)}
    axes[0].plot(printed, range(len(printed)), "D", color=COLOURS["start"], markersize=6)
    for model, (value, low, high) in measured.items():
        axes[1].plot([low, high], [rows[model]] * 2, color=CYCLE[0], linewidth=2.5)
        axes[1].plot(value, rows[model], "o", color=CYCLE[0], markersize=7)
    _furnish(axes, list(printed.index), reference)
    _mark(axes[0].get_yticklabels(), measured)
    return figure


def _furnish(axes: list[Axes], models: list[str], reference: str) -> None:
    for axis, title in zip(axes, ("printed", "measured here"), strict=True):
        axis.axvline(0, color="#222222", linewidth=1)
        axis.set_title(title)
        axis.set_xlabel(f"minus {reference}, points")
        axis.set_xscale("symlog", linthresh=NEAR)
        axis.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axis.set_xlim(min(REACH[0], axis.get_xlim()[0]), max(REACH[1], axis.get_xlim()[1]))
        axis.minorticks_off()
        axis.set_ylim(-0.7, len(models) - 0.3)
    axes[0].set_yticks(range(len(models)), models, fontsize=9)
