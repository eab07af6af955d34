"""What the cells of a grid start from: the run's own models, or two towers that were trained anew for the cell's seed."""

from __future__ import annotations

import time
from pathlib import Path

from jtcse.core.files import write_atomically
from jtcse.core.run import Run, Workspace
from jtcse.core.store import key_of, made_once, unfinished
from jtcse.experiments.ablations.grids import READY, Cell
from jtcse.experiments.train_once import training_key

OWN = {"towers": (1, 2), "tower_I": (1,), "tower_II": (2,), "jtcse": (1, 2), "tncse": (1, 2)}
"""Systems that stand on towers of stage 1, and on which; with ``ablations.own_towers`` on those of the cell's seed."""


def starts(run: Run, cell: Cell, seed: int | None = None) -> list[Path]:
    """The models that a cell starts from, or that it is; towers of a seed are trained where they are not there yet.

    Raises:
        UserError: a model of the run is not there.
    """
    if _own(run, cell, seed):
        return [_own_tower(run, seed, number) for number in OWN[cell.system]]
    return [run.model(name) for name in _names(cell)]


def identity(run: Run, cell: Cell, seed: int | None) -> str:
    """What tells these models from others, without training any."""
    if _own(run, cell, seed):
        return key_of(towers=[_key(run, seed, number) for number in OWN[cell.system]])
    return key_of(models=starts(run, cell, seed))


def seconds(folders: list[Path]) -> float:
    """What the training of towers of a seed took, 0 for those of the run; after a kill, that of its last part."""
    notes = [folder.parents[1] / "seconds" for folder in folders]
    return sum(float(note.read_text(encoding="utf8")) for note in notes if note.is_file())


def _own(run: Run, cell: Cell, seed: int | None) -> bool:
    return cell.system in OWN and run.settings.ablations.own_towers and seed is not None


def _names(cell: Cell) -> list[str]:
    if cell.system in OWN:
        return [f"tower_{number}" for number in OWN[cell.system]]
    return ["tower_1", "tower_2"] if cell.system == "sum" else [cell.system if cell.system in READY else "start"]


def _key(run: Run, seed: int, number: int) -> str:
    return training_key(
        run,
        number=number,
        seed=seed,
        stage=run.settings.stage1,
        start=run.model("start"),
        texts=[run.text(), *sorted(run.workspace.data.glob("round_trip_*.tsv"))],
        view_rate=run.settings.data.view_rate,
        pooling=run.settings.encoder.pooling,
    )


def _own_tower(run: Run, seed: int, number: int) -> Path:
    """Stage 1 as the run's own, with another seed, in a workspace beside it."""
    folder, key = run.workspace.root / "variants" / "towers", _key(run, seed, number)

    def make(fresh: Path) -> None:
        from jtcse.experiments import stages

        began, beside = time.perf_counter(), Workspace(fresh, shared=run.workspace)
        beside.checkpoints = unfinished(folder, key)
        settings = run.settings.model_copy(update={"run": run.settings.run.model_copy(update={"seed": seed})})
        stages.train_tower(Run(f"stage1 of seed {seed}", run.profile, settings, beside), number)
        write_atomically(fresh / "seconds", f"{time.perf_counter() - began:.1f}\n")

    return made_once(folder, key, make) / "models" / f"tower_{number}"
