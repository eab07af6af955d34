"""Cross-attention against loops over heads and against the recurrences as they are written, in float64."""

from __future__ import annotations

import itertools
import math

import pytest
import tiny
import torch
from torch import Tensor

from jtcse.core.errors import UserError
from jtcse.method.cross_attention import attend, cael_layers, cross_streams, fed_forward

FAMILIES = ("bert", "roberta")


def pair(family: str = "bert", **changes) -> list:
    """Two towers of different random weights, in float64."""
    return [tiny.tower(family, seed=seed, **changes).double() for seed in (1, 2)]


def states_of(towers, ids: Tensor, mask: Tensor) -> list:
    """All hidden states of stock towers, embeddings first."""
    return [t(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states for t in towers]


# -- plain references ----------------------------------------------------------------------------------------


def plain_context(layer, hidden: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """SA . V for every row, sentence by sentence and head by head: (n, l, d)."""
    own = layer.attention.self
    heads, (n, length, width) = own.num_attention_heads, hidden.shape
    size = width // heads
    queries, keys = own.query(hidden), own.key(hidden)
    context = torch.zeros_like(hidden)
    for s, head, row in itertools.product(range(n), range(heads), range(length)):
        part = slice(head * size, (head + 1) * size)
        seen = [j for j in range(length) if mask[s, j]]
        scores = [float(queries[s, row, part] @ keys[s, j, part]) / math.sqrt(size) for j in seen]
        weights = [math.exp(score - max(scores)) for score in scores]
        for j, weight in zip(seen, weights, strict=True):
            context[s, row, part] += weight / sum(weights) * values[s, j, part]
    return context


def plain_stream(towers, states, mask: Tensor, caels: list[int], own: int, reading: str) -> Tensor:
    """c of one tower by the recurrence of the module's text, on all rows: (n, d)."""
    stream = None
    for j in caels if reading == "carried" else [caels[-1]]:
        layers = [t.encoder.layer[j - 1] for t in towers]
        values = layers[1 - own].attention.self.value(states[1 - own][j - 1])
        context = plain_context(layers[own], states[own][j - 1], values, mask)
        if stream is None:
            stream = states[own][j - 1]
        output = layers[own].attention.output
        stream = output.LayerNorm(output.dense(context) + stream)
    return stream[:, 0]


def plain_fed(towers, ids: Tensor, mask: Tensor, caels: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    """Last hidden states and c of the reading ``fed``."""
    hidden, crossed = [t.embeddings(input_ids=ids) for t in towers], []
    for j in range(1, len(towers[0].encoder.layer) + 1):
        layers = [t.encoder.layer[j - 1] for t in towers]
        own = [layers[i].attention.self.value(hidden[i]) for i in (0, 1)]
        used = [(own[0] + own[1]) / 2] * 2 if j in caels else own
        if j == caels[-1]:
            crossed = [plain_stream(towers, _at(j, hidden), mask, [j], i, "last") for i in (0, 1)]
        for i, layer in enumerate(layers):
            output = layer.attention.output
            context = output.dense(plain_context(layer, hidden[i], used[i], mask))
            attended = output.LayerNorm(context + hidden[i])
            inner = torch.nn.functional.gelu(layer.intermediate.dense(attended))
            hidden[i] = layer.output.LayerNorm(layer.output.dense(inner) + attended)
    return hidden, crossed


def _at(j: int, hidden: list[Tensor]) -> list[dict[int, Tensor]]:
    return [{j - 1: h.clone()} for h in hidden]


# -- positions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "count", "layers"),
    [
        (12, 1, [12]),
        (12, 2, [6, 12]),
        (12, 3, [4, 8, 12]),
        (12, 4, [3, 6, 9, 12]),
        (12, 6, [2, 4, 6, 8, 10, 12]),
        (12, 12, list(range(1, 13))),
        (6, 1, [6]),
        (6, 2, [3, 6]),
        (6, 3, [2, 4, 6]),
        (6, 6, [1, 2, 3, 4, 5, 6]),
        (4, 1, [4]),
        (4, 2, [2, 4]),
        (4, 4, [1, 2, 3, 4]),
    ],
)
def test_positions_are_those_of_eq_7(depth: int, count: int, layers: list[int]) -> None:
    assert cael_layers(depth, count) == layers
    assert layers == [i for i in range(1, depth + 1) if i % (depth // count) == 0]


@pytest.mark.parametrize(("depth", "count"), [(12, 5), (12, 7), (12, 24), (6, 4), (4, 3), (4, 0), (4, -2)])
def test_a_count_that_does_not_divide_the_depth_is_refused(depth: int, count: int) -> None:
    with pytest.raises(UserError) as caught:
        cael_layers(depth, count)
    divisors = [c for c in range(1, depth + 1) if depth % c == 0]
    assert all(str(part) in str(caught.value) for part in (count, depth, divisors))


# -- the crossed context (Eqs. 8-10) -------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_the_context_is_softmax_by_head_on_the_other_towers_values(family: str) -> None:
    towers, (ids, mask) = pair(family), tiny.tokens()
    first, second = states_of(towers, ids, mask)
    layer, other = (t.encoder.layer[3] for t in towers)
    values = other.attention.self.value(second[3])
    expected = plain_context(layer, first[3], values, mask)
    found = attend(layer, first[3], first[3], values, mask.bool()[:, None, None, :])
    assert torch.allclose(found, expected, atol=1e-12)
    only_cls = attend(layer, first[3][:, :1], first[3], values, mask.bool()[:, None, None, :])
    assert torch.allclose(only_cls, expected[:, :1], atol=1e-12)


@pytest.mark.parametrize("reading", ["last", "carried"])
@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_the_cls_row_equals_the_recurrence_on_all_rows(family: str, count: int, reading: str) -> None:
    towers, (ids, mask) = pair(family), tiny.tokens((4, 3))
    states, caels = states_of(towers, ids, mask), cael_layers(6, count)
    found = cross_streams(towers, states, mask, caels, reading)
    for own in (0, 1):
        expected = plain_stream(towers, states, mask, caels, own, reading)
        assert torch.allclose(found[own], expected, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("count", [1, 3])
@torch.no_grad()
def test_fed_equals_the_recurrence_on_all_rows(family: str, count: int) -> None:
    towers, (ids, mask) = pair(family), tiny.tokens((4, 3))
    found, crossed = fed_forward(towers, ids, mask, cael_layers(6, count))
    expected, expected_crossed = plain_fed(towers, ids, mask, cael_layers(6, count))
    rows = mask.bool()
    for own in (0, 1):
        assert torch.allclose(found[own][rows], expected[own][rows], atol=1e-11)
        assert torch.allclose(crossed[own], expected_crossed[own], atol=1e-11)


# -- what follows from the recurrences -----------------------------------------------------------------------


def run(reading: str, towers, ids: Tensor, mask: Tensor, count: int = 3) -> list[Tensor]:
    """[CLS] of both last hidden states and both cross streams, in any reading."""
    caels = cael_layers(6, count)
    if reading == "fed":
        hidden, crossed = fed_forward(towers, ids, mask, caels)
        return [h[:, 0] for h in hidden] + crossed
    states = states_of(towers, ids, mask)
    return [s[-1][:, 0] for s in states] + cross_streams(towers, states, mask, caels, reading)


READINGS = ("last", "carried", "fed")


@pytest.mark.parametrize("reading", READINGS)
@torch.no_grad()
def test_swapping_the_towers_swaps_the_streams(reading: str) -> None:
    towers, (ids, mask) = pair(), tiny.tokens()
    h_1, h_2, c_1, c_2 = run(reading, towers, ids, mask)
    swapped = run(reading, towers[::-1], ids, mask)
    assert not torch.allclose(c_1, c_2, atol=1e-3)
    assert all(torch.equal(a, b) for a, b in zip(swapped, (h_2, h_1, c_2, c_1), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_with_identical_towers_last_is_the_towers_own_attention_block(family: str) -> None:
    tower, (ids, mask) = tiny.tower(family), tiny.tokens()
    block_outputs = []
    hook = tower.encoder.layer[-1].attention.register_forward_hook(lambda *call: block_outputs.append(call[-1]))
    states = states_of([tower], ids, mask)[0]
    hook.remove()
    for crossed in cross_streams([tower, tower], [states, states], mask, [3, 6], "last"):
        assert torch.allclose(crossed, block_outputs[0][0][:, 0], atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_with_identical_towers_fed_changes_nothing(family: str) -> None:
    tower, (ids, mask) = tiny.tower(family), tiny.tokens()
    stock = tower(input_ids=ids, attention_mask=mask).last_hidden_state
    for hidden in fed_forward([tower, tower], ids, mask, [2, 4, 6])[0]:
        assert torch.allclose(hidden[mask.bool()], stock[mask.bool()], atol=1e-5)


@torch.no_grad()
def test_carried_with_one_cael_is_last_and_with_more_it_is_not() -> None:
    towers, (ids, mask) = pair(), tiny.tokens()
    states = states_of(towers, ids, mask)
    for count in (1, 2, 6):
        carried = cross_streams(towers, states, mask, cael_layers(6, count), "carried")
        last = cross_streams(towers, states, mask, cael_layers(6, count), "last")
        alike = [torch.equal(a, b) for a, b in zip(carried, last, strict=True)]
        assert alike == [count == 1] * 2


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_fed_without_caels_is_two_stock_towers(family: str) -> None:
    towers, (ids, mask) = [tiny.tower(family, seed=s) for s in (1, 2)], tiny.tokens()
    hidden, crossed = fed_forward(towers, ids, mask, [])
    assert crossed == []
    for tower, found in zip(towers, hidden, strict=True):
        stock = tower(input_ids=ids, attention_mask=mask).last_hidden_state
        assert torch.allclose(found[mask.bool()], stock[mask.bool()], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("reading", READINGS)
@torch.no_grad()
def test_padding_does_not_matter(reading: str, family: str) -> None:
    towers = [tiny.tower(family, seed=s) for s in (1, 2)]
    lengths = (7, 5, 2)
    wide = run(reading, towers, *tiny.tokens(lengths, width=13))
    tight = run(reading, towers, *tiny.tokens(lengths))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(wide, tight, strict=True))
    ids, mask = tiny.tokens(lengths)
    for row, length in enumerate(lengths):
        alone = run(reading, towers, ids[row : row + 1, :length], mask[row : row + 1, :length])
        assert all(torch.allclose(a[0], b[row], atol=1e-5) for a, b in zip(alone, tight, strict=True))


@pytest.mark.parametrize("reading", READINGS)
def test_gradients_of_one_stream_reach_both_towers(reading: str) -> None:
    towers, (ids, mask) = pair(), tiny.tokens()
    run(reading, towers, ids, mask)[2].pow(2).sum().backward()
    own, other = (t.encoder.layer[5].attention.self for t in towers)
    for weight in (
        own.query.weight,
        own.key.weight,
        other.value.weight,
        towers[0].encoder.layer[5].attention.output.dense.weight,
    ):
        assert weight.grad.norm() > 0
    assert own.value.weight.grad is None or reading == "fed"
    assert other.query.weight.grad is None or reading == "fed"
    for tower in towers:
        assert tower.embeddings.word_embeddings.weight.grad.norm() > 0


@torch.no_grad()
def test_dropout_reaches_the_cross_stream_in_training_alone() -> None:
    towers, (ids, mask) = pair(attention_probs_dropout_prob=0.5, hidden_dropout_prob=0.0), tiny.tokens()
    states = states_of(towers, ids, mask)
    calm = [cross_streams(towers, states, mask, [6], "last")[0] for _ in range(2)]
    for tower in towers:
        tower.train()
    wild = [cross_streams(towers, states, mask, [6], "last")[0] for _ in range(2)]
    assert torch.equal(*calm)
    assert not torch.allclose(*wild)
