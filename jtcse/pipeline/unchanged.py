"""Nothing has changed since Snakemake last had nothing to do: then it need not be started to say so again.

Snakemake's answer follows from names, times, sizes and content of files. Those of all files that it can look at are kept
after it said that nothing is to be done, or after it did all that was; while they stay, so does the answer. Whatever differs,
a touched file too, is left for Snakemake to judge.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from jtcse.core.files import write_atomically
from jtcse.experiments.zero_shot.parts import FOLDER
from jtcse.pipeline.plan import BOOK, OF_COMMANDS

WRITTEN = ("jtcse", "notebooks", "workflow", "book", "results/*/*.json", "_config.yml")  # in a checkout, by people
MADE = ("executed", "records", str(FOLDER), "book.json")  # in a build folder, by the steps


class State:
    """The state of everything that decides which steps run, when this was called."""

    def __init__(self, root: Path, build: Path, aims: Sequence[str]) -> None:
        """``aims``: the rules that are asked for."""
        self._root, self._build, self._aims = root, build, list(aims)
        tools = [sys.version, metadata.version("snakemake")]
        written = [path for name in WRITTEN for path in sorted(root.glob(name))]
        self.sources = _digest([*written, *_given(build)], root, tools)

    def recognised(self) -> bool:
        """Whether it is the one that was kept for these aims, or for the book, which needs all there is."""
        kept = self._kept()
        return self._whole() in (kept.get(self._key()), kept.get(BOOK))

    def keep(self) -> None:
        """Keep it as one in which nothing is to be done. A file that was edited after the state was taken makes another one."""
        if self.sources == State(self._root, self._build, self._aims).sources:
            write_atomically(self._place(), json.dumps(self._kept() | {self._key(): self._whole()}, indent=1) + "\n")

    def _whole(self) -> list[str]:
        made = [*(self._build / name for name in MADE), self._root / ".snakemake" / "incomplete"]
        return [self.sources, _digest(made, self._root, [])]

    def _key(self) -> str:
        return " ".join(self._aims)

    def _place(self) -> Path:
        return self._build / "up_to_date.json"

    def _kept(self) -> dict[str, list[str]]:
        try:
            return dict(json.loads(self._place().read_text(encoding="utf8")))
        except (OSError, ValueError, TypeError):
            return {}


def _given(build: Path) -> list[Path]:
    """What the steps of a build folder are given, and none of them writes."""
    return [build / "settings", *(build / "records" / f"{name}.json" for name in OF_COMMANDS)]


def _digest(paths: Sequence[Path], root: Path, words: Sequence[str]) -> str:
    """Hash of names, times and sizes of files, and of those in folders."""
    digest = hashlib.sha256("\n".join(words).encode())
    for path in paths:
        for file, state in sorted(_files(path)):
            digest.update(f"{os.path.relpath(file, root)} {state.st_mtime_ns} {state.st_size}\n".encode())
    return digest.hexdigest()


def _files(path: Path | str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(path) as found:
            for entry in found:
                if entry.is_dir() and entry.name != "__pycache__":
                    yield from _files(entry.path)
                elif entry.is_file():
                    yield entry.path, entry.stat()
    except NotADirectoryError:
        yield str(path), os.stat(path)
    except FileNotFoundError:
        yield from ()
