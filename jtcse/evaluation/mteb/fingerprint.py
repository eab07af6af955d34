"""Which encoder this is: one hash of all that its vectors depend on, so that no other's results are taken for its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from jtcse.core.device import number_format

OF_A_PLACE = {"_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype"}
"""What a configuration says about where it was read and by which version."""
OF_A_CALL = ("truncation", "padding")
"""What a tokenizer remembers of its last call."""

Feed = Callable[[bytes], None]


def fingerprint(encoder: object) -> str:
    """Forty hex digits: weights, configuration, tokenizer, pooling, number format, of all towers.

    The place that an encoder was opened from is not in it, nor a pooler that is not read: loading makes some at random.

    Raises:
        TypeError: an encoder that holds something this cannot hash.
    """
    digest = hashlib.sha256()
    _feed(encoder, digest.update)
    return digest.hexdigest()[:40]


def _feed(value: Any, feed: Feed, pooler: bool = True) -> None:
    """Feed a value with its kind, of a tower its ``pooler`` only if that is read."""
    feed(f"<{type(value).__name__}>".encode())
    if value is None or isinstance(value, (str, int, float, bool)):
        return feed(repr(value).encode(errors="surrogatepass"))
    if isinstance(value, nn.Module):
        return _feed_module(value, feed, pooler)
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return _feed_numbers(torch.as_tensor(value), feed)
    if hasattr(value, "backend_tokenizer"):
        return feed(_tokenizer(value))
    if isinstance(value, Mapping):
        return _feed_named(value, feed)
    if isinstance(value, (list, tuple)):
        feed(f"{len(value)} ".encode())
        for one in value:
            _feed(one, feed)
        return None
    if callable(value) or not hasattr(value, "__dict__"):
        raise TypeError(f"an encoder that holds a {type(value).__name__} cannot be told from others")
    return _feed_named(vars(value), feed)


def _feed_named(values: Mapping[str, Any], feed: Feed) -> None:
    feed(f"{len(values)} ".encode())
    pooler = values.get("pooling", "pooler") == "pooler"
    for name in sorted(values, key=str):
        value = values[name]
        feed(f"{name}=".encode())
        # what 'auto' means is this machine's affair, and moves the last digits
        _feed(str(number_format(value)) if name == "precision" else value, feed, pooler)


def _feed_module(module: nn.Module, feed: Feed, pooler: bool) -> None:
    if hasattr(module, "config"):
        config = {name: value for name, value in module.config.to_dict().items() if name not in OF_A_PLACE}
        feed(json.dumps(config, sort_keys=True, default=str).encode())
    if type(module).__module__.startswith("jtcse."):  # what a module of ours does beside its weights
        plain = {k: v for k, v in vars(module).items() if isinstance(v, (bool, int, float, str)) and k != "training"}
        _feed_named(plain, feed)
    for name, tensor in sorted(module.state_dict().items()):
        if pooler or "pooler." not in name:
            feed(f"{name}=".encode())
            _feed_numbers(tensor, feed)


def _feed_numbers(tensor: torch.Tensor, feed: Feed) -> None:
    plain = tensor.detach().cpu().contiguous()
    feed(f"{tuple(plain.shape)} {plain.dtype}".encode())
    if plain.numel():
        feed(plain.reshape(-1).view(torch.uint8).numpy().data)


def _tokenizer(tokenizer) -> bytes:
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    told = {name: value for name, value in told.items() if name not in OF_A_CALL}
    return json.dumps([told, tokenizer.special_tokens_map], sort_keys=True, default=str).encode()
