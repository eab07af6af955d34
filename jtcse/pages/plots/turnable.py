"""Figures that a reader can turn: the surface of Fig. 3 and the triangle of Fig. 2, each with a still one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jtcse.method.triangle import triangle as at
from jtcse.pages.furniture.style import COLOURS
from jtcse.pages.plots import geometry

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as Turnable

RATIOS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
ANGLES = tuple(range(0, 181, 15))


def _grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log2 k (41,), t (41,) and Eq. 5 on their grid (41, 41)."""
    from jtcse.method.derivation import numeric

    log_k, t = np.linspace(-3, 3, 41), np.linspace(-1, 1, 41)
    return log_k, t, numeric(2.0 ** log_k[None, :], t[:, None])


def surface() -> Turnable:
    """Fig. 3: Eq. 5 over k (k and 1/k mirror each other) and t, with its valley at k = 1 and its minimum."""
    from plotly import graph_objects as go

    figure = geometry.turnable_surfaces({"Eq. 5": _grid()}, 1)
    t, colour = _grid()[1], COLOURS["jtcse"]
    hover = "k 1<br>t %{y:.2f}<br>sin(γ/2) %{z:.3f}<extra></extra>"
    line = {"mode": "lines", "line": {"color": colour, "width": 6}, "hovertemplate": hover}
    point = {"mode": "markers", "marker": {"color": colour, "size": 6}, "hoverinfo": "skip"}
    valley = np.sqrt((1 - t) / 2) + 0.004  # a little above the surface, so that it can be seen
    figure.add_traces([go.Scatter3d(x=0 * t, y=t, z=valley, **line), go.Scatter3d(x=[0], y=[1], z=[0], **point)])
    return figure.update_layout(height=460, margin={"t": 0}, showlegend=False)


def surface_still() -> Figure:
    """The same as contours: seen from above."""
    figure = geometry.surfaces({"Eq. 5": _grid()}, 1)
    axis, t = figure.axes[0], _grid()[1]
    axis.plot(0 * t, t, color=COLOURS["jtcse"])
    axis.plot(0, 1, "o", color=COLOURS["jtcse"], clip_on=False)
    return figure


def _at_angle(angle: float) -> dict[str, list]:
    """What the lines of the triangle become at an angle in degrees: two for each ratio, h+ and the difference."""
    coordinates = {"x": [], "y": [], "text": []}
    for ratio in RATIOS:
        found = at(ratio, angle)
        (x, y), loss = found.h_plus, found.loss
        coordinates["x"] += [[0, x], [x, 1]]
        coordinates["y"] += [[0, y], [y, 0]]
        coordinates["text"] += [["", "h⁺"], ["", f"<br>L = {loss:.3f}"]]
    return coordinates


def triangle() -> Turnable:
    """Fig. 2 in the plane of the two vectors.

    One slider turns h+, which moves the ends of all lines; the other chooses the ratio k, which shows and
    hides lines. So neither undoes the other.
    """
    from plotly import graph_objects as go

    begin, shown, count = ANGLES.index(45), RATIOS.index(1.5), 2 * len(RATIOS)
    lines, moved = _at_angle(ANGLES[begin]), list(range(1, count + 1))
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 0], text=["", "h"], **_line("tower_1", "bottom center")))
    for number in range(count):
        style = _line("jtcse", "bottom right") if number % 2 else _line("tower_2", "top center")
        ends = {axis: values[number] for axis, values in lines.items()}
        figure.add_scatter(**ends, visible=number // 2 == shown, **style)
    turn = [_step(f"{angle}°", _at_angle(angle), moved) for angle in ANGLES]
    visible = [[i // 2 == n for i in range(count)] for n in range(len(RATIOS))]
    choose = [_step(f"{k:g}", {"visible": seen}, moved) for k, seen in zip(RATIOS, visible, strict=True)]
    return figure.update_layout(
        height=460,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        showlegend=False,
        plot_bgcolor="white",
        xaxis={"range": [-2.2, 2.4], "visible": False},
        yaxis={"range": [-0.5, 2.2], "scaleanchor": "x", "visible": False},
        sliders=[_slider("angle γ: ", turn, begin, 0.0), _slider("ratio k: ", choose, shown, -0.28)],
    )


def _line(system: str, place: str) -> dict:
    look = {"line": {"color": COLOURS[system], "width": 4}, "textposition": place, "textfont": {"size": 16}}
    return {"mode": "lines+text", "hoverinfo": "skip"} | look


def _step(label: str, change: dict, lines: list[int]) -> dict:
    return {"label": label, "method": "restyle", "args": [change, lines]}


def _slider(prefix: str, steps: list[dict], active: int, height: float) -> dict:
    shown = {"prefix": prefix, "font": {"size": 14}}
    return {"steps": steps, "active": active, "currentvalue": shown, "y": height, "pad": {"t": 10}}


def triangle_still(angle: float = 45, ratios: tuple[float, ...] = (0.5, 1.0, 1.5)) -> Figure:
    """The triangle at one angle for some ratios, side by side."""
    return geometry.triangles([[at(ratio, angle) for ratio in ratios]])
