"""What the paper prints, as data: every value under a stable id such as ``table1/BERT-base/JTCSE/7Avg``.

``values.csv`` holds one value a row: its id, the text as printed (so that the printed precision is not lost), and where
it was read. Place, row, column, kind and unit follow from the id by ``places.py``. Status:

- ``printed``: read in the paper's text (a dash there is a dash here);
- ``readme``: the page is lost in the text at hand, the value stands in the authors' README;
- ``inferred``: computed by us, or told by others; it proves nothing against the paper;
- ``lost``: the paper has the value, nobody at hand knows it.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from jtcse.core.errors import UserError, check_choice, unknown
from jtcse.paper.places import LAYOUTS, TITLES, Layout

if TYPE_CHECKING:
    from pandas import DataFrame, Series

DASH = "\N{EN DASH}"  # how a value that the paper leaves out is shown
LOST = "lost"
STATUSES = ("printed", "readme", "inferred", "lost")
COLUMNS = [
    "place", "row", "column", "group", "text", "value", "status", "kind", "unit", "readme", "mark", "source", "note",
]  # fmt: skip


def values() -> DataFrame:
    """Every printed value of Tables I-XI, of the figures and of the prose: a new frame indexed by id.

    Columns: ``place``, ``row``, ``column`` and ``group`` (how the page lays it out; ``group`` is Table I's backbone),
    ``text`` (as printed, a dash where nothing is, "lost" where the page is), ``value`` (float, NaN at both), ``status``,
    ``kind`` (score, count, ratio, gain, constant), ``unit``, ``readme`` (the authors' README's text of it), ``mark`` (best
    or second, as the README sets it), ``source`` (in Table I whose number it is), ``note``.

    Raises:
        UserError: the file does not pass ``checked``.
    """
    return _values().copy()


def table(place: str) -> DataFrame:
    """The values of one place, in printed order; none for a figure without readable results.

    Raises:
        UserError: no such table or figure.
    """
    check_choice("table or figure of the paper", place, TITLES)
    frame = _values()
    return frame[frame["place"] == place].copy()


def printed(id: str) -> float:
    """The printed value in its unit.

    Raises:
        UserError: no such id, or the paper prints a dash there, or the value is lost.
    """
    row = _row(id)
    if row["text"] == LOST:
        raise UserError(f"the value of {id!r} is on a lost page of the paper; choose another id")
    if row["value"] != row["value"]:
        raise UserError(f"the paper prints a dash, not a value, at {id!r}; choose another id")
    return float(row["value"])


def printed_text(id: str) -> str:
    """The value letter for letter as printed ("79.70"), a dash, or "lost"; an unknown id is a UserError."""
    return str(_row(id)["text"])


def precision(id: str) -> float:
    """Half a unit of the last printed digit, in the value's unit: 0.005 for "79.70". Errors as for ``printed``."""
    printed(id)
    return half_unit(printed_text(id))


def half_unit(text: str) -> float:
    """Half a unit of the last digit of a printed number: 0.005 for "79.70", 0.5 for "14"."""
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def claims() -> DataFrame:
    """Quantitative and ranking claims of the prose, in our words, indexed ``claim/C01`` and on.

    Columns: ``section``, ``text``, ``numbers`` (as printed), ``check`` (how a program could), and ``needs``, what can answer
    for it: ``any`` profile, ``released`` weights of the compared systems, own training as the ``paper``'s, its ``print``
    alone, or ``nobody``.
    """
    return _file("claims").set_index("id")


def settings() -> DataFrame:
    """Hyper-parameters: ``stage``, ``system``, ``name``, ``value`` (text), ``source``, ``note`` (conflicts of sources)."""
    return _file("settings")


def axes() -> DataFrame:
    """What figures show that is no result: ticks, labels, structure. ``place``, ``element``, ``label``, ``value``, ..."""
    return _file("axes")


def tasks() -> DataFrame:
    """The paper's tasks under the names of ``mteb``: ``place``, ``task``, ``mteb``, ``splits``, ``subsets``, ``type``, ...

    Several splits or subsets have a plus between them. No split: the row is not scored through mteb; no subset: all of them.
    The place ``predecessor`` holds the retrieval tasks of TNCSE's supplement; those of Table VI are named nowhere.
    """
    return _file("tasks")


def references() -> DataFrame:
    """Scores (points) of present-day encoders on tasks of the paper and its predecessor, from mteb's public results.

    One row for each encoder, task (its name in mteb) and split; ``score`` is the mean over ``n_subsets``, ``english`` that of the
    English sub-set, NaN where there is none.
    """
    import pandas as pd

    frame = _file("references")
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in ("score", "english", "n_subsets")})


def sources() -> DataFrame:
    """The benchmark that each zero-shot task is part of: ``place``, ``task`` (as printed) and ``source``.

    Tasks share a source where mteb's metadata lead to one publication, to one collector, or from one set to the other.
    """
    return _file("sources")


def models() -> DataFrame:
    """The systems of Table I by ``backbone`` and ``model``: ``group`` (baseline, ours, ...) and number of ``towers``."""
    frame = _file("models")
    return frame.assign(towers=frame["towers"].astype(int)).set_index(["backbone", "model"])


def _row(id: str) -> Series:
    frame = _values()
    if id not in frame.index:
        raise unknown("id of a printed value", id, _neighbours(id, frame))
    return frame.loc[id]


