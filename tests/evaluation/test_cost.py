"""Counts of the cost of towers against formulas written anew, thop's rule against thop, and what is measured beside them."""

from __future__ import annotations

import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import BertConfig, RobertaConfig

from jtcse.core.errors import UserError
from jtcse.evaluation import cost, speed
from jtcse.evaluation.cost import Shape
from jtcse.evaluation.thop_rule import TOWERS, agrees, by_thop, countings, length_for, table7_metrics
from jtcse.pages import cost as cost_tables
from jtcse.paper.printed import printed, table

READINGS = ("none", "last", "carried", "fed")
HEADS = 2
BASE = Shape()


def small(kind=BertConfig, *, heads: int = HEADS, width: int = 8, layers: int = 2, inner: int = 12, **more):
    """A configuration of a few numbers."""
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "intermediate_size": inner}
    return kind(vocab_size=20, num_attention_heads=heads, max_position_embeddings=40, **sizes, **more)


shapes = st.builds(
    Shape, width=st.integers(1, 6).map(lambda e: e * HEADS), layers=st.integers(1, 2), inner=st.integers(1, 20)
)


# -- closed form and counter ---------------------------------------------------------------------------------


@given(shape=shapes, tokens=st.integers(1, 12), kind=st.sampled_from([BertConfig, RobertaConfig]))
@settings(max_examples=5, deadline=None)
def test_the_counter_equals_the_closed_form(shape: Shape, tokens: int, kind: type) -> None:
    config = small(kind, width=shape.width, layers=shape.layers, inner=shape.inner)
    assert Shape.of(config) == shape
    assert cost.count_towers(config, tokens) == cost.tower_macs(shape, tokens)


@torch.no_grad()
def test_a_tower_with_numbers_costs_what_one_without_does() -> None:
    tower = tiny.tower()
    ids, mask = tiny.tokens((7, 7, 7))
    macs = cost.counted(lambda: tower(input_ids=ids, attention_mask=mask))
    assert macs == cost.tower_macs(Shape.of(tower.config), 7, sentences=3)


def test_bert_base_costs_what_is_known_of_it() -> None:
    assert round(cost.tower_macs(BASE, 128) / 1e9, 3) == 11.174
    assert cost.count_towers(BertConfig(), 128) == cost.tower_macs(BASE, 128)


def test_the_parts_of_a_layer_are_the_sizes_of_its_matrices() -> None:
    tower, tokens = tiny.tower(num_hidden_layers=1), 5
    weights = {
        name: module.weight.numel() for name, module in tower.encoder.named_modules() if isinstance(module, nn.Linear)
    }
    parts = cost.closed_form(Shape.of(tower.config), tokens)
    assert parts["projections"] + parts["feed-forward"] == tokens * sum(weights.values())
    assert parts["pooler"] == tower.pooler.dense.weight.numel()


def test_towers_add_up() -> None:
    one, two, six = (cost.count_towers(small(), 5, towers) for towers in (1, 2, 6))
    assert (two, six) == (2 * one, 6 * one)


def test_heads_cost_nothing_and_sentences_add_up() -> None:
    assert cost.count_towers(small(heads=1), 5) == cost.count_towers(small(heads=4), 5)
    assert cost.tower_macs(BASE, 9, sentences=4) == 4 * cost.tower_macs(BASE, 9)
    assert cost.text_macs(BASE, [3, 9, 9]) == cost.tower_macs(BASE, 3) + 2 * cost.tower_macs(BASE, 9)


@pytest.mark.parametrize("bad", [{"tokens": 0}, {"tokens": 3, "sentences": 0}])
def test_nothing_has_no_cost(bad: dict[str, int]) -> None:
    with pytest.raises(UserError, match="at least one"):
        cost.closed_form(BASE, **bad)


# -- the cross stream ----------------------------------------------------------------------------------------


def products_of_one_crossing(d: int, tokens: int) -> int:
    """Product by product, as rows x inner x columns; [CLS] is one row."""
    query, keys, values = 1 * d * d, tokens * d * d, tokens * d * d
    scores, context, output = 1 * d * tokens, 1 * tokens * d, 1 * d * d
    return query + keys + values + scores + context + output


