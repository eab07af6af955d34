"""How a claim is judged from the printed tables: what judges read, say and are registered by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jtcse.paper.audit.finding import STRENGTHS, TRUSTED, Interval, numbers_of
from jtcse.paper.places import LAYOUTS
from jtcse.paper.printed import models

if TYPE_CHECKING:
    from pandas import DataFrame

CONTRADICTION, TENSION, NOTE = STRENGTHS
STATES = ("supported", "partly", "contradicted", "not in the tables")
BACKBONES = ("BERT-base", "RoBERTa-base")
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


Judged = tuple[str, Sequence[str], dict[str, float], str]  # state, ids, numbers, words
Judge = Callable[[Tables], Judged]
JUDGES: dict[str, Judge] = {}


def judge(*ids: str) -> Callable[[Judge], Judge]:
    """Register the function that judges these claims."""

    def register(function: Judge) -> Judge:
        JUDGES.update({f"claim/{id}": function for id in ids})
        return function

    return register
