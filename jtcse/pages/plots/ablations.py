"""Figures of the ablations: differences beside the printed ones, seeds, LayerNorms, energy against score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jtcse.pages.furniture.style import COLOURS, CYCLE, panels
from jtcse.pages.plots.intervals import STROKE, Series, beside, intervals, legend

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from jtcse.evaluation.statistics.spearman import Estimate

MEAN = "mean, 95 % interval"


def beside_printed(frame: DataFrame, reference: str) -> Figure:
    """Differences to a reference: printed to the left, measured to the right, each on an axis of its own.

    Args:
        frame: columns label, printed, measured, low, high, seeds (``pages.ablations.differences``), in points.
        reference: what they are differences to, for the axes.
    """
    measured = Series(frame["measured"], frame["low"], frame["high"], MEAN, strokes=frame["seeds"])
    titles, label = ("printed", "measured"), f"points above {reference}"
    return legend(beside(list(frame["label"]), frame["printed"], measured, titles, label))


def over_seeds(values: Mapping[str, Sequence[float]], means: Mapping[str, Estimate]) -> Figure:
    """Each system's score at each seed (dots), and the mean over seeds with its interval over pairs beside them."""
    figure, (axis,) = panels(height=3.4)
    for place, (name, points) in enumerate(values.items()):
        spread, mean, beside = place + np.linspace(-0.12, 0.12, len(points)), means[name], place + 0.25
        axis.plot(spread, points, "o", color=STROKE, label="" if place else "seeds")
        axis.vlines(beside, mean.low, mean.high, color=COLOURS["jtcse"], linewidth=2)
        axis.plot(beside, mean.points, "D", color=COLOURS["jtcse"], label="" if place else MEAN)
    axis.set_xticks(range(len(values)), values)
    axis.set(ylabel="average of the tasks, points", xlim=(-0.5, len(values) - 0.4))
    axis.grid(False, axis="x")
    return legend(figure)


def without_layer_norms(scores: Mapping[str, Sequence[Estimate]], moduli: Mapping[str, Sequence[float]]) -> Figure:
    """Change of the score (with interval) and mean modulus of [CLS] over the number of last layers without LayerNorm."""
    figure, (upper, lower) = panels(2, height=2.4, sharex=True)
    for number, name in enumerate(scores):
        points, low, high = np.array(scores[name]).T
        counts, colour = np.arange(len(points)), CYCLE[number]
        upper.fill_between(counts, low, high, color=colour, alpha=0.2, linewidth=0)
        upper.plot(counts, points, "-o", color=colour, label=name)
        lower.plot(counts, moduli[name], "-o", color=colour)
    upper.axhline(0, color="#444444", linewidth=1)
    upper.set_ylabel("change, points")
    lower.set(ylabel="mean modulus", xlabel="last layers without LayerNorm", xticks=counts)
    return legend(figure)


def energy_and_score(frame: DataFrame) -> Figure:
    """Systems by CLS energy weight and score, a colour and mark a kind. Columns: energy, score, kind."""
    figure, (axis,) = panels(height=3.6)
    for number, (kind, some) in enumerate(frame.groupby("kind", sort=False)):
        mark = "os^Dvp"[number % 6]
        axis.plot(some["energy"], some["score"], mark, color=CYCLE[number % len(CYCLE)], label=kind, alpha=0.8)
    axis.set(xlabel="CLS energy weight (Eq. 6)", ylabel="average of the tasks, points")
    return legend(figure)


def correlations(frame: DataFrame) -> Figure:
    """Rank correlation with its interval for each reading; two marks a reading. Columns: reading, over, points, low, high."""
    names = list(dict.fromkeys(frame["reading"]))
    figure, (axis,) = panels(height=0.42 * len(names) + 1.2)
    series = []
    for number, (over, some) in enumerate(frame.groupby("over", sort=False)):
        row = some.set_index("reading").reindex(names)
        series.append(Series(row["points"], row["low"], row["high"], over, CYCLE[number], "os"[number % 2]))
    halves = ["\n".join(", ".join(part) for part in zip(*[iter(name.split(", "))] * 2, strict=True)) for name in names]
    intervals(axis, halves, series, "rank correlation × 100", reference=0, step=0.24, size=5, fontsize=8, lines=False)
    axis.set_xlim(-105, 105)
    return legend(figure)
