"""The left half of Table I for any encoder: the seven tasks by SentEval's rule, kept like the results of ``mteb``'s tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from jtcse.core.errors import UserError
from jtcse.core.files import write_atomically
from jtcse.core.record import Metric
from jtcse.data.pairs import TASKS, load_pair_sets

if TYPE_CHECKING:
    from pathlib import Path

    from jtcse.core.config import Settings
    from jtcse.core.run import Run
    from jtcse.data.pairs import PairSet
    from jtcse.encoders.encoder import Encoder
    from jtcse.evaluation.mteb.store import Store

WORD, AVERAGE = "sts7", "average"


@dataclass(frozen=True)
class Kept:
    """One score: points with their 95 % interval, and the number of pairs."""

    points: float
    low: float
    high: float
    n: int


def score(encoder: Encoder, store: Store, names: Sequence[str], settings: Settings) -> tuple[dict[str, Kept], bool]:
    """Scores of some of the seven sets, and their average; those that are kept are not computed again.

    Args:
        names: of sets; none: all seven.
    Returns:
        name to score, ``average`` last, and whether anything had to be computed.
    Raises:
        UserError: as ``load_pair_sets`` and ``score_sets``.
    """
    names, kept = list(names) or list(TASKS), _read(store)
    whole = [f"{AVERAGE} of {'+'.join(names)}", *names]
    fresh = any(name not in kept for name in whole)
    if fresh:
        sets = load_pair_sets("senteval", names=names, limit=store.limit)
        kept |= _of_sets(encoder, sets, settings.evaluation.resamples, whole[0])
        told = {name: asdict(one) for name, one in kept.items()}
        write_atomically(_path(store), json.dumps(told, indent=1) + "\n")
    return {name: kept[name] for name in names} | {AVERAGE: kept[whole[0]]}, fresh


def metrics(store: Store, row: str | None) -> Iterator[Metric]:
    """What is kept, under the ids of Table I.

    Args:
        row: ``BERT-base/JTCSE``; None: an encoder that is no row of it, whose numbers are named ``sts7/<set>``.
    """
    from jtcse.experiments.table1 import SEVEN, TASK_IDS

    kept = _read(store)
    head = f"limited-{store.limit}/sts7" if store.limit else f"table1/{row}" if row else WORD
    ids = {name: f"{head}/{TASK_IDS.get(name, name)}" for name in TASKS}
    ids[f"{AVERAGE} of {'+'.join(TASKS)}"] = f"{head}/{SEVEN}"
    for name, id in ids.items():
        if name in kept:
            one = kept[name]
            yield Metric(name=id, value=one.points, n=one.n, low=one.low, high=one.high)


def of_profile(run: Run, encoder: Encoder) -> dict[str, Kept]:
    """Scores of a profile's own graded sets, and their average; nothing is kept."""
    from jtcse.experiments.stages import graded

    return _of_sets(encoder, graded(run)[1], run.settings.evaluation.resamples, AVERAGE)


def _of_sets(encoder: Encoder, sets: Mapping[str, PairSet], resamples: int, average_name: str) -> dict[str, Kept]:
    from jtcse.evaluation.sts import average, score_sets

    scores = score_sets(encoder, sets, resamples=resamples)
    mean, n = average(scores, resamples=resamples), sum(one.n for one in scores.values())
    found = {name: Kept(one.points, one.low, one.high, one.n) for name, one in scores.items()}
    return found | {average_name: Kept(mean.points, mean.low, mean.high, n)}


def _path(store: Store) -> Path:
    return store.base / WORD / store.label / f"{store.revision}.json"


def _read(store: Store) -> dict[str, Kept]:
    path = _path(store)
    if not path.is_file():
        return {}
    try:
        told: Mapping = json.loads(path.read_text(encoding="utf8"))
        return {name: Kept(**one) for name, one in told.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no whole file of scores ({error}); delete it and run again") from error
