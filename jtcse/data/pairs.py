"""Graded sentence pairs: the seven similarity tasks, their development set, and files of one's own.

Three sources:

``senteval``
    SentEval's files as the paper reads them (tokenised, lower-cased): every subset of a task together, pairs
    without a gold score dropped, and for SICK-R the 4,927 pairs of the test split.
``mteb``
    The same tasks as ``mteb`` publishes them (original casing). Its SICK-R holds all 9,927 pairs, training
    pairs among them, so that score is not the paper's; ``PairSet.source`` says so.
``generated``
    A folder of CSV files with the columns ``sentence1,sentence2,score``, one file a set, and ``dev.csv``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from jtcse.core.errors import UserError, check_choice
from jtcse.core.files import write_atomically
from jtcse.core.hub import unreachable
from jtcse.data import senteval

TASKS = ("STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R")
MTEB = {
    **{f"STS{year}": f"sts{year}-sts" for year in range(12, 17)},
    "STS-B": "stsbenchmark-sts",
    "SICK-R": "sickr-sts",
}
COLUMNS = ["sentence1", "sentence2", "score"]
DEVELOPMENT = senteval.DEVELOPMENT
GENERATED = "generated"
GRADED = {
    "senteval": "the seven STS tasks, read by SentEval's rule",
    "mteb": "the seven STS tasks, as `mteb` publishes them",
    GENERATED: "graded pairs of the generated world, on which only models of this project were scored",
}
"""Sources of graded pairs, in words."""


@dataclass(frozen=True, eq=False)
class PairSet:
    """Sentence pairs with gold scores; ``first[i]``, ``second[i]`` and ``gold[i]`` belong together.

    Attributes:
        name: the task, as in ``TASKS`` or a name of one's own.
        first, second: n sentences each.
        gold: (n,) float64, larger is more alike; the scale differs between sources (0-5, SICK-R 1-5).
        source: where the pairs come from, in words fit for a table.
    Raises:
        UserError: columns of unequal length, no pairs at all, or a gold score that is not a finite number.
    """

    name: str
    first: list[str]
    second: list[str]
    gold: np.ndarray
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "gold", np.asarray(self.gold, dtype=np.float64))
        lengths = len(self.first), len(self.second), len(self.gold)
        if len(set(lengths)) > 1:
            raise UserError(
                f"pair set {self.name!r} has {lengths[0]} first sentences, {lengths[1]} second sentences and "
                f"{lengths[2]} gold scores; expected as many of each"
            )
        if not lengths[0]:
            raise UserError(f"pair set {self.name!r} from {self.source} has no pairs; expected at least one")
        bad = np.flatnonzero(~np.isfinite(self.gold))
        if bad.size:
            raise UserError(
                f"pair set {self.name!r} has the gold score {self.gold[bad[0]]} at pair {bad[0] + 1} "
                f"({bad.size} such); expected finite numbers"
            )

    def __len__(self) -> int:
        return len(self.gold)

    def thinned(self, limit: int | None) -> PairSet:
        """At most ``limit`` of the pairs, evenly spaced and always the same ones; None keeps all."""
        if limit is None or limit >= len(self):
            return self
        rows = evenly_spaced(len(self), limit)
        first, second = ([column[i] for i in rows] for column in (self.first, self.second))
        source = f"{self.source}, {limit} of {len(self)} pairs"
        return PairSet(self.name, first, second, self.gold[rows], source)


def evenly_spaced(count: int, limit: int) -> np.ndarray:
    """(limit,) increasing distinct positions in ``range(count)``, evenly spread; ``1 <= limit <= count``."""
    if limit < 1:
        raise UserError(f"a limit of {limit} leaves nothing; expected at least 1")
    return np.arange(limit, dtype=np.int64) * count // limit


def load_pair_sets(
    source: str, *, folder: Path | None = None, names: Iterable[str] | None = None, limit: int | None = None
) -> dict[str, PairSet]:
    """The similarity tasks of a source, in the paper's order (``generated``: in alphabetical order).

    Args:
        source: ``senteval``, ``mteb`` or ``generated``.
        folder: for ``generated`` the folder of CSV files. For the others a local copy in place of the hub:
            the folder that holds ``senteval.tar``, or the one that holds ``sts12-sts`` and its like.
        names: which tasks; None for all.
        limit: at most so many pairs a task, evenly spaced.
    Raises:
        UserError: an unknown source or task, files missing or damaged, no hub.
    """
    valid, read = _source(source, folder)
    if not valid:
        raise UserError(f"{folder} holds no pair sets (*.csv); run the data step first")
    return {name: read(name).thinned(limit) for name in _chosen(None if names is None else list(names), valid)}


def load_development(source: str, *, folder: Path | None = None, limit: int | None = None) -> PairSet:
    """The pairs that choose checkpoints: STS-B's development split or ``dev.csv``; arguments as above."""
    _, read = _source(source, folder)
    return read(DEVELOPMENT).thinned(limit)


