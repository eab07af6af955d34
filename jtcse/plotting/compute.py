"""The figure of the page on what everything costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jtcse.look import CYCLE, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jtcse.work import Work

HOUR = 3600


def hours_over_rate(works: Mapping[str, Work], share: float, rates: Mapping[str, float]) -> Figure:
    """Hours of profiles over the rate of matrix products, on logarithmic scales; level lines are a day and a week.

    Args:
        works: profile to all its work.
        share: of the rate that is achieved.
        rates: name of a machine to its rate in GFLOP/s, drawn as upright lines.
    """
    import numpy as np

    figure, (axes,) = panels(1, height=3.6)
    across = np.geomspace(min(10.0, *rates.values()), max(1e6, *rates.values()), 60)
    for (name, work), colour in zip(works.items(), CYCLE, strict=False):
        axes.plot(across, [work.seconds(rate, share) / HOUR for rate in across], color=colour, label=name)
    for rate in rates.values():
        axes.axvline(rate, color="#999999", linewidth=0.8, linestyle=":")
    for word, hours in (("a day", 24), ("a week", 7 * 24)):
        axes.axhline(hours, color="#444444", linewidth=0.8, linestyle="--")
        axes.text(across[-1], hours, word, ha="right", va="bottom")
    axes.set(xscale="log", yscale="log", xlabel="GFLOP/s of matrix products, as 'jtcse doctor' prints", ylabel="hours")
    axes.legend(loc="upper right")
    return figure
