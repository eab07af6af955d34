"""A process that fills a cache of vectors: ``cache_writer.py PATH NAME PUTS``; 0 puts: until it is killed.

It opens the cache when a line comes in, opens it again every few puts, and answers each put by a line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from hashlib import blake2b
from itertools import count
from pathlib import Path

import numpy as np

from jtcse.evaluation.mteb.cache import TextCache

KEY, WIDTH, LIMIT = "encoder", 16, 1 << 26
TEXTS = 25  # of one put
REOPENED = 8  # puts between two openings


def vectors(texts: Sequence[str], width: int = WIDTH) -> np.ndarray:
    """(n, width) float32, each by its text alone."""
    seeds = [int.from_bytes(blake2b(text.encode("utf8", "surrogatepass"), digest_size=8).digest()) for text in texts]
    rows = [np.random.default_rng(seed).standard_normal(width, dtype=np.float32) for seed in seeds]
    return np.stack(rows) if rows else np.zeros((0, width), np.float32)


def texts(name: str, put: int) -> list[str]:
    """Texts of a writer's put; the first one is every writer's."""
    return [f"everyone's {put}", *(f"{name}'s {put} {i}" for i in range(TEXTS - 1))]


def main() -> None:
    path, name, puts = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    cache = TextCache(Path(path), LIMIT)
    for put in range(int(puts)) if int(puts) else count():
        mine = texts(name, put)
        cache.put(KEY, mine, vectors(mine))
        print(put, flush=True)
        if put % REOPENED == REOPENED - 1:
            cache.close()
            cache = TextCache(Path(path), LIMIT)
    cache.close()


if __name__ == "__main__":
    main()
