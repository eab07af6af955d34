"""What the ablations say about claims of the prose: effects that are above 0 where they support the claim."""

from __future__ import annotations

import math
from itertools import chain, pairwise

import numpy as np

from jtcse.core.errors import check_choice
from jtcse.core.record import Metric
from jtcse.core.run import Run
from jtcse.evaluation.statistics.resampled import Drawn
from jtcse.experiments.ablations.effects import Grid
from jtcse.experiments.ablations.grids import LOSS_SUBSETS, POOLINGS, seeds

FULL, NONE = "table10/NCE+ICNCE+ICTM", "table10/none"
TOWERS, OVER_TOWERS = ("towers/I", "towers/II"), "twin/over its better tower"
"""Cells of each tower alone; the effect of a second tower and of training both together, no claim of the paper's words."""
CALLED_NO_GAIN = {"C37": "NCE", "C38": "ICNCE", "C39": "ICTM", "C40": "NCE+ICNCE"}
CALLED_GAIN = {"C41": "NCE+ICTM", "C42": "ICNCE+ICTM"}


def boundary() -> float:
    """Where Sec. V.E turns from "insignificant" to "some gain": midway between its printed gains, in points."""
    from jtcse.paper.printed import printed

    gain = {name: printed(f"table10/{name}") - printed(NONE) for name in LOSS_SUBSETS}
    return (max(gain[n] for n in CALLED_NO_GAIN.values()) + min(gain[n] for n in CALLED_GAIN.values())) / 2


def claims(grid: Grid) -> list[Metric]:
    """The metrics ``claim/...`` of a grid."""
    makers = {"table8": _sick, "table9": _caels, "table10": _losses, "table11": _poolings, "figure6": _seeds}
    makers |= {"figure8": _bare}
    check_choice("place with a grid", grid.place, makers)
    return makers[grid.place](grid)


def _sick(grid: Grid) -> list[Metric]:
    """C35: the smallest gain of any model; the gains of the table's last row beside it."""
    pairs = {name: (f"table8/+SICKR/{name}", f"table8/Wiki1M/{name}") for name in ("SimCSE", "JTCSE")}
    gains = [grid.least(f"table8/Gain/{name}", [pair], pair) for name, pair in pairs.items()]
    return [*chain(*gains), *grid.least("claim/C35", [*pairs.values()], [*chain(*pairs.values())])]


def _caels(grid: Grid) -> list[Metric]:
    """C36: every second layer against the best of the other counts; C10: the same against no cross-attention (TNCSE)."""
    best, none, ids = "table9/6", "table9/none", [cell.id for cell in grid.cells if cell.id.startswith("table9/")]
    others = [id for id in ids if id not in (best, none)]
    if not grid.has(best) or not others:
        return []
    ahead = grid.least("claim/C36", [(best, other) for other in others], ids)
    return ahead + grid.least("claim/C10", [(best, none)], [best, none])


def _losses(grid: Grid) -> list[Metric]:
    """C31: the full loss against no training; C37-C42: each subset's gain against ``boundary``; C43: what each part adds.

    Where each tower was scored alone, the twin against the better of both as well.
    """
    limit, found = boundary(), grid.least("claim/C31", [(FULL, NONE)], [FULL])
    for claim, name in (CALLED_NO_GAIN | CALLED_GAIN).items():
        id = f"table10/{name}"
        of = {
            "C41": lambda seed, id=id: grid.difference(id, NONE, seed),
            "C42": lambda seed, id=id: grid.difference(id, NONE, seed) - limit,
        }.get(claim, lambda seed, id=id: _below(grid.difference(id, NONE, seed), limit))
        found += grid.effect(f"claim/{claim}", of, [id])
    fewer = [f"table10/{name}" for name, parts in LOSS_SUBSETS.items() if len(parts) == 2]
    if grid.has(*TOWERS):
        found += grid.least(OVER_TOWERS, [(FULL, tower) for tower in TOWERS], [FULL, *TOWERS])
    return found + grid.least("claim/C43", [(FULL, id) for id in fewer], [FULL, *fewer])


def _below(gain: Drawn, limit: float) -> Drawn:
    return Drawn(limit - gain.points, limit - gain.draws)


def _poolings(grid: Grid) -> list[Metric]:
    """C49: [CLS] of JTCSE against the best of its other poolings; C18: against the pooler, for JTCSE."""
    first, *others = (f"table11/{row}/JTCSE" for row in POOLINGS)  # [CLS] is the first of them
    pooler = grid.least("claim/C18", [(first, "table11/Pooler/JTCSE")], [first])
    return grid.least("claim/C49", [(first, other) for other in others], [first]) + pooler


def _seeds(grid: Grid) -> list[Metric]:
    """C07: JTCSE's gain over the single encoder; C34: log ratio of standard deviations over seeds, with its F interval."""
    single, twin = "figure6/SimCSE", "figure6/JTCSE"
    found = grid.least("claim/C07", [(twin, single)], [single, twin])
    for cell in grid.cells:
        if (spread := deviation(grid, cell.id)) is not None:
            found.append(Metric(name=f"{cell.id}/deviation", value=spread, n=len(grid.seeds(cell.id))))
    return found + _steadiness(grid, single, twin)


def deviation(grid: Grid, id: str) -> float | None:
    """Standard deviation over training seeds, in points; None with one seed."""
    values = [grid.of(id, seed).points for seed in grid.seeds(id)]
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _steadiness(grid: Grid, single: str, twin: str) -> list[Metric]:
    from scipy.stats import f

    one, two = deviation(grid, single), deviation(grid, twin)
    if not one or not two:
        return []
    degrees = len(grid.seeds(single)) - 1, len(grid.seeds(twin)) - 1
    ratio = 2 * math.log(one / two)
    low, high = ((ratio - math.log(f.ppf(p, *degrees))) / 2 for p in (0.975, 0.025))
    return [Metric(name="claim/C34", value=ratio / 2, unit="log ratio", n=len(grid.seeds(twin)), low=low, high=high)]


def _bare(grid: Grid) -> list[Metric]:
    """C46: the smallest step down when one more layer loses its LayerNorms, over both systems; totals beside it."""
    found, steps, ids = [], [], [cell.id for cell in grid.cells]
    for name in ("JTCSE", "TNCSE"):
        own = sorted((id for id in ids if f"/{name}/" in id), key=lambda id: int(id.rsplit("/", 1)[1]))
        steps += list(pairwise(own))
        found += grid.least(f"figure8/fall/{name}", [(own[0], own[-1])], own)
    return found + grid.least("claim/C46", steps, ids)


def seeds_in_words(run: Run, place: str) -> str:
    """The training seeds of a grid for a sentence."""
    numbers = [str(seed) for seed in seeds(place, run.settings)]
    return ("seed " if len(numbers) == 1 else "seeds ") + ", ".join(numbers)
