"""Systems of the race that are rows of Table I, and what the race's record is called: what both its writer and its page know."""

from __future__ import annotations

from collections.abc import Iterable

from jtcse.cards import card
from jtcse.config import Settings
from jtcse.system_settings import backbone_of, systems

RACE = "race"  # the run
RANKING = "ranking/print"  # the metric that holds the rank correlation with print


def rows(names: Iterable[str], settings: Settings) -> dict[str, str]:
    """The profile's half of Table I: row to the system of it; of several with one row the first."""
    backbone, known, found = backbone_of(settings.encoder.name), systems(), {}
    for name in names:
        row = card(name).head.row.get(backbone) if name in known else None
        if row is not None:
            found.setdefault(row, name)
    return found


def printed_averages(names: Iterable[str], settings: Settings) -> dict[str, float]:
    """The printed average of the seven tasks in the profile's half of Table I, of systems that have one."""
    from jtcse.chapters.table1 import SEVEN, backbone
    from jtcse.paper.printed import values

    print_ = values()["value"].dropna()
    ids = {name: f"table1/{backbone(settings)}/{row}/{SEVEN}" for row, name in rows(names, settings).items()}
    return {name: float(print_[id]) for name, id in ids.items() if id in print_.index}