@pytest.mark.parametrize(("reading", "crossings"), [("none", 0), ("last", 2), ("carried", 4), ("fed", 2)], ids=READINGS)
def test_the_cross_stream_costs_its_products_for_cls_alone(reading: str, crossings: int) -> None:
    config, tokens = small(), 7
    found = cost.count_twin(config, tokens, reading, cael_count=2)
    towers = cost.count_towers(config, tokens, 2)
    assert found["forward"] == towers + crossings * products_of_one_crossing(8, tokens)
    assert found["forward"] == towers + cost.cross_macs(Shape.of(config), tokens, reading, 2)
    assert found["training"] == cost.TRAINING * found["forward"]


def test_fused_attention_is_counted_as_its_products() -> None:
    q = torch.zeros(1, 2, 5, 3)
    macs = cost.counted(lambda: nn.functional.scaled_dot_product_attention(q, q, q))
    assert macs == 2 * 2 * 5 * 5 * 3


def test_an_unknown_reading_and_a_count_that_divides_nothing_are_refused() -> None:
    with pytest.raises(UserError, match="carried"):
        cost.cross_macs(BASE, 64, "caried", 6)
    with pytest.raises(UserError, match="valid counts"):
        cost.cross_macs(BASE, 64, "carried", 5)


# -- thop ----------------------------------------------------------------------------------------------------


def counted_by_hand(d: int, layers: int, inner: int, tokens: int) -> int:
    """Number by number: what each linear layer gives times what it reads, and four for each number in a LayerNorm."""
    linear = [(d, d)] * 4 + [(d, inner), (inner, d)]
    layer = sum(tokens * reads * gives for reads, gives in linear) + 2 * 4 * tokens * d
    return 4 * tokens * d + layers * layer + d * d


def thop_macs(model: nn.Module, ids: torch.Tensor) -> int:
    """thop's rule on a stock tower, module by module: of a linear layer its input width for each number that it gives, of a
    LayerNorm 4 for each that it reads."""
    found = []

    def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        linear = isinstance(module, nn.Linear)
        found.append(module.in_features * output.numel() if linear else 4 * inputs[0].numel())

    counted = [module for module in model.modules() if isinstance(module, nn.Linear | nn.LayerNorm)]
    handles = [module.register_forward_hook(hook) for module in counted]
    model(input_ids=ids)
    for handle in handles:
        handle.remove()
    return sum(found)


@pytest.mark.parametrize("kind", [BertConfig, RobertaConfig])
def test_thops_rule_is_its_closed_form_and_a_count_by_hand(kind: type) -> None:
    tower = cost.eager_tower(small(kind, width=8, layers=3, inner=12))
    ids = torch.ones(1, 5, dtype=torch.long)
    assert thop_macs(tower, ids) == by_thop(Shape(8, 3, 12), 5) == counted_by_hand(8, 3, 12, 5)


def test_thops_rule_is_thops() -> None:
    thop = pytest.importorskip("thop", reason="thop is not needed by the package")
    tower = cost.eager_tower(small(width=8, layers=3, inner=12))
    ids = torch.ones(2, 5, dtype=torch.long)
    macs, _ = thop.profile(tower, inputs=(ids,), verbose=False)
    assert macs == thop_macs(tower, ids)


def test_thops_rule_misses_the_attention_products_whatever_the_kernel() -> None:
    tower = tiny.tower()
    ids, _ = tiny.tokens((7,))
    assert thop_macs(tower, ids) == by_thop(Shape.of(tower.config), 7)


# -- Table VII -----------------------------------------------------------------------------------------------


def test_the_given_costs_are_not_thops_at_any_length() -> None:
    given = printed("table7/JTCSE_D-BERT/gmac")
    below, above = length_for(BASE, given)
    assert (below, above) == (64, 65)
    for tokens in (below, above):
        assert not agrees(by_thop(BASE, tokens), given, 0.005)


def test_ways_to_count_grow_and_end_in_the_full_count() -> None:
    *growing, full = countings(BASE, 12, 64).values()
    assert growing == sorted(growing) and len(set(growing)) == len(growing)
    assert full == cost.tower_macs(BASE, 64)
    assert countings(BASE, 12, 64)["+ LayerNorms, 4 a number: thop"] == by_thop(BASE, 64)


