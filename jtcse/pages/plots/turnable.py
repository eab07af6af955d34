"""Figures that a reader can turn: the surface of Fig. 3 and the triangle of Fig. 2, each with a still one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jtcse.pages.furniture.style import COLOURS, panels

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

    log_k, t, z = _grid()
    valley = np.sqrt((1 - t) / 2)
    names = {
        "x": {
            "title": {"text": "k"},
            "tickvals": [-3, -2, -1, 0, 1, 2, 3],
            "ticktext": ["⅛", "¼", "½", "1", "2", "4", "8"],
        },
        "y": {"title": {"text": "t = cos γ"}},
        "z": {"title": {"text": "L"}, "range": [0, 1]},
    }
    figure = go.Figure(
        [
            go.Surface(
                x=log_k,
                y=t,
                z=z,
                customdata=np.broadcast_to(2.0**log_k, z.shape),
                colorscale="Cividis",
                showscale=False,
                hovertemplate="k %{customdata:.2f}<br>t %{y:.2f}<br>L %{z:.3f}<extra></extra>",
            ),
            go.Scatter3d(
                x=np.zeros_like(t),
                y=t,
                z=valley + 0.004,
                mode="lines",
                line={"color": COLOURS["jtcse"], "width": 6},
                hovertemplate="k 1<br>t %{y:.2f}<br>sin(γ/2) %{z:.3f}<extra></extra>",
            ),
            go.Scatter3d(
                x=[0],
                y=[1],
                z=[0],
                mode="markers",
                marker={"color": COLOURS["jtcse"], "size": 6},
                hoverinfo="skip",
            ),
        ]
    )
    figure.update_layout(
        height=460,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        showlegend=False,
        scene={f"{axis}axis": value for axis, value in names.items()}
        | {"camera": {"eye": {"x": 1.5, "y": -1.5, "z": 0.9}}},
    )
    return figure


def surface_still() -> Figure:
    """The same as contours: seen from above."""
    log_k, t, z = _grid()
    figure, (axis,) = panels(height=3.4)
    filled = axis.contourf(log_k, t, z, levels=20, cmap="cividis")
    figure.colorbar(filled, label="L")
    axis.plot(np.zeros_like(t), t, color=COLOURS["jtcse"])
    axis.plot(0, 1, "o", color=COLOURS["jtcse"], clip_on=False)
    axis.set_xticks(range(-3, 4), ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axis.set(xlabel="k", ylabel="t = cos γ")
    return figure


def _tips(angle: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends of h+ for all RATIOS at an angle in degrees: x, y, and Eq. 5 there."""
    from jtcse.method.derivation import numeric

    radians, k = np.deg2rad(angle), np.array(RATIOS)
    return k * np.cos(radians), k * np.sin(radians), numeric(k, np.cos(radians))


def _at_angle(angle: float) -> dict[str, list]:
    """What the lines of the triangle become at an angle: two for each ratio, h+ and the difference."""
    x, y, loss = _tips(angle)
    coordinates = {"x": [], "y": [], "text": []}
    for tip_x, tip_y, value in zip(x, y, loss, strict=True):
        coordinates["x"] += [[0, tip_x], [tip_x, 1]]
        coordinates["y"] += [[0, tip_y], [tip_y, 0]]
        coordinates["text"] += [["", "h⁺"], ["", f"<br>L = {value:.3f}"]]
    return coordinates


def triangle() -> Turnable:
    """Fig. 2 in the plane of the two vectors.

    One slider turns h+, which moves the ends of all lines; the other chooses the ratio k, which shows and
    hides lines. So neither undoes the other.
    """
    from plotly import graph_objects as go

    begin, shown = ANGLES.index(45), RATIOS.index(1.5)
    lines = _at_angle(ANGLES[begin])
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 0], text=["", "h"], **_line("tower_1", "bottom center")))
    for number in range(2 * len(RATIOS)):
        style = _line("jtcse", "bottom right") if number % 2 else _line("tower_2", "top center")
        figure.add_scatter(
            x=lines["x"][number],
            y=lines["y"][number],
            text=lines["text"][number],
            visible=number // 2 == shown,
            **style,
        )
    moved = list(range(1, 2 * len(RATIOS) + 1))
    turn = [{"label": f"{a}°", "method": "restyle", "args": [_at_angle(a), moved]} for a in ANGLES]
    choose = [
        {
            "label": f"{k:g}",
            "method": "restyle",
            "args": [{"visible": [i // 2 == n for i in range(2 * len(RATIOS))]}, moved],
        }
        for n, k in enumerate(RATIOS)
    ]
    figure.update_layout(
        height=460,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        showlegend=False,
        plot_bgcolor="white",
        xaxis={"range": [-2.2, 2.4], "visible": False},
        yaxis={"range": [-0.5, 2.2], "scaleanchor": "x", "visible": False},
        sliders=[_slider("angle γ: ", turn, begin, 0.0), _slider("ratio k: ", choose, shown, -0.28)],
    )
    return figure


def _line(system: str, place: str) -> dict:
    return {
        "mode": "lines+text",
        "line": {"color": COLOURS[system], "width": 4},
        "textposition": place,
        "textfont": {"size": 16},
        "hoverinfo": "skip",
    }


def _slider(prefix: str, steps: list[dict], active: int, height: float) -> dict:
    return {
        "steps": steps,
        "active": active,
        "currentvalue": {"prefix": prefix, "font": {"size": 14}},
        "y": height,
        "pad": {"t": 10},
    }


def triangle_still(angle: float = 45, ratios: tuple[float, ...] = (0.5, 1.0, 1.5)) -> Figure:
    """The triangle at one angle for some ratios, side by side."""
    from jtcse.method.derivation import numeric

    radians = np.deg2rad(angle)
    figure, axes = panels(len(ratios), columns=len(ratios), height=2.2, sharex=True, sharey=True)
    for axis, k in zip(axes, ratios, strict=True):
        tip = k * np.array([np.cos(radians), np.sin(radians)])
        for end, start, system in (
            (np.array([1, 0]), np.zeros(2), "tower_1"),
            (tip, np.zeros(2), "tower_2"),
            (tip, np.array([1, 0]), "jtcse"),
        ):
            axis.annotate(
                "",
                end,
                start,
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": COLOURS[system],
                    "linewidth": 2,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )
        axis.set(
            title=f"k = {k:g}\nL = {numeric(k, np.cos(radians)):.3f}",
            xlim=(-0.1, 1.2),
            ylim=(-0.2, 1.2),
            aspect="equal",
        )
        axis.axis("off")
    return figure
