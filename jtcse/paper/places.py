"""The tables and figures of the paper: titles, and how an id is read as a place in a grid."""

from __future__ import annotations

from dataclasses import dataclass

TITLES = {
    "table1": "Table I: seven English STS tasks and three English subsets of multilingual ones",
    "table2": "Table II: 45 classification tasks, zero-shot",
    "table3": "Table III: 14 reranking tasks, zero-shot",
    "table4": "Table IV: 15 bitext mining tasks, zero-shot",
    "table5": "Table V: STS22.v2 by language",
    "table6": "Table VI: 45 retrieval tasks by metric, zero-shot",
    "table7": "Table VII: cost and score per cost of ensembles",
    "table8": "Table VIII: unlabelled SICK-R text in training",
    "table9": "Table IX: number of cross-attention layers",
    "table10": "Table X: subsets of the loss",
    "table11": "Table XI: pooling",
    "figure1": "Fig. 1: ensembles of towers",
    "figure2": "Fig. 2: two vectors and their difference",
    "figure3": "Fig. 3: the surface of the modulus constraint",
    "figure4": "Fig. 4: the architecture",
    "figure6": "Fig. 6: five random seeds",
    "figure7": "Fig. 7: alignment against uniformity",
    "figure8": "Fig. 8: LayerNorms removed from the last layers",
    "figure9": "Fig. 9: attention scores of a sentence",
    "figure10": "Fig. 10: CLS energy weight against score",
    "prose": "Values that only the running text has",
}
"""Place to title, in our words."""

STS7 = ("STS12", "STS13", "STS14", "STS15", "STS16", "STSB", "SICKR")
STS3 = ("STS17", "STS22", "STSBM")


@dataclass(frozen=True)
class Layout:
    """How the ids of a place name its grid, and what its numbers are.

    Attributes:
        parts: what the pieces of an id after the place are ("group", "row", "column"), in order.
        only: the name of the one row or column that an id does not spell out.
        kind, unit: of every value; ``by_column`` overrides them for some columns, ``by_row`` for some rows.
        low, high: the possible range.
        averages: rows or columns that hold printed averages and must be there.
    """

    parts: tuple[str, ...]
    kind: str = "score"
    unit: str = "points"
    low: float = 0
    high: float = 100
    only: str = "7 STS average"
    averages: tuple[str, ...] = ()
    by_column: tuple[tuple[str, str, str], ...] = ()
    by_row: tuple[tuple[str, str, str], ...] = ()


GRID = ("row", "column")
LAYOUTS = {
    "table1": Layout(("group", "row", "column"), averages=("7Avg", "3Avg")),
    "table2": Layout(GRID, averages=("45 Avg. Acc",)),
    "table3": Layout(GRID, averages=("Avg. MAP",)),
    "table4": Layout(GRID, averages=("Avg. F1",)),
    "table5": Layout(GRID, low=-100, averages=("avg", "Avg. Acc")),  # correlations, which may be negative
    "table6": Layout(GRID, averages=("45 Avg.",)),
    "table7": Layout(
        GRID, by_column=(("gmac", "count", "GMAC"), ("eta", "ratio", "points per GMAC")), averages=("sts7",)
    ),
    "table8": Layout(GRID, low=-100, by_row=(("Gain", "gain", "points"),)),
    "table9": Layout(("column",)),
    "table10": Layout(("row",)),
    "table11": Layout(GRID),
    "figure3": Layout(GRID, kind="constant", unit="", low=-1, high=float("inf")),
    "figure7": Layout(("row",)),
    "prose": Layout(GRID, kind="constant", unit="2-norm", high=float("inf")),
}
"""Places that print results; the other figures print none that can be read."""
