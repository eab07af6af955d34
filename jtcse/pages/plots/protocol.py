"""Figures of the two chapters on what papers leave unsaid: points moved by each choice, by each reading of paper and code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jtcse.pages.furniture.style import CYCLE, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jtcse.evaluation.protocol.choices import Effect
    from jtcse.evaluation.statistics.resampled import Drawn

LINEAR = 0.1  # points around 0 that are drawn to scale; beyond, the axis is logarithmic


def points_moved(effects: Mapping[str, Sequence[Effect]], labels: Mapping[str, str], average: str) -> Figure:
    """How far each choice moves the average (dot, interval) and single tasks (small marks), the farthest choice on top.

    Args:
        effects: of each base, by its name.
        labels: of the choices that are drawn.
        average: the name under which an effect on the average stands.
    """
    reach = {name: max(_reach(found, name, average) for found in effects.values()) for name in labels}
    names = sorted(labels, key=lambda name: -reach[name])
    figure, (axis,) = panels(height=0.42 * len(names) + 1.4)
    step = 0.5 / len(effects)
    for number, (base, found) in enumerate(effects.items()):
        offset = (number - (len(effects) - 1) / 2) * step
        for effect in (e for e in found if e.choice in labels):
            row = names.index(effect.choice) + offset
            points, low, high = effect.moved
            if effect.task != average:
                axis.plot(points, row, "|", color=CYCLE[number], markersize=6, alpha=0.6)
                continue
            axis.hlines(row, low, high, color=CYCLE[number], linewidth=2)
            axis.plot(points, row, "o", color=CYCLE[number], markersize=6)
        axis.plot([], [], "o", color=CYCLE[number], label=f"average, from {base}")
        axis.plot([], [], "|", color=CYCLE[number], markersize=6, label=f"tasks, from {base}")
    axis.set_xscale("symlog", linthresh=LINEAR, linscale=0.4)
    axis.axvline(0, color="#444444", linewidth=1)
    axis.set_yticks(range(len(names)), [labels[name].replace(": ", ":\n") for name in names], fontsize=9)
    axis.set_xticks([-10, -1, -LINEAR, 0, LINEAR, 1, 10], ["-10", "-1", "-.1", "0", ".1", "1", "10"])
    axis.set(xlabel="points moved", ylim=(len(names) - 0.5, -0.5))
    axis.minorticks_off()
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _reach(effects: Sequence[Effect], choice: str, average: str) -> float:
    """How far a choice moves the average; where it concerns no task that counts, the tasks that it does."""
    moved = {effect.task: abs(effect.moved.points) for effect in effects if effect.choice == choice}
    return moved.get(average, max(moved.values(), default=0.0))


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
    for row, name in enumerate(names):
        (points, low, high), seeds = effects[name][0].estimate(), effects[name][1]
        axis.hlines(row, low, high, color=CYCLE[1], linewidth=2)
        axis.plot(points, row, "o", color=CYCLE[1], markersize=6, label="" if row else "mean, 95 % interval")
        axis.plot([s.points for s in seeds], np.full(len(seeds), row), "|", color=CYCLE[0], markersize=12,
                  label="" if row else "single seeds")  # fmt: skip
    axis.axvline(0, color="#444444", linewidth=1)
    axis.set_yticks(range(len(names)), names)
    axis.locator_params(axis="x", nbins=5)
    axis.set(xlabel="points, switched minus released", ylim=(len(names) - 0.5, -0.5))
    figure.legend(loc="outside upper center", ncols=2)
    return figure
