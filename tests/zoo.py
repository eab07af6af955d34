"""A workspace of seconds for tests of compared systems: an untrained two-layer BERT in the generated world, tiny budgets."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import small_run
import torch
from torch import Tensor

from jtcse.core.config import Settings, load_settings
from jtcse.core.run import Run, Workspace
from jtcse.data import world
from jtcse.encoders.encoder import TowerEncoder
from jtcse.experiments import stages, trained_systems
from jtcse.systems.settings import system_settings
from jtcse.training.pretraining import small_bert, word_tokenizer

SMALL = {
    "run": {"precision": "fp32"},
    "data": {"corpus_limit": 300, "pair_limit": 40},
    "encoder": {"layers": 2, "width": 32},
    "evaluation": {"resamples": 100},
    "race": {
        "batch_size": 8, "steps": 4, "evaluate_every": 2, "max_length": 24, "length_groups": 1, "rates": [1e-3],
        "tuning_steps": 2, "seeds": [1],
    },
}  # fmt: skip


@cache
def _prepared() -> Path:
    """Corpus, graded pairs and encoder, made once a test session."""
    root = Path(mkdtemp(prefix="zoo-"))
    settings = load_settings("embedded", SMALL)
    run = Run("zoo", "embedded", settings, Workspace(root))
    stages.prepare_data(run)
    tokenizer = word_tokenizer(world.vocabulary(), 64)
    model = small_bert(settings.encoder, len(tokenizer), 64, 0.1, seed=1).bert
    small_run.shake(model, seed=0)
    TowerEncoder(model, tokenizer).save(run.workspace.model("start"))
    return root


def a_run(folder: Path, changes: dict | None = None) -> Run:
    """A run whose workspace has text, pairs and an encoder; ``changes`` are settings by dotted name."""
    settings: Settings = load_settings("embedded", {**SMALL, **(changes or {})})
    workspace = Workspace(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("data", "models"):
        if not (folder / name).exists():
            (folder / name).symlink_to(_prepared() / name)
    return Run("zoo", "embedded", settings, workspace)


def settings(system: str, **changes):
    """The small settings of a system."""
    return system_settings(system, load_settings("embedded", SMALL), "embedded", changes)


def shop(folder: Path, system: str, **changes) -> trained_systems.Workshop:
    """What a system's ``make`` is given."""
    return trained_systems.Workshop(a_run(folder), system, 1, changes)


def trained(folder: Path, system: str, **changes):
    """Train a system in a small workspace: (its story, the encoder as it opens again)."""
    run = a_run(folder)
    place = trained_systems.made(run, system, 1, changes)
    return trained_systems.story(place), trained_systems.opened(place)


def outputs(objective, count: int = 6, seed: int = 5) -> tuple[dict[str, Tensor], Tensor]:
    """One forward pass of an objective in float64 without dropout: (outputs, loss)."""
    objective.module.double().eval()
    batch = objective.batch(np.arange(count), seed)
    found = objective.module(batch)
    parts = objective.parts(found, torch.Generator().manual_seed(0))
    return found, sum(parts.values())


def gradients(objective, loss: Tensor) -> dict[str, float]:
    """Largest gradient of each parameter of an objective's module; None-gradients are left out."""
    objective.module.zero_grad(set_to_none=True)
    loss.backward()
    return {
        name: weight.grad.abs().max().item()
        for name, weight in objective.module.named_parameters()
        if weight.grad is not None
    }


def rows(tensor: Tensor) -> list:
    """Nested lists of floats, for the plain loops."""
    return tensor.detach().tolist()
