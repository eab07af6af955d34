"""No result is typed into prose: finds digits in pages and notebooks that neither a run nor the paper's data puts there.

A sentence gets a measured number by ``{glue:text}`name``` and a printed one by ``{printed}`id```. Both are taken out before the
search, and so are code, mathematics, links and citations. What digits are left must be named in ``ALLOWED``, with a reason.
``python -m jtcse.pipeline.prose_check`` checks a checkout.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jtcse.core.errors import UserError
from jtcse.core.files import checkout


class Allowed(NamedTuple):
    """Digits that may stand in prose, and why."""

    pattern: str
    reason: str


class Finding(NamedTuple):
    """A number in prose: file and cell, line from 1 (within the cell), the number, the line it stands in."""

    place: str
    line: int
    number: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}, line {self.line}: {self.number!r} in: {self.text}"


_SERIES = r"{0}(?:(?:,| to|,? and|,? or|[-\N{{EN DASH}}])\s{{0,2}}{0})*\b(?![.,]?\d)(?!\s*%|\s+points?\b)"
_TO_11, _TO_17, _ONE_TWO = (_SERIES.format(number) for number in (r"(?:1[01]|[1-9])", r"(?:1[0-7]|[1-9])", "[12]"))
ALLOWED = (
    Allowed(rf"\bTables?\s+{_TO_11}", "names of the paper's tables"),
    Allowed(rf"\bFig(?:s?\.|ures?)\s+{_TO_11}", "names of the paper's figures"),
    Allowed(rf"\bEq(?:s?\.|uations?)\s+{_TO_17}", "names of the paper's equations"),
    Allowed(rf"\b[Ff]ootnotes?\s+{_TO_17}", "names of the paper's footnotes"),
    Allowed(rf"\b(?:[Ss]tage|[Tt]ower|[Vv]iew)s?\s+{_ONE_TWO}", "names of the two stages, towers and views"),
    Allowed(r"\bC(?:0[1-9]|[1-4]\d|50)\b", "names of claims"),
    Allowed(r"\bSTS(?:1[2-7]|22(?:\.v2)?)\b", "names of tasks"),
    Allowed(r"\b(?:all-MiniLM-L6-v2|Wiki1M|RoBERTa-base|BUCC\.v2|F1|T2|L2|UTF-8|A4|H200|BM25)\b", "names with a digit"),
    Allowed(r"@(?:1|5|10)\b", "cut-offs in the names of retrieval metrics"),
    Allowed(r"\b95\s+%\s+(?=(?:\w+\s+)?intervals?\b)", "the convention for intervals, the same on every page"),
    Allowed(r"\b80\s+%\s+(?=power\b)", "the convention for power, the same on every page"),
    Allowed(r"\b90°", "the right angle"),
    Allowed(
        r"\b(?:(?:Python|PyTorch|transformers|CUDA|Snakemake)\s+\d+(?:\.\w+)*|mteb\s+\d+\.(?:x|\d+\.\d+))\b",
        "versions of tools",
    ),
    Allowed(r"\b(?:19[5-9]|20[0-4])\d\b(?!\s+[a-z])(?![.,]\d)", "years"),
    Allowed(r"(?m)^\s*\d+\.\s(?=\s*\S)", "places in a numbered list"),
)
"""Digits that are no results. A pattern is matched after code, roles, mathematics and links are gone."""

_WORD = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|"
    "half an?|a (?:half|third|quarter|tenth|hundredth)(?: of an?)?"
)
NUMBER = re.compile(
    r"[-+±\N{MINUS SIGN}]?\d[\d.,]*\d|\d"  # a run of digits, its sign and separators with it
    rf"|\b(?:{_WORD})(?: and a half)?[ \n](?:points|per ?cent)\b"
    r"|\b(?:one|a|half a)[ \n]point[ \n](?:better|worse|higher|lower|more|less|above|below|ahead|behind|of)\b"
    rf"|\b(?:{_WORD})(?:[ -]fold\b|[ \n]times[ \n](?:as|better|worse|higher|lower|faster|slower|larger|smaller)\b)"
    r"|\b(?:twice|thrice)[ \n]as[ \n](?:good|high|low|fast|slow|large|small)\b"
    rf"|\b(?:better|worse|higher|lower|gains?|loses?)[ \n]by[ \n](?:{_WORD})\b",
    re.IGNORECASE,
)
FILLED_ROLES = ("glue:text", "glue", "printed")  # a run or the paper's data puts their numbers in
NAMING_ROLES = ("cite", "cite:p", "cite:t", "ref", "numref", "eq", "doc", "math", "func", "mod", "class")
TALKING_DIRECTIVES = ("admonition", "note", "tip", "important", "warning", "caution", "hint", "seealso", "margin")
TALKING_DIRECTIVES += ("dropdown", "epigraph", "sidebar", "topic")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,}|:{3,})\s*(?:\{([\w:-]+)\})?(.*)$")
_OPTION = re.compile(r"^\s*:[\w-]+:.*$")
_SPAN = re.compile(r"(?:\{([\w:.-]+)\})?(?<!`)(`+)(?!`)((?:[^\n]|\n(?!\s*\n))+?)(?<!`)\2(?!`)")
_FORMULA = re.compile(r"(?<!\\)\$\$(.+?)\$\$|(?<![\\$])\$(?=\S)((?:[^$\n]|\n(?!\s*\n))+?)(?<=\S)\$", re.DOTALL)
_ADDRESS = re.compile(
    r"(?<=\])\([^)\s]*(?:\s+\"[^\"]*\")?\)|<!--.*?-->|</?[a-zA-Z][^<>]*>|<?https?://[^\s>)]+>?|^\([\w-]+\)=$",
    re.S | re.M,
)
# a number dressed up as code or mathematics
_BARE = re.compile(r"(?![01]$)\s*[-+±<>~\N{MINUS SIGN}]?\s*\d[\d.,\s]*\\?%?\s*")


def findings(text: str, place: str = "text") -> list[Finding]:
    """Numbers in the prose of a Markdown text that ``ALLOWED`` does not know."""
    left, lines = prose(text), text.splitlines()
    for allowed in ALLOWED:
        left = re.sub(allowed.pattern, _blank, left)
    rows = ((left.count("\n", 0, match.start()), match[0]) for match in NUMBER.finditer(left))
    return [Finding(place, row + 1, " ".join(number.split()), lines[row].strip()) for row, number in rows]


def prose(text: str) -> str:
    """A Markdown text of the same length and lines in which only what is said in words is left."""
    text = _SPAN.sub(_without_span, _without_blocks(text))
    text = _FORMULA.sub(lambda match: match[0] if _BARE.fullmatch(match[1] or match[2]) else _blank(match), text)
    return _ADDRESS.sub(_blank, text)


def _blank(match: re.Match[str] | str) -> str:
    """As many spaces, so that places and lines stay."""
    return re.sub(r"[^\n]", " ", match if isinstance(match, str) else match[0])


def _without_span(match: re.Match[str]) -> str:
    """Roles and code spans go, but for roles that show their text as it is and for code that is nothing but a number."""
    role, content = match[1], match[3]
    talks = role not in (*FILLED_ROLES, *NAMING_ROLES) if role else _BARE.fullmatch(content)
    if not talks:
        return _blank(match)
    before = match[0].index(content)
    return " " * before + content + " " * (len(match[0]) - before - len(content))


def _without_blocks(text: str) -> str:
    """Fenced blocks go; of directives that hold prose only the fence and the options do."""
    kept, fences, head = [], [], False
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        silent = bool(fences) and not fences[-1][1]
        if fences and fence and fence[1].startswith(fences[-1][0]) and not fence[2] and not fence[3].strip():
            fences.pop()
            line = _blank(line)
        elif fence and not silent and "`" not in fence[3]:
            fences.append((fence[1], fence[2] in TALKING_DIRECTIVES))
            head = True
            line = _blank(line[: fence.start(3)]) + (fence[3] if fences[-1][1] else _blank(fence[3]))
        else:
            head = head and bool(_OPTION.match(line))
            line = _blank(line) if silent or head else line
        kept.append(line)
    return "\n".join(kept)


def check(root: Path | str) -> list[Finding]:
    """Every finding in the notebooks' Markdown cells and the book's pages of a checkout, in order of their names.

    Raises:
        UserError: there is neither a notebook nor a page, or a notebook cannot be read.
    """
    texts = list(_texts(Path(root)))
    if not texts:
        raise UserError(f"found neither notebooks/*.ipynb nor book/*.md under {root}; name the root of a checkout")
    return [finding for place, text in texts for finding in findings(text, place)]


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(root.glob("book/*.md")):
        yield path.relative_to(root).as_posix(), path.read_text(encoding="utf8")
    for path in sorted(root.glob("notebooks/*.ipynb")):
        name = path.relative_to(root).as_posix()
        try:
            cells = json.loads(path.read_text(encoding="utf8"))["cells"]
        except (json.JSONDecodeError, KeyError) as error:
            raise UserError(f"{name} is not a whole notebook ({error}); restore it") from error
        for number, cell in enumerate(cells):
            if cell["cell_type"] == "markdown":
                yield f"{name}, cell {cell.get('id', number)}", "".join(cell["source"])


def main(words: list[str] | None = None) -> int:
    """The command line of this module: findings, one a line; exit status 1 where there are any."""
    parser = argparse.ArgumentParser(
        prog="python -m jtcse.pipeline.prose_check", description="Find results typed into prose."
    )
    parser.add_argument("root", nargs="?", type=Path, help="the checkout; by default the one of this package")
    try:
        found = check(parser.parse_args(words).root or checkout())
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    for finding in found:
        print(finding)
    print(f"{len(found)} numbers typed into prose" if found else "no number is typed into prose")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
