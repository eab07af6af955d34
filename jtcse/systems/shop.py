"""What a system's ``make`` is given: text, a tower to start from, settings, and the one door to training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from jtcse.core.run import Run, derive_seed
from jtcse.data.corpus import LineCorpus, PairCorpus
from jtcse.encoders.encoder import Encoder, TowerEncoder
from jtcse.systems.settings import system_settings
from jtcse.training.objective import TowerObjective, make_head


class Shop:
    """One training of one system with one seed; ``experiments.trained_systems.Workshop`` knows where all of it is kept."""

    def __init__(self, run: Run, name: str, seed: int, changes: Mapping[str, Any]) -> None:
        self.run, self.name, self.seed = run, name, seed
        self.settings = system_settings(name, run.settings, run.profile, changes)

    @cached_property
    def corpus(self) -> LineCorpus:
        """The profile's unlabelled sentences."""
        return LineCorpus(self.run.text())

    @property
    def precision(self) -> str:
        """Number format of training; encoders that score are fp32."""
        return self.run.settings.run.precision

    def head(self, model):
        """The settings' projection head with fresh weights, on the model's device."""
        made = make_head(self.settings.head, model.config.hidden_size, self.stream("head"))
        return made.to(next(model.parameters()).device)

    def encoder(self, model, tokenizer) -> TowerEncoder:
        """The tower with the settings' pooling."""
        return TowerEncoder(model, tokenizer, pooling=self.settings.pooling)

    def stream(self, *names: object) -> int:
        """Seed of a named random stream."""
        return derive_seed(self.seed, "system", *names)

    def tower(self):
        """A fresh copy of the encoder that training starts from: (model with this system's dropout, tokenizer)."""

    def round_trips(self, language: str) -> PairCorpus:
        """The sentences with their translation into a language and back."""

    def trained(self, name: str, **changes: Any) -> Encoder:
        """Another system, which the fragment ``needs``, trained with this one's seed."""

    def rate_of(self, name: str) -> float:
        """The learning rate that another system was given."""

    def train(self, objective, encoder: Encoder | None, part: str = "") -> Encoder | None:
        """Train an objective; returns the encoder with its best weights."""


def one_tower(
    objective: type[TowerObjective],
    more: Callable[..., dict[str, Any]] = lambda shop, model, tokenizer: {},
    kept: Callable[..., Encoder] = lambda shop, model, tokenizer: shop.encoder(model, tokenizer),
) -> Callable[[Shop], Encoder]:
    """The ``make`` of a system that trains one tower; its head, and all else that the objective adds, is thrown away.

    Args:
        objective: its class.
        more: (shop, model, tokenizer) -> what the objective's ``build`` wants beside tower and head.
        kept: the same -> the encoder that is kept.
    """

    def make(shop: Shop) -> Encoder:
        model, tokenizer = shop.tower()
        added = more(shop, model, tokenizer)
        trained = objective(model, tokenizer, shop.corpus, shop.settings, shop.head(model), **added)
        return shop.train(trained, kept(shop, model, tokenizer))

    return make
