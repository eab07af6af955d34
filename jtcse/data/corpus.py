"""Unlabelled text: one sentence a line in a file, read through a memory map, never held as a whole.

A corpus is a cleaned text file. Beside it stand ``<name>.lines.npy``, where each line begins (made on first
use and again when the text has changed), and ``<name>.notes``, what cleaning had to do.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from jtcse.core.errors import UserError
from jtcse.core.files import new_file, write_atomically
from jtcse.data.pairs import evenly_spaced
from jtcse.data.sources import clean, read_source

BLOCK = 1 << 22  # bytes looked at in one go while lines are counted
NEWLINE = ord("\n")


class LineCorpus(Sequence[str]):
    """The lines of a UTF-8 text file: ``len(corpus)``, ``corpus[i]`` and ``corpus[i:j]`` (a list).

    Neither text nor index is read as a whole; both are mapped memory, which the system takes back at need.
    A corpus can be sent to other processes: its path is what is sent.

    Raises:
        UserError: no such file, an empty one, or a line that is not UTF-8 text (when that line is read).
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"there is no corpus {self.path}; expected a text file, one sentence a line")
        if not self.path.stat().st_size:
            raise UserError(f"the corpus {self.path} is empty; expected text, one sentence a line")
        self._starts = _line_starts(self.path)
        with self.path.open("rb") as stream:
            self._text = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(f"line {row} of {len(self)}")
        row %= len(self)
        line = self._text[self._starts[row] : self._starts[row + 1]]
        try:
            return line.rstrip(b"\r\n").decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path}, line {row + 1}, is not UTF-8 text ({error.reason})") from error

    def __reduce__(self) -> tuple[type[LineCorpus], tuple[Path]]:
        return type(self), (self.path,)

    @property
    def notes(self) -> list[str]:
        """What cleaning dropped and cut, one sentence each; empty for a file that was not cleaned here."""
        notes = _beside(self.path, "notes")
        return notes.read_text(encoding="utf-8").splitlines() if notes.is_file() else []


class PairCorpus(LineCorpus):
    """Lines of two tab-separated cells: a sentence and its round trip through another language, ``pairs[i]`` as a tuple.

    Raises:
        UserError: as ``LineCorpus``; a line that has not exactly two cells (when that line is read).
    """

    def __getitem__(self, row: int | slice) -> tuple[str, str] | list[tuple[str, str]]:
        found = super().__getitem__(row)
        if isinstance(row, slice):
            return found
        cells = found.split("\t")
        if len(cells) != 2:
            where = f"{self.path}, line {row % len(self) + 1}"
            raise UserError(f"{where}, has {len(cells)} cells; expected a sentence, a tab and its round trip")
        return cells[0], cells[1]


def open_corpus(spec: str, out: Path | str, *, limit: int | None = None) -> LineCorpus:
    """Gather, clean and write a corpus, then open it.

    Args:
        spec: one source of ``jtcse.data.sources``, or several joined by ``" + "``, in that order.
        out: the text file to write, whole or not at all; an older one is replaced.
        limit: at most so many sentences, evenly spaced over all that were gathered; None for all.
    Raises:
        UserError: an unknown source, a missing, empty or binary file, no hub.
    """
    sources = [part.strip() for part in spec.split(" + ")]
    lines = (line for source in sources for line in read_source(source))
    return write_corpus(lines, out, limit=limit, name=spec)


def write_corpus(
    lines: Iterable[str], out: Path | str, *, limit: int | None = None, name: str = "the corpus"
) -> LineCorpus:
    """Clean sentences (``sources.clean``), write them to ``out`` and open it.

    ``limit`` as above; ``name`` is for the error if no sentence is left.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    if limit is not None:
        return _write_thinned(lines, out, limit, name)
    notes: list[str] = []
    _write_lines(clean(lines, notes), out, notes, name)
    return LineCorpus(out)


def write_pairs(pairs: Iterable[tuple[str, str]], out: Path | str) -> PairCorpus:
    """Write sentences with their round trips, a tab between; white space inside becomes single blanks.

    A round trip that came back empty is replaced by its sentence, and the number of those is noted.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    notes: list[str] = []
    _write_lines(_pair_lines(pairs, notes), out, notes, str(out))
    return PairCorpus(out)


def _pair_lines(pairs: Iterable[tuple[str, str]], notes: list[str]) -> Iterator[str]:
    empty = 0
    for pair in pairs:
        sentence, trip = (" ".join(cell.split()) for cell in pair)
        empty += not trip
        yield f"{sentence}\t{trip or sentence}"
    notes += [f"{empty:,} round trips came back empty and were replaced by their sentence"] * bool(empty)


def _write_thinned(lines: Iterable[str], out: Path, limit: int, name: str) -> LineCorpus:
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        whole = write_corpus(lines, Path(folder) / "whole.txt", name=name)
        rows = evenly_spaced(len(whole), min(limit, len(whole)))
        notes = [*whole.notes, f"{len(rows):,} of {len(whole):,} lines kept, evenly spaced"]
        _write_lines((whole[int(row)] for row in rows), out, notes, name)
    return LineCorpus(out)


def _write_lines(lines: Iterable[str], out: Path, notes: list[str], name: str) -> None:
    """``notes`` may still grow while the lines are drawn."""
    with new_file(out) as stream:
        stream.writelines(line.encode("utf-8") + b"\n" for line in lines)
        if not stream.tell():
            raise UserError(f"{name} has no sentence in it; expected text, one sentence a line")
    write_atomically(_beside(out, "notes"), "".join(f"{note}\n" for note in notes))


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f"{path.name}.{kind}")


def _line_starts(path: Path) -> np.ndarray:
    """(lines + 1,) int64, mapped: where each line begins, and last where the text ends."""
    index = _beside(path, "lines.npy")
    stamp = [path.stat().st_size, path.stat().st_mtime_ns]
    try:
        numbers = np.load(index, mmap_mode="r")
        if numbers[: len(stamp)].tolist() == stamp:
            return np.asarray(numbers[len(stamp) :])
    except (OSError, ValueError):
        pass  # none yet, or one that is cut short
    _write_index(path, index, stamp)
    return np.asarray(np.load(index, mmap_mode="r")[len(stamp) :])


def _write_index(path: Path, index: Path, stamp: list[int]) -> None:
    """Write the stamp of the text (bytes, nanoseconds) and the starts, looked for block by block."""
    text = np.memmap(path, dtype=np.uint8, mode="r")
    ends = [np.flatnonzero(text[at : at + BLOCK] == NEWLINE) + at + 1 for at in range(0, len(text), BLOCK)]
    if text[-1] != NEWLINE:  # the last line may lack its newline
        ends.append([len(text)])
    with new_file(index) as stream:
        np.save(stream, np.concatenate([[*stamp, 0], *ends]))
