"""Cards of the compared systems as Markdown: prose, settings, printed and measured scores; for pages and ``jtcse systems show``.

What the race of a profile measured is read from its record, by metrics named ``race/<system>/...`` (``jtcse/race``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jtcse.core.config import load_settings
from jtcse.paper.printed import printed_text, table, values
from jtcse.systems.cards import Card, card, cards
from jtcse.systems.released import released, weights_markdown
from jtcse.systems.settings import HALVES, Backbone, fragment, published_values, setting_sources

if TYPE_CHECKING:
    from IPython.display import Markdown

    from jtcse.core.record import Metric, RunRecord
    from jtcse.core.run import Run

RACE = "race"  # the run whose record is read
COMMON = "simcse"  # the card that shows what all share
ANCHOR = "card-"
UNREAD = "This card is partly from memory: no public text of the paper could be read. Lines that say so are ours to be checked."


def family_page(family: str, this_run: Run) -> Markdown:
    """The cards of a family, one after the other."""
    from IPython.display import Markdown

    found = records(this_run.workspace.root)
    return Markdown("\n\n".join(f"({ANCHOR}{one.name})=\n{card_markdown(one.name, found)}" for one in _family(family)))


def family_table(family: str, this_run: Run) -> Markdown:
    """Each system of a family, leading to its card: printed averages, and race averages by profile with 95 % intervals."""
    from IPython.display import Markdown

    found = records(this_run.workspace.root)
    profiles = _profiles(found)
    head = (
        "system",
        "year",
        *(f"printed, {half}" for half in HALVES.values()),
        *(f"race, {name}" for name in profiles),
    )
    rows = []
    for one in _family(family):
        printed = [printed_average(one, backbone) or "–" for backbone in HALVES]
        raced = _averages(one, found)
        measured = [_interval(raced[name]) if name in raced else "–" for name in profiles]
        rows.append((f"[{one.head.title}](#{ANCHOR}{one.name})", str(one.head.year), *printed, *measured))
    return Markdown(_rows(head, rows))


@dataclass(frozen=True)
class FamilyWords:
    """What a family's page says in a sentence: counts, and how many systems training improves."""

    systems: int
    released: int
    measured: int
    improved: str


def family_words(family: str, this_run: Run) -> FamilyWords:
    """Counts over a family's cards and the race's records."""
    found, members = records(this_run.workspace.root), _family(family)
    raced = [one for one in members if _averages(one, found)]
    said = [_improved(profile, members, found) for profile in _profiles(found)]
    return FamilyWords(
        len(members),
        sum(bool(released(one.name)) for one in members),
        len(raced),
        "; ".join(words for words in said if words) or "nothing was run",
    )


def family_metrics(family: str, this_run: Run) -> list[Metric]:
    """How many systems a family has, and how many of them a run record answers for."""
    from jtcse.core.record import Metric

    words = family_words(family, this_run)
    counts = {"systems": words.systems, "released": words.released, "measured": words.measured}
    return [
        Metric(name=f"family/{family}/{name}", value=value, unit="systems", n=words.systems)
        for name, value in counts.items()
    ]


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
    return _filled("\n\n".join(block for block in blocks if block), found)


def records(workdir: Path | None = None) -> list[RunRecord]:
    """The committed run records, under those of a workspace or of all in ``build/``."""
    from jtcse.paper.ledger import all_records

    return all_records(workdir=[workdir] if workdir else sorted(Path("build").glob("*"))).records


def printed_average(one: Card, backbone: Backbone) -> str | None:
    """The printed average of the seven tasks, as it stands there; None where Table I has no such row."""
    row = one.head.row.get(backbone)
    return None if row is None else printed_text(f"table1/{HALVES[backbone]}/{row}/7Avg")


# -- parts -----------------------------------------------------------------------------------------------------


def _filled(text: str, found: Sequence[RunRecord]) -> str:
    """What a card says of a race: ``{race}`embedded/flow/dev` `` becomes that metric's value, or *not run*."""
    values = {
        f"{record.profile}/{m.name.removeprefix('race/')}": m.value
        for record in found
        if record.run == RACE
        for m in record.metrics
        if m.name.startswith("race/") and m.seed is None
    }

    def value(match: re.Match[str]) -> str:
        return f"{values[match[1]]:.1f}" if match[1] in values else "(not run)"

    return re.sub(r"\{race\}`([\w/]+)`", value, text)


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _settings(name: str) -> str:
    sources = setting_sources(name)
    told = fragment(name).values["paper"].keys() | fragment(name).values["roberta"].keys()
    own = {key: value for key, value in published_values(name).items() if key in told or name == COMMON}
    other = published_values(name, "roberta")
    rows = [
        (f"`{key}`", _plain(value), _plain(other[key]) if other[key] != value else "", _with_code(sources.get(key, "")))
        for key, value in own.items()
    ]
    rest = "" if name == COMMON else "\n\nEverything else is as for SimCSE."
    if all(not row[2] for row in rows):
        return _rows(("setting", "value", "source"), [(a, b, d) for a, b, _, d in rows]) + rest
    return _rows(("setting", "BERT", "RoBERTa", "source"), rows) + rest


def _with_code(source: str) -> str:
    """Names of files as code: pages would take ``models.py`` for an address."""
    return re.sub(r"(?<![`\w/])([\w/]+\.(?:py|sh))\b", r"`\1`", source)


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


def _family(family: str) -> list[Card]:
    return [one for one in cards() if one.head.family == family]


def _profiles(found: Sequence[RunRecord]) -> list[str]:
    return sorted({record.profile for record in found if record.run == RACE})


def _averages(one: Card, found: Sequence[RunRecord]) -> dict[str, Metric]:
    """The system's mean score over seeds, by profile."""
    name = f"race/{one.name}/average"
    metrics = [(record.profile, m) for record in found for m in record.metrics if m.name == name and m.seed is None]
    return dict(sorted(metrics, key=lambda pair: pair[0]))


def _interval(mean: Metric) -> str:
    return f"{mean.value:.1f}" + ("" if mean.low is None else f" ({mean.low:.1f} to {mean.high:.1f})")


def _improved(profile: str, members: Sequence[Card], found: Sequence[RunRecord]) -> str:
    """How many systems' development scores end above where they began, in words; nothing where none was run."""
    race = next(record for record in found if (record.run, record.profile) == (RACE, profile))
    scores = {metric.name: metric.value for metric in race.metrics if metric.seed is None}
    pairs = [(scores.get(f"race/{one.name}/start"), scores.get(f"race/{one.name}/dev")) for one in members]
    known = [(before, after) for before, after in pairs if before is not None and after is not None]
    better = sum(after > before for before, after in known)
    words = f"in {profile}, training ends above where it began on the development pairs for {better} of {len(known)}"
    return words if known else ""


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
    score = "–" if mean is None else _interval(mean)
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
    extra = f" Needs beyond the core packages: {', '.join(one.head.requires)}." if one.head.requires else ""
    needs = fragment(one.name).needs
    extra += f" Trained from: {', '.join(needs)}." if needs else ""
    return where + weights_markdown(one.name) + extra
