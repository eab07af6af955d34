"""The figures of the pages, but for those that turn: each function takes data and returns a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jtcse.experiments.names import NAMES
from jtcse.pages.furniture.style import COLOURS, CYCLE, panels
from jtcse.pages.plots.intervals import Series, intervals, legend

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BOXES = (  # of the two stages: where, whose colour, what
    (5, 9.3, "start", "unlabelled sentences, two views of each"),
    (2.6, 7, "tower_1", "tower I\nstage 1: InfoNCE"),
    (7.4, 7, "tower_2", "tower II\nstage 1: InfoNCE"),
    (5, 4.2, "jtcse", "JTCSE, stage 2: both towers together\nInfoNCE I + II, ICNCE, ICTM\nwith cross-attention"),
    (5, 1.9, "sum", "sentence vector = [CLS] I + [CLS] II"),
    (5, 0.4, "distilled", "distilled: one tower learns that vector"),
)
ARROWS = (
    ((4, 8.8), (2.8, 7.8)),
    ((6, 8.8), (7.2, 7.8)),
    ((2.8, 6.2), (4, 5.3)),
    ((7.2, 6.2), (6, 5.3)),
    ((5, 3.1), (5, 2.4)),
    ((5, 1.4), (5, 0.9)),
)


def two_stages() -> Figure:
    """What is made of what: text, towers, twin, distilled tower."""
    figure, (axis,) = panels(height=4.8)
    axis.set(xlim=(0, 10), ylim=(0, 10))
    axis.axis("off")
    for x, y, system, text in BOXES:
        colour = COLOURS[system]
        frame = {"boxstyle": "round,pad=0.5", "facecolor": colour + "22", "edgecolor": colour}
        axis.text(x, y, text, ha="center", va="center", linespacing=1.5, bbox=frame)
    for start, end in ARROWS:
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
        axis.set(title=f"{name} (n = {len(numbers):,})", ylabel="count")
    axes[-1].set_xlabel(label)
    return figure


def bars(values: Mapping[str, float], label: str, *, ends: Mapping[str, tuple[float, float]] | None = None) -> Figure:
    """One bar a name, with its interval where there is one."""
    figure, (axis,) = panels(height=0.36 * len(values) + 0.9)
    axis.barh(list(values), list(values.values()), color=COLOURS["start"])
    if ends:
        low, high = zip(*(ends[name] for name in values), strict=True)
        axis.hlines(range(len(values)), low, high, color="#222222", linewidth=2)
    axis.set_xlabel(label)
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    return figure


def _smoothed(axis: Axes, steps: pandas.Series, values: pandas.Series, colour: str, label: str = "") -> None:
    """A running mean over a twentieth of the run; single steps stand pale behind."""
    axis.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
    smooth = values.rolling(max(1, len(values) // 20), min_periods=1, center=True).mean()
    axis.plot(steps, smooth, color=colour, label=label)


def curves(frames: Mapping[str, pandas.DataFrame], column: str = "loss", label: str = "loss") -> Figure:
    """A column of training histories over steps, one line a run, smoothed."""
    figure, (axis,) = panels()
    for number, (name, frame) in enumerate(frames.items()):
        _smoothed(axis, frame["step"], frame[column], COLOURS.get(name, CYCLE[number]), NAMES.get(name, name))
    axis.set(xlabel="step", ylabel=label)
    if len(frames) > 1:
        axis.legend()
    return figure


def loss_parts(frame: pandas.DataFrame) -> Figure:
    """The named parts of a loss over steps, each on a scale of its own."""
    names = [name for name in frame.columns if name not in ("step", "loss", "dev")]
    figure, axes = panels(len(names), columns=2, height=2.1, sharex=True)
    for axis, name, colour in zip(axes, names, CYCLE, strict=False):
        _smoothed(axis, frame["step"], frame[name], colour)
        axis.set_title(name)
    for axis in axes[-2:]:
        axis.set_xlabel("step")
        axis.tick_params(labelbottom=True)
    return figure


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
    return legend(figure)


def attention(maps: Mapping[str, np.ndarray], tokens: Sequence[str], *, columns: int, height: float) -> Figure:
    """Maps of attention, a panel a title, (l, l) each with rows that sum to 1: rows ask, columns are looked at, dark is much."""
    from seaborn import heatmap

    most = max(float(one.max()) for one in maps.values())
    figure, axes = panels(len(maps), columns=columns, height=height, sharex=True, sharey=True)
    for axis, (title, one) in zip(axes, maps.items(), strict=True):
        heatmap(one, vmin=0, vmax=most, cmap="Blues", cbar=False, xticklabels=tokens, yticklabels=tokens, ax=axis)
        axis.set_title(title, fontsize=11)
        axis.tick_params("x", labelsize=8.5, rotation=90)
        axis.tick_params("y", labelsize=8.5, rotation=0)
        axis.spines[["left", "bottom"]].set_visible(True)
    figure.colorbar(axis.collections[0], ax=axes, location="bottom", label="attention", shrink=0.6, aspect=40)
    return figure


def attention_maps(attentions: Sequence[np.ndarray], tokens: Sequence[str]) -> Figure:
    """One map of attention a layer."""
    layers = {f"layer {layer}": attention for layer, attention in enumerate(attentions, 1)}
    few = len(layers) <= 6
    return attention(layers, tokens, columns=2 if few else 3, height=2.9 if few else 2.2)


def over_layers(shares: Mapping[str, Sequence[float]], label: str, *, bottom: float | None = None) -> Figure:
    """One line a name over the layers, counted from 1."""
    figure, (axis,) = panels()
    for number, (name, values) in enumerate(shares.items()):
        layers = range(1, len(values) + 1)
        axis.plot(layers, values, marker="o", color=CYCLE[number], label=name)
    axis.set(xlabel="layer", ylabel=label, xticks=layers, ylim=(bottom, None))
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
    series = [
        Series(*np.array([by_task[task] for task in tasks]).T, label=NAMES[system], colour=COLOURS[system])
        for system, by_task in scores.items()
    ]
    intervals(axis, tasks, series, "Spearman correlation, points", step=0.8 / len(scores), size=5, lines=False)
    axis.set_yticks(np.arange(len(tasks) + 1) - 0.5, minor=True)
    axis.grid(True, axis="y", which="minor")
    return legend(figure, 3)


def cell_map(
    numbers: pandas.DataFrame, texts: np.ndarray, dark: np.ndarray, *, row: float, head: float = 1.2, **image: object
) -> Figure:
    """Numbers as shades, each with its text in its cell, rows to the left and columns on top.

    Args:
        numbers: rows x columns.
        texts, dark: what is written in each cell, and whether in white.
        row, head: inches of a row, and of what is not rows.
        image: shades, as Matplotlib's ``imshow`` takes them.
    """
    figure, (axis,) = panels(height=row * len(numbers) + head)
    axis.imshow(numbers, aspect="auto", **image)
    for at in np.ndindex(numbers.shape):
        shade = "white" if dark[at] else "black"
        axis.text(at[1], at[0], texts[at], ha="center", va="center", fontsize=8, color=shade)
    axis.set_yticks(range(len(numbers)), numbers.index, fontsize=9)
    turned = {"rotation": 60, "ha": "left", "rotation_mode": "anchor"}
    axis.set_xticks(range(numbers.shape[1]), numbers.columns, fontsize=9, **turned)
    axis.xaxis.tick_top()
    axis.grid(False)
    return figure
