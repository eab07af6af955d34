"""One look for all figures, and ``show``, which puts a figure on the page.

Figures suit a phone as well as a desk: little width, large letters, at most three panels in a row. Colours are
Okabe and Ito's, which colour-blind readers can tell apart; a system has the same one on every page.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
import os
import sys
from functools import cache
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any

from jtcse.pages.furniture.elements import beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
SCRIPT = "_static/plotly.min.js"  # one copy for the whole book, put there when it is built
COLOURS = {
    "start": "#767676",
    "tower_1": "#0072B2",
    "tower_2": "#56B4E9",
    "sum": "#E69F00",
    "jtcse": "#D55E00",
    "distilled": "#009E73",
}
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#767676")
TICKS = {"major.size": 6, "major.width": 1.25, "minor.size": 4, "minor.width": 1}  # not drawn, but labels keep off
LOOK = {
    **{"font.size": 11, "axes.labelsize": 11, "axes.titlesize": 12, "axes.titlelocation": "left"},
    **{"axes.edgecolor": ".8", "axes.linewidth": 1.25, "axes.axisbelow": True, "lines.solid_capstyle": "round"},
    **{"axes.grid": True, "grid.color": ".8", "grid.linewidth": 0.6, "legend.title_fontsize": 12},
    **{"patch.edgecolor": "w", "patch.force_edgecolor": True, "xtick.bottom": False, "ytick.left": False},
    **{f"{side}.{size}": points for side in ("xtick", "ytick") for size, points in TICKS.items()},
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 10),
    **dict.fromkeys(("legend.frameon", "axes.spines.right", "axes.spines.top"), False),
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), ".15"),
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
}
"""Seaborn's white grid, without seaborn, which would bring ``scipy.stats`` into every page."""
WIDTH = 5.2  # inches: on a phone, letters of 10 points are then some 9 pixels high


def show(figure: Any, alt: str, still: Figure | None = None) -> None:
    """Display a figure with a text for those who cannot see it.

    Args:
        figure: of Matplotlib, or of Plotly if a reader can turn it.
        alt: what is to be seen, in one sentence.
        still: for a Plotly figure, the same in Matplotlib: shown where no script runs.
    """
    from IPython.display import HTML, display

    if not hasattr(figure, "to_plotly_json"):
        display(HTML(picture(figure, alt)))
    # Where a reader sits, the front end draws Plotly itself: Jupyter names its session to the kernel.
    elif "google.colab" in sys.modules or "JPY_SESSION_NAME" in os.environ:
        figure.show()
    else:  # in the book by the shared script; what is still stands in its place until, or unless, that runs
        text, instead = figure.to_json(), escape(alt) if still is None else picture(still, alt)
        name = "turnable-" + hashlib.sha256(text.encode()).hexdigest()[:12]
        filled = {"name": name, "still": instead, "figure": text.replace("</", "<\\/"), "script": SCRIPT}
        display(HTML(Template(beside("turnable.html")).substitute(filled)))


def picture(figure: Figure, alt: str) -> str:
    """A Matplotlib figure as an HTML image that shrinks with the page."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=200)
    data = base64.b64encode(stream.getvalue()).decode()
    width = round(figure.get_figwidth() * 120)
    style = "max-width:100%;height:auto"
    return f'<img alt="{escape(alt)}" style="{style}" width="{width}" src="data:image/png;base64,{data}">'


@cache
def _look() -> None:
    import matplotlib

    matplotlib.rcdefaults()  # a matplotlibrc in somebody's home changes no figure
    matplotlib.rcParams.update(LOOK | {"axes.prop_cycle": matplotlib.cycler(color=CYCLE)})


def panels(count: int = 1, *, columns: int = 1, height: float = 3.0, **shared: bool) -> tuple[Figure, list[Axes]]:
    """A figure and ``count`` panels in the look of the project; ``height`` of a row in inches."""
    from matplotlib.figure import Figure

    _look()
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(WIDTH, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **shared).ravel().tolist()
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, axes[:count]


def shorten(name: str, longest: int) -> str:
    """A name of at most so many letters; tables have the whole one."""
    return name if len(name) <= longest else name[: longest - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
