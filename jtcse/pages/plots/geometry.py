"""Figures of vectors, surfaces, moduli and attention: each function takes data and returns a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jtcse.experiments.names import NAMES
from jtcse.pages.furniture.style import COLOURS, CYCLE, panels
from jtcse.pages.plots import attention
from jtcse.pages.plots.intervals import legend

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as Turnable

    from jtcse.evaluation.readings import Found, Spot
    from jtcse.method.triangle import Triangle

RATIO_TICKS = {-3: "1/8", -2: "1/4", -1: "1/2", 0: "1", 1: "2", 2: "4", 3: "8"}
KIND_COLOURS = {"cls": CYCLE[0], "sep": CYCLE[1], "final_punctuation": CYCLE[3], "others": CYCLE[6]}


def triangles(rows: Sequence[Sequence[Triangle]]) -> Figure:
    """Fig. 2 as small multiples: a row of panels for each sequence, all of them on one scale."""
    flat = [one for row in rows for one in row]
    figure, axes = panels(len(flat), columns=len(rows[0]), height=2.15, sharex=True, sharey=True)
    ends = np.array([[one.h, one.h_plus] for one in flat]).reshape(-1, 2)
    low, high = np.minimum(ends.min(0), 0) - 0.3, np.maximum(ends.max(0), 0) + 0.3
    for axis, one in zip(axes, flat, strict=True):
        _triangle(axis, one)
        axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        axis.axis("off")
    return figure


def _triangle(axis: Axes, one: Triangle) -> None:
    nowhere = np.zeros(2)
    arrows = ((nowhere, one.h, "tower_1"), (nowhere, one.h_plus, "tower_2"), (one.h_plus, one.h, "jtcse"))
    for start, end, system in arrows:
        style = {"arrowstyle": "-|>", "color": COLOURS[system], "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", end, start, arrowprops=style)
    radians = np.deg2rad(np.linspace(0, one.angle, 30))
    axis.plot(0.3 * np.cos(radians), 0.3 * np.sin(radians), color="#444444", linewidth=1)
    axis.text(*(one.h / 2 - [0, 0.06]), "h", ha="center", va="top", color=COLOURS["tower_1"])
    axis.text(*(one.h_plus * 1.04), "h⁺", ha="center", va="bottom", color=COLOURS["tower_1"])
    title = f"k {one.ratio:g}, γ {one.angle:g}°\n|h−h⁺| {one.difference:.2f}"
    axis.set_title(f"{title}\nL {one.loss:.3f}", fontsize=11)


def surfaces(forms: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], top: float) -> Figure:
    """Surfaces over log2 k and t seen from above, a panel a name, on one scale; grey where there is no value.

    Args:
        forms: name to (log2 k (a,), t (b,), value (b, a)).
        top: values above share the lightest colour.
    """
    figure, axes = panels(len(forms), columns=min(len(forms), 2), height=3.2, sharey=True)
    levels = np.linspace(0, top, 21)
    for axis, (name, (log_k, t, z)) in zip(axes, forms.items(), strict=True):
        axis.set_facecolor("#d0d0d0")
        filled = axis.contourf(log_k, t, np.ma.masked_invalid(z), levels=levels, cmap="cividis", extend="max")
        axis.contour(log_k, t, np.ma.masked_invalid(z), levels=levels[1::4], colors="white", linewidths=0.7)
        axis.set_xticks([-2, 0, 2], [RATIO_TICKS[x] for x in (-2, 0, 2)])
        axis.set(title=name, xlabel="k")
    axes[0].set_ylabel("t = cos γ")
    figure.colorbar(filled, ax=axes, location="bottom", label="L", shrink=0.8, ticks=np.linspace(0, top, 5))
    return figure


def turnable_surfaces(forms: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], top: float) -> Turnable:
    """The same to turn; where there are several, a button a name chooses the surface."""
    from plotly import graph_objects as go

    figure = go.Figure()
    for number, (log_k, t, z) in enumerate(forms.values()):
        figure.add_surface(
            x=log_k, y=t, z=z, customdata=np.broadcast_to(2.0**log_k, z.shape), visible=number == 0,
            colorscale="Cividis", showscale=False, cmin=0, cmax=top,
            hovertemplate="k %{customdata:.2f}<br>t %{y:.2f}<br>L %{z:.3f}<extra></extra>",
        )  # fmt: skip
    buttons = [
        {"label": name, "method": "restyle", "args": [{"visible": [n == number for n in range(len(forms))]}]}
        for number, name in enumerate(forms)
    ]
    menu = {"type": "buttons", "direction": "right", "x": 0, "y": 1.08, "xanchor": "left", "buttons": buttons}
    x = {"title": {"text": "k"}, "tickvals": list(RATIO_TICKS), "ticktext": list(RATIO_TICKS.values())}
    y, z_axis = {"title": {"text": "t = cos γ"}, "range": [-1, 1]}, {"title": {"text": "L"}, "range": [0, top]}
    figure.update_layout(
        height=480,
        margin={"l": 0, "r": 0, "t": 40, "b": 0},
        updatemenus=[menu] if len(forms) > 1 else [],
        scene={"xaxis": x, "yaxis": y, "zaxis": z_axis, "camera": {"eye": {"x": 1.5, "y": -1.5, "z": 0.9}}},
    )
    return figure


def alignment_uniformity(spots: Mapping[str, Spot], scores: Mapping[str, float]) -> Figure:
    """Fig. 7: systems by uniformity and alignment (lower left is better) with 95 % intervals, coloured by score."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure, (axis,) = panels(height=4.2)
    colours = ScalarMappable(Normalize(min(scores.values()), max(scores.values())), "viridis")
    for name, spot in spots.items():
        x, y = spot.effect("uniformity"), spot.effect("alignment")
        axis.hlines(y.value, x.low, x.high, color="#999999", linewidth=1.2, zorder=1)
        axis.vlines(x.value, y.low, y.high, color="#999999", linewidth=1.2, zorder=1)
        axis.plot(x.value, y.value, "o", markersize=10, color=colours.to_rgba(scores[name]), markeredgecolor="#222222")
    # labels stand at the right edge in the order of their points' heights, evenly spread around the middle
    for number, name in enumerate(sorted(spots, key=lambda name: spots[name].alignment)):
        point, height = (spots[name].uniformity, spots[name].alignment), 0.5 + 0.1 * (number - (len(spots) - 1) / 2)
        label = {"textcoords": axis.transAxes, "va": "center"}
        line = {"arrowstyle": "-", "color": "#bbbbbb", "linewidth": 0.8}
        axis.annotate(NAMES[name], point, (1.03, height), arrowprops=line, **label)
    axis.set(xlabel="uniformity (lower is better)", ylabel="alignment (lower is better)")
    figure.colorbar(colours, ax=axis, location="bottom", label="score, points", shrink=0.8)
    return figure


