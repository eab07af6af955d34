"""Scoring an encoder on tasks, one after the other: what is kept is not run again, what fails does not stop the others.

Several processes may score the same encoder in one workspace: each takes the next task that nobody else has (``store.py``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jtcse.core.errors import NoRoom, UserError
from jtcse.core.files import FULL
from jtcse.evaluation.mteb.cache import TextCache
from jtcse.evaluation.mteb.fingerprint import fingerprint
from jtcse.evaluation.mteb.sizes import size_of
from jtcse.evaluation.mteb.store import Store
from jtcse.evaluation.mteb.tasks import Wanted, opened

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask
    from mteb.results import TaskResult
    from rich.console import Console
    from rich.progress import Progress

    from jtcse.core.config import ZeroShotSettings
    from jtcse.encoders.encoder import Encoder
    from jtcse.evaluation.mteb.cached_encoder import KeptEncoder

KEPT, SCORED, MISSING, FAILED = "kept", "scored", "missing", "failed"
GIB = 2**30
UNKNOWN_SIZE = 100_000  # characters that the bar counts for a task whose size nobody recorded


@dataclass(frozen=True)
class Outcome:
    """How it went with one task: kept from before, scored now, missing (its data), or failed; ``words`` say why.

    Of a scored task they say what is odd about its data.
    """

    name: str
    state: str
    words: str = ""
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether there is a result."""
        return self.state in (KEPT, SCORED)


def store_of(encoder: Encoder, label: str, root: Path, limit: int | None) -> Store:
    """Where an encoder's results are kept in a workspace."""
    return Store(root, label, fingerprint(encoder), limit)


def open_cache(root: Path, settings: ZeroShotSettings) -> TextCache:
    """The cache of vectors that a workspace has."""
    return TextCache(root / "zero_shot" / "vectors.sqlite", int(settings.cache_gib * GIB))


def score(
    encoder: Encoder,
    label: str,
    wanted: Sequence[Wanted],
    root: Path,
    settings: ZeroShotSettings,
    console: Console | None = None,
) -> list[Outcome]:
    """Score an encoder on tasks.

    Args:
        encoder: anything with ``encode``.
        label: names its results.
        wanted: tasks, each once.
        root: of the workspace.
        settings: limit of rows, size of the cache, tries of a download.
        console: where the bar is shown.
    Returns:
        one outcome a task, in the order of ``wanted``.
    Raises:
        UserError: a task or subset that is not there; a full disk.
    """
    store = store_of(encoder, label, root, settings.limit)
    tasks = {one: opened(one) for one in wanted}
    found = {one: Outcome(one.name, KEPT) for one, task in tasks.items() if store.result(task) is not None}
    waiting = [one for one in wanted if one not in found]
    if waiting:
        bar_of = _bar(console, [tasks[one] for one in waiting])
        with open_cache(root, settings) as cache, bar_of as bar:
            found |= _in_turn(_Work(encoder, store, cache, settings, bar), tasks, waiting)
    return [found[one] for one in wanted]


@dataclass
class _Work:
    """What a task needs to be scored."""

    encoder: Encoder
    store: Store
    cache: TextCache
    settings: ZeroShotSettings
    bar: Bar

    def kept_encoder(self) -> KeptEncoder:
        from jtcse.evaluation.mteb.cached_encoder import KeptEncoder

        return KeptEncoder(self.encoder, self.store.revision, self.cache, self.bar.advance)


def _in_turn(work: _Work, tasks: dict[Wanted, AbsTask], waiting: Sequence[Wanted]) -> dict[Wanted, Outcome]:
    """First the tasks that no other process has, then those that one had: it may have ended without a result."""
    found: dict[Wanted, Outcome] = {}
    for wait in (False, True):
        for one in waiting:
            if one in found:
                continue
            with work.store.claimed(one.name, wait=wait) as mine:
                if mine:
                    found[one] = _outcome(work, one, tasks[one])
                    work.bar.ended(tasks[one])
    return found


def _outcome(work: _Work, one: Wanted, task: AbsTask) -> Outcome:
    from jtcse.evaluation.mteb.loading import Missing

    began = time.perf_counter()
    if work.store.result(task) is not None:  # another process was faster
        return Outcome(one.name, KEPT)
    work.bar.begins(one.name)
    try:
        with _quietly():
            result, notes = _scored(work, task)
        work.store.write(task, result)
    except Missing as error:
        return Outcome(one.name, MISSING, str(error))
    except NoRoom:
        raise
    except UserError as error:
        return Outcome(one.name, FAILED, str(error))
    except Exception as error:  # whatever a task's own code makes of its data: the others go on
        if isinstance(error, OSError) and error.errno in FULL:
            raise NoRoom(
                f"no room left to score {one.name} ({error}); free some space and run the same command again"
            ) from error
        first = (str(error).strip().splitlines() or [""])[0][:300]
        return Outcome(one.name, FAILED, f"{type(error).__name__}: {first}")
    return Outcome(one.name, SCORED, "; ".join(notes), time.perf_counter() - began)


def _scored(work: _Work, task: AbsTask) -> tuple[TaskResult, list[str]]:
    """The result of an unchanged task, and what is to be said of its data, which are let go of afterwards."""
    import mteb

    from jtcse.evaluation.mteb.cached_encoder import MtebEncoder
    from jtcse.evaluation.mteb.loading import load

    notes = load(task, limit=work.settings.limit, tries=work.settings.tries)
    model = MtebEncoder(work.kept_encoder(), work.store.label, work.store.revision)
    try:
        done = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False)
        return done.task_results[0], notes
    finally:
        task.unload_data()


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the bars of ``datasets`` and the advice of mteb, which would run through ours."""
    import datasets

    shown, log = datasets.are_progress_bars_disabled(), logging.getLogger("mteb")
    level = log.level
    datasets.disable_progress_bars()
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
        if not shown:
            datasets.enable_progress_bars()


# -- progress ---------------------------------------------------------------------------------------------------


class Bar:
    """Characters embedded of all tasks together, with the time left; shows nothing without a console."""

    def __init__(self, progress: Progress | None, sizes: dict[str, int]) -> None:
        self.progress, self.sizes = progress, sizes
        self.before = 0  # characters of tasks that have ended
        self.row = progress.add_task("", total=sum(sizes.values())) if progress else None

    def begins(self, name: str) -> None:
        """A task is begun."""
        if self.progress:
            self.progress.update(self.row, description=name)

    def advance(self, characters: int) -> None:
        """Vectors have come."""
        if self.progress:
            self.progress.advance(self.row, characters)

    def ended(self, task: AbsTask) -> None:
        """A task has ended: sizes are estimates, and what lies in the cache takes no time."""
        self.before += self.sizes[task.metadata.name]
        if self.progress:
            self.progress.update(self.row, completed=self.before)


@contextmanager
def _bar(console: Console | None, tasks: Sequence[AbsTask]) -> Iterator[Bar]:
    from rich import progress as rich_progress

    known = {task.metadata.name: size_of(task) for task in tasks}
    sizes = {name: size.characters if size else UNKNOWN_SIZE for name, size in known.items()}
    if console is None:
        yield Bar(None, sizes)
        return
    columns = [
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TaskProgressColumn(),
    ]
    columns += [
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("left"),
        rich_progress.TimeRemainingColumn(),
    ]
    with rich_progress.Progress(*columns, console=console) as progress:
        yield Bar(progress, sizes)
