"""What ``mteb`` is given: an encoder in its protocol, and its own cache of results, whose files are whole or not there."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mteb.cache import ResultCache
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction

from jtcse.core.files import write_atomically

if TYPE_CHECKING:
    import numpy as np
    from mteb.abstasks import AbsTask
    from mteb.results import TaskResult

    from jtcse.evaluation.mteb.cached_encoder import KeptEncoder


class MtebEncoder(AbsEncoder):
    """``mteb``'s encoder protocol around one of ours; texts are given as they are, without prompts.

    Args:
        encoder: with ``encode(sentences)``.
        label: the model becomes ``companion/<label>`` in results.
        revision: its fingerprint, which results are kept under.
    """

    def __init__(self, encoder: KeptEncoder, label: str, revision: str) -> None:
        self.model = encoder
        self.mteb_model_meta = model_meta(label, revision)

    def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **_: Any) -> np.ndarray:
        """Vectors of all texts of a data loader, in order: (n, d) float32."""
        return self.model.encode([text for batch in inputs for text in batch["text"]])


def model_meta(label: str, revision: str) -> ModelMeta:
    """How a model is named in ``mteb``'s results; what nobody told is left empty."""
    told = {"name": f"companion/{label}", "revision": revision, "similarity_fn_name": ScoringFunction.COSINE}
    return ModelMeta.create_empty(told)


class WholeResults(ResultCache):
    """``mteb``'s cache of results for one task: what is read fits the task, what is written is whole or not there.

    Args:
        folder: ``results/`` lies in it.
        task: filtered to what is wanted of it.
    """

    def __init__(self, folder: Path, task: AbsTask) -> None:
        super().__init__(folder)
        self.task = task

    def load_task_result(self, *names: Any, **more: Any) -> TaskResult | None:
        """As ``mteb`` loads it; a file of older data, or one that cannot be read, is as none."""
        try:
            found = super().load_task_result(*names, **more)
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            name = self.task.metadata.name
            logging.getLogger(__name__).warning("%s: its result cannot be read (%s): it is scored again", name, error)
            return None
        return found if found is not None and found.dataset_revision == self.task.metadata.revision else None

    def save_to_cache(self, task_result: TaskResult, model_name: ModelMeta, *_: Any, **more: Any) -> None:
        """As ``mteb`` saves it, but only once all that is wanted has a score.

        ``mteb`` saves after every subset. Some tasks draw random numbers from one subset to the next: a call that went on
        where a killed one ended would give them other scores.

        Raises:
            NoRoom: a full disk; what was there stays.
        """
        if task_result.get_missing_evaluations(self.task):
            return
        path = self.get_task_result_path(self.task.metadata.name, model_name)
        with TemporaryDirectory() as folder:
            task_result.to_disk(whole := Path(folder) / path.name)
            write_atomically(path, whole.read_bytes())
        if not (meta := path.with_name("model_meta.json")).exists():
            write_atomically(meta, json.dumps(model_name.to_dict(), default=str, indent=4))
