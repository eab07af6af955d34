"""Finished tasks, in ``mteb``'s own result format: ``<workspace>/zero_shot/results/companion__<label>/<revision>/<task>.json``.

The revision is the hash of the weights (``identity.py``), so another checkpoint never finds these. What was scored on a limited
number of rows lies in a folder of its own, ``zero_shot/limited-<rows>``. A file is written whole or not at all.
"""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from jtcse.core.files import write_atomically

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask
    from mteb.results import TaskResult


class Store:
    """The results of one encoder.

    Args:
        root: of the workspace.
        label: of the encoder.
        revision: its fingerprint.
        limit: rows that tasks were cut to; None: whole tasks.
    """

    def __init__(self, root: Path, label: str, revision: str, limit: int | None = None) -> None:
        self.label, self.revision, self.limit = label, revision, limit
        self.base = Path(root) / "zero_shot" / (f"limited-{limit}" if limit else "")
        self.folder = self.base / "results" / f"companion__{label}" / revision

    def result(self, task: AbsTask) -> TaskResult | None:
        """The result of a task on this revision of its data, if all its splits and subsets were scored."""
        found = self._read(task)
        return None if found is None or found.get_missing_evaluations(task) else found

    def write(self, task: AbsTask, result: TaskResult) -> None:
        """Keep a result, beside those of other subsets of the same task.

        Raises:
            UserError: a full disk; what was there stays.
        """
        kept = self._read(task)
        result = result if kept is None else kept.merge(result)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "result.json"
            result.to_disk(path)
            write_atomically(self._path(task), path.read_bytes())
        self._write_meta()

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

    def _path(self, task: AbsTask) -> Path:
        return self.folder / f"{task.metadata.name}.json"

    def _read(self, task: AbsTask) -> TaskResult | None:
        """What is kept of a task; a file of older data, or one that cannot be read, is as none."""
        from mteb.results import TaskResult

        path = self._path(task)
        if not path.is_file():
            return None
        try:
            found = TaskResult.from_disk(path)
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            logging.getLogger(__name__).warning("%s cannot be read (%s): the task is scored again", path, error)
            return None
        return found if found.dataset_revision == task.metadata.revision else None

    def _write_meta(self) -> None:
        from jtcse.evaluation.mteb.cached_encoder import model_meta

        told = model_meta(self.label, self.revision).to_dict()
        write_atomically(self.folder / "model_meta.json", json.dumps(told, default=str, indent=4) + "\n")