def test_biases_of_the_ways_to_count_are_those_of_the_model() -> None:
    config, tokens = small(width=8, layers=3, inner=12), 5
    tower, ways = cost.eager_tower(config), list(countings(Shape.of(config), HEADS, tokens).values())
    linear = {name: module for name, module in tower.named_modules() if isinstance(module, nn.Linear)}
    biases = sum(m.bias.numel() * (1 if "pooler" in name else tokens) for name, m in linear.items())
    assert ways[3] - ways[2] == biases


def test_metrics_answer_the_costs_that_the_paper_data_holds() -> None:
    rows = table("table7")
    wanted = rows[(rows["column"] == "gmac") & rows["value"].notna()].index
    metrics = {metric.name: metric for metric in table7_metrics()}
    assert set(metrics) == set(wanted)
    one = metrics["table7/JTCSE_D-BERT/gmac"].value
    assert one == by_thop(BASE, 64) / 1e9
    assert all(metrics[f"table7/{model}/gmac"].value == pytest.approx(n * one) for model, n in TOWERS.items())


def test_eta_from_the_given_cost_is_the_given_eta() -> None:
    for _, row in cost_tables.etas(BASE, 64).iterrows():
        assert f"{row['from the given cost']:.3f}" == row["eta as given"]
        assert row["from all matrix products"] < row["from the given cost"] < row["from thop's rule"]


# -- measured ------------------------------------------------------------------------------------------------


class Slow:
    """An encoder that takes as long as it is told, by a clock that it turns itself."""

    def __init__(self, clock: list[float], seconds: float) -> None:
        self.clock, self.seconds, self.calls = clock, seconds, 0

    def encode(self, sentences: list[str]) -> None:
        self.calls += 1
        self.clock[0] += self.seconds


def test_rounds_take_turns_until_the_time_is_up() -> None:
    now = [0.0]
    slow = {"a": Slow(now, 1.0), "b": Slow(now, 3.0)}
    taken = speed.rounds(slow, ["x"], seconds=50, fewest=2, clock=lambda: now[0])
    assert {name: set(values) for name, values in taken.items()} == {"a": {1.0}, "b": {3.0}}
    assert len(taken["a"]) == len(taken["b"]) == 13  # rounds of 4 s begin until 50 s have passed
    assert slow["a"].calls == 14, "one more, which is not counted"


def test_the_median_has_a_distribution_free_interval() -> None:
    found = speed.middle([3, 1, 2, 5, 4, 9, 7, 8, 6])
    assert found == (5, 2, 8, 9)  # ranks 2 and 8 of 9: a coverage of 96 %
    with pytest.raises(UserError, match="at least"):
        speed.middle([1.0, 2.0])


def test_copies_share_no_weights(tmp_path) -> None:
    from jtcse.encoders.encoder import TowerEncoder

    towers = [TowerEncoder(*tiny.saved(tmp_path / str(seed), seed=seed)) for seed in (1, 2)]
    six = speed.copies(towers, 6)
    assert len({next(tower.model.parameters()).data_ptr() for tower in six.encoders}) == 6
    one, two = (speed.memory(speed.copies(towers, n), ["a b c"]) for n in (1, 2))
    found = speed.memory(six, ["a b c"])
    assert found["weights"] == pytest.approx(6 * one["weights"]) and two["weights"] == pytest.approx(2 * one["weights"])
    assert found["work"] == one["work"], "towers take turns"


class Steps:
    """An encoder of three tensors of one MiB: two of them are alive at most, and views take nothing."""

    model = nn.Linear(1, 1, bias=False)

    def encode(self, sentences: list[str]) -> None:
        first = torch.zeros(2**18)
        second = first + 1
        first.view(-1, 2).add_(1)
        del first
        _ = second * 2


def test_memory_is_what_is_alive_at_one_time() -> None:
    found = speed.memory(Steps(), [])
    assert found["work"] == pytest.approx(2.0, abs=0.01) and found["weights"] == 4 / 2**20
