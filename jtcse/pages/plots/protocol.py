"""Figures of the two chapters on what papers leave unsaid: points moved by each choice, by each reading of paper and code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jtcse.pages.furniture.style import CYCLE, panels
from jtcse.pages.plots.intervals import Series, intervals, legend

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jtcse.evaluation.protocol.choices import Effect
    from jtcse.evaluation.statistics.resampled import Drawn

LINEAR = 0.1  # points around 0 that are drawn to scale; beyond, the axis is logarithmic
NOTHING = (float("nan"),) * 3


def points_moved(effects: Mapping[str, Sequence[Effect]], labels: Mapping[str, str], average: str) -> Figure:
    """How far each choice moves the average (dot, interval) and single tasks (small marks), the farthest choice on top.

    Args:
        effects: of each base, by its name.
        labels: of the choices that are drawn.
        average: the name under which an effect on the average stands.
    """
    moved = {
        base: {name: {e.task: e.moved for e in found if e.choice == name} for name in labels}
        for base, found in effects.items()
    }
    names = sorted(labels, key=lambda name: -max(_reach(by_choice[name], average) for by_choice in moved.values()))
    figure, (axis,) = panels(height=0.42 * len(names) + 1.4)
    series = []
    for (base, by_choice), colour in zip(moved.items(), CYCLE, strict=False):
        mean = zip(*(by_choice[name].get(average, NOTHING) for name in names), strict=True)
        tasks = [[m.points for task, m in by_choice[name].items() if task != average] for name in names]
        words = {"label": f"average, from {base}", "strokes_label": f"tasks, from {base}"}
        series.append(Series(*mean, colour=colour, strokes=tasks, stroke=colour, **words))
    lines = [labels[name].replace(": ", ":\n") for name in names]
    intervals(axis, lines, series, "points moved", reference=0, step=0.5 / len(effects), stroke=6, fontsize=9)
    axis.set_xscale("symlog", linthresh=LINEAR, linscale=0.4)
    axis.set_xticks([-10, -1, -LINEAR, 0, LINEAR, 1, 10], ["-10", "-1", "-.1", "0", ".1", "1", "10"])
    axis.minorticks_off()
    return legend(figure)


def _reach(moved: Mapping[str, tuple], average: str) -> float:
    """How far a choice moves the average; where it concerns no task that counts, the tasks that it does."""
    sizes = {task: abs(one[0]) for task, one in moved.items()}
    return sizes.get(average, max(sizes.values(), default=0.0))


def switch_effects(effects: Mapping[str, tuple[Drawn, Sequence[Drawn]]], spread: Drawn | None = None) -> Figure:
    """Switched minus released, mean over seeds with interval, single seeds as strokes; grey: as far as two seeds differ.

    Args:
        effects: by name the mean over seeds, and each seed.
        spread: the largest difference between two seeds of the released form.
    """
    names = sorted(effects, key=lambda name: effects[name][0].points)
    figure, (axis,) = panels(height=0.42 * len(names) + 1.4)
    if spread is not None:
        axis.axvspan(-spread.points, spread.points, color="#bbbbbb", alpha=0.4, label="between seeds")
    means = zip(*(effects[name][0].estimate() for name in names), strict=True)
    seeds = [[seed.points for seed in effects[name][1]] for name in names]
    series = Series(*means, "mean, 95 % interval", CYCLE[1], strokes=seeds)
    intervals(axis, names, [series], "points, switched minus released", reference=0)
    axis.locator_params(axis="x", nbins=5)
    return legend(figure)
