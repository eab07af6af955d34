"""What a printed average is worth today: task by task beside public scores of present-day encoders and what was scored here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from jtcse.pages.ledger.html import box, piece
from jtcse.pages.zero_shot.scored import measured, named, printed_cells

if TYPE_CHECKING:
    from IPython.display import HTML
    from pandas import DataFrame, Series

    from jtcse.core.run import Run

LANGUAGES, OVER_LANGUAGES = "table5", "avg"  # its rows are sub-sets of one task, which public scores know by their mean
NAME = "white-space:normal;overflow-wrap:anywhere;min-width:10em;max-width:14em"  # a phone shows numbers beside it


def public(place: str) -> DataFrame:
    """Public scores of present-day encoders on the rows of a place, points: ``row``, ``model``, ``score`` and ``english``.

    ``score`` is the mean over the splits that the row stands for and over all sub-sets of the task; NaN where an encoder was
    scored on some sub-sets only. ``english`` is that of the English sub-set, of tasks with several; a row of Table I that is
    itself the English sub-set has it as its score.
    """
    import pandas

    from jtcse.paper.printed import references

    rows = _whole_task() if place == LANGUAGES else named(place)
    known = references()
    found = known[known["place"] == ("table1" if place == LANGUAGES else place)]
    found = found.merge(rows.rename_axis("row").reset_index(), left_on="task", right_on="mteb")
    wanted = [not splits or split in splits for split, splits in zip(found["split"], found["splits"], strict=True)]
    found = found[wanted]
    all_of_them = found.groupby("row")["n_subsets"].transform("max")
    part = found["subsets"].map(bool)  # rows of one sub-set of a task: in Table I the English one
    found = found.assign(
        score=found["score"].where(found["n_subsets"] == all_of_them).mask(part, found["english"]),
        english=found["english"].where((all_of_them > 1) & ~part),
    )
    if place == LANGUAGES:
        english = found.assign(row="en", score=found["english"])
        found = pandas.concat([found, english]).assign(english=float("nan"))
    return found.groupby(["row", "model"], as_index=False, sort=False)[["score", "english"]].mean()


def _whole_task() -> DataFrame:
    """The one task of Table V in all its languages, under the row of their mean."""
    return named(LANGUAGES).loc[["en"]].rename(index={"en": OVER_LANGUAGES}).assign(subsets=[()])


def present_day(place: str, run: Run | None = None) -> DataFrame:
    """Means of present-day encoders beside JTCSE's printed one, each over the tasks that the encoder has a public score on.

    An encoder counts with scores on at least half of the tasks. Under them, what run records have measured.

    Args:
        run: its workspace's records count above the committed ones; None leaves measured means out.
    """
    import pandas

    cells = printed_cells(place)
    found = public(place).dropna(subset="score")
    if place == LANGUAGES:
        found = found[found["row"] == OVER_LANGUAGES]
    of = {model: part.set_index("row")["score"] for model, part in found.groupby("model")}
    enough = found["row"].nunique() if place == LANGUAGES else len(named(place)) / 2
    parts = {model: scores for model, scores in of.items() if len(scores) >= enough}
    parts = dict(sorted(parts.items(), key=lambda pair: -pair[1].mean()))
    parts |= {} if run is None else {f"{name}, here": scores for name, scores in measured(place, run).items()}
    rows = {name: _beside(scores, cells) for name, scores in parts.items()}
    frame = pandas.DataFrame.from_dict(
        rows, orient="index", columns=["tasks", "its mean", "JTCSE, printed", "ahead on"]
    )
    return frame if len(cells) else frame[["tasks", "its mean"]]


def _beside(scores: Series, cells: Series) -> tuple[int, float, float, int]:
    """How many rows, their mean, JTCSE's printed mean over the same, and on how many the scores are above it."""
    same = cells.reindex(scores.index)
    return len(scores), scores.mean(), same.mean(), int((scores > same).sum())


class Worth(NamedTuple):
    """Words and numbers for the sentence about what an average is worth today."""

    encoder: str  # the present-day encoder with the highest mean
    mean: float  # of its public scores, points
    printed: float  # JTCSE's printed mean over the same tasks
    tasks: int
    ahead: int  # tasks on which the encoder is above JTCSE's printed score
    lowest: str  # the encoder with the lowest mean
    lowest_mean: float
    lowest_printed: float


def worth(place: str) -> Worth:
    """The highest and the lowest mean of a present-day encoder, each beside JTCSE's printed mean over the same tasks.

    Of ``predecessor`` nothing is printed: ``printed`` and ``lowest_printed`` are NaN, ``ahead`` is 0.
    """
    frame = present_day(place)
    best, least = frame.iloc[0], frame.iloc[-1]
    return Worth(
        encoder=_short(str(frame.index[0])),
        mean=float(best["its mean"]),
        printed=float(best.get("JTCSE, printed", "nan")),
        tasks=int(best["tasks"]),
        ahead=int(best.get("ahead on", 0)),
        lowest=_short(str(frame.index[-1])),
        lowest_mean=float(least["its mean"]),
        lowest_printed=float(least.get("JTCSE, printed", "nan")),
    )


def _short(model: str) -> str:
    return model.rpartition("/")[2]


# -- task by task --------------------------------------------------------------------------------------------------


def task_by_task(place: str, run: Run) -> HTML:
    """A row a task: JTCSE's printed score, what was scored here, public scores of present-day encoders, in points.

    Under the name of a task stands its benchmark, where other tasks are of it as well.
    """
    from IPython.display import HTML

    cells, here, there = printed_cells(place), measured(place, run), _public_cells(place)
    models = list(dict.fromkeys(model for _, model in there))
    columns = ([cells] if len(cells) else []) + list(here.values())
    head = ["task", *(["JTCSE, printed"] if len(cells) else []), *(f"{name}, here" for name in here)]
    rows = [
        _name(row, benchmark)
        + "".join(_cell(column.get(row)) for column in columns)
        + "".join(there.get((row, model), _cell(None)) for model in models)
        for row, benchmark in _rows(place)
    ]
    label = "Task by task: printed, scored here, and public scores of present-day encoders"
    return HTML(piece(box([*head, *map(_short, models)], rows, label)))


def _name(row: str, benchmark: str) -> str:
    part = f'<small style="display:block;font-weight:400">{escape(benchmark)}</small>' if benchmark else ""
    return f'<th scope=row style="{NAME}">{escape(row)}{part}</th>'


def _rows(place: str) -> list[tuple[str, str]]:
    """Each row with its benchmark, if that has more; of the languages also their mean, which is what public scores have."""
    found = named(place)["source"]
    shared = found.where(found.duplicated(keep=False) & (place != LANGUAGES), "")
    return [*shared.items(), *([(OVER_LANGUAGES, "")] if place == LANGUAGES else [])]


def _public_cells(place: str) -> dict[tuple[str, str], str]:
    """Cells by row and encoder; the English sub-set stands small under the mean over all."""
    frame = public(place)
    return {
        (row, model): _cell(score, "" if english != english else f"<small>English {english:.2f}</small>")
        for row, model, score, english in zip(
            frame["row"], frame["model"], frame["score"], frame["english"], strict=True
        )
    }


def _cell(number: float | None, more: str = "") -> str:
    text = "–" if number is None or number != number else f"{number:.2f}"
    return f"<td>{text}{more}</td>"
