"""Ranking and quantitative claims of the prose, each judged from the printed tables alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jtcse.audit.finding import STRENGTHS, TRUSTED, Finding, Interval, Result, numbers_of, short
from jtcse.paper.places import LAYOUTS
from jtcse.paper.printed import claims, models

if TYPE_CHECKING:
    from pandas import DataFrame

CONTRADICTION, TENSION, NOTE = STRENGTHS
STATES = ("supported", "partly", "contradicted", "not in the tables")
BACKBONES = ("BERT-base", "RoBERTa-base")
MARKED = ("table2", "table3", "table4", "table5", "table6")
SERIES = ("JTCSE", "JTCSE_D", "JTCSE_UCD", "JTCSE_UC")


@dataclass(frozen=True)
class Verdict:
    """What the tables say on one claim: ``state`` of ``STATES``, the ids it rests on, numbers, a sentence."""

    claim: str
    state: str
    ids: tuple[str, ...]
    numbers: dict[str, float]
    sentence: str


@dataclass(frozen=True)
class Tables:
    """The numbers that claims are judged by.

    Attributes:
        texts: trusted printed numbers by id.
        sources: whose number it is, by id.
        rows: names of rows by place, averages left out.
        columns: names of columns by place.
    """

    texts: dict[str, str]
    sources: dict[str, str]
    rows: dict[str, list[str]]
    columns: dict[str, list[str]]

    @classmethod
    def of(cls, frame: DataFrame) -> Tables:
        """From a frame of ``printed.values``."""
        rows, columns = {}, {}
        for place, part in frame.groupby("place", sort=False):
            rows[place] = [row for row in dict.fromkeys(part["row"]) if row not in LAYOUTS[place].averages]
            columns[place] = list(dict.fromkeys(part["column"]))
        return cls(numbers_of(frame, TRUSTED), frame["source"].to_dict(), rows, columns)

    def value(self, id: str) -> float:
        return float(self.texts[id])

    def systems(self, backbone: str, groups: Iterable[str], task: str = "7Avg") -> list[str]:
        """Ids of a column of Table I for the systems of these groups."""
        known = models()
        ids = [f"table1/{b}/{m}/{task}" for (b, m), row in known.iterrows() if b == backbone and row["group"] in groups]
        return [id for id in ids if id in self.texts]


def name(id: str) -> str:
    """A short name for the system of an id of Table I, or the end of another id."""
    return id.split("/")[2] if id.startswith("table1/") else id.rpartition("/")[2]


def above(tables: Tables, ours: Sequence[str], others: Sequence[str]) -> tuple[str, dict[str, float], str]:
    """Whether every one of ``ours`` is above the best of ``others``, with rounding: state, numbers, words."""
    best = max(others, key=tables.value)
    bar = Interval.of(tables.texts[best])
    below = [id for id in ours if Interval.of(tables.texts[id]).high < bar.low]
    tied = [id for id in ours if id not in below and Interval.of(tables.texts[id]).low <= bar.high]
    numbers = {name(id): tables.value(id) for id in (*ours, best)}
    shown = ", ".join(f"{name(id)} {tables.texts[id]}" for id in ours)
    state = "contradicted" if below else "partly" if tied else "supported"
    whose = f" (a {tables.sources[best]})" if tables.sources[best].startswith("third-party") else ""
    return state, numbers, f"{shown} against {name(best)} {tables.texts[best]}{whose}, the best of the others"


def together(parts: Sequence[tuple[str, str, dict[str, float], str]]) -> tuple[str, dict[str, float], str]:
    """Several verdicts under labels as one: of one state if all agree, else partly."""
    states = {state for _, state, _, _ in parts}
    overall = states.pop() if len(states) == 1 else "partly"
    numbers = {f"{label}: {key}": value for label, _, found, _ in parts for key, value in found.items()}
    return overall, numbers, "; ".join(f"{label}: {state}, {words}" for label, state, _, words in parts)


Judge = Callable[[Tables], tuple[str, Sequence[str], dict[str, float], str]]
JUDGES: dict[str, Judge] = {}


def judge(*ids: str) -> Callable[[Judge], Judge]:
    """Register the function that judges these claims."""

    def register(function: Judge) -> Judge:
        JUDGES.update({f"claim/{id}": function for id in ids})
        return function

    return register


def verdicts(frame: DataFrame) -> list[Verdict]:
    """One verdict per claim of the paper, in order; a claim without judge, or whose values are lost, says so."""
    from jtcse.audit import ablation_judges, claim_judges  # noqa: F401  (they fill JUDGES)

    tables = Tables.of(frame)
    return [_verdict(id, tables) for id in claims().index]


def _verdict(id: str, tables: Tables) -> Verdict:
    none = Verdict(id, STATES[3], (), {}, "The tables do not say; it needs a run, the code or a computation.")
    if id not in JUDGES:
        return none
    try:
        state, ids, numbers, sentence = JUDGES[id](tables)
    except (KeyError, ValueError):  # a value that it rests on is not there: lost, or not in this frame
        return none
    return Verdict(id, state, tuple(ids), numbers, sentence[0].upper() + sentence[1:] + ".")


def ranking(frame: DataFrame) -> Result:
    """Claims that the tables contradict, or carry in part only."""
    result, words = Result(), claims()["text"]
    for verdict in verdicts(frame):
        result.examined += verdict.state != STATES[3]
        if verdict.state in ("partly", "contradicted"):
            strength = CONTRADICTION if verdict.state == "contradicted" else TENSION
            place = verdict.ids[0].partition("/")[0] if verdict.ids else "prose"
            result.findings.append(
                Finding(
                    "claim", strength, place, (verdict.claim, *verdict.ids), verdict.numbers,
                    f"The text says: {words[verdict.claim]}. {verdict.sentence}",
                )
            )  # fmt: skip
    return result


def marks(frame: DataFrame) -> Result:
    """Best and second as the README marks them in Tables II-VI (the paper's own marks are lost in its text)."""
    result = Result()
    lines: dict[tuple[str, str], list[Any]] = {}
    for cell in frame[frame["place"].isin(MARKED) & frame["value"].notna()].itertuples():
        lines.setdefault((cell.place, cell.row), []).append(cell)
    for line in lines.values():
        ranked = sorted({cell.value for cell in line}, reverse=True)
        for mark, value in zip(("best", "second"), ranked, strict=False):
            if any(cell.mark == mark for cell in line):
                result.examined += 1
                result.findings += _marked(line, mark, value)
    return result


def _marked(line: Sequence[Any], mark: str, value: float) -> list[Finding]:
    """Cells of a row that bear a mark which is another's, or lack one which an equal cell bears."""
    wrong = [cell for cell in line if cell.mark == mark and cell.value != value]
    missed = [cell for cell in line if cell.mark != mark and cell.value == value]
    found = []
    for cells, strength, said in (
        (wrong, CONTRADICTION, f"is marked {mark}, where {mark} is {value:.2f}"),
        (missed, NOTE, f"equals a value marked {mark} but is not marked"),
    ):
        if cells:
            place, row, names = cells[0].place, cells[0].row, ", ".join(cell.column for cell in cells)
            sentence = f"In the README's {short(place)}, row {row}, {cells[0].text} of {names} {said}."
            ids, numbers = tuple(cell.Index for cell in cells), {"value": cells[0].value, mark: value}
            found.append(Finding("mark", strength, place, ids, numbers, sentence))
    return found
