"""A bounded store of texts' vectors on disk, shared by the tasks and processes that score one encoder.

One SQLite file with a write-ahead log: a killed process leaves it readable, and processes of one machine share it. What is
computed anyway must never fail for want of a cache: every fault of the file ends its use, with one warning. n texts, d width.
"""

from __future__ import annotations

import logging
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np

from jtcse.core.files import FULL
from jtcse.core.store import alone

FORMAT = 1
CHUNK = 900  # names in one question: SQLite before 3.32 takes 999 values
BATCH = 1000  # vectors in one transaction: what a kill loses, and what another process waits for
PATIENCE = 60.0  # seconds that a process waits for another one's transaction
PAGE = 16384  # bytes: five vectors of width 768, where the usual 4096 hold one

# Times of use change with every reading, vectors never: apart, so that a reading writes few pages. ``used`` counts calls.
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE encoders (key TEXT PRIMARY KEY, width INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE texts (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, used INTEGER NOT NULL, size INTEGER NOT NULL);
CREATE TABLE vectors (id INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
CREATE TABLE stored (bytes INTEGER NOT NULL);
INSERT INTO stored VALUES (0);
CREATE INDEX oldest ON texts (used);
CREATE TRIGGER more AFTER INSERT ON texts BEGIN UPDATE stored SET bytes = bytes + new.size; END;
CREATE TRIGGER less AFTER DELETE ON texts BEGIN
    UPDATE stored SET bytes = bytes - old.size;
    DELETE FROM vectors WHERE id = old.id;
END;
PRAGMA user_version = {FORMAT};
COMMIT;
"""

# A broken file also gives values of other types than were written, and messages of SQLite that are no text.
FAULTS = (sqlite3.Error, OSError, TypeError, UnicodeDecodeError)
DELETE = "delete it or move it away, with -wal and -shm beside it, while no other run uses it; a new one is made"
WRITABLE = "let this user write the file and its folder"
SPACE = "free some space on its disk"
NAN = "NaN or infinite vectors are not kept; see whether the encoder's weights and its precision are right"
ADVICE = {
    sqlite3.SQLITE_FULL: SPACE,
    sqlite3.SQLITE_IOERR: f"{SPACE}, or see whether it is sound",
    sqlite3.SQLITE_BUSY: "see which other run holds it",
    sqlite3.SQLITE_READONLY: WRITABLE,
    sqlite3.SQLITE_CANTOPEN: WRITABLE,
    sqlite3.SQLITE_PERM: WRITABLE,
}


class TextCache:
    """Vectors under an encoder's key and their text, at most so many bytes; what was not used for longest goes first.

    One object is for one thread. The file is not for network disks, whose locks the log cannot use. A file that is broken or
    no cache is left as it is: another process may have it open, and it may be somebody's.

    Args:
        path: the file; ``-wal`` and ``-shm`` beside it are SQLite's, ``.lock`` is held while it is opened.
        limit: bytes of vectors kept, four for each number. Names, times and free room come on top, a tenth or so at width
            768, and some 20 MB of log while it is open; the file does not shrink, room that comes free is used again.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = Path(path), limit
        self._said: set[str] = set()
        self._file: sqlite3.Connection | None = None
        with self._or_without():
            self._file = _opened(self.path)

    def get(self, key: str, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """The (d,) float32 vectors, read-only, of those texts that are kept; all that are found count as used now.

        Args:
            key: hash of the encoder: everything that decides its vectors.
        """
        found: dict[str, np.ndarray] = {}
        with self._or_without():
            width = self._width(key)
            names = {_name(key, text): text for text in (texts if width else ())}
            found.update((names[name], vector) for name, vector in self._sound(list(names), width))
            self._touch([name for name, text in names.items() if text in found])
        return found

    def put(self, key: str, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Keep (n, d) vectors in float32, in the place of those that were kept of the same texts.

        A vector with NaN or infinite numbers is not kept.

        Raises:
            ValueError: not one row for each text.
        """
        if np.ndim(vectors) != 2 or len(texts) != len(vectors):
            raise ValueError(f"{len(texts)} texts and vectors of shape {np.shape(vectors)}")
        for start in range(0, len(texts), BATCH):
            values = np.asarray(vectors[start : start + BATCH]).astype("<f4")
            finite = np.isfinite(values).all(axis=1)
            if not finite.all():
                self._say(NAN)
            named = zip(texts[start : start + BATCH], values, finite, strict=True)
            kept = {_name(key, text): value.tobytes() for text, value, fine in named if fine}
            with self._or_without():
                self._write(key, values.shape[1], kept)

    def close(self) -> None:
        """Let go of the file; after it nothing is found and nothing kept."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()

    def __enter__(self) -> TextCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what may fail ---------------------------------------------------------------------------------------

    @contextmanager
    def _or_without(self) -> Iterator[None]:
        """A block that ends at the file's first fault, which is also the end of its use."""
        try:
            yield
        except FAULTS as error:
            self.close()
            self._say(f"vectors of texts are computed without this cache from here on ({error}); {_advice(error)}")

    def _say(self, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            logging.getLogger(__name__).warning("%s: %s", self.path, words)

    def _width(self, key: str) -> int:
        """Width of an encoder's vectors; 0 where none are kept, or no file is open."""
        if self._file is None:
            return 0
        row = self._file.execute("SELECT width FROM encoders WHERE key = ?", (key,)).fetchone()
        return row[0] if row else 0

    def _sound(self, names: list[bytes], width: int) -> Iterator[tuple[bytes, np.ndarray]]:
        """Those that are kept and still what was written."""
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            question = "SELECT name, checksum, value FROM texts JOIN vectors USING (id) WHERE name IN (%s)"
            for name, checksum, value in self._file.execute(question % ",".join("?" * len(chunk)), chunk).fetchall():
                if isinstance(value, bytes) and len(value) == 4 * width and checksum == _checksum(name, value):
                    yield name, np.frombuffer(value, dtype="<f4")
                else:
                    self._say(f"vectors in it are not what was written, and are computed again; {DELETE}")

    def _touch(self, names: list[bytes]) -> None:
        if not names:
            return
        with self._file as file:
            file.execute("BEGIN IMMEDIATE")
            now = _next(file, "used")
            file.executemany("UPDATE texts SET used = ? WHERE name = ?", ((now, name) for name in names))

    def _write(self, key: str, width: int, values: dict[bytes, bytes]) -> None:
        """One transaction: the vectors go in, and the oldest out until the limit is held."""
        if self._file is None or not values:
            return
        with self._file as file:
            file.execute("BEGIN IMMEDIATE")
            file.execute("INSERT OR IGNORE INTO encoders VALUES (?, ?)", (key, width))
            if self._width(key) != width:
                raise sqlite3.DataError(f"vectors of one encoder have widths {self._width(key)} and {width}")
            file.executemany("DELETE FROM texts WHERE name = ?", ((name,) for name in values))
            now, first = _next(file, "used"), _next(file, "id")
            rows = [(first + i, name, value) for i, (name, value) in enumerate(values.items())]
            file.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", ((i, name, now, len(v)) for i, name, v in rows))
            summed = ((i, _checksum(name, v), v) for i, name, v in rows)
            file.executemany("INSERT INTO vectors VALUES (?, ?, ?)", summed)
            _hold(file, self.limit)


def _opened(path: Path) -> sqlite3.Connection:
    """The file, made where there is none.

    Raises:
        sqlite3.Error, OSError: no file of this format, or none that can be written.
    """
    with alone(path):  # two processes cannot both turn the log on
        file = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        try:
            (found,) = file.execute("PRAGMA user_version").fetchone()
            if found == 0 and not file.execute("SELECT 1 FROM sqlite_master").fetchone():
                file.execute(f"PRAGMA page_size = {PAGE}")
                file.execute("PRAGMA journal_mode = WAL")
                file.executescript(SCHEMA)
            elif found != FORMAT:
                raise sqlite3.DatabaseError(f"its format is {found}, not {FORMAT}")
            file.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose the last transactions, no more
            file.execute("PRAGMA cache_size = -65536")  # KiB: the names of a million texts
        except BaseException:
            file.close()
            raise
    return file


def _advice(error: Exception) -> str:
    if isinstance(error, OSError):
        return SPACE if error.errno in FULL else WRITABLE
    return ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, DELETE)


def _name(key: str, text: str) -> bytes:
    """16 bytes that stand for an encoder and a text; lone surrogates are texts like others."""
    encoder = blake2b(key.encode(), digest_size=32).digest()
    return blake2b(text.encode("utf8", "surrogatepass"), digest_size=16, key=encoder).digest()


def _checksum(name: bytes, value: bytes) -> int:
    """Of a vector and its name: SQLite itself does not notice a changed byte, nor a name that points elsewhere."""
    return zlib.crc32(value, zlib.crc32(name))


def _next(file: sqlite3.Connection, column: str) -> int:
    return file.execute(f"SELECT ifnull(max({column}), 0) + 1 FROM texts").fetchone()[0]


def _hold(file: sqlite3.Connection, limit: int) -> None:
    """Take out what was not used for longest, the earlier written first, until at most ``limit`` bytes are left."""
    (stored,) = file.execute("SELECT total(bytes) FROM stored").fetchone()
    gone = []
    oldest = file.execute("SELECT id, size FROM texts ORDER BY used, id")
    while stored > limit and (row := oldest.fetchone()):
        gone.append(row[:1])
        stored -= row[1]
    oldest.close()
    file.executemany("DELETE FROM texts WHERE id = ?", gone)
