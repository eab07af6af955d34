"""Measured beside the counts of ``cost``: sentences a second, and the memory of the tensors that encoding holds.

Speed belongs to one machine at one time, and is labelled so; memory is that of tensors alone, the same on each run.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from copy import copy, deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from jtcse.core.errors import UserError
from jtcse.core.record import Metric
from jtcse.encoders.batches import MEMORY
from jtcse.encoders.encoder import Encoder, SumEncoder, TowerEncoder

FEWEST = 9
"""Rounds from which on the order statistics bound a median with 95 % confidence, with some to spare (6 would do)."""


class Middle(NamedTuple):
    """A median over rounds with its 95 % interval, which order statistics give without assuming a distribution."""

    median: float
    low: float
    high: float
    rounds: int


def middle(values: Sequence[float]) -> Middle:
    """The median of one number a round.

    Raises:
        UserError: fewer than ``FEWEST`` rounds.
    """
    from scipy.stats import quantile_test

    if len(values) < FEWEST:
        raise UserError(f"found {len(values)} rounds; a median with an interval needs at least {FEWEST}")
    bounds = quantile_test(values, q=float(np.median(values)), p=0.5).confidence_interval(0.95)
    return Middle(float(np.median(values)), float(bounds.low), float(bounds.high), len(values))


def copies(towers: Sequence[TowerEncoder], count: int) -> Encoder:
    """A sum of ``count`` towers, the given ones in turn; those that come again are copies with weights of their own."""
    own = [copy(towers[i % len(towers)]) for i in range(count)]
    for i, tower in enumerate(own):
        tower.model = tower.model if i < len(towers) else deepcopy(tower.model)
    return own[0] if count == 1 else SumEncoder(own)


def rounds(
    encoders: Mapping[str, Encoder],
    sentences: Sequence[str],
    *,
    seconds: float = 4.0,
    fewest: int = FEWEST,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, np.ndarray]:
    """Seconds of encoding all sentences, tokenising included, for each encoder and round.

    The encoders take turns within a round, so that a machine that slows down slows all of them. One round before the first
    is not counted. Token ids that are kept in memory are forgotten before each measurement. Equal sentences are encoded
    once (``TowerEncoder``), so they should differ.

    Args:
        seconds: rounds begin until that much time has passed, but at least ``fewest`` are run.
    """
    taken: dict[str, list[float]] = {name: [] for name in encoders}
    for encoder in encoders.values():
        encoder.encode(sentences)
    start = clock()
    while len(next(iter(taken.values()))) < fewest or clock() - start < seconds:
        for name, encoder in encoders.items():
            MEMORY.forget()
            before = clock()
            encoder.encode(sentences)
            taken[name].append(clock() - before)
    return {name: np.array(values) for name, values in taken.items()}


class _Alive(TorchDispatchMode):
    """Follows the bytes of tensors that operations make while it is on, until they are freed; keeps the most."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        taken = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor) and t.layout == torch.strided]
        given = {t.untyped_storage().data_ptr() for t in taken}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided:
                storage = tensor.untyped_storage()
                place, size = storage.data_ptr(), storage.nbytes()
                if size and place not in given and place not in self._known:  # neither a view nor a change in place
                    self._known.add(place)
                    self.now += size
                    self.most = max(self.most, self.now)
                    weakref.finalize(storage, self._lose, place, size)
        return result

    def _lose(self, place: int, size: int) -> None:
        self._known.discard(place)
        self.now -= size


def memory(encoder: Encoder, sentences: Sequence[str]) -> dict[str, float]:
    """MiB of an encoder's ``weights``, and of the tensors that encoding the sentences holds at most (``work``).

    Work space inside of a kernel, the tokeniser and Python itself are not in it. What only a first call does (trying number
    formats) is done before.
    """
    encoder.encode(sentences[:1])
    with _Alive() as alive:
        encoder.encode(sentences)
    models = [tower.model for tower in getattr(encoder, "encoders", [encoder])]
    weights = sum(p.numel() * p.element_size() for model in models for p in model.parameters())
    return {"weights": weights / 2**20, "work": alive.most / 2**20}


def token_counts(encoder: TowerEncoder, sentences: Sequence[str]) -> np.ndarray:
    """Tokens of each sentence as the encoder reads it, [CLS] and [SEP] included: (n,)."""
    return np.array([len(row) for row in encoder.tokenise(sentences)])


def speed_metrics(
    taken: Mapping[str, np.ndarray], held: Mapping[str, Mapping[str, float]], sentences: int
) -> list[Metric]:
    """Sentences a second (median over rounds, its interval) and memory as metrics ``cost/<system>/...``."""
    metrics = []
    for name, seconds in taken.items():
        found = middle(sentences / seconds)
        metrics.append(
            Metric(
                name=f"cost/{name}/sentences_per_second",
                value=found.median,
                unit="1/s",
                n=sentences,
                low=found.low,
                high=found.high,
            )
        )
        metrics += [
            Metric(name=f"cost/{name}/{kind}_memory", value=mib, unit="MiB", n=sentences)
            for kind, mib in held[name].items()
        ]
    return metrics
