"""Values as the paper prints them, each under a stable id such as ``table1/BERT-base/JTCSE/7Avg``.

``table1.csv`` holds Table I, one value a row: backbone, model, task, value and provenance. The value is kept
as text, so that its printed precision is not lost, and is empty where the paper prints a dash. Provenance
says whose number it is; "inferred" where the mark beside it cannot be read in the paper's text.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from jtcse.errors import UserError, unknown

if TYPE_CHECKING:
    from pandas import DataFrame

DASH = "\N{EN DASH}"  # how a value that the paper leaves out is shown
ID_COLUMNS = ["backbone", "model", "task"]


def table1() -> DataFrame:
    """Table I (Spearman points, 0-100): a new frame indexed by id.

    Columns: ``backbone``, ``model``, ``task``, ``text`` (as printed, a dash where nothing is), ``value``
    (float, NaN at a dash), ``provenance``.

    Raises:
        UserError: the file has a doubled id or a value outside 0-100.
    """
    return _load("table1").copy()


def printed(id: str) -> float:
    """The printed value in points. An unknown id, or one where the paper prints a dash, is a UserError."""
    value = float(_row(id)["value"])
    if value != value:
        raise UserError(f"the paper prints a dash, not a value, at {id!r}; choose another id")
    return value


def printed_text(id: str) -> str:
    """The value letter for letter as printed ("79.70"), or a dash; an unknown id is a UserError."""
    return str(_row(id)["text"])


def _row(id: str) -> dict[str, object]:
    table = _load("table1")
    if id not in table.index:
        raise unknown("id of a printed value", id, _neighbours(id, table))
    return table.loc[id].to_dict()


def _neighbours(id: str, table: DataFrame) -> list[str]:
    """The nearest few ids: hundreds of valid ones would drown the message."""
    from difflib import get_close_matches

    return get_close_matches(id, table.index, n=3, cutoff=0.0)


@lru_cache
def _load(name: str) -> DataFrame:
    import pandas as pd

    with (resources.files(__package__) / f"{name}.csv").open(encoding="utf-8") as stream:
        table = pd.read_csv(stream, dtype=str, keep_default_na=False)
    return checked(name, table)


def checked(name: str, table: DataFrame) -> DataFrame:
    """A table as read (all text) with its ids as index and ``text`` and ``value`` beside each other.

    Raises:
        UserError: doubled ids, or values that are not numbers from 0 to 100.
    """
    import pandas as pd

    ids = name + "/" + table[ID_COLUMNS].agg("/".join, axis=1)
    doubled = sorted(set(ids[ids.duplicated()]))
    if doubled:
        raise UserError(f"{name}.csv has the id {doubled[0]!r} twice ({len(doubled)} such ids); keep one row each")
    value = pd.to_numeric(table["value"], errors="coerce")
    wrong = ids[(table["value"] != "") & ~value.between(0, 100)]
    if len(wrong):
        raise UserError(
            f"{name}.csv has no number from 0 to 100 at {wrong.iloc[0]!r} ({len(wrong)} such rows); mend it"
        )
    text = table["value"].replace("", DASH)
    result = table[ID_COLUMNS].assign(text=text, value=value, provenance=table["provenance"])
    return result.set_index(pd.Index(ids, name="id"))
