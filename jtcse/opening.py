"""One door to every encoder: a hub name, a stock folder, a folder of ours, a system's released checkpoint.

A folder whose ``jtcse.json`` has a key ``system`` is opened by that module's ``open_saved(folder, described, precision)``. A
released checkpoint is a stock tower pooled by the system's settings, or the sum of several, unless the system's module has a
function ``open_released(names, backbone, precision)`` of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from jtcse.cards import card
from jtcse.encoder import DESCRIPTION, Encoder, SumEncoder, TowerEncoder, open_encoder
from jtcse.errors import UserError
from jtcse.stock import load_tower
from jtcse.system_settings import Backbone, module_of, published_values


def open_model(
    name: str | Path, *, pooling: str | None = None, max_length: int | None = None, precision: str = "auto"
) -> Encoder:
    """Any encoder by hub name or folder.

    Raises:
        UserError: as ``open_encoder``; the folder of a system that is not there.
    """
    described = Path(name) / DESCRIPTION
    try:
        settings = json.loads(described.read_text(encoding="utf8")) if described.is_file() else {}
    except ValueError:
        settings = {}  # open_encoder says what is wrong with it
    if isinstance(settings, dict) and "system" in settings:
        return import_module(f"jtcse.systems.{settings['system']}").open_saved(Path(name), settings, precision)
    return open_encoder(name, pooling=pooling, max_length=max_length, precision=precision)


def open_released(
    system: str, backbone: Backbone = "bert", *, names: Sequence[str] | None = None, precision: str = "auto"
) -> Encoder:
    """A system's released checkpoint, read as its authors mean it.

    Args:
        system: its name.
        backbone: which of its checkpoints.
        names: hub names or folders in place of those of the card, such as a download from elsewhere.
    Raises:
        UserError: unknown system, none was released, or files that do not fit the system.
    """
    found = list(names or card(system).head.checkpoints.get(backbone, ()))
    if not found:
        raise UserError(
            f"no {backbone} checkpoint of {card(system).head.title} is on the hub (jtcse systems show {system} says why); "
            "give a folder if you have one"
        )
    module = module_of(system)
    if hasattr(module, "open_released"):
        return module.open_released(found, backbone, precision)
    pooling = published_values(system, backbone)["pooling"]
    towers = [TowerEncoder(*load_tower(one), pooling=pooling, precision=precision) for one in found]
    return towers[0] if len(towers) == 1 else SumEncoder(towers)
