"""The ledger: every printed value and every claim in exactly one state, computed from run records alone.

``all_records`` reads the records, ``entries`` joins them with the paper's data, ``judging.py`` says what follows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from jtcse.core.config import load_settings, profiles
from jtcse.core.errors import check_choice
from jtcse.core.record import Metric, RunRecord
from jtcse.paper import printed
from jtcse.paper.ledger.all_records import CLAIM, AllRecords, all_records, departures, load_scale
from jtcse.paper.ledger.entry import Entry
from jtcse.paper.ledger.judging import STATES, Evidence, Printed

__all__ = ["STATES", "AllRecords", "Entry", "all_records", "by_place", "counts", "entries", "places", "reference"]


# -- the paper's side ------------------------------------------------------------------------------------------


def places() -> list[str]:
    """Tables, figures and ``prose`` that have printed values, in the order of the paper, and ``claim``."""
    return list(dict.fromkeys(row.place for row in _rows()))


@cache
def reference(id: str) -> str | None:
    """The row of the same table that a value is compared with; None where there is none.

    Raises:
        UserError: no such id.
    """
    place, *parts = id.split("/")
    printed.printed_text(id)
    other = "/".join([place, *_compared(place, parts)])
    return other if other != id and other in _known() else None


def _compared(place: str, parts: list[str]) -> list[str]:
    """The rule of each place: what its values are compared with. The row that all are compared with meets a row of its own."""
    match place, parts:
        case "table1", [backbone, model, task]:
            return [backbone, backbone if model == "SimCSE" else "SimCSE", task]
        case (("table2" | "table3" | "table4" | "table5" | "table6"), [*row, model]):
            return [*row, "JTCSE" if model == "SimCSE" else "SimCSE"]
        case "table7", [model, column]:
            return ["JTCSE-BERT" if model == "EDFSE-BERT" else "EDFSE-BERT", column]
        case "table8", [row, model]:
            return [{"+SICKR": "Wiki1M", "Wiki1M": "+SICKR"}.get(row, row), model]
        case "table9", [count]:
            return ["6" if count == "none" else "none"]
        case "table10", [parts_of_loss]:
            return ["NCE+ICNCE+ICTM" if parts_of_loss == "none" else "none"]
        case "table11", [pooling, model]:
            return ["Avg" if pooling == "CLS" else "CLS", model]
        case "figure7", [model]:
            return ["BERT" if model == "SimCSE" else "SimCSE"]
    return parts


@cache
def _known() -> frozenset[str]:
    return frozenset(printed.values().index)


@cache
def _rows() -> tuple[Printed, ...]:
    """Every printed value and every claim, in the order of the paper."""
    frame = printed.values()
    value = frame["value"].to_dict()
    columns = zip(
        frame.index, frame["place"], frame["text"], frame["kind"], frame["unit"], frame["status"], strict=True
    )
    rows = [
        Printed(
            id, place, text, value[id], kind, unit, status,
            exact=kind == "count" or place == "figure3",
            precision=0.0 if math.isnan(value[id]) else printed.half_unit(text),
            reference=reference(id),
            difference=_printed_difference(id, kind, value),
        )
        for id, place, text, kind, unit, status in columns
    ]  # fmt: skip
    claims = printed.claims()
    return (*rows, *(Printed(id, CLAIM, claims["text"][id], needs=claims["needs"][id]) for id in claims.index))


def _printed_difference(id: str, kind: str, value: dict[str, float]) -> float | None:
    """Value minus that of the reference; a gain is one already. None where either is not printed."""
    other = reference(id)
    if kind != "gain" and other is None:
        return None
    difference = value[id] if kind == "gain" else value[id] - value[other]
    # printed decimals, without those of the subtraction
    return None if math.isnan(difference) else round(difference, 6)


# -- the join --------------------------------------------------------------------------------------------------

Found = dict[tuple[str, str], dict[str, list[Metric]]]  # (profile, metric) to run to its metrics, one a seed
Why = Callable[[str, str], tuple[str, ...]]  # profile and run to what departs from the paper's setting


def entries(records: Iterable[RunRecord], place: str | None = None, profile: str | None = None) -> list[Entry]:
    """The ledger: one entry for each printed value and each claim.

    Args:
        records: as ``all_records`` gives them, one for each profile and run.
        place: a table or figure such as ``table10``, ``prose`` or ``claim``; by default all. A figure whose numbers cannot
            be read has no entries.
        profile: look only at its records.
    Raises:
        UserError: no such place or profile.
    """
    if place is not None:
        check_choice("table or figure of the paper", place, [*printed.TITLES, CLAIM])
    if profile is not None:
        check_choice("profile", profile, profiles())
    chosen = [record for record in records if profile in (None, record.profile)]
    chosen.sort(key=lambda record: (record.provenance.started, record.run))
    found = _by_name(chosen)
    by_key = {(record.profile, record.run): record for record in chosen}
    why = cache(lambda profile, run: departures(by_key[profile, run]))  # few of many records answer for anything
    of = sorted({record.profile for record in chosen}, key=_nearness)
    rows = (row for row in _rows() if place in (None, row.place))
    return [_best(row, [_evidence(row, name, found, why) for name in of]) for row in rows]


def counts(ledger: Sequence[Entry]) -> dict[str, int]:
    """How many entries are in each state, all states named."""
    found = Counter(entry.state for entry in ledger)
    return {state: found[state] for state in STATES}


def by_place(ledger: Iterable[Entry]) -> dict[str, list[Entry]]:
    """The entries of each table, figure, and of the claims."""
    found: dict[str, list[Entry]] = {}
    for entry in ledger:
        found.setdefault(entry.place, []).append(entry)
    return found


def _by_name(records: Iterable[RunRecord]) -> Found:
    found: Found = {}
    for record in records:
        for metric in record.metrics:
            found.setdefault((record.profile, metric.name), {}).setdefault(record.run, []).append(metric)
    return found


def _nearness(profile: str) -> tuple[int, str]:
    """Released checkpoints, own training in the paper's setting, real data, a generated world."""
    generated = load_settings(profile).data.pair_sets == "generated"
    return {"checkpoints": 0, "paper": 1, "smaller": 2 + generated}[load_scale(profile)], profile


