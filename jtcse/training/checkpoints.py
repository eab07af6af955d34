"""Checkpoints of a training run: weights and optimiser state as safetensors, written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from jtcse.core.files import new_folder, put_back


class Checkpoints:
    """A folder with ``last`` (to go on from) and ``best`` (to keep).

    Args:
        folder: of this stage.
        identity: hash of everything that the run depends on; checkpoints of another identity are not used.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder, self.identity = Path(folder), identity

    def save(self, module: nn.Module, optimiser: torch.optim.Optimizer, history, step: int, *, best: bool) -> None:
        """Write ``best`` if it is that, then ``last``; a kill in between repeats the same steps to the same result."""
        weights = {f"weight/{name}": t.detach().clone().contiguous() for name, t in _state(module).items()}
        if best:
            with new_folder(self.folder / "best") as fresh:
                save_file(weights, fresh / "state.safetensors")
                (fresh / "state.json").write_text(json.dumps({"identity": self.identity}), encoding="utf8")
        names = {id(p): name for name, p in module.named_parameters()}
        for parameter, state in optimiser.state.items():
            weights |= {f"{key}/{names[id(parameter)]}": value.contiguous() for key, value in state.items()}
        with new_folder(self.folder / "last") as fresh:
            save_file(weights, fresh / "state.safetensors")
            text = json.dumps({"identity": self.identity, "step": step, "history": asdict(history)})
            (fresh / "state.json").write_text(text, encoding="utf8")

    def resume(self, module: nn.Module, optimiser: torch.optim.Optimizer, history) -> int:
        """Put the last checkpoint in place and return its step; 0 if there is none of this identity."""
        put_back(self.folder / "last")
        put_back(self.folder / "best")
        try:
            described, best = self._described("last"), self._described("best")
            if {described["identity"], best["identity"]} != {self.identity}:
                return 0
            state = load_file(self.folder / "last" / "state.safetensors")
        except (OSError, ValueError, KeyError, SafetensorError):
            return 0
        self._put(state, module)
        for name, parameter in module.named_parameters():
            own = {key: state[f"{key}/{name}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{key}/{name}" in state}
            if own:
                optimiser.state[parameter] = {k: v.to(parameter.device) for k, v in own.items()}
        history.rows = described["history"]["rows"]
        history.best_step, history.best_score = described["history"]["best_step"], described["history"]["best_score"]
        return described["step"]

    def _described(self, which: str) -> dict:
        return json.loads((self.folder / which / "state.json").read_text(encoding="utf8"))

    def load_best(self, module: nn.Module) -> None:
        """Put the best weights in place."""
        self._put(load_file(self.folder / "best" / "state.safetensors"), module)

    @staticmethod
    @torch.no_grad()
    def _put(state: dict[str, torch.Tensor], module: nn.Module) -> None:
        for name, tensor in _state(module).items():
            tensor.copy_(state[f"weight/{name}"])


def _state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters, and what a module keeps beside them (running means, queues): a run that goes on needs both."""
    kept = module.state_dict().keys()
    return dict(module.named_parameters()) | {name: b for name, b in module.named_buffers() if name in kept}
