"""Sentence similarity scored by SentEval's rule, for anything that has ``encode(sentences) -> (n, d)``.

All pairs of a task are taken together, the cosine of each pair is ranked against its gold score, and one
Spearman coefficient a task is the result (the rule behind Table I). Scores of single pairs are kept, since
every interval and every comparison of two systems needs them.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jtcse.core.errors import UserError
from jtcse.core.files import new_file
from jtcse.core.record import Metric
from jtcse.data.pairs import PairSet
from jtcse.evaluation.statistics.spearman import Estimate, bootstrap_average, bootstrap_spearman, spearman

if TYPE_CHECKING:
    from jtcse.encoders.encoder import Encoder

ROWS_AT_ONCE = 4096  # pairs whose vectors are held in float64 together


@dataclass(frozen=True)
class TaskScore:
    """One task's result. ``points``, ``low`` and ``high`` are 100 times Spearman and its 95 % interval."""

    task: str
    points: float
    n: int
    low: float
    high: float
    similarity: np.ndarray  # (n,) float32 cosines, in the order of the pair set
    gold: np.ndarray  # (n,) float64, in the same order


def score_sets(
    encoder: Encoder, sets: Mapping[str, PairSet], *, resamples: int = 1000, seed: int = 0
) -> dict[str, TaskScore]:
    """Score an encoder on several pair sets; each distinct sentence of all of them is embedded once.

    Args:
        encoder: anything with ``encode``; it is called once, with all distinct sentences.
        sets: task name to pairs.
        resamples, seed: of the bootstrap behind each interval.
    Returns:
        task name to score, in the order of ``sets``.
    Raises:
        UserError: no sets; vectors of a wrong shape, or with NaN or infinite values; constant similarities.
    """
    if not sets:
        raise UserError("there is no pair set to score; name at least one task")
    sentences = list(dict.fromkeys(s for pairs in sets.values() for s in (*pairs.first, *pairs.second)))
    vectors = _checked(encoder.encode(sentences), len(sentences))
    row = {sentence: i for i, sentence in enumerate(sentences)}
    return {name: _score(name, pairs, vectors, row, resamples, seed) for name, pairs in sets.items()}


def average(scores: Mapping[str, TaskScore], *, resamples: int = 1000, seed: int = 0) -> Estimate:
    """Mean points over tasks with the 95 % interval of that mean; each task counts once, large or small."""
    tasks = [(score.similarity, score.gold) for score in scores.values()]
    return bootstrap_average(tasks, resamples=resamples, seed=seed)


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine of each row of (n, d) with the same row of (n, d): (n,) float32.

    Computed in float64 and then rounded, so that pairs of equal sentences tie at exactly 1 instead of being
    ranked by rounding noise. A zero vector points nowhere; its cosine is set to 0, as SentEval does.
    """
    result = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        a, b = first[rows].astype(np.float64), second[rows].astype(np.float64)
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        dots = np.einsum("nd,nd->n", a, b)
        result[rows] = np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)
    return result


def save_scores(path: Path | str, scores: Mapping[str, TaskScore]) -> None:
    """Write similarities, gold scores and intervals of all tasks to one ``.npz``, whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    for name, score in scores.items():
        arrays[f"{name}/similarity"] = score.similarity
        arrays[f"{name}/gold"] = score.gold
        arrays[f"{name}/points_low_high"] = np.array([score.points, score.low, score.high])
    with new_file(path) as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_scores(path: Path | str) -> dict[str, TaskScore]:
    """Read what ``save_scores`` wrote.

    Raises:
        UserError: the file is missing, cut short, or not a file of scores.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no file of scores at {path}; evaluate first, or give another path")
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = dict.fromkeys(key.rpartition("/")[0] for key in stored.files)
            return {name: _read(name, stored) for name in names}
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path} is not a whole file of scores ({type(error).__name__}); delete it and evaluate again"
        ) from error


def _read(name: str, stored: Mapping[str, np.ndarray]) -> TaskScore:
    similarity, gold = stored[f"{name}/similarity"], stored[f"{name}/gold"]
    points, low, high = stored[f"{name}/points_low_high"].tolist()
    if similarity.ndim != 1 or similarity.shape != gold.shape:
        raise ValueError(f"{name}: similarities {similarity.shape} against gold scores {gold.shape}")
    return TaskScore(name, points, len(gold), low, high, similarity, gold)


def _score(
    name: str, pairs: PairSet, vectors: np.ndarray, row: Mapping[str, int], resamples: int, seed: int
) -> TaskScore:
    first, second = ([row[sentence] for sentence in side] for side in (pairs.first, pairs.second))
    similarity = cosine(vectors[first], vectors[second])
    try:
        points = 100 * spearman(similarity, pairs.gold)
        interval = bootstrap_spearman(similarity, pairs.gold, resamples=resamples, seed=seed)
    except UserError as error:
        raise UserError(f"task {name!r} (similarity first, gold second): {error}") from error
    return TaskScore(name, points, len(pairs), interval.low, interval.high, similarity, pairs.gold)


def _checked(vectors: np.ndarray, n: int) -> np.ndarray:
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or len(vectors) != n:
        raise UserError(f"the encoder gave an array of shape {vectors.shape} for {n} sentences; expected ({n}, d)")
    broken = int(np.count_nonzero(~np.isfinite(vectors).all(axis=1)))
    if broken:
        raise UserError(
            f"{broken} of {n} sentence vectors hold NaN or infinite values; "
            "check the model's weights, or evaluate in fp32"
        )
    return vectors


def metric(name: str, estimate: Estimate | TaskScore, n: int) -> Metric:
    """A score or difference with its interval as a metric of the run record; ``n``: pairs."""
    return Metric(name=name, value=estimate.points, n=n, low=estimate.low, high=estimate.high)
