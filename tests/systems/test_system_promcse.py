"""PromCSE: what the prefix does in the tower, that nothing else is trained, and how checkpoints open."""

from __future__ import annotations

from pathlib import Path

import loops
import numpy as np
import pytest
import standin
import torch
import zoo
from safetensors.torch import load_file, save_file

from jtcse.core.errors import UserError
from jtcse.encoders.loading import load_tower
from jtcse.systems.opening import open_model, open_released
from jtcse.systems.promcse import Prefixed, PrefixEncoder, fresh_prefix
from jtcse.systems.simcse import SimCSE

SENTENCES = ["a baker paints", "the old sailor hides a copper kettle behind the mill .", "noon"]


def tower(folder: Path, family: str = "bert", layers: int = 2):
    return load_tower(getattr(standin, family)(folder / "start", layers=layers))


def encoder(folder: Path, positions: str = "behind", **changes) -> PrefixEncoder:
    model, tokenizer = tower(folder)
    weight = 20 * fresh_prefix(model, 5, seed=0)
    return PrefixEncoder(
        Prefixed(model, weight, positions).eval(), tokenizer, pooling="cls", precision="fp32", **changes
    )


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_in_one_layer_a_prefix_of_words_keys_and_values_is_those_words(tmp_path: Path, family: str) -> None:
    model, _ = tower(tmp_path, family, layers=1)
    model = model.double()
    ids = torch.randint(5, 100, (2, 9), generator=torch.Generator().manual_seed(0))
    expected = model(input_ids=ids).last_hidden_state[:, 4:]
    attention, embedded = model.encoder.layer[0].attention.self, model.embeddings(input_ids=ids[:, :4])
    words = [torch.cat([attention.key(row), attention.value(row)], dim=1) for row in embedded]
    for row, weight in enumerate(words):
        prefixed = Prefixed(model, weight).eval().double()
        with torch.no_grad():
            prefixed.prefix.copy_(weight)  # not rounded to float32
        found = prefixed(ids[[row], 4:], torch.ones(1, 5, dtype=torch.long)).last_hidden_state
        assert torch.allclose(found[0], expected[row], atol=1e-12)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_it_is_pefts_prefix(tmp_path: Path, family: str) -> None:
    peft = pytest.importorskip("peft")
    model, tokenizer = tower(tmp_path, family, layers=3)
    weight = 20 * fresh_prefix(model, 6, seed=1)
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    with torch.no_grad():
        found = Prefixed(model, weight).eval()(ids, mask).last_hidden_state
        other = peft.get_peft_model(
            model, peft.PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=6)
        ).eval()
        other.prompt_encoder["default"].load_prompt_embeddings(weight)
        expected = other(input_ids=ids, attention_mask=mask).last_hidden_state
    assert torch.allclose(found[mask == 1], expected[mask == 1], atol=1e-5)


@pytest.mark.parametrize("positions", ["behind", "own"])
def test_padding_changes_nothing_and_the_prefix_does(tmp_path: Path, positions: str) -> None:
    one = encoder(tmp_path, positions)
    together, alone = one.encode(SENTENCES), np.concatenate([one.encode([s]) for s in SENTENCES])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    with torch.no_grad():
        one.model.prefix.mul_(-1)
    assert np.abs(one.encode(SENTENCES) - together).max() > 1e-2


def test_positions_are_shifted_or_the_sentences_own(tmp_path: Path) -> None:
    behind, own = encoder(tmp_path / "1"), encoder(tmp_path / "2", "own")
    assert np.abs(behind.encode(SENTENCES) - own.encode(SENTENCES)).max() > 1e-3
    assert (behind.max_length, own.max_length) == (128 - 5, 128)
    assert behind.encode(["noon " * 300]).shape == (1, 32), "cut so that the prefix fits"
    with torch.no_grad():  # keys that nobody looks at: in their own positions the sentence is as without a prefix
        shape = own.model.prefix.shape
        half = torch.cat([torch.full((shape[0], 32), -1e4), torch.zeros(shape[0], 32)], dim=1).repeat(1, 2)
        for layer in own.model.model.encoder.layer:
            layer.attention.self.query.weight.zero_()
            layer.attention.self.query.bias.fill_(1.0)
        own.model.prefix.copy_(half)
    ids = torch.tensor(own.tokenise(["a baker paints"]))
    with torch.no_grad():
        stock = own.model.model(input_ids=ids).last_hidden_state[:, 0]
    np.testing.assert_allclose(own.encode(["a baker paints"]), stock, atol=1e-5)


