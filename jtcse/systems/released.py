"""Released weights: where each system's checkpoints lie on the hub, at which revision, and where that was read.

All of it stands in ``released.yaml``. A system that is not named there has none on the hub; its card says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import Field

from jtcse.core.config import Section, checked
from jtcse.core.errors import check_choice
from jtcse.systems.settings import Backbone, systems

FILE = "systems/cards/released.yaml"
MAIN = "main"
"""Revision of those whose commit is not known: the newest files, which can change."""


class Checkpoint(Section):
    """One tower's files on the hub."""

    name: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="owner/name")
    subfolder: str = Field("", pattern=r"^([\w.-]+(/[\w.-]+)*)?$", description="inside the repository")
    revision: str = Field(
        pattern=rf"^({MAIN}|[0-9a-f]{{40}})$", description="a whole commit: the hub takes no shorter one"
    )
    seen: str = Field(min_length=1, description="where name and revision were read")
    verified: bool = Field(True, description="false: the name only follows from others")

    @property
    def place(self) -> str:
        """The name with its subfolder."""
        return "/".join(filter(None, (self.name, self.subfolder)))

    @property
    def pinned(self) -> bool:
        """Whether the files are always the same ones."""
        return self.revision != MAIN

    def __str__(self) -> str:
        """As ``hub.Place.of`` reads it: ``owner/name/sub@commit``."""
        return f"{self.place}@{self.revision}" if self.pinned else self.place


class Listing(Section):
    """The whole file."""

    systems: dict[str, dict[Backbone, Annotated[list[Checkpoint], Field(min_length=1)]]]


def released(system: str) -> Mapping[Backbone, list[Checkpoint]]:
    """A system's checkpoints by backbone, one a tower in their order; empty where none was released.

    Raises:
        UserError: no such system (with the nearest name), or a file that is not of the form above.
    """
    check_choice("system", system, systems())
    return _listing().systems.get(system, {})


def names(system: str, backbone: Backbone) -> list[str]:
    """The same for one backbone, each as ``hub.Place.of`` reads it."""
    return [str(one) for one in released(system).get(backbone, [])]


def everything() -> list[tuple[str, Backbone]]:
    """Every system and backbone with released weights, in the order of the file."""
    return [(system, backbone) for system, backbones in _listing().systems.items() for backbone in backbones]


def weights_markdown(system: str) -> str:
    """The places of a system in a sentence or two: hub names, revisions, and what could not be verified."""
    found = released(system)
    if not found:
        return "No released weights."
    listed = "; ".join(f"{backbone}: " + ", ".join(map(_shown, places)) for backbone, places in found.items())
    loose = any(not one.pinned for places in found.values() for one in places)
    said = f" No commit is known where `{MAIN}` stands: its files can change." if loose else ""
    return f"Weights: {listed}.{said}"


def _shown(one: Checkpoint) -> str:
    mark = "" if one.verified else f" (**not verified**: {one.seen})"
    return f"`{one.place}` at `{one.revision[:7]}`{mark}"


@cache
def _listing() -> Listing:
    read = yaml.safe_load(files("jtcse").joinpath(FILE).read_text(encoding="utf8")) or {}
    for system in read:
        check_choice(f"system in {FILE}", system, systems())
    return checked(Listing, {"systems": read})