def by_reading(table: pandas.DataFrame, found: Found) -> Figure:
    """Each system under each reading: a panel for alignment and one for uniformity, a line a reading.

    Args:
        table: what ``readings.orders`` gives; its rows say which readings are shown for which measure.
        found: what ``readings.measure`` gives.
    """
    shown = {name: [row.reading for row in part.itertuples()] for name, part in table.groupby("measure", sort=False)}
    figure, axes = panels(2, height=3.0)
    for axis, (measure, readings) in zip(axes, shown.items(), strict=True):
        labels = [_short(reading, measure) for reading in readings]
        for system in found[readings[0]]:
            values = [getattr(found[reading][system], measure) for reading in readings]
            axis.plot(values, labels, "o-", color=COLOURS[system], linewidth=1, label=NAMES[system])
        axis.invert_yaxis()
        axis.set_xlabel(f"{measure} (lower is better)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _short(reading: Any, measure: str) -> str:
    data = {"development": "dev", "tests": "tests"}[reading.data]
    return f"{data}, all" if measure == "uniformity" and reading.over == "all" else f"{data} ≥ {reading.threshold:g}"


def sink_maps(maps: Mapping[str, Sequence[np.ndarray]], tokens: Sequence[str], layers: Sequence[int]) -> Figure:
    """Attention of some layers, a row of panels a system: rows ask, columns are looked at, dark is much.

    Args:
        maps: system to one (l, l) for each of ``layers``; rows sum to 1.
        tokens: the l tokens of the sentence.
        layers: numbers of the layers, counted from 1.
    """
    titles = [f"{NAMES.get(name, name)}, {layer}" for name in maps for layer in layers]
    flat = [one for row in maps.values() for one in row]
    return attention(dict(zip(titles, flat, strict=True)), tokens, columns=len(layers), height=2.0)


def sinks(shares: Mapping[str, Mapping[str, np.ndarray]], names: Mapping[str, str]) -> Figure:
    """Shares of attention over layers, a panel a system: mean over sentences and the middle half of them.

    Args:
        shares: system to what ``states.sinks`` gives.
        names: kinds of tokens that are shown, and their labels.
    """
    figure, axes = panels(len(shares), columns=2, height=2.6, sharex=True, sharey=True)
    for axis, (system, found) in zip(axes, shares.items(), strict=True):
        layers = range(1, len(found["cls"]) + 1)
        for kind, label in names.items():
            colour, ends = KIND_COLOURS[kind], np.percentile(100 * found[kind], (25, 75), axis=1)
            axis.fill_between(layers, *ends, color=colour, alpha=0.2, linewidth=0)
            axis.plot(layers, 100 * found[kind].mean(1), "o-", color=colour, markersize=4, label=label)
        even = 100 * found["one_token"].mean()
        axis.axhline(even, color="#444444", linestyle=":", linewidth=1.4, label="one token, evenly")
        axis.set(title=NAMES.get(system, system), xticks=layers)
    axes[0].set_ylim(bottom=0)  # shared; only now do the limits know every panel
    for axis in axes[-2:]:
        axis.set_xlabel("layer")
    for axis in axes[::2]:
        axis.set_ylabel("% of attention")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def moduli_by_layer(lengths: Mapping[str, np.ndarray], unit: float) -> Figure:
    """Moduli over layers, a panel a name: median, middle 95 % and range; the broken line is the root of the width.

    The scale does not begin at zero, so that bands a hundredth as wide as the lengths can be seen.

    Args:
        lengths: name to (L + 1, m) moduli, layer 0 being the embedding layer.
        unit: the root of the width.
    """
    figure, axes = panels(len(lengths), columns=2, height=2.6, sharey=True)
    for axis, (name, values), colour in zip(axes, lengths.items(), CYCLE, strict=False):
        layers = range(len(values))
        least, low, mid, high, most = np.percentile(values, (0, 2.5, 50, 97.5, 100), axis=1)
        axis.fill_between(layers, least, most, color=colour, alpha=0.15, linewidth=0)
        axis.fill_between(layers, low, high, color=colour, alpha=0.35, linewidth=0)
        axis.plot(layers, mid, "o-", color=colour, markersize=4)
        axis.axhline(unit, color="#444444", linestyle="--", linewidth=1.2)
        axis.set(title=name, xlabel="layer", xticks=layers)
    axes[0].set_ylabel("modulus")
    return figure


def modulus_ranges(rows: Mapping[str, Mapping[str, np.ndarray]], bounds: Mapping[str, float]) -> Figure:
    """Where moduli lie, a line a system and kind of vector: range (thin), middle 95 % (thick), median (dot).

    Args:
        rows: system to kind to (m,) moduli.
        bounds: the root of the width of each system, drawn as a stroke: no pooler output is longer.
    """
    kinds = list(next(iter(rows.values())))
    figure, (axis,) = panels(height=0.28 * len(rows) * (len(kinds) + 1) + 1.3)
    ticks = {}
    for number, (system, lengths) in enumerate(rows.items()):
        base = number * (len(kinds) + 1)
        ticks[base + (len(kinds) - 1) / 2] = NAMES.get(system, system)
        axis.vlines(bounds[system], base - 0.5, base + len(kinds) - 0.5, color="#222222", linewidth=1.5)
        for place, (kind, values) in enumerate(lengths.items(), base):
            least, low, mid, high, most = np.percentile(values, (0, 2.5, 50, 97.5, 100))
            colour = CYCLE[kinds.index(kind)]
            axis.hlines(place, least, most, color=colour, linewidth=1.2)
            axis.hlines(place, low, high, color=colour, linewidth=6, alpha=0.6)
            axis.plot(mid, place, "o", color=colour, markersize=5, label=kind if number == 0 else None)
    axis.set_yticks(list(ticks), list(ticks.values()))
    axis.grid(False, axis="y")
    axis.set(xlabel="modulus", xlim=(0, None))
    axis.invert_yaxis()
    return legend(figure, 3)
