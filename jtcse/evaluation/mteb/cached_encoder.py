"""An encoder that computes each text once and keeps its vector on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jtcse.core.errors import UserError

if TYPE_CHECKING:
    from jtcse.encoders.encoder import Encoder
    from jtcse.evaluation.mteb.cache import TextCache

PORTION = 4096  # texts that are computed before they are kept: what a kill loses at most
LONGEST = 20_000
"""Characters of a text that a tokenizer is given. 512 tokens rarely take a fifth of it, and time grows with what is cut away."""


class KeptEncoder:
    """An encoder that looks a text up before it computes it.

    Args:
        encoder: what computes; texts beyond ``LONGEST`` characters reach it cut.
        key: its fingerprint.
        cache: where vectors are kept; None keeps none.
        advance: is told the characters of texts as their vectors come.
    """

    def __init__(
        self,
        encoder: Encoder,
        key: str,
        cache: TextCache | None = None,
        advance: Callable[[int], None] = lambda characters: None,
    ) -> None:
        self.encoder, self.key, self.cache, self.advance = encoder, key, cache, advance

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """One vector a sentence, in order: (n, d) float32."""
        texts = [text[:LONGEST] for text in sentences]
        found: dict[str, np.ndarray] = {}
        distinct = list(dict.fromkeys(texts))
        if self.cache is not None:
            found = self.cache.get(self.key, distinct)
            self.advance(sum(map(len, found)))
        # longest first, as the encoder's own batches: portions are then of like length, and memory shows its peak at once
        missing = sorted((text for text in distinct if text not in found), key=len, reverse=True)
        for start in range(0, len(missing), PORTION):
            found |= self._computed(missing[start : start + PORTION])
        return np.stack([found[text] for text in texts]) if texts else self.encoder.encode([])

    def _computed(self, texts: list[str]) -> dict[str, np.ndarray]:
        vectors = self.encoder.encode(texts)
        if not np.isfinite(vectors).all():
            row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
            raise UserError(
                f"the encoder gives NaN or infinite numbers for {texts[row][:60]!r}; try --precision fp32, or see to its weights"
            )
        if self.cache is not None:
            self.cache.put(self.key, texts, vectors)
        self.advance(sum(map(len, texts)))
        return dict(zip(texts, vectors, strict=True))
