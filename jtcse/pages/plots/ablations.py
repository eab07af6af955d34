"""Figures of the ablations: differences beside the printed ones, seeds, LayerNorms, energy against score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jtcse.pages.furniture.style import CYCLE, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from jtcse.evaluation.statistics.spearman import Estimate

MEASURED, PRINTED, SEED = "#D55E00", "#222222", "#0072B2"


def beside_printed(frame: DataFrame, reference: str) -> Figure:
    """Differences to a reference: printed to the left, measured to the right, each on an axis of its own.

    Args:
        frame: columns label, printed, measured, low, high, seeds (``ablation_pages.differences``), in points.
        reference: what they are differences to, for the axes.
    """
    figure, (left, right) = panels(2, columns=2, height=0.36 * len(frame) + 1.5, sharey=True)
    rows = np.arange(len(frame))
    left.plot(frame["printed"], rows, "D", color=PRINTED, markersize=6)
    right.hlines(rows, frame["low"], frame["high"], color=MEASURED, linewidth=2)
    right.plot(frame["measured"], rows, "o", color=MEASURED, markersize=7, label="mean, 95 % interval")
    for row, seeds in enumerate(frame["seeds"]):
        right.plot(seeds, np.full(len(seeds), row), "|", color=SEED, markersize=13, label="" if row else "single seeds")
    for axis, title in ((left, "printed"), (right, "measured")):
        axis.axvline(0, color="#444444", linewidth=1)
        axis.set_title(title)
        axis.set_yticks(rows, frame["label"])
        axis.set_ylim(len(frame) - 0.5, -0.5)
    figure.supxlabel(f"points above {reference}", fontsize=11)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def over_seeds(values: Mapping[str, Sequence[float]], means: Mapping[str, Estimate]) -> Figure:
    """Each system's score at each seed (dots), and the mean over seeds with its interval over pairs beside them."""
    figure, (axis,) = panels(height=3.4)
    for place, (name, points) in enumerate(values.items()):
        axis.plot(
            place + np.linspace(-0.12, 0.12, len(points)), points, "o", color=SEED, label="" if place else "seeds"
        )
        mean = means[name]
        axis.vlines(place + 0.25, mean.low, mean.high, color=MEASURED, linewidth=2)
        axis.plot(place + 0.25, mean.points, "D", color=MEASURED, label="" if place else "mean, 95 % interval")
    axis.set_xticks(range(len(values)), values)
    axis.set(ylabel="average of the tasks, points", xlim=(-0.5, len(values) - 0.4))
    axis.grid(False, axis="x")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


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
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def energy_and_score(frame: DataFrame) -> Figure:
    """Systems by CLS energy weight and score, a colour and mark a kind. Columns: energy, score, kind."""
    figure, (axis,) = panels(height=3.6)
    for number, (kind, some) in enumerate(frame.groupby("kind", sort=False)):
        mark = "os^Dvp"[number % 6]
        axis.plot(some["energy"], some["score"], mark, color=CYCLE[number % len(CYCLE)], label=kind, alpha=0.8)
    axis.set(xlabel="CLS energy weight (Eq. 6)", ylabel="average of the tasks, points")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def correlations(frame: DataFrame) -> Figure:
    """Rank correlation with its interval for each reading; two marks a reading. Columns: reading, over, points, low, high."""
    names = list(dict.fromkeys(frame["reading"]))
    figure, (axis,) = panels(height=0.42 * len(names) + 1.2)
    for number, (over, some) in enumerate(frame.groupby("over", sort=False)):
        rows = np.array([names.index(name) for name in some["reading"]]) + 0.24 * (number - 0.5)
        axis.hlines(rows, some["low"], some["high"], color=CYCLE[number], linewidth=2)
        axis.plot(some["points"], rows, "os"[number % 2], color=CYCLE[number], markersize=5, label=over)
    _furnish(axis, names)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _furnish(axis: Axes, names: Sequence[str]) -> None:
    axis.axvline(0, color="#444444", linewidth=1)
    lines = ["\n".join(", ".join(part) for part in zip(*[iter(name.split(", "))] * 2, strict=True)) for name in names]
    axis.set_yticks(range(len(names)), lines, fontsize=8)
    axis.set(ylim=(len(names) - 0.5, -0.5), xlim=(-105, 105), xlabel="rank correlation × 100")
    axis.grid(False, axis="y")
