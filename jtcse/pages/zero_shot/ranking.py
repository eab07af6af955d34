"""Who is first in a block of zero-shot tasks, how surely, and when a benchmark that fills many of its rows is counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas

from jtcse.evaluation.statistics.resampled import place_ends, places, row_means
from jtcse.evaluation.statistics.spearman import middle
from jtcse.pages.furniture.elements import Words
from jtcse.pages.zero_shot.printed_blocks import RESAMPLES, block
from jtcse.paper import printed

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series


def sources(place: str) -> Series:
    """The benchmark behind each row of a block, in the order of the block.

    Raises:
        UserError: not one of ``printed_blocks.BLOCKS``.
    """
    rows = block(place).index
    known = printed.sources().query("place == @place").set_index("task")["source"]
    return known.reindex(rows).fillna(rows.to_series())


def once(rows: DataFrame, source: Series) -> DataFrame:
    """Each source counted once: the mean over its rows, sources in the order in which they first stand.

    Args:
        rows: tasks x models, points.
        source: of each row.
    """
    return rows.groupby(source.to_numpy(), sort=False).mean()


def standing(rows: DataFrame) -> DataFrame:
    """The models by their mean over rows, the best first, with what drawing the rows anew does to mean and place.

    Returns:
        a row a model: ``mean``, ``low`` and ``high`` (points, the middle 95 % of the draws), ``place`` (1 is best, equal means
        share the better one), ``first`` and ``last`` (the middle 95 % of its places).
    """
    means = row_means(rows.to_numpy(), RESAMPLES)
    (low, high), (first, last) = middle(means), place_ends(_places(means))
    columns = {"mean": rows.mean(), "low": low, "high": high, "place": _places(rows.mean().to_numpy()[:, None])[:, 0]}
    frame = pandas.DataFrame(columns | {"first": first, "last": last}, index=rows.columns)
    return frame.sort_values("mean", ascending=False, kind="stable").rename_axis(None)


def place_shares(rows: DataFrame) -> DataFrame:
    """How often each model has each place when the rows are drawn anew: models as in ``standing`` x places from 1, shares."""
    drawn = _places(row_means(rows.to_numpy(), RESAMPLES))
    shares = {number: (drawn == number).mean(axis=1) for number in range(1, rows.shape[1] + 1)}
    return pandas.DataFrame(shares, index=rows.columns).loc[standing(rows).index]


def _places(means: np.ndarray) -> np.ndarray:
    """Places by means (models, draws); means that differ by rounding only share the better place."""
    return places(means.round(9))


def two_rankings(place: str) -> DataFrame:
    """The plain ranking of a block beside that with every source counted once, with the middle 95 % of places."""
    rows, parts = block(place), []
    for what, some in {"tasks": rows, "benchmarks": once(rows, sources(place))}.items():
        frame = standing(some)
        ends = frame["first"].astype(str) + " to " + frame["last"].astype(str)
        names = [f"mean over {what}", f"place, {what}", f"95 % of places, {what}"]
        parts.append(pandas.concat([frame["mean"], frame["place"], ends], axis=1, keys=names))
    return parts[0].join(parts[1])


def ranked(place: str, system: str = "JTCSE") -> Words:
    """What the page of a block says about its ranking, for one of its models; ``once_...``: with each source counted once."""
    rows, source = block(place), sources(place)
    plain, counted = standing(rows), standing(once(rows, source))
    of = source.value_counts()
    return Words(
        sources=len(of),
        largest=str(of.index[0]),  # the source with most rows, and how many these are, also in percent of all
        of_largest=int(of.iloc[0]),
        share=100 * float(of.iloc[0]) / len(rows),
        places=_reach(plain.loc[system]),
        often_first=100 * float(place_shares(rows).loc[system, 1]),  # percent of the draws
        once_first=str(counted.index[0]),
        once_place=int(counted.loc[system, "place"]),
        once_places=_reach(counted.loc[system]),
        # models whose place is another one then
        moved=int((plain["place"] != counted["place"].loc[plain.index]).sum()),
    )


def _reach(row: Series) -> str:
    """The middle 95 % of places in words: "3", or "1 to 8"."""
    first, last = int(row["first"]), int(row["last"])
    return f"{first}" if first == last else f"{first} to {last}"
