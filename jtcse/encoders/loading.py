"""Stock towers: loading and saving with the checks that stock loading leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from jtcse.core.device import device
from jtcse.core.errors import UserError
from jtcse.core.hub import SAFE, Place, file_at, in_cache, nothing_sent, unreachable, with_safetensors


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
        name: folder, or hub name, also with a subfolder or revision (``hub.Place``).
        dropout: replaces the hidden and attention dropout of the configuration.
    Returns:
        (model on this run's device in eval mode, tokenizer)
    Raises:
        UserError: nothing there, no hub, weights as a pickle only, unusable files, or NaN weights.
    """
    changes = {} if dropout is None else {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    model, report, tokenizer = _loaded(name, "AutoModel", "encoder", "copy or download it again", changes)
    model.pooler_is_random = any(key.startswith("pooler.") for key in report["missing_keys"])
    return model, tokenizer


def load_masked_model(name: str | Path):
    """A stock masked-language model with its head, and its tokenizer; what is told of ``load_tower`` holds here too.

    Raises:
        UserError: as ``load_tower``; a checkpoint without a masked-word head.
    """
    missing = "expected a checkpoint with its masked-word head: take another one"
    model, _, tokenizer = _loaded(name, "AutoModelForMaskedLM", "masked-language model", missing, {})
    return model, tokenizer


def _loaded(name: str | Path, kind: str, word: str, if_weights_lack: str, changes: dict):
    """(model on this run's device in eval mode, report of loading, tokenizer), whole and finite."""
    place, what = Place.of(name), f"{word} {name}"
    with _said_once(name):
        try:
            model, report, tokenizer = _stock(place, kind, changes)
        except (OSError, ValueError, RuntimeError) as error:
            model, report, tokenizer = _stock(_elsewhere(place, word, error), kind, changes)
    _check_whole(model, report, tokenizer, what, if_weights_lack)
    check_weights(model, what)
    return model.to(device()).eval(), report, tokenizer


def load_weights(name: str | Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint by their names in the file: what a released one holds beside its tower.

    Raises:
        UserError: as ``load_tower``.
    """
    from safetensors.torch import load_file

    place = Place.of(name)
    path = file_at(place, SAFE[0])
    with _said_once(name):
        return load_file(path or file_at(_elsewhere(place, "encoder", FileNotFoundError(f"no {SAFE[0]}")), SAFE[0]))


def _stock(place: Place, kind: str, changes: dict):
    """(model, report of loading, tokenizer) of safetensors at a place."""
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    loud = logging.get_verbosity()
    logging.set_verbosity_error()  # it lists the heads of released files, which nobody asked for
    torch.manual_seed(0)  # a checkpoint without a pooler gets the same random one each time
    settings = {"use_safetensors": True, "dtype": torch.float32, "ignore_mismatched_sizes": True, **changes}
    try:
        with nothing_sent():
            model, report = getattr(transformers, kind).from_pretrained(
                place.name, output_loading_info=True, **place.arguments(), **settings
            )
            return model, report, transformers.AutoTokenizer.from_pretrained(place.name, **place.arguments())
    finally:
        logging.set_verbosity(loud)


def _elsewhere(place: Place, word: str, error: Exception) -> Place:
    """Where else the weights may be had that could not be had from a place; else the error says what is wrong there."""
    try:
        other = with_safetensors(place)
    except UserError:
        raise
    except Exception as silent:
        other = in_cache(place)
        if other is None:
            raise unreachable(f"{word} {str(place)!r} (no such folder here either)", error) from silent
    if place.folder:
        raise UserError(f"folder {place} does not open as a stock {word} ({str(error).splitlines()[0]})") from error
    if other == place:
        raise unreachable(f"{word} {str(place)!r} (no such folder here either)", error) from error
    return other


@contextmanager
def _said_once(name: str | Path) -> Iterator[None]:
    """Broken files as one sentence."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ in ("SafetensorError", "JSONDecodeError"):
            raise UserError(f"{name} holds a broken file ({error}); copy or download it again") from error
        raise


def _check_whole(model, report: dict, tokenizer, what: str, if_weights_lack: str) -> None:
    """Refuse what stock loading makes up in silence: random weights (but for a pooler) and a tokenizer that does not fit."""
    if report["mismatched_keys"]:
        name, found, expected = sorted(report["mismatched_keys"])[0]
        raise UserError(
            f"{what} has weights that do not fit its config.json: {name} is {tuple(found)} and should be {tuple(expected)}; "
            "take both files from one model"
        )
    lost = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if lost:
        raise UserError(f"{what} lacks {len(lost)} of its weights, {lost[0]} among them; {if_weights_lack}")
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise UserError(
            f"{what} has a tokenizer without a vocabulary; copy its tokenizer files as well or download it again"
        )
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise UserError(
            f"{what} has a tokenizer of {len(tokenizer):,} tokens and embeddings of {rows:,}; take both from one model"
        )
