"""The writer of HTML tables: cells, lines, boxes that scroll, and the style sheet that all of them share (``tables.css``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from jtcse.pages.furniture.elements import beside
from jtcse.paper.ledger.judging import STATES

if TYPE_CHECKING:
    from IPython.display import HTML

LETTERS = dict(zip(STATES, "abcdefg", strict=True))  # class names; short, for there are thousands of cells


class Markup(str):
    """Text that is HTML already; all other text is escaped where it is put in."""


def markup(text: str) -> Markup:
    """The text as HTML."""
    return text if isinstance(text, Markup) else Markup(escape(text))


def small(*texts: str) -> Markup:
    """Small lines under what stands before them; an empty text has none."""
    return Markup("".join(f"<small>{markup(text)}</small>" for text in texts if text))


def link(address: str, text: str) -> Markup:
    """A text that leads to an address."""
    return Markup(f'<a href="{address}">{markup(text)}</a>')


def cell(text: str, kind: str = "", title: str = "") -> Markup:
    """A cell of a table: its class, and what it says when pointed at."""
    told = f' title="{escape(title)}"' if title else ""
    return Markup(f"<td{f' class={kind}' if kind else ''}{told}>{markup(text)}</td>")


def line(name: str, cells: Iterable[str], kind: str = "") -> str:
    """A row of a table by its name; what is no ``cell`` yet becomes a plain one."""
    told = "".join(one if one.startswith("<td") and isinstance(one, Markup) else cell(one) for one in cells)
    return f"<th scope=row{f' class={kind}' if kind else ''}>{markup(name)}</th>{told}"


def box(head: Iterable[str], rows: Iterable[str], label: str) -> str:
    """A table that scrolls inside itself, also by keyboard; ``head`` is plain text, ``rows`` are of ``line``."""
    top = "".join(f"<th scope=col>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    begin = f'<div class=box tabindex=0 role=region aria-label="{escape(label)}">'
    return f"{begin}<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def square(state: str, title: str = "") -> str:
    """One small coloured square that says what it is when pointed at."""
    told = f' title="{escape(title)}"' if title else ""
    return f"<i class={LETTERS[state]}{told}></i>"


def key(counted: Mapping[str, int]) -> str:
    """The legend: each of these states with its square and how many there are."""
    items = (f"<li>{square(state)}{state}: {n:,}</li>" for state, n in counted.items())
    return f"<ul class=key>{''.join(items)}</ul>"


def piece(*parts: str, kind: str = "ledger") -> str:
    """Parts of one output, with their style sheet."""
    return f'<div class="{kind}"><style>{beside("tables.css")}</style>{"".join(parts)}</div>'


def shown(*parts: str, kind: str = "ledger") -> HTML:
    """Parts of one output, for a page to show."""
    from IPython.display import HTML

    return HTML(piece(*parts, kind=kind))


def listed(items: Sequence[str]) -> str:
    """A list with a point an item."""
    return f"<ul>{''.join(f'<li>{markup(item)}</li>' for item in items)}</ul>"
