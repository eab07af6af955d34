"""Cells of the grids: trained once, wherever they are asked for, and kept as scores.

A cell lies in ``<workspace>/variants/cells/<key>/``: scores of single pairs (``<pooling>.npz``) and a few numbers
(``facts.json``). Its key hashes all that it depends on: system, settings of its stage, seed, starting towers, text, graded pairs
and their limit. Cells of several grids that agree in all of it are one. Any number of processes may ask for cells at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from jtcse.core.errors import check_choice
from jtcse.core.files import write_atomically
from jtcse.core.record import Metric
from jtcse.core.run import Run, device_name
from jtcse.core.store import made_once, unfinished
from jtcse.evaluation.sts import TaskScore, read_scores, save_scores
from jtcse.experiments.ablations.grids import GRIDS, SECONDS, TRAINED, Cell, seeds
from jtcse.experiments.ablations.switches import every_cell

ALONE = ("tower_I", "tower_II")
FACTS = "facts.json"


def scores(run: Run, cell: Cell, seed: int | None = None) -> dict[str, TaskScore]:
    """Scores of a cell on the graded sets, by task; trains it if that was not done yet.

    Args:
        seed: of its training; only a system of the workspace has none.
    """
    return read_scores(made(run, cell, seed) / scores_file(run, cell))


def scores_file(run: Run, cell: Cell) -> str:
    """Name of the file of a cell's scores in its folder."""
    return f"{cell.pooling or run.settings.encoder.pooling}.npz"


def facts(run: Run, cell: Cell, seed: int | None = None) -> dict[str, Any]:
    """What else was measured: ``development`` (points), ``modulus`` of [CLS] and its ``modulus_variation`` over ``sample``
    sentences, ``energy`` by reading, ``seconds`` of training and of scoring in the process that ended it, on ``device``."""
    return json.loads((made(run, cell, seed) / FACTS).read_text(encoding="utf8"))


def cells(run: Run, place: str) -> list[Cell]:
    """The grid of a place at this run's settings and the depth of its towers, with the cells beside it that print has not."""
    return every_cell(place, run.settings, depth(run))


def members(run: Run, place: str) -> Iterator[tuple[Cell, int | None]]:
    """Every cell of a place with every seed that it is trained with; None for what the workspace has."""
    for cell in cells(run, place):
        for seed in seeds(place, run.settings) if cell.seeded else [None]:
            yield cell, seed


def find(run: Run, id: str) -> Cell:
    """The cell of that id.

    Raises:
        UserError: no grid has it at the run's settings; the nearest id is named.
    """
    found = {cell.id: cell for place in GRIDS for cell in cells(run, place)}
    check_choice("cell", id, found)
    return found[id]


def depth(run: Run) -> int | None:
    """Layers of the encoder that training starts from; None where it is not made yet."""
    described = run.workspace.model("start") / "config.json"
    return json.loads(described.read_text(encoding="utf8"))["num_hidden_layers"] if described.is_file() else None


def key(run: Run, cell: Cell, seed: int | None) -> str:
    """Hash of all that the scores of a cell depend on."""
    from jtcse.experiments.ablations.starting_towers import identity
    from jtcse.experiments.ablations.train_cell import text, turned
    from jtcse.experiments.train_once import training_key

    settings, single, parts = turned(run.settings, cell), cell.system == "simcse", {"system": cell.system}
    if cell.system in TRAINED:
        parts = {
            "kind": "single" if single else "twin",
            "seed": seed,
            "text": text(run, cell),
            "stage": settings.stage1 if single else settings.stage2,
            "selected": run.settings.ablations.steps is None,
            "bare_layers": cell.bare_layers,
            "modulus": cell.modulus if "ictm" in settings.stage2.parts else None,
        }
    return training_key(
        run,
        models=identity(run, cell, seed),
        scored=[run.settings.evaluation.tasks, cell.pair_limit, run.settings.encoder.pooling],
        sample=run.text(),
        **parts,
    )


def place_of(run: Run, cell: Cell, seed: int | None = None) -> Path:
    """Where a cell is kept; there is nothing until it is whole."""
    return run.workspace.root / "variants" / "cells" / key(run, cell, seed if cell.seeded else None)


def made(run: Run, cell: Cell, seed: int | None = None) -> Path:
    """The folder of a cell; trains and scores it, and the towers that it starts from, if that was not done yet."""
    place = place_of(run, cell, seed)
    return made_once(place.parent, place.name, lambda fresh: _make(run, cell, seed, fresh, place))


def _make(run: Run, cell: Cell, seed: int | None, fresh: Path, place: Path) -> None:
    from jtcse.experiments.ablations import starting_towers
    from jtcse.experiments.ablations.train_cell import measured, trained

    # towers that many cells share are no time of this one, but of the cells of each alone
    places = starting_towers.starts(run, cell, seed)
    times = [time.perf_counter()]
    encoder = trained(run, cell, seed, unfinished(place.parent, place.name), place.name)
    times.append(time.perf_counter())
    found, more = measured(run, cell, encoder)
    times.append(time.perf_counter())
    for pooling, by_task in found.items():
        save_scores(fresh / f"{pooling}.npz", by_task)
    took = {name: round(b - a, 1) for name, (a, b) in zip(("training", "scoring"), pairwise(times), strict=True)}
    if cell.system in ALONE:
        took["training"] = starting_towers.seconds(places)
    named = {"system": cell.system, "seed": seed, "first_asked_as": cell.id, "seconds": took, "device": device_name()}
    write_atomically(fresh / FACTS, json.dumps(named | more, indent=1) + "\n")


def seconds(run: Run, members: list[tuple[Cell, int | None]], n: int) -> list[Metric]:
    """``seconds/<cell>`` for each cell and seed that was first asked for here: a cell that two pages share is counted once.

    The time is that of the process that finished it: a training that was interrupted and resumed shows its last part.

    Args:
        members: cells with seeds, all of them made already.
        n: pairs that each was scored on.
    """
    found = {}
    for cell, seed in members:
        kept = facts(run, cell, seed)
        if kept["first_asked_as"] == cell.id:
            value = sum(kept["seconds"].values())
            found[cell.id, seed] = Metric(name=f"{SECONDS}{cell.id}", value=value, unit="s", n=n, seed=seed)
    return list(found.values())
