"""What a rule of the audit hands back, and the interval arithmetic that rules share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

from jtcse.paper.places import TITLES
from jtcse.paper.printed import half_unit

if TYPE_CHECKING:
    from pandas import DataFrame

STRENGTHS = ("contradiction", "tension", "note")
"""Cannot both be right as printed; hard to reconcile without an assumption; worth knowing, and often chance."""

TOLERANCE = 1e-9  # of floating point, far below any printed digit
TRUSTED = ("printed", "readme")  # statuses that say something about the paper; the rest was filled in by us


@dataclass(frozen=True)
class Finding:
    """One doubt about the paper, with the numbers that prove it.

    Attributes:
        rule: the rule that found it.
        strength: one of ``STRENGTHS``.
        place: table or figure.
        ids: the values or claims concerned.
        numbers: what was compared, by name.
        sentence: what was found, in plain words, with other explanations where there are any.
    """

    rule: str
    strength: str
    place: str
    ids: tuple[str, ...]
    numbers: dict[str, float]
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it: ids a list, numbers rounded to what they can mean."""
        rounded = {name: round(value, 6) for name, value in self.numbers.items()}
        return asdict(self) | {"ids": list(self.ids), "numbers": rounded}


@dataclass
class Result:
    """What a rule looked at: how many places it could test, and what it found there."""

    examined: int = 0
    findings: list[Finding] = field(default_factory=list)


Rule = Callable[["DataFrame"], Result]


def rule(places: Callable[[DataFrame], Iterator[Finding | None]]) -> Rule:
    """A rule out of a generator that yields, for each place that it could test, what it found there or None."""

    @wraps(places)
    def run(frame: DataFrame) -> Result:
        looked = list(places(frame))
        return Result(len(looked), [found for found in looked if found is not None])

    return run


@dataclass(frozen=True)
class Interval:
    """The numbers that a printed one can stand for, ends included."""

    low: float
    high: float

    @classmethod
    def of(cls, text: str) -> Interval:
        """A printed number with half a unit of its last digit on both sides: "79.70" is 79.695 to 79.705."""
        value, half = float(text), half_unit(text)
        return cls(value - half, value + half)

    @classmethod
    def mean(cls, parts: Sequence[Interval]) -> Interval:
        """All means of one number out of each part."""
        return cls(sum(p.low for p in parts) / len(parts), sum(p.high for p in parts) / len(parts))

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.low - other.high, self.high - other.low)

    def __truediv__(self, other: Interval) -> Interval:
        """Of positive intervals."""
        return Interval(self.low / other.high, self.high / other.low)

    def times(self, factor: float) -> Interval:
        """Scaled by a factor above 0."""
        return Interval(self.low * factor, self.high * factor)

    def gap(self, other: Interval) -> float:
        """How far apart two intervals lie; 0 where they meet."""
        distance = max(self.low - other.high, other.low - self.high)
        return distance if distance > TOLERANCE else 0.0


def numbers_of(frame: DataFrame, statuses: Iterable[str] = TRUSTED) -> dict[str, str]:
    """Texts of the values that are numbers and of these statuses, by id: what most rules start from."""
    kept = frame[frame["value"].notna() & frame["status"].isin(list(statuses))]
    return dict(zip(kept.index, kept["text"], strict=True))


def called(id: str) -> str:
    """An id in words: what of which system (and backbone)."""
    parts = id.split("/")
    if parts[0] == "table1":
        return f"{parts[3]} of {parts[2]} on {parts[1]}"
    return f"{parts[1]} of {parts[2]}" if len(parts) == 3 else parts[-1]


def short(place: str) -> str:
    """The name of a place without its title: Table I, Fig. 7, the prose."""
    return TITLES[place].partition(":")[0] if ":" in TITLES[place] else "the prose"
