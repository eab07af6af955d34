"""The twin beside stock towers, whole batches beside split ones, and towers that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import standin
import tiny
import torch
from torch import Tensor
from transformers import AutoTokenizer

from jtcse.core.errors import UserError
from jtcse.encoders.batches import Batch, Tower, make_batch
from jtcse.method.cross_attention import cael_layers, cross_streams
from jtcse.method.losses import total_parts
from jtcse.method.twin import Twin

READINGS = ("none", "last", "carried", "fed")
FAMILIES = ("bert", "roberta")
VECTORS = ("h_1", "h_2", "p_1", "p_2", "c_1", "c_2")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory):
    return AutoTokenizer.from_pretrained(standin.bert(tmp_path_factory.mktemp("tower"), layers=1))


def texts(count: int = 9) -> list[str]:
    """Sentences of 1 to 14 words."""
    words = " ".join(standin.sentences(40)).split()
    return [" ".join(words[13 * i : 13 * i + 1 + (5 * i) % 14]) for i in range(count)]


def towers(vocabulary: int, family: str = "bert", **changes) -> list:
    return [tiny.tower(family, seed=seed, vocab_size=vocabulary, **changes) for seed in (1, 2)]


def batch_of(lengths: tuple[int, ...]) -> Batch:
    """One view, one group of random ids."""
    return Batch([tiny.tokens(lengths)], torch.arange(len(lengths)), 1, [["?"] * len(lengths)])


# -- the main stream -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [(7, 5, 2, 7), (6, 6, 6)], ids=["padded", "one length"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("reading", ["none", "last", "carried"])
@torch.no_grad()
def test_the_main_stream_is_two_stock_towers_to_the_last_bit(
    reading: str, family: str, lengths: tuple[int, ...]
) -> None:
    models, batch = [tiny.tower(family, seed=seed) for seed in (1, 2)], batch_of(lengths)
    found = Twin(*models, cross_stream=reading, cael_count=3).eval()(batch)
    ids, mask = batch.groups[0]
    for number, model in enumerate(models, 1):
        stock = model(input_ids=ids, attention_mask=mask)
        assert torch.equal(found[f"h_{number}"][0], stock.last_hidden_state[:, 0])
        assert torch.equal(found[f"p_{number}"][0], stock.pooler_output)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_tower_and_twin_are_stock_on_every_group_of_a_real_batch(family: str, tokenizer) -> None:
    models = towers(len(tokenizer), family, pad_token_id=tokenizer.pad_token_id)
    batch = make_batch([texts(), texts()[::-1]], tokenizer, 20, 3)
    stock = [m(input_ids=i, attention_mask=k).last_hidden_state[:, 0] for m in models for i, k in batch.groups]
    expected = [torch.cat(part)[batch.order].view(2, len(texts()), -1) for part in (stock[:3], stock[3:])]
    found = Twin(*models, cross_stream="carried", cael_count=2).eval()(batch)
    assert torch.equal(found["h_1"], expected[0])
    assert torch.equal(found["h_2"], expected[1])
    assert torch.equal(Tower(models[0]).eval()(batch)["h"], expected[0])


@pytest.mark.parametrize(("reading", "count"), [("last", 2), ("carried", 2), ("carried", 6)])
@torch.no_grad()
def test_the_cross_stream_is_the_reading_that_was_asked_for(reading: str, count: int) -> None:
    models, batch = [tiny.tower(seed=seed) for seed in (1, 2)], batch_of((5, 4))
    found = Twin(*models, cross_stream=reading, cael_count=count).eval()(batch)
    ids, mask = batch.groups[0]
    states = [m(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states for m in models]
    expected = cross_streams(models, states, mask, cael_layers(6, count), reading)
    assert torch.equal(found["c_1"][0], expected[0])
    assert torch.equal(found["c_2"][0], expected[1])


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 6])
def test_the_cross_stream_leaves_the_towers_their_dropout_masks(count: int, tokenizer) -> None:
    batch, found = make_batch([texts(), texts()], tokenizer, 32, length_groups=3), []
    for reading in ("none", "carried"):
        twin = Twin(*towers(len(tokenizer)), cross_stream=reading, cael_count=count).train()
        torch.manual_seed(5)
        found.append(twin(batch))
    alone, crossed = found
    assert all(torch.equal(alone[name], crossed[name]) for name in VECTORS[:4]) and "c_1" in crossed
    assert not torch.equal(alone["h_1"][0], alone["h_1"][1])  # dropout is on: the views differ


def test_fed_is_another_main_stream() -> None:
    models, batch = [tiny.tower(seed=seed) for seed in (1, 2)], batch_of((5, 4))
    plain, fed = (Twin(*models, cross_stream=reading, cael_count=3).eval()(batch) for reading in ("none", "fed"))
    assert not torch.allclose(plain["h_1"], fed["h_1"], atol=1e-2)
    assert torch.allclose(fed["p_1"], models[0].pooler.activation(models[0].pooler.dense(fed["h_1"])))


@pytest.mark.parametrize("reading", READINGS)
@torch.no_grad()
def test_names_and_shapes(reading: str, tokenizer) -> None:
    batch = make_batch([texts(), texts()], tokenizer, 20, 2)
    models = towers(len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    found = Twin(*models, cross_stream=reading, cael_count=2).eval()(batch)
    assert tuple(found) == (VECTORS[:4] if reading == "none" else VECTORS)
    assert {tuple(v.shape) for v in found.values()} == {(2, len(texts()), 24)}


# -- length groups -------------------------------------------------------------------------------------------


def loss_of(vectors: dict[str, Tensor]) -> Tensor:
    h, p, c = ([vectors.get(f"{name}_{i}") for i in (1, 2)] for name in "hpc")
    return sum(total_parts(h, p, None if c[0] is None else c, direction=1).values())


@pytest.mark.parametrize("reading", READINGS)
@torch.no_grad()
def test_length_groups_change_neither_vectors_nor_loss(reading: str, tokenizer) -> None:
    twin = Twin(*towers(len(tokenizer), pad_token_id=tokenizer.pad_token_id), cross_stream=reading, cael_count=2).eval()
    whole, *split = (twin(make_batch([texts(), texts()[::-1]], tokenizer, 20, g)) for g in (1, 2, 4, 18))
    for found in split:
        assert all(torch.allclose(found[name], whole[name], atol=1e-5) for name in whole)
        assert loss_of(found).item() == pytest.approx(loss_of(whole).item(), abs=1e-5)


@torch.no_grad()
def test_vectors_come_back_in_the_order_of_the_sentences(tokenizer) -> None:
    model = tiny.tower(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    found = Tower(model).eval()(make_batch([texts(), texts()[::-1]], tokenizer, 20, 3))["h"]
    for place, text in enumerate(texts()):
        ids = tokenizer(text, truncation=True, max_length=20, return_tensors="pt")
        alone = model(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]).last_hidden_state[0, 0]
        assert torch.allclose(found[0, place], alone, atol=1e-5)
        assert torch.allclose(found[1, len(texts()) - 1 - place], alone, atol=1e-5)


def test_groups_hold_every_sentence_once_with_little_padding(tokenizer) -> None:
    batch = make_batch([texts(), texts()], tokenizer, 20, 4)
    lengths = np.concatenate([mask.sum(1).numpy() for _, mask in batch.groups])
    expected = [len(tokenizer(t, truncation=True, max_length=20)["input_ids"]) for t in texts()] * 2
    assert lengths[batch.order.numpy()].tolist() == expected
    assert all(int(mask.sum(1).max()) == mask.shape[1] for _, mask in batch.groups)
    assert sum(i.numel() for i, _ in batch.groups) < make_batch([texts()] * 2, tokenizer, 20).groups[0][0].numel()
    assert all(bool((i[m == 0] == tokenizer.pad_token_id).all()) for i, m in batch.groups)


def test_a_batch_keeps_its_texts_and_cuts_long_ones(tokenizer) -> None:
    batch = make_batch([["a baker " * 5000, "noon"]], tokenizer, 8, 2)
    assert batch.texts == [["a baker " * 5000, "noon"]]
    assert max(ids.shape[1] for ids, _ in batch.groups) == 8


def test_more_groups_than_rows_and_a_sentence_without_words(tokenizer) -> None:
    model = tiny.tower(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    found = Tower(model)(make_batch([["", "noon"]], tokenizer, 8, 5))["h"]
    assert found.shape == (1, 2, 24)
    assert torch.isfinite(found).all()


# -- gradients -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("reading", READINGS)
def test_the_loss_trains_every_parameter_of_both_towers(reading: str, family: str) -> None:
    twin = Twin(*(tiny.tower(family, seed=seed) for seed in (1, 2)), cross_stream=reading, cael_count=3)
    ids, mask = tiny.tokens((7, 5, 3, 2, 6, 4, 4, 7))
    loss_of(twin(Batch([(ids, mask)], torch.arange(8), 2, [["?"] * 4] * 2))).backward()
    for name, weight in twin.named_parameters():
        assert weight.grad is not None and torch.isfinite(weight.grad).all(), name
        if not name.endswith("key.bias"):  # a softmax does not see what is the same for all keys
            assert weight.grad.norm() > 0, name


# -- towers that do not fit ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word", "found"),
    [
        ({"hidden_size": 32}, "width", ("24", "32")),
        ({"num_hidden_layers": 4}, "depth", ("6", "4")),
        ({"vocab_size": 61}, "vocabulary size", ("60", "61")),
        ({"num_attention_heads": 2}, "number of heads", ("4", "2")),
    ],
)
def test_towers_of_different_make_are_refused(changes: dict, word: str, found: tuple[str, str]) -> None:
    with pytest.raises(UserError, match=word) as caught:
        Twin(tiny.tower(), tiny.tower(**changes))
    assert all(part in str(caught.value) for part in found)


def test_towers_of_different_families_are_refused() -> None:
    with pytest.raises(UserError, match="family: bert and roberta"):
        Twin(tiny.tower(), tiny.tower("roberta"))


@pytest.mark.parametrize("place", [0, 1])
def test_a_tower_without_pooler_is_refused(place: int) -> None:
    models = [tiny.tower(), tiny.tower()]
    models[place].pooler = None
    with pytest.raises(UserError, match=f"tower {place + 1} has no pooler"):
        Twin(*models)


def test_a_count_that_does_not_divide_is_refused_and_without_stream_ignored() -> None:
    with pytest.raises(UserError, match=r"4 cross-attention layers do not divide a depth of 6"):
        Twin(tiny.tower(), tiny.tower(), cael_count=4)
    assert Twin(tiny.tower(), tiny.tower(), cross_stream="none", cael_count=4).caels == []


def test_stand_ins_are_twins_too(tmp_path: Path) -> None:
    (first, tokenizer), (second, _) = (tiny.saved(tmp_path / str(s), "roberta", layers=4, seed=s) for s in (1, 2))
    found = Twin(first, second, cael_count=4).eval()(make_batch([texts()], tokenizer, 20))
    assert found["c_1"].shape == (1, len(texts()), 32)
