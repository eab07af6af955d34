"""EDFSE: six sub-encoders, each trained by SimCSE on a view of its own, whose vectors are summed (Zong and Zhang, 2023).

The sub-encoders are plain SimCSE trainings, so that systems with the same view share them: two of them are stage 1 of TNCSE
and JTCSE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from jtcse.core.config import Count, LearningRate
from jtcse.core.errors import UserError
from jtcse.data.views import View, make_view
from jtcse.encoders.encoder import SumEncoder, TowerEncoder
from jtcse.systems.settings import SystemSettings, system_settings
from jtcse.systems.shop import Shop
from jtcse.systems.simcse import SimCSE
from jtcse.training.objective import draws


class SubEncoders(SystemSettings):
    """Of systems that begin with one SimCSE training a view; length, schedule, decay and looks are the system's own."""

    views: list[str] = Field(min_length=2, description="one a tower: round_trip:LANGUAGE, or a name of views.py")
    tower_rates: list[LearningRate] | None = Field(description="one a tower; null: the rate that SimCSE was given")
    tower_batch: Count | None = Field(description="sentences a step of a tower's training; null: as batch_size")


class Settings(SubEncoders):
    """Of EDFSE."""

    augmentation: Literal["pair", "corpus"] = Field(
        description="pair: sentence and view are positives; corpus: the view's text takes the sentence's place, under dropout"
    )


class ChangedText(Sequence[str]):
    """A corpus with each text replaced by its view: of a pair the second, else what ``view`` makes of it, always the same."""

    def __init__(self, corpus: Sequence, view: View, seed: int) -> None:
        self.corpus, self.view, self.seed = corpus, view, seed

    def __len__(self) -> int:
        return len(self.corpus)

    def __getitem__(self, row: int) -> str:
        item = self.corpus[row]
        return item[1] if isinstance(item, tuple) else self.view(item, draws(self.seed, row))


def make(shop: Shop) -> SumEncoder:
    """Train the six towers, one after the other, and sum them."""
    if shop.settings.augmentation == "pair":
        return SumEncoder(sub_encoders(shop))
    return SumEncoder([_on_changed_text(shop, view, changes) for view, changes in _trainings(shop).items()])


def sub_encoders(shop: Shop) -> list[TowerEncoder]:
    """Towers trained by SimCSE without a head, sentence and view as positives.

    Raises:
        UserError: a view named twice, or not as many rates as views.
    """
    return [shop.trained("simcse", view=view, **changes) for view, changes in _trainings(shop).items()]


def _trainings(shop: Shop) -> dict[str, dict[str, Any]]:
    """View to the settings of SimCSE that its tower differs in."""
    own = shop.settings
    if len(set(own.views)) < len(own.views):
        raise UserError(
            f"{shop.name}: views {own.views} names one twice, which would train one tower twice; name others"
        )
    rates = own.tower_rates or [shop.rate_of("simcse")] * len(own.views)
    if len(rates) != len(own.views):
        raise UserError(
            f"{shop.name} has {len(own.views)} views but {len(rates)} tower_rates; give one a view, or null for SimCSE's own"
        )
    same = {name: getattr(own, name) for name in ("max_length", "schedule", "weight_decay", "evaluate_every", "start")}
    same |= {"head": "none", "batch_size": own.tower_batch or own.batch_size}
    return {view: {"learning_rate": rate, **same} for view, rate in zip(own.views, rates, strict=True)}


def _on_changed_text(shop: Shop, view: str, changes: dict[str, Any]) -> TowerEncoder:
    name, _, language = view.partition(":")
    corpus = shop.round_trips(language) if name == "round_trip" else shop.corpus
    settings = system_settings("simcse", shop.run.settings, shop.run.profile, changes)
    model, tokenizer = shop.tower()
    text = ChangedText(corpus, make_view(name), shop.stream("text", view))
    return shop.train(
        SimCSE(model, tokenizer, text, settings), shop.encoder(model, tokenizer), part=view.replace(":", "_")
    )