def save_pair_set(pairs: PairSet, path: Path | str) -> None:
    """Write a set as CSV with the columns ``sentence1,sentence2,score``, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(COLUMNS)
    writer.writerows(zip(pairs.first, pairs.second, pairs.gold.tolist(), strict=True))
    write_atomically(path, text.getvalue())


def read_pair_set(path: Path | str, *, source: str = "file") -> PairSet:
    """Read what ``save_pair_set`` wrote; the set's name is the file's, without ``.csv``.

    Raises:
        UserError: no such file, other columns, a row cut short, a score that is no number; the line is named.
    """
    path = Path(path)
    try:
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"), newline=""), strict=True))
    except FileNotFoundError as error:
        raise UserError(f"there is no pair set {path}; expected a CSV file ({','.join(COLUMNS)})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a whole CSV file ({error}); write it again") from error
    if not rows or rows[0] != COLUMNS:
        raise UserError(f"{path} begins with {(rows or [[]])[0]}; expected the columns {', '.join(COLUMNS)}")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(COLUMNS):
            raise UserError(f"{path}, row {number}, has {len(row)} columns; expected {','.join(COLUMNS)}")
    gold = [senteval.number(row[2], f"{path}, row {number}") for number, row in enumerate(rows[1:], start=2)]
    first, second = ([row[column] for row in rows[1:]] for column in (0, 1))
    return PairSet(path.stem, first, second, np.array(gold), source)


# -- sources: names of the tasks, and what reads one of them or the development pairs ----------------

Source = tuple[Sequence[str], Callable[[str], PairSet]]


def _generated(folder: Path | None) -> Source:
    if folder is None or not Path(folder).is_dir():
        raise UserError(f"the source 'generated' needs a folder of CSV files, not {folder}; run the data step first")
    there = sorted(path.stem for path in Path(folder).glob("*.csv") if path.stem != "dev")
    files = {DEVELOPMENT: "dev"}
    return there, lambda name: read_pair_set(Path(folder) / f"{files.get(name, name)}.csv", source=GENERATED)


def _senteval(folder: Path | None) -> Source:
    members = cache(lambda: senteval.members(folder))
    parts = {"STS-B": "test split", "SICK-R": "test split", DEVELOPMENT: "development split"}
    return TASKS, lambda name: PairSet(
        name, *senteval.task(name, members()), f"SentEval, {parts.get(name, 'all subsets')}"
    )


def _mteb(folder: Path | None) -> Source:
    places = {DEVELOPMENT: ("STS-B", "validation")}
    return TASKS, lambda name: PairSet(name, *_mteb_columns(*places.get(name, (name, "test")), folder))


def _mteb_columns(task: str, split: str, folder: Path | None) -> tuple[list[str], list[str], np.ndarray, str]:
    from datasets import load_dataset

    repo = f"mteb/{MTEB[task]}" if folder is None else str(Path(folder) / MTEB[task])
    try:
        rows = load_dataset(repo, split=split)
    except (OSError, ValueError) as error:
        raise unreachable(f"data set {repo}", error) from error
    part = f"all {len(rows):,} pairs of SICK" if task == "SICK-R" else f"{split} split"
    first, second = (list(rows[column]) for column in COLUMNS[:2])
    return first, second, np.array(rows["score"]), f"mteb, {part}"


def _source(source: str, folder: Path | None) -> Source:
    sources = {GENERATED: _generated, "senteval": _senteval, "mteb": _mteb}
    check_choice("pair source", source, sources)
    return sources[source](folder)


def _chosen(names: list[str] | None, valid: Sequence[str]) -> list[str]:
    for name in names or []:
        check_choice("task", name, valid)
    return list(valid) if names is None else [name for name in valid if name in names]
