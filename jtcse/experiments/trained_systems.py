"""Where systems are trained: each once for its settings, seed and text, and kept with its story.

``<workspace>/systems/<name>/<key>/`` holds ``model`` (the encoder that is kept) and ``story.json`` (loss and development score
by step, seconds, memory). The key hashes all that the weights depend on.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jtcse.core.errors import UserError
from jtcse.core.files import write_atomically
from jtcse.core.run import Run, peak_memory
from jtcse.core.store import key_of, made_once, unfinished
from jtcse.data.corpus import PairCorpus
from jtcse.encoders.encoder import Encoder
from jtcse.experiments.stages import write_round_trips
from jtcse.experiments.train_once import Spec, development, tower_to_train, train_once, training_key
from jtcse.systems.settings import fragment, module_of, system_settings
from jtcse.systems.shop import Shop
from jtcse.training.trainer import History

TUNING_SEED = 0
STORY = "story.json"


@dataclass(frozen=True)
class Story:
    """How a training went: development scores are in points; steps and ``seconds`` are its own, without systems that it needs."""

    system: str
    seed: int
    settings: dict[str, Any]
    start_score: float
    best_score: float
    best_step: int | None
    steps: int
    """Optimiser steps of all its own trainings."""
    seconds: float
    peak_memory_mib: float
    rows: list[dict[str, float]]
    """Of the last training: step, loss, its parts, dev."""
    parts: list[str] = field(default_factory=list)
    """The other trainings that it is made from, and those that these are made from, each once: ``NAME/KEY``."""


class Workshop(Shop):
    """What a system's ``make`` is given.

    Args:
        run: profile, settings and workspace.
        name: of the system.
        seed: of all its random streams; batches and dropout masks of a step are the same for all systems with one seed.
        changes: settings that differ from the system's.
    """

    def __init__(self, run: Run, name: str, seed: int, changes: Mapping[str, Any] | None = None) -> None:
        super().__init__(run, name, seed, changes or {})
        self.histories: list[History] = []
        self.waited = 0.0  # seconds for other systems
        self.parts: set[str] = set()  # folders of these
        self.place = place_of(run, name, seed, changes or {})

    def round_trips(self, language: str) -> PairCorpus:
        """The sentences with their translation into a language and back; made when it is not there yet."""
        folder, translation = self.run.workspace.root / "systems" / "round_trips", self.run.settings.translation
        key = key_of(text=self.run.text(), language=language, seed=self.run.settings.run.seed, how=translation)

        def make(fresh: Path) -> None:
            growing = unfinished(folder, key) / "pairs.tsv"
            growing.parent.mkdir(exist_ok=True)
            write_round_trips(self.run, language, growing)
            growing.replace(fresh / growing.name)

        return PairCorpus(made_once(folder, key, make) / "pairs.tsv")

    def tower(self):
        """A fresh copy of the encoder that training starts from: (model with this system's dropout, tokenizer)."""
        return tower_to_train(self.settings.start or self.run.model("start"), self.settings, self.name)

    def trained(self, name: str, **changes: Any) -> Encoder:
        """Another system, which the fragment ``needs``, trained with this one's seed.

        Raises:
            UserError: it is not named there.
        """
        if name not in fragment(self.name).needs:
            raise UserError(f"{self.name} reads {name}, which its fragment does not name; add it to needs")
        began = time.perf_counter()
        folder = made(self.run, name, self.seed, changes)
        self.parts |= {f"{name}/{folder.name}", *story(folder).parts}
        encoder = opened(folder)
        self.waited += time.perf_counter() - began
        return encoder

    def rate_of(self, name: str) -> float:
        """The learning rate that another system was given."""
        return rate(self.run, name, {})

    def train(self, objective, encoder: Encoder | None, part: str = "") -> Encoder | None:
        """Train an objective by this system's settings; returns the encoder with its best weights.

        Args:
            encoder: reads the weights that are trained and is what the development pairs select by; None keeps the last ones.
            part: name of this training where a system has several.
        """
        title, key = f"{self.name}{' ' * bool(part)}{part}, seed {self.seed}", self.place.name
        folder = unfinished(self.place.parent, key) / (part or "own")
        spec = Spec(title, objective, self.seed, ("system", "training", part), folder, key, encoder)
        self.histories.append(train_once(self.run, spec))
        return encoder


def made(run: Run, name: str, seed: int, changes: Mapping[str, Any] | None = None) -> Path:
    """The folder of a trained system; trains it, and what it needs, if that was not done yet.

    At a smaller scale the learning rate is the best of the race's on the development pairs (``rate``), unless one is given.

    Raises:
        UserError: unknown system or setting; no corpus or encoder in the workspace.
    """
    changes = dict(changes or {})
    if "learning_rate" not in changes:
        changes["learning_rate"] = rate(run, name, changes)
    place = place_of(run, name, seed, changes)
    return made_once(place.parent, place.name, lambda fresh: _make(Workshop(run, name, seed, changes), fresh))


def rate(run: Run, name: str, changes: Mapping[str, Any]) -> float:
    """The best of the race's learning rates, times the system's factor, by development score at ``TUNING_SEED``.

    A factor of 0 says that the system itself trains nothing by gradient: there is no rate to choose. At the paper's scale the
    published rate is taken.
    """
    found = tries(run, name, changes)
    if not found:
        return system_settings(name, run.settings, run.profile).learning_rate
    race, scores = run.settings.race, {}
    for one, changed in found.items():
        folder = made(run, name, TUNING_SEED, changed)
        scores[one] = story(folder).best_score
        if race.tuning_steps not in (None, race.steps):  # else this is the training itself, which others may open
            shutil.rmtree(folder / "model", ignore_errors=True)
    return max(scores, key=lambda one: scores[one])


def tries(run: Run, name: str, changes: Mapping[str, Any]) -> dict[float, dict[str, Any]]:
    """The learning rates that ``rate`` chooses from, rising, each with the settings of its try; none where nothing is chosen."""
    race, factor = run.settings.race, fragment(name).rate_factor
    if run.settings.scale != "smaller" or not factor or len(race.rates) == 1:
        return {}
    steps = {} if race.tuning_steps is None else {"steps": race.tuning_steps}
    rates = sorted(one * factor for one in race.rates)
    return {one: {**steps, **changes, "learning_rate": one} for one in rates}


def story(folder: Path) -> Story:
    """How the training in a folder went."""
    return Story(**json.loads((folder / STORY).read_text(encoding="utf8")))


def opened(folder: Path, precision: str = "fp32") -> Encoder:
    """The trained encoder of a folder, to be scored in a number format."""
    from jtcse.systems.opening import open_model

    return open_model(folder / "model", precision=precision)


def place_of(run: Run, name: str, seed: int, changes: Mapping[str, Any]) -> Path:
    """Where a system is kept that is trained with these changes; its name is the key of all that the weights depend on."""
    return run.workspace.root / "systems" / name / _key(run, name, seed, changes)


def _key(run: Run, name: str, seed: int, changes: Mapping[str, Any]) -> str:
    needs, race = fragment(name).needs, run.settings.race
    return training_key(
        run,
        system=fragment(name).module,
        settings=system_settings(name, run.settings, run.profile, changes),
        seed=seed,
        start=run.model("start"),
        text=run.text(),
        translation=[run.settings.translation, run.settings.run.seed],
        needs=[_key(run, other, seed, {}) for other in needs],
        rates=[race.rates, race.tuning_steps] if needs else None,
    )


def _make(shop: Workshop, folder: Path) -> None:
    began = time.perf_counter()
    encoder = module_of(shop.name).make(shop)
    score = development(shop.run, encoder)
    rows = shop.histories[-1].rows if shop.histories else []
    told = Story(
        system=shop.name,
        seed=shop.seed,
        settings=shop.settings.model_dump(mode="json"),
        start_score=next((row["dev"] for row in rows if "dev" in row), score),
        best_score=score,
        best_step=shop.histories[-1].best_step if shop.histories else None,
        steps=sum(len([row for row in history.rows if "loss" in row]) for history in shop.histories),
        seconds=round(time.perf_counter() - began - shop.waited, 1),
        peak_memory_mib=peak_memory(),
        rows=rows,
        parts=sorted(shop.parts),
    )
    encoder.save(folder / "model")
    write_atomically(folder / STORY, json.dumps(asdict(told), indent=1) + "\n")
