"""The judges of the claims on Tables I-VI: each computes from the tables, none knows an answer.

Who should be above whom in Table I is data, in ``rankings.yaml``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from importlib.resources import files
from itertools import product
from typing import Any

import yaml

from jtcse.paper.audit.judging import BACKBONES, SERIES, Judged, Tables, above, judge, together
from jtcse.paper.places import LAYOUTS
from jtcse.paper.printed import models

Contest = tuple[str, list[str], list[str]]  # a label, and ids of ours and of the others
RANKINGS = yaml.safe_load((files(__package__) / "rankings.yaml").read_text(encoding="utf8"))
BLOCKS = {
    "table2": "classification",
    "table3": "reranking",
    "table4": "bitext",
    "table5": "STS22.v2",
    "table6": "retrieval",
}
RETRIEVAL_TASKS = 45  # as the text counts them; the tasks themselves are not named


def won(tables: Tables, contests: Sequence[Contest]) -> Judged:
    """Whether ours are above the best of the others in every contest."""
    parts = [(label, *above(tables, ours, others)) for label, ours, others in contests]
    state, numbers, words = together(parts)
    return state, [id for _, ours, others in contests for id in (*ours, max(others, key=tables.value))], numbers, words


def series_against_others(tables: Tables, label: str, everyone: Sequence[str], place: int) -> Contest:
    """The best of the paper's series against all others; ``place`` is that of the system in an id."""
    ours = [id for id in everyone if id.split("/")[place] in SERIES]
    return label, [max(ours, key=tables.value)], [id for id in everyone if id not in ours]


def _contests(tables: Tables, rule: dict[str, Any]) -> Iterator[Contest]:
    """The contests of a rule of ``rankings.yaml``."""
    columns = rule.get("columns", ["7Avg"])
    for backbone, column in product(rule.get("backbones", BACKBONES), columns):
        label = backbone if len(columns) == 1 else f"{backbone} {column}"
        id_of = f"table1/{backbone}/{{}}/{column}".format
        yield from ((label, [id_of(first)], [id_of(second)]) for first, second in rule.get("pairs", []))
        if "ours" in rule:
            everyone = _of_towers(tables.systems(backbone, rule["groups"], column), backbone, rule.get("towers"))
            contest = series_against_others(tables, label, everyone, 2) if rule["ours"] == "best" else None
            others = [id for id in everyone if id.split("/")[2] not in SERIES]
            yield contest or (label, [id_of(model) for model in rule["ours"]], others)


def _of_towers(ids: list[str], backbone: str, towers: int | None) -> list[str]:
    known = models()["towers"]
    return [id for id in ids if towers in (None, known[backbone, id.split("/")[2]])]


def ranked(tables: Tables, claim: str) -> Judged:
    """The verdict on a claim of ``rankings.yaml``."""
    rule = RANKINGS[claim]
    state, ids, numbers, words = won(tables, list(_contests(tables, rule)))
    words = words.replace(", the best of the others", "") if "pairs" in rule else words
    return state, ids, numbers, f"{rule.get('before', '')}{words}{rule.get('behind', '')}"


for _claim in RANKINGS:
    judge(_claim)(partial(ranked, claim=_claim))


@judge("C27")
def _c27(tables: Tables) -> Judged:
    """The best of the series against the best of all others, in the average of each block."""
    contests = []
    for place, words in BLOCKS.items():
        everyone = [f"{place}/{LAYOUTS[place].averages[-1]}/{model}" for model in tables.columns[place]]
        contests.append(series_against_others(tables, words, everyone, 2))
    return won(tables, contests)


@judge("C08")
def _c08(tables: Tables) -> Judged:
    """Mean rank (ties shared) over all tasks of Tables II-V and all metrics of Table VI."""
    import pandas as pd

    systems = tables.columns["table2"]
    cells = {
        f"{place}/{row}": {model: tables.value(f"{place}/{row}/{model}") for model in systems}
        for place in BLOCKS
        for row in tables.rows[place]
    }
    ranks = pd.DataFrame(cells).T.rank(axis=1, ascending=False).mean().sort_values()
    best, other = ranks.index[0], next(model for model in ranks.index if model not in SERIES)
    state = "supported" if best in SERIES else "contradicted"
    words = f"the mean rank over {len(cells)} rows of Tables II-VI is {ranks[best]:.2f} for {best}, the best,"
    return state, [], ranks.to_dict(), f"{words} and {ranks[other]:.2f} for {other}, the best of the others"


def task_count(tables: Tables) -> int:
    """Tasks that Tables II-V name, and the retrieval tasks that the text counts."""
    return sum(len(tables.rows[place]) for place in ("table2", "table3", "table4", "table5")) + RETRIEVAL_TASKS


@judge("C02")
def _c02(tables: Tables) -> Judged:
    state, ids, numbers, words = _c27(tables)
    count = task_count(tables)
    state = state if count > 130 else "contradicted"
    return state, ids, numbers | {"tasks": float(count)}, f"{count} tasks are counted; block averages: {words}"


@judge("C50")
def _c50(tables: Tables) -> Judged:
    state, ids, numbers, words = ranked(tables, "C24")
    count = task_count(tables)
    both = state if (count >= 200) == (state == "supported") else "partly"
    return both, ids, numbers | {"tasks": float(count)}, f"{count} tasks are counted, where hundreds are named; {words}"


@judge("C21")
def _c21(tables: Tables) -> Judged:
    count = len(tables.rows["table5"])
    words = f"Table V has {count} languages and pairs of languages, as its caption says, and a row of their average"
    ids = [f"table5/avg/{tables.columns['table5'][0]}"]
    return "supported" if count == 19 else "contradicted", ids, {"languages": float(count)}, words


@judge("C22")
def _c22(tables: Tables) -> Judged:
    found = {place: float(len(tables.rows[place])) for place in ("table2", "table4", "table3")}
    state = "supported" if tuple(found.values()) == (45, 15, 14) else "contradicted"
    words = ", ".join(f"{count:g} in {place}" for place, count in found.items())
    return state, [], found, f"the tables have {words}; retrieval tasks are not named"


@judge("C28")
def _c28(tables: Tables) -> Judged:
    count = len(tables.rows["table6"])
    state = "supported" if count == 15 else "contradicted"
    return state, [], {"metrics": float(count)}, f"Table VI has {count} metrics"
