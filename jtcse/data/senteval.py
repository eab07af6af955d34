"""SentEval's files of the seven similarity tasks, read straight from the archive in which they are published.

Its rule for a task of SemEval 2012-2016: the subsets are those with an input file, pairs without a gold score
are dropped, and all that is left is ranked together. SICK-R is the test split alone (4,927 pairs).
"""

from __future__ import annotations

import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from jtcse.core.errors import UserError
from jtcse.core.hub import fetch_file

REPOSITORY, ARCHIVE = "princeton-nlp/datasets-for-simcse", "senteval.tar"
DEVELOPMENT = "STS-B dev"
TABLES = {
    "STS-B": "STS/STSBenchmark/sts-test.csv",
    DEVELOPMENT: "STS/STSBenchmark/sts-dev.csv",
    "STS-B train": "STS/STSBenchmark/sts-train.csv",
    "SICK-R": "SICK/SICK_test_annotated.txt",
    "SICK-R trial": "SICK/SICK_trial.txt",
    "SICK-R train": "SICK/SICK_train.txt",
}
Columns = tuple[list[str], list[str], np.ndarray]
BLOCK = tarfile.BLOCKSIZE
AGAIN = "remove it and fetch it again"


def members(folder: Path | None = None) -> dict[str, bytes]:
    """Name to content of the text files in ``folder/senteval.tar`` or, without a folder, in the hub's."""
    path = fetch_file(REPOSITORY, ARCHIVE, "dataset") if folder is None else Path(folder) / ARCHIVE
    return read_members(path, lambda name: name.endswith((".txt", ".csv")))


def task(name: str, files: Mapping[str, bytes]) -> Columns:
    """First sentences, second sentences and gold scores (n,) of ``STS12`` ... ``STS16`` or one of ``TABLES``.

    Raises:
        UserError: a file is missing, or a line has too few cells or a score that is no number.
    """
    if name not in TABLES:
        return _together(subsets(name, files).values())
    rows = [_cells(line, f"{name}, line {i}") for i, line in enumerate(_lines(files, TABLES[name]), start=1)]
    if name.startswith("SICK-R"):  # the first line is a head
        return _columns([(row[1], row[2], row[3]) for row in rows[1:]], f"{name}, pair")
    return _columns([(row[5], row[6], row[4]) for row in rows], f"{name}, pair")


def sentences(names: Iterable[str], files: Mapping[str, bytes]) -> list[str]:
    """Both columns of some of ``TABLES``, pair after pair, without the scores."""
    columns = [task(name, files)[:2] for name in names]
    return [text for first, second in columns for pair in zip(first, second, strict=True) for text in pair]


def number(text: str, where: str) -> float:
    """A score; the error names ``where`` it stands."""
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{where} has the score {text!r}; expected a number") from error


def subsets(name: str, files: Mapping[str, bytes]) -> dict[str, Columns]:
    """The subsets of ``STS12`` ... ``STS16`` by their names, in the order in which ``task`` puts them together."""
    folder = f"STS/{name}-en-test"
    place = re.compile(rf"{re.escape(folder)}/STS\.input\.(.+)\.txt")
    found = sorted(match[1] for match in map(place.fullmatch, files) if match)
    if not found:
        raise UserError(f"{ARCHIVE} holds no {folder}/STS.input.*.txt; remove it and fetch it again")
    return {subset: _subset(folder, subset, files) for subset in found}


def _together(parts: Iterable[Columns]) -> Columns:
    firsts, seconds, gold = zip(*parts, strict=True)
    first, second = ([text for column in columns for text in column] for columns in (firsts, seconds))
    return first, second, np.concatenate(gold)


def _subset(folder: str, subset: str, files: Mapping[str, bytes]) -> Columns:
    pairs = _lines(files, f"{folder}/STS.input.{subset}.txt")
    gold = _lines(files, f"{folder}/STS.gs.{subset}.txt")
    if len(pairs) != len(gold):
        raise UserError(f"{folder} {subset} has {len(pairs)} pairs and {len(gold)} gold lines; fetch it again")
    numbered = enumerate(zip(pairs, gold, strict=True), start=1)
    rows = [(*_cells(pair, f"{folder} {subset}, line {i}", 2)[:2], score) for i, (pair, score) in numbered if score]
    return _columns(rows, f"{folder} {subset}, graded pair")


def _columns(rows: list[tuple[str, str, str]], where: str) -> Columns:
    gold = np.array([number(row[2], f"{where} {i}") for i, row in enumerate(rows, start=1)])
    return [_tokens(row[0]) for row in rows], [_tokens(row[1]) for row in rows], gold


def _lines(files: Mapping[str, bytes], name: str) -> list[str]:
    """Lines end at newlines alone: ``str.splitlines`` would also cut inside some sentences."""
    if name not in files:
        raise UserError(f"{ARCHIVE} holds no {name}; remove it and fetch it again")
    lines = files[name].decode("utf-8").split("\n")
    return [line.rstrip("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def _tokens(text: str) -> str:
    """SentEval cuts at white space, and evaluation joins with single blanks."""
    return " ".join(text.split())


def _cells(line: str, where: str, count: int | None = None) -> list[str]:
    cells = line.split("\t")
    expected = count or (7 if where.startswith("STS-B") else 5)
    if len(cells) < expected:
        raise UserError(f"{where} has {len(cells)} tab-separated cells; expected {expected} or more")
    return cells


# -- the archive, which came from somewhere else ------------------------------------------------------


def read_members(path: Path | str, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The contents of some of an archive's files, in memory; nothing is written, and the archive is not trusted.

    Args:
        path: a tar archive, plain or compressed (gzip, bzip2, xz).
        wanted: a test of a name.
    Returns:
        name within the archive (without a leading ``./``) to content, in the archive's order.
    Raises:
        UserError: no such file, not a tar archive, cut short, a member that is a link or a device or whose path climbs out
            (nothing is written here, but such an archive is not the one that was meant).
    """
    found = {}
    with _opened(Path(path)) as archive:
        for member in _safe_members(archive, path):
            name = str(PurePosixPath(member.name))
            if member.isfile() and wanted(name):
                found[name] = archive.extractfile(member).read()
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
