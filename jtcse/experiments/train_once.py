"""The one door of every training: of stages, compared systems, cells of grids and tries of learning rates.

All put the same parts together. They differ in their objective, in the names of their random stream, in what their checkpoints
answer to, and in whether the development pairs choose the weights that are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jtcse.core.device import number_format
from jtcse.core.errors import UserError
from jtcse.core.run import Run, derive_seed
from jtcse.core.store import key_of
from jtcse.data.pairs import PairSet, load_development, load_pair_sets
from jtcse.encoders.encoder import Encoder, TowerEncoder
from jtcse.encoders.loading import load_tower, usable_positions
from jtcse.training import TRAINING_VERSION
from jtcse.training.objective import SentenceObjective
from jtcse.training.trainer import History, train


@dataclass(frozen=True)
class Spec:
    """One training.

    ``seed`` and the names of ``stream`` give all its random numbers. ``folder`` holds its checkpoints, from which a training with
    the same ``key`` goes on. ``encoder`` reads the weights that are trained: the development pairs choose the best by it; with
    None the last ones are kept. ``rate``: None is the learning rate of the objective's settings.
    """

    title: str
    objective: SentenceObjective
    seed: int
    stream: tuple[object, ...]
    folder: Path
    key: str
    encoder: Encoder | None = None
    rate: float | None = None


def train_once(run: Run, spec: Spec) -> History:
    """Train an objective's module in place, or take the weights of a training that ended; errors as of ``trainer.train``."""
    settings, encoder = spec.objective.settings, spec.encoder
    return train(
        spec.objective,
        settings,
        learning_rate=settings.learning_rate if spec.rate is None else spec.rate,
        seed=derive_seed(spec.seed, *spec.stream),
        folder=spec.folder,
        select=None if encoder is None else lambda: development(run, encoder),
        precision=run.settings.run.precision,
        fingerprint=spec.key,
        title=spec.title,
    )


def training_key(run: Run, **parts: Any) -> str:
    """Hash of what weights hang on: the version of the code, the number format, the development pairs, and ``parts``.

    Args:
        parts: settings, seed, text, starting weights and so on, as ``store.key_of`` takes them.
    """
    precision, data, pairs = run.settings.run.precision, run.settings.data, _made_pairs(run)
    looked_at = [pairs if pairs and pairs.is_dir() else data.pair_sets, data.pair_limit]
    return key_of(version=TRAINING_VERSION, format=str(number_format(precision)), development=looked_at, **parts)


def tower_to_train(place: Path | str, settings: Any, what: str):
    """A tower with a training's dropout, and its tokenizer.

    Args:
        place: folder or hub name.
        settings: of the training.
        what: is trained, for the sentence of the error.
    Raises:
        UserError: the training's sentences are longer than the tower's positions.
    """
    model, tokenizer = load_tower(place, dropout=settings.dropout)
    if settings.max_length > usable_positions(model):
        raise UserError(
            f"{what}: max_length is {settings.max_length} but {place} takes at most {usable_positions(model)} tokens; "
            "set a smaller max_length"
        )
    return model, tokenizer


def tower_encoder(run: Run, model, tokenizer) -> TowerEncoder:
    """A tower with the run's pooling; it encodes in fp32, whatever it is trained in."""
    return TowerEncoder(model, tokenizer, pooling=run.settings.encoder.pooling)


def graded(run: Run) -> tuple[PairSet, dict[str, PairSet]]:
    """The development set and the graded sets of a run's profile."""
    data, tasks = run.settings.data, run.settings.evaluation.tasks
    sets = load_pair_sets(data.pair_sets, folder=_made_pairs(run), names=tasks, limit=data.pair_limit)
    return _looked_at(run), sets


def _looked_at(run: Run) -> PairSet:
    data = run.settings.data
    return load_development(data.pair_sets, folder=_made_pairs(run), limit=data.pair_limit)


def _made_pairs(run: Run) -> Path | None:
    return run.workspace.data / "pairs" if run.settings.data.pair_sets == "generated" else None


def development(run: Run, encoder: Encoder, limit: int | None = None) -> float:
    """Spearman correlation on at most ``limit`` development pairs in points, without the interval that it has no use for."""
    from jtcse.evaluation.statistics.spearman import spearman
    from jtcse.evaluation.sts import cosine

    pairs = _looked_at(run).thinned(limit)
    vectors = encoder.encode([*pairs.first, *pairs.second])
    return 100 * spearman(cosine(vectors[: len(pairs)], vectors[len(pairs) :]), pairs.gold)
