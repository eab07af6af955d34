"""The judges of the claims: each computes from the tables, none knows an answer."""

from __future__ import annotations

from collections.abc import Sequence

from jtcse.paper.audit.judging import BACKBONES, SERIES, Tables, above, judge, together
from jtcse.paper.places import LAYOUTS
from jtcse.paper.printed import models

Judged = tuple[str, Sequence[str], dict[str, float], str]
BLOCKS = {
    "table2": "classification",
    "table3": "reranking",
    "table4": "bitext",
    "table5": "STS22.v2",
    "table6": "retrieval",
}
WIKI, SICKR = "table8/Wiki1M", "table8/+SICKR"
NONE, FULL = "table10/none", "table10/NCE+ICNCE+ICTM"
RETRIEVAL_TASKS = 45  # as the text counts them; the tasks themselves are not named
CLOSE = 1.0  # points: what "barely equal" may mean at most


def per_backbone(tables: Tables, ours: Sequence[str], groups: Sequence[str], task: str = "7Avg") -> Judged:
    """Whether our systems are above every system of these groups in a column of Table I, per backbone."""
    parts, ids = [], []
    for backbone in BACKBONES:
        mine = [f"table1/{backbone}/{model}/{task}" for model in ours]
        others = [id for id in tables.systems(backbone, groups, task) if id not in mine]
        parts.append((backbone, *above(tables, mine, others)))
        ids += [*mine, max(others, key=tables.value)]
    state, numbers, words = together(parts)
    return state, ids, numbers, words


@judge("C01")
def _c01(tables: Tables) -> Judged:
    return per_backbone(tables, ("JTCSE", "JTCSE_D"), ("baseline",))


@judge("C24")
def _c24(tables: Tables) -> Judged:
    return per_backbone(tables, ("JTCSE",), ("baseline",))


@judge("C06", "C25")
def _c25(tables: Tables) -> Judged:
    """Single towers of other authors: baselines of one tower, and EDFSE_D; with the predecessor's TNCSE_D."""
    parts, ids, known = [], [], models()
    for backbone in BACKBONES:
        single = tables.systems(backbone, ("baseline", "distilled"))
        others = [id for id in single if known.loc[(backbone, id.split("/")[2]), "towers"] == 1 and "/JTCSE" not in id]
        mine = [f"table1/{backbone}/JTCSE_D/7Avg"]
        parts.append((backbone, *above(tables, mine, others)))
        ids += [*mine, max(others, key=tables.value)]
    state, numbers, words = together(parts)
    return state, ids, numbers, words


@judge("C33")
def _c33(tables: Tables) -> Judged:
    state, ids, numbers, words = _c25(tables)
    return state, ids, numbers, f"one tower costs the same in each, so eta orders them as the score does: {words}"


def versus(tables: Tables, pairs: Sequence[tuple[str, str]]) -> Judged:
    """Whether the first of each pair is above the second."""
    parts = [(first.split("/")[1], *above(tables, [first], [second])) for first, second in pairs]
    state, numbers, words = together(parts)
    return state, [id for pair in pairs for id in pair], numbers, words.replace(", the best of the others", "")


@judge("C04")
def _c04(tables: Tables) -> Judged:
    state, ids, numbers, words = versus(tables, [("table1/BERT-base/JTCSE/7Avg", "table1/BERT-base/EDFSE/7Avg")])
    return state, ids, numbers, f"{words}; of the cost no number is from print, but two towers are a third of six"


@judge("C05")
def _c05(tables: Tables) -> Judged:
    return versus(tables, [(f"table1/{b}/JTCSE_UC/7Avg", f"table1/{b}/RankCSE_UC/7Avg") for b in BACKBONES])


@judge("C26")
def _c26(tables: Tables) -> Judged:
    kinds = ("_UC", "_UCD")
    return versus(
        tables, [(f"table1/{b}/JTCSE{k}/7Avg", f"table1/{b}/RankCSE{k}/7Avg") for b in BACKBONES for k in kinds]
    )


@judge("C10")
def _c10(tables: Tables) -> Judged:
    return versus(tables, [(f"table1/{b}/JTCSE/7Avg", f"table1/{b}/TNCSE/7Avg") for b in BACKBONES])


@judge("C11")
def _c11(tables: Tables) -> Judged:
    """The best of the series against the best of all others, in both averages."""
    groups = ("baseline", "predecessor", "distilled", "uc", "ucd", "ours")
    parts, ids = [], []
    for backbone in BACKBONES:
        for task in ("7Avg", "3Avg"):
            everyone = tables.systems(backbone, groups, task)
            mine = [max((id for id in everyone if "/JTCSE" in id), key=tables.value)]
            others = [id for id in everyone if "/JTCSE" not in id]
            parts.append((f"{backbone} {task}", *above(tables, mine, others)))
            ids += [*mine, max(others, key=tables.value)]
    state, numbers, words = together(parts)
    return state, ids, numbers, words


@judge("C27")
def _c27(tables: Tables) -> Judged:
    parts, ids = [], []
    for place, words in BLOCKS.items():
        everyone = [f"{place}/{LAYOUTS[place].averages[-1]}/{model}" for model in tables.columns[place]]
        mine = [max((id for id in everyone if id.rpartition("/")[2] in SERIES), key=tables.value)]
        others = [id for id in everyone if id.rpartition("/")[2] not in SERIES]
        parts.append((words, *above(tables, mine, others)))
        ids += [*mine, max(others, key=tables.value)]
    state, numbers, said = together(parts)
    return state, ids, numbers, said


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
    state, ids, numbers, words = _c24(tables)
    count = task_count(tables)
    both = state if (count >= 200) == (state == "supported") else "partly"
    return both, ids, numbers | {"tasks": float(count)}, f"{count} tasks are counted, where hundreds are named; {words}"


@judge("C21")
def _c21(tables: Tables) -> Judged:
    count = len(tables.rows["table5"])
    state = "supported" if count == 19 else "contradicted"
    words = f"Table V has {count} languages and pairs of languages, as its caption says, and a row of their average"
    return state, [f"table5/avg/{tables.columns['table5'][0]}"], {"languages": float(count)}, words


@judge("C22")
def _c22(tables: Tables) -> Judged:
    found = {place: len(tables.rows[place]) for place in ("table2", "table4", "table3")}
    state = "supported" if tuple(found.values()) == (45, 15, 14) else "contradicted"
    words = ", ".join(f"{count} in {place}" for place, count in found.items())
    return (
        state,
        [],
        {place: float(n) for place, n in found.items()},
        f"the tables have {words}; retrieval tasks are not named",
    )


@judge("C28")
def _c28(tables: Tables) -> Judged:
    count = len(tables.rows["table6"])
    return (
        "supported" if count == 15 else "contradicted",
        [],
        {"metrics": float(count)},
        f"Table VI has {count} metrics",
    )
