"""Where systems are trained: each once for its settings, seed, text and code, and kept with its story.

``<workspace>/systems/<name>/<key>/`` holds ``model`` (the encoder that is kept) and ``story.json`` (loss and development score
by step, seconds, memory). The key hashes all that the weights depend on. While a system is trained the trainer's checkpoints lie
there too, so that a killed training goes on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jtcse.core.device import number_format
from jtcse.core.errors import UserError
from jtcse.core.files import write_atomically
from jtcse.core.run import Run, derive_seed, peak_memory
from jtcse.core.store import alone, code, content
from jtcse.data.corpus import LineCorpus, PairCorpus, write_pairs
from jtcse.encoders.encoder import Encoder, TowerEncoder
from jtcse.encoders.loading import load_tower, usable_positions
from jtcse.experiments.stages import development
from jtcse.systems.settings import fragment, module_of, system_settings
from jtcse.training.objective import make_head
from jtcse.training.trainer import History, train

TUNING_SEED = 0
NO_WEIGHT = frozenset(
    {"config.py", "errors.py", "hub.py", "record.py", "released.py", "settings.py", "tables.py"}
)
"""Files whose text decides no weight: the values that come through them are in the key."""
STORY = "story.json"  # written last: a folder that has it is whole


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


class Workshop:
    """What a system's ``make`` is given.

    Args:
        run: profile, settings and workspace.
        name: of the system.
        seed: of all its random streams; batches and dropout masks of a step are the same for all systems with one seed.
        changes: settings that differ from the system's.
    """

    def __init__(self, run: Run, name: str, seed: int, changes: Mapping[str, Any] | None = None) -> None:
        self.run, self.name, self.seed = run, name, seed
        self.settings = system_settings(name, run.settings, run.profile, changes)
        self.histories: list[History] = []
        self.waited = 0.0  # seconds for other systems
        self.parts: set[str] = set()  # folders of these
        self.folder = run.workspace.root / "systems" / name / key(run, name, seed, changes or {})

    @cached_property
    def corpus(self) -> LineCorpus:
        """The profile's unlabelled sentences."""
        return LineCorpus(_corpus(self.run))

    def round_trips(self, language: str) -> PairCorpus:
        """The sentences with their translation into a language and back; made when it is not there yet."""
        path = self.run.workspace.root / "systems" / "data" / f"round_trip_{language}.tsv"
        with alone(path.with_suffix("")):
            if not path.is_file():
                _write_round_trips(self.run, language, path)
        return PairCorpus(path)

    def tower(self):
        """A fresh copy of the encoder that training starts from: (model with this system's dropout, tokenizer)."""
        name = self.settings.start or _start(self.run)
        model, tokenizer = load_tower(name, dropout=self.settings.dropout)
        if self.settings.max_length > usable_positions(model):
            raise UserError(
                f"{self.name}: max_length is {self.settings.max_length} but {name} takes at most "
                f"{usable_positions(model)} tokens; set a smaller max_length"
            )
        return model, tokenizer

    def head(self, model, name: str = "head"):
        """The settings' projection head with fresh weights, on the model's device."""
        made = make_head(self.settings.head, model.config.hidden_size, self.stream(name))
        return made.to(next(model.parameters()).device)

    def encoder(self, model, tokenizer) -> TowerEncoder:
        """The tower with the settings' pooling."""
        return TowerEncoder(model, tokenizer, pooling=self.settings.pooling)

    @property
    def precision(self) -> str:
        """Number format of training; encoders that score are fp32."""
        return self.run.settings.run.precision

    def stream(self, *names: object) -> int:
        """Seed of a named random stream."""
        return derive_seed(self.seed, "system", *names)

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
        history = train(
            objective,
            objective.settings,
            learning_rate=objective.settings.learning_rate,
            seed=self.stream("training", part),
            folder=self.folder / "training" / (part or "own"),
            select=None if encoder is None else lambda: development(self.run, encoder),
            precision=self.precision,
            fingerprint=self.folder.name,
            title=f"{self.name}{' ' * bool(part)}{part}, seed {self.seed}",
        )
        self.histories.append(history)
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
    shop = Workshop(run, name, seed, changes)
    with alone(shop.folder):
        if not (shop.folder / STORY).is_file():
            _make(shop)
    return shop.folder


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


def _make(shop: Workshop) -> None:
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
    encoder.save(shop.folder / "model")
    write_atomically(shop.folder / STORY, json.dumps(asdict(told), indent=1) + "\n")
    shutil.rmtree(shop.folder / "training", ignore_errors=True)


def key(run: Run, name: str, seed: int, changes: Mapping[str, Any]) -> str:
    """Hash of all that a system's weights depend on."""
    data = run.settings.data
    parts: dict[str, Any] = {
        "settings": system_settings(name, run.settings, run.profile, changes).model_dump(mode="json"),
        "seed": seed,
        "start": content(_start(run)),
        "text": content(_corpus(run)),
        "development": [data.pair_sets, data.pair_limit],
        "format": str(number_format(run.settings.run.precision)),
        "code": code(f"systems/{fragment(name).module}.py", NO_WEIGHT),
        "needs": [key(run, other, seed, {}) for other in fragment(name).needs],
    }
    if fragment(name).needs:
        parts["rates"] = [run.settings.race.rates, run.settings.race.tuning_steps]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def _write_round_trips(run: Run, language: str, path: Path) -> None:
    settings = run.settings
    path.parent.mkdir(parents=True, exist_ok=True)
    if settings.data.corpus == "generated":
        from jtcse.data import world

        write_pairs(world.pairs(settings.run.seed, settings.data.corpus_limit, language), path)
        return
    from jtcse.data.translate import round_trip

    corpus = LineCorpus(_corpus(run))
    size, translation = min(len(corpus), settings.translation.limit or len(corpus)), settings.translation
    texts: Sequence[str] = [corpus[i] for i in range(size)]
    round_trip(
        texts,
        language,
        path,
        batch_size=translation.batch_size,
        beams=translation.beams,
        precision=settings.run.precision,
    )


def _corpus(run: Run) -> Path:
    path = run.workspace.data / "corpus.txt"
    if not path.is_file():
        raise UserError(f"no corpus at {path}; make it first: jtcse train --stage data --profile {run.profile}")
    return path


def _start(run: Run) -> Path:
    folder = run.workspace.model("start")
    if not folder.is_dir():
        raise UserError(f"no encoder at {folder}; make it first: jtcse train --stage encoder --profile {run.profile}")
    return folder
