"""What a twin is made of and what flows where, read from the module itself by disturbing it (Fig. 4).

A projection that is disturbed changes the contexts that read it, in its own layer and nowhere before. So for every call of
an attention output it can be said whose queries, keys and values went into it, whatever the code between says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from jtcse.encoders.batches import Batch
from jtcse.method.joint_training import loss_parts
from jtcse.method.twin import Twin

if TYPE_CHECKING:
    import pandas

    from jtcse.core.config import Stage2Settings

TOKENS = 5
"""Length of the sentence that is sent through; more than one, or keys would not matter."""
PROJECTIONS = ("query", "key", "value")
ROMAN = {1: "I", 2: "II"}


@dataclass(frozen=True)
class Attention:
    """One call of a layer's attention output, with the towers, 1 and 2, that its parts come from.

    ``rows``: "all" tokens (the main stream) or "[CLS]" alone (the cross stream). ``residual``: what is added, "layer" for
    the layer's own input and "stream" for what the cross stream was before.
    """

    tower: int
    layer: int
    rows: str
    query: tuple[int, ...]
    key: tuple[int, ...]
    value: tuple[int, ...]
    residual: str

    @property
    def crosses(self) -> bool:
        """Whether anything of the other tower goes in."""
        return {*self.query, *self.key, *self.value} != {self.tower}


@dataclass(frozen=True)
class Architecture:
    """A twin as it is: sizes, layers named CAEL, every attention, what it gives, and which loss part reads what."""

    depth: int
    heads: int
    width: int
    inner: int
    caels: tuple[int, ...]
    attentions: tuple[Attention, ...]
    poolers: tuple[int, ...]
    vectors: tuple[str, ...]
    parts: dict[str, tuple[str, ...]]
    parameters: int

    def of(self, tower: int, layer: int) -> list[Attention]:
        """The attentions of one layer, the main stream's first."""
        found = [a for a in self.attentions if (a.tower, a.layer) == (tower, layer)]
        return sorted(found, key=lambda a: a.rows == "[CLS]")

    def crossing(self) -> tuple[int, ...]:
        """Layers where something of the other tower goes in, counted from 1."""
        return tuple(sorted({a.layer for a in self.attentions if a.crosses}))


class _Seen(NamedTuple):
    tower: int
    layer: int
    context: Tensor
    residual: Tensor
    output: Tensor


def read(twin: Twin, loss: Stage2Settings) -> Architecture:
    """The architecture of a twin, out of its layers and 6 L + 1 runs of one short sentence.

    Args:
        loss: which parts of Eq. 15 are on, and in which form.
    """
    config = twin.towers[0].config
    training = twin.training
    twin.eval()
    try:
        vectors = tuple(_run(twin))
        attentions = tuple(_attentions(twin))
    finally:
        twin.train(training)
    return Architecture(
        depth=len(twin.towers[0].encoder.layer),
        heads=twin.towers[0].encoder.layer[0].attention.self.num_attention_heads,
        width=config.hidden_size,
        inner=config.intermediate_size,
        caels=tuple(twin.caels),
        attentions=attentions,
        poolers=tuple(i for i, tower in enumerate(twin.towers, 1) if getattr(tower, "pooler", None) is not None),
        vectors=vectors,
        parts=part_readers(vectors, loss),
        parameters=sum(p.numel() for p in twin.parameters()),
    )


@torch.no_grad()
def _run(twin: Twin) -> dict[str, Tensor]:
    place = next(twin.parameters()).device
    lowest = twin.towers[0].config.pad_token_id or 0
    ids = (torch.arange(TOKENS, device=place)[None] + lowest + 1) % twin.towers[0].config.vocab_size
    return twin(Batch([(ids, torch.ones_like(ids))], torch.zeros(1, dtype=torch.long, device=place), 1, [["?"]]))


