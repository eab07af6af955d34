"""Vector and attention measures against plain loops, and against the stock models' own sub-layers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, PreTrainedModel, RobertaConfig, RobertaModel

from jtcse.core.errors import UserError
from jtcse.data.pairs import PairSet
from jtcse.evaluation.geometry import (
    alignment,
    attention_received,
    cls_energy_weight,
    layer_states,
    modulus_spread,
    positive_pairs,
    punctuation_tokens,
    uniformity,
)

TINY = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 20,
}
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])


def bert() -> PreTrainedModel:
    torch.manual_seed(0)
    return BertModel(BertConfig(**TINY)).eval()


def roberta() -> PreTrainedModel:
    torch.manual_seed(1)
    return RobertaModel(RobertaConfig(**TINY, pad_token_id=1)).eval()


def token_ids() -> torch.Tensor:
    ids = torch.randint(5, 50, MASK.shape, generator=torch.Generator().manual_seed(2))
    return torch.where(MASK.bool(), ids, torch.tensor(1))


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(23, 6)) * np.arange(1, 24)[:, None]


def plain_square_distance(a: np.ndarray, b: np.ndarray) -> float:
    length_a, length_b = (math.sqrt(sum(x * x for x in v)) for v in (a, b))
    return sum((x / length_a - y / length_b) ** 2 for x, y in zip(a, b, strict=True))


def test_alignment_equals_a_plain_loop(vectors: np.ndarray) -> None:
    first, second = vectors[:11], vectors[11:22]
    expected = sum(plain_square_distance(a, b) for a, b in zip(first, second, strict=True)) / 11
    assert alignment(first, second) == pytest.approx(expected, abs=1e-12)


def test_alignment_runs_from_0_for_equal_to_4_for_opposite_directions(vectors: np.ndarray) -> None:
    assert alignment(vectors, 5 * vectors) == pytest.approx(0, abs=1e-12)
    assert alignment(vectors, -2 * vectors) == pytest.approx(4)


@pytest.mark.parametrize("t", [2.0, 0.5])
@pytest.mark.parametrize("rows_at_once", [1, 5, 23, 1000])
def test_uniformity_equals_a_plain_loop_whatever_the_blocks(vectors: np.ndarray, t: float, rows_at_once: int) -> None:
    kernels = [
        math.exp(-t * plain_square_distance(vectors[i], vectors[j])) for i in range(23) for j in range(23) if i < j
    ]
    expected = math.log(sum(kernels) / len(kernels))
    assert uniformity(vectors, t, rows_at_once=rows_at_once) == pytest.approx(expected, abs=1e-12)


def test_uniformity_is_0_when_collapsed_and_blind_to_length_and_order(vectors: np.ndarray) -> None:
    assert uniformity(np.ones((5, 3))) == pytest.approx(0, abs=1e-12)
    assert uniformity(np.array([[1.0, 0], [-1, 0]])) == pytest.approx(-8)
    assert uniformity(3 * vectors[::-1]) == pytest.approx(uniformity(vectors))


def test_vectors_without_direction_or_company_are_refused() -> None:
    with pytest.raises(UserError, match="2 of 3 vectors"):
        alignment(np.array([[0.0, 0], [np.nan, 1], [1, 1]]), np.ones((3, 2)))
    with pytest.raises(UserError, match="at least two"):
        uniformity(np.ones((1, 3)))


def test_positive_pairs_are_those_graded_4_or_more() -> None:
    pairs = PairSet("dev", ["a", "b", "c"], ["d", "e", "f"], np.array([3.9, 4.0, 5.0]), "test")
    assert positive_pairs(pairs) == (["b", "c"], ["e", "f"])
    with pytest.raises(UserError, match="the highest is 5"):
        positive_pairs(pairs, threshold=6)


def test_modulus_spread_of_known_lengths() -> None:
    spread = modulus_spread(np.array([[3.0, 4.0], [0.0, 15.0]]))
    assert spread == (10, 5, 0.5)


@pytest.mark.parametrize("separator_counts", [True, False])
@pytest.mark.parametrize("squared", [True, False])
def test_cls_energy_weight_equals_a_plain_loop(squared: bool, separator_counts: bool) -> None:
    context = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    weights = cls_energy_weight(context, MASK, squared=squared, separator_counts=separator_counts)
    for sentence, weight in enumerate(weights.tolist()):
        last = int(MASK[sentence].sum()) - (0 if separator_counts else 1)
        cls = sum(x**2 for x in context[sentence, 0].tolist())
        others = sum(x**2 for row in context[sentence, 1:last].tolist() for x in row)
        assert weight == pytest.approx(cls / others if squared else math.sqrt(cls / others), rel=1e-6)


def test_cls_energy_weight_of_heads_is_each_heads_own_and_free_of_scale() -> None:
    context = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))
    weights = cls_energy_weight(context, MASK)
    assert weights.shape == (2, 4)
    torch.testing.assert_close(weights[:, 2], cls_energy_weight(context[:, 2], MASK))
    torch.testing.assert_close(weights, cls_energy_weight(-3 * context, MASK))


def test_padding_has_no_energy() -> None:
    context = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    noisy = context + 100 * (1 - MASK)[:, :, None]
    torch.testing.assert_close(cls_energy_weight(noisy, MASK), cls_energy_weight(context, MASK))


def test_a_sentence_without_words_and_left_padding_are_refused() -> None:
    with pytest.raises(UserError, match="besides its special ones"):
        cls_energy_weight(torch.ones(1, 3, 2), torch.tensor([[1, 1, 0]]), separator_counts=False)
    with pytest.raises(UserError, match="pad on the right"):
        cls_energy_weight(torch.ones(1, 3, 2), torch.tensor([[0, 1, 1]]))


def test_attention_received_equals_a_plain_loop() -> None:
    scores = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    attention = scores.masked_fill(MASK[:, None, None, :] == 0, -torch.inf).softmax(dim=-1)
    punctuation = torch.tensor([[0, 0, 0, 0, 1, 1], [0, 1, 0, 0, 0, 0]]).bool()
    kinds = [
        ["cls", "others", "others", "others", "final_punctuation", "sep"],
        ["cls", "others", "others", "sep"],
    ]
    expected = dict.fromkeys(["cls", "sep", "final_punctuation", "others"], 0.0)
    for sentence, names in enumerate(kinds):
        for head in range(4):
            for query in range(len(names)):
                for key, name in enumerate(names):
                    expected[name] += attention[sentence, head, query, key].item() / (2 * 4 * len(names))
    (shares,) = attention_received([attention], MASK, punctuation)
    assert shares == pytest.approx(expected)
    assert sum(shares.values()) == pytest.approx(1)


def test_without_punctuation_the_shares_still_sum_to_one() -> None:
    first, second = attention_received([torch.full((2, 1, 6, 6), 1 / 6), MASK[:, None, None, :] / 4], MASK)
    assert first == pytest.approx({"cls": 1 / 6, "sep": 1 / 6, "final_punctuation": 0, "others": 0.5})
    assert second["cls"] == pytest.approx(0.25)


class FourTokens:
    """Just enough of a tokenizer: two special tokens, a word, a mark."""

    all_special_ids = (0, 1)

    def decode(self, ids: list[int]) -> str:
        return {0: "[SEP]", 1: "!", 2: " word.", 3: " ..."}[ids[0]]


def test_punctuation_tokens_are_nothing_but_punctuation_and_not_special() -> None:
    ids = torch.tensor([[0, 1, 2, 3], [3, 3, 2, 0]])
    expected = [[False, False, False, True], [True, True, False, False]]
    assert punctuation_tokens(FourTokens(), ids).tolist() == expected


@pytest.mark.parametrize("make", [bert, roberta])
def test_contexts_lead_to_the_models_own_attention_output(make: Callable[[], PreTrainedModel]) -> None:
    model = make()
    inputs = {"input_ids": token_ids(), "attention_mask": MASK}
    seen: dict[int, torch.Tensor] = {}
    for j, layer in enumerate(model.encoder.layer):
        layer.attention.register_forward_hook(lambda _m, _i, out, j=j: seen.__setitem__(j, out[0]))
    states = model(**inputs, output_hidden_states=True).hidden_states  # with the fused kernel
    own = dict(seen)
    attentions, contexts = layer_states(model, inputs)
    assert len(attentions) == len(contexts) == 3
    for j, layer in enumerate(model.encoder.layer):
        assert attentions[j].shape == (2, 4, 6, 6)
        assert contexts[j].shape == (2, 4, 6, 6)
        merged = contexts[j].transpose(1, 2).flatten(2)
        rebuilt = layer.attention.output(merged, states[j])
        torch.testing.assert_close(rebuilt[MASK.bool()], own[j][MASK.bool()], atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [bert, roberta])
def test_looking_leaves_the_model_as_it_was(make: Callable[[], PreTrainedModel]) -> None:
    model = make().train()
    kernel = model.config._attn_implementation
    assert kernel != "eager"
    first, _ = layer_states(model, {"input_ids": token_ids(), "attention_mask": MASK})
    second, _ = layer_states(model, {"input_ids": token_ids(), "attention_mask": MASK})
    assert model.training and all(module.training for module in model.modules())
    assert model.config._attn_implementation == kernel
    torch.testing.assert_close(first, second, rtol=0, atol=0)  # no dropout while looking
    assert not first[0].requires_grad


def test_a_model_without_such_layers_is_refused() -> None:
    with pytest.raises(UserError, match=r"Linear shows no encoder.layer"):
        layer_states(torch.nn.Linear(2, 2), {})
