"""Who is first in a block of zero-shot tasks, how surely, and when a benchmark that fills many of its rows is counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jtcse.evaluation.statistics.spearman import TAILS
from jtcse.pages.zero_shot.printed_blocks import RESAMPLES, block

if TYPE_CHECKING:
    from pandas import DataFrame, Series


def sources(place: str) -> Series:
    """The benchmark behind each row of a block, in the order of the block.

    Raises:
        UserError: not one of ``zero_shot.BLOCKS``.
    """
    from jtcse.paper import printed

    known = printed.sources().query("place == @place").set_index("task")["source"]
    rows = block(place).index
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
    import pandas

    places = _places(_drawn(rows))
    low, high = np.percentile(_drawn(rows), TAILS, axis=0)
    first = np.percentile(places, TAILS[0], axis=0, method="lower")
    last = np.percentile(places, TAILS[1], axis=0, method="higher")
    frame = pandas.DataFrame({"mean": rows.mean(), "low": low, "high": high}, index=rows.columns)
    frame["place"] = _places(rows.mean().to_numpy()[None])[0]
    frame["first"], frame["last"] = first, last
    return frame.sort_values("mean", ascending=False, kind="stable").rename_axis(None)


def place_shares(rows: DataFrame) -> DataFrame:
    """How often each model has each place when the rows are drawn anew: models as in ``standing`` x places from 1, shares."""
    import pandas

    places = _places(_drawn(rows))
    numbers = range(1, rows.shape[1] + 1)
    shares = {number: (places == number).mean(axis=0) for number in numbers}
    return pandas.DataFrame(shares, index=rows.columns).loc[standing(rows).index]


def _drawn(rows: DataFrame) -> np.ndarray:
    """Means over rows drawn with replacement, all models on the same draws: (resamples, models)."""
    n = len(rows)
    weights = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return weights @ rows.to_numpy() / n


def _places(means: np.ndarray) -> np.ndarray:
    """Means (draws, models) -> places from 1 for the highest; means that differ by rounding only share the better place."""
    means = means.round(9)
    return 1 + (means[:, None] > means[..., None]).sum(axis=2)


def two_rankings(place: str) -> DataFrame:
    """The plain ranking of a block beside that with every source counted once, with the middle 95 % of places."""
    import pandas

    rows = block(place)
    frames = {"tasks": standing(rows), "benchmarks": standing(once(rows, sources(place)))}
    parts = []
    for what, frame in frames.items():
        places = frame["first"].astype(str) + " to " + frame["last"].astype(str)
        names = [f"mean over {what}", f"place, {what}", f"95 % of places, {what}"]
        parts.append(pandas.concat([frame["mean"], frame["place"], places], axis=1, keys=names))
    return parts[0].join(parts[1])


class Ranked(NamedTuple):
    """Words and numbers for the sentences about a block's ranking."""

    sources: int
    largest: str  # the source with most rows
    of_largest: int  # its rows
    share: float  # of all rows, percent
    places: str  # the middle 95 % of JTCSE's places, in words
    often_first: float  # how often JTCSE is first, percent
    once_first: str  # who is first with each source counted once
    once_place: int  # JTCSE's place then
    once_places: str
    moved: int  # models whose place is another one then


def ranked(place: str, system: str = "JTCSE") -> Ranked:
    """What the page of a block says about its ranking, for one of its models."""
    rows, source = block(place), sources(place)
    plain, counted = standing(rows), standing(once(rows, source))
    of = source.value_counts()
    return Ranked(
        sources=len(of),
        largest=str(of.index[0]),
        of_largest=int(of.iloc[0]),
        share=100 * float(of.iloc[0]) / len(rows),
        places=_reach(plain.loc[system]),
        often_first=100 * float(place_shares(rows).loc[system, 1]),
        once_first=str(counted.index[0]),
        once_place=int(counted.loc[system, "place"]),
        once_places=_reach(counted.loc[system]),
        moved=int((plain["place"] != counted["place"].loc[plain.index]).sum()),
    )


def _reach(row: Series) -> str:
    """The middle 95 % of places in words: "3", or "1 to 8"."""
    first, last = int(row["first"]), int(row["last"])
    return f"{first}" if first == last else f"{first} to {last}"
