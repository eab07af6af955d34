"""The tables of the page on cost: counts beside the closed form, readings of the printed cost, score per cost, speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pandas import DataFrame

from jtcse.core.errors import UserError
from jtcse.evaluation.cost import (
    GIGA,
    TRAINING,
    Shape,
    closed_form,
    count_towers,
    count_twin,
    cross_macs,
    tower_macs,
)
from jtcse.evaluation.speed import middle
from jtcse.evaluation.thop_rule import TOWERS, agrees, by_thop, countings
from jtcse.pages.furniture.elements import ranged
from jtcse.pages.furniture.style import CYCLE, panels
from jtcse.paper.printed import precision, printed, printed_text

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

NUMBERS = {1: "one tower", 2: "two towers", 6: "six towers"}
TABLE = "table7"
FORMULAS = {
    "projections": "4 d² l × L",
    "attention products": "2 l² d × L",
    "feed-forward": "2 d f l × L",
    "pooler": "d²",
    "together": "",
}


def parts(shape: Shape, tokens: int) -> DataFrame:
    """The closed form of one tower by part: formula, GMAC, share of the whole in percent."""
    found = closed_form(shape, tokens)
    total = sum(found.values())
    rows = {
        name: {"formula": FORMULAS[name], "GMAC": macs / GIGA, "% of all": 100 * macs / total}
        for name, macs in (found | {"together": total}).items()
    }
    return DataFrame(rows).T


def towers(config: Any, tokens: int) -> DataFrame:
    """One, two and six towers, in GMAC: torch's counter, the closed form, their difference in MACs, and thop's rule."""
    shape = Shape.of(config)
    rows = {}
    for count, name in NUMBERS.items():
        counter, formula = count_towers(config, tokens, count), count * tower_macs(shape, tokens)
        rows[name] = {
            "counter": counter / GIGA,
            "closed form": formula / GIGA,
            "difference, MAC": counter - formula,
            "thop's rule": count * by_thop(shape, tokens) / GIGA,
        }
    return DataFrame(rows).T.astype({"difference, MAC": int})


def twins(config: Any, tokens: int, cael_count: int) -> DataFrame:
    """Each reading of the cross stream, in GMAC: forward, forward and backward, and what the stream adds in percent.

    Raises:
        UserError: counter and closed form differ, so that neither can be shown as the other.
    """
    shape, rows = Shape.of(config), {}
    plain = 2 * tower_macs(shape, tokens)
    for reading in ("none", "last", "carried", "fed"):
        found, added = count_twin(config, tokens, reading, cael_count), cross_macs(shape, tokens, reading, cael_count)
        if found != {"forward": plain + added, "training": TRAINING * (plain + added)}:
            raise UserError(
                f"counted {found} MACs with reading {reading!r}, the closed form says {plain + added} forward; "
                "evaluation/cost.py no longer describes the twin"
            )
        rows[reading] = {
            "forward": found["forward"] / GIGA,
            "forward and backward": found["training"] / GIGA,
            "added by the stream, %": 100 * added / plain,
        }
    return DataFrame(rows).T


def readings(shape: Shape, heads: int, tokens: int) -> DataFrame:
    """Ways to count one tower, in GMAC, and whether one, two and six of it round to what Table VII is said to print."""
    models = {1: "JTCSE_D-BERT", 2: "JTCSE-BERT", 6: "EDFSE-BERT"}
    ids = {count: f"{TABLE}/{model}/gmac" for count, model in models.items()}
    rows = {}
    for name, macs in countings(shape, heads, tokens).items():
        rows[name] = {"GMAC": macs / GIGA} | {
            f"{NUMBERS[n]}: {printed_text(id)}": "yes" if agrees(n * macs, printed(id), precision(id)) else "no"
            for n, id in ids.items()
        }
    return DataFrame(rows).T


def etas(shape: Shape, tokens: int) -> DataFrame:
    """Score per cost, eta = points / GMAC, from the printed score and three costs, for each row of Table VII that is known."""
    rows = {}
    for model, count in TOWERS.items():
        score = printed(f"{TABLE}/{model}/sts7")
        rows[model] = {
            "towers": count,
            "eta as given": printed_text(f"{TABLE}/{model}/eta"),
            "from the given cost": score / printed(f"{TABLE}/{model}/gmac"),
            "from thop's rule": score / (count * by_thop(shape, tokens) / GIGA),
            "from all matrix products": score / (count * tower_macs(shape, tokens) / GIGA),
        }
    return DataFrame(rows).T


def speed(
    taken: Mapping[str, np.ndarray], held: Mapping[str, Mapping[str, float]], sentences: int, macs: Sequence[int]
) -> DataFrame:
    """Measured beside counted, a row an encoder.

    Args:
        taken: seconds of each round (``evaluation.speed.rounds``); the first encoder is what the others are compared with.
        held: MiB of weights and work.
        sentences: of a round.
        macs: of all sentences of a round, an encoder each.
    """
    rows, (first, *_) = {}, taken
    for (name, seconds), count in zip(taken.items(), macs, strict=True):
        rate, ratio = middle(sentences / seconds), middle(seconds / taken[first])
        rows[f"{name} measured"] = {
            "sentences a second": ranged(rate.median, rate.low, rate.high, ",.0f"),
            "time, first = 1": ranged(ratio.median, ratio.low, ratio.high, ".2f"),
            "MAC, first = 1": f"{count / macs[0]:.2f}",
            "GMAC a second": f"{middle(count / GIGA / seconds).median:.1f}",
            "weights, MiB": f"{held[name]['weights']:.1f}",
            "work, MiB": f"{held[name]['work']:.1f}",
        }
    return DataFrame(rows).T


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
    figure, (cost, share) = panels(2, height=2.7, sharex=True)
    every, by_rule = ([count(shape, n) / GIGA for n in lengths] for count in (tower_macs, by_thop))
    points = [macs / GIGA for macs in counted.values()]
    cost.plot(lengths, every, color=CYCLE[0], label="all matrix products, closed form")
    cost.plot(list(counted), points, "o", color=CYCLE[0], label="the same, torch's counter")
    cost.plot(lengths, by_rule, "--", color=CYCLE[1], label="thop's rule")
    if given is not None:
        cost.axhline(given, color="#444444", linestyle=":", linewidth=1.4, label="the paper's cost of a tower")
    cost.set(ylabel="GMAC a sentence", ylim=(0, None), title="One tower")
    cost.legend(loc="upper left")
    parts = [closed_form(shape, n) for n in lengths]
    share.plot(lengths, [100 * p["attention products"] / sum(p.values()) for p in parts], color=CYCLE[2])
    share.set(xlabel="tokens", ylabel="% of all", ylim=(0, None), title="Attention products, which thop leaves out")
    return figure
