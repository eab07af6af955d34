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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as Turnable
SCRIPT = "_static/plotly.min.js"  # one copy for the whole book, put there when it is built
# The script is asked for once a page, whatever the order of figures; without it the still picture stays.
PAGE = """<div class="plotly-graph-div" id="{name}">{still}</div>
<script>
(() => {{
  const place = document.getElementById("{name}"), figure = {figure};
  window.jtcsePlotly ??= new Promise((done, failed) => {{
    if (window.Plotly) return done();
    const script = document.createElement("script");
    Object.assign(script, {{src: "{script}", onload: done, onerror: failed}});
    document.head.append(script);
  }});
  window.jtcsePlotly.then(() => {{
    place.replaceChildren();
    Plotly.newPlot(place, figure.data, figure.layout, {{responsive: true, displayModeBar: false}});
  }}, () => undefined);
}})();
</script>"""

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "start": "#767676",
    "tower_1": "#0072B2",
    "tower_2": "#56B4E9",
    "sum": "#E69F00",
    "jtcse": "#D55E00",
    "distilled": "#009E73",
}
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#767676")
WIDTH = 5.2  # inches: on a phone, letters of 10 points are then some 9 pixels high


def show(figure: Any, alt: str, still: Figure | None = None) -> None:
    """Display a figure with a text for those who cannot see it.

    Args:
        figure: of Matplotlib, or of Plotly if a reader can turn it.
        alt: what is to be seen, in one sentence.
        still: for a Plotly figure, the same in Matplotlib: shown where no script runs.
    """
    from IPython.display import HTML, display

    if hasattr(figure, "to_plotly_json"):
        show_turnable(figure, picture(still, alt) if still is not None else escape(alt))
    else:
        display(HTML(picture(figure, alt)))


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
    import seaborn

    matplotlib.rcdefaults()  # a matplotlibrc in somebody's home changes no figure
    seaborn.set_theme(
        style="whitegrid",
        palette=CYCLE,
        rc={
            "font.size": 11,
            "axes.labelsize": 11,
            "axes.titlesize": 12,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "grid.linewidth": 0.6,
            "axes.titlelocation": "left",
        },
    )


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


def show_turnable(figure: Turnable, still: str) -> None:
    """Display a Plotly figure: in the book by the shared script, elsewhere as the front end does it.

    Args:
        still: HTML that stands in its place until, or unless, the script runs.
    """
    from IPython.display import HTML, display

    # Where a reader sits, the front end draws Plotly itself: Jupyter names its session to the kernel.
    if "google.colab" in sys.modules or "JPY_SESSION_NAME" in os.environ:
        figure.show()
        return
    text = figure.to_json()
    name = "turnable-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    display(HTML(PAGE.format(name=name, still=still, figure=text.replace("</", "<\\/"), script=SCRIPT)))
