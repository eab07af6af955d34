"""One door to every encoder: a hub name, a stock folder, a folder of ours, a system's released checkpoint.

A folder whose ``jtcse.json`` has a key ``system`` is opened by that module's ``open_saved(folder, described, precision)``. A
released checkpoint is a stock tower pooled by the system's settings, or the sum of several (with the published ``weights``, where
there are any), unless the system's module has a function ``open_released(names, backbone, precision)`` of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from jtcse.core.errors import UserError
from jtcse.core.hub import Place, file_at
from jtcse.encoders.encoder import DESCRIPTION, Encoder, SumEncoder, TowerEncoder, open_encoder
from jtcse.encoders.loading import load_tower
from jtcse.encoders.pooling import POOLINGS
from jtcse.systems.cards import card
from jtcse.systems.released import names as released_names
from jtcse.systems.settings import Backbone, fragment, module_of, published_values, systems


def open_model(
    name: str | Path, *, pooling: str | None = None, max_length: int | None = None, precision: str = "fp32"
) -> Encoder:
    """Any encoder by hub name or folder; pooling and length that are not given are the model's own, where it describes them.

    Raises:
        UserError: as ``open_encoder``; the folder of a system that is not there.
    """
    described = Path(name) / DESCRIPTION
    try:
        settings = json.loads(described.read_text(encoding="utf8")) if described.is_file() else {}
    except ValueError:
        settings = {}  # open_encoder says what is wrong with it
    if isinstance(settings, dict) and "system" in settings:
        return _module_that_opens(settings["system"], described).open_saved(Path(name), settings, precision)
    if described.is_file():
        encoder = open_encoder(name, pooling=pooling, max_length=max_length, precision=precision)
    else:
        encoder = _as_described(name, pooling, max_length, precision)
    _check_pooler(encoder, str(name))
    return encoder


def open_released(
    system: str, backbone: Backbone = "bert", *, names: Sequence[str] | None = None, precision: str = "fp32"
) -> Encoder:
    """A system's released checkpoint, read as its authors mean it.

    Args:
        system: its name.
        backbone: which of its checkpoints.
        names: hub names or folders in place of those in ``released.yaml``, such as a download from elsewhere.
    Raises:
        UserError: unknown system, none was released, or files that do not fit the system.
    """
    head = card(system).head
    found = list(names or released_names(system, backbone))
    if not found:
        raise UserError(
            f"no {backbone} checkpoint of {head.title} is on the hub (jtcse systems show {system} says why); "
            "give a folder if you have one"
        )
    values = published_values(system, backbone)
    towers = next((len(values[name]) for name in ("weights", "views") if isinstance(values.get(name), list)), 1)
    if len(found) != towers:
        raise UserError(
            f"found {len(found)} checkpoint(s) for {head.title}, expected {towers}: one a tower, in their order"
        )
    module = module_of(system)
    if hasattr(module, "open_released"):
        encoder = module.open_released(found, backbone, precision)
    else:
        encoder = _stock(found, values, precision)
    _check_backbone(encoder, found, backbone, head.title)
    return encoder


def summed(encoders: Sequence[Encoder], names: Sequence[str], weights: Sequence[float] | None = None) -> Encoder:
    """One encoder as it is, or the weighted sum of several of one width.

    Raises:
        UserError: vectors of different width.
    """
    widths = {name: one.width for name, one in zip(names, encoders, strict=True) if hasattr(one, "width")}
    if len(set(widths.values())) > 1:
        told = ", ".join(f"{name} {width}" for name, width in widths.items())
        raise UserError(f"vectors of different width cannot be summed ({told}); take towers of one size")
    return encoders[0] if len(encoders) == 1 else SumEncoder(encoders, weights)


def _stock(names: Sequence[str], values: Mapping[str, Any], precision: str) -> Encoder:
    """Stock towers with a system's published pooling, summed with its weights if there are several."""
    pooling = values["pooling"]
    for name in names:
        _check_pooling(name, pooling)
    towers = [TowerEncoder(*load_tower(one), pooling=pooling, precision=precision) for one in names]
    for name, tower in zip(names, towers, strict=True):
        _check_pooler(tower, name)
    return summed(towers, names, values.get("weights"))


