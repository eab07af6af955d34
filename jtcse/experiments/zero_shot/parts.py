"""The parts of a profile's scoring that the pipeline spreads over machines: one encoder on one list of tasks each.

A part ends with its *marker*, ``zero_shot/done/<label>/<list>.json``, which says what is done and what is not and why. It holds
no times, so a second try that found nothing new leaves the same marker, and no page is made again because of it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jtcse.core.files import write_atomically

if TYPE_CHECKING:
    from jtcse.core.config import Settings
    from jtcse.evaluation.mteb.running import Outcome

RULE = "zero_shot_part"  # in the Snakefile
PREFIX = "zero_shot"  # of the names of parts: zero_shot/jtcse-bert/table2
FOLDER = Path("zero_shot") / "done"  # of the markers, in the workspace
LEFT = ("missing", "failed")  # states of tasks without a result


def parts(settings: Settings) -> list[tuple[str, str]]:
    """Label and list of each part; none where no tasks are named."""
    from jtcse.experiments.zero_shot.subjects import subjects

    words = settings.zero_shot.tasks
    labels = [subject.label for subject in subjects(settings)] if words else []
    return [(label, word) for word in words for label in labels]


def marker(label: str, word: str) -> Path:
    """Where the marker of a part lies in the workspace."""
    return FOLDER / label / f"{word}.json"


def step_of(path: Path | str) -> str:
    """Name of the part with that marker, among the steps of the pipeline: ``zero_shot/jtcse-bert/table2``."""
    return f"{PREFIX}/{Path(path).parent.name}/{Path(path).stem}"


def marker_of(step: str) -> Path | None:
    """The marker, in the workspace, of the part that a step is; None: the step is no part."""
    head, *part = step.split("/", 2)
    return marker(*part) if head == PREFIX and len(part) == 2 else None


def incomplete(build: Path, settings: Settings) -> list[str]:
    """Parts that have a marker in the workspace, and tasks without a result or no whole marker: steps to be taken again."""
    paths = [marker(*part) for part in parts(settings)]
    told = {path: _told(build / path) for path in paths if (build / path).is_file()}
    return [step_of(path) for path, states in told.items() if any(states.get(state, True) for state in LEFT)]


def without_result(build: Path, label: str, words: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Tasks of an encoder that its parts tried in vain, with state and reason; a word is there where the encoder was not had."""
    markers = [_told(build / marker(label, word)) for word in words]
    return {name: (state, why) for told in markers for state in LEFT for name, why in told.get(state, {}).items()}


def _told(path: Path) -> dict[str, Any]:
    """What a marker says; nothing where there is none, or it is not whole."""
    try:
        told = json.loads(path.read_text(encoding="utf8"))
    except (FileNotFoundError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def given(settings: Settings) -> dict[str, Any]:
    """What a part's marker depends on, besides weights and tasks; another value of these makes it out of date."""
    return {"precision": settings.zero_shot.precision, "limit": settings.zero_shot.limit}


def turned(overrides: Mapping[str, Any], sections: Sequence[str]) -> str:
    """Turned settings of some sections as words for the command line of a part."""
    chosen = {name: value for name, value in overrides.items() if name.split(".")[0] in sections}
    return " ".join(shlex.quote(f"{name}={json.dumps(value)}") for name, value in chosen.items())


def write(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write a marker."""
    told: dict[str, Any] = {"done": sorted(one.name for one in outcomes if one.done)}
    for state in LEFT:
        told[state] = {one.name: one.words for one in outcomes if one.state == state}
    write_atomically(path, json.dumps(told, indent=1) + "\n")
