"""The page of zero-shot scores: which encoder was scored on which list of tasks, what is missing and why, how fast it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pandas import DataFrame, Series

from jtcse.core.record import Metric, RunRecord, read_record
from jtcse.core.run import Run
from jtcse.pages.furniture.elements import NOT_RUN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jtcse.evaluation.mteb.running import Outcome
    from jtcse.experiments.zero_shot.subjects import Subject

    Scored = Sequence[tuple[Subject, Sequence[Outcome]]]

DARK = 0.5  # shares from here on are written in white
STATES = ("done", "missing", "failed", NOT_RUN)


def named(word: str) -> list[str]:
    """The tasks that a word of ``zero_shot.tasks`` asks for; the seven sets of ``sts7`` count as one."""
    from jtcse.experiments.zero_shot.request import split
    from jtcse.experiments.zero_shot.sts7 import WORD

    seven, wanted = split([word])
    return ([] if seven is None else [WORD]) + [one.name for one in wanted]


def progress(found: Scored, words: Sequence[str]) -> DataFrame:
    """A row for each encoder, list and task: its state and, where it is not done, why."""
    rows, lists = [], {word: named(word) for word in words}
    for subject, outcomes in found:
        known = {one.name: one for one in outcomes}
        for word, task in ((word, task) for word, names in lists.items() for task in names):
            # an encoder that could not be opened misses the word, with all its tasks
            one = known.get(task) or known.get(word)
            state = (NOT_RUN, "") if one is None else ("done" if one.done else one.state, one.words)
            rows.append((subject.label, word, task, *state))
    return DataFrame(rows, columns=["encoder", "list", "task", "state", "why"])


def counts(frame: DataFrame) -> DataFrame:
    """Encoders x lists: how many tasks of the list are done, of how many, and what the others are."""
    return _by_list(frame, frame["state"], _count).rename_axis(None)


def _by_list(frame: DataFrame, values: Series, what: object) -> DataFrame:
    """Encoders x lists in the order of the frame, of what follows from the values of each list's tasks."""
    grouped = values.groupby([frame["encoder"], frame["list"]], sort=False).agg(what)
    return grouped.unstack().loc[frame["encoder"].unique(), frame["list"].unique()]


def _count(states: Series) -> str:
    tally = states.value_counts()
    others = [f"{tally[state]} {state}" for state in STATES[1:] if state in tally]
    return ", ".join([f"{tally.get('done', 0)} of {len(states)}", *others])


def shares(frame: DataFrame) -> DataFrame:
    """Encoders x lists: the share of tasks that are done."""
    return _by_list(frame, frame["state"].eq("done"), "mean")


def missing(frame: DataFrame) -> DataFrame:
    """Tasks without a result: one row a task and reason, with the number of encoders that it concerns, most of them first."""
    left = frame[frame["state"].ne("done")].drop_duplicates(["encoder", "task"])
    by_reason = left.groupby(["task", "state", "why"], sort=False)["encoder"]
    rows = by_reason.agg(encoders="size", first="first").reset_index()
    return rows.sort_values("encoders", ascending=False, kind="stable").rename(columns={"first": "for instance"})


def records(run: Run, found: Scored) -> list[RunRecord]:
    """The run records of the encoders that have one."""
    from jtcse.experiments.zero_shot.request import name_of

    paths = [run.workspace.records / f"{name_of(subject.label)}.json" for subject, _ in found]
    return [read_record(path) for path in paths if path.is_file()]


def throughput(made: Sequence[RunRecord]) -> DataFrame:
    """Per encoder: tasks of ``mteb`` that are done, their hours as ``mteb`` timed them, and tasks an hour, on which device."""
    rows = []
    for record in made:
        done, hours = int(record.metric("tasks/done").value), record.provenance.seconds / 3600
        rows.append((record.run, done, hours, done / hours if hours else None, record.provenance.device))
    return DataFrame(rows, columns=["record", "tasks done", "hours", "tasks an hour", "device"])


def run_metrics(frame: DataFrame) -> list[Metric]:
    """How many tasks are in each state, over all encoders; a task that two lists ask for counts once."""
    once = frame.drop_duplicates(["encoder", "task"])
    tally = once["state"].value_counts()
    names = {state: f"progress/{state.replace(' ', '_')}" for state in STATES}
    return [Metric(name=names[s], value=int(tally.get(s, 0)), unit="tasks", n=len(once)) for s in STATES]


def asked_words(run: Run, frame: DataFrame) -> str:
    """What was asked for, in a sentence or two."""
    if not len(frame):
        how = "the end of this page says how to ask"
        return f"The profile {run.profile} asks for no tasks of mteb, so nothing was scored; {how}."
    limit = run.settings.zero_shot.limit
    few = f" Only the first {limit} rows of each task: these are no scores, they show that it works." if limit else ""
    return f"Encoders to be scored: {frame['encoder'].nunique()}; lists of tasks: {frame['list'].nunique()}.{few}"


def progress_map(shares: DataFrame) -> Figure:
    """The share of each list's tasks that an encoder is done with, dark for all; it is written in the cell, in percent.

    Args:
        shares: encoders x lists, 0 to 1.
    """
    from jtcse.pages.plots import cell_map

    texts, dark = shares.map(lambda share: f"{int(100 * share)}").to_numpy(), shares.ge(DARK).to_numpy()
    return cell_map(shares, texts, dark, row=0.23, head=1.4, cmap="Blues", vmin=0, vmax=1.2)
