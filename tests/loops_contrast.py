"""Losses of some contrastive systems from their formulas, in plain Python on lists of floats; and a run that is cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, log
from pathlib import Path

import loops
import torch
from torch import Tensor

from jtcse.training import checkpoints, trainer

Rows = Sequence[Sequence[float]]


def with_queue(z1: Rows, z2: Rows, queue: Rows, tau: float) -> float:
    """InfoNCE whose denominator has the queue's vectors too."""
    total = 0.0
    for i, anchor in enumerate(z1):
        below = sum(exp(loops.cosine(anchor, other) / tau) for other in [*z2, *queue])
        total -= log(exp(loops.cosine(anchor, z2[i]) / tau) / below)
    return total / len(z1)


def softmax(values: Sequence[float]) -> list[float]:
    """Shares that sum to 1."""
    top = max(values)
    weights = [exp(value - top) for value in values]
    return [weight / sum(weights) for weight in weights]


def smoothed(anchors: Rows, held: Rows, neighbours: int, temperature: float) -> Rows:
    """Each anchor with its neighbours of rank 2 to k + 1, weighted by attention."""
    made = []
    for anchor in anchors:
        ranked = sorted(held, key=lambda row: -loops.dot(anchor, row))
        group = [anchor, *ranked[1 : neighbours + 1]]
        weights = softmax([loops.dot(anchor, row) / temperature for row in group])
        made.append([sum(w * row[c] for w, row in zip(weights, group, strict=True)) for c in range(len(anchor))])
    return made


def list_net(student: Rows, teacher: Rows) -> float:
    """Cross-entropy of the student's shares from the teacher's."""
    total = 0.0
    for own, other in zip(student, teacher, strict=True):
        total -= sum(q * log(p) for p, q in zip(softmax(own), softmax(other), strict=True))
    return total / len(student)


def list_mle(student: Rows, teacher: Rows) -> float:
    """Minus the log of the chance to draw the teacher's order."""
    total = 0.0
    for own, other in zip(student, teacher, strict=True):
        order = sorted(range(len(own)), key=lambda place: -other[place])
        for rank, place in enumerate(order):
            total -= log(exp(own[place]) / sum(exp(own[later]) for later in order[rank:]))
    return total / len(student)


def jensen_shannon(first: Rows, second: Rows) -> float:
    """Between the softmax of each row of ``first`` and of ``second``."""
    total = 0.0
    for own, other in zip(first, second, strict=True):
        p, q = softmax(own), softmax(other)
        for a, b in zip(p, q, strict=True):
            middle = (a + b) / 2
            total += (a * log(a / middle) + b * log(b / middle)) / 2
    return total / len(first)


def state(module: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of all that a checkpoint holds of a module."""
    return {name: value.detach().clone() for name, value in checkpoints._state(module).items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two states are equal to the last bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Stopped(Exception):
    """In place of a kill."""


def run(objective, folder: Path) -> dict[str, Tensor]:
    """Train in float32 and keep the last weights; gives the state."""
    trainer.train(objective, objective.settings, learning_rate=1e-3, seed=3, folder=folder, precision="fp32")
    return state(objective.module)


def whole_and_resumed(made: Callable, folder: Path, batches: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The states after one run and after a run that was stopped at a batch and begun again."""
    whole = run(made(), folder / "whole")
    broken, count = made(), 0
    batch = broken.batch

    def stop(rows, seed):
        nonlocal count
        count += 1
        if count > batches:
            raise Stopped
        return batch(rows, seed)

    broken.batch = stop
    try:
        run(broken, folder / "broken")
    except Stopped:
        return whole, run(made(), folder / "broken")
    raise AssertionError("the run was not stopped")
