"""Scoring an encoder on tasks, one after the other: what is kept is not run again, what fails does not stop the others.

Several processes may score the same encoder in one workspace: each takes the next task that nobody else has (``store.py``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jtcse.core.errors import NoRoom, UserError
from jtcse.core.files import FULL
from jtcse.evaluation.mteb.cache import TextCache
from jtcse.evaluation.mteb.cached_encoder import KeptEncoder
from jtcse.evaluation.mteb.sizes import size_of
from jtcse.evaluation.mteb.tasks import Wanted, opened

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask
    from rich.console import Console
    from rich.progress import Progress

    from jtcse.core.config import ZeroShotSettings
    from jtcse.encoders.encoder import Encoder
    from jtcse.evaluation.mteb.adapter import MtebEncoder
    from jtcse.evaluation.mteb.store import Store

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


def open_cache(root: Path, settings: ZeroShotSettings) -> TextCache:
    """The cache of vectors that a workspace has."""
    return TextCache(root / "zero_shot" / "vectors.sqlite", int(settings.cache_gib * GIB))


def score(
    encoder: Encoder,
    store: Store,
    wanted: Sequence[Wanted],
    settings: ZeroShotSettings,
    console: Console | None = None,
) -> list[Outcome]:
    """Score an encoder on tasks.

    Args:
        encoder: anything with ``encode``.
        store: its results.
        wanted: tasks, each once.
        settings: size of the cache, tries of a download.
        console: where the bar is shown.
    Returns:
        one outcome a task, in the order of ``wanted``.
    Raises:
        UserError: a task or subset that is not there; a full disk.
    """
    tasks = {one: opened(one) for one in wanted}
    found = {one: Outcome(one.name, KEPT) for one, task in tasks.items() if store.result(task) is not None}
    left = {one: task for one, task in tasks.items() if one not in found}
    if left:
        from jtcse.evaluation.mteb.adapter import MtebEncoder

        with open_cache(store.root, settings) as cache, _bar(console, left.values()) as bar:
            kept = KeptEncoder(encoder, store.revision, cache, bar.advance)
            model = MtebEncoder(kept, store.label, store.revision)
            # first what no other process has, then what one had: it may have ended without a result
            for one, wait in [(one, wait) for wait in (False, True) for one in left]:
                if one in found:
                    continue
                with store.claimed(one.name, wait=wait) as mine:
                    if mine:
                        bar.begins(left[one])
                        found[one] = _outcome(model, store, left[one], settings.tries)
                        bar.ended(left[one])
    return [found[one] for one in wanted]


def _outcome(model: MtebEncoder, store: Store, task: AbsTask, tries: int) -> Outcome:
    """How it goes with one task; only a full disk ends the call."""
    from jtcse.evaluation.mteb.loading import Missing

    name, began = task.metadata.name, time.perf_counter()
    if store.result(task) is not None:  # another process was faster
        return Outcome(name, KEPT)
    try:
        notes = _scored(model, store, task, tries)
    except NoRoom:
        raise
    except UserError as error:
        return Outcome(name, MISSING if isinstance(error, Missing) else FAILED, str(error))
    except Exception as error:  # whatever a task's own code makes of its data: the others go on
        if isinstance(error, OSError) and error.errno in FULL:
            raise NoRoom(
                f"no room left to score {name} ({error}); free some space and run the same command again"
            ) from error
        first = (str(error).strip().splitlines() or [""])[0][:300]
        return Outcome(name, FAILED, f"{type(error).__name__}: {first}")
    return Outcome(name, SCORED, "; ".join(notes), time.perf_counter() - began)


def _scored(model: MtebEncoder, store: Store, task: AbsTask, tries: int) -> list[str]:
    """Score and keep an unchanged task, and let go of its data; returns what is to be said of these."""
    import mteb

    from jtcse.evaluation.mteb.loading import load

    with _quietly():
        try:
            notes = load(task, limit=store.limit, tries=tries)
            # mteb's raise_error=False would leave nothing of an error but its text
            mteb.evaluate(model, task, cache=store.cache(task), co2_tracker=False, show_progress_bar=False)
            return notes
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
    """Characters embedded of all tasks together, with the time left."""

    def __init__(self, progress: Progress, tasks: Collection[AbsTask]) -> None:
        sizes = {task.metadata.name: size_of(task) for task in tasks}
        self.sizes = {name: size.characters if size else UNKNOWN_SIZE for name, size in sizes.items()}
        self.before = 0  # characters of tasks that have ended
        self.progress, self.row = progress, progress.add_task("", total=sum(self.sizes.values()))

    def begins(self, task: AbsTask) -> None:
        """A task is begun."""
        self.progress.update(self.row, description=task.metadata.name)

    def advance(self, characters: int) -> None:
        """Vectors have come."""
        self.progress.advance(self.row, characters)

    def ended(self, task: AbsTask) -> None:
        """A task has ended: sizes are estimates, and what lies in the cache takes no time."""
        self.before += self.sizes[task.metadata.name]
        self.progress.update(self.row, completed=self.before)


@contextmanager
def _bar(console: Console | None, tasks: Collection[AbsTask]) -> Iterator[Bar]:
    """Shows nothing without a console."""
    from rich.progress import Progress, TimeElapsedColumn

    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=console is None) as progress:
        yield Bar(progress, tasks)
