"""The page "How large must a difference be?": marks from per-pair scores, and the paper's printed differences beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from pandas import DataFrame, Series

from jtcse.core.config import Settings
from jtcse.core.record import Metric
from jtcse.core.run import Run
from jtcse.evaluation.statistics.power import LEVEL
from jtcse.evaluation.sts import read_scores
from jtcse.experiments.names import NAMES, SYSTEMS
from jtcse.experiments.table1 import SEVEN, TASK_IDS
from jtcse.pages.furniture.elements import ranged
from jtcse.pages.furniture.tables import COMPARISONS
from jtcse.paper.printed import models, printed, table, values

if TYPE_CHECKING:
    from jtcse.evaluation.sts import TaskScore

NAMED = {
    ("table1/BERT-base/JTCSE/7Avg", "table1/BERT-base/TNCSE/7Avg"): "JTCSE and TNCSE on BERT",
    ("table10/NCE+ICNCE+ICTM", "table10/ICNCE+ICTM"): "the last two rows of Table X",
}
"""The two printed differences that the page speaks of."""
TRAININGS = ("tower_2", "tower_1")  # as two papers' systems: one start, trained apart
ONE_BLOCK = {"baseline": "single", "predecessor": "single", "ours": "single"}  # Table I prints these under each other
TOO_SMALL, DEPENDS, LARGE = "below every mark", "depends on how alike the systems are", "above every mark"


def system_scores(run: Run) -> dict[str, dict[str, TaskScore]]:
    """Per-pair scores of every system in the run's workspace, by system and task.

    Raises:
        UserError: a file is missing; the notebook seven_tasks writes them.
    """
    return {system: read_scores(run.workspace.scores / f"{system}.npz") for system in SYSTEMS}


def all_pairs() -> list[tuple[str, str]]:
    """Every two systems once: those of ``tables.COMPARISONS`` as they stand there, the rest later minus earlier."""
    rest = [(b, a) for a, b in combinations(SYSTEMS, 2) if not {(a, b), (b, a)} & COMPARISONS.keys()]
    return [*COMPARISONS, *rest]


def named(comparisons: DataFrame) -> DataFrame:
    """``compare_all``'s frame for a table: the pair of systems in words, very small p-values as such."""
    words = [f"{NAMES[first]} − {NAMES[second]}" for first, second, _ in comparisons.index]
    frame = comparisons.reset_index(drop=True)
    frame.insert(0, "pair", words)
    frame.insert(1, "task", comparisons.index.get_level_values("task"))
    for name in ("p_bootstrap", "p_williams", "p_holm"):
        frame[name] = ["–" if p != p else f"{p:.4f}" if p >= 0.0001 else "below 0.0001" for p in frame[name]]
    return frame


def differences_table(comparisons: DataFrame) -> DataFrame:
    """A task a row, a pair of systems a column: difference and interval; a star where p after Holm is below 5 %."""
    frame = named(comparisons)
    p = comparisons["p_holm"].fillna(comparisons["p_bootstrap"])  # the average is not one of the family
    words = [ranged(row.difference, row.low, row.high) for row in frame.itertuples()]
    frame = frame.assign(words=[told + " *" * (value < LEVEL) for told, value in zip(words, p, strict=True)])
    columns, rows = (list(dict.fromkeys(frame[name])) for name in ("pair", "task"))
    return frame.pivot(index="task", columns="pair", values="words").loc[rows, columns]


def marks(comparisons: DataFrame) -> DataFrame:
    """The ruler: minimum detectable difference of each task and the average, points, over the pairs of systems.

    Returns:
        a row a task (the last one ``average``) with ``n``, the ``lowest``, ``median`` and ``highest`` over the pairs of
        systems, and ``towers``: that of ``TRAININGS``, the only two that were trained apart from one start.
    """
    by_task = comparisons.groupby(level="task", sort=False)
    mdd = by_task["mdd"]
    frame = by_task[["n"]].first().assign(lowest=mdd.min(), median=mdd.median(), highest=mdd.max())
    return frame.assign(towers=comparisons.xs(TRAININGS, level=("first", "second"))["mdd"])


def printed_steps() -> DataFrame:
    """Differences between neighbouring printed rows of seven-task averages: Tables I, IX and X; points.

    Returns:
        columns ``block`` (what stands under each other), ``first``, ``second`` (ids; the lower row minus the upper),
        ``step`` and ``words``.
    """
    rows = []
    for block, ids in _blocks():
        for upper, lower in pairwise(ids):
            words = f"{_row(lower)} − {_row(upper)}"
            rows.append((block, lower, upper, _difference(lower, upper), words))
    return DataFrame(rows, columns=["block", "first", "second", "step", "words"])


def _blocks() -> Iterator[tuple[str, list[str]]]:
    """Ids of printed seven-task averages that stand under each other, in printed order."""
    table1 = table("table1").query("column == '7Avg'")
    kinds = models()["group"].replace(ONE_BLOCK)
    for backbone, half in table1.groupby("group", sort=False):
        kind = half["row"].map(kinds[backbone])
        for _, block in half.groupby((kind != kind.shift()).cumsum()):
            yield f"Table I, {backbone}", block.index.tolist()
    yield "Table IX", table("table9").index.tolist()
    yield "Table X", table("table10").index.tolist()


