"""Training runs of seconds on tiny stand-ins, for the tests of training and the programs that they start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import standin
import torch
from torch import Tensor

from jtcse.core.config import Training, load_settings
from jtcse.data.views import make_view
from jtcse.encoders.encoder import TowerEncoder
from jtcse.encoders.loading import load_tower
from jtcse.method.distillation import Distillation
from jtcse.method.joint_training import JTCSE
from jtcse.systems.simcse import SimCSE
from jtcse.training.pretraining import MaskedLanguageModel, small_bert
from jtcse.training.trainer import History, train

SECTIONS = {"simcse": "stage1", "jtcse": "stage2", "distillation": "distillation", "mlm": "pretrain"}
SMALL = {
    "batch_size": 8,
    "steps": 6,
    "evaluate_every": 2,
    "max_length": 24,
    "schedule": "constant",
    "warmup": 0,
    "length_groups": 1,
}


def corpus(count: int = 60) -> list[str]:
    """Sentences of different lengths."""
    return [" and ".join([text[:-2]] * (1 + i % 3)) for i, text in enumerate(standin.sentences(count, seed=5))]


def settings(name: str, **changes) -> Training:
    """Settings of an objective's stage, small."""
    section = getattr(load_settings("embedded"), SECTIONS[name])
    return section.model_copy(update=SMALL | changes)


def objective(name: str, folder: Path, texts: Sequence[str] | None = None, dropout: float | None = None, **changes):
    """An objective on a stand-in tower, of which ``folder`` has the files."""
    texts, chosen = corpus() if texts is None else texts, settings(name, **changes)
    model, tokenizer = load_tower(folder, dropout=dropout)
    shake(model, seed=0)
    if name == "simcse":
        return SimCSE(model, tokenizer, texts, chosen, make_view("repetition"))
    if name == "mlm":
        encoder = load_settings("embedded", {"encoder": {"layers": 2, "width": 32}}).encoder
        model = small_bert(encoder, len(tokenizer), 24, 0.1 if dropout is None else dropout, seed=1)
        return MaskedLanguageModel(model.to(next(model.parameters()).device), tokenizer, texts, chosen)
    other, _ = load_tower(folder, dropout=dropout)
    shake(other, seed=1)
    if name == "jtcse":
        return JTCSE(model, other, tokenizer, texts, chosen)
    return Distillation(model, tokenizer, TowerEncoder(other, tokenizer, precision="fp32"), texts, chosen)


@torch.no_grad()
def shake(model, seed: int) -> None:
    """Move all weights: fresh ones put every sentence at nearly one place, where gradients vanish."""
    for number, weight in enumerate(model.parameters()):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        weight += 0.1 * torch.randn(weight.shape, generator=generator).to(weight.device)


def weights(module: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters."""
    return {name: weight.detach().cpu().clone() for name, weight in module.named_parameters()}


def run(made, folder: Path, *, seed: int = 3, rate: float = 1e-3, **more) -> History:
    """Train an objective in float32."""
    return train(made, made.settings, learning_rate=rate, seed=seed, folder=folder, precision="fp32", **more)


def score(module: torch.nn.Module) -> float:
    """A development score that is a function of the weights alone."""
    return float(np.mean([weight.detach().abs().mean().item() for weight in module.parameters()]))
