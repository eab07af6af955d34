"""Where unlabelled sentences come from, and how they are cleaned.

A source is one of

* ``train-sentences``: both sentences of all pairs in the TRAINING splits of STS-B and SICK-R, no scores;
* ``sickr-sentences``: the same for SICK-R, training, trial and test splits. The paper adds "unlabelled
  SICK-R" to its corpus (Sec. IV.A) and does not say which splits; we read it as the whole set, since SICK
  has no unlabelled part of its own. Test sentences (without scores) are then seen in training: this setting
  is transductive on SICK-R, and the gain in the paper's Table VIII must be read so;
* ``owner/name:file``: a text file in a data set on the hub, such as
  ``princeton-nlp/datasets-for-simcse:wiki1m_for_simcse.txt``;
* a text file on this machine.

Files hold one sentence a line in UTF-8; those that end in ``.gz`` are unpacked as they are read.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from jtcse.core.errors import UserError
from jtcse.core.hub import fetch_file
from jtcse.data import senteval

NAMED = {
    "train-sentences": ("STS-B train", "SICK-R train"),
    "sickr-sentences": ("SICK-R train", "SICK-R trial", "SICK-R"),
}
ON_THE_HUB = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+):(?P<file>[\w./-]+)")
LONGEST = 10_000  # characters; no encoder here reads a tenth of that


def read_source(source: str) -> Iterable[str]:
    """The raw lines of one source.

    Raises:
        UserError: none of the above, a missing or damaged file, a line that is not text, no hub.
    """
    if source in NAMED:
        return senteval.sentences(NAMED[source], senteval.members())
    if Path(source).is_file():
        return text_lines(Path(source))
    if place := ON_THE_HUB.fullmatch(source):
        return text_lines(fetch_file(place["repo"], place["file"], "dataset"))
    raise UserError(
        f"there is no corpus {source!r}; expected a text file (.txt or .txt.gz) on this machine, one on the "
        f"hub as 'owner/name:file', one of {', '.join(sorted(NAMED))}, or several of them joined by ' + '"
    )


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text file, packed by gzip or not; the error for one that is not text names the line."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as stream:
            for number, line in enumerate(stream, start=1):
                yield _text(line, path, number)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not a whole gzip file ({error}); remove it and fetch it again") from error


def _text(line: bytes, path: Path, number: int) -> str:
    if b"\0" in line:
        raise UserError(f"{path}, line {number}, holds a zero byte: a binary file; expected UTF-8 text")
    try:
        return line.decode("utf-8").lstrip("\N{ZERO WIDTH NO-BREAK SPACE}")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}, line {number}, is not UTF-8 text ({error.reason}); convert it") from error


def clean(lines: Iterable[str], notes: list[str]) -> Iterator[str]:
    """Sentences fit for a corpus, in their order.

    Every run of white space (tabs among it) becomes one blank, blank lines and repeated sentences are
    dropped, and a sentence longer than ``LONGEST`` characters is cut at the last word that fits. Repeats are
    known by 64-bit hashes, about 80 bytes a distinct sentence; a million sentences collide with a chance of
    3e-8.

    Args:
        notes: gets one sentence for each kind of change that was made, once all lines are read.
    """
    seen: set[int] = set()
    blank = repeated = cut = 0
    for line in lines:
        text = " ".join(line.split())
        if len(text) > LONGEST:
            text = text[: LONGEST + 1].rsplit(" ", 1)[0][:LONGEST]
            cut += 1
        key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
        if not text:
            blank += 1
        elif key in seen:
            repeated += 1
        else:
            seen.add(key)
            yield text
    kinds = {"blank": blank, "repeated": repeated}
    notes += [f"{number:,} {kind} lines dropped" for kind, number in kinds.items() if number]
    notes += [f"{cut:,} lines longer than {LONGEST:,} characters cut at a word"] * bool(cut)
