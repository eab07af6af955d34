"""Readings of Eqs. 16 and 17, moduli and sinks sentence by sentence, the triangles of Fig. 2: against the plain measures."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jtcse.core.errors import UserError
from jtcse.data.pairs import PairSet
from jtcse.evaluation import readings, states
from jtcse.evaluation.geometry import alignment, attention_received, layer_states, uniformity
from jtcse.evaluation.readings import REFERENCE, Effect, Reading, Spot
from jtcse.method import triangle

NAMES = ("a", "b", "c")


class Fixed:
    """An encoder that gives each sentence a vector of its own."""

    def __init__(self, seed: int) -> None:
        self.seed, self.calls = seed, 0

    def encode(self, sentences: list[str]) -> np.ndarray:
        self.calls += 1
        rows = [np.random.default_rng([self.seed, int(s[1:])]).normal(size=5) for s in sentences]
        return np.array(rows, dtype=np.float32)


def pair_set(name: str, begin: int, n: int = 40) -> PairSet:
    first, second = [[f"s{begin + 2 * i + k}" for i in range(n)] for k in (0, 1)]
    return PairSet(name, first, second, np.resize([5.0, 4.5, 4.0, 2.0], n), "made up")


DATA = {"development": pair_set("dev", 0), "tests": pair_set("tests", 1000)}


@pytest.fixture(scope="module")
def found() -> readings.Found:
    return readings.measure({n: Fixed(i) for i, n in enumerate(NAMES)}, DATA, sums={"d": ("a", "b")}, resamples=200)


def test_each_reading_takes_its_own_pairs_and_sentences(found: readings.Found) -> None:
    assert next(iter(found)) == REFERENCE and len(found) == 12
    for reading, share, over in (
        (Reading("development", 4.5, "all"), 0.5, 80),
        (Reading("tests", 5.0, "positives"), 0.25, 20),
    ):
        pairs = DATA[reading.data]
        rows = np.flatnonzero(pairs.gold >= reading.threshold)
        first, second = (Fixed(2).encode([side[i] for i in rows]) for side in (pairs.first, pairs.second))
        spread = (
            [*pairs.first, *pairs.second]
            if reading.over == "all"
            else [s for i in rows for s in (pairs.first[i], pairs.second[i])]
        )
        spot = found[reading]["c"]
        assert (spot.pairs, spot.sentences) == (share * 40, over)
        assert spot.alignment == pytest.approx(alignment(first, second))
        assert spot.uniformity == pytest.approx(uniformity(Fixed(2).encode(sorted(spread))), abs=1e-6)


def test_a_system_that_is_a_sum_has_the_vectors_of_both(found: readings.Found) -> None:
    pairs = DATA["development"]
    rows = np.flatnonzero(pairs.gold >= 4)
    sides = [sum(Fixed(k).encode([side[i] for i in rows]) for k in (0, 1)) for side in (pairs.first, pairs.second)]
    assert found[REFERENCE]["d"].alignment == pytest.approx(alignment(*sides), abs=1e-5)


def test_drawing_every_sentence_once_gives_the_plain_measure() -> None:
    v = np.random.default_rng(0).normal(size=(30, 4))
    value, draws = readings._uniformities(v, np.ones((1, 30)))
    assert value == pytest.approx(draws[0]) == pytest.approx(uniformity(v))
    value, draws = readings._alignments(v[:15], v[15:], np.ones((1, 15)))
    assert value == pytest.approx(draws[0]) == pytest.approx(alignment(v[:15], v[15:]))


def test_a_sentence_drawn_twice_is_not_its_own_partner() -> None:
    v = np.eye(3)
    counts = np.array([[2.0, 1.0, 0.0]])  # the pairs of different rows: only 1 and 2, at a squared distance of 2
    assert readings._uniformities(v, counts)[1][0] == pytest.approx(-4)


def test_orders_count_what_a_reading_turns_and_show_equal_readings_once(found: readings.Found) -> None:
    table = readings.orders(found)
    assert (table["of"] == 6).all() and (table["decided"] <= table["turned"]).all()
    assert table.groupby("measure").size().to_dict() == {"alignment": 6, "uniformity": 8}
    assert table.iloc[0][["correlation", "turned"]].tolist() == [pytest.approx(1), 0]
    turned = {
        r: {n: s._replace(alignment=-s.alignment) for n, s in spots.items()}
        for r, spots in found.items()
        if r != REFERENCE
    }
    table = readings.orders(
        {
            REFERENCE: found[REFERENCE],
            Reading("development", 4.5, "all"): turned[Reading("development", 4.0, "positives")],
        }
    )
    assert table.iloc[1][["correlation", "turned"]].tolist() == [pytest.approx(-1), 6]


def test_an_advantage_in_both_needs_both() -> None:
    def spot(a: float, u: float) -> Spot:
        return Spot(a, u, 9, 9, np.array([[a - 0.1, a + 0.1], [u - 0.1, u + 0.1]]))

    gains = readings.advantage({"ours": spot(0.5, -2.0), "other": spot(0.4, -1.0)}, ["ours"], ["other"])
    assert gains["alignment"].value == pytest.approx(-0.1) and gains["uniformity"].value == pytest.approx(1)
    assert gains["both"] == pytest.approx(gains["alignment"])


def test_test_sets_are_put_together_thinned() -> None:
    joined = readings.together({"x": pair_set("x", 0), "y": pair_set("y", 100)}, 10)
    assert len(joined) == 20 and joined.first[0] == "s0" and joined.first[10] == "s100"
    with pytest.raises(UserError, match="lower the threshold"):
        readings.measure(
            {"a": Fixed(0)}, DATA | {"tests": PairSet("tests", ["s1"], ["s2"], np.array([1.0]), "made up")}
        )


# -- inside a tower --------------------------------------------------------------------------------

SENTENCES = ["a baker carries a copper kettle .", "one nurse paints the blue boat in the harbour ."] * 2


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory):
    return tiny.saved(tmp_path_factory.mktemp("tower"))


def test_moduli_are_those_of_the_models_own_states(tower) -> None:
    model, tokenizer = tower
    found = states.moduli(model, tokenizer, SENTENCES)
    for number, sentence in enumerate(SENTENCES[:2]):
        with torch.no_grad():
            output = model(**tokenizer(sentence, return_tensors="pt"), output_hidden_states=True)
        norms = torch.stack(output.hidden_states)[:, 0].norm(dim=-1)
        np.testing.assert_allclose(found.cls[:, number], norms[:, 0], rtol=1e-4)
        np.testing.assert_allclose(found.tokens[:, found.owner == number], norms, rtol=1e-4)
        assert found.pooler[number] == pytest.approx(output.pooler_output.norm().item(), rel=1e-4)
    assert (found.pooler < np.sqrt(found.width)).all()


def test_shares_of_sentences_average_to_those_of_the_batch(tower) -> None:
    model, tokenizer = tower
    found = states.sinks(model, tokenizer, SENTENCES)
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    attentions, _ = layer_states(model, dict(batch))
    marks = states.punctuation_tokens(tokenizer, batch["input_ids"])
    for layer, shares in enumerate(attention_received(attentions, batch["attention_mask"], marks)):
        assert {kind: found[kind][layer].mean() for kind in states.KINDS} == pytest.approx(shares, abs=1e-6)
    assert found["marked"].tolist() == [1, 1, 1, 1]
    assert found["one_token"] == pytest.approx((1 / batch["attention_mask"].sum(1)).numpy())


def test_even_attention_has_no_sink() -> None:
    even = {"cls": [[0.1, 0.2]], "sep": [[0.1, 0.2]], "final_punctuation": [[0.1, 0.0]]}
    shares = {kind: np.array(value) for kind, value in even.items()} | {
        "one_token": np.array([0.1, 0.2]),
        "marked": np.array([1, 0]),
    }
    assert states.excess(shares, ("sep", "final_punctuation")) == pytest.approx([0, 0])
    assert states.excess(shares | {"sep": np.array([[0.4, 0.2]])}, ("sep",)) == pytest.approx([30, 0])


def test_intervals_over_sentences_hold_the_value_and_narrow_with_their_number() -> None:
    x = np.random.default_rng(0).normal(5, 1, 400)
    many, few = (states.over_sentences(np.mean, some) for some in (x, x[:40]))
    assert isinstance(many, Effect) and many.low < many.value < many.high
    assert many.high - many.low == pytest.approx(4 / 400**0.5, rel=0.15) and few.high - few.low > 2 * (
        many.high - many.low
    )


def test_the_printed_range_has_its_relative_half_range() -> None:
    assert states.relative_half_range(np.linspace(14, 16, 2001)) == pytest.approx(0.95 / 15, rel=1e-3)


# -- triangles -------------------------------------------------------------------------------------


@given(st.floats(0.1, 10), st.floats(1, 179), st.floats(0.01, 100))
@settings(max_examples=50, deadline=None)
def test_a_triangle_obeys_the_cosine_law_and_eq_5_whatever_its_size(ratio: float, angle: float, length: float) -> None:
    from jtcse.method.derivation import numeric

    one = triangle.triangle(ratio, angle, length)
    cosine = np.cos(np.deg2rad(angle))
    assert one.difference == pytest.approx(length * np.sqrt(1 + ratio**2 - 2 * ratio * cosine), rel=1e-9)
    assert one.loss == pytest.approx(numeric(ratio, cosine), rel=1e-9)


def test_growth_is_1_for_both_and_below_0_where_a_short_vector_catches_up() -> None:
    pairs = triangle.pairs(np.array([0.5, 2.0]), np.array([20.0, 20.0]))
    assert triangle.growth(*pairs) == pytest.approx([1, 1])
    one_side = triangle.growth(*pairs, both=False)
    assert one_side[0] < 0 < one_side[1]
    assert triangle.decades_of_invariance(*pairs, 3.0) > 6


def test_the_least_k_is_1_for_every_cosine_but_minus_1() -> None:
    least = triangle.least_over_k(np.array([-0.9, 0.0, 0.7, 1.0]))
    assert least["k"].to_numpy() == pytest.approx(np.ones(4), abs=1e-4)
    assert least["value"].to_numpy() == pytest.approx(np.sqrt((1 - least["t"]) / 2), abs=1e-9)
    assert triangle.gap_around_minimum() > 0
    with pytest.raises(ValueError, match="the same for every k"):
        triangle.least_over_k(np.array([-1.0]))


def test_the_refined_surface_is_the_loss_that_trains() -> None:
    from jtcse.method import losses

    log_k, t, z = triangle.refined_surface("here")
    row, column = 60, 30
    h, h_plus = triangle.pairs(2.0 ** log_k[[column]], np.rad2deg(np.arccos(t[[row]])))
    assert z[row, column] == pytest.approx(float(losses.refined_tmc(h, h_plus, h, h_plus)))
    released, printed = (triangle.refined_surface(form)[2] for form in ("released", "printed"))
    assert np.isnan(printed[t < 0]).all() and np.isfinite(released).all()
    assert released[t > 0] == pytest.approx(printed[t > 0] / 2)
    assert printed[-1] == pytest.approx(0), "at t = 1 the loss is zero whatever the lengths"
    with pytest.raises(UserError, match=r"form of Eq\. 13"):
        triangle.refined_surface("other")
