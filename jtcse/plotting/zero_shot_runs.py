"""The figure of zero-shot progress: encoders by lists of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jtcse.look import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

ROW = 0.23  # inches of an encoder's line
DARK = 0.5  # shares from here on are written in white


def progress_map(shares: DataFrame) -> Figure:
    """The share of each list's tasks that an encoder is done with, dark for all; it is written in the cell, in percent.

    Args:
        shares: encoders x lists, 0 to 1.
    """
    figure, (axis,) = panels(height=ROW * len(shares) + 1.4)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1.2, aspect="auto")
    for (row, column), share in ((place, shares.iat[place]) for place in _cells(*shares.shape)):
        shade = "white" if share >= DARK else "black"
        axis.text(column, row, f"{int(100 * share)}", ha="center", va="center", fontsize=8, color=shade)
    axis.set_yticks(range(len(shares)), shares.index, fontsize=9)
    axis.set_xticks(range(shares.shape[1]), shares.columns, rotation=60, ha="left", rotation_mode="anchor", fontsize=9)
    axis.xaxis.tick_top()
    axis.grid(False)
    return figure


def _cells(rows: int, columns: int) -> list[tuple[int, int]]:
    return [(row, column) for row in range(rows) for column in range(columns)]
