"""Cards of the compared systems as Markdown: prose, settings, printed and measured scores; for pages and ``jtcse systems show``.

What the race of a profile measured is read from its record, by metrics named ``race/<system>/...`` (``experiments/race``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jtcse.core.config import load_settings
from jtcse.core.record import Metric, RunRecord
from jtcse.core.run import Run
from jtcse.experiments.table1 import RACE
from jtcse.pages.furniture.elements import Words, ranged
from jtcse.pages.furniture.tables import plain
from jtcse.paper.ledger import all_records
from jtcse.paper.printed import printed_text, table, values
from jtcse.systems.cards import Card, card, cards
from jtcse.systems.released import released, weights_markdown
from jtcse.systems.settings import HALVES, Backbone, fragment, published_values, setting_sources

if TYPE_CHECKING:
    from IPython.display import Markdown

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

    found = _races(records(this_run.workspace.root))
    head = ["system", "year", *(f"printed, {half}" for half in HALVES.values()), *(f"race, {name}" for name in found)]
    rows = []
    for one in _family(family):
        printed = [printed_average(one, backbone) or "–" for backbone in HALVES]
        measured = [_average(one, metrics) for metrics in found.values()]
        rows.append((f"[{one.head.title}](#{ANCHOR}{one.name})", str(one.head.year), *printed, *measured))
    return Markdown(_rows(head, rows))


def family_words(family: str, this_run: Run) -> Words:
    """What a family's page says in a sentence: counts over its cards and the race's records, and how many systems training
    improves."""
    found, members = _races(records(this_run.workspace.root)), _family(family)
    raced = [one for one in members if any(_own(one, "average") in metrics for metrics in found.values())]
    said = []
    for profile, metrics in found.items():
        pairs = [(metrics.get(_own(one, "start")), metrics.get(_own(one, "dev"))) for one in members]
        known = [(before.value, after.value) for before, after in pairs if before and after]
        better = f"{sum(after > before for before, after in known)} of {len(known)}"
        words = f"in {profile}, training ends above where it began on the development pairs for {better}"
        said += [words] if known else []
    with_weights = sum(bool(released(one.name)) for one in members)
    counts = {"systems": len(members), "released": with_weights, "measured": len(raced)}
    return Words(counts, improved="; ".join(said) or "nothing was run")


def family_metrics(family: str, this_run: Run) -> list[Metric]:
    """How many systems a family has, and how many of them a run record answers for."""
    words = family_words(family, this_run)
    counts = {f"family/{family}/{name}": words[name] for name in ("systems", "released", "measured")}
    return [Metric(name=name, value=n, unit="systems", n=words.systems) for name, n in counts.items()]


def card_markdown(name: str, found: Sequence[RunRecord] | None = None) -> str:
    """A system's card.

    Args:
        name: of the system.
        found: run records; by default the committed ones and those in ``build/``.
    Raises:
        UserError: no such system.
    """
    one, found = card(name), records() if found is None else found
    title = one.head.title
    blocks = [f"## {title} ({one.head.year})", "" if one.head.verified else f"> {UNREAD}"]
    blocks += [f"### Idea of {title}", one.prose["Idea"], f"### Formula of {title}", one.prose["Formula"]]
    blocks += [f"### Settings of {title}", _settings(name), f"### {title} in print", _printed(one)]
    blocks += [f"### {title} measured", _measured(one, found)]
    blocks += [f"### Released weights of {title}", _names(one), one.prose["Checkpoints"]]
    blocks += [f"### Traps of {title}", one.prose["Traps"]]
    return _filled("\n\n".join(block for block in blocks if block), found)


def records(workdir: Path | None = None) -> list[RunRecord]:
    """The committed run records, under those of a workspace or of all in ``build/``."""
    return all_records(workdir=[workdir] if workdir else sorted(Path("build").glob("*"))).records


def printed_average(one: Card, backbone: Backbone) -> str | None:
    """The printed average of the seven tasks, as it stands there; None where Table I has no such row."""
    row = one.head.row.get(backbone)
    return None if row is None else printed_text(f"table1/{HALVES[backbone]}/{row}/7Avg")


# -- parts -----------------------------------------------------------------------------------------------------


def _family(family: str) -> list[Card]:
    return [one for one in cards() if one.head.family == family]


def _races(found: Iterable[RunRecord]) -> dict[str, dict[str, Metric]]:
    """The metrics of each profile's race by their names, without those of single seeds."""
    races = {record.profile: record.metrics for record in found if record.run == RACE}
    return {profile: {m.name: m for m in races[profile] if m.seed is None} for profile in sorted(races)}


