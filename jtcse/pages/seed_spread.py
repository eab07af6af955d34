"""How far differences move with the training seed, from records that hold the same row of a table for several seeds."""

from __future__ import annotations

from collections.abc import Iterable

from pandas import DataFrame, Series

from jtcse.core.record import RunRecord
from jtcse.core.run import Run
from jtcse.pages.ruler import printed_steps
from jtcse.paper.ledger.all_records import all_records


def seed_records(run: Run) -> list[RunRecord]:
    """The readable records of the run's profile: its workspace's, and committed ones that it lacks.

    The race is left out: its intervals hold seeds as well as pairs, and its rows are whole systems and no single changes.
    """
    every = all_records(workdir=run.workspace.root).records
    return [record for record in every if record.profile == run.profile and record.run != "race"]


def seed_differences(records: Iterable[RunRecord]) -> DataFrame:
    """Differences of neighbouring printed rows, seed by seed, where records hold both rows for several seeds.

    Returns:
        a row a pair with ``profile``, ``first``, ``second``, ``seeds`` (how many), ``mean`` and ``sd`` of the per-seed
        differences, and ``pair_se``, the standard error over pairs, from the interval of the recorded difference, if
        there is one; empty without such runs.
    """
    columns = ["profile", "first", "second", "seeds", "mean", "sd", "pair_se"]
    rows, printed = [], printed_steps()
    for record in records:
        by_seed: dict[str, dict[int, float]] = {}
        for metric in record.metrics:
            if metric.seed is not None:
                by_seed.setdefault(metric.name, {})[metric.seed] = metric.value
        whole = {metric.name: metric for metric in record.metrics if metric.seed is None}
        compared = {tuple(name.split(">")) for name in whole if name.count(">") == 1}
        steps = set(zip(printed["first"], printed["second"], strict=True)) | compared
        for first, second in sorted(steps):
            if first in by_seed and second in by_seed:
                common = by_seed[first].keys() & by_seed[second].keys()
                apart = Series([by_seed[first][seed] - by_seed[second][seed] for seed in sorted(common)])
                over = whole.get(f"{first}>{second}")
                pair_se = float("nan") if over is None or over.low is None else (over.high - over.low) / (2 * 1.96)
                rows.append([record.profile, first, second, len(apart), apart.mean(), apart.std(ddof=1), pair_se])
    return DataFrame(rows, columns=columns).query("seeds > 1").reset_index(drop=True)


def pooled_sd(differences: DataFrame) -> float:
    """One standard deviation over seeds out of several pairs of systems, each weighted by its degrees of freedom."""
    freedom = differences["seeds"] - 1
    return float(((differences["sd"] ** 2 * freedom).sum() / freedom.sum()) ** 0.5)
