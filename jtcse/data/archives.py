"""Reading tar archives that came from somewhere else, without trusting them."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from jtcse.core.errors import UserError

BLOCK = tarfile.BLOCKSIZE
AGAIN = "remove it and fetch it again"


def read_members(path: Path | str, wanted: Callable[[str], bool] | Iterable[str]) -> dict[str, bytes]:
    """The contents of some of an archive's files, in memory; nothing is written.

    Args:
        path: a tar archive, plain or compressed (gzip, bzip2, xz).
        wanted: the names, every one of which must be there, or a test of a name.
    Returns:
        name within the archive (without a leading ``./``) to content, in the archive's order.
    Raises:
        UserError: no such file, not a tar archive, cut short, a wanted name that is missing, a member that is
            a link or a device or whose path climbs out (nothing is written here, but such an archive is not
            the one that was meant).
    """
    names = None if callable(wanted) else set(wanted)
    keep = wanted if callable(wanted) else names.__contains__
    found = {}
    with _opened(Path(path)) as archive:
        for member in _safe_members(archive, path):
            name = str(PurePosixPath(member.name))
            if member.isfile() and keep(name):
                found[name] = archive.extractfile(member).read()
    missing = sorted((names or set()) - set(found))
    if missing:
        raise UserError(f"{path} holds no {missing[0]!r} ({len(missing)} expected files missing); {AGAIN}")
    return found


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive, with everything that can be wrong with its bytes told in one sentence."""
    if not path.is_file():
        raise UserError(f"there is no archive {path}; check the path")
    try:
        with tarfile.open(path) as archive:
            yield archive
            _check_end(archive, path)
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"{path} is cut short or damaged ({error}); {AGAIN}") from error
    except tarfile.ReadError as error:
        kind = "is cut short" if "unexpected end" in str(error) else "is not a tar archive"
        raise UserError(f"{path} {kind} ({path.stat().st_size:,} bytes: {error}); {AGAIN}") from error


def _safe_members(archive: tarfile.TarFile, path: Path | str) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts:
            raise UserError(f"{path} holds {member.name!r}, a path that climbs out; do not use this archive")
        if not (member.isfile() or member.isdir()):
            raise UserError(f"{path} holds {member.name!r}, a link or a device; expected plain files only")
        yield member


def _check_end(archive: tarfile.TarFile, path: Path) -> None:
    """An archive ends in a block of zeros; ``tarfile`` takes a broken header for the end and says nothing."""
    archive.getmembers()
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(BLOCK) != bytes(BLOCK):
        raise UserError(f"{path} is cut short or damaged ({archive.offset:,} bytes could be read); {AGAIN}")
    while archive.fileobj.read(1 << 20):
        pass  # a compressed archive checks its sum when its last byte is read