def _module_that_opens(name: object, described: Path):
    """The module of a system that saved an encoder of its own kind."""
    modules = {fragment(one).module for one in systems()}
    module = import_module(f"jtcse.systems.{name}") if name in modules else None
    if not hasattr(module, "open_saved"):
        raise UserError(
            f"{described} was written by a system {name!r} that is not here; open it with the version that wrote it"
        )
    return module


def _check_pooler(encoder: Encoder, name: str) -> None:
    """Refuse to read the random pooler that a tower without one is given on loading."""
    for one in getattr(encoder, "encoders", [encoder]):
        if getattr(one, "pooling", None) == "pooler" and getattr(one.model, "pooler_is_random", False):
            raise UserError(
                f"{name} holds no weights of a pooler, which is to be read here; take another pooling, such as 'cls'"
            )


def _towers(encoder: Encoder) -> list:
    """The models of an encoder, first ones first."""
    if hasattr(encoder, "encoders"):
        return [model for one in encoder.encoders for model in _towers(one)]
    return [encoder.model] if hasattr(encoder, "model") else []


def _check_backbone(encoder: Encoder, names: Sequence[str], backbone: str, title: str) -> None:
    """The first tower says which half of Table I this is; later ones may be of another kind, as InfoCSE beside RoBERTa is."""
    kinds = [model.config.model_type for model in _towers(encoder)]
    if kinds and kinds[0] != backbone:
        raise UserError(
            f"{names[0]} is a {kinds[0]} model, expected {backbone} for {title}; give its {backbone} files, "
            "or --backbone for the other half of Table I"
        )


def _check_pooling(name: str, pooling: str) -> None:
    """Refuse what describes itself as a sentence encoder of another kind: another pooling, or layers behind it."""
    place = Place.of(name)
    modules = _described(place, "modules.json") or []
    beyond = [one["type"].split(".")[-1] for one in modules]
    beyond = [kind for kind in beyond if kind not in ("Transformer", "Pooling", "Normalize")]
    if beyond:
        raise UserError(
            f"{name} has a layer {beyond[0]} behind its pooling; expected a tower pooled by {pooling!r} alone"
        )
    own = _pooling_of(_described(place, "1_Pooling/config.json") or {})
    if own and own != {"avg": "mean"}.get(pooling, pooling):
        raise UserError(
            f"{name} describes itself as pooled by {own!r}, and this system by {pooling!r}; give a checkpoint of the "
            "system, or evaluate it without --system"
        )


def _as_described(name: str | Path, pooling: str | None, max_length: int | None, precision: str) -> TowerEncoder:
    """A stock tower as a repository of ``SentenceTransformer`` describes itself (pooling, length, unit vectors), else [CLS].

    With another pooling than its own it is another encoder, and its vectors are left as they are.
    """
    model, tokenizer = load_tower(name)
    own = _pooling_of(_described(Place.of(name), "1_Pooling/config.json") or {})
    told = (_described(Place.of(name), "sentence_bert_config.json") or {}).get("max_seq_length")
    pooling = pooling or (own if own in POOLINGS else "cls")
    max_length = max_length or (told if isinstance(told, int) and told > 0 else None)
    kinds = [one["type"].split(".")[-1] for one in _described(Place.of(name), "modules.json") or []]
    unit = "Normalize" in kinds and pooling == own
    return TowerEncoder(model, tokenizer, pooling=pooling, max_length=max_length, precision=precision, unit=unit)


def _pooling_of(described: dict) -> str | None:
    """What the file of sentence-transformers says, in its older or its newer form."""
    if "pooling_mode" in described:
        return str(described["pooling_mode"])
    modes = [key for key, value in described.items() if key.startswith("pooling_mode_") and value is True]
    names = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
    return "+".join(names.get(mode, mode.removeprefix("pooling_mode_")) for mode in modes) or None


def _described(place: Place, filename: str):
    """The JSON of a file beside a model; None where there is none."""
    path = file_at(place, filename)
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise UserError(f"{place} holds a broken {filename} ({error}); copy or download it again") from error
