"""The parts of a profile's scoring that the pipeline spreads over machines: one encoder on one list of tasks each.

A part ends with its *marker*, ``zero_shot/done/<label>/<list>.json``, which says what is done and what is not and why. It holds
no times, so a second try that found nothing new leaves the same marker, and no page is made again because of it.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jtcse.core.errors import UserError
from jtcse.core.files import write_atomically

if TYPE_CHECKING:
    from jtcse.core.config import Settings

DONE = ("kept", "scored")
RULE = "zero_shot_part"  # in the Snakefile
PREFIX = "zero_shot"  # of the names of parts: zero_shot/jtcse-bert/table2
FOLDER = Path("zero_shot") / "done"  # of the markers, in the workspace


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
    """Parts that have a marker in the workspace, and tasks without a result: steps to be taken again."""
    return [step_of(path) for part in parts(settings) if _left(build / (path := marker(*part)))]


def without_result(build: Path, label: str, words: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Tasks of an encoder that its parts tried in vain, with state and reason; a word is there where the encoder was not had."""
    found: dict[str, tuple[str, str]] = {}
    for word in words:
        told = _told(build / marker(label, word))
        found |= {name: (state, why) for state in ("missing", "failed") for name, why in told.get(state, {}).items()}
    return found


def _told(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except (FileNotFoundError, ValueError):
        return {}


def _left(path: Path) -> bool:
    try:
        told = json.loads(path.read_text(encoding="utf8"))
        return bool(told["missing"] or told["failed"])
    except FileNotFoundError:
        return False  # never begun: it is run anyway
    except (ValueError, KeyError, TypeError):
        return True


def given(settings: Settings) -> dict[str, Any]:
    """What a part's marker depends on, besides weights and tasks; another value of these makes it out of date."""
    return {"precision": settings.zero_shot.precision, "limit": settings.zero_shot.limit}


def turned(overrides: Mapping[str, Any], sections: Sequence[str]) -> str:
    """Turned settings of some sections as words for the command line of a part."""
    chosen = {name: value for name, value in overrides.items() if name.split(".")[0] in sections}
    return " ".join(shlex.quote(f"{name}={json.dumps(value)}") for name, value in chosen.items())


def write(path: Path, outcomes: Sequence[Mapping[str, Any]]) -> None:
    """Write a marker from the outcomes that ``jtcse.experiments.zero_shot.profile`` prints."""
    told: dict[str, Any] = {"done": sorted(one["name"] for one in outcomes if one["state"] in DONE)}
    for state in ("missing", "failed"):
        told[state] = {one["name"]: one["words"] for one in outcomes if one["state"] == state}
    write_atomically(path, json.dumps(told, indent=1) + "\n")


def main(words: Sequence[str] | None = None) -> int:
    """``... | python -m jtcse.experiments.zero_shot.parts FILE``: the marker of the outcomes, the last line of standard input."""
    (path,) = sys.argv[1:] if words is None else words
    lines = sys.stdin.read().split("\n")
    try:
        write(Path(path), json.loads(next((line for line in reversed(lines) if line.strip()), "")))
    except ValueError:
        return 2  # there are none: the part said why on its own standard error
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
