"""Where the authors' released code, its README and the supplement of its predecessor differ from the printed paper.

JTCSE's repository is called J here, that of its predecessor TNCSE T. The modelling files of J (an archive that the public
repository names but does not hold) could not be read. A difference that a setting of this project can switch names it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from jtcse.core.errors import UserError

Kind = Literal["switched", "shown", "missing", "no number"]
KINDS: dict[Kind, str] = {
    "switched": "measured by training both readings",
    "shown": "shown on the towers without training",
    "missing": "cannot be measured: file is missing",
    "no number": "not a matter of numbers",
}


@dataclass(frozen=True)
class Difference:
    """One difference: what print says, what code says, which setting switches it, or why none does.

    ``switch`` is the dotted name of a setting, ``readings`` its values that stand for the two sides or the readings that fit.
    """

    number: int
    group: str
    title: str
    paper: str
    code: str
    kind: Kind
    reason: str
    switch: str = ""
    readings: tuple[str, ...] = ()


def _read() -> tuple[Difference, ...]:
    """The rows of ``discrepancies.csv``, whose columns are the fields of ``Difference``; readings have blanks between them."""
    text = (files(__package__) / "discrepancies.csv").read_text(encoding="utf8")
    return tuple(
        Difference(**row | {"number": int(row["number"]), "readings": tuple(row["readings"].split())})
        for row in csv.DictReader(text.splitlines())
    )


DIFFERENCES = _read()


def difference(number: int) -> Difference:
    """One of ``DIFFERENCES``.

    Raises:
        UserError: no such number.
    """
    for one in DIFFERENCES:
        if one.number == number:
            return one
    raise UserError(f"there is no difference {number}; they are numbered from 1 to {len(DIFFERENCES)}")


def by_kind(kind: Kind) -> list[Difference]:
    """All differences of a kind."""
    return [one for one in DIFFERENCES if one.kind == kind]
