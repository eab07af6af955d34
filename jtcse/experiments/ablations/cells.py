"""Variants of the grids: trained once, wherever they are asked for, and kept as scores.

A variant lies in ``<workspace>/variants/<key>/``. Its key is a hash of all that it depends on: system, settings of its stage,
seed, starting towers, text, graded pairs, and the code that trains it. While it is trained, the trainer's checkpoints lie
there too, so that a killed training goes on; afterwards only scores of single pairs and a few numbers stay.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from jtcse.core.files import write_atomically
from jtcse.core.record import Metric
from jtcse.core.run import Run
from jtcse.core.store import alone, content
from jtcse.evaluation.sts import TaskScore, read_scores, save_scores
from jtcse.experiments.ablations.grids import SECONDS, TRAINED, Cell, seeds, with_beside
from jtcse.experiments.ablations.starting_towers import identity, training_code

ALONE = ("tower_I", "tower_II")
FACTS = "facts.json"  # written last: a folder that has it is whole


def scores(run: Run, cell: Cell, seed: int | None = None) -> dict[str, TaskScore]:
    """Scores of a cell on the graded sets, by task; trains it if that was not done yet.

    Args:
        seed: of its training; only a system of the workspace has none.
    """
    pooling = cell.pooling or run.settings.encoder.pooling
    return read_scores(_made(run, cell, seed) / f"{pooling}.npz")


def facts(run: Run, cell: Cell, seed: int | None = None) -> dict[str, Any]:
    """What else was measured: ``development`` (points), ``modulus`` of [CLS] and its ``modulus_variation`` over ``sample``
    sentences, ``energy`` by reading, ``seconds`` of training and of scoring in the process that ended it, on ``device``."""
    return json.loads((_made(run, cell, seed) / FACTS).read_text(encoding="utf8"))


def cells(run: Run, place: str) -> list[Cell]:
    """The grid of a place at this run's settings and the depth of its towers, with the cells beside it that print has not."""
    return with_beside(place, run.settings, depth(run))


def members(run: Run, place: str) -> Iterator[tuple[Cell, int | None]]:
    """Every cell of a place with every seed that it is trained with; None for what the workspace has."""
    for cell in cells(run, place):
        for seed in seeds(place, run.settings) if cell.seeded else [None]:
            yield cell, seed


def depth(run: Run) -> int | None:
    """Layers of the encoder that training starts from; None where it is not made yet."""
    described = run.workspace.model("start") / "config.json"
    return json.loads(described.read_text(encoding="utf8"))["num_hidden_layers"] if described.is_file() else None


def key(run: Run, cell: Cell, seed: int | None) -> str:
    """Hash of all that the scores of a variant depend on."""
    from jtcse.core.device import number_format
    from jtcse.experiments.ablations.train_cell import text, turned

    settings = turned(run.settings, cell)
    data = run.settings.data
    parts: dict[str, Any] = {
        "models": identity(run, cell, seed),
        "graded": [data.pair_sets, data.pair_limit, run.settings.evaluation.tasks, run.settings.ablations.pair_limit],
        "pooling": run.settings.encoder.pooling,
        "format": str(number_format(run.settings.run.precision)),
        "sample": content(run.workspace.data / "corpus.txt"),
        "code": training_code(),
    }
    if data.pair_sets == "generated":
        parts["pairs"] = content(run.workspace.data / "pairs")
    if cell.system in TRAINED:
        stage = settings.stage1 if cell.system == "simcse" else settings.stage2
        parts |= {
            "kind": "single" if cell.system == "simcse" else "twin",
            "seed": seed,
            "text": content(text(run, cell)),
        }
        parts |= {"stage": stage.model_dump(mode="json"), "selected": run.settings.ablations.steps is None}
        parts |= {"bare_layers": cell.bare_layers, "modulus": cell.modulus if "ictm" in settings.stage2.parts else None}
    else:
        parts["system"] = cell.system
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def _made(run: Run, cell: Cell, seed: int | None) -> Path:
    folder = run.workspace.root / "variants" / key(run, cell, seed if cell.seeded else None)
    if not (folder / FACTS).is_file():
        with alone(folder):
            if not (folder / FACTS).is_file():  # another process may have made it while this one waited
                _make(run, cell, seed, folder)
            shutil.rmtree(folder / "training", ignore_errors=True)
    return folder


def _make(run: Run, cell: Cell, seed: int | None, folder: Path) -> None:
    from jtcse.core.run import device_name
    from jtcse.experiments.ablations.starting_towers import seconds as seconds_of
    from jtcse.experiments.ablations.starting_towers import starts
    from jtcse.experiments.ablations.train_cell import measured, trained

    places = starts(
        run, cell, seed
    )  # towers that many cells share are no time of this one, but of the cells of each alone
    times = [time.perf_counter()]
    encoder = trained(run, cell, seed, folder / "training")
    times.append(time.perf_counter())
    found, more = measured(run, cell, encoder)
    times.append(time.perf_counter())
    for pooling, by_task in found.items():
        save_scores(folder / f"{pooling}.npz", by_task)
    seconds = {name: round(b - a, 1) for name, (a, b) in zip(("training", "scoring"), pairwise(times), strict=True)}
    if cell.system in ALONE:
        seconds["training"] = seconds_of(places)
    named = {
        "system": cell.system,
        "seed": seed,
        "first_asked_as": cell.id,
        "seconds": seconds,
        "device": device_name(),
    }
    write_atomically(folder / FACTS, json.dumps(named | more, indent=1) + "\n")


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
        if "seconds" in kept and kept["first_asked_as"] == cell.id:
            value = sum(kept["seconds"].values())
            found[cell.id, seed] = Metric(name=f"{SECONDS}{cell.id}", value=value, unit="s", n=n, seed=seed)
    return list(found.values())
