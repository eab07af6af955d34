"""Draws an ``Architecture`` as SVG: text stays text, colours hold on light and on dark pages, a phone's width is enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from jtcse.method.architecture import ROMAN, Architecture, Attention

if TYPE_CHECKING:
    from IPython.display import HTML

WIDTH = 360  # of the drawing's own units; a phone shows about one pixel a unit
BOX = {1: (6, 112), 2: (248, 354)}  # left and right edge of each tower
LANE = {1: 150, 2: 210}  # where each tower's cross stream runs
COLUMN = {"h_1": 28, "p_1": 84, "c_1": 150, "c_2": 210, "p_2": 276, "h_2": 332}  # of each vector
PARTS = {
    "infonce_1": "InfoNCE, tower I",
    "infonce_2": "InfoNCE, tower II",
    "icnce_hidden": "ICNCE, hidden states",
    "icnce_cross": "ICNCE, cross stream",
    "ictm": "ICTM",
}
RADIUS = 10  # of a step of the cross stream
PLAIN, ARROWS, STEP = 22, 16, 26  # heights: a layer, an arrow between main streams, a step of a cross stream
STYLE = """
.architecture{margin:.6em 0;max-width:30rem}
.architecture svg{width:100%;height:auto;display:block}
.architecture figcaption{font-size:.9em}
.architecture text{fill:currentColor;font:12px sans-serif;text-anchor:middle;dominant-baseline:central}
.architecture .small{font-size:11px}
.architecture rect{fill:#8080801f;stroke:currentColor;stroke-opacity:.6}
.architecture .cael{fill:#e69f0059;stroke:#b87a00;stroke-opacity:1;stroke-width:1.6}
.architecture .main{stroke:currentColor}
.architecture .guide{stroke:currentColor;stroke-opacity:.25}
.architecture .part{stroke:currentColor;stroke-width:1.6}
.architecture .qk{stroke:#1e88cf;stroke-width:2}
.architecture .v{stroke:#d55e00;stroke-width:2}
.architecture .stream{stroke:#0a9e74;stroke-width:2}
.architecture circle{fill:#0a9e74;stroke:none}
.architecture .reads{fill:currentColor}
.architecture .rest{stroke-dasharray:4 3}
.architecture path{fill:none}
.architecture .tip-qk{fill:#1e88cf}.architecture .tip-v{fill:#d55e00}
.architecture b.qk{color:#1e88cf}.architecture b.v{color:#d55e00}.architecture b.stream{color:#0a9e74}
""".strip()


@dataclass
class _Sheet:
    """Elements so far, and how far down they reach."""

    y: float = 6
    elements: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, kind: str = "") -> None:
        self.elements.append(f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>')

    def box(self, left: float, right: float, height: float, kind: str) -> None:
        """From the present height down."""
        size = f'width="{right - left:g}" height="{height:g}" rx="4"'
        self.elements.append(f'<rect x="{left:g}" y="{self.y:g}" {size} class="{kind}"/>')

    def line(self, points: list[tuple[float, float]], kind: str) -> None:
        self.elements.append(f'<path d="M{" L".join(f"{x:g},{y:g}" for x, y in points)}" class="{kind}"/>')

    def arrow(self, start: float, end: float, y: float, kind: str, words: str) -> None:
        """A level arrow with its word near the start."""
        way = 1 if end > start else -1
        self.line([(start, y), (end - 6 * way, y)], kind)
        tip = f"{end:g},{y:g} {end - 7 * way:g},{y - 4:g} {end - 7 * way:g},{y + 4:g}"
        self.elements.append(f'<polygon points="{tip}" class="tip-{kind}"/>')
        self.text(start + 13 * way, y - 8, words, "small")

    def dot(self, x: float, y: float, radius: float, kind: str) -> None:
        self.elements.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="{kind}"/>')


def drawing(found: Architecture) -> str:
    """The whole twin as one SVG element: losses above, tokens below, layers counted from below as in Fig. 4."""
    sheet = _Sheet()
    _parts(sheet, found)
    _vectors(sheet, found)
    _poolers(sheet, found)
    below: dict[int, float] = {}  # where each tower's cross stream has come to
    for layer in range(found.depth, 0, -1):
        _layer(sheet, found, layer, below)
    _inputs(sheet)
    title = escape(f"A twin of {found.depth} layers")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {sheet.y:g}" role="img">'
    return f"{head}<title>{title}</title><desc>{escape(told(found))}</desc>{''.join(sheet.elements)}</svg>"


def told(found: Architecture) -> str:
    """The drawing in words, for those who cannot see it."""
    layers = ", ".join(map(str, found.crossing())) or "none"
    parts = "; ".join(f"{PARTS.get(part, part)} reads {', '.join(read)}" for part, read in found.parts.items())
    return (
        f"Two towers of {found.depth} layers with {found.heads} heads. Layers named CAEL: "
        f"{', '.join(map(str, found.caels)) or 'none'}; layers where something crosses between the towers: {layers}. {parts}."
    )


def figure(found: Architecture, title: str) -> HTML:
    """The drawing with its caption, for a page."""
    from IPython.display import HTML

    key = [f"<strong>{escape(title)}</strong> {found.depth} layers, {found.heads} heads, width {found.width}."]
    if found.caels:
        key.append("Filled: layers named CAEL.")
    if found.crossing():
        key.append(
            'Arrows: <b class="qk">Q, K</b> of the own tower, <b class="v">V</b> of the other, as far as they cross.'
        )
    if any(a.rows == "[CLS]" for a in found.attentions):
        key.append(
            'Dots: <b class="stream">the cross stream</b> of [CLS]; broken: the layer input that it starts from.'
        )
    caption = " ".join(key)
    return HTML(
        f'<style>{STYLE}</style><figure class="architecture">{drawing(found)}<figcaption>{caption}</figcaption></figure>'
    )


def _parts(sheet: _Sheet, found: Architecture) -> None:
    """A line a part of the loss, with a dot over each vector that it reads."""
    bottom = sheet.y + 32 * len(found.parts)
    for vector in found.vectors:
        sheet.line([(COLUMN[vector], sheet.y + 10), (COLUMN[vector], bottom)], "guide")
    for part, read in found.parts.items():
        columns = [COLUMN[vector] for vector in read]
        sheet.text(min(max(sum(columns) / len(columns), 56), WIDTH - 56), sheet.y + 8, PARTS.get(part, part))
        sheet.line([(min(columns), sheet.y + 22), (max(columns), sheet.y + 22)], "part")
        for x in columns:
            sheet.dot(x, sheet.y + 22, 4, "reads")
        sheet.y += 32


def _vectors(sheet: _Sheet, found: Architecture) -> None:
    for vector in found.vectors:
        kind, tower = vector.split("_")
        sheet.text(COLUMN[vector], sheet.y + 10, f"{kind} {ROMAN[int(tower)]}")
    sheet.y += 22


def _poolers(sheet: _Sheet, found: Architecture) -> None:
    """Pooler boxes, and [CLS] of the last hidden states going up beside them."""
    for tower in (1, 2):
        h, p = COLUMN[f"h_{tower}"], COLUMN[f"p_{tower}"]
        sheet.line([(h, sheet.y), (h, sheet.y + 28)], "main")
        if tower in found.poolers:
            sheet.line([(p, sheet.y - 2), (p, sheet.y)], "main")
            sheet.line([(p, sheet.y + 20), (p, sheet.y + 28)], "main")
            sheet.box(p - 26, p + 26, 20, "pooler")
            sheet.text(p, sheet.y + 10, "pooler", "small")
    for tower, x in LANE.items():
        if f"c_{tower}" in found.vectors:
            sheet.line([(x, sheet.y), (x, sheet.y + 28)], "stream")
    sheet.y += 28


def _layer(sheet: _Sheet, found: Architecture, layer: int, below: dict[int, float]) -> None:
    """One layer of both towers, with what crosses at it."""
    calls = {tower: found.of(tower, layer) for tower in (1, 2)}
    steps = [a for tower in (1, 2) for a in calls[tower] if a.rows == "[CLS]"]
    mixed = [a for tower in (1, 2) for a in calls[tower] if a.rows == "all" and a.crosses]
    height = max(PLAIN - 4, ARROWS * len(mixed) + STEP * len(steps) + 8)
    top, is_cael = sheet.y, layer in found.caels
    for left, right in BOX.values():
        sheet.box(left, right, height, "layer cael" if is_cael else "layer")
        sheet.text((left + right) / 2, top + height / 2, f"layer {layer}" + (" CAEL" if is_cael else ""), "small")
        sheet.line([((left + right) / 2, top + height), ((left + right) / 2, top + height + 4)], "main")
    y = top + 12
    for one in mixed:
        other = 3 - one.tower
        sheet.arrow(_inner(other), _inner(one.tower), y, "v", "V")
        y += ARROWS
    for one in steps:
        _step(sheet, one, y + 2, top + height, below)
        y += STEP
    for tower in sorted(set(below) - {a.tower for a in steps}):
        _go_on(sheet, tower, top + height + 4, below)
    sheet.y = top + height + 4


def _inner(tower: int) -> float:
    """The edge of a tower that faces the other one."""
    return BOX[tower][1] if tower == 1 else BOX[tower][0]


def _step(sheet: _Sheet, one: Attention, y: float, bottom: float, below: dict[int, float]) -> None:
    """One step of a tower's cross stream: where Q, K and V come from, and what it is added to."""
    lane = LANE[one.tower]
    if one.tower in below:
        sheet.line([(lane, below.pop(one.tower)), (lane, y)], "stream")
    else:  # the last step: up to the vector that it gives
        sheet.line([(lane, sheet.y), (lane, y)], "stream")
    for names, towers, kind in (("Q K", {*one.query, *one.key}, "qk"), ("V", set(one.value), "v")):
        for tower in sorted(towers):
            edge = _inner(tower)
            sheet.arrow(edge, lane + (RADIUS if edge > lane else -RADIUS), y, kind, names)
    if one.residual == "stream":
        below[one.tower] = y
    else:
        sheet.line([(lane, y), (lane, bottom + 2), (_inner(one.tower), bottom + 2)], "stream rest")
    sheet.dot(lane, y, RADIUS - 2, "step")


def _go_on(sheet: _Sheet, tower: int, y: float, below: dict[int, float]) -> None:
    """The stream passes a layer that leaves it as it is."""
    sheet.line([(LANE[tower], below[tower]), (LANE[tower], y)], "stream")
    below[tower] = y


def _inputs(sheet: _Sheet) -> None:
    for tower, (left, right) in BOX.items():
        sheet.box(left, right, 20, "embedding")
        sheet.text((left + right) / 2, sheet.y + 10, "embeddings", "small")
        sheet.text((left + right) / 2, sheet.y + 46, f"tower {ROMAN[tower]}")
        sheet.line([((left + right) / 2, sheet.y + 20), (WIDTH / 2, sheet.y + 32)], "main")
    sheet.text(WIDTH / 2, sheet.y + 40, "the same tokens", "small")
    sheet.y += 56
