"""What all pages share: interval plots, the writer of tables, differences in words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jtcse.pages.furniture.elements import Words, beside, direction, ranged, verdict
from jtcse.pages.furniture.html import Markup, box, cell, line, link, small
from jtcse.pages.furniture.style import shorten

# -- words ---------------------------------------------------------------------------------------------------------


def test_every_seed_must_lie_on_the_side_of_the_interval() -> None:
    assert direction(0.1, 0.3, [0.2, 0.1]) == "agrees" and direction(0.1, 0.3, [0.2, -0.1]) == "undecided"
    assert direction(-0.3, -0.1, [-0.2]) == "disagrees" and direction(-0.3, -0.1, [-0.2, 0.1]) == "undecided"
    assert direction(-0.1, 0.1, [0.2, 0.2]) == "undecided"


def test_a_value_has_its_interval_where_there_is_one() -> None:
    assert ranged(0.5, 0.25, 0.75) == "+0.50 (+0.25 to +0.75)"
    assert ranged(61.25, 60, 62, ".1f", ".0f") == "61.2 (60 to 62)"
    assert ranged(0.5, None, None) == ranged(0.5, math.nan, math.nan) == "+0.50"


def test_a_verdict_keeps_its_unit_and_its_digits() -> None:
    assert verdict(-0.123, -0.2, -0.05, digits=2) == "worse by 0.12 points (95 % interval 0.05 to 0.20)"
    assert verdict(12, 3, 20, "hundredths of a point").startswith("better by 12.0 hundredths of a point")


def test_a_long_name_is_cut_to_its_limit() -> None:
    assert shorten("short", 5) == "short" and len(shorten("longer than that", 9)) <= 9


def test_words_are_read_as_attributes_and_a_wrong_one_names_the_others() -> None:
    words = Words(first="JTCSE", place=1)
    assert (words.first, words["place"]) == ("JTCSE", 1) and not hasattr(words, "_repr_html_")
    with pytest.raises(AttributeError, match="'last' among those of this page: first, place"):
        _ = words.last


# -- tables --------------------------------------------------------------------------------------------------------


def test_all_text_is_escaped_but_what_is_html_already() -> None:
    row = line("<a>", ["<b>", cell("<c>", "words", "<d>"), link("x.html", "<e>"), Markup("<i>f</i>")])
    assert row == (
        '<th scope=row>&lt;a&gt;</th><td>&lt;b&gt;</td><td class=words title="&lt;d&gt;">&lt;c&gt;</td>'
        '<td><a href="x.html">&lt;e&gt;</a></td><td><i>f</i></td>'
    )
    assert "<td>&lt;td&gt;</td>" in line("x", ["<td>"]), "a text that looks like a cell is none"
    assert "&lt;x&gt;" in box(["<x>"], [row], "l") and small("", "<y>") == "<small>&lt;y&gt;</small>"


def test_the_style_sheet_has_no_comment_and_one_rule_a_class() -> None:
    css = beside("tables.css")
    assert "/*" not in css and css.count("{") == css.count("}") and ".ledger .box{overflow:auto" in css


# -- figures -------------------------------------------------------------------------------------------------------


def test_an_interval_plot_has_a_mark_an_interval_and_strokes_in_each_row_that_has_them() -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib comes with the extra 'book'")
    pytest.importorskip("seaborn")
    from jtcse.pages.furniture.style import panels
    from jtcse.pages.plots.intervals import Series, intervals, legend

    figure, (axis,) = panels()
    first = Series([1.0, 2.0], [0.5, 1.5], [1.5, 2.5], "mean", strokes=[[0.9, 1.1], [2.0]])
    second = Series([3.0, math.nan], label="other", marker="D")
    intervals(axis, ["top", "bottom"], [first, second], "points", reference=0, step=0.2)
    marks = [
        np.ma.filled(found.get_offsets(), math.nan).tolist()
        for found in axis.collections
        if len(found.get_offsets()) == 2
    ]
    assert [[1.0, -0.1], [2.0, 0.9]] in marks
    segments = axis.collections[0].get_segments()
    assert [segment[:, 0].tolist() for segment in segments] == [[0.5, 1.5], [1.5, 2.5]]
    strokes = next(one for one in axis.lines if one.get_marker() == "|")
    assert strokes.get_xdata().tolist() == [0.9, 1.1, 2.0] and strokes.get_ydata() == pytest.approx([-0.1, -0.1, 0.9])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["top", "bottom"] and axis.yaxis_inverted()
    words = [text.get_text() for text in legend(figure).legends[0].get_texts()]
    assert sorted(words) == ["mean", "other", "single seeds"]
