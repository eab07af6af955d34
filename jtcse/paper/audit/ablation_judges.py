"""The judges of claims on Tables VIII-XI."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from jtcse.paper.audit.finding import TOLERANCE, Interval
from jtcse.paper.audit.judging import Judged, Tables, judge

WIKI, SICKR = "table8/Wiki1M", "table8/+SICKR"
NONE, FULL = "table10/none", "table10/NCE+ICNCE+ICTM"
SOME, LARGE = "table10/NCE+ICTM", "table10/ICNCE+ICTM"
MILD = {"C37": "NCE", "C38": "ICNCE", "C39": "ICTM", "C40": "NCE+ICNCE"}
CLOSE = 1.0  # points: what "barely equal" may mean at most


def _yes(holds: bool) -> str:
    return "supported" if holds else "contradicted"


def _share(gaps: Mapping[str, float], holds: Callable[[float], bool]) -> tuple[str, list[str], str]:
    """For how many of some systems it holds: a state, which ones, and "3 of 7"."""
    good = [name for name, gap in gaps.items() if holds(gap)]
    state = "supported" if len(good) == len(gaps) else "partly" if good else "contradicted"
    return state, good, f"{len(good)} of {len(gaps)}"


def _gaps(tables: Tables, names: Sequence[str], row: str, others: Sequence[Callable[[str], str]]) -> dict[str, float]:
    """By system, the value in a row minus the best of its values under some other ids."""
    return {m: tables.value(f"{row}/{m}") - max(tables.value(other(m)) for other in others) for m in names}


def _retrained(tables: Tables) -> list[str]:
    return [name for name in tables.columns["table8"] if name not in ("TNCSE", "JTCSE")]


def _positive(gap: float) -> bool:
    return gap > 0


_table1 = "table1/BERT-base/{}/7Avg".format


@judge("C18")
def _c18(tables: Tables) -> Judged:
    gaps = _gaps(tables, tables.columns["table11"], "table11/CLS", ["table11/Pooler/{}".format])
    state, _, share = _share(gaps, _positive)
    words = f"CLS is above the pooler's output in {share} systems"
    return state, [f"table11/CLS/{m}" for m in gaps], gaps, words


@judge("C49")
def _c49(tables: Tables) -> Judged:
    others = [f"table11/{row}/{{}}".format for row in tables.rows["table11"] if row != "CLS"]
    gaps = _gaps(tables, tables.columns["table11"], "table11/CLS", others)
    state, good, share = _share(gaps, _positive)
    bad = ", ".join(f"{m} ({gap:+.1f})" for m, gap in gaps.items() if m not in good)
    words = f"CLS is the best of the poolings in {share} systems{'; not in ' + bad if bad else ''}"
    return state, [f"table11/CLS/{m}" for m in gaps], gaps, words


@judge("C19")
def _c19(tables: Tables) -> Judged:
    """Retrained with default settings against Table I: two to three points lower, rounding allowed for."""
    drops = {
        m: Interval.of(tables.texts[_table1(m)]) - Interval.of(tables.texts[f"{WIKI}/{m}"]) for m in _retrained(tables)
    }
    state, _, share = _share(drops, lambda drop: drop.high >= 2 - TOLERANCE and drop.low <= 3 + TOLERANCE)
    numbers = {m: (drop.low + drop.high) / 2 for m, drop in drops.items()}
    shown = ", ".join(f"{m} {number:.2f}" for m, number in numbers.items())
    words = f"the drops are {shown} points; {share} are between two and three"
    return state, [f"{WIKI}/{m}" for m in drops], numbers, words


@judge("C20")
def _c20(tables: Tables) -> Judged:
    gaps = _gaps(tables, _retrained(tables), SICKR, [_table1])
    state, _, share = _share(gaps, lambda gap: abs(gap) <= CLOSE)
    shown = ", ".join(f"{m} {gap:+.2f}" for m, gap in gaps.items())
    words = f"with SICK-R text the differences to Table I are {shown} points; {share} are within {CLOSE:g}"
    return state, [f"{SICKR}/{m}" for m in gaps], gaps, words


@judge("C35")
def _c35(tables: Tables) -> Judged:
    gains = _gaps(tables, tables.columns["table8"], SICKR, [f"{WIKI}/{{}}".format])
    state, _, share = _share(gains, _positive)
    words = f"{share} gains are above 0, the smallest is {min(gains.values()):.1f} points"
    return state, [f"table8/Gain/{m}" for m in gains], gains, words


@judge("C36")
def _c36(tables: Tables) -> Judged:
    scores = {n: tables.value(f"table9/{n}") for n in tables.columns["table9"]}
    best = max(scores, key=lambda n: scores[n])
    margin = scores[best] - max(score for n, score in scores.items() if n != best)
    above_none = scores[best] - scores["none"]
    words = f"the best is at {best}, {margin:.2f} points above the next and {above_none:.2f} above none"
    return _yes(best == "6"), [f"table9/{n}" for n in scores], scores, words


# -- Table X: gains over the untrained twin --------------------------------------------------------------------


def _gain(tables: Tables, id: str, over: str = NONE) -> float:
    return tables.value(id) - tables.value(over)


@judge("C31")
def _c31(tables: Tables) -> Judged:
    gain = _gain(tables, FULL)
    return _yes(gain > 0), [NONE, FULL], {"gain": gain}, f"training gains {gain:.2f} points"


def _mild(tables: Tables, subset: str) -> Judged:
    """A gain called insignificant must be below the one that the text calls some gain."""
    gain, some = _gain(tables, f"table10/{subset}"), _gain(tables, SOME)
    words = f"the gain over the untrained twin is {gain:.2f} points, that of NCE+ICTM, called some gain, {some:.2f}"
    return _yes(gain < some), [f"table10/{subset}", NONE], {"gain": gain, "some": some}, words


for _claim, _subset in MILD.items():
    judge(_claim)(partial(_mild, subset=_subset))


@judge("C41")
def _c41(tables: Tables) -> Judged:
    gain, most = _gain(tables, SOME), _gain(tables, LARGE)
    mild = max(tables.value(f"table10/{name}") for name in MILD.values()) - tables.value(NONE)
    words = f"the gain is {gain:.2f} points, between those called insignificant and {most:.2f} of ICNCE+ICTM"
    return _yes(mild < gain < most), [SOME, NONE], {"gain": gain, "mild": mild}, words


@judge("C42")
def _c42(tables: Tables) -> Judged:
    gain, left = _gain(tables, LARGE), _gain(tables, FULL, LARGE)
    words = f"the gain is {gain:.2f} points; the full loss adds {left:.2f}"
    return _yes(gain > _gain(tables, SOME) and abs(left) < gain / 2), [LARGE, FULL], {"gain": gain, "left": left}, words


@judge("C43")
def _c43(tables: Tables) -> Judged:
    without = {"NCE": LARGE, "ICNCE": SOME, "ICTM": "table10/NCE+ICNCE"}
    drops = {part: _gain(tables, FULL, id) for part, id in without.items()}
    state, _, _ = _share(drops, _positive)
    shown = ", ".join(f"without {part} {drop:.2f}" for part, drop in drops.items())
    begin = "every part that is left out costs something" if state == "supported" else "leaving out a part costs"
    return state, [FULL, *without.values()], drops, f"{begin}: {shown} points"
