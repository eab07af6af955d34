"""What one process or several together train, written down for comparison.

By itself: ``torchrun --nproc_per_node 2 two_processes.py MODEL OUT``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import small_run
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from jtcse.core.errors import UserError

PRINTED = {"infonce": "two_view", "icnce": "same_view", "ictm": "printed"}
CASES = {
    "simcse": ("simcse", {"infonce": "two_n"}),
    "jtcse": ("jtcse", {}),
    "jtcse printed": ("jtcse", {**PRINTED, "cross_stream": "last", "length_groups": 2}),
    "jtcse without ictm": ("jtcse", {"parts": ["infonce", "icnce"]}),  # leaves the poolers without a gradient
    "distillation": ("distillation", {}),
}


def trace(model: Path, folder: Path, case: str) -> dict[str, Tensor]:
    """Loss parts of each step, gradients before each update, and the weights at the end."""
    name, changes = CASES[case]
    made = small_run.objective(
        name, model, small_run.corpus(200), dropout=0.0, batch_size=64, steps=2, evaluate_every=2, **changes
    )
    names = {id(weight): key for key, weight in made.module.named_parameters()}
    found: dict[str, Tensor] = {}
    steps = 0

    def note(optimiser, *_) -> None:
        nonlocal steps
        steps += 1
        for weight in optimiser.param_groups[0]["params"]:
            if weight.grad is not None:
                found[f"gradient {steps} {names[id(weight)]}"] = weight.grad.detach().clone()

    hook = register_optimizer_step_pre_hook(note)
    history = small_run.run(made, folder, rate=1e-4)
    hook.remove()
    for row in history.rows:
        found |= {f"loss {row['step']} {part}": torch.tensor(float(value)) for part, value in row.items()}
    return found | {f"weight {key}": value for key, value in small_run.weights(made.module).items()}


def main() -> None:
    model, out = map(Path, sys.argv[1:])
    rank = os.environ["RANK"]
    for case in CASES:
        save_file(trace(model, out / "checkpoints" / case, case), out / f"{case} {rank}.safetensors")
    try:
        made = small_run.objective("simcse", model, batch_size=7)
        small_run.run(made, out / "odd")
    except UserError as error:
        (out / f"odd {rank}.txt").write_text(str(error))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
