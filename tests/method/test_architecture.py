"""The architecture as it is read from a twin, and its drawing, follow the module."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jtcse.core.config import load_settings
from jtcse.method.architecture import Architecture, compared, read
from jtcse.method.cross_attention import cael_layers
from jtcse.method.twin import Twin
from jtcse.pages.plots.architecture import WIDTH, drawing, figure

READINGS = ("none", "last", "carried", "fed")
LOSS = load_settings("embedded").stage2
SVG = "{http://www.w3.org/2000/svg}"


def twin(reading: str = "carried", count: int = 3, family: str = "bert", **changes) -> Twin:
    return Twin(*(tiny.tower(family, seed=i, **changes) for i in (1, 2)), cross_stream=reading, cael_count=count)


def drawn(found: Architecture) -> dict[str, int]:
    """How many elements of each class the drawing has; it must be whole XML."""
    kinds = [element.get("class") or "" for element in ET.fromstring(drawing(found)).iter()]
    return {
        kind: sum(kind in k.split() for k in kinds) for kind in ("layer", "cael", "step", "pooler", "v", "qk", "part")
    }


# -- what is read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize("reading", READINGS)
def test_q_k_and_v_come_from_where_the_reading_says(reading: str, family: str) -> None:
    found = read(twin(reading, family=family), LOSS)
    caels = cael_layers(6, 3)
    steps = {"none": [], "last": caels[-1:], "carried": caels, "fed": caels[-1:]}[reading]
    for tower, other in ((1, 2), (2, 1)):
        main = {a.layer: a for a in found.attentions if a.tower == tower and a.rows == "all"}
        cross = {a.layer: a for a in found.attentions if a.tower == tower and a.rows == "[CLS]"}
        assert list(main) == [1, 2, 3, 4, 5, 6] and list(cross) == steps
        assert all(a.query == a.key == (tower,) for a in found.attentions if a.tower == tower)
        assert {j for j, a in main.items() if a.value != (tower,)} == (set(caels) if reading == "fed" else set())
        assert all(a.value == (other,) for a in cross.values())
        added = [a.residual for a in cross.values()]
        assert added == (["layer"] + ["stream"] * (len(steps) - 1) if steps else [])


def test_a_module_that_is_wired_otherwise_is_read_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    from jtcse.method import cross_attention

    def astray(layer, hidden, other_layer, other_hidden, mask, residual):
        """Keys of the other tower too, which no reading has."""
        values = other_layer.attention.self.value(other_hidden)
        context = cross_attention.attend(other_layer, hidden[:, :1], other_hidden, values, mask)
        return layer.attention.output(context, residual)

    monkeypatch.setattr(cross_attention, "crossed_cls", astray)
    found = read(twin("last"), LOSS)
    (step,) = [a for a in found.attentions if a.tower == 1 and a.rows == "[CLS]"]
    assert (step.query, step.key, step.value) == ((2,), (2,), (2,))


def test_reading_leaves_the_twin_as_it_was() -> None:
    model = twin("fed").train()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    read(model, LOSS)
    assert model.training and not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_losses_read_the_vectors_of_their_equations() -> None:
    parts = read(twin("carried"), LOSS).parts
    assert parts["infonce_1"] == ("h_1",) and parts["infonce_2"] == ("h_2",)
    assert parts["icnce_hidden"] == ("h_1", "h_2") and parts["icnce_cross"] == ("c_1", "c_2")
    assert parts["ictm"] == ("h_1", "h_2", "p_1", "p_2")
    assert set(read(twin("none"), LOSS.model_copy(update={"parts": ["ictm"]})).parts) == {"ictm"}


def test_cross_attention_adds_no_weight() -> None:
    rows = compared({name: read(twin(name), LOSS) for name in READINGS})
    assert len(set(rows.loc["parameters"])) == 1
    assert list(rows.loc["main stream reads the other tower"]) == ["none", "none", "none", "2, 4, 6"]


# -- what is drawn -------------------------------------------------------------------------------------------


@given(depth=st.sampled_from([1, 2, 4, 6]), data=st.data(), reading=st.sampled_from(READINGS))
@settings(max_examples=10, deadline=None)
def test_boxes_are_layers_and_highlighted_ones_are_caels(depth: int, data: st.DataObject, reading: str) -> None:
    count = data.draw(st.sampled_from([c for c in range(1, depth + 1) if depth % c == 0]))
    model = twin(reading, count, num_hidden_layers=depth)
    found = drawn(read(model, LOSS))
    assert found["layer"] == 2 * depth and found["cael"] == 2 * len(model.caels)
    assert found["step"] == 2 * {"none": 0, "last": 1, "carried": count, "fed": 1}[reading]
    assert found["qk"] == found["step"]
    assert found["v"] == found["step"] + (2 * count if reading == "fed" else 0)
    assert found["pooler"] == 2


def test_highlighted_boxes_carry_the_numbers_of_the_caels() -> None:
    model = twin("carried", 2)
    said = re.findall(r">layer (\d+) CAEL<", drawing(read(model, LOSS)))
    assert sorted(set(map(int, said))) == model.caels == [3, 6]


@pytest.mark.parametrize("reading", READINGS)
def test_a_drawing_fits_its_frame_and_tells_itself_in_words(reading: str) -> None:
    root = ET.fromstring(drawing(read(twin(reading, 6), LOSS)))
    _, _, width, height = map(float, root.get("viewBox").split())
    assert width == WIDTH <= 360, "a phone shows it at full size"
    for element in root.iter():
        for name, end in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(element.get(name, 0)) <= end
    assert root.get("role") == "img" and "6 layers" in root.find(f"{SVG}desc").text


def test_no_colour_of_text_is_fixed_so_that_dark_pages_can_be_read() -> None:
    html = figure(read(twin(), LOSS), "<b>").data
    assert "&lt;b&gt;" in html and "fill:currentColor" in html
    assert not re.search(r"<(text|rect)[^>]*(fill|style)=", html)