def _neighbours(id: str, frame: DataFrame) -> list[str]:
    """The nearest few ids: hundreds of valid ones would drown the message."""
    from difflib import get_close_matches

    place = id.partition("/")[0]
    near = [name for name in frame.index if name.startswith(place + "/")]
    return get_close_matches(id, near or list(TITLES), n=3, cutoff=0.0)


def _file(name: str) -> DataFrame:
    import pandas as pd

    with (resources.files(__package__) / f"{name}.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=str, keep_default_na=False)


@lru_cache
def _values() -> DataFrame:
    return checked(_file("values"))


def checked(raw: DataFrame) -> DataFrame:
    """The values of a file as read (all text), laid out, in the columns of ``values``.

    Raises:
        UserError: a doubled or unreadable id, an unknown status, no number where one must be, a number out of its kind's
            range, a grid with holes, a printed average missing; the message names the id and what was expected.
    """
    _refuse(raw["id"].duplicated(), raw["id"], "stands twice", "keep one row")
    frame = laid_out(raw)
    _check_texts(frame)
    _check_ranges(frame)
    for place, part in frame.groupby("place", sort=False):
        _check_grid(str(place), part)
    return frame


def laid_out(raw: DataFrame) -> DataFrame:
    """Columns ``id``, ``text``, ``status``, ``readme``, ``mark``, ``source``, ``note`` (all text) as the frame of ``values``.

    Only ids are checked; the audit lays out altered copies with it.

    Raises:
        UserError: an id that does not fit the layout of its place.
    """
    import pandas as pd

    pieces = raw["id"].str.partition("/")
    layouts = pieces[0].map(LAYOUTS)
    _refuse(layouts.isna(), raw["id"], "has an unknown place", f"expected one of {', '.join(LAYOUTS)}")
    parts = [[place, *_position(id, rest, layout)] for id, place, rest, layout in
             zip(raw["id"], pieces[0], pieces[2], layouts, strict=True)]  # fmt: skip
    frame = pd.DataFrame(parts, columns=["place", "group", "row", "column", "kind", "unit"])
    for name in ("text", "status", "readme", "mark", "source", "note"):
        frame[name] = raw[name].to_numpy()
    frame["value"] = pd.to_numeric(frame["text"], errors="coerce")
    return frame[COLUMNS].set_index(pd.Index(raw["id"], name="id"))


def _position(id: str, rest: str, layout: Layout) -> tuple[str, str, str, str, str]:
    names = rest.split("/")
    if len(names) != len(layout.parts) or "" in names:
        raise UserError(f"values.csv: {id!r} does not name {', '.join(layout.parts)} of its place; mend the id")
    at = dict(zip(layout.parts, names, strict=True))
    row, column = at.get("row", layout.only), at.get("column", layout.only)
    kinds = {name: (kind, unit) for name, kind, unit in (*layout.by_column, *layout.by_row)}
    kind, unit = kinds.get(column) or kinds.get(row) or (layout.kind, layout.unit)
    return at.get("group", ""), row, column, kind, unit


def _check_texts(frame: DataFrame) -> None:
    """Statuses are known; every text is a number, a dash or "lost", and only the lost are "lost"."""
    ids, text = frame.index.to_series(), frame["text"]
    _refuse(~frame["status"].isin(STATUSES), ids, "has an unknown status", f"expected one of {', '.join(STATUSES)}")
    lost = frame["status"] == "lost"
    _refuse(lost != (text == LOST), ids, "says 'lost' in one of text and status only", "mend one of them")
    wrong = ~lost & (text != DASH) & ~text.str.fullmatch(r"-?\d+(\.\d+)?")
    _refuse(wrong, ids, "is no number", "expected a decimal number, or a dash where the paper has one")


def _check_ranges(frame: DataFrame) -> None:
    for place, part in frame.groupby("place", sort=False):
        layout = LAYOUTS[str(place)]
        value = part["value"].dropna()
        wrong = ~value.between(layout.low, layout.high)
        ids = value.index.to_series()
        _refuse(wrong, ids, "is out of range", f"expected a number from {layout.low:g} to {layout.high:g}")


def _check_grid(place: str, part: DataFrame) -> None:
    """Every row with every column (within its group), and the printed averages among them."""
    for group, block in part.groupby("group", sort=False):
        found = set(zip(block["row"], block["column"], strict=True))
        wanted = [(row, column) for row in dict.fromkeys(block["row"]) for column in dict.fromkeys(block["column"])]
        holes = ["/".join(filter(None, (place, str(group), *pair))) for pair in wanted if pair not in found]
        if holes:
            raise UserError(f"values.csv has no row for {holes[0]!r} ({len(holes)} such); expected a complete grid, "
                            "with a dash where the paper leaves a cell empty")  # fmt: skip
        for average in LAYOUTS[place].averages:
            if average not in set(block["row"]) | set(block["column"]):
                raise UserError(f"values.csv lacks the printed average {place}/{average}; add its rows")


def _refuse(wrong: Series, ids: Series, found: str, expected: str) -> None:
    """A sentence about the first of the rows that are wrong, if any is."""
    names = list(ids[wrong.to_numpy(dtype=bool)])
    if names:
        count = f" ({len(names)} such rows)" if len(names) > 1 else ""
        raise UserError(f"values.csv: {names[0]!r} {found}{count}; {expected}")