@contextmanager
def _watching(twin: Twin) -> Iterator[list[_Seen]]:
    """Collects what goes into and comes out of every attention output while it is open."""
    seen: list[_Seen] = []
    handles = []
    for number, tower in enumerate(twin.towers, 1):
        for j, layer in enumerate(tower.encoder.layer, 1):

            def note(module: nn.Module, given: tuple, output: Tensor, tower: int = number, layer: int = j) -> None:
                seen.append(_Seen(tower, layer, given[0], given[1], output))

            handles.append(layer.attention.output.register_forward_hook(note))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _disturbed(projection: nn.Module) -> Iterator[None]:
    """Adds noise of its own size to what a projection gives; not a constant, which softmax would not see in keys."""

    def disturb(module: nn.Module, given: tuple, output: Tensor) -> Tensor:
        draw = torch.Generator().manual_seed(0)
        noise = torch.randn(output.shape, generator=draw).to(output)
        return output + noise * (1 + output.std())

    handle = projection.register_forward_hook(disturb)
    try:
        yield
    finally:
        handle.remove()


def _attentions(twin: Twin) -> Iterator[Attention]:
    with _watching(twin) as plain:
        _run(twin)
    sources: list[dict[str, list[int]]] = [{name: [] for name in PROJECTIONS} for _ in plain]
    for number, tower in enumerate(twin.towers, 1):
        for j, layer in enumerate(tower.encoder.layer, 1):
            for name in PROJECTIONS:
                with _watching(twin) as after, _disturbed(getattr(layer.attention.self, name)):
                    _run(twin)
                for source, a, b in zip(sources, plain, after, strict=True):
                    if a.layer == j and not torch.allclose(a.context, b.context, rtol=1e-4, atol=1e-6):
                        source[name].append(number)
    for one, source in zip(plain, sources, strict=True):
        rows = "all" if one.context.shape[1] == TOKENS else "[CLS]"
        froms = {name: tuple(source[name]) for name in PROJECTIONS}
        yield Attention(one.tower, one.layer, rows, **froms, residual=_residual(one, plain))


def _residual(one: _Seen, seen: Sequence[_Seen]) -> str:
    """Whether the output of an earlier call of the cross stream is what this one adds."""
    earlier = (s.output for s in seen if s.tower == one.tower and s.layer < one.layer)
    return "stream" if any(torch.equal(out, one.residual) for out in earlier) else "layer"


def part_readers(vectors: Sequence[str], loss: Stage2Settings) -> dict[str, tuple[str, ...]]:
    """Which of a twin's vectors each part of the loss has a gradient for, found on random vectors."""
    draw = torch.Generator().manual_seed(0)
    leaves = {v: torch.rand(2, 4, 8, generator=draw, dtype=torch.float64).requires_grad_() for v in vectors}
    found: dict[str, tuple[str, ...]] = {}
    for part, value in loss_parts(leaves, loss, direction=1).items():
        slopes = torch.autograd.grad(value, list(leaves.values()), allow_unused=True, retain_graph=True)
        found[part] = tuple(v for v, s in zip(leaves, slopes, strict=True) if s is not None and bool(s.any()))
    return found


def compared(readings: dict[str, Architecture]) -> pandas.DataFrame:
    """What each reading of the cross stream changes, in words: a row a property, a column a reading."""
    import pandas

    return pandas.DataFrame({name: _words(found) for name, found in readings.items()})


def _words(found: Architecture) -> dict[str, Any]:
    main = [a for a in found.attentions if a.rows == "all"]
    cross = [a for a in found.attentions if a.rows == "[CLS]" and a.tower == 1]
    return {
        "layers named CAEL": _list(found.caels),
        "layers where something crosses": _list(found.crossing()),
        "main stream reads the other tower": _list({a.layer for a in main if a.crosses}),
        "cross stream is computed at": _list({a.layer for a in cross}),
        "it starts from": "–" if not cross else f"the input of layer {cross[0].layer}",
        "steps that add to the stream before": sum(a.residual == "stream" for a in cross),
        "vectors given": ", ".join(found.vectors),
        "parts of the loss": ", ".join(found.parts),
        "parameters": f"{found.parameters:,}",
    }


def _list(layers: Any) -> str:
    return ", ".join(map(str, sorted(layers))) or "none"
