"""How a profile's learning rates and steps are found: tries at a seed that no other run has, judged on development pairs alone.

Each stage is tried at the rates of ``tuning``, on top of the stage before at its best rate; every try is kept once. The best of
all looks at a stage names its rate and its number of steps, which a person then writes into the profile.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from jtcse.core.config import Settings, checked
from jtcse.core.files import new_folder, write_atomically
from jtcse.core.record import Metric, RunRecord
from jtcse.core.run import Run, Workspace
from jtcse.core.store import made_once
from jtcse.experiments.train_once import training_key
from jtcse.training.trainer import History

STAGES = ("stage1", "stage2", "distillation")
RUN = "tuning"  # name of its record
LOOKS = "looks.json"
STANDS_ON = {
    "stage1": ["start"],
    "stage2": ["tower_1", "tower_2"],
    "distillation": ["start", "tower_1", "tower_2", "twin"],
}
Maker = Callable[[Run], History]


@dataclass(frozen=True)
class Look:
    """Development score in points after so many steps at a rate; step 0: before the stage."""

    stage: str
    rate: float
    step: int
    development: float


def tune(run: Run) -> RunRecord:
    """Try all stages in turn and write the record ``tuning``. What was tried is not tried again.

    Raises:
        UserError: text or starting encoder could not be had.
    """
    from jtcse.experiments import stages

    if not (run.workspace.data / "corpus.txt").is_file():
        stages.prepare_data(run)
    if not run.workspace.model("start").is_dir():
        stages.starting_encoder(run)
    place = Workspace(run.workspace.root / RUN, shared=run.workspace)
    tuning = run.settings.tuning
    looks = _stage(run, place, "stage1", tuning.stage1_rates, "tower_1", lambda own: stages.train_tower(own, 1))
    rate = best(looks, "stage1").rate
    # the second tower's view differs, its rate is taken to be the first one's
    second = _tried(_at(run, place, "stage1", rate), "stage1", rate, "tower_2", lambda own: stages.train_tower(own, 2))
    _take(second / "model", place.model("tower_2"))
    looks += _stage(run, place, "stage2", tuning.stage2_rates, "twin", stages.train_twin)
    looks += _stage(run, place, "distillation", tuning.distillation_rates, "distilled", stages.distil)
    return run.finish(metrics(looks, len(stages.graded(run)[0])))


def best(looks: Iterable[Look], stage: str) -> Look:
    """The look with the highest development score after at least one step; of equal ones the earliest."""
    return max((look for look in looks if look.stage == stage and look.step), key=lambda look: look.development)


def metrics(looks: list[Look], pairs: int) -> list[Metric]:
    """Every look, ``stage/rate/step``, and of each stage the rate and the steps of the best."""
    found = [Metric(name=f"{k.stage}/{k.rate:g}/{k.step}", value=k.development, n=pairs) for k in looks]
    for stage in STAGES:
        chosen = best(looks, stage)
        found += [
            Metric(name=f"{stage}/learning_rate", value=chosen.rate, unit="1", n=pairs),
            Metric(name=f"{stage}/steps", value=chosen.step, unit="steps", n=pairs),
        ]
    return found


def _stage(run: Run, place: Workspace, stage: str, rates: list[float], product: str, make: Maker) -> list[Look]:
    """The looks of a stage at all rates; the product of the best rate is put under its name for the next stage."""
    tries = {rate: _tried(_at(run, place, stage, rate), stage, rate, product, make) for rate in rates}
    rows = [row for folder in tries.values() for row in json.loads((folder / LOOKS).read_text(encoding="utf8"))]
    looks = [Look(**row) for row in rows]
    _take(tries[best(looks, stage).rate] / "model", place.model(product))
    return looks


def _tried(run: Run, stage: str, rate: float, product: str, make: Maker) -> Path:
    """The folder of a try, which has its looks and its model."""
    folder, before = run.workspace.root / "tries", [run.model(name) for name in STANDS_ON[stage]]
    settings, seed = getattr(run.settings, stage), run.settings.run.seed
    key = training_key(run, stage=settings, seed=seed, rate=rate, product=product, before=before, text=run.text())

    def keep(fresh: Path) -> None:
        rows = make(run).rows
        looks = [Look(stage, rate, row["step"], row["dev"]) for row in rows if row.get("dev") is not None]
        _take(run.workspace.model(product), fresh / "model")
        write_atomically(fresh / LOOKS, json.dumps([asdict(look) for look in looks], indent=1) + "\n")

    return made_once(folder, key, keep)


def _take(model: Path, place: Path) -> None:
    with new_folder(place) as fresh:
        shutil.copytree(model, fresh, dirs_exist_ok=True)


def _at(run: Run, place: Workspace, stage: str, rate: float) -> Run:
    """The run at the tuning seed, with one stage's rate and a longer training."""
    values = run.settings.model_dump(mode="json")
    values["run"]["seed"], section = run.settings.tuning.seed, values[stage]
    if section["steps"]:
        section["steps"] = round(section["steps"] * run.settings.tuning.longer)
    for part in [section["tower_1"], section["tower_2"]] if stage == "stage1" else [section]:
        part["learning_rate"] = rate
    return Run(RUN, run.profile, checked(Settings, values), place)
