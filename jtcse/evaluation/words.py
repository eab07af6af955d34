"""The floor that a sentence encoder has to clear: counting common words."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

WORD = re.compile(r"\w+")


class BagOfWords:
    """An encoder that counts words and knows nothing else.

    Args:
        width: of a vector; words share a place by chance (CRC-32) once there are many of them.
    """

    def __init__(self, width: int = 4096) -> None:
        self.width = width

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """Word counts of each sentence, case ignored: (n, width) float32."""
        counts = np.zeros((len(sentences), self.width), dtype=np.float32)
        for row, sentence in enumerate(sentences):
            places = [zlib.crc32(word.encode()) % self.width for word in WORD.findall(sentence.lower())]
            np.add.at(counts[row], places, 1)
        return counts
