"""Our speed beside the usual way, both measured in one run on the same machine and the same input.

Nothing here asserts a speed; it prints seconds of both sides, their ratio, and by how much the results differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from jtcse.core.config import Stage2Settings, load_settings
from jtcse.core.device import device, matrix_rate, number_format
from jtcse.encoders.batches import MEMORY
from jtcse.encoders.loading import load_tower
from jtcse.experiments.cost.benchmark_device import device_table
from jtcse.experiments.cost.benchmark_mteb import evaluation
from jtcse.method.losses import NEGATIVE_COSINE


def run_benchmarks(what: str, model: str) -> None:
    """Print the benchmarks asked for: ``evaluation``, ``step``, ``device`` or ``all`` (the first two)."""
    console = Console()
    if what == "device":
        console.print(device_table())
        return
    rates = ", ".join(
        f"{str(t).removeprefix('torch.')} {matrix_rate(t, 1024, 0.3):,.0f} GFLOP/s"
        for t in (torch.float32, torch.bfloat16)
    )
    console.print(
        f"{device()}, {torch.get_num_threads()} threads; matrix products here: {rates}; "
        f"precision 'auto' is {str(number_format('auto')).removeprefix('torch.')}"
    )
    if what in ("evaluation", "all"):
        console.print(evaluation(model))
    if what in ("step", "all"):
        for name, text in _texts().items():
            console.print(_stage2_step(model, name, text))


def _timed(call: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start, result


# -- a stage-2 step --------------------------------------------------------------------------------


def _texts() -> dict[str, list[str]]:
    """Real sentences: short ones (captions and news of the tasks' training splits) and Wikipedia ones, where they can be had."""
    import tempfile
    from pathlib import Path

    from jtcse.core.errors import UserError
    from jtcse.data.corpus import open_corpus

    found = {}
    for name, spec in {
        "training sentences of STS-B and SICK-R": "train-sentences",
        "Wikipedia and news": "companion-dev/english-text:wiki-news.txt.gz",
    }.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                corpus = open_corpus(spec, Path(folder) / "corpus.txt", limit=4000)
            except UserError:
                continue
            found[name] = [corpus[i] for i in range(0, len(corpus), max(1, len(corpus) // 256))][:256]
    return found


def _stage2_step(name: str, label: str, texts: Sequence[str]) -> Table:
    """One update of the twin at batch 64, the naive way and ours, from the same weights without dropout."""
    from jtcse.method.joint_training import JTCSE

    batch_size, repeats = 64, 3
    settings = load_settings("mini").stage2.model_copy(update={"cross_stream": "none", "length_groups": 4})
    (first, tokenizer), (second, _) = (load_tower(name, dropout=0.0) for _ in range(2))
    objective = JTCSE(first, second, tokenizer, texts, settings)
    optimiser = torch.optim.AdamW(objective.module.parameters(), lr=0.0, weight_decay=0.0, fused=True)
    slow_optimiser = torch.optim.AdamW(objective.module.parameters(), lr=0.0, weight_decay=0.0, foreach=False)
    draw = torch.Generator()

    def ours(dtype: torch.dtype) -> float:
        MEMORY.forget()
        batch = objective.batch(np.arange(batch_size), 0).to(device())
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device().type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            outputs = objective.module(batch)
        loss = sum(objective.parts(outputs, draw.manual_seed(0)).values())
        loss.backward()
        optimiser.step()
        return loss.item()

    def naive() -> float:
        slow_optimiser.zero_grad()
        loss = naive_loss((first, second), tokenizer, list(texts[:batch_size]), settings, draw.manual_seed(0))
        loss.backward()
        slow_optimiser.step()
        return loss.item()

    objective.module.train()
    exact, fast = ours(torch.float32), number_format("auto")
    usual = [_timed(naive) for _ in range(repeats)]
    quick = [_timed(lambda: ours(fast)) for _ in range(repeats + 2)][2:]
    slow_seconds, our_seconds = median(s for s, _ in usual), median(s for s, _ in quick)
    heads = ("stage-2 step, batch 64", "naive, fp32, padded to 64", f"jtcse, {str(fast).removeprefix('torch.')}", "")
    table = Table(*heads, title=label)
    table.add_row("loss in fp32", f"{usual[0][1]:.6f}", f"{exact:.6f}", f"difference {abs(exact - usual[0][1]):.1e}")
    ratio = f"{slow_seconds / our_seconds:.2f} times faster"
    table.add_row("seconds", f"{slow_seconds:.2f}", f"{our_seconds:.2f}", ratio)
    table.add_row("sentences a second", f"{batch_size / slow_seconds:.1f}", f"{batch_size / our_seconds:.1f}", "")
    return table


def naive_loss(
    towers: Sequence, tokenizer, texts: list[str], settings: Stage2Settings, draw: torch.Generator
) -> Tensor:
    """Eq. 15 as it is often written: all rows padded to the maximum, similarities by broadcast, the modulus term row by row.

    The same loss as ``JTCSE.parts`` in the released forms with ``cross_stream = none``.
    """
    ids = tokenizer(
        texts * 2, truncation=True, max_length=settings.max_length, padding="max_length", return_tensors="pt"
    ).to(device())
    outputs = [tower(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]) for tower in towers]
    h, p = [o.last_hidden_state[:, 0] for o in outputs], [o.pooler_output for o in outputs]
    n = len(texts)
    direction = int(torch.randint(0, 2, (), generator=draw))
    a, b = (h[0], h[1]) if direction == 1 else (h[1], h[0])
    loss = _broadcast_nce(h[0], h[0], settings.temperature) + _broadcast_nce(h[1], h[1], settings.temperature)
    loss = loss + _broadcast_nce(a, b, settings.temperature)
    for i, j in ((0, 1), (1, 0)):
        terms = []
        for row in range(n):
            factor = -torch.log(F.cosine_similarity(h[i][row], h[j][n + row], dim=0).clamp(NEGATIVE_COSINE, 1.0))
            ratio = torch.norm(p[i][row] - p[j][n + row]) / (torch.norm(p[i][row]) + torch.norm(p[j][n + row]))
            terms.append(factor * ratio / 2)
        loss = loss + torch.stack(terms).mean()
    return loss


def _broadcast_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    similarity = F.cosine_similarity(a[:, None], b[None], dim=-1) / temperature
    similarity = similarity - 1e12 * torch.eye(len(a), device=a.device)
    return F.cross_entropy(similarity, torch.arange(len(a), device=a.device).roll(len(a) // 2))
