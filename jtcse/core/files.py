"""Writing files and folders whole or not at all, and hashing them."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from jtcse.core.errors import NoRoom, UserError

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package: a checkout, or where it was installed."""
ANSI = re.compile(r"\x1b\[[0-9;]*m")
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def _speaking_of_full_disks(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not _is_full(error):
            raise
        raise NoRoom(
            f"no room left to write {path} ({error}); what was there before is untouched: "
            "free some space and run the same command again"
        ) from error


def _is_full(error: Exception) -> bool:
    """Whether a disk was full. safetensors says so in an error of its own, with the system's number in its text."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return type(error).__name__ == "SafetensorError" and any(f"(os error {number})" in str(error) for number in FULL)


def write_atomically(path: Path | str, data: bytes | str) -> None:
    """Write ``data`` under a temporary name, then move it over ``path``: a kill leaves the old file or the new one."""
    with new_file(path) as stream:
        stream.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def new_file(path: Path | str) -> Iterator[BinaryIO]:
    """A stream to a temporary file that takes the place of ``path`` when the block ends well, and vanishes when it does not."""
    path = Path(path)
    with _speaking_of_full_disks(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path | str) -> Iterator[Path]:
    """A temporary folder that takes the place of ``path`` when the block ends well, and vanishes when it does not."""
    path = Path(path)
    with _speaking_of_full_disks(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield fresh
            os.chmod(fresh, 0o755)
            _take_the_place(fresh, path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _take_the_place(fresh: Path, path: Path) -> None:
    old = fresh.with_name(fresh.name + ".old")
    if path.exists():
        os.replace(path, old)
    try:
        os.replace(fresh, path)
    except OSError:
        if old.exists():
            os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def put_back(path: Path) -> None:
    """After a kill inside ``new_folder``: bring back a folder that was moved aside, and remove what was half written."""
    if not path.parent.is_dir():
        return
    left = sorted(path.parent.glob(f".{path.name}.*"), key=lambda p: p.suffix != ".old")
    for folder in left:
        if folder.suffix == ".old" and not path.exists():
            with suppress(FileNotFoundError):  # another process of the same run was faster
                os.replace(folder, path)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def sha256(path: Path | str) -> str:
    """Hex digest of a file, or of a folder's files with their names."""
    path = Path(path)
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    digest = hashlib.sha256()
    for part in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{part.relative_to(path).as_posix()}\0{sha256(part)}\n".encode())
    return digest.hexdigest()


def checkout() -> Path:
    """Root of the checkout that holds this package.

    Raises:
        UserError: the package was installed without its checkout, so there are no notebooks to run.
    """
    root = ROOT
    if not (root / "workflow" / "notebooks.yaml").is_file():
        raise UserError(
            f"no notebooks beside the package in {root}; 'jtcse reproduce' and 'jtcse race' run in a checkout: clone the "
            'repository and install it from there with pip install -e ".[book]"'
        )
    return root


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in ANSI.sub("", text).splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
