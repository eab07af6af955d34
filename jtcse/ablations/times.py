"""What cells of a grid cost: seconds of training and scoring, from the facts that each variant keeps."""

from __future__ import annotations

from jtcse.ablations import variants
from jtcse.ablations.grids import SECONDS, Cell
from jtcse.records import Metric
from jtcse.run import Run


def seconds(run: Run, members: list[tuple[Cell, int | None]], n: int) -> list[Metric]:
    """``seconds/<cell>`` for each cell and seed that was first asked for here: a cell that two pages share is counted once.

    The time is that of the process that finished it: a training that was interrupted and resumed shows its last part.

    Args:
        members: cells with seeds, all of them made already.
        n: pairs that each was scored on.
    """
    found = {}
    for cell, seed in members:
        facts = variants.facts(run, cell, seed)
        if "seconds" in facts and facts["first_asked_as"] == cell.id:
            value = sum(facts["seconds"].values())
            found[cell.id, seed] = Metric(name=f"{SECONDS}{cell.id}", value=value, unit="s", n=n, seed=seed)
    return list(found.values())
