"""An encoder as ``mteb`` wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction

if TYPE_CHECKING:
    import numpy as np

    from jtcse.zero_shot.kept_encoder import KeptEncoder


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
