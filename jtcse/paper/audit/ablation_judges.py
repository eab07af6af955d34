"""The judges of claims on Tables VIII-XI."""

from __future__ import annotations

from jtcse.paper.audit.claim_judges import CLOSE, FULL, NONE, SICKR, WIKI, Judged
from jtcse.paper.audit.finding import Interval
from jtcse.paper.audit.judging import Tables, judge

MILD = {"C37": "NCE", "C38": "ICNCE", "C39": "ICTM", "C40": "NCE+ICNCE"}
SOME, LARGE = "table10/NCE+ICTM", "table10/ICNCE+ICTM"


def _share(good: list[str], all_of_them: list[str]) -> str:
    return "supported" if len(good) == len(all_of_them) else "partly" if good else "contradicted"


def _table1(model: str) -> str:
    return f"table1/BERT-base/{model}/7Avg"


@judge("C18")
def _c18(tables: Tables) -> Judged:
    names = tables.columns["table11"]
    gaps = {m: tables.value(f"table11/CLS/{m}") - tables.value(f"table11/Pooler/{m}") for m in names}
    good = [m for m in names if gaps[m] > 0]
    words = f"CLS is above the pooler's output in {len(good)} of {len(names)} systems"
    return _share(good, names), [f"table11/CLS/{m}" for m in names], gaps, words


@judge("C49")
def _c49(tables: Tables) -> Judged:
    names, others = tables.columns["table11"], [r for r in tables.rows["table11"] if r != "CLS"]
    gaps = {m: tables.value(f"table11/CLS/{m}") - max(tables.value(f"table11/{r}/{m}") for r in others) for m in names}
    good = [m for m in names if gaps[m] > 0]
    bad = ", ".join(f"{m} ({gaps[m]:+.1f})" for m in names if m not in good)
    words = f"CLS is the best of the poolings in {len(good)} of {len(names)} systems{'; not in ' + bad if bad else ''}"
    return _share(good, names), [f"table11/CLS/{m}" for m in names], gaps, words


@judge("C19")
def _c19(tables: Tables) -> Judged:
    """Retrained with default settings against Table I: two to three points lower, rounding allowed for."""
    names = [m for m in tables.columns["table8"] if m not in ("TNCSE", "JTCSE")]
    drops = {m: Interval.of(tables.texts[_table1(m)]) - Interval.of(tables.texts[f"{WIKI}/{m}"]) for m in names}
    good = [m for m in names if drops[m].high >= 2 - 1e-9 and drops[m].low <= 3 + 1e-9]
    shown = ", ".join(f"{m} {(drops[m].low + drops[m].high) / 2:.2f}" for m in names)
    words = f"the drops are {shown} points; {len(good)} of {len(names)} are between two and three"
    numbers = {m: (d.low + d.high) / 2 for m, d in drops.items()}
    return _share(good, names), [f"{WIKI}/{m}" for m in names], numbers, words


@judge("C20")
def _c20(tables: Tables) -> Judged:
    names = [m for m in tables.columns["table8"] if m not in ("TNCSE", "JTCSE")]
    gaps = {m: tables.value(f"{SICKR}/{m}") - tables.value(_table1(m)) for m in names}
    good = [m for m in names if abs(gaps[m]) <= CLOSE]
    shown = ", ".join(f"{m} {gaps[m]:+.2f}" for m in names)
    words = f"with SICK-R text the differences to Table I are {shown} points; {len(good)} of {len(names)} are within {CLOSE:g}"
    return _share(good, names), [f"{SICKR}/{m}" for m in names], gaps, words


@judge("C35")
def _c35(tables: Tables) -> Judged:
    names = tables.columns["table8"]
    gains = {m: tables.value(f"{SICKR}/{m}") - tables.value(f"{WIKI}/{m}") for m in names}
    good = [m for m in names if gains[m] > 0]
    words = f"{len(good)} of {len(names)} gains are above 0, the smallest is {min(gains.values()):.1f} points"
    return _share(good, names), [f"table8/Gain/{m}" for m in names], gains, words


@judge("C36")
def _c36(tables: Tables) -> Judged:
    scores = {n: tables.value(f"table9/{n}") for n in tables.columns["table9"]}
    best = max(scores, key=lambda n: scores[n])
    margin = scores[best] - max(score for n, score in scores.items() if n != best)
    words = (
        f"the best is at {best}, {margin:.2f} points above the next and {scores[best] - scores['none']:.2f} above none"
    )
    return "supported" if best == "6" else "contradicted", [f"table9/{n}" for n in scores], scores, words


@judge("C31")
def _c31(tables: Tables) -> Judged:
    gain = tables.value(FULL) - tables.value(NONE)
    return (
        "supported" if gain > 0 else "contradicted",
        [NONE, FULL],
        {"gain": gain},
        f"training gains {gain:.2f} points",
    )


def _mild(subset: str) -> None:
    @judge(next(claim for claim, name in MILD.items() if name == subset))
    def _judged(tables: Tables) -> Judged:
        """A gain called insignificant must be below the one that the text calls some gain."""
        gain, some = (tables.value(id) - tables.value(NONE) for id in (f"table10/{subset}", SOME))
        words = f"the gain over the untrained twin is {gain:.2f} points, that of NCE+ICTM, called some gain, {some:.2f}"
        return (
            ("supported" if gain < some else "contradicted"),
            [f"table10/{subset}", NONE],
            {"gain": gain, "some": some},
            words,
        )


for _subset in MILD.values():
    _mild(_subset)


@judge("C41")
def _c41(tables: Tables) -> Judged:
    gain, most = tables.value(SOME) - tables.value(NONE), tables.value(LARGE) - tables.value(NONE)
    words = f"the gain is {gain:.2f} points, between those called insignificant and {most:.2f} of ICNCE+ICTM"
    mild = max(tables.value(f"table10/{name}") for name in MILD.values()) - tables.value(NONE)
    return ("supported" if mild < gain < most else "contradicted"), [SOME, NONE], {"gain": gain, "mild": mild}, words


@judge("C42")
def _c42(tables: Tables) -> Judged:
    gain, left = tables.value(LARGE) - tables.value(NONE), tables.value(FULL) - tables.value(LARGE)
    state = "supported" if gain > tables.value(SOME) - tables.value(NONE) and abs(left) < gain / 2 else "contradicted"
    return (
        state,
        [LARGE, FULL],
        {"gain": gain, "left": left},
        f"the gain is {gain:.2f} points; the full loss adds {left:.2f}",
    )


@judge("C43")
def _c43(tables: Tables) -> Judged:
    without = {"NCE": LARGE, "ICNCE": SOME, "ICTM": "table10/NCE+ICNCE"}
    drops = {part: tables.value(FULL) - tables.value(id) for part, id in without.items()}
    good = [part for part in drops if drops[part] > 0]
    shown = ", ".join(f"without {part} {drop:.2f}" for part, drop in drops.items())
    words = f"every part that is left out costs something: {shown} points"
    words = words if len(good) == len(drops) else f"leaving out a part costs: {shown} points"
    return _share(good, list(drops)), [FULL, *without.values()], drops, words
