"""One trainer for any objective: selection on development data, checkpoints, resuming, several processes.

Every random draw of step s comes from a seed derived from (run seed, stream, s), never from a running state. So a run that
was killed continues to the very same weights, and two processes with 32 sentences each see what one with 64 sees (except
for dropout masks, which each process draws for its own rows).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jtcse.core.config import Training
from jtcse.core.device import device, number_format
from jtcse.core.errors import UserError
from jtcse.core.files import write_atomically
from jtcse.core.run import derive_seed
from jtcse.encoders.batches import Batch
from jtcse.training.checkpoints import Checkpoints
from jtcse.training.objective import SentenceObjective


@dataclass
class History:
    """What happened: one row a step (parts of the loss) and, every so often, the development score."""

    rows: list[dict[str, float]] = field(default_factory=list)
    best_step: int | None = None
    best_score: float | None = None

    def frame(self):
        """The rows as a pandas table: step, loss, the named parts, dev (points, NaN between looks)."""
        import pandas

        return pandas.DataFrame(self.rows)


def train(
    objective: SentenceObjective,
    settings: Training,
    *,
    learning_rate: float,
    seed: int,
    folder: Path,
    select: Callable[[], float] | None = None,
    precision: str = "auto",
    fingerprint: str = "",
    title: str = "training",
) -> History:
    """Train an objective's module in place; it ends with the weights of the best look at the development set.

    Args:
        objective: what to train.
        settings: batch size (over all processes), steps, schedule and so on.
        learning_rate: of AdamW.
        seed: of all random streams.
        folder: for checkpoints; a run with the same settings and fingerprint continues from there.
        select: development score in points, higher is better; None keeps the last weights.
        fingerprint: of data and starting weights.
    Raises:
        UserError: a loss or gradient that is not finite (the batch is saved), a corpus smaller than a batch, a full disk
            (the last checkpoint stays).
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from tqdm import tqdm

    # the pooler takes no part in stage 1, and DDP wants to be told that such a thing can be
    # and accelerate wants to be told that the processes of a machine without a GPU belong together
    accelerator = Accelerator(
        cpu=device().type == "cpu", kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)]
    )
    share = _share(settings.batch_size, accelerator.num_processes)
    steps = settings.steps or objective.size // settings.batch_size
    if objective.size < settings.batch_size:
        raise UserError(
            f"{title}: the corpus has {objective.size} sentences, fewer than one batch of {settings.batch_size}; "
            "give more text or a smaller batch_size"
        )
    module = accelerator.prepare(objective.module)
    optimiser = torch.optim.AdamW(
        [p for p in objective.module.parameters() if p.requires_grad],
        lr=learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    identity = _identity(settings, learning_rate, seed, fingerprint, number_format(precision))
    checkpoints = Checkpoints(folder, identity)
    history = History()
    start = checkpoints.resume(objective.module, optimiser, history)
    if start == 0 and select:
        history.rows.append({"step": 0, "dev": _look(accelerator, objective.module, select)})
    bar = {"desc": title, "initial": start, "total": steps, "disable": not accelerator.is_main_process}
    for step in tqdm(range(start + 1, steps + 1), unit="step", mininterval=5, **bar):
        rows = _rows(objective.size, settings.batch_size, step, seed)[accelerator.process_index * share :][:share]
        batch = objective.batch(rows, derive_seed(seed, "views", step)).to(accelerator.device)
        torch.manual_seed(derive_seed(seed, "dropout", step, accelerator.process_index))
        _set_rate(optimiser, learning_rate, settings, step, steps)
        row = _step(accelerator, module, objective, batch, optimiser, seed, step, precision, folder)
        history.rows.append({"step": step, **row})
        if step % settings.evaluate_every == 0 or step == steps:
            score = _look(accelerator, objective.module, select) if select else None
            _remember(accelerator, checkpoints, objective.module, optimiser, history, step, score)
    checkpoints.load_best(objective.module)
    objective.module.eval()
    return history


def _share(batch_size: int, processes: int) -> int:
    if batch_size % processes:
        raise UserError(
            f"a batch of {batch_size} cannot be split over {processes} processes; choose a multiple of {processes}"
        )
    return batch_size // processes


def _identity(settings: Training, learning_rate: float, seed: int, fingerprint: str, dtype: torch.dtype) -> str:
    text = json.dumps([settings.model_dump(mode="json"), learning_rate, seed, fingerprint, str(dtype)])
    return hashlib.sha256(text.encode()).hexdigest()


def _rows(size: int, batch_size: int, step: int, seed: int) -> np.ndarray:
    """Sentences of a step: epochs are permutations, drawn anew for each; the rest of an epoch is dropped."""
    a_pass = size // batch_size
    epoch, place = divmod(step - 1, a_pass)
    return _order(size, epoch, seed)[place * batch_size : (place + 1) * batch_size]


@lru_cache(maxsize=1)  # a million sentences take longer to shuffle than a batch to read
def _order(size: int, epoch: int, seed: int) -> np.ndarray:
    order = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(size)
    order.flags.writeable = False
    return order


def _set_rate(optimiser: torch.optim.Optimizer, rate: float, settings: Training, step: int, steps: int) -> None:
    factor = min(1.0, step / settings.warmup) if settings.warmup else 1.0
    if settings.schedule == "linear":
        factor *= (steps - step + 1) / steps
    for group in optimiser.param_groups:
        group["lr"] = rate * factor


def _step(accelerator, module, objective, batch, optimiser, seed, step, precision, folder) -> dict[str, float]:
    """Forward, backward and update; returns the loss and its parts."""
    objective.module.train()
    optimiser.zero_grad(set_to_none=True)
    bf16 = number_format(precision) == torch.bfloat16
    with torch.autocast(accelerator.device.type, dtype=torch.bfloat16, enabled=bf16):
        outputs = module(batch)
    draw = torch.Generator().manual_seed(derive_seed(seed, "draw", step))
    parts = objective.parts({name: gather(t) for name, t in outputs.items()}, draw)
    loss = sum(parts.values())
    # Each process holds the whole loss but the gradient of its own rows only, and DDP averages: hence the factor.
    (loss * accelerator.num_processes).backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in objective.module.parameters() if p.grad is not None])
    values = {"loss": loss.item(), **{name: part.item() for name, part in parts.items()}}
    if not torch.isfinite(norm):
        raise _not_finite(folder, batch, step, values)
    optimiser.step()
    return values


