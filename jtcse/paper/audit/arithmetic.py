"""Rules on arithmetic: averages, derived values, and one quantity printed in two places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jtcse.paper.audit.finding import STRENGTHS, TRUSTED, Finding, Interval, called, numbers_of, rule, short
from jtcse.paper.places import LAYOUTS, STS3, STS7
from jtcse.paper.printed import half_unit, models

if TYPE_CHECKING:
    from pandas import DataFrame

CONTRADICTION, TENSION, NOTE = STRENGTHS
BLOCKS = ("table2", "table3", "table4", "table5", "table6")  # tasks down, models across, averages in rows
BERT = "table1/BERT-base"
FIGURE_7 = {"SBERT-sup": "SBERT-base(Sup)", "BERT": "BERT-base"}  # its labels to the names of Table I


@rule
def averages(frame: DataFrame) -> Iterator[Finding | None]:
    """Printed averages against their cells: Table I's 7Avg and 3Avg, the averages of Tables II-VI.

    Each cell is the interval of numbers that round to it, so their mean is an interval too, and the printed average must
    meet it. An average that meets it, but is not the rounded mean of the printed cells, is a weaker finding: the released
    evaluation code averages scores that were rounded before.
    """
    texts = numbers_of(frame)
    for id, cells in _known_averages(frame, texts):
        yield _average(id, {name: texts[name] for name in (id, *cells)}, frame, texts)


def margins(frame: DataFrame) -> DataFrame:
    """Per printed average: ``place``, ``printed``, ``mean`` of its cells as printed, ``allowed`` (what rounding allows).

    All in points; the average contradicts its cells where ``printed - mean`` is beyond ``allowed`` on either side.
    """
    import pandas as pd

    texts, rows = numbers_of(frame), {}
    for id, cells in _known_averages(frame, texts):
        parts = Interval.mean([Interval.of(texts[cell]) for cell in cells])
        mean = (parts.low + parts.high) / 2
        allowed = parts.high - mean + half_unit(texts[id])
        rows[id] = {"place": id.partition("/")[0], "printed": float(texts[id]), "mean": mean, "allowed": allowed}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["place", "printed", "mean", "allowed"])


def _known_averages(frame: DataFrame, texts: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Ids of averages with the ids of the cells that they are over, where all of them are known."""
    for id, cells in _averaged(frame):
        if id in texts and cells and all(cell in texts for cell in cells):
            yield id, cells


def _averaged(frame: DataFrame) -> Iterator[tuple[str, list[str]]]:
    table1 = frame[frame["place"] == "table1"]
    for group, row in dict.fromkeys(zip(table1["group"], table1["row"], strict=True)):
        for average, tasks in (("7Avg", STS7), ("3Avg", STS3)):
            yield f"table1/{group}/{row}/{average}", [f"table1/{group}/{row}/{task}" for task in tasks]
    for place in BLOCKS:
        names = LAYOUTS[place].averages
        part = frame[(frame["place"] == place)]
        rows = [row for row in dict.fromkeys(part["row"]) if row not in names]
        for column in dict.fromkeys(part["column"]):
            for average in names:
                yield f"{place}/{average}/{column}", [f"{place}/{row}/{column}" for row in rows]


def _average(id: str, cells: dict[str, str], frame: DataFrame, texts: dict[str, str]) -> Finding | None:
    text = cells.pop(id)
    printed, parts = Interval.of(text), Interval.mean([Interval.of(cell) for cell in cells.values()])
    mean, gap = (parts.low + parts.high) / 2, printed.gap(parts)
    off = abs(float(text) - mean)
    if not gap and off <= half_unit(text) + 1e-9:
        return None
    place, own = frame.loc[id, "place"], frame.loc[id, "source"] == "own run"
    rounded_first = place == "table1" and own and id.endswith("7Avg")
    strength = CONTRADICTION if gap else TENSION if rounded_first else NOTE
    decimals = len(text.partition(".")[2])
    said = (
        f"{short(place)} prints {text} as {called(id)}; its {len(cells)} cells average "
        f"{mean:.{decimals + 2}f}, so with their rounding between {parts.low:.{decimals + 2}f} and {parts.high:.{decimals + 2}f}"
    )
    return Finding(
        "average", strength, place, (id, *cells), {"printed": float(text), "mean": mean, "off": off, "gap": gap},
        f"{said}{_why(gap, rounded_first, own, place)}{_passed(id, mean, texts) if gap else ''}",
    )  # fmt: skip


def _why(gap: float, rounded_first: bool, own: bool, place: str) -> str:
    if gap:
        copied = "; the row is not the authors' own run and may be copied as it stood"
        whose = "" if own or place != "table1" else copied
        return f": {gap:.3f} points further than rounding can explain{whose}."
    if rounded_first:
        return "; rounding alone allows this, but the released evaluation code averages the rounded cells."
    return "; rounding allows this if the average was taken before the cells were rounded."


def _passed(id: str, mean: float, texts: dict[str, str]) -> str:
    """Which systems of the same table stand between the printed average and the mean of the cells."""
    if not id.startswith("table1/"):
        return ""
    _, group, model, average = id.split("/")
    low, high = sorted((mean, float(texts[id])))
    between = [
        other.split("/")[2] for other, text in texts.items()
        if other.startswith(f"table1/{group}/") and other.endswith(f"/{average}") and other != id and low < float(text) < high
    ]  # fmt: skip
    words = f" In the order of averages it matters: {', '.join(between)} would change places with {model}."
    return words if between else ""


