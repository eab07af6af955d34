"""What a printed average is worth today: task by task beside public scores of present-day encoders and what was scored here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pandas

from jtcse.core.run import Run
from jtcse.pages.furniture.elements import Words
from jtcse.pages.furniture.html import Markup, box, line, shown, small
from jtcse.pages.zero_shot.scored import measured, named, number, printed_cells
from jtcse.paper.printed import references

if TYPE_CHECKING:
    from IPython.display import HTML
    from pandas import DataFrame

LANGUAGES, OVER_LANGUAGES = "table5", "avg"  # its rows are sub-sets of one task, which public scores know by their mean


def public(place: str) -> DataFrame:
    """Public scores of present-day encoders on the rows of a place, points: ``row``, ``model``, ``score`` and ``english``.

    ``score`` is the mean over the splits that the row stands for and over all sub-sets of the task; NaN where an encoder was
    scored on some sub-sets only. ``english`` is that of the English sub-set, of tasks with several; a row of Table I that is
    itself the English sub-set has it as its score.
    """
    rows = named(place)
    if place == LANGUAGES:  # the one task in all its languages, under the row of their mean
        rows = rows.loc[["en"]].rename(index={"en": OVER_LANGUAGES}).assign(subsets=[()])
    found = references().query("place == @known", local_dict={"known": "table1" if place == LANGUAGES else place})
    found = found.merge(rows.rename_axis("row").reset_index(), left_on="task", right_on="mteb")
    of = zip(found["split"], found["splits"], strict=True)
    found = found[[not splits or split in splits for split, splits in of]]
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


def present_day(place: str, run: Run | None = None) -> DataFrame:
    """Means of present-day encoders beside JTCSE's printed one, each over the tasks that the encoder has a public score on.

    An encoder counts with scores on at least half of the tasks. Under them, what run records have measured.

    Args:
        run: its workspace's records count above the committed ones; None leaves measured means out.
    """
    cells, found = printed_cells(place), public(place).dropna(subset="score")
    enough = len(named(place)) / 2
    if place == LANGUAGES:
        found, enough = found[found["row"] == OVER_LANGUAGES], 1
    of = {model: part.set_index("row")["score"] for model, part in found.groupby("model")}
    parts = {model: scores for model, scores in of.items() if len(scores) >= enough}
    parts = dict(sorted(parts.items(), key=lambda pair: -pair[1].mean()))
    parts |= {} if run is None else {f"{name}, here": scores for name, scores in measured(place, run).items()}
    rows = {}
    for name, scores in parts.items():  # JTCSE's printed mean is over the same rows
        same = cells.reindex(scores.index)
        rows[name] = (len(scores), scores.mean(), same.mean(), int((scores > same).sum()))
    names = ["tasks", "its mean", "JTCSE, printed", "ahead on"]
    frame = pandas.DataFrame.from_dict(rows, orient="index", columns=names)
    return frame if len(cells) else frame[["tasks", "its mean"]]


def worth(place: str) -> Words:
    """The highest and the lowest mean of a present-day encoder, each beside JTCSE's printed mean over the same tasks, in points.

    ``ahead`` are tasks on which the highest is above JTCSE's printed score. Of ``predecessor`` nothing is printed: ``printed``
    and ``lowest_printed`` are NaN, ``ahead`` is 0.
    """
    frame = present_day(place).rename(index=_short)
    frame = frame.reindex(columns=["tasks", "its mean", "JTCSE, printed", "ahead on"])
    (tasks, mean, printed, ahead), least = frame.iloc[[0, -1]].itertuples(index=False, name=None)
    highest = {"encoder": frame.index[0], "mean": mean, "printed": printed, "tasks": int(tasks)}
    lowest = {"lowest": frame.index[-1], "lowest_mean": least[1], "lowest_printed": least[2]}
    return Words(highest, ahead=0 if ahead != ahead else int(ahead), **lowest)


def _short(model: str) -> str:
    return model.rpartition("/")[2]


# -- task by task --------------------------------------------------------------------------------------------------


def task_by_task(place: str, run: Run) -> HTML:
    """A row a task: JTCSE's printed score, what was scored here, public scores of present-day encoders, in points.

    Under the name of a task stands its benchmark, where other tasks are of it as well; the English sub-set stands small under
    the mean over all.
    """
    cells, here, there = printed_cells(place), measured(place, run), public(place)
    columns = ({"JTCSE, printed": cells} if len(cells) else {}) | {f"{name}, here": some for name, some in here.items()}
    models = list(dict.fromkeys(there["model"]))
    texts = {(one.row, one.model): _with_english(one.score, one.english) for one in there.itertuples()}
    rows = []
    for row, benchmark in _rows(place):
        known = [number(column.get(row)) for column in columns.values()]
        known += [texts.get((row, model), "–") for model in models]
        rows.append(line(Markup(escape(row) + small(benchmark)), known, "task"))
    label = "Task by task: printed, scored here, and public scores of present-day encoders"
    return shown(box(["task", *columns, *map(_short, models)], rows, label))


def _with_english(score: float, english: float) -> Markup:
    return Markup(number(score) + small("" if english != english else f"English {english:.2f}"))


def _rows(place: str) -> list[tuple[str, str]]:
    """Each row with its benchmark, if that has more; of the languages also their mean, which is what public scores have."""
    found = named(place)["source"]
    shared = found.where(found.duplicated(keep=False) & (place != LANGUAGES), "")
    return [*shared.items(), *([(OVER_LANGUAGES, "")] if place == LANGUAGES else [])]
