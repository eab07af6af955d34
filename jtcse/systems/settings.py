"""Settings of the compared systems: the paper's values in a fragment of each, a common budget at smaller scales.

``profiles/systems/<name>.yaml`` is a system's fragment:

``module``      module of ``jtcse/systems`` that trains it; by default the system's own name
``needs``       systems whose trained encoders it reads
``paper``       its published settings, each line with its source; what is not named is ``profiles/systems/base.yaml``'s
``roberta``     what differs on RoBERTa
``smaller``     what must differ at any smaller scale (a shorter queue, another view), with the reason
``<profile>``   the same for one profile
``rate_factor`` by what the learning rates that smaller scales try are multiplied; 0: nothing of its own is trained by gradient

At a smaller scale the budget (steps, batch, length, schedule, dropout) is the profile's section ``race``, the same for all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.resources import files
from statistics import median_high
from typing import Any, Literal

import yaml
from pydantic import Field

from jtcse.core.config import LearningRate, Pooling, Rate, Settings, Training, checked
from jtcse.core.errors import UserError, check_choice, unknown

Backbone = Literal["bert", "roberta"]
HALVES: dict[Backbone, str] = {"bert": "BERT-base", "roberta": "RoBERTa-base"}
"""How Table I calls its halves."""
FOLDER = "profiles/systems"
SECTIONS = {"module", "needs", "paper", "roberta", "smaller", "rate_factor", "embedded", "mini"}
BUDGET = tuple(Training.model_fields)


class SystemSettings(Training):
    """What every compared system has; a system's module adds its own."""

    learning_rate: LearningRate
    temperature: Rate
    head: Literal["none", "mlp", "bn"] = Field(description="projection head of training (training/objective.py)")
    pooling: Pooling = Field(description="of the vector that is kept")
    start: str | None = Field(description="hub name or folder that training starts from; null: the profile's encoder")


@dataclass(frozen=True)
class Fragment:
    """One fragment as it is written."""

    name: str
    module: str
    needs: tuple[str, ...] = ()
    rate_factor: float = 1.0
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)  # of the paper's settings: what stands behind '#'


def systems() -> list[str]:
    """Names of all systems that have a fragment."""
    found = files("jtcse").joinpath(FOLDER).iterdir()
    return sorted(p.name.removesuffix(".yaml") for p in found if p.name.endswith(".yaml") and p.name != "base.yaml")


@cache
def fragment(name: str) -> Fragment:
    """A system's fragment.

    Raises:
        UserError: no such system (with the nearest name), an unknown section, or a published setting without its source.
    """
    if name not in (*systems(), "base"):
        raise unknown("system", name, systems())
    text = files("jtcse").joinpath(f"{FOLDER}/{name}.yaml").read_text(encoding="utf8")
    values = yaml.safe_load(text) or {}
    for section in values:
        check_choice(f"section of {name}.yaml", section, SECTIONS)
    sources = _sources(text)
    for setting in values.get("paper") or {}:
        if setting not in sources:
            raise UserError(f"{name}.yaml: paper.{setting} has no source; write it behind the value, after '#'")
    return Fragment(
        name,
        values.get("module", name),
        tuple(values.get("needs", ())),
        float(values.get("rate_factor", 1.0)),
        {key: values.get(key) or {} for key in SECTIONS - {"module", "needs", "rate_factor"}},
        sources,
    )


def _sources(text: str) -> dict[str, str]:
    """Name of each setting of the section ``paper`` to the comment behind it."""
    inside = re.search(r"^paper:.*\n((?:[ #].*\n?|\n)*)", text, re.M)
    lines = inside.group(1).splitlines() if inside else []
    found = (re.match(r"  (\w+):.*?\s#\s*(.+)$", line) for line in lines)
    return {match[1]: match[2].strip() for match in found if match}


def module_of(name: str):
    """The module that trains a system."""
    return import_module(f"jtcse.systems.{fragment(name).module}")


def published_values(name: str, backbone: Backbone = "bert") -> dict[str, Any]:
    """The settings of a system's own paper, as far as known, with the common ones where nothing is told."""
    own = fragment(name).values
    return {**fragment("base").values["paper"], **own["paper"], **(own["roberta"] if backbone == "roberta" else {})}


def setting_sources(name: str) -> dict[str, str]:
    """Where each published value was read: setting to source."""
    return {**fragment("base").sources, **fragment(name).sources}


def system_settings(name: str, settings: Settings, profile: str, changes: Mapping[str, Any] | None = None):
    """The settings that a system is trained with in a profile.

    Args:
        name: of the system.
        settings, profile: of the run.
        changes: single values, by name.
    Returns:
        an object of the ``Settings`` class of the system's module.
    Raises:
        UserError: unknown system or setting, wrong type or range.
    """
    values = published_values(name, backbone_of(settings.encoder.name))
    if settings.scale == "smaller":
        race = settings.race
        values |= {key: value for key, value in race.model_dump(mode="json").items() if key in BUDGET}
        values |= {"learning_rate": median_high(race.rates) * (fragment(name).rate_factor or 1)}
        values |= {**fragment(name).values["smaller"], **fragment(name).values.get(profile, {})}
    schema = module_of(name).Settings
    for key in changes or {}:
        check_choice(f"setting of {name}", key, schema.model_fields)
    return checked(schema, json.loads(json.dumps({**values, **(changes or {})})))


def backbone_of(encoder: str) -> Backbone:
    """Which half of Table I an encoder belongs beside."""
    return "roberta" if "roberta" in encoder.lower() else "bert"