@rule
def derived(frame: DataFrame) -> Iterator[Finding | None]:
    """Gains of Table VIII, and in Table VII the score per cost and costs as multiples of one tower's.

    Table VII's body is lost; what was filled in there by us can only yield notes.
    """
    texts = numbers_of(frame, (*TRUSTED, "inferred"))
    for target, (value, ids, words) in _derivations(texts).items():
        gap, place = Interval.of(texts[target]).gap(value), frame.loc[target, "place"]
        trusted = frame.loc[[target, *ids], "status"].isin(TRUSTED).all()
        also = "" if trusted else " Not all of these numbers are from print: some were inferred by us."
        yield None if not gap else Finding(
            "derived value", CONTRADICTION if trusted else NOTE, place, (target, *ids),
            {"printed": float(texts[target]), "low": value.low, "high": value.high, "gap": gap},
            f"{short(place)} has {texts[target]} as {called(target)}, but {words} is between "
            f"{value.low:.3f} and {value.high:.3f}.{also}",
        )  # fmt: skip


def _derivations(texts: dict[str, str]) -> dict[str, tuple[Interval, list[str], str]]:
    """Per derived id that can be tested: what it must be, from which ids, in words."""
    wanted: dict[str, tuple[Interval, list[str], str]] = {}
    one = "table7/JTCSE_D-BERT/gmac"
    towers = models()["towers"].get("BERT-base", {})
    for id in texts:
        place, _, rest = id.partition("/")
        if place == "table8" and rest.startswith("Gain/"):
            ids = [f"table8/{data}/{rest.partition('/')[2]}" for data in ("+SICKR", "Wiki1M")]
            if all(name in texts for name in ids):
                wanted[id] = Interval.of(texts[ids[0]]) - Interval.of(texts[ids[1]]), ids, "+SICKR minus Wiki1M"
        elif place == "table7" and rest.endswith("/eta"):
            ids = [id.replace("/eta", "/sts7"), id.replace("/eta", "/gmac")]
            if all(name in texts for name in ids):
                wanted[id] = Interval.of(texts[ids[0]]) / Interval.of(texts[ids[1]]), ids, "score over cost"
        elif place == "table7" and rest.endswith("/gmac") and one in texts and id != one:
            count = towers.get(rest.partition("-BERT")[0])
            if count:
                wanted[id] = Interval.of(texts[one]).times(count), [one], f"the cost of {count} towers"
    return wanted


@rule
def twice(frame: DataFrame) -> Iterator[Finding | None]:
    """One quantity in two places, or in print and in the README, must be the same up to rounding."""
    texts = numbers_of(frame, (*TRUSTED, "inferred"))
    for first, second, strength, why in _pairs(texts):
        gap = Interval.of(texts[first]).gap(Interval.of(texts[second]))
        weak = not frame.loc[[first, second], "status"].isin(TRUSTED).all()
        yield None if not gap else Finding(
            "printed twice", NOTE if weak else strength, frame.loc[first, "place"], (first, second),
            {"first": float(texts[first]), "second": float(texts[second]), "gap": gap},
            f"{first} is {texts[first]} and {second} is {texts[second]}; {why}.",
        )  # fmt: skip
    both = frame[(frame["readme"] != "") & (frame["status"] == "printed") & frame["value"].notna()]
    for id, text, readme, place in zip(both.index, both["text"], both["readme"], both["place"], strict=True):
        gap = Interval.of(text).gap(Interval.of(readme))
        numbers = {"printed": float(text), "readme": float(readme), "gap": gap}
        words = f"{id} is {text} in print and {readme} in the README; one of them was not brought up to date."
        yield Finding("printed twice", CONTRADICTION, place, (id,), numbers, words) if gap else None


def _pairs(texts: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """Pairs of ids of one quantity, how much a difference would mean, and why they should agree."""
    both = "both are the same system's average of the seven tasks"
    pairs = [
        (f"{BERT}/JTCSE/7Avg", "table9/6", CONTRADICTION, both),
        (f"{BERT}/JTCSE/7Avg", "table10/NCE+ICNCE+ICTM", CONTRADICTION, both),
        ("table10/none", "table7/TwinEncoderUntrained-BERT/sts7", CONTRADICTION, both),
    ]
    for id in texts:
        place, _, rest = id.partition("/")
        model = rest.rpartition("/")[2]
        if place == "figure7":
            pairs.append((f"{BERT}/{FIGURE_7.get(model, model)}/7Avg", id, CONTRADICTION, both))
        elif id.startswith("table11/CLS/"):
            why = "they agree only if Table I pools [CLS] without a template too, which prompt-based systems do not"
            pairs.append((f"{BERT}/{model}/7Avg", id, TENSION, why))
        elif id in ("table8/+SICKR/TNCSE", "table8/+SICKR/JTCSE"):
            why = "by its footnote Table I's run was trained with SICK-R text as well, so it should be this run"
            pairs.append((f"{BERT}/{model}/7Avg", id, TENSION, why))
        elif id.startswith("table5/en/"):
            pairs.append((f"{BERT}/{model}/STS22", id, CONTRADICTION, "both are the English part of STS22.v2"))
        elif id.startswith("table5/avg/"):
            pairs.append((id, f"table5/Avg. Acc/{model}", CONTRADICTION, "both are the average over languages"))
        elif place == "table7" and rest.endswith("-BERT/sts7"):
            pairs.append((f"{BERT}/{rest.partition('-BERT')[0]}/7Avg", id, CONTRADICTION, both))
    return [pair for pair in pairs if pair[0] in texts and pair[1] in texts]
