"""What the cells of a grid start from: the run's own models, or two towers that were trained anew for the cell's seed."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from jtcse.core.errors import UserError
from jtcse.core.files import write_atomically
from jtcse.core.run import Run, Workspace
from jtcse.core.store import alone, code, content
from jtcse.experiments.ablations.grids import READY, Cell

NO_SCORE = frozenset({"grids.py", "record.py", "errors.py", "hub.py", "config.py"})
"""Files of the training code whose decisions are in a cell's key, or in no score."""
OWN = {"towers": (1, 2), "tower_I": (1,), "tower_II": (2,), "jtcse": (1, 2), "tncse": (1, 2)}
"""Systems that stand on towers of stage 1, and on which; with ``ablations.own_towers`` on those of the cell's seed."""


def starts(run: Run, cell: Cell, seed: int | None = None) -> list[Path]:
    """The models that a cell starts from, or that it is; towers of a seed are trained where they are not there yet.

    Raises:
        UserError: a model of the run is not there.
    """
    if cell.system in OWN and run.settings.ablations.own_towers and seed is not None:
        return [_own_tower(run, seed, number) for number in OWN[cell.system]]
    folders = [run.workspace.model(name) for name in _names(cell)]
    for folder in folders:
        if not folder.is_dir():
            raise UserError(
                f"no model at {folder}; make it first: jtcse reproduce --only seven_tasks --profile {run.profile}"
            )
    return folders


def _names(cell: Cell) -> list[str]:
    if cell.system in OWN:
        return [f"tower_{number}" for number in OWN[cell.system]]
    return ["tower_1", "tower_2"] if cell.system == "sum" else [cell.system if cell.system in READY else "start"]


def training_code() -> str:
    """Hash of the code that trains and scores cells."""
    return code("experiments/ablations/train_cell.py", NO_SCORE)


def identity(run: Run, cell: Cell, seed: int | None) -> list[str]:
    """What tells these models from others, without training any."""
    if cell.system in OWN and run.settings.ablations.own_towers and seed is not None:
        return [_key(run, seed), *(str(number) for number in OWN[cell.system])]
    return [content(folder) for folder in starts(run, cell, seed)]


def _key(run: Run, seed: int) -> str:
    """Hash of all that the two towers of a seed depend on."""
    from jtcse.core.device import number_format

    data = run.workspace.data
    texts = [content(path) for path in (data / "corpus.txt", *sorted(data.glob("round_trip_*.tsv")))]
    parts = {
        "start": content(run.workspace.model("start")),
        "texts": texts,
        "seed": seed,
        "stage": run.settings.stage1.model_dump(mode="json"),
        "view_rate": run.settings.data.view_rate,
        "development": [run.settings.data.pair_sets, run.settings.data.pair_limit, run.settings.encoder.pooling],
        "format": str(number_format(run.settings.run.precision)),
        "code": training_code(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def _own_tower(run: Run, seed: int, number: int) -> Path:
    place = run.workspace.root / "variants" / f"towers-{_key(run, seed)}"
    return _once(place / "models" / f"tower_{number}", lambda: _train(run, seed, number, place))


def _once(folder: Path, make: Callable[[], None]) -> Path:
    if not folder.is_dir():
        with alone(folder):
            if not folder.is_dir():
                make()
    return folder


def _train(run: Run, seed: int, number: int, place: Path) -> None:
    """Stage 1 as the run's own, with another seed, in a workspace beside it."""
    from jtcse.experiments.stages import train_tower

    began = time.perf_counter()
    settings = run.settings.model_copy(update={"run": run.settings.run.model_copy(update={"seed": seed})})
    beside = Workspace(place, shared=run.workspace)
    train_tower(Run(f"stage1 of seed {seed}", run.profile, settings, beside), number)
    shutil.rmtree(beside.checkpoints / f"tower_{number}", ignore_errors=True)
    write_atomically(place / f"{number}.seconds", f"{time.perf_counter() - began:.1f}\n")


def seconds(folders: list[Path]) -> float:
    """What the training of towers of a seed took, 0 for those of the run; after a kill, that of its last part."""
    notes = [folder.parents[1] / f"{folder.name[-1]}.seconds" for folder in folders]
    return sum(float(note.read_text(encoding="utf8")) for note in notes if note.is_file())
