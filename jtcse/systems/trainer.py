"""What a system's ``make`` is given: text, a tower to start from, settings, and the one door to training."""

from __future__ import annotations

from typing import Any, Protocol

from jtcse.core.run import Run
from jtcse.data.corpus import LineCorpus, PairCorpus
from jtcse.encoders.encoder import Encoder, TowerEncoder


class Trainer(Protocol):
    """One training of one system with one seed; ``experiments.trained_systems.Workshop`` is it."""

    run: Run
    name: str
    seed: int
    settings: Any  # of the system

    @property
    def corpus(self) -> LineCorpus:
        """The profile's unlabelled sentences."""

    @property
    def precision(self) -> str:
        """Number format of training; encoders that score are fp32."""

    def round_trips(self, language: str) -> PairCorpus:
        """The sentences with their translation into a language and back."""

    def tower(self):
        """A fresh copy of the encoder that training starts from: (model, tokenizer)."""

    def head(self, model, name: str = "head"):
        """The settings' projection head with fresh weights."""

    def encoder(self, model, tokenizer) -> TowerEncoder:
        """The tower with the settings' pooling."""

    def stream(self, *names: object) -> int:
        """Seed of a named random stream."""

    def trained(self, name: str, **changes: Any) -> Encoder:
        """Another system, which the fragment ``needs``, trained with this one's seed."""

    def rate_of(self, name: str) -> float:
        """The learning rate that another system was given."""

    def train(self, objective, encoder: Encoder | None, part: str = "") -> Encoder | None:
        """Train an objective; returns the encoder with its best weights."""
