"""Ranking and quantitative claims of the prose, each judged from the printed tables alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jtcse.paper.audit.finding import Finding, Result, rule, short
from jtcse.paper.audit.judging import CONTRADICTION, JUDGES, NOTE, STATES, TENSION, Tables, Verdict
from jtcse.paper.printed import claims

if TYPE_CHECKING:
    from pandas import DataFrame

MARKED = ("table2", "table3", "table4", "table5", "table6")


def verdicts(frame: DataFrame) -> list[Verdict]:
    """One verdict per claim of the paper, in order; a claim without judge, or whose values are lost, says so."""
    from jtcse.paper.audit import ablation_judges, claim_judges  # noqa: F401  (they fill JUDGES)

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


@rule
def ranking(frame: DataFrame) -> Iterator[Finding | None]:
    """Claims that the tables contradict, or carry in part only."""
    words, strengths = claims()["text"], {"contradicted": CONTRADICTION, "partly": TENSION}
    for verdict in (one for one in verdicts(frame) if one.state != STATES[3]):
        place = verdict.ids[0].partition("/")[0] if verdict.ids else "prose"
        sentence = f"The text says: {words[verdict.claim]}. {verdict.sentence}"
        yield None if verdict.state not in strengths else Finding(
            "claim", strengths[verdict.state], place, (verdict.claim, *verdict.ids), verdict.numbers, sentence
        )


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
