"""Tasks of ``mteb`` scored by ``SentenceTransformer`` as it comes and by our encoder, on the same data in one run.

Both go through ``mteb.evaluate``. Our side starts with an empty cache of vectors. What ``mteb`` does beside embedding (its
classifiers, its rankings) is the same for both; the throughput is that of embedding alone: texts that a task asked for by
seconds until their vectors were there.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track
from rich.table import Table

TASKS = (
    "STS12,STS13,STS14,STS15,STS16,STSBenchmark,SICK-R,STS17:en-en,STSBenchmarkMultilingualSTS:en,Banking77Classification,"
    "XQuADRetrieval:en,NTREXBitextMining:eng_Latn-deu_Latn"
)
"""Those of the hub beside the development checkout; all are public."""
CACHE = 2**30  # bytes


@dataclass
class Clock:
    """What embedding took."""

    texts: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Texts a second."""
        return self.texts / self.seconds


def evaluation(name: str) -> Table:
    """Scores, seconds and throughput of both sides, a task a row."""
    from jtcse.evaluation.mteb.tasks import opened, wanted

    tasks = [opened(one) for one in wanted(TASKS)]
    usual, clock = _usual(name)
    with tempfile.TemporaryDirectory() as folder:
        ours, our_clock = _ours(name, Path(folder))
        table = Table("task", "SentenceTransformer", "jtcse", "difference", "s", "s", title=f"{name} through mteb")
        for task in track(tasks, "tasks", transient=True):
            task.load_data()
            sides = [_scored(model, task, of) for model, of in ((usual, clock), (ours, our_clock))]
            task.unload_data()
            (theirs, their_seconds), (mine, my_seconds) = sides
            points = (f"{theirs:.3f}", f"{mine:.3f}", f"{mine - theirs:+.3f}")
            table.add_row(task.metadata.name, *points, f"{their_seconds:.1f}", f"{my_seconds:.1f}")
    table.add_section()
    table.add_row("embedding, s", f"{clock.seconds:.1f}", f"{our_clock.seconds:.1f}")
    ratio = f"{our_clock.rate / clock.rate:.2f} times"
    table.add_row("texts a second", f"{clock.rate:,.0f}", f"{our_clock.rate:,.0f}", ratio)
    return table


def _scored(model: Any, task: Any, clock: Clock) -> tuple[float, float]:
    """Main score in points, and the seconds of embedding."""
    import mteb

    before = clock.seconds
    result = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False).task_results[0]
    scores = [one["main_score"] for of in result.scores.values() for one in of]
    return 100 * float(np.mean(scores)), clock.seconds - before


def _usual(name: str) -> tuple[Any, Clock]:
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper
    from sentence_transformers import SentenceTransformer

    return _timed(SentenceTransformerEncoderWrapper(SentenceTransformer(name)))


def _ours(name: str, folder: Path) -> tuple[Any, Clock]:
    from jtcse.evaluation.mteb.adapter import MtebEncoder
    from jtcse.evaluation.mteb.cache import TextCache
    from jtcse.evaluation.mteb.cached_encoder import KeptEncoder
    from jtcse.evaluation.mteb.fingerprint import fingerprint
    from jtcse.systems.opening import open_model

    encoder = open_model(name, pooling="mean")
    key = fingerprint(encoder)
    cache = TextCache(folder / "vectors.sqlite", CACHE)
    return _timed(MtebEncoder(KeptEncoder(encoder, key, cache), "bench", key))


def _timed(model: Any) -> tuple[Any, Clock]:
    """A model whose calls of ``encode`` are timed."""
    clock, encode = Clock(), model.encode

    def timed(inputs, **words):
        began = time.perf_counter()
        vectors = encode(inputs, **words)
        clock.seconds += time.perf_counter() - began
        clock.texts += len(vectors)
        return vectors

    model.encode = timed
    return model, clock
