"""Cards of the compared systems as Markdown: prose, settings, printed and measured scores; for pages and ``jtcse systems show``.

What the race of a profile measured is read from its record, by metrics named ``race/<system>/...`` (``jtcse/race``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jtcse.cards import Card, card, cards
from jtcse.config import load_settings
from jtcse.paper.printed import printed_text, table, values
from jtcse.system_settings import Backbone, fragment, published_values, setting_sources

if TYPE_CHECKING:
    from IPython.display import Markdown

    from jtcse.records import RunRecord
    from jtcse.run import Run

HALVES: dict[Backbone, str] = {"bert": "BERT-base", "roberta": "RoBERTa-base"}
UNREAD = "This card is partly from memory: no public text of the paper could be read. Lines that say so are ours to be checked."


def family_page(family: str, this_run: Run) -> Markdown:
    """The cards of a family, one after the other."""
    from IPython.display import Markdown

    found = records(this_run.workspace.root)
    return Markdown("\n\n".join(card_markdown(one.name, found) for one in cards() if one.head.family == family))


def card_markdown(name: str, found: Sequence[RunRecord] | None = None) -> str:
    """A system's card.

    Args:
        name: of the system.
        found: run records; by default the committed ones and those in ``build/``.
    Raises:
        UserError: no such system.
    """
    one = card(name)
    found = records() if found is None else found
    blocks = [f"## {one.head.title} ({one.head.year})"]
    blocks += [] if one.head.verified else [f"> {UNREAD}"]
    for section in ("Idea", "Formula"):
        blocks += [f"### {section} of {one.head.title}", one.prose[section]]
    blocks += [f"### Settings of {one.head.title}", _settings(name)]
    blocks += [f"### {one.head.title} in print", _printed(one)]
    blocks += [f"### {one.head.title} measured", _measured(one, found)]
    blocks += [f"### Released weights of {one.head.title}", _names(one), one.prose["Checkpoints"]]
    blocks += [f"### Traps of {one.head.title}", one.prose["Traps"]]
    return "\n\n".join(block for block in blocks if block)


def records(workdir: Path | None = None) -> list[RunRecord]:
    """The committed run records, under those of a workspace or of all in ``build/``."""
    from jtcse.ledger import shelf

    return shelf(workdir=[workdir] if workdir else sorted(Path("build").glob("*"))).records


def printed_average(one: Card, backbone: Backbone) -> str | None:
    """The printed average of the seven tasks, as it stands there; None where Table I has no such row."""
    row = one.head.row.get(backbone)
    return None if row is None else printed_text(f"table1/{HALVES[backbone]}/{row}/7Avg")


# -- parts -----------------------------------------------------------------------------------------------------


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _settings(name: str) -> str:
    own, sources = published_values(name), setting_sources(name)
    other = published_values(name, "roberta")
    rows = [
        (f"`{key}`", _plain(value), _plain(other[key]) if other[key] != value else "", sources.get(key, ""))
        for key, value in own.items()
    ]
    if all(not row[2] for row in rows):
        return _rows(("setting", "value", "source"), [(a, b, d) for a, b, _, d in rows])
    return _rows(("setting", "BERT", "RoBERTa", "source"), rows)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _printed(one: Card) -> str:
    if not one.head.row:
        return "No row of Table I."
    tasks = [id.rsplit("/", 1)[1] for id in table("table1").index if id.split("/")[2] == "SimCSE"]
    tasks = list(dict.fromkeys(tasks))
    rows = []
    for backbone, row in one.head.row.items():
        ids = [f"table1/{HALVES[backbone]}/{row}/{task}" for task in tasks]
        rows.append((HALVES[backbone], *(printed_text(id) if id in values().index else "–" for id in ids)))
    return _rows(("Table I", *tasks), rows)


def _measured(one: Card, found: Sequence[RunRecord]) -> str:
    rows = []
    for record in found:
        own = {m.name: m for m in record.metrics if m.name.startswith(f"race/{one.name}/") and m.seed is None}
        if own:
            rows.append(_measured_row(one.name, record, own))
    if not rows:
        return "Not run: no run record holds a score of it."
    head = ("profile", "average of the seven", "development, before and after", "minutes", "memory, MiB", "run")
    return _rows(head, rows)


def _measured_row(name: str, record: RunRecord, own: dict) -> tuple[str, ...]:
    def value(what: str, form: str) -> str:
        metric = own.get(f"race/{name}/{what}")
        return "–" if metric is None else form.format(metric.value)

    mean = own.get(f"race/{name}/average")
    score = "–" if mean is None else f"{mean.value:.1f}"
    if mean is not None and mean.low is not None:
        score += f" ({mean.low:.1f} to {mean.high:.1f})"
    dev = f"{value('start', '{:.1f}')} → {value('dev', '{:.1f}')}"
    when = record.provenance.started[:10]
    scale = load_settings(record.profile).scale
    said = record.profile if scale != "smaller" else f"{record.profile} (never a reproduction of a printed number)"
    return said, score, dev, value("minutes", "{:.1f}"), value("memory", "{:.0f}"), f"{record.run}, {when}"


def _names(one: Card) -> str:
    where = (
        f"Authors' repository: `{one.head.repository}`. "
        if one.head.repository
        else "No repository of the authors found. "
    )
    weights = "; ".join(
        f"{key}: " + ", ".join(f"`{name}`" for name in names) for key, names in one.head.checkpoints.items()
    )
    extra = f" Needs beyond the core packages: {', '.join(one.head.requires)}." if one.head.requires else ""
    needs = fragment(one.name).needs
    extra += f" Trained from: {', '.join(needs)}." if needs else ""
    return where + (f"Weights: {weights}." if weights else "No released weights.") + extra
