"""Colours, letters and words that the ledger's pictures and tables share, as HTML.

The colours are Okabe and Ito's, some darkened, which colour-blind readers can tell apart; what contradicts the paper is
striped and what is undecided is hollow, so that no state is told by its colour alone. Everything holds on light and on
dark pages: text keeps the page's colour, tints are transparent.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from jtcse.paper.ledger.judging import STATES

COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#B87A00", "#80808055")
LETTERS = dict(zip(STATES, "abcdefg", strict=True))  # class names; short, for there are thousands of cells
STRIPED, HOLLOW = ("not reproduced", "direction disagrees"), ("direction undecided",)
LAYOUT = """
.ledger{font-size:.9em;line-height:1.4;margin:.6em 0}
.ledger i{display:inline-block;width:9px;height:9px;margin:0 1px 1px 0;border-radius:2px;vertical-align:middle}
.ledger .key{display:flex;flex-wrap:wrap;gap:.15em 1em;list-style:none;padding:0;margin:.3em 0}
.ledger .key li{margin:0}
.ledger .key i{width:12px;height:12px;margin-right:.35em}
.ledger .strip{display:block;color:inherit;text-decoration:none;margin:.45em 0;line-height:10px}
.ledger a.strip:hover b,.ledger a.strip:focus b{text-decoration:underline}
.ledger .strip b{display:block;line-height:1.5;font-weight:600}
.ledger .strip b span{font-weight:400;opacity:.75}
.ledger .box{overflow:auto;max-height:34em;border:1px solid #80808055;border-radius:4px;margin:.3em 0 .8em}
.ledger .box table{display:table;border-collapse:collapse;width:auto;max-width:none;margin:0;overflow:visible}
.ledger th,.ledger td{padding:.2em .6em;text-align:left;vertical-align:top;white-space:nowrap;border:0}
.ledger th{font-weight:600}
.ledger tr+tr>*{border-top:1px solid #80808033}
.ledger td.words{white-space:normal;min-width:14em;overflow-wrap:anywhere}
.ledger td small{display:block;opacity:.85}
"""


def style() -> str:
    """The style sheet of one piece of the page."""
    rules = [f".ledger i.{LETTERS[state]}{{{_swatch(state, colour)}}}" for state, colour in _coloured()]
    rules += [f".ledger td.{LETTERS[state]}{{background:{_tint(colour)}}}" for state, colour in _coloured()]
    return f"<style>{LAYOUT.strip()}\n{''.join(rules)}</style>"


def _coloured() -> list[tuple[str, str]]:
    return list(zip(STATES, COLOURS, strict=True))


def _swatch(state: str, colour: str) -> str:
    if state in STRIPED:
        return f"background:repeating-linear-gradient(45deg,{colour} 0 2px,#ffffff90 2px 3px)"
    if state in HOLLOW:
        return f"box-shadow:inset 0 0 0 2px {colour}"
    return f"background:{colour}"


def _tint(colour: str) -> str:
    return "transparent" if len(colour) > 7 else f"{colour}38"


def cell(state: str, title: str) -> str:
    """One small coloured square that says what it is when pointed at."""
    return f'<i class={LETTERS[state]} title="{escape(title)}"></i>'


def key(counted: Mapping[str, int]) -> str:
    """The legend: each of these states with its square and how many there are."""
    items = (f"<li><i class={LETTERS[state]}></i>{state}: {n:,}</li>" for state, n in counted.items())
    return f"<ul class=key>{''.join(items)}</ul>"


def piece(*parts: str) -> str:
    """Parts of one output, with their style sheet."""
    return f'<div class="ledger">{style()}{"".join(parts)}</div>'


def box(head: list[str], rows: list[str], label: str) -> str:
    """A table that scrolls inside itself, also by keyboard; ``head`` is plain text, ``rows`` are HTML."""
    top = "".join(f"<th scope=col>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    begin = f'<div class=box tabindex=0 role=region aria-label="{escape(label)}">'
    return f"{begin}<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
