"""What a whole profile takes before it is run, its grids included, and how much of a rate of matrix products is achieved.

Not counted: round-trip translation, the fair race, tasks of ``mteb``, pages and the book.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

from jtcse.core.config import Settings, checked, load_settings
from jtcse.core.errors import UserError
from jtcse.experiments.ablations import grids as grids_of_paper
from jtcse.experiments.ablations.grids import SECONDS, seeds
from jtcse.experiments.ablations.switches import every_cell
from jtcse.experiments.cost import operations
from jtcse.experiments.cost.operations import Work

if TYPE_CHECKING:
    from jtcse.core.record import RunRecord
    from jtcse.experiments.ablations.grids import Cell

ASSUMED_SHARE = 0.4
"""Of the rate of matrix products, where no record has the seconds of a cell: a stage-2 step of two towers of all-MiniLM-L6-v2's
sizes in fp32 got 0.36 to 0.48 of it, both measured in turn on one thread of the same machine."""
GRIDS = ("cells of the grids", "towers of each seed")
MEASURED = "mini"  # the profile whose cells show the share


def parts(settings: Settings) -> dict[str, Work]:
    """The work of a profile by part, in the order of its pages.

    Raises:
        UserError: an encoder, text or graded sets of unknown size.
    """
    found = {"pre-training": operations.pretraining(settings)} if settings.encoder.name == "generated" else {}
    found |= {
        "stage 1, both towers": operations.stage1(settings) * 2,
        "stage 2": operations.stage2(settings),
        "distillation": operations.distillation(settings),
        "scoring the seven tasks": operations.scoring(settings, 6),  # start, I, II, distilled, and the twin's two
    }
    return found | grids(settings)


def total(settings: Settings) -> Work:
    """All parts together."""
    return sum(parts(settings).values(), Work())


# -- grids -----------------------------------------------------------------------------------------------------


def grids(settings: Settings) -> dict[str, Work]:
    """Every cell of every grid once a seed, however many pages share it, and two towers a seed where seeds have their own."""
    counted: dict[str, Work] = {}
    for place in grids_of_paper.GRIDS:
        for cell in every_cell(place, settings):
            for seed in seeds(place, settings) if cell.seeded else [None]:
                counted[_same(cell, settings, seed)] = cell_work(cell, settings)
    found = {GRIDS[0]: sum(counted.values(), Work())}
    if settings.ablations.own_towers:
        found[GRIDS[1]] = operations.stage1(settings) * (2 * len(settings.ablations.seeds))
    return found


def cell_work(cell: Cell, settings: Settings) -> Work:
    """Training and scoring of one cell at one seed, without the towers that it starts from."""
    from jtcse.experiments.ablations.train_cell import turned

    towers = 2 if cell.system in ("jtcse", "tncse", "sum", "twin", "towers") else 1
    scored = operations.scoring(settings, towers, cell.pair_limit)
    if cell.system == "simcse":
        return scored + operations.stage1(settings)
    if cell.system in ("jtcse", "tncse"):
        return scored + operations.stage2(turned(settings, cell), looks=settings.ablations.steps is None)
    return scored


def _same(cell: Cell, settings: Settings, seed: int | None) -> str:
    """Equal for cells that are one training; poolings are scored together."""
    from jtcse.experiments.ablations.train_cell import turned

    if cell.system not in ("jtcse", "tncse"):
        return json.dumps([cell.system, cell.text, seed])
    stage = turned(settings, cell).stage2
    modulus = cell.modulus if "ictm" in stage.parts else None
    return json.dumps([stage.model_dump(mode="json"), cell.text, cell.bare_layers, modulus, seed])


# -- the share of a rate that is achieved ----------------------------------------------------------------------


def achieved(records: Iterable[RunRecord], rate: float) -> float | None:
    """Share of a rate (GFLOP/s) that cells of grids got: the middle one of all whose seconds are in records; None without any.

    Args:
        records: of one machine, on which the rate was measured.
    """
    found = [share for record in records for share in _shares(record, rate)]
    return median(found) if found else None


def _shares(record: RunRecord, rate: float) -> Iterator[float]:
    taken = [metric for metric in record.metrics if metric.name.startswith(SECONDS)]
    if not taken:
        return
    try:
        settings = checked(Settings, record.settings)
    except UserError:  # of a time with other settings: what its cells were cannot be told
        return
    known = {cell.id: cell for place in grids_of_paper.GRIDS for cell in every_cell(place, settings)}
    for metric in taken:
        cell = known.get(metric.name.removeprefix(SECONDS))
        one = cell_work(cell, settings) if cell else Work()
        rest = metric.value - one.layers * operations.LAYER_SECONDS
        if one.layers and rest > 0:
            yield one.operations / (1e9 * rate * rest)


@cache
def share(rate: float) -> tuple[float, bool]:
    """The share that the committed records of the profile ``mini`` show on the machine of that rate, and True; else an assumed
    one, and False."""
    from jtcse.paper.ledger import all_records

    found = achieved((one for one in all_records().records if one.profile == MEASURED), rate)
    return (ASSUMED_SHARE, False) if found is None else (found, True)


# -- in words --------------------------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """Minutes, hours or days, whichever a reader would say."""
    for unit, length, from_ in (("days", 86_400, 2), ("hours", 3_600, 2)):
        if seconds >= from_ * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(1, seconds / 60):.0f} minutes"


def sentence(profile: str, rate: float) -> str:
    """How long a profile should take at a rate (GFLOP/s, as ``jtcse doctor`` prints it), and what is assumed: for the README.

    Raises:
        UserError: unknown profile; sizes that nobody wrote down.
    """
    found, (part, known) = parts(load_settings(profile)), share(operations.REFERENCE_RATE)
    way = sum((one for name, one in found.items() if name not in GRIDS), Work())
    whole = sum(found.values(), Work())
    origin = "the share that the cells of `mini` achieve on two CPU cores" if known else "an assumed share"
    return (
        f"`{profile}`: {whole.operations:.1e} operations, about {duration(way.seconds(rate, part))} to the seven tasks and "
        f"{duration(whole.seconds(rate, part))} with all grids where `jtcse doctor` prints {rate:,.0f} GFLOP/s. An estimate, at "
        f"{100 * part:.0f} % of that rate ({origin}); it was not run."
    )
