"""The figures of the pages, but for those that turn: each function takes data and returns a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jtcse.experiments.names import NAMES
from jtcse.pages.furniture.style import COLOURS, CYCLE, panels

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


def two_stages() -> Figure:
    """What is made of what: text, towers, twin, distilled tower."""
    figure, (axis,) = panels(height=4.8)
    axis.set(xlim=(0, 10), ylim=(0, 10))
    axis.axis("off")
    boxes = (
        (5, 9.3, "start", "unlabelled sentences, two views of each"),
        (2.6, 7, "tower_1", "tower I\nstage 1: InfoNCE"),
        (7.4, 7, "tower_2", "tower II\nstage 1: InfoNCE"),
        (
            5,
            4.2,
            "jtcse",
            "JTCSE, stage 2: both towers together\nInfoNCE I + II, ICNCE, ICTM\nwith cross-attention",
        ),
        (5, 1.9, "sum", "sentence vector = [CLS] I + [CLS] II"),
        (5, 0.4, "distilled", "distilled: one tower learns that vector"),
    )
    for x, y, system, text in boxes:
        frame = {
            "boxstyle": "round,pad=0.5",
            "facecolor": COLOURS[system] + "22",
            "edgecolor": COLOURS[system],
        }
        axis.text(x, y, text, ha="center", va="center", linespacing=1.5, bbox=frame)
    for start, end in (
        ((4, 8.8), (2.8, 7.8)),
        ((6, 8.8), (7.2, 7.8)),
        ((2.8, 6.2), (4, 5.3)),
        ((7.2, 6.2), (6, 5.3)),
        ((5, 3.1), (5, 2.4)),
        ((5, 1.4), (5, 0.9)),
    ):
        axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#444444"})
    return figure


def histogram(
    values: Mapping[str, np.ndarray], label: str, *, bins: int = 30, systems: Mapping[str, str] | None = None
) -> Figure:
    """How numbers spread, a panel a name on one scale; ``systems`` gives a panel a system's colour."""
    figure, axes = panels(len(values), columns=1 if len(values) < 4 else 2, height=1.9, sharex=True)
    edges = np.histogram_bin_edges(np.concatenate(list(values.values())), bins)
    for axis, (name, numbers) in zip(axes, values.items(), strict=True):
        axis.hist(numbers, bins=edges, color=COLOURS[(systems or {}).get(name, "tower_1")])
        axis.set_title(f"{name} (n = {len(numbers):,})")
        axis.set_ylabel("count")
    axes[-1].set_xlabel(label)
    return figure


def bars(values: Mapping[str, float], label: str, *, ends: Mapping[str, tuple[float, float]] | None = None) -> Figure:
    """One bar a name, with its interval where there is one."""
    figure, (axis,) = panels(height=0.36 * len(values) + 0.9)
    names = list(values)
    axis.barh(names, list(values.values()), color=COLOURS["start"])
    for row, name in enumerate(names if ends else ()):
        axis.plot(ends[name], [row, row], color="#222222", linewidth=2)
    axis.set_xlabel(label)
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    return figure


def curves(frames: Mapping[str, pandas.DataFrame], column: str = "loss", label: str = "loss") -> Figure:
    """A column of training histories over steps, one line a run, smoothed; single steps stand pale behind."""
    figure, (axis,) = panels()
    for number, (name, frame) in enumerate(frames.items()):
        colour = COLOURS.get(name, CYCLE[number])
        axis.plot(frame["step"], frame[column], color=colour, alpha=0.25, linewidth=0.8)
        axis.plot(frame["step"], smooth(frame[column]), color=colour, label=NAMES.get(name, name))
    axis.set(xlabel="step", ylabel=label)
    if len(frames) > 1:
        axis.legend()
    return figure