def _difference(first: str, second: str) -> float:
    """Of two printed values, without the dust of binary fractions."""
    return round(printed(first) - printed(second), 2)


def _row(id: str) -> str:
    place, *path = id.split("/")
    return path[1] if place == "table1" else f"{path[0]} CAELs" if place == "table9" else path[0]


def wanted(number: int = 0) -> float:
    """The size of one of the ``NAMED`` printed differences, points."""
    return abs(_difference(*list(NAMED)[number]))


def placed(steps: Iterable[float], mark: Series) -> list[str]:
    """For each difference, where it stands among the lowest and the highest mark of a row of ``marks``."""
    low, high = mark["lowest"], mark["highest"]
    return [TOO_SMALL if abs(step) < low else LARGE if abs(step) >= high else DEPENDS for step in steps]


def task_steps(ruler: DataFrame) -> DataFrame:
    """JTCSE minus TNCSE as printed, beside the marks; of generated tasks only the average has a printed counterpart.

    Returns:
        columns ``task``, ``backbone``, ``step``, then those of ``marks``, and ``where`` (``placed``).
    """
    rows, known, names = [], set(values().index), TASK_IDS | {"average": SEVEN}
    for task, mark in ruler.iterrows():
        for backbone in ("BERT-base", "RoBERTa-base"):
            first, second = (f"table1/{backbone}/{model}/{names.get(task, task)}" for model in ("JTCSE", "TNCSE"))
            if {first, second} <= known:
                step = _difference(first, second)
                row = {"task": task, "backbone": backbone, "step": step}
                rows.append(row | {**mark, "where": placed([step], mark)[0]})
    return DataFrame(rows).astype({"n": int})


def printed_points(ruler: DataFrame) -> dict[str, dict[str, float]]:
    """Printed differences for the figure: words to task to points."""
    steps = task_steps(ruler)
    halves = {name: half.set_index("task")["step"].to_dict() for name, half in steps.groupby("backbone")}
    points = {f"JTCSE − TNCSE, {name}": half for name, half in halves.items()}
    return points | {list(NAMED.values())[1]: {"average": wanted(1)}}


def whose_pairs(settings: Settings) -> str:
    """What the marks may be held against, in words."""
    if settings.data.pair_sets == "generated":
        return "generated pairs, fewer and harder than the paper's, so that the printed differences stand here only to show how"
    return "the pairs that the paper's averages are of, scored by this run's systems"


def seed_words(sd: float | None, seeds: int | None, pairs: int) -> dict[str, str]:
    """Sentences about training seeds for the page, by name.

    Args:
        sd: of per-seed differences, points; None where no grid was run with several seeds.
        seeds: how many a system the first of the ``NAMED`` differences would need; None where too many.
        pairs: of rows that the deviation is pooled over.
    """
    if sd is None:
        words = "How many training seeds that would take is open: no grid was run with several seeds here."
        return {"seeds_run": "Not run for this profile.", "seeds_needed": words}
    many = f"{seeds}" if seeds else "more than a thousand"
    words = (
        f"Seeds move a difference of two rows by {sd:.2f} points (standard deviation, pooled over {pairs} pairs of rows). "
        f"To see {wanted():.2f} points through that, with the same power, takes {many} seeds of each system, however many "
        "pairs of sentences there are."
    )
    return {"seeds_run": f"Pairs of rows with several seeds: {pairs}.", "seeds_needed": words}


def metrics(comparisons: DataFrame, ruler: DataFrame, pairs: int, sd: float | None, seeds: int | None) -> list[Metric]:
    """What the page records.

    Args:
        comparisons, ruler: become ``compared/<first>-<second>/<task>`` with p-values, and ``mdd/<task>`` (the two towers'
            mark, and the lowest and highest over pairs of systems).
        pairs, sd, seeds: what the first of the ``NAMED`` differences needs, and the deviation over seeds behind the last.
    """
    total = int(ruler.loc["average", "n"])
    found = [Metric(name="needed/pairs", value=pairs, unit="pairs", n=total)]
    found += [Metric(name="seeds/sd", value=sd, n=total)] if sd is not None else []
    found += [Metric(name="needed/seeds", value=seeds, unit="seeds", n=total)] if seeds is not None else []
    for task, mark in ruler.iterrows():
        names = {"towers": f"mdd/{task}", "lowest": f"mdd/{task}/lowest", "highest": f"mdd/{task}/highest"}
        found += [Metric(name=name, value=mark[which], n=int(mark["n"])) for which, name in names.items()]
    for (first, second, task), row in comparisons.iterrows():
        name, n = f"compared/{first}-{second}/{task}", int(row["n"])
        found.append(Metric(name=name, value=row["difference"], n=n, low=row["low"], high=row["high"]))
        found += [
            Metric(name=f"{name}/{kind}", value=row[kind], unit="probability", n=n)
            for kind in ("p_bootstrap", "p_holm", "p_williams")
            if row[kind] == row[kind]
        ]
    return found
