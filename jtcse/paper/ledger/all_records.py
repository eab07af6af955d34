"""All run records that there are, each read for itself: what is wrong with one is a sentence, and the others still count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jtcse.core.config import load_settings, profiles
from jtcse.core.errors import UserError, unknown
from jtcse.core.files import ROOT
from jtcse.core.record import RunRecord, read_record
from jtcse.paper import printed

CLAIM = "claim"


@dataclass(frozen=True)
class AllRecords:
    """Run records, one for each profile and run, and a sentence for each thing that could not be used."""

    records: list[RunRecord] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def all_records(root: Path | None = None, workdir: Path | Iterable[Path] | None = None) -> AllRecords:
    """The committed records, and above them those of workspaces.

    Args:
        root: checkout whose ``results/<profile>/*.json`` are read; by default that of this package.
        workdir: a workspace, or several; a record in ``<workdir>/records`` takes the place of the committed one of its
            profile and run.
    """
    root = ROOT if root is None else Path(root)
    folders = [] if workdir is None else [workdir] if isinstance(workdir, str | Path) else list(workdir)
    found: dict[tuple[str, str], RunRecord] = {}
    problems: list[str] = []
    for paths in (root.glob("results/*/*.json"), *(Path(folder).glob("records/*.json") for folder in folders)):
        found |= _readable(sorted(paths), problems)
    return AllRecords(list(found.values()), problems)


def _readable(paths: list[Path], problems: list[str]) -> dict[tuple[str, str], RunRecord]:
    """The records of one source by profile and run; ``problems`` grows by what is wrong."""
    found: dict[tuple[str, str], list[tuple[Path, RunRecord]]] = {}
    for path in paths:
        try:
            record = read_record(path)
            _check(record, path)
        except UserError as error:
            problems.append(str(error))
        else:
            problems += _strange_names(record, path)
            found.setdefault((record.profile, record.run), []).append((path, record))
    for (profile, run), claimants in found.items():
        if len(claimants) > 1:
            names = " and ".join(str(path) for path, _ in claimants)
            problems.append(f"{names} both claim run {run!r} of profile {profile!r}; neither counts: delete one")
    return {key: claimants[0][1] for key, claimants in found.items() if len(claimants) == 1}


def _check(record: RunRecord, path: Path) -> None:
    """A record that fits the schema may still be of no profile, or say a thing twice."""
    if record.profile not in _profiles():
        raise UserError(f"run record {path}: {unknown('profile', record.profile, _profiles())}")
    said = Counter((metric.name, metric.seed) for metric in record.metrics)
    (name, seed), times = said.most_common(1)[0] if said else (("", None), 0)
    if times > 1:
        which = "" if seed is None else f" of seed {seed}"
        raise UserError(f"run record {path} has metric {name!r}{which} {times} times; expected once: run it again")


@cache
def _profiles() -> tuple[str, ...]:
    return tuple(profiles())  # looked up once, not once a record


def _strange_names(record: RunRecord, path: Path) -> Iterator[str]:
    """A sentence for each name that begins as one of the paper's places does and is no id of the paper."""
    for name in dict.fromkeys(metric.name for metric in record.metrics):
        fault = _fault(name)
        if fault:
            yield f"run record {path}: {fault}; that metric is left out, the others count"


@cache
def _fault(name: str) -> str | None:
    sides = name.split(">")
    if len(sides) > 2:
        return f"metric {name!r} compares {len(sides)} things; expected two"
    places = [side.split("/")[0] for side in sides]
    if places[0] not in ids():
        return None  # a number of its own, which may be compared with one of the paper's
    for side, place in zip(sides, places, strict=True):
        if side not in ids().get(place, ()):
            valid = ids().get(place) or sorted(ids())
            words = str(unknown("id of a printed value or claim", side, valid))
            return words if side == name else f"{words}, in metric {name!r}"
    return None


@cache
def ids() -> dict[str, frozenset[str]]:
    """Ids of printed values and claims, by place."""
    found: dict[str, set[str]] = {}
    for id in (*printed.values().index, *printed.claims().index):
        found.setdefault(id.split("/")[0], set()).add(id)
    return {place: frozenset(names) for place, names in found.items()}


# -- settings --------------------------------------------------------------------------------------------------

NO_SETTING = ("title", "promise", "minutes", "scale", "committed")  # words about a profile; the scale is taken from its file
FREE = (
    "run.", "evaluation.", "ablations.seeds", "race.seeds",
    "zero_shot.systems", "zero_shot.tasks", "zero_shot.cache_gib", "zero_shot.tries",
)  # fmt: skip
"""Another seed, number of threads or of resamples is the same setting; so is scoring task by task, but not a limit of rows."""


def changed_settings(record: RunRecord) -> dict[str, tuple[Any, Any]]:
    """Settings that are not the profile's: dotted name to (in this run, in the profile); ``...`` where one lacks it."""
    here, there = _flat(record.settings), _of_profile(record.profile)
    return {
        name: (here.get(name, ...), there.get(name, ...))
        for name in sorted(here.keys() | there.keys())
        if name not in NO_SETTING and here.get(name, ...) != there.get(name, ...)
        # 'auto' says nothing: records from before the format was decided once a run have it, and profiles that leave it open
        if name != "run.precision" or "auto" not in (here.get(name), there.get(name))
    }


def departures(record: RunRecord) -> tuple[str, ...]:
    """Why numbers of a record cannot be held against printed ones; nothing where its setting is the paper's."""
    scale, changed = load_scale(record.profile), changed_settings(record)
    named = [
        f"{name} is {_word(here)} instead of {_word(there)}"
        for name, (here, there) in changed.items()
        if not name.startswith(FREE) and (scale != "smaller" or here is not ...)
    ]
    if len(named) > 3:
        named = [*named[:3], f"and {len(named) - 3} more settings are changed"]
    small = [f"profile {record.profile} speaks only for directions"] if scale == "smaller" else []
    return (*small, *named)


@cache
def load_scale(profile: str) -> str:
    """``paper``, ``checkpoints`` or ``smaller``: what numbers of a profile may be held against."""
    return load_settings(profile).scale


@cache
def _of_profile(profile: str) -> dict[str, Any]:
    return _flat(load_settings(profile, as_filed=True).model_dump(mode="json"))


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _word(value: Any) -> str:
    return "not recorded" if value is ... else json.dumps(value)
