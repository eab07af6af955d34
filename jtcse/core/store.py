"""What is made once and kept under a hash of all that it depends on: hashes of content, and locks."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jtcse.core.files import new_folder, put_back, sha256


def content(path: Path) -> str:
    """Hash of a file or folder; computed again only where names, sizes or times have changed."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return _content(path, tuple((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files))


@cache
def _content(path: Path, stamps: tuple) -> str:
    return sha256(path)


def key_of(**parts: Any) -> str:
    """Hash of what a thing hangs on, by name: paths stand for what they hold, settings and plain values for themselves."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_told).encode()).hexdigest()[:20]


def _told(part: Path | BaseModel) -> Any:
    return content(part) if isinstance(part, Path) else part.model_dump(mode="json")


def made_once(folder: Path, key: str, make: Callable[[Path], Any]) -> Path:
    """The folder ``folder/key``, made if it is not there: whole or not at all, by one of all processes that want it.

    Args:
        make: fills the empty folder that it is given, which then takes its place. What it leaves in ``unfinished(folder, key)``
            survives a kill, so that the next call can go on from there; it goes once the folder is made.
    """
    place = folder / key
    if not place.is_dir():
        with alone(place):
            put_back(place)
            if not place.is_dir():  # another process may have made it while this one waited
                with new_folder(place) as fresh:
                    make(fresh)
            shutil.rmtree(unfinished(folder, key), ignore_errors=True)
    return place


def unfinished(folder: Path, key: str) -> Path:
    """Where what ``made_once`` is making keeps what it wants to go on from after a kill, such as checkpoints."""
    return folder / f"{key}.unfinished"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of what lies at a place; the system lets it go when the process ends, however it ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