def test_every_sentence_has_its_own_dropout_on_the_prefix(tmp_path: Path) -> None:
    one = encoder(tmp_path)
    ids = torch.tensor(one.tokenise(["a baker paints"])).expand(2, -1)
    one.model.eval()
    one.model.dropout.train()
    first, second = one.model(ids).last_hidden_state
    assert not torch.allclose(first, second, atol=1e-4)


def test_the_loss_is_simcses_and_its_gradient_reaches_prefix_and_head_alone(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "promcse")
    model, tokenizer = shop.tower()
    prefixed = Prefixed(model, fresh_prefix(model, 4, seed=0), "own")
    objective = SimCSE(prefixed, tokenizer, shop.corpus, shop.settings, head=shop.head(model))
    found, loss = zoo.outputs(objective)
    z = zoo.rows(torch.tanh(objective.module.head[0](found["h"])))
    assert loss.item() == pytest.approx(loops.info_nce(*z, tau=0.05), abs=1e-9)
    noise = torch.randn(found["z"].shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sizes = zoo.gradients(objective, objective.parts({"z": found["z"] + noise}, torch.Generator())["infonce"])
    assert set(sizes) == {"model.prefix", "head.0.weight", "head.0.bias"} and min(sizes.values()) > 0


def test_training_moves_the_prefix_and_no_bit_of_the_tower(tmp_path: Path) -> None:
    story, kept = zoo.trained(tmp_path, "promcse", learning_rate=0.1)
    assert story.steps == 4
    start, _ = load_tower(tmp_path / "models" / "start")
    for name, weight in start.named_parameters():
        assert torch.equal(weight, kept.model.model.get_parameter(name)), name
    shop = zoo.shop(tmp_path, "promcse")
    fresh = fresh_prefix(start, 16, shop.stream("prefix"))
    assert (kept.model.prefix.cpu() - fresh).abs().mean() > 1e-2
    again, other = zoo.trained(tmp_path / "again", "promcse", learning_rate=0.1)
    assert again.rows == story.rows and np.array_equal(kept.encode(["noon"]), other.encode(["noon"]))


@pytest.mark.parametrize("positions", ["behind", "own"])
def test_what_was_saved_opens_as_it_was(tmp_path: Path, positions: str) -> None:
    one = encoder(tmp_path, positions, max_length=20)
    one.save(tmp_path / "kept")
    again = open_model(tmp_path / "kept", precision="fp32")
    assert np.array_equal(again.encode(SENTENCES), one.encode(SENTENCES)) and again.max_length == 20
    stock, _ = load_tower(tmp_path / "kept")
    assert set(stock.state_dict()) == set(one.model.model.state_dict()), "the tower beside it is a stock one"
    (tmp_path / "kept" / "prefix.safetensors").unlink()
    with pytest.raises(UserError, match=r"has no whole prefix.safetensors"):
        open_model(tmp_path / "kept")


def test_a_released_checkpoint_is_tower_and_prefix_in_one_file(tmp_path: Path) -> None:
    one = encoder(tmp_path)
    folder = tmp_path / "start"
    tower_weights = load_file(folder / "model.safetensors")
    extras = {"prefix_encoder.embedding.weight": one.model.prefix.detach(), "mlp.dense.weight": torch.ones(32, 32)}
    with pytest.raises(UserError, match=r"holds no prefix_encoder\.embedding\.weight"):
        open_released("promcse", "bert", names=[str(folder)])
    save_file(
        {f"bert.{k}": v for k, v in tower_weights.items()} | extras, folder / "model.safetensors", {"format": "pt"}
    )
    found = open_released("promcse", "bert", names=[str(folder)], precision="fp32")
    np.testing.assert_allclose(found.encode(SENTENCES), one.encode(SENTENCES), atol=1e-6)


def test_bfloat16_runs_and_is_near(tmp_path: Path) -> None:
    one = encoder(tmp_path)
    exact = one.encode(SENTENCES)
    one.precision = "bf16"
    assert np.abs(one.encode(SENTENCES) - exact).max() < 0.2


def test_a_prefix_that_does_not_fit_is_told(tmp_path: Path) -> None:
    model, _ = tower(tmp_path)
    with pytest.raises(UserError, match=r"the prefix is \(4, 64\) and should have 128 columns"):
        Prefixed(model, torch.zeros(4, 64))
    with pytest.raises(UserError, match="behind a prefix of 16 the encoder takes 48 tokens; set a smaller max_length"):
        zoo.trained(tmp_path / "long", "promcse", positions="behind", max_length=60)
