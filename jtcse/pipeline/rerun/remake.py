"""Cells and whole records made once more, in a folder that has nothing yet, with the settings and threads of their records.

Nothing is taken from the profile's own workspace. Text and starting encoder stay in ``start-<hash>`` beside the folder, for the
next number that is made anew; the hash is of their settings and of the version of the training code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from jtcse.core.errors import UserError
from jtcse.core.record import RunRecord, read_record
from jtcse.core.run import MADE_BY

if TYPE_CHECKING:
    from jtcse.core.config import Settings
    from jtcse.core.run import Run, Workspace
    from jtcse.experiments.ablations.grids import Cell
    from jtcse.pipeline.plan import Notebook

OTHER = "other backbone/"  # before the ids of cells in the records of a RoBERTa
Records = Mapping[str, RunRecord]


def settings_of(record: RunRecord) -> Settings:
    """A record's settings with its number of threads and its number format; what it lacks is the profile's.

    A record that does not say its format is older than the saying; those that are committed are of a machine without bf16: fp32.
    """
    from jtcse.core.config import load_settings
    from jtcse.paper.ledger.all_records import changed_settings

    changed = changed_settings(record)
    turned = {name: here for name, (here, there) in changed.items() if ... not in (here, there)}
    turned["run.threads"] = record.provenance.threads
    turned["run.precision"] = record.provenance.number_format or "fp32"
    return load_settings(record.profile, turned)


def run_of(record: RunRecord, workspace: Workspace) -> Run:
    """A run as the record's was; from here on this process has the record's number of threads."""
    from jtcse.core.run import Run

    return Run(record.run, record.profile, settings_of(record), workspace)


def state(records: Iterable[RunRecord], files: Iterable[Path] = ()) -> str:
    """Hash of the settings of records, of the version of the training code, and of some files."""
    from jtcse.core.store import key_of
    from jtcse.training import TRAINING_VERSION

    settings = [[record.run, record.settings, record.provenance.threads, record.provenance.number_format] for record in records]
    return key_of(version=TRAINING_VERSION, settings=settings, files=sorted(files))[:12]


# -- one cell --------------------------------------------------------------------------------------------------


def cell_anew(records: Records, record: RunRecord, name: str, seeds: list[int | None], place: Path) -> RunRecord:
    """Train and score a cell of a grid and leave a record of it: a metric a seed and, of several seeds, their mean.

    Args:
        records: of the profile; the run's own models are made with the settings of theirs.
        record: of the grid.
        name: of the cell's metrics there.
        seeds: of its training; None for a cell without.
        place: folder to work in.
    """
    from jtcse.core.run import Workspace
    from jtcse.evaluation.statistics.resampled import mean, together
    from jtcse.experiments.ablations import cells

    workspace = Workspace(place, shared=_start(records, record, place.parent))
    found = cells.cells(run_of(record, workspace), record.run)
    cell = next(one for one in found if one.id == name.removeprefix(OTHER))
    _models(records, record, cell, workspace)
    run = run_of(record, workspace)  # once more: its number of threads holds again
    scores = {(name, seed): cells.scores(run, cell, seed) for seed in seeds}
    found = together(scores, run.settings.evaluation.resamples, run.settings.run.seed)
    pairs = sum(score.n for score in scores[name, seeds[0]].values())
    metrics = [drawn.metric(name, pairs, seed) for (_, seed), drawn in found.items()]
    over_seeds = [mean(list(found.values())).metric(name, pairs)] if len(seeds) > 1 else []
    return run.finish(metrics + over_seeds)


def _start(records: Records, record: RunRecord, folder: Path) -> Workspace:
    """Text and starting encoder, as the notebooks ``data`` and ``encoder`` made them."""
    from jtcse.core.run import Workspace
    from jtcse.core.store import made_once
    from jtcse.experiments.stages import prepare_data, starting_encoder

    text, encoder = (records.get(name, record) for name in ("data", "encoder"))

    def make(fresh: Path) -> None:
        prepare_data(run_of(text, Workspace(fresh)))
        starting_encoder(run_of(encoder, Workspace(fresh)))
        shutil.rmtree(Workspace(fresh).checkpoints, ignore_errors=True)

    return Workspace(made_once(folder, f"start-{state([text, encoder])}", make))


def _models(records: Records, record: RunRecord, cell: Cell, workspace: Workspace) -> None:
    """The models of the run that a cell starts from or is; towers of a seed are made by ``cells.scores``."""
    from jtcse.experiments import stages

    makers = {
        "tower_1": lambda run: stages.train_tower(run, 1),
        "tower_2": lambda run: stages.train_tower(run, 2),
        "twin": stages.train_twin,
        "distilled": stages.distil,
    }
    for name in needed(cell, settings_of(record)):
        if not workspace.model(name).is_dir():
            makers[name](run_of(records.get(MADE_BY[name], record), workspace))


def needed(cell: Cell, settings: Settings) -> list[str]:
    """Models of the run itself without which a cell cannot be made, in the order of their making."""
    from jtcse.experiments.ablations.starting_towers import OWN

    if cell.system in ("start", "simcse") or (cell.system in OWN and settings.ablations.own_towers):
        return []
    order = [name for name in MADE_BY if name != "start"]
    last = cell.system if cell.system in order else "tower_2"
    return order[: order.index(last) + 1]


# -- a whole record --------------------------------------------------------------------------------------------


def whole_anew(root: Path, records: Records, record: RunRecord, place: Path, say: Callable[[str], None]) -> RunRecord:
    """A notebook with all that it needs, in order; or what ``jtcse tune`` and ``jtcse race`` do.

    Args:
        root: checkout that has the notebooks.
        records: of the profile; each needed notebook runs with the settings of its own record.
        record: what is wanted.
        place: folder to work in; a notebook that it has as executed is not run again.
        say: told of each notebook.
    Raises:
        UserError: a run that no notebook of the plan makes, or a notebook that failed.
    """
    from jtcse.pipeline.plan import plan_of, with_needs

    made = place / "records" / f"{record.run}.json"
    if record.run in ("tuning", "race"):
        _tuning_or_race(record, place)
        return read_record(made)
    plan = plan_of(root, settings_of(record))
    names = with_needs(plan, [record.run])
    for number, name in enumerate(names, 1):
        began = time.perf_counter()
        if not (place / "executed" / f"{name}.ipynb").is_file():
            _execute(root, plan[name], records.get(name, record), place)
        say(f"[{number:2d}/{len(names)}] {name:16} {time.perf_counter() - began:6.1f} s")
    return read_record(made)


def _tuning_or_race(record: RunRecord, place: Path) -> None:
    from rich.console import Console

    from jtcse.core.run import Workspace
    from jtcse.experiments.stages import prepare_data, starting_encoder
    from jtcse.experiments.tuning import tune
    from jtcse.pipeline.race import run_race

    run = run_of(record, Workspace(place))
    if record.run == "tuning":
        tune(run)
        return
    if not run.workspace.model("start").is_dir():
        prepare_data(run)
        starting_encoder(run)
    run_race(run, None, None, Console(highlight=False))


def _execute(root: Path, notebook: Notebook, record: RunRecord, place: Path) -> None:
    """One notebook by papermill, as the pipeline runs it, with the record's settings and number of threads."""
    from jtcse.core.files import last_line, write_atomically
    from jtcse.pipeline.snakemake import exception

    folder, log = root / "notebooks", place / "logs" / f"{notebook.name}.ipynb"
    given, values = place / "settings" / f"{notebook.name}.yaml", settings_of(record).model_dump(mode="json")
    turned = {section: values[section] for section in notebook.sections}
    write_atomically(given, yaml.safe_dump({"profile": record.profile, "workdir": str(place)} | turned))
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "papermill", str(folder / log.name), str(log), "-f", str(given)]
    command += ["--cwd", str(folder), "-k", "python3", "--no-progress-bar", "--log-level", "WARNING"]
    done = subprocess.run(
        command,
        cwd=root,
        env=_environment(root, record, place),
        capture_output=True,
        encoding="utf8",
        errors="replace",
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        reason = exception(log) or last_line(done.stderr)
        raise UserError(f"{notebook.name} failed: {reason}; its log is {log}; mend it and run the same command again")
    (place / "executed").mkdir(exist_ok=True)
    log.replace(place / "executed" / log.name)


def _environment(root: Path, record: RunRecord, place: Path) -> dict[str, str]:
    """As the pipeline's: its number of threads, which sleep while they wait, and this checkout's package."""
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    threads = {"OMP_NUM_THREADS": str(record.provenance.threads), "OMP_WAIT_POLICY": "PASSIVE"}
    return (
        os.environ
        | threads
        | {"PYTHONPATH": path, "JUPYTER_PREFER_ENV_PATH": "1", "IPYTHONDIR": str(place / "ipython")}
    )
