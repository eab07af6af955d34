"""The figure of the page on cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jtcse.look import CYCLE, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jtcse.evaluation.cost import Shape


def cost_over_length(
    shape: Shape, lengths: Sequence[int], counted: Mapping[int, int], given: float | None = None
) -> Figure:
    """GMAC of one tower over its number of tokens, and the attention products' share of it.

    Args:
        shape: of the tower.
        lengths: tokens, where the two closed forms are drawn.
        counted: tokens to MACs by torch's counter, drawn as points.
        given: the paper's cost of a tower in GMAC, a level line.
    """
    from jtcse.evaluation.cost import GIGA, closed_form, tower_macs
    from jtcse.evaluation.thop_rule import by_thop

    figure, (cost, share) = panels(2, height=2.7, sharex=True)
    cost.plot(
        lengths,
        [tower_macs(shape, n) / GIGA for n in lengths],
        color=CYCLE[0],
        label="all matrix products, closed form",
    )
    cost.plot(
        list(counted), [m / GIGA for m in counted.values()], "o", color=CYCLE[0], label="the same, torch's counter"
    )
    cost.plot(lengths, [by_thop(shape, n) / GIGA for n in lengths], "--", color=CYCLE[1], label="thop's rule")
    if given is not None:
        cost.axhline(given, color="#444444", linestyle=":", linewidth=1.4, label="the paper's cost of a tower")
    cost.set(ylabel="GMAC a sentence", ylim=(0, None), title="One tower")
    cost.legend(loc="upper left")
    parts = [closed_form(shape, n) for n in lengths]
    share.plot(lengths, [100 * p["attention products"] / sum(p.values()) for p in parts], color=CYCLE[2])
    share.set(xlabel="tokens", ylabel="% of all", ylim=(0, None), title="Attention products, which thop leaves out")
    return figure
