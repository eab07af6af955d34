"""Which towers hold activations at the same moment: hooks on all layers, and weak references to what they give."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor


class Watch:
    """Towers with a living hidden state, and those inside a forward pass; ``most`` is how many ever were so together."""

    def __init__(self) -> None:
        self.alive: list[tuple[int, weakref.ref]] = []
        self.running: list[int] = []
        self.met: set[int] = set()
        self.most = 0

    def enter(self, tower: int) -> None:
        self.running.append(tower)
        self.look(tower)

    def note(self, tower: int, output) -> None:
        for one in output if isinstance(output, tuple) else [output]:
            if isinstance(one, Tensor):
                self.alive.append((tower, weakref.ref(one)))
        self.look(tower)

    def look(self, tower: int) -> None:
        self.alive = [(owner, ref) for owner, ref in self.alive if ref() is not None]
        holding = {owner for owner, _ in self.alive} | set(self.running)
        self.met.add(tower)
        self.most = max(self.most, len(holding))


@contextmanager
def watched(towers: Sequence) -> Iterator[Watch]:
    """Watch these models while the block runs."""
    watch, hooks = Watch(), []
    for number, model in enumerate(towers):
        hooks.append(model.register_forward_pre_hook(lambda *_, n=number: watch.enter(n)))
        hooks.append(model.register_forward_hook(lambda *_, n=number: watch.running.remove(n)))
        for layer in (model.embeddings, *model.encoder.layer):
            hooks.append(layer.register_forward_hook(lambda _, __, output, n=number: watch.note(n, output)))
    try:
        yield watch
    finally:
        for hook in hooks:
            hook.remove()
