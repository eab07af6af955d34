"""How fast this device computes what the project computes, whatever device it is; without hub, text or trained weights.

Towers have random weights and sentences random words, of the lengths that the seven tasks have. A rate is set against that of
plain matrix products in the same shapes and format, measured in the same process; multiply-accumulates are those of
``evaluation/cost.py``, two operations each, of real tokens only, so padding counts as loss.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from rich.progress import track
from rich.table import Table

from jtcse.core.config import load_settings
from jtcse.core.device import device
from jtcse.core.run import peak_memory
from jtcse.encoders.batches import TOKEN_BUDGET, batch_of
from jtcse.encoders.encoder import TowerEncoder
from jtcse.evaluation.cost import TRAINING, Shape, text_macs
from jtcse.method.joint_training import JTCSE

SHAPES = {"MiniLM": Shape(384, 6, 1536), "BERT-base": Shape(768, 12, 3072)}
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16}
HEADS = 12
"""Attention heads of both."""
WORDS = 30_522
BATCH = 64
SECONDS = 12.0
"""What one measurement may take; four a shape, beside the matrix products, so that all are done in five minutes."""


class Measured(NamedTuple):
    """One shape in one format. Rates in GFLOP/s; None where a measurement would have taken too long."""

    shape: str
    format: str
    matrix: float
    encoding: float | None
    sentences: float | None
    step: float | None
    step_seconds: float | None
    memory: float


def lengths(count: int, longest: int = 128) -> np.ndarray:
    """Tokens of some sentences, special ones included: log-normal about 14, as those of the seven tasks; always the same."""
    drawn = np.random.default_rng(0).lognormal(np.log(14), 0.45, count)
    return np.clip(drawn.round(), 5, longest).astype(int)


class _RandomWords(TowerEncoder):
    """A tower that reads sentence i, given as its number, as some random words."""

    def __init__(self, model, precision: str) -> None:
        super().__init__(model, SimpleNamespace(pad_token_id=0), pooling="mean", precision=precision)

    def tokenise(self, sentences: Sequence[str]) -> list[list[int]]:
        return random_words(lengths(len(sentences)), self.model.config.vocab_size)


def random_words(counts: Sequence[int], words: int) -> list[list[int]]:
    """Token ids of sentences of these lengths."""
    drawn = np.random.default_rng(1)
    return [drawn.integers(1, words, count).tolist() for count in counts]


def random_tower(shape: Shape, words: int = WORDS):
    """A stock BERT of a shape on this run's device, with random weights."""
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": shape.width, "num_hidden_layers": shape.layers, "intermediate_size": shape.inner}
    heads = HEADS if shape.width % HEADS == 0 else 1
    config = BertConfig(vocab_size=words, num_attention_heads=heads, **sizes)
    return BertModel(config).to(device()).eval()


def device_table(seconds: float = SECONDS) -> Table:
    """All shapes and formats, a row each."""
    machine = torch.cuda.get_device_name() if device().type == "cuda" else "CPU"
    table = Table(title=f"{machine}, {torch.get_num_threads()} threads, random weights, TF32 off")
    heads = ["shape", "format", "matrix products, GFLOP/s"]
    heads += ["encoding, sentences/s", "share", "stage-2 step, s", "share", "peak, MiB"]
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < 2 else "right")
    todo = [(name, format_) for name in SHAPES for format_ in FORMATS]
    for name, format_ in track(todo, "shapes and formats", transient=True):
        table.add_row(*_row(measure(name, SHAPES[name], format_, seconds)))
    table.caption = (
        "share: of the rate of matrix products; a step: 64 sentences of at most 32 tokens, two towers, dropout 0.1; peak: "
        + ("of this shape and format" if device().type == "cuda" else "of the process until then")
    )
    return table


