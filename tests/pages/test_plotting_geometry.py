"""Figures of vectors, surfaces, moduli and attention: each is drawn, narrow enough, and shows what it was given."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="Matplotlib comes with the extra 'book'")
pytest.importorskip("pandas")
pytest.importorskip("seaborn")

from jtcse.evaluation.readings import REFERENCE, Reading, Spot, orders
from jtcse.evaluation.states import KINDS
from jtcse.experiments.stages import NAMES
from jtcse.method.triangle import refined_surface, triangle
from jtcse.pages.furniture import style
from jtcse.pages.plots import geometry as plotting_geometry

FORMS = {form: refined_surface(form) for form in ("printed", "released")}
SYSTEMS = list(style.COLOURS)


def spots(shift: float = 0.0) -> dict[str, Spot]:
    draws = np.random.default_rng(0).normal(size=(2, 50)) / 100
    middles = [(0.2 + 0.1 * i + shift, -2.0 - 0.1 * i) for i in range(len(SYSTEMS))]
    return {s: Spot(a, u, 50, 90, draws + np.array([[a], [u]])) for s, (a, u) in zip(SYSTEMS, middles, strict=True)}


FOUND = {REFERENCE: spots(), Reading("tests", 4.5, "all"): spots(0.1), Reading("tests", 4.5, "positives"): spots(0.1)}


def shares(layers: int = 4) -> dict[str, np.ndarray]:
    found = {kind: np.full((layers, 6), 0.25) for kind in KINDS}
    return found | {"one_token": np.full(6, 0.1), "marked": np.ones(6)}


def figures() -> dict[str, object]:
    """Every figure of the module, from little data."""
    tokens, lengths = ["[CLS]", "word", "[SEP]"], np.linspace(9, 10, 40).reshape(4, 10)
    maps = {name: [np.full((3, 3), 1 / 3)] * 2 for name in ("start", "tower_1")}
    return {
        "triangles": plotting_geometry.triangles([[triangle(1, angle) for angle in (30, 60, 150)]] * 2),
        "surfaces": plotting_geometry.surfaces(FORMS, 4.0),
        "places": plotting_geometry.alignment_uniformity(spots(), {s: 50.0 + i for i, s in enumerate(SYSTEMS)}),
        "readings": plotting_geometry.by_reading(orders(FOUND), FOUND),
        "maps": plotting_geometry.sink_maps(maps, tokens, (1, 4)),
        "sinks": plotting_geometry.sinks({"start": shares(), "tower_1": shares(), "distilled": shares()}, KINDS),
        "layers": plotting_geometry.moduli_by_layer({"[CLS]": lengths, "all tokens": lengths}, 9.8),
        "ranges": plotting_geometry.modulus_ranges(
            {"start": {"[CLS]": lengths[0], "pooler": lengths[1]}}, {"start": 9.8}
        ),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, object]:
    return figures()


def test_every_figure_is_drawn_and_narrow_enough_for_a_phone(drawn: dict[str, object]) -> None:
    for name, figure in drawn.items():
        assert 'alt="&lt;x&gt;"' in style.picture(figure, "<x>"), name
        assert figure.get_figwidth() == style.WIDTH, name
        letters = [t.get_fontsize() for axis in figure.axes for t in axis.texts + axis.get_xticklabels() + [axis.title]]
        assert min(letters) >= 8.5, f"{name}: on a phone these are under eight pixels"


def test_a_triangle_has_three_arrows_that_end_where_its_vectors_do(drawn: dict[str, object]) -> None:
    axis = drawn["triangles"].axes[2]
    ends = [text.xy for text in axis.texts if getattr(text, "arrow_patch", None)]
    expected = triangle(1, 150)
    assert len(ends) == 3 and np.allclose(ends, [expected.h, expected.h_plus, expected.h])
    assert f"{expected.loss:.3f}" in axis.get_title(loc="left")


def test_a_point_stands_where_its_system_is_and_every_system_is_named(drawn: dict[str, object]) -> None:
    axis = drawn["places"].axes[0]
    points = [line.get_xydata()[0].tolist() for line in axis.lines if line.get_marker() == "o"]
    assert np.allclose(points, [(s.uniformity, s.alignment) for s in spots().values()])
    assert {text.get_text() for text in axis.texts} == set(NAMES.values())


def test_each_reading_is_shown_for_the_measure_that_it_touches(drawn: dict[str, object]) -> None:
    first, second = drawn["readings"].axes[:2]
    assert [t.get_text() for t in first.get_yticklabels()] == ["dev ≥ 4", "tests ≥ 4.5"]
    assert [t.get_text() for t in second.get_yticklabels()] == ["dev, all", "tests ≥ 4.5"]
    assert list(first.lines[0].get_xdata()) == [pytest.approx(0.2), pytest.approx(0.3)]


def test_shares_are_drawn_in_percent_with_the_even_one(drawn: dict[str, object]) -> None:
    axis = drawn["sinks"].axes[0]
    levels = {line.get_label(): set(np.round(line.get_ydata(), 6)) for line in axis.lines}
    assert levels["[CLS]"] == {25.0} and levels["one token, evenly"] == {10.0}


def test_buttons_choose_one_surface_each() -> None:
    pytest.importorskip("plotly")
    figure = json.loads(plotting_geometry.turnable_surfaces(FORMS, 4.0).to_json())
    buttons = figure["layout"]["updatemenus"][0]["buttons"]
    assert [b["label"] for b in buttons] == list(FORMS)
    assert [b["args"][0]["visible"] for b in buttons] == [[True, False], [False, True]]
    assert [surface["visible"] for surface in figure["data"]] == [True, False]
