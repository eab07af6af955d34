"""What is made once and kept under a hash of all that it depends on: hashes of content and of code, and locks."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from jtcse.core.files import ROOT, sha256

PACKAGE = ROOT / "jtcse"


def content(path: Path) -> str:
    """Hash of a file or folder; computed again only where names, sizes or times have changed."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return _content(path, tuple((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files))


@cache
def _content(path: Path, stamps: tuple) -> str:
    return sha256(path)


@cache
def code(module: str, without: Collection[str]) -> str:
    """Hash of a module's file and of those of the package that it uses.

    Args:
        module: path inside the package.
        without: names of files that decide nothing of what is kept, or whose values are in its key anyway.
    """
    from jtcse.core.code_closure import module_closure

    start = PACKAGE / module
    files = {start, *(file for file in module_closure(start, ROOT) if file.name not in without)}
    text = "\n".join(f"{file.relative_to(ROOT).as_posix()} {sha256(file)}" for file in sorted(files))
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of what lies at a place; the system lets it go when the process ends, however it ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
