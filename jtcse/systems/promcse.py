"""PromCSE: a frozen tower with learned keys and values in front of every layer, trained as SimCSE (Jiang et al., 2022).

The prefix is a parameter that goes into the stock tower as cached keys and values. peft 0.21 has such a prefix too, with the same
columns and, to rounding, the same vectors (a test compares them), but it does not fit: it has no dropout on the prefix, starts it
with variance 1 in place of BERT's own, and drops position ids, without which the generated encoder cannot be trained (the card's
Traps have the measurement). Sizes: n sentences, p pairs of the prefix, l tokens, d width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from jtcse.core.errors import UserError
from jtcse.core.files import new_folder
from jtcse.encoders.encoder import DESCRIPTION, Encoder, TowerEncoder, describe
from jtcse.encoders.loading import check_weights, load_tower, load_weights, save_tower, usable_positions
from jtcse.systems import simcse
from jtcse.systems.settings import Backbone, published_values
from jtcse.systems.shop import Shop

PREFIX = "prefix.safetensors"
RELEASED = "prefix_encoder.embedding.weight"
"""Name of the prefix in the authors' checkpoints: (p, layers * 2 * d)."""
Positions = Literal["behind", "own"]


class Settings(simcse.Settings):
    """Of PromCSE."""

    prefix_length: Annotated[int, Field(ge=1)] = Field(description="key and value pairs a layer: p")
    positions: Positions = Field(
        description="of a sentence's tokens: behind the prefix, as if it were words, or own, as without it"
    )


class Prefixed(nn.Module):
    """A frozen stock tower behind a trainable prefix, to be called as the tower itself.

    Args:
        model: BERT-like.
        weight: (p, layers * 2 * d), layer by layer, keys before values: the authors' layout.
        positions: as in ``Settings``; ``behind`` is what their code does.
    Raises:
        UserError: a weight that does not fit the tower.
    """

    def __init__(self, model, weight: Tensor, positions: Positions = "behind") -> None:
        super().__init__()
        self.config, self.behind = model.config, positions == "behind"
        columns = 2 * self.config.num_hidden_layers * self.config.hidden_size
        if weight.dim() != 2 or weight.shape[1] != columns:
            raise UserError(
                f"the prefix is {tuple(weight.shape)} and should have {columns} columns for this tower; take both from one model"
            )
        self.model = model.requires_grad_(False)
        self.prefix = nn.Parameter(weight.detach().to(next(model.parameters()).device, torch.float32).clone())
        self.dropout = nn.Dropout(self.config.hidden_dropout_prob)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **more):
        """The tower's output for (n, l) ids and mask, of the sentences' tokens alone."""
        from transformers import DynamicCache

        n, length = input_ids.shape
        heads = self.config.num_attention_heads
        pairs = self.dropout(self.prefix.expand(n, -1, -1))  # another mask for each sentence, as the authors
        pairs = pairs.unflatten(2, (2 * self.config.num_hidden_layers, heads, -1)).permute(2, 0, 3, 1, 4)
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(zip(pairs[::2], pairs[1::2], strict=True)):
            cache.update(keys, values, layer)
        if attention_mask is not None:
            attention_mask = torch.cat([attention_mask.new_ones(n, len(self.prefix)), attention_mask], dim=1)
        if not self.behind:
            first = self.config.max_position_embeddings - usable_positions(self.model)
            more["position_ids"] = torch.arange(first, first + length, device=input_ids.device).expand(n, -1)
        return self.model(input_ids=input_ids, attention_mask=attention_mask, past_key_values=cache, **more)

    @property
    def room(self) -> int:
        """Tokens of a sentence at most."""
        return usable_positions(self.model) - (len(self.prefix) if self.behind else 0)


def fresh_prefix(model, length: int, seed: int) -> Tensor:
    """(p, layers * 2 * d) from a normal distribution of the tower's own ``initializer_range`` (authors' code)."""
    config = model.config
    draw = torch.Generator().manual_seed(seed)
    shape = (length, 2 * config.num_hidden_layers * config.hidden_size)
    return config.initializer_range * torch.randn(shape, generator=draw)


class PrefixEncoder(TowerEncoder):
    """A stock tower behind its prefix."""

    def __init__(
        self, model: Prefixed, tokenizer, *, pooling: str, max_length: int | None = None, precision: str = "fp32"
    ) -> None:
        super().__init__(model, tokenizer, pooling=pooling, max_length=max_length, precision=precision)
        self.max_length = min(self.max_length, model.room)

    def save(self, folder: Path | str) -> None:
        """Write the stock tower, the prefix and the description.

        Raises:
            UserError: NaN or infinite weights.
        """
        check_weights(self.model, "the prefix to be saved")
        positions = "behind" if self.model.behind else "own"
        with new_folder(folder) as fresh:
            save_tower(self.model.model, self.tokenizer, fresh)
            save_file({"prefix": self.model.prefix.detach().contiguous()}, fresh / PREFIX)
            shape = {"pooling": self.pooling, "max_length": self.max_length}
            describe(fresh, system="promcse", **shape, positions=positions)


def make(shop: Shop) -> Encoder:
    """Train the prefix and the head; the head is thrown away.

    Raises:
        UserError: prefix and sentences together longer than the tower's positions.
    """
    settings = shop.settings
    model, tokenizer = shop.tower()
    weight = fresh_prefix(model, settings.prefix_length, shop.stream("prefix"))
    prefixed = Prefixed(model, weight, settings.positions).eval()
    if settings.max_length > prefixed.room:
        raise UserError(
            f"promcse: max_length is {settings.max_length}, and behind a prefix of {settings.prefix_length} the encoder takes "
            f"{prefixed.room} tokens; set a smaller max_length"
        )
    objective = simcse.SimCSE(prefixed, tokenizer, shop.corpus, settings, head=shop.head(model))
    return shop.train(objective, PrefixEncoder(prefixed, tokenizer, pooling=settings.pooling))


def open_saved(folder: Path, described: Mapping[str, Any], precision: str) -> PrefixEncoder:
    """A folder that ``PrefixEncoder.save`` wrote.

    Raises:
        UserError: no prefix in it, or a broken one; as ``load_tower``.
    """
    try:
        weight = load_file(folder / PREFIX)["prefix"]
        pooling, max_length = str(described["pooling"]), int(described["max_length"])
        positions = described["positions"]
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise UserError(
            f"{folder} has no whole {PREFIX} and {DESCRIPTION} ({error!r}); save the model again"
        ) from error
    return _opened(folder, weight, positions, pooling=pooling, max_length=max_length, precision=precision)


def open_released(names: Sequence[str], backbone: Backbone, precision: str) -> PrefixEncoder:
    """A released checkpoint: tower and prefix in one file.

    Raises:
        UserError: a checkpoint without a prefix; as ``load_tower``.
    """
    weight = load_weights(names[0]).get(RELEASED)
    if weight is None:
        raise UserError(f"{names[0]} holds no {RELEASED}, which PromCSE's checkpoints have; take one of those")
    values = published_values("promcse", backbone)
    return _opened(names[0], weight, values["positions"], pooling=values["pooling"], precision=precision)


def _opened(name: str | Path, weight: Tensor, positions: Positions, **reading) -> PrefixEncoder:
    model, tokenizer = load_tower(name)
    return PrefixEncoder(Prefixed(model, weight, positions).eval(), tokenizer, **reading)
