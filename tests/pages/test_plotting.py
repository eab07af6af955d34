"""Figures: one look, an alternative text, and interactive ones that keep a picture where no script runs."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="Matplotlib comes with the extra 'book'")
pandas = pytest.importorskip("pandas")
pytest.importorskip("seaborn")

from jtcse.pages import plots  # noqa: E402
from jtcse.pages.furniture import style  # noqa: E402

FRAME = pandas.DataFrame(
    [{"step": 0, "dev": 50.0}]
    + [{"step": s, "loss": 2.0 / s, "infonce_1": 1.0 / s, "ictm": 1.0 / s} for s in range(1, 10)]
    + [{"step": 10, "loss": 0.2, "infonce_1": 0.1, "ictm": 0.1, "dev": 49.0}]
)


def figures() -> dict[str, object]:
    """Every figure of the module, from little data."""
    scores = {name: {"STS12": (50.0, 49.0, 51.0), "average": (50.0, 49.0, 51.0)} for name in style.COLOURS}
    return {
        "two stages": plots.two_stages(),
        "histogram": plots.histogram({"a": np.arange(9.0), "b": np.zeros(9)}, "x"),
        "bars": plots.bars({"a": 1.0, "b": 2.0}, "x", ends={"a": (0.5, 1.5), "b": (1.0, 3.0)}),
        "curves": plots.curves({"tower_1": FRAME, "tower_2": FRAME}),
        "development": plots.development({"jtcse": FRAME}, {"before": 50.0, "teacher": 51.0}),
        "parts": plots.loss_parts(FRAME),
        "maps": plots.attention_maps([np.full((3, 3), 1 / 3)] * 12, ["[CLS]", "word", "[SEP]"]),
        "layers": plots.over_layers({"[CLS]": [0.1, 0.2]}, "share", bottom=0),
        "lines": plots.lines([0.1, 1.0], {"a": [1, 2], "b": [1, np.nan]}, "x", "y", log=True),
        "ranges": plots.point_ranges(scores),
    }


def test_every_figure_is_drawn_and_narrow_enough_for_a_phone() -> None:
    for name, figure in figures().items():
        html = style.picture(figure, f"the figure <{name}>")
        assert f'alt="the figure &lt;{name}&gt;"' in html and "max-width:100%" in html, name
        assert figure.get_figwidth() == style.WIDTH, name


def test_the_ring_is_never_on_the_starting_weights() -> None:
    axis = plots.development({"jtcse": FRAME}, {}).axes[0]
    ring = next(line for line in axis.lines if line.get_markersize() == 14)
    assert ring.get_xdata()[0] == 10


def test_turnable_figure_asks_for_the_shared_script_only_and_keeps_its_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("plotly")
    from jtcse.pages.plots import turnable

    shown: list[object] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    style.show(turnable.triangle(), "a triangle", still=turnable.triangle_still())
    html = shown[0].data
    assert "data:image/png" in html and 'alt="a triangle"' in html
    assert style.SCRIPT in html and not re.search(r"https?://", html)
    assert html.count("</script>") == 1


def test_both_sliders_of_the_triangle_keep_to_their_own() -> None:
    pytest.importorskip("plotly")
    from jtcse.pages.plots import turnable

    angle, ratio = json.loads(turnable.triangle().to_json())["layout"]["sliders"]
    assert {key for step in angle["steps"] for key in step["args"][0]} == {"x", "y", "text"}
    assert {key for step in ratio["steps"] for key in step["args"][0]} == {"visible"}
    assert len(angle["steps"]) == len(turnable.ANGLES) and len(ratio["steps"]) == len(turnable.RATIOS)


def test_surface_has_its_minimum_where_the_paper_has_it() -> None:
    pytest.importorskip("plotly")
    from jtcse.pages.plots import turnable

    log_k, t, z = turnable._grid()
    row, column = np.unravel_index(z.argmin(), z.shape)
    assert (t[row], log_k[column], z[row, column]) == pytest.approx((1, 0, 0), abs=1e-9)
    assert len(turnable.surface().data) == 3 and turnable.surface_still().axes