def _best(row: Printed, answers: Iterable[Evidence | None]) -> Entry:
    """Of the profiles' answers the one that says most: a compared value, a direction, or why there is none."""
    ledger = [Entry(row, answer) for answer in answers if answer is not None]
    return min(ledger, key=_weight, default=Entry(row))


def _weight(entry: Entry) -> int:
    """Compared as a number; by a measured difference; measured, but without one; not measured."""
    if not entry.state.startswith("direction"):
        return 3 if entry.state == "not run" else 0
    return 1 if entry.difference is not None else 2


def _evidence(row: Printed, profile: str, found: Found, why: Why) -> Evidence | None:
    """What one profile's records say: the value, and the difference to the reference row if it was measured."""
    run, value, seeds = _pick(found.get((profile, row.id), {}), (row.place,))
    if row.kind in (CLAIM, "gain"):
        beside, difference, difference_seeds = run, value, seeds
    else:
        beside, difference, difference_seeds = _pick(_differences(row, profile, found), (run, row.place))
    used = [name for name in dict.fromkeys((run, beside)) if name is not None]
    if not used:
        return None
    scale = load_scale(profile)
    wrong = _wrong_backbone(row, profile) if scale == "paper" else ()
    departed = tuple(dict.fromkeys((*wrong, *(words for name in used for words in why(profile, name)))))
    return Evidence(profile, used[0], scale, departed, value, tuple(seeds), difference, tuple(difference_seeds))


def _differences(row: Printed, profile: str, found: Found) -> dict[str, list[Metric]]:
    """By run, what was measured of a row against its reference; the reverse of it where only that was recorded."""
    if row.reference is None:
        return {}
    reverse = found.get((profile, f"{row.reference}>{row.id}"), {})
    return found.get((profile, f"{row.id}>{row.reference}")) or {
        run: [_negative(metric) for metric in metrics] for run, metrics in reverse.items()
    }


def _negative(metric: Metric) -> Metric:
    low, high = (None if end is None else -end for end in (metric.high, metric.low))
    return metric.model_copy(update={"value": -metric.value, "low": low, "high": high})


def _pick(
    runs: dict[str, list[Metric]], wanted: Iterable[str | None]
) -> tuple[str | None, Metric | None, list[Metric]]:
    """Of the runs with a metric one of ``wanted``, else the latest: (run, the number without a seed, those of seeds)."""
    if not runs:
        return None, None, []
    run = next((name for name in wanted if name in runs), list(runs)[-1])
    seeds = sorted((metric for metric in runs[run] if metric.seed is not None), key=lambda metric: metric.seed or 0)
    mean: Iterator[Metric] = (metric for metric in runs[run] if metric.seed is None)
    return run, next(mean, seeds[0] if len(seeds) == 1 else None), seeds


def _wrong_backbone(row: Printed, profile: str) -> tuple[str, ...]:
    """A row of Table I is answered by an encoder of its half; all other tables are of BERT-base."""
    wanted = row.id.split("/")[1] if row.place == "table1" else "BERT-base"
    name = load_settings(profile).encoder.name.lower()
    here = "RoBERTa-base" if "roberta" in name else "BERT-base" if "bert" in name else name
    return () if here == wanted else (f"profile {profile} trains {here}, the row is {wanted}'s",)
