"""Rules on suspicious cells: repeated lines, copied cells, one test set scored twice, one score for two systems."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from jtcse.paper.audit.finding import STRENGTHS, Finding, Result, numbers_of, rule, short
from jtcse.paper.audit.metrics import SAME
from jtcse.paper.places import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pandas import DataFrame, Series

CONTRADICTION, TENSION, NOTE = STRENGTHS
EXPECTED = 0.05  # lines that share as many cells by chance, over all pairs of a table: fewer than this is a finding
FAR = 5.0  # robust standard deviations from the column's median
LEAST = 0.5  # points: the least that counts as one such deviation, where few systems are near each other
NEAR, APART = 1.0, 2.0  # points between two scores of one set: the same split, or not
Lines = dict[str, dict[str, str]]  # name of a row (or column) to its cells' texts
SYSTEM = "JTCSE"  # the rows of Tables IX and X that are this very system stand in Table I as well
FULL = ("table9/6", "table10/NCE+ICNCE+ICTM")


@rule
def repeated_lines(frame: DataFrame) -> Iterator[Finding | None]:
    """Two rows or two columns of a table that share more cells than chance explains.

    How often two cells agree by chance is estimated twice, from the cells of these two lines that do not face each other
    and from the facing cells of all other pairs of lines; the higher rate counts. Metrics that are equal by definition,
    and averages, are left out.
    """
    from scipy.stats import binom

    for place, axis, lines in _lines(frame):
        pairs = [pair for pair in combinations(lines, 2) if pair not in SAME]
        found = {pair: _agreement(lines[pair[0]], lines[pair[1]]) for pair in pairs}
        facing, meetings = sum(n for _, n, _ in found.values()), sum(len(shared) for shared, _, _ in found.values())
        for (first, second), (shared, n, crossed) in found.items():
            rate = max(crossed, (meetings - len(shared) + 1) / (facing - n + 2))
            expected = float(binom.sf(len(shared) - 1, n, rate)) * len(pairs) if len(shared) > 1 else EXPECTED
            if n:
                yield None if expected >= EXPECTED else Finding(
                    "repeated line", TENSION, place.partition("/")[0],
                    tuple(_id(place, axis, line, other) for other in shared for line in (first, second)),
                    {"shared": len(shared), "of": n, "expected_by_chance": expected},
                    f"In {short(place.partition('/')[0])} the {axis}s {first} and {second} agree digit for digit in "
                    f"{len(shared)} of {n} cells ({', '.join(shared)}), where chance would let {expected:.2g} pairs of "
                    f"{axis}s agree so; one may have been copied from the other.",
                )  # fmt: skip


def _lines(frame: DataFrame) -> Iterator[tuple[str, str, Lines]]:
    """Per table and group, its rows and its columns as lines of texts, averages left out."""
    texts = numbers_of(frame)
    for (place, group), part in frame[frame.index.isin(list(texts))].groupby(["place", "group"], sort=False):
        skip = LAYOUTS[place].averages
        part = part[~part["row"].isin(skip) & ~part["column"].isin(skip)]
        for axis, other in (("row", "column"), ("column", "row")):
            lines: Lines = {}
            for line, at, text in zip(part[axis], part[other], part["text"], strict=True):
                lines.setdefault(line, {})[at] = text
            yield f"{place}/{group}" if group else place, axis, lines


def _id(place: str, axis: str, line: str, other: str) -> str:
    return f"{place}/{line}/{other}" if axis == "row" else f"{place}/{other}/{line}"


def _agreement(first: Mapping[str, str], second: Mapping[str, str]) -> tuple[list[str], int, float]:
    """Where two lines agree, over how many common cells, and the rate of agreement by chance (smoothed)."""
    common = [at for at in first if at in second]
    shared = [at for at in common if first[at] == second[at]]
    crossed = sum(first[a] == second[b] for a in common for b in common if a != b)
    return shared, len(common), (crossed + 1) / (len(common) * (len(common) - 1) + 2)


@rule
def copied_cells(frame: DataFrame) -> Iterator[Finding | None]:
    """Two neighbours in a row of Table I with the same digits, one of them far from everything else in its column."""
    part = frame[(frame["place"] == "table1") & ~frame["column"].isin(LAYOUTS["table1"].averages)]
    for (group, row), line in part.groupby(["group", "row"], sort=False):
        line = line[line["value"].notna()]
        for (first, a), (second, b) in zip(line.iloc[:-1].iterrows(), line.iloc[1:].iterrows(), strict=True):
            if a["text"] != b["text"]:
                yield None
                continue
            found: dict[str, tuple[float, float]] = {}
            for id, cell in ((first, a), (second, b)):
                others = part[(part["group"] == group) & (part["column"] == cell["column"]) & (part["row"] != row)]
                found[id] = _distance(cell["value"], others["value"].dropna())
            worst = max(found, key=lambda id: found[id][0])
            far, median = found[worst]
            strength = TENSION if far > FAR else NOTE
            column = worst.rpartition("/")[2]
            tail = (
                f"the other systems' median in {column} is {median:.2f}, so the value of {column} may be a copy of its neighbour"
                if strength == TENSION
                else "both fit their columns, so it may well be chance"
            )
            yield Finding(
                "copied cell", strength, "table1", (first, second),
                {"value": float(a["value"]), "median": median, "robust_deviations": min(far, 999.0)},
                f"{row} on {group} has {a['text']} in {a['column']} and again in {b['column']}; {tail}.",
            )  # fmt: skip


def _distance(value: float, others: Series) -> tuple[float, float]:
    """Robust standard deviations from the median of the others, and that median."""
    import numpy as np

    median = float(np.median(others)) if len(others) else value
    spread = 1.4826 * float(np.median(np.abs(others - median))) if len(others) else 0.0
    return abs(value - median) / max(spread, LEAST), median


def one_set_twice(frame: DataFrame) -> Result:
    """STSB and STSBM (English) have the same test pairs: are their scores of one model near each other, or not?

    Where some models agree and others are points apart, the column cannot come from one split, nor can the average over it.
    """
    result, near, above, below = Result(), {}, {}, {}
    texts = numbers_of(frame)
    for id in texts:
        other = id.removesuffix("/STSBM") + "/STSB"
        if id.startswith("table1/") and id.endswith("/STSBM") and other in texts:
            result.examined += 1
            gap = float(texts[id]) - float(texts[other])
            kind = near if abs(gap) <= NEAR else above if gap >= APART else below if gap <= -APART else {}
            kind[id] = gap
    if near and above:
        middle = sorted(above.values())[len(above) // 2]
        for id, gap in near.items():
            result.findings.append(_mixed(id, texts, gap, middle, len(above)))
    for id, gap in below.items():
        result.findings.append(_lower(id, texts, gap))
    return result


def _mixed(id: str, texts: Mapping[str, str], gap: float, middle: float, count: int) -> Finding:
    group, model = id.split("/")[1:3]
    other = id.removesuffix("M")
    average = id.removesuffix("STSBM") + "3Avg"
    return Finding(
        "mixed splits", TENSION, "table1", (id, other, *([average] if average in texts else [])),
        {"STSBM": float(texts[id]), "STSB": float(texts[other]), "difference": gap, "others": middle},
        f"{model} on {group} scores {texts[id]} in STSBM and {texts[other]} in STSB: near each other, as they should be if "
        f"both are the test split of the same pairs. {count} other rows are higher in STSBM, by {middle:.1f} points in the "
        "middle, as on the development split. STSBM, and the averages 3Avg over it, then mix splits.",
    )  # fmt: skip


def _lower(id: str, texts: Mapping[str, str], gap: float) -> Finding:
    group, model = id.split("/")[1:3]
    other = id.removesuffix("M")
    return Finding(
        "one set, two scores", TENSION, "table1", (id, other),
        {"STSBM": float(texts[id]), "STSB": float(texts[other]), "difference": gap},
        f"{model} on {group} scores {texts[other]} in STSB and {texts[id]} in STSBM, which holds sentence pairs of the same "
        "source; the two runs cannot have encoded them alike (without the system's template, say).",
    )  # fmt: skip


def one_score_for_two(frame: DataFrame) -> Result:
    """A variant of Tables IX and X with the average, digit for digit, that Table I prints for another system.

    Such a meeting can be chance: the number that chance would bring is given with it.
    """
    result, texts = Result(), numbers_of(frame)
    table1 = {id: text for id, text in texts.items() if id.startswith("table1/BERT-base/") and id.endswith("/7Avg")}
    variants = {id: t for id, t in texts.items() if id.startswith(("table9/", "table10/")) and id not in FULL}
    near = sum(abs(float(t) - float(other)) <= 0.5 for t in variants.values() for other in table1.values())
    for id, text in variants.items():
        result.examined += 1
        same = [other for other in table1 if table1[other] == text and other.split("/")[2] != SYSTEM]
        for other in same:
            model, place = other.split("/")[2], id.partition("/")[0]
            result.findings.append(
                Finding(
                    "one score for two systems", NOTE, place, (id, other),
                    {"value": float(text), "expected_by_chance": near / 101},
                    f"{short(place)} has {text} for the variant {id.partition('/')[2]}, and Table I the same for {model}. "
                    f"Chance alone brings about {near / 101:.1f} such meetings among {len(variants)} variants; if it is not "
                    "chance, one run was reported under both names.",
                )
            )  # fmt: skip
    return result
