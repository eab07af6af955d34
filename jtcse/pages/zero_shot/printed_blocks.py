"""What the pages of Tables I to VI show besides the ledger's view: claims, tasks to run, the printed blocks read in several ways.

A *block* is one of Tables II to VI without its averages: a frame of tasks (or languages, or metrics) by models, in points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas
import yaml

from jtcse.core.errors import check_choice
from jtcse.core.record import Metric
from jtcse.core.run import Run
from jtcse.evaluation.statistics.resampled import row_means
from jtcse.evaluation.statistics.spearman import middle
from jtcse.pages.furniture.elements import Words, beside, within
from jtcse.pages.furniture.tables import claims_in, table
from jtcse.paper import printed
from jtcse.paper.ledger import all_records, entries
from jtcse.paper.places import LAYOUTS

if TYPE_CHECKING:
    from IPython.display import HTML
    from pandas import DataFrame
    from pandas import Series as Column

OWN = ("JTCSE", "JTCSE_D", "JTCSE_UCD")  # the paper's own systems in Tables II to VI
BLOCKS = ("table2", "table3", "table4", "table5", "table6")
CLAIMS: dict[str, list[str]] = yaml.safe_load(beside("claims.yaml"))["zero_shot"]
COUNTS = {  # claims that are counts: which blocks have how many rows, by the text
    "table2": ("claim/C22", {"table2": 45, "table3": 14, "table4": 15}),
    "table5": ("claim/C21", {"table5": 19}),
    "table6": ("claim/C28", {"table6": 15}),
}
NO_SAMPLE = ("table6",)  # its rows are metrics of the same tasks
RESAMPLES = 10_000  # of the bootstrap over the tasks of a block; it has a few dozen numbers only


def said(place: str) -> HTML:
    """The claims of the prose that this table is to bear out, in our words, with where they are made."""
    check_choice("table with such a page", place, CLAIMS)
    return claims_in(CLAIMS[place])


def needed(place: str) -> HTML:
    """What must be run for a block: each row's name in ``mteb``, splits, sub-sets, type, main score and number of languages."""
    shown = printed.tasks().query("place == @place").drop(columns=["place", "superseded_by"])
    shown = shown.loc[:, (shown != "").any()]
    names = {"task": "in the paper", "mteb": "in mteb", "main_score": "main score", "n_languages": "languages"}
    return table(shown.rename(columns=names | {"subsets": "sub-sets"}))


def block(place: str) -> DataFrame:
    """The printed cells of one of Tables II to VI without its rows of averages: rows x models, points.

    Raises:
        UserError: not one of ``BLOCKS``.
    """
    cells, averages = _cells(place)
    return cells.drop(index=averages)


def _cells(place: str) -> tuple[DataFrame, list[str]]:
    check_choice("block of zero-shot tasks", place, BLOCKS)
    found = printed.table(place)
    rows, models = (list(dict.fromkeys(found[name])) for name in ("row", "column"))
    return found.pivot(index="row", columns="column", values="value").loc[rows, models], list(LAYOUTS[place].averages)


def averages(place: str) -> DataFrame:
    """Per model: each printed average, the mean of the printed cells, their difference and the mean rank (1 is best)."""
    cells, names = _cells(place)
    rows = cells.drop(index=names)
    frame = pandas.DataFrame({f"printed, {name!r}": cells.loc[name] for name in names})
    frame["mean of the cells"] = rows.mean()
    frame["difference"] = frame["mean of the cells"] - cells.loc[names[-1]]
    frame["mean rank"], frame["best on"] = ranks(rows).mean(), ranks(rows).eq(1).sum()
    return frame.sort_values("mean of the cells", ascending=False).rename_axis(None)


def ranks(rows: DataFrame) -> DataFrame:
    """The place of each model on each row, 1 for the highest score; equal scores share the better place."""
    return rows.rank(axis=1, ascending=False, method="min")


def leads(rows: DataFrame, system: str = "JTCSE", *, draw: bool = True) -> DataFrame:
    """A system beside each other model over the rows of a block: mean difference in points, its 95 % interval, and rows won.

    The interval is a percentile bootstrap over rows: how the lead would move with other tasks of the kind, were the
    tasks a random draw. It says nothing about the noise of a single cell, which print does not tell.

    Args:
        draw: False leaves the intervals out, for rows that are no sample (the metrics of Table VI share their tasks).
    """
    differences = rows.rsub(rows[system], axis=0).drop(columns=system)
    frame = pandas.DataFrame({"difference": differences.mean()})
    if draw:
        frame["low"], frame["high"] = middle(row_means(differences.to_numpy(), RESAMPLES))
    signs = np.sign(differences.round(6))
    frame["rows won"], frame["rows lost"] = (signs > 0).sum(), (signs < 0).sum()
    return frame.rename_axis(None)


def same_rows(rows: DataFrame) -> str:
    """Rows that are equal in every column, in words: "A = B, C = D", or "none"."""
    groups = rows.groupby(list(rows.columns), sort=False).groups.values()
    return ", ".join(" = ".join(names) for names in groups if len(names) > 1) or "none"


def summary(place: str) -> Words:
    """What the page of one of ``BLOCKS`` says in its sentences, all from print."""
    rows, table = block(place), averages(place)
    lead = leads(rows, draw=place not in NO_SAMPLE)
    rival = str(lead["difference"].drop(list(OWN[1:])).idxmin())
    return Words(
        rows=len(rows),
        models=rows.shape[1],
        first=str(table.index[0]),  # the model with the highest mean of the cells
        place=int(table.index.get_loc("JTCSE")) + 1,  # JTCSE's, by the mean of the cells
        own_first=int(ranks(rows).eq(1)[list(OWN)].any(axis=1).sum()),  # rows on which a system of the paper is first
        rival=rival,  # the baseline with the highest mean
        lead=_lead(lead.loc[rival]),  # JTCSE's mean minus the rival's, in words
        won=int(lead.loc[rival, "rows won"]),  # rows on which JTCSE is above the rival
        off=float(table["difference"].abs().max()),  # a printed average from the mean of its cells, at most, points
    )


def _lead(row: Column) -> str:
    """A mean difference in words, with the interval where there is one."""
    words = f"{row['difference']:+.2f} points"
    return words + (f" ({within(row['low'], row['high'], '+.2f')})" if "low" in row else "")


def block_metrics(place: str) -> list[Metric]:
    """Counts that a block's page makes: its rows, and the claim that is a count.

    A claim's effect is counts that are as claimed minus counts that are not. Counts are exact, their interval is a point.
    """
    rows = len(block(place))
    found = [Metric(name=f"tasks/{place}", value=rows, unit="rows", n=rows)]
    if place in COUNTS:
        claim, wanted = COUNTS[place]
        effect = sum(1 if len(block(name)) == count else -1 for name, count in wanted.items())
        found.append(Metric(name=claim, value=effect, unit="counts", n=len(wanted), low=effect, high=effect))
    return found


def answered(place: str, run: Run) -> tuple[int, int]:
    """How many printed values of a place any run record answers with a number, and how many there are."""
    found = entries(all_records(workdir=run.workspace.root).records, place)
    return sum(entry.measured is not None for entry in found), len(found)
