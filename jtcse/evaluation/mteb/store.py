"""Finished tasks in ``mteb``'s own cache of results: ``<workspace>/zero_shot/results/companion__<label>/<revision>/<task>.json``.

The revision is the hash of the weights and the number format (``fingerprint.py``), so another checkpoint never finds these. What
was scored on a limited number of rows lies in a cache of its own, ``zero_shot/limited-<rows>``.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask
    from mteb.cache import ResultCache
    from mteb.results import TaskResult

    from jtcse.encoders.encoder import Encoder


class Store:
    """The results of one encoder.

    Args:
        root: of the workspace.
        label: of the encoder.
        revision: its fingerprint.
        limit: rows that tasks were cut to; None: whole tasks.
    """

    def __init__(self, root: Path, label: str, revision: str, limit: int | None = None) -> None:
        self.root, self.label, self.revision, self.limit = Path(root), label, revision, limit
        self.base = self.root / "zero_shot" / (f"limited-{limit}" if limit else "")
        self.folder = self.base / "results" / f"companion__{label.replace(' ', '_')}" / revision  # as mteb names it

    @classmethod
    def of(cls, encoder: Encoder, root: Path, label: str, limit: int | None = None) -> Store:
        """The results of an encoder that is open; all its weights are read, which is worth doing once."""
        from jtcse.evaluation.mteb.fingerprint import fingerprint

        return cls(root, label, fingerprint(encoder), limit)

    def cache(self, task: AbsTask) -> ResultCache:
        """What ``mteb`` finds a task's results in, and keeps them in."""
        from jtcse.evaluation.mteb.adapter import WholeResults

        return WholeResults(self.base, task)

    def result(self, task: AbsTask) -> TaskResult | None:
        """The result of a task on this revision of its data, if all its splits and subsets were scored."""
        found = self._read(task)
        return None if found is None or found.get_missing_evaluations(task) else found

    def names(self) -> list[str]:
        """Tasks that have a result, whole or of some subsets."""
        return sorted(path.stem for path in self.folder.glob("*.json") if path.name != "model_meta.json")

    def scored_part(self, name: str) -> AbsTask | None:
        """A task cut down to the splits and subsets that have a score; None where it has none on today's data."""
        import mteb

        try:
            task = mteb.get_task(name)
        except KeyError:  # of another version of mteb
            return None
        found = self._read(task)
        if found is None:
            return None
        of_splits = [{scores["hf_subset"] for scores in of} for of in found.scores.values()]
        subsets = set.intersection(*of_splits) if of_splits else set()
        if not subsets:
            return None
        chosen = [one for one in task.hf_subsets if one in subsets]
        whole = len(chosen) == len(task.hf_subsets)  # mteb takes seconds to choose among 41,412
        return mteb.get_task(name, eval_splits=list(found.scores), hf_subsets=None if whole else chosen)

    @contextmanager
    def claimed(self, name: str, *, wait: bool) -> Iterator[bool]:
        """Whether this process has a task to itself; the claim ends with the process, however it ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f".{name}.lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True

    def _read(self, task: AbsTask) -> TaskResult | None:
        if not (self.folder / f"{task.metadata.name}.json").is_file():
            return None
        return self.cache(task).load_task_result(task.metadata.name, f"companion/{self.label}", self.revision)