def smooth(values: pandas.Series) -> pandas.Series:
    """Running mean over a twentieth of the run."""
    return values.rolling(max(1, len(values) // 20), min_periods=1, center=True).mean()


def development(frames: Mapping[str, pandas.DataFrame], levels: Mapping[str, float]) -> Figure:
    """Development score of each run at each look, the one whose weights were kept in a ring.

    Args:
        frames: histories; the look at step 0 is at the starting weights, which are never what is kept.
        levels: scores to compare with, drawn as broken lines.
    """
    figure, (axis,) = panels()
    for name, frame in frames.items():
        looks = frame.dropna(subset=["dev"])
        axis.plot(looks["step"], looks["dev"], marker="o", color=COLOURS[name], label=NAMES[name])
        best = looks.loc[looks["dev"].where(looks["step"] > 0).idxmax()]
        axis.plot(best["step"], best["dev"], "o", markersize=14, fillstyle="none", color=COLOURS[name])
    for (name, level), style in zip(levels.items(), ("--", ":", "-."), strict=False):
        axis.axhline(level, color="#444444", linestyle=style, linewidth=1.4, label=name)
    axis.set(xlabel="step", ylabel="development score, points")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def loss_parts(frame: pandas.DataFrame) -> Figure:
    """The named parts of a loss over steps, each on a scale of its own."""
    names = [name for name in frame.columns if name not in ("step", "loss", "dev")]
    figure, axes = panels(len(names), columns=2, height=2.1, sharex=True)
    for number, (axis, name) in enumerate(zip(axes, names, strict=True)):
        axis.plot(frame["step"], frame[name], color=CYCLE[number], alpha=0.25, linewidth=0.8)
        axis.plot(frame["step"], smooth(frame[name]), color=CYCLE[number])
        axis.set_title(name)
    for axis in axes[-2:]:
        axis.set_xlabel("step")
        axis.tick_params(labelbottom=True)
    return figure


def attention_maps(attentions: Sequence[np.ndarray], tokens: Sequence[str]) -> Figure:
    """One map a layer, (l, l) each with rows that sum to 1: rows ask, columns are looked at, dark is much."""
    few, most = len(attentions) <= 6, max(attention.max() for attention in attentions)
    figure, axes = panels(len(attentions), columns=2 if few else 3, height=2.9 if few else 2.2)
    for layer, (axis, attention) in enumerate(zip(axes, attentions, strict=True), 1):
        image = axis.imshow(attention, cmap="Blues", vmin=0, vmax=most)
        axis.set_title(f"layer {layer}")
        axis.grid(False)
        axis.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=8)
        axis.set_yticks(range(len(tokens)), tokens, fontsize=8)
    figure.colorbar(image, ax=axes, location="bottom", label="attention", shrink=0.6)
    return figure


def over_layers(shares: Mapping[str, Sequence[float]], label: str, *, bottom: float | None = None) -> Figure:
    """One line a name over the layers, counted from 1."""
    figure, (axis,) = panels()
    for number, (name, values) in enumerate(shares.items()):
        axis.plot(range(1, len(values) + 1), values, marker="o", color=CYCLE[number], label=name)
    axis.set(
        xlabel="layer",
        ylabel=label,
        xticks=range(1, len(next(iter(shares.values()))) + 1),
        ylim=(bottom, None),
    )
    axis.legend()
    return figure


def lines(
    x: Sequence[float], ys: Mapping[str, Sequence[float]], xlabel: str, ylabel: str, *, log: bool = False
) -> Figure:
    """Functions of one variable, its axis logarithmic if wanted; broken lines let equal ones show through."""
    figure, (axis,) = panels()
    for number, (name, y) in enumerate(ys.items()):
        axis.plot(x, y, color=CYCLE[number], label=name, linewidth=4 - number, linestyle=("-", "--", "-")[number])
    axis.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
    axis.legend()
    return figure


def point_ranges(scores: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> Figure:
    """Points and 95 % intervals, ``scores[system][task] = (points, low, high)``; a band a task."""
    tasks = list(next(iter(scores.values())))
    figure, (axis,) = panels(height=0.75 * len(tasks) + 1.3)
    step = 0.8 / len(scores)
    for number, (system, by_task) in enumerate(scores.items()):
        rows = np.arange(len(tasks)) + (number - (len(scores) - 1) / 2) * step
        points, low, high = np.array([by_task[task] for task in tasks]).T
        axis.hlines(rows, low, high, color=COLOURS[system], linewidth=2)
        axis.plot(points, rows, "o", color=COLOURS[system], markersize=5, label=NAMES[system])
    axis.set_yticks(range(len(tasks)), tasks)
    axis.set(xlabel="Spearman correlation, points", ylim=(len(tasks) - 0.5, -0.5))
    axis.set_yticks(np.arange(len(tasks) + 1) - 0.5, minor=True)
    axis.grid(False, axis="y", which="major")
    axis.grid(True, axis="y", which="minor")
    figure.legend(loc="outside upper center", ncols=3)
    return figure
