"""The page of zero-shot scores: which encoder was scored on which list of tasks, what is missing and why, how fast it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jtcse.core.record import Metric, RunRecord, read_record
from jtcse.pages.furniture.style import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
ROW = 0.23  # inches of an encoder's line
DARK = 0.5  # shares from here on are written in white

if TYPE_CHECKING:
    from pandas import DataFrame

    from jtcse.core.run import Run
    from jtcse.evaluation.mteb.running import Outcome
    from jtcse.experiments.zero_shot.subjects import Subject

    Scored = Sequence[tuple[Subject, Sequence[Outcome]]]

STATES = ("done", "missing", "failed", "not run")
NOT_RUN = "not run"


def named(word: str) -> list[str]:
    """The tasks that a word of ``zero_shot.tasks`` asks for; the seven sets of ``sts7`` count as one."""
    from jtcse.experiments.zero_shot.request import split
    from jtcse.experiments.zero_shot.sts7 import WORD

    seven, wanted = split([word])
    return ([] if seven is None else [WORD]) + [one.name for one in wanted]


def progress(found: Scored, words: Sequence[str]) -> DataFrame:
    """A row for each encoder, list and task: its state and, where it is not done, why."""
    import pandas

    columns = ["encoder", "list", "task", "state", "why"]
    lists = {word: named(word) for word in words}
    rows = [
        (subject.label, word, task, *_state(outcomes, word, task))
        for subject, outcomes in found
        for word, names in lists.items()
        for task in names
    ]
    return pandas.DataFrame(rows, columns=columns)


def _state(outcomes: Sequence[Outcome], word: str, task: str) -> tuple[str, str]:
    """Of an encoder that could not be opened, the word itself is missing, with all its tasks."""
    known = {one.name: one for one in outcomes}
    one = known.get(task) or known.get(word)
    if one is None:
        return NOT_RUN, ""
    return ("done" if one.done else one.state), one.words


def counts(frame: DataFrame) -> DataFrame:
    """Encoders x lists: how many tasks of the list are done, of how many, and what the others are."""
    grouped = frame.groupby(["encoder", "list"], sort=False)["state"].apply(_count)
    return grouped.unstack().loc[frame["encoder"].unique(), frame["list"].unique()].rename_axis(None)


def _count(states: DataFrame) -> str:
    tally = states.value_counts()
    others = [f"{tally[state]} {state}" for state in STATES[1:] if state in tally]
    return ", ".join([f"{tally.get('done', 0)} of {len(states)}", *others])


def shares(frame: DataFrame) -> DataFrame:
    """Encoders x lists: the share of tasks that are done."""
    done = frame["state"].eq("done").groupby([frame["encoder"], frame["list"]], sort=False).mean()
    return done.unstack().loc[frame["encoder"].unique(), frame["list"].unique()]


def missing(frame: DataFrame) -> DataFrame:
    """Tasks without a result: one row a task and reason, with the number of encoders that it concerns, most of them first."""
    left = frame[frame["state"].ne("done")].drop_duplicates(["encoder", "task"])
    rows = (
        left.groupby(["task", "state", "why"], sort=False)["encoder"].agg(encoders="size", first="first").reset_index()
    )
    return rows.sort_values("encoders", ascending=False, kind="stable").rename(columns={"first": "for instance"})


def records(run: Run, found: Scored) -> list[RunRecord]:
    """The run records of the encoders that have one."""
    from jtcse.experiments.zero_shot.record import name_of

    paths = [run.workspace.records / f"{name_of(subject.label)}.json" for subject, _ in found]
    return [read_record(path) for path in paths if path.is_file()]


def throughput(made: Sequence[RunRecord]) -> DataFrame:
    """Per encoder: tasks of ``mteb`` that are done, their hours as ``mteb`` timed them, and tasks an hour, on which device."""
    import pandas

    rows = []
    for record in made:
        done, hours = int(record.metric("tasks/done").value), record.provenance.seconds / 3600
        rows.append((record.run, done, hours, done / hours if hours else None, record.provenance.device))
    return pandas.DataFrame(rows, columns=["record", "tasks done", "hours", "tasks an hour", "device"])


def run_metrics(frame: DataFrame) -> list[Metric]:
    """How many tasks are in each state, over all encoders; a task that two lists ask for counts once."""
    once = frame.drop_duplicates(["encoder", "task"])
    tally = once["state"].value_counts()
    return [
        Metric(name=f"progress/{state.replace(' ', '_')}", value=int(tally.get(state, 0)), unit="tasks", n=len(once))
        for state in STATES
    ]


def asked_words(run: Run, frame: DataFrame) -> str:
    """What was asked for, in a sentence or two."""
    if len(frame):
        limit = run.settings.zero_shot.limit
        few = (
            f" Only the first {limit} rows of each task: these are no scores, they show that it works." if limit else ""
        )
        return f"Encoders to be scored: {frame['encoder'].nunique()}; lists of tasks: {frame['list'].nunique()}.{few}"
    return f"The profile {run.profile} asks for no tasks of mteb, so nothing was scored; the end of this page says how to ask."


def progress_map(shares: DataFrame) -> Figure:
    """The share of each list's tasks that an encoder is done with, dark for all; it is written in the cell, in percent.

    Args:
        shares: encoders x lists, 0 to 1.
    """
    figure, (axis,) = panels(height=ROW * len(shares) + 1.4)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1.2, aspect="auto")
    for (row, column), share in ((place, shares.iat[place]) for place in _cells(*shares.shape)):
        shade = "white" if share >= DARK else "black"
        axis.text(column, row, f"{int(100 * share)}", ha="center", va="center", fontsize=8, color=shade)
    axis.set_yticks(range(len(shares)), shares.index, fontsize=9)
    axis.set_xticks(range(shares.shape[1]), shares.columns, rotation=60, ha="left", rotation_mode="anchor", fontsize=9)
    axis.xaxis.tick_top()
    axis.grid(False)
    return figure


def _cells(rows: int, columns: int) -> list[tuple[int, int]]:
    return [(row, column) for row in range(rows) for column in range(columns)]
