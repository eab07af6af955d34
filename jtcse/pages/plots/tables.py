"""Figures of the pages of Tables I to VI: each function takes data and returns a figure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from jtcse.pages.furniture.style import COLOURS, CYCLE, panels, shorten
from jtcse.pages.plots import cell_map
from jtcse.pages.plots.intervals import Series, beside, intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from pandas import Series as Column

NEAR = 5  # points
TICKS, REACH = (-40, -5, 0, 5, 20), (-60, 30)  # points
DARKEST = 0.7  # a place that a model has this often is darkest


def rank_map(ranks: DataFrame, own: Collection[str]) -> Figure:
    """Each model's place on each row, dark for the first; the place is written in its cell.

    Args:
        ranks: rows x models, 1 is best.
        own: models whose names stand out.
    """
    models = ranks.shape[1]
    shown = ranks.rename(index=lambda name: shorten(str(name).removesuffix("LegalBench"), 24))
    texts = ranks.map("{:.0f}".format).to_numpy()
    figure = cell_map(shown, texts, (ranks <= models / 2).to_numpy(), row=0.23, cmap="Blues_r", vmin=1, vmax=models)
    _mark(figure.axes[0].get_xticklabels(), own)
    return figure


def _mark(labels: list, own: Collection[str]) -> None:
    for label in labels:
        if label.get_text() in own:
            label.set(color=COLOURS["jtcse"], fontweight="bold")


def leads(frame: DataFrame, system: str, own: Collection[str]) -> Figure:
    """The mean lead of a system over each other one, with its interval where the frame has ``low`` and ``high``."""
    frame = frame.sort_values("difference", ascending=False)
    figure, (axis,) = panels(height=0.3 * len(frame) + 1.1)
    series = Series(frame["difference"], frame.get("low"), frame.get("high"), marker="D")
    intervals(axis, frame.index, [series], f"printed mean of {system} minus that of ..., points", reference=0)
    _mark(axis.get_yticklabels(), own)
    return figure


def standing(frame: DataFrame, shares: DataFrame, own: Collection[str], title: str) -> Figure:
    """Each model's mean with its interval, and how often it has each place when the rows are drawn anew.

    Args:
        frame: of ``pages.zero_shot.ranking.standing``: the best first.
        shares: of its ``place_shares``: the same models x places, shares.
        own: models in the colour of the paper's own systems.
        title: what is drawn, in words.
    """
    figure, (mean, place) = panels(2, columns=2, height=0.27 * len(frame) + 1.3, sharey=True)
    colours = [COLOURS["jtcse" if model in own else "start"] for model in frame.index]
    intervals(mean, frame.index, [Series(frame["mean"], frame["low"], frame["high"], "", colours)], "mean, points")
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


def beside_reference(printed: Column, measured: Mapping[str, tuple[float, float, float]], reference: str) -> Figure:
    """Table I's differences to the row of reference: printed ones, and in a second panel the measured ones.

    Two panels, since with other data and another encoder sizes are not comparable, directions are. The scale is
    logarithmic beyond ``NEAR`` points: the row before training is far from all others.

    Args:
        printed: model to printed difference, points.
        measured: model to difference and the ends of its interval.
    """
    printed = printed.sort_values(ascending=False)
    found = np.array([measured.get(model, (np.nan,) * 3) for model in printed.index]).T
    titles, label = ("printed", "measured here"), f"minus {reference}, points"
    figure = beside(printed.index, printed, Series(*found, colour=CYCLE[0]), titles, label, row=0.27)
    for axis in figure.axes:
        axis.set_xscale("symlog", linthresh=NEAR)
        axis.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axis.set_xlim(min(REACH[0], axis.get_xlim()[0]), max(REACH[1], axis.get_xlim()[1]))
        axis.minorticks_off()
    _mark(figure.axes[0].get_yticklabels(), measured)
    return figure
