"""What a sentence costs in multiply-accumulates (Table VII): a closed form, and torch's own counter beside it.

Sizes: l tokens of a sentence, d width, f inner width of the feed-forward part, L layers. One multiply-accumulate (MAC) is one
multiplication and the addition of its product; a matrix product (m, k) x (k, n) has m k n of them, and 10^9 are a GMAC. As
is usual, the closed form and torch's counter know matrix products only: no biases, norms, softmax, activations or sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from jtcse.core.errors import UserError, check_choice
from jtcse.method.cross_attention import cael_layers

if TYPE_CHECKING:
    from jtcse.method.twin import Twin

GIGA = 1e9
TRAINING = 3
"""Forward and backward over forward: behind each matrix product stand two more, for its two factors' gradients."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a BERT-like tower that its cost depends on; the number of heads is not among them."""

    width: int = 768
    layers: int = 12
    inner: int = 3072

    @classmethod
    def of(cls, config: Any) -> Shape:
        """Of a stock configuration."""
        return cls(config.hidden_size, config.num_hidden_layers, config.intermediate_size)


def closed_form(shape: Shape, tokens: int, sentences: int = 1) -> dict[str, int]:
    """MACs of a stock tower with pooler, by part, for n sentences of l tokens each.

    A layer: four projections (query, key, value, output) of l vectors, 4 d^2 l; queries times keys and weights times values,
    2 l^2 d over all heads together; into the inner width and back, 2 d f l. The pooler reads [CLS] alone: d^2.

    Raises:
        UserError: a length or number of sentences below one.
    """
    if tokens < 1 or sentences < 1:
        raise UserError(f"found {sentences} sentences of {tokens} tokens; a cost needs at least one of each")
    d, l, f = shape.width, tokens, shape.inner  # noqa: E741
    parts = {
        "projections": shape.layers * 4 * d * d * l,
        "attention products": shape.layers * 2 * l * l * d,
        "feed-forward": shape.layers * 2 * d * f * l,
        "pooler": d * d,
    }
    return {name: sentences * macs for name, macs in parts.items()}


def tower_macs(shape: Shape, tokens: int, sentences: int = 1) -> int:
    """The sum of ``closed_form``."""
    return sum(closed_form(shape, tokens, sentences).values())


def text_macs(shape: Shape, token_counts: Iterable[int]) -> int:
    """MACs of one tower for sentences of these numbers of tokens, none of them padded."""
    return sum(tower_macs(shape, int(tokens)) for tokens in token_counts)


def cross_macs(shape: Shape, tokens: int, reading: str, cael_count: int, sentences: int = 1) -> int:
    """MACs that a reading of the cross-attention adds to two towers, as ``cross_attention.crossed_cls`` computes them.

    At a CAEL and for one tower: keys and the other tower's values of all tokens, 2 d^2 l; query and output projection of
    [CLS] alone, 2 d^2; its one row of scores and of context, 2 l d. ``carried`` does so at each CAEL, ``last`` and ``fed`` at
    the last one, ``none`` nowhere. (That ``fed`` averages values costs additions only.)

    Raises:
        UserError: unknown reading; a count of CAELs that does not divide the depth.
    """
    times = {"none": 0, "last": 1, "carried": cael_count, "fed": 1}
    check_choice("reading of the cross-attention", reading, list(times))
    if reading != "none":
        cael_layers(shape.layers, cael_count)
    d, l = shape.width, tokens  # noqa: E741
    return sentences * 2 * times[reading] * (2 * d * d * l + 2 * d * d + 2 * l * d)


# -- counted -------------------------------------------------------------------------------------------------


@contextmanager
def as_products() -> Iterator[None]:
    """Attention as plain matrix products: torch's counter has no formula for the fused kernel of CPUs and misses it."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel(SDPBackend.MATH):
        yield


@contextmanager
def without_numbers() -> Iterator[None]:
    """Tensors made inside have a shape and no content, so that counting a large model takes neither memory nor time."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        yield


def counted(call: Callable[[], Any]) -> int:
    """MACs of a call by ``torch.utils.flop_counter``, which counts two operations a MAC; backward passes inside it count."""
    from torch.utils.flop_counter import FlopCounterMode

    with as_products(), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() // 2


def eager_tower(config: Any) -> nn.Module:
    """A stock tower of random weights whose attention is written out, as the counter needs it; in eval mode."""
    from transformers import AutoModel

    return AutoModel.from_config(config, attn_implementation="eager").eval()


def count_towers(config: Any, tokens: int, towers: int = 1) -> int:
    """Counted MACs of one sentence of l tokens through a number of stock towers of a configuration."""
    with without_numbers(), torch.no_grad():
        models = [eager_tower(config) for _ in range(towers)]
        ids = torch.ones(1, tokens, dtype=torch.long)
        return counted(lambda: [model(input_ids=ids) for model in models])


def count_twin(config: Any, tokens: int, reading: str, cael_count: int) -> dict[str, int]:
    """MACs of one sentence of l tokens through a twin: ``forward``, and ``training`` (forward and backward).

    The losses themselves, some n d a sentence at batch size n, are not in it.
    """
    from torch.utils.flop_counter import FlopCounterMode

    from jtcse.method.twin import Twin

    with without_numbers():
        twin = Twin(eager_tower(config), eager_tower(config), cross_stream=reading, cael_count=cael_count)
        with as_products(), FlopCounterMode(display=False) as counter:
            vectors = run_twin(twin, tokens)
            forward = counter.get_total_flops()
            sum(v.sum() for v in vectors.values()).backward()
    return {"forward": forward // 2, "training": counter.get_total_flops() // 2}


def run_twin(twin: Twin, tokens: int, sentences: int = 1) -> dict[str, torch.Tensor]:
    """The vectors of a twin for n sentences of l tokens each, whichever tokens they are."""
    from jtcse.encoders.batches import Batch

    ids = torch.ones(sentences, tokens, dtype=torch.long)
    texts = [["?"] * sentences]
    return twin(Batch([(ids, torch.ones_like(ids))], torch.arange(sentences), 1, texts))
