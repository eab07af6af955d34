"""Stock towers: loading and saving with the checks that stock loading leaves out."""

from __future__ import annotations

from pathlib import Path

import torch

from jtcse.device import device
from jtcse.errors import UserError
from jtcse.hub import unreachable


def usable_positions(model) -> int:
    """Longest input in tokens that the tower has position embeddings for."""
    config = model.config
    reserved = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    return config.max_position_embeddings - reserved


def save_tower(model, tokenizer, folder: Path) -> None:
    """Write a stock tower (safetensors) and its tokenizer.

    Raises:
        UserError: NaN or infinite weights, by the name of the first such tensor; nothing is written.
    """
    check_weights(model, "the model to be saved")
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    if getattr(tokenizer, "is_fast", False):  # how it cut and filled last would stand in its file, and change the hash
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder)


def check_weights(model, what: str) -> None:
    """Refuse NaN and infinite weights."""
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            bad = int((~torch.isfinite(weight)).sum())
            raise UserError(
                f"{what} holds {bad} NaN or infinite values in {name}; expected finite weights: "
                "take an earlier checkpoint or download it again"
            )


def load_tower(name: str | Path, *, dropout: float | None = None):
    """A stock encoder and its tokenizer, by hub name or folder.

    Args:
        name: hub name or folder.
        dropout: replaces the hidden and attention dropout of the configuration.
    Returns:
        (model on this run's device in eval mode, tokenizer)
    Raises:
        UserError: nothing there, no hub, unusable files, or NaN weights.
    """
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    changes = {} if dropout is None else {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    try:
        torch.manual_seed(0)  # a checkpoint without a pooler gets the same random one each time
        model, report = AutoModel.from_pretrained(
            name, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **changes
        )
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, RuntimeError) as error:
        if Path(name).is_dir():
            raise UserError(f"folder {name} does not open as a stock encoder ({str(error).splitlines()[0]})") from error
        raise unreachable(f"encoder {name!r} (no such folder here either)", error) from error
    except Exception as error:
        if type(error).__name__ in ("SafetensorError", "JSONDecodeError"):
            raise UserError(f"{name} holds a broken file ({error}); copy or download it again") from error
        raise
    _check_whole(report["missing_keys"], tokenizer, f"encoder {name}")
    check_weights(model, f"encoder {name}")
    return model.to(device()).eval(), tokenizer


def _check_whole(missing: set[str], tokenizer, what: str) -> None:
    """Refuse what stock loading makes up in silence: random weights (but for a pooler) and a tokenizer without words."""
    lost = sorted(key for key in missing if not key.startswith("pooler."))
    if lost:
        raise UserError(f"{what} lacks {len(lost)} of its weights, {lost[0]} among them; copy or download it again")
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise UserError(
            f"{what} has a tokenizer without a vocabulary; copy its tokenizer files as well or download it again"
        )
