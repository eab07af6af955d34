"""How long steps take, by what is known of earlier runs: which to begin first, and the time that is left."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jtcse.pipeline.plan import BOOK, Notebook

STARTING = 4.0  # seconds of starting a kernel and importing, which no record counts
TRUST = 30.0  # seconds that must have run before the pace of this run counts as much as that of the earlier one


def known_seconds(root: Path, profile: str, names: Iterable[str]) -> dict[str, float]:
    """Seconds by the clock of those steps of a profile that ran here before, or whose record is committed; of no others."""
    build, found = root / "build" / profile, {}
    for name in names:
        found[name] = _timed(build / "logs" / f"{name}.tsv") or _recorded(root / "results" / profile / f"{name}.json")
    found[BOOK] = _told(build / "book.json").get("seconds")
    return {name: seconds for name, seconds in found.items() if seconds}


def priorities(plan: Mapping[str, Notebook], seconds: Mapping[str, float]) -> dict[str, int]:
    """Of each notebook the seconds from its start to the end of all that waits for it: the longest way begins first."""
    return {name: round(way) for name, way in _ways(_needs(plan, plan), _complete(plan, seconds)).items()}


class Forecast:
    """The time that a run still takes."""

    def __init__(
        self,
        plan: Mapping[str, Notebook],
        pending: Sequence[str],
        seconds: Mapping[str, float],
        jobs: int,
        threads: int | None,
    ) -> None:
        """
        Args:
            plan: the notebooks of the profile.
            pending: steps that run.
            seconds: of ``known_seconds``.
            jobs: cores of the run.
            threads: the profile's own for a training; None: all of them.
        """  # fmt: skip
        self._needs = _needs(plan, pending)
        self._seconds = _complete(self._needs, seconds)
        self._jobs, self._known = jobs, bool(seconds.keys() & set(pending))
        wide = min(threads or jobs, jobs)
        self._cores = {step: (plan[step].threads or wide) if step in plan else 1 for step in self._needs}

    def left(self, finished: Mapping[str, float], running: Mapping[str, float]) -> float | None:
        """Seconds from now to the end, by the pace of this run; None where nothing is known of any step.

        Args:
            finished: seconds that each finished step took.
            running: seconds since each running step began.
        """
        if not self._known:
            return None
        usual = sum(self._seconds.get(step, 0.0) for step in finished)
        pace = (sum(finished.values()) + TRUST) / (usual + TRUST)
        rest = {
            step: max(pace * seconds - running.get(step, 0.0), 0.0)
            for step, seconds in self._seconds.items()
            if step not in finished
        }
        work = sum(seconds * self._cores[step] for step, seconds in rest.items()) / self._jobs
        needs = {step: [need for need in self._needs[step] if need in rest] for step in rest}
        return max(work, *_ways(needs, rest).values(), 0.0)


def told(seconds: float) -> str:
    """A time left in words."""
    return "under a minute" if seconds < 45 else f"about {round(seconds / 60) or 1} min"


def _needs(plan: Mapping[str, Notebook], steps: Iterable[str]) -> dict[str, list[str]]:
    """What each step waits for, of the steps themselves, in running order; the book waits for all."""
    steps = list(steps)
    found = {step: [need for need in plan[step].needs if need in steps] for step in plan if step in steps}
    others = {step: [] for step in steps if step not in plan and step != BOOK}
    return others | found | ({BOOK: [*others, *found]} if BOOK in steps else {})


def _complete(steps: Iterable[str], seconds: Mapping[str, float]) -> dict[str, float]:
    """A step of which nothing is known takes as long as those in the middle."""
    usual = statistics.median(seconds.values()) if seconds else 1.0
    return {step: seconds.get(step, usual) for step in steps}


def _ways(needs: Mapping[str, Sequence[str]], seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds of the longest way from the start of each step to the end."""
    ways = dict(seconds)
    for step in reversed(list(needs)):
        for need in needs[step]:
            ways[need] = max(ways[need], seconds[need] + ways[step])
    return ways


def _timed(path: Path) -> float | None:
    """What Snakemake's stopwatch says."""
    try:
        return float(next(csv.DictReader(path.read_text(encoding="utf8").splitlines(), delimiter="\t"))["s"])
    except (OSError, StopIteration, KeyError, ValueError):
        return None


def _recorded(path: Path) -> float | None:
    seconds = _told(path).get("provenance", {}).get("seconds")
    return None if seconds is None else STARTING + seconds


def _told(path: Path) -> dict[str, Any]:
    """The content of a file; nothing where there is none, or it is not whole."""
    try:
        return dict(json.loads(path.read_text(encoding="utf8")))
    except (OSError, ValueError, TypeError):
        return {}
