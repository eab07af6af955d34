"""What the pages of the ablations show besides the ledger: claims, differences beside the printed ones, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import yaml
from pandas import DataFrame

from jtcse.core.record import Metric
from jtcse.core.run import Run
from jtcse.experiments.ablations import cells as variants
from jtcse.experiments.ablations.grids import absent
from jtcse.pages.furniture.elements import beside, direction, verdict
from jtcse.pages.furniture.tables import claims_in, rows_table
from jtcse.pages.ledger.lists import claims_list
from jtcse.paper.ledger import all_records, entries
from jtcse.paper.printed import values

if TYPE_CHECKING:
    from IPython.display import HTML

    from jtcse.experiments.ablations.effects import Grid

CLAIMS: dict[str, list[str]] = yaml.safe_load(beside("claims.yaml"))["ablations"]


def said(place: str) -> HTML:
    """The claims that a place is to bear out, in our words."""
    return claims_in(CLAIMS[place])


def effects(place: str, run: Run) -> HTML:
    """The same claims with the effects that the records of this run's workspace have for them, and their states."""
    wanted = {f"claim/{number}" for number in CLAIMS[place]}
    return claims_list([e for e in entries(all_records(workdir=run.workspace.root).records, "claim") if e.id in wanted])


def differences(grid: Grid) -> DataFrame:
    """Each cell minus its reference: printed, measured with interval, and at each seed (a list), in points; index: id."""
    printed, rows = values()["value"], {}
    for cell in grid.cells:
        if cell.reference is not None:
            points, low, high = grid.difference(cell.id, cell.reference).estimate()
            by_seed = [grid.difference(cell.id, cell.reference, seed).points for seed in grid.seeds(cell.id)]
            there = cell.id in printed.index and cell.reference in printed.index
            in_print = printed[cell.id] - printed[cell.reference] if there else float("nan")
            row = {"printed": in_print, "measured": points, "low": low, "high": high, "seeds": by_seed}
            rows[cell.id] = {"label": label(cell.id)} | row
    return DataFrame.from_dict(rows, orient="index")


def label(id: str) -> str:
    """An id as a short name on a figure: without its place, and for the number of layers with a word."""
    place, _, rest = id.partition("/")
    if place == "table9":
        return f"{rest} of 12"
    if place == "readings":
        return "{}, {} of 12".format(*rest.split("/"))
    if place == "towers":
        return f"tower {rest} alone"
    if place in ("table8", "table11", "poolings"):
        row, _, model = rest.partition("/")
        return f"{model} {row}"
    return rest


def missing(place: str, run: Run) -> HTML:
    """Printed values that no cell of this profile answers for, by reason."""
    by_reason: dict[str, list[str]] = {}
    for id, reason in absent(place, run.settings, variants.depth(run)).items():
        by_reason.setdefault(reason, []).append(id.partition("/")[2])
    rows = [{"why not run here": reason, "printed values": ", ".join(ids)} for reason, ids in by_reason.items()]
    return rows_table(rows or [{"why not run here": "nothing is missing", "printed values": ""}])


def told(metrics: Sequence[Metric], name: str) -> str:
    """A difference of means over seeds in words, to a hundredth of a point; says so where it was not measured."""
    mean, _ = _by_seed(metrics, name)
    return verdict(mean.value, mean.low, mean.high, digits=2) if mean else "not measured in this profile"


def answer(metrics: Sequence[Metric], name: str) -> str:
    """Whether an effect agrees with its claim: the mean's whole interval and every seed must be on one side of 0."""
    mean, seeds = _by_seed(metrics, name)
    return direction(mean.low, mean.high, seeds) if mean else "not measured"


def _by_seed(metrics: Sequence[Metric], name: str) -> tuple[Metric | None, list[float]]:
    """The mean over seeds of a metric, and its value at each seed."""
    own = [metric for metric in metrics if metric.name == name]
    return next((m for m in own if m.seed is None), None), [m.value for m in own if m.seed is not None]


def widest_seed_gap(grid: Grid) -> float:
    """The largest distance between two seeds' differences to the reference, in points; 0 with one seed."""
    gaps = [max(s) - min(s) for s in differences(grid)["seeds"] if len(s) > 1]
    return max(gaps, default=0.0)


def gains_by_task(run: Run) -> DataFrame:
    """Table VIII task by task: gain by the added sentences (points, mean over seeds), model x task.

    The set that the sentences came from stands first.
    """
    from jtcse.experiments.ablations.train_cell import source_task

    cells, rows = {cell.id: cell for cell in variants.cells(run, "table8")}, []
    for cell, seed in variants.members(run, "table8"):
        if cell.reference is not None:
            more, less = variants.scores(run, cell, seed), variants.scores(run, cells[cell.reference], seed)
            gains = {task: score.points - less[task].points for task, score in more.items()}
            rows.append({"model": cell.id.rsplit("/", 1)[1]} | gains)
    frame, own = DataFrame(rows).groupby("model", sort=False).mean().rename_axis(None), source_task(run)
    return frame[[own, *(task for task in frame.columns if task != own)]]


def towers_in_words(run: Run) -> str:
    """Which two towers the twins of a grid start from."""
    anew = "the two towers that stage 1 trained anew for its seed"
    return anew if run.settings.ablations.own_towers else "this run's two towers of stage 1, the same at each seed"


def texts_in_words(run: Run) -> str:
    """What the two texts of Table VIII are in this profile."""
    from jtcse.experiments.ablations.train_cell import source_task

    corpus = run.settings.data.corpus
    if corpus == "generated":
        return f"the generated corpus, and the same with the sentences of the set {source_task(run)!r}"
    if corpus == "train-sentences":
        return "the training sentences of STS-B, and the same with those of SICK-R's training part (not its test part)"
    plain = " + ".join(part for part in corpus.split(" + ") if part != "sickr-sentences")
    return f"{plain}, and the same with all sentences of SICK-R"