def _not_finite(folder: Path, batch: Batch, step: int, values: dict[str, float]) -> UserError:
    place = folder / "failed_batch.json"
    write_atomically(
        place,
        json.dumps({"step": step, "loss": {k: str(v) for k, v in values.items()}, "texts": batch.texts}, indent=1),
    )
    shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    return UserError(
        f"the gradient of step {step} is not finite ({shown}); training stopped before the update, "
        f"the batch is in {place}: try run.precision=fp32 or a smaller learning rate"
    )


def gather(tensor: Tensor) -> Tensor:
    """Rows of all processes, (v, n, ...) -> (v, N, ...), in order of process; gradients flow to the own rows only."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, tensor.detach().contiguous())
    parts[torch.distributed.get_rank()] = tensor
    return torch.cat(parts, dim=1)


def _look(accelerator, module: nn.Module, select: Callable[[], float]) -> float | None:
    """Development score, measured by the main process."""
    module.eval()
    score = select() if accelerator.is_main_process else None
    accelerator.wait_for_everyone()
    return score


def _remember(
    accelerator, checkpoints: Checkpoints, module, optimiser, history: History, step: int, score: float | None
) -> None:
    if accelerator.is_main_process:
        best = history.best_score
        better = score is None or best is None or score > best or math.isnan(best)
        if score is not None:
            history.rows[-1]["dev"] = score
        if better:
            history.best_step, history.best_score = step, score
        checkpoints.save(module, optimiser, history, step, best=better)
    accelerator.wait_for_everyone()
