"""Fig. 10 in numbers: the CLS energy weight of all systems and variants of a run against their scores, reading by reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jtcse.core.record import Metric
from jtcse.core.run import Run
from jtcse.evaluation.energy import REFERENCE, readings
from jtcse.experiments.ablations.grids import Cell
from jtcse.experiments.names import NAMES

if TYPE_CHECKING:
    from pandas import DataFrame

STAGES = ("start", "tower_1", "tower_2", "sum", "twin", "distilled")
GRIDS = ("table8", "table9", "table10", "figure6")  # Fig. 8's towers have lost LayerNorms: no such encoders any more
KINDS = {
    **dict.fromkeys(("simcse", "tower_I", "tower_II"), "single encoders"),
    **{"towers": "sums of towers", "jtcse": "twins", "tncse": "twins, no cross-attention"},
}


def collected(run: Run) -> DataFrame:
    """One row a system: kind, score (points, average over tasks) and its energy under each reading.

    A variant that stands in several grids is one system.
    """
    import numpy as np
    import pandas

    from jtcse.experiments.ablations import cells

    limit = run.settings.ablations.pair_limit
    members = [(Cell(f"stage/{name}", name, pair_limit=limit), None) for name in STAGES]
    members += [member for place in GRIDS for member in cells.members(run, place) if member[0].seeded]
    rows = {}
    for cell, seed in members:
        key = cells.key(run, cell, seed)
        if key not in rows:
            points = [score.points for score in cells.scores(run, cell, seed).values()]
            kind = KINDS.get(cell.system, "stages")
            stage = "jtcse" if cell.system == "twin" else cell.system
            name = NAMES[stage] if kind == "stages" else f"{cell.id}, seed {seed}"
            rows[key] = {"system": name, "kind": kind, "score": float(np.mean(points))}
            rows[key] |= cells.facts(run, cell, seed)["energy"]
    return pandas.DataFrame(list(rows.values()))


def correlations(frame: DataFrame, run: Run) -> DataFrame:
    """Spearman's correlation (times 100) of energy and score with a 95 % interval over systems.

    Columns: reading, over (``all`` systems, or the ``stages`` alone), points, low, high, n.
    """
    import pandas

    from jtcse.evaluation.statistics.spearman import bootstrap_spearman, spearman

    rows = []
    for over, some in (("all", frame), ("stages", frame[frame["kind"] == "stages"])):
        for reading in map(str, readings()):
            interval = bootstrap_spearman(
                some[reading], some["score"], resamples=run.settings.evaluation.resamples, seed=run.settings.run.seed
            )
            points = 100 * spearman(some[reading], some["score"])
            rows.append({"reading": reading, "over": over, "points": points, "n": len(some)} | interval._asdict())
    return pandas.DataFrame(rows)


def energy_metrics(frame: DataFrame, found: DataFrame) -> list[Metric]:
    """Energies of the stages in the first reading, every correlation, and the two claims that rest on them."""
    stages = frame[frame["kind"] == "stages"]
    metrics = [
        Metric(name=f"energy/{system}", value=value, unit="1", n=1)
        for system, value in zip(stages["system"], stages[str(REFERENCE)], strict=True)
    ]
    for row in found.itertuples():
        ends = {"value": row.points, "low": min(row.low, row.points), "high": max(row.high, row.points), "n": row.n}
        metrics.append(Metric(name=f"energy/correlation/{row.over}/{row.reading}", **ends))
        if row.over == "all" and row.reading == str(REFERENCE):
            metrics += [Metric(name=f"claim/{claim}", **ends) for claim in ("C09", "C48")]
    return metrics
