"""No result is typed into prose: what the checker lets pass, what it finds, and that this checkout has none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jtcse.core.errors import UserError
from jtcse.pipeline.prose_check import ALLOWED, check, findings, main, prose

ROOT = Path(__file__).parents[2]
LETS_PASS = {
    "names of the paper's tables": ["Table 10 and Tables 8 to 11, Tables 1, 2 and 3"],
    "names of the paper's figures": ["Fig. 3, Figs. 6, 7 and 8, Figure 10"],
    "names of the paper's equations": ["Eq. 15, Eqs. 16-17, Equations 6 to 10, Equation 1"],
    "names of the paper's footnotes": ["footnote 8"],
    "names of the two stages, towers and views": ["stage 2 of tower 1, view 2, towers 1 and 2"],
    "names of claims": ["C06 and C24"],
    "names of tasks": ["STS12, STS16, STS17 and STS22.v2"],
    "names with a digit": ["all-MiniLM-L6-v2 on Wiki1M in UTF-8, BUCC.v2 by F1"],
    "cut-offs in the names of retrieval metrics": ["MAP@10 and NDCG@5"],
    "the convention for intervals, the same on every page": ["95 % interval, the 95 % bootstrap intervals"],
    "the convention for power, the same on every page": ["at 80 % power"],
    "the right angle": ["angles of 90° and more"],
    "versions of tools": ["Python 3.11, mteb 2.1.5, mteb 1.x"],
    "years": ["in August 2026, since 2021."],
    "places in a numbered list": ["1. First.\n2. Second."],
}
TAKEN_OUT = [
    "`stage2.steps=50`", "``a ` 5``", "{glue:text}`gain:.1f`", "{glue:text}`report.ipynb::gain:.2f`", "{printed}`table10/NCE`",
    "{cite}`zong2025jtcse`", "$k=1$", "$$x^2+1\\qquad(15)$$", "[a page](table10.ipynb)", "<https://example.org/12>",
    "https://example.org/12", "<a id='x12'>", "<!-- 12 -->", "```python\nx = 12\n```", "~~~\n12\n~~~", "```{code-block}\n12\n```",
    "````\n```\n12\n```\n12\n````", "(figure-12)=",
]  # fmt: skip
FOUND = {
    "JTCSE scores 79.70 points.": "79.70", "better by +0.3": "+0.3", "by −1.2": "−1.2", "Table 12": "12",
    "Table 3.5": "3.5", "Tables 79.7": "79.7", "Table 3 % more": "3", "stage 2.5": "2.5", "95 % of all pairs": "95",
    "STS172": "172",
    "1,379 pairs": "1,379", "`79.70`": "79.70", "$79.70$": "79.70", "$+0.3$ more": "+0.3", "{sub}`79.7`": "79.7",
    "three points better": "three points", "half a point better": "half a point better", "two times faster": "two times faster",
    "better by two": "better by two", "twice as high": "twice as high", "one and a half\npoints": "one and a half points",
    "```{note}\n79.7\n```": "79.7", "```{admonition} 79.7\n:class: x12\n```": "79.7", "[79.7](table10.ipynb)": "79.7",
    "| 79.7 |": "79.7", "2000 sentences": "2000", "# Table 10 gains 3": "3", ":::{tip}\n79.7\n:::": "79.7", "- 3 better": "3",
}  # fmt: skip
BETWEEN = re.compile(r"[^\W\d] [^\W\d]")
QUIET = [
    "two towers",
    "one training seed",
    "seven tasks",
    "half the cost",
    "three types",
    "one by one",
    "at that point",
]


def test_no_number_is_typed_into_prose() -> None:
    assert [str(finding) for finding in check(ROOT)] == []


def test_every_permission_has_a_reason_and_lets_pass_what_it_is_for() -> None:
    assert {allowed.reason for allowed in ALLOWED} == set(LETS_PASS)
    for texts in LETS_PASS.values():
        for text in texts:
            assert findings(text) == [], text


@pytest.mark.parametrize("text", TAKEN_OUT)
def test_code_roles_mathematics_and_addresses_are_no_prose(text: str) -> None:
    assert findings(f"Words\n\n{text}\n\nand words") == []
    if "\n" not in text and not text.startswith("("):
        assert findings(f"Words {text} and words") == []


@pytest.mark.parametrize("text", FOUND)
def test_result_in_disguise_is_found(text: str) -> None:
    assert [finding.number for finding in findings(f"Words\n\n{text}\n\nand words")] == [FOUND[text]]


@pytest.mark.parametrize("text", QUIET)
def test_number_words_that_are_no_result_pass(text: str) -> None:
    assert findings(text) == []


def test_what_follows_a_block_is_looked_at_again() -> None:
    text = "```python\n1\n```\nscored 61.3\n\n```{note}\n:class: x1\nscored 61.4\n```\nscored 61.5"
    assert [(finding.line, finding.number) for finding in findings(text)] == [(4, "61.3"), (8, "61.4"), (10, "61.5")]


PIECES = [
    "The twin is, compared with the sum, ", "{glue:text}`joint:.1f`", " points better.\n\n", "## What we learn\n\n",
    "`stage2.steps=50`", " turns it; $k=1$ and ", "$$L=\\sum_{i=1}^n x_i\\qquad(1)$$", "\n\n```python\nx = 1\n```\n\n",
    "- a list, ", "**bold**, ", "[a link](table10.ipynb), ", "{printed}`table10/NCE` in print, ", "| a | cell |\n",
    "> said so\n", "<https://example.org/1> and\n",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=8), data=st.data(), digit=st.integers(0, 9))
def test_a_digit_at_any_place_of_prose_is_found(pieces: list[str], data: st.DataObject, digit: int) -> None:
    text = "Words " + " words ".join(pieces) + " words"
    assert findings(text) == []
    left = prose(text)
    assert len(left) == len(text) and left.count("\n") == text.count("\n")
    # Between two letters or spaces that the checker reads as words: not inside what it takes out, and not at its edge.
    places = [
        i for i in range(1, len(text)) if left[i - 1 : i + 1] == text[i - 1 : i + 1] and text[i - 1 : i + 1].isalpha()
    ]
    place = data.draw(st.sampled_from(places))
    (found,) = findings(text[:place] + str(digit) + text[place:])
    assert found.number == str(digit) and found.line == text.count("\n", 0, place) + 1


@settings(max_examples=30, deadline=None)
@given(data=st.data(), number=st.decimals(0, 100, places=2).map(str))
def test_a_score_typed_into_a_real_page_is_found(data: st.DataObject, number: str) -> None:
    path = data.draw(
        st.sampled_from(sorted((ROOT / "book").glob("*.md")) + sorted((ROOT / "notebooks").glob("*.ipynb")))
    )
    text, cells = path.read_text(encoding="utf8"), []
    if path.suffix == ".ipynb":
        cells = ["".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "markdown"]
    text = data.draw(st.sampled_from([cell for cell in cells or [text] if between_words(cell)]))
    place = data.draw(st.sampled_from(between_words(text)))
    found = findings(f"{text[:place]}{number} {text[place:]}")
    assert number in [finding.number for finding in found]


def between_words(text: str) -> list[int]:
    """Where a word begins after a word, and the checker reads both."""
    left, three = prose(text), [slice(i - 2, i + 1) for i in range(2, len(text))]
    return [part.start + 2 for part in three if left[part] == text[part] and BETWEEN.fullmatch(text[part])]


def a_checkout(folder: Path, page: str, cell: str) -> Path:
    """A root with one page and one notebook of one Markdown cell and one code cell with digits."""
    for name in ("book", "notebooks"):
        (folder / name).mkdir()
    (folder / "book" / "intro.md").write_text(page, encoding="utf8")
    cells = [{"cell_type": "code", "id": "n-00", "source": ["x = 79.7"]}]
    cells.append({"cell_type": "markdown", "id": "n-01", "source": ["words\n", cell]})
    (folder / "notebooks" / "n.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf8")
    return folder


def test_command_names_file_cell_line_and_number(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([str(a_checkout(tmp_path, "It scored 61.3.", "and 61.4"))]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "book/intro.md, line 1: '61.3' in: It scored 61.3."
    assert lines[1] == "notebooks/n.ipynb, cell n-01, line 2: '61.4' in: and 61.4"
    assert lines[2].startswith("2 numbers")


def test_command_is_content_with_a_clean_checkout(tmp_path: Path) -> None:
    assert main([str(a_checkout(tmp_path, "words", "words"))]) == 0


def test_folder_without_pages_and_broken_notebook_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither"):
        check(tmp_path)
    a_checkout(tmp_path, "", "")
    (tmp_path / "notebooks" / "n.ipynb").write_text('{"cells": [', encoding="utf8")
    with pytest.raises(UserError, match=r"n\.ipynb is not a whole notebook"):
        check(tmp_path)
    assert main([str(tmp_path)]) == 2