def _own(one: Card, what: str) -> str:
    """The name under which a race records something of a system."""
    return f"{RACE}/{one.name}/{what}"


def _average(one: Card, metrics: dict[str, Metric]) -> str:
    """The mean over seeds with its interval."""
    mean = metrics.get(_own(one, "average"))
    return "–" if mean is None else ranged(mean.value, mean.low, mean.high, ".1f")


def _filled(text: str, found: Iterable[RunRecord]) -> str:
    """What a card says of a race: ``{race}`embedded/flow/dev` `` becomes that metric's value, or *not run*."""
    races = _races(found)

    def value(match: re.Match[str]) -> str:
        profile, _, what = match[1].partition("/")
        metric = races.get(profile, {}).get(f"{RACE}/{what}")
        return "(not run)" if metric is None else f"{metric.value:.1f}"

    return re.sub(r"\{race\}`([\w/]+)`", value, text)


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _settings(name: str) -> str:
    sources, told = setting_sources(name), fragment(name).values
    own, other = published_values(name), published_values(name, "roberta")
    shown = [key for key in own if name == COMMON or key in told["paper"] or key in told["roberta"]]
    differ = any(own[key] != other[key] for key in shown)
    rows = []
    for key in shown:
        # names of files as code: pages would take ``models.py`` for an address
        source = re.sub(r"(?<![`\w/])([\w/]+\.(?:py|sh))\b", r"`\1`", sources.get(key, ""))
        roberta = [plain(other[key]) if own[key] != other[key] else ""] if differ else []
        rows.append((f"`{key}`", plain(own[key]), *roberta, source))
    head = ("setting", "BERT", "RoBERTa", "source") if differ else ("setting", "value", "source")
    return _rows(head, rows) + ("" if name == COMMON else "\n\nEverything else is as for SimCSE.")


def _printed(one: Card) -> str:
    if not one.head.row:
        return "No row of Table I."
    tasks = list(dict.fromkeys(id.rsplit("/", 1)[1] for id in table("table1").index if id.split("/")[2] == "SimCSE"))
    rows, known = [], values().index
    for backbone, row in one.head.row.items():
        ids = [f"table1/{HALVES[backbone]}/{row}/{task}" for task in tasks]
        rows.append((HALVES[backbone], *(printed_text(id) if id in known else "–" for id in ids)))
    return _rows(("Table I", *tasks), rows)


def _measured(one: Card, found: Iterable[RunRecord]) -> str:
    rows = []
    for record in found:
        own = {m.name: m for m in record.metrics if m.name.startswith(_own(one, "")) and m.seed is None}
        if own:
            rows.append(_measured_row(one, record, own))
    if not rows:
        return "Not run: no run record holds a score of it."
    head = ("profile", "average of the seven", "development, before and after", "minutes", "memory, MiB", "run")
    return _rows(head, rows)


def _measured_row(one: Card, record: RunRecord, own: dict[str, Metric]) -> tuple[str, ...]:
    def value(what: str, form: str) -> str:
        metric = own.get(_own(one, what))
        return "–" if metric is None else f"{metric.value:{form}}"

    smaller = load_settings(record.profile).scale == "smaller"
    said = f"{record.profile} (never a reproduction of a printed number)" if smaller else record.profile
    looks = f"{value('start', '.1f')} → {value('dev', '.1f')}"
    run = f"{record.run}, {record.provenance.started[:10]}"
    return said, _average(one, own), looks, value("minutes", ".1f"), value("memory", ".0f"), run


def _names(one: Card) -> str:
    place = one.head.repository
    where = f"Authors' repository: `{place}`." if place else "No repository of the authors found."
    extra = f" Needs beyond the core packages: {', '.join(one.head.requires)}." if one.head.requires else ""
    needs = fragment(one.name).needs
    extra += f" Trained from: {', '.join(needs)}." if needs else ""
    return f"{where} {weights_markdown(one.name)}{extra}"