def measure(name: str, shape: Shape, format_: str, seconds: float = SECONDS, words: int = WORDS) -> Measured:
    """Rates of one shape in one format.

    Args:
        format_: a key of ``FORMATS``.
        seconds: that each measurement may take; one that cannot be done in three times as long is left out.
    """
    if device().type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with _without_tf32():
        matrix = product_rate(shape, FORMATS[format_])
        sentences, operations = _sentences(shape, matrix, seconds)
        took = None
        if sentences:
            encoder = _RandomWords(random_tower(shape, words), format_)
            took = _least(lambda: encoder.encode([str(i) for i in range(sentences)]), seconds)
            del encoder
        step = 4 * TRAINING * _operations(shape, _step_lengths())  # two towers, two views
        step_took = _least(_step(shape, format_, words), seconds) if step / matrix < 1.5e9 * seconds else None
    return Measured(
        name, format_, matrix, took and operations / took / 1e9, took and sentences / took,
        step_took and step / step_took / 1e9, step_took, peak_memory(),
    )  # fmt: skip


def product_rate(shape: Shape, dtype: torch.dtype, rows: int = TOKEN_BUDGET // 2, seconds: float = 1.0) -> float:
    """GFLOP/s of a layer's matrix products alone: four (d, d), one (d, f) and one (f, d) on ``rows`` tokens; the best of many."""
    place = device()
    sizes = [(shape.width, shape.width)] * 4 + [(shape.width, shape.inner), (shape.inner, shape.width)]
    factors = [
        (torch.randn(rows, k, device=place).to(dtype), torch.randn(k, n, device=place).to(dtype)) for k, n in sizes
    ]
    with torch.inference_mode():
        best = _least(lambda: [a @ b for a, b in factors], seconds)
    return 2e-9 * rows * sum(k * n for k, n in sizes) / best


def _operations(shape: Shape, counts: Sequence[int]) -> float:
    return 2.0 * text_macs(shape, counts)


def _sentences(shape: Shape, rate: float, seconds: float) -> tuple[int, float]:
    """How many sentences are encoded in about a third of the time at half the rate, at most 8,192, and their operations; 0
    where not even one batch's worth is."""
    each = _operations(shape, lengths(256)) / 256
    count = min(8192, int(seconds * 1e9 * rate / 6 / each))
    return (count, _operations(shape, lengths(count))) if count >= BATCH else (0, 0.0)


def _step_lengths() -> np.ndarray:
    return lengths(BATCH, 32)


def _step(shape: Shape, format_: str, words: int) -> Callable[[], object]:
    """A call that does one update of a twin, dropout on, at rate 0."""
    settings = load_settings("mini").stage2.model_copy(update={"cross_stream": "none", "length_groups": 4})
    towers = [random_tower(shape, words) for _ in range(2)]
    objective = JTCSE(*towers, SimpleNamespace(pad_token_id=0), [], settings)
    objective.module.train()
    optimiser = torch.optim.AdamW(objective.module.parameters(), lr=0.0, fused=True)
    ids = random_words(_step_lengths(), words)
    batch = batch_of([ids, ids], 0, settings.length_groups, [[], []]).to(device())
    draw = torch.Generator()

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device().type, dtype=torch.bfloat16, enabled=format_ == "bf16"):
            outputs = objective.module(batch)
        sum(objective.parts(outputs, draw.manual_seed(0)).values()).backward()
        optimiser.step()

    return step


def _least(call: Callable[[], object], seconds: float) -> float:
    """The shortest of as many calls as fit into the time, of at least two: the first also prepares kernels and memory."""
    begun, best, calls = time.perf_counter(), float("inf"), 0
    while calls < 2 or time.perf_counter() - begun < seconds - best:
        before = time.perf_counter()
        call()
        if device().type == "cuda":
            torch.cuda.synchronize()
        best, calls = min(best, time.perf_counter() - before), calls + 1
    return best


@contextmanager
def _without_tf32() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _row(found: Measured) -> list[str]:
    def number(value: float | None, digits: int) -> str:
        return "too slow here" if value is None else f"{value:,.{digits}f}"

    def share(value: float | None) -> str:
        return "" if value is None else f"{value / found.matrix:.0%}"

    encoding = [number(found.sentences, 0), share(found.encoding)]
    step = [number(found.step_seconds, 3), share(found.step)]
    return [found.shape, found.format, number(found.matrix, 0), *encoding, *step, number(found.memory, 0)]
