"""InfoCSE: its loss is the formula's, the lower encoder is frozen, hidden words reach the encoder through [CLS] alone."""

from __future__ import annotations

import copy
from math import exp, log
from pathlib import Path

import loops
import numpy as np
import pytest
import standin
import torch
import zoo
from torch import Tensor

from jtcse.core.errors import UserError
from jtcse.encoders.loading import load_tower
from jtcse.systems import infocse, opening
from jtcse.systems.infocse import InfoCSE
from jtcse.systems.simcse import SimCSE
from jtcse.training import masked_words
from jtcse.training.masked_words import fresh_masked_model, make_masker, mean_of_sums, word_head

ROWS = np.arange(6)


def objective_of(shop, model, tokenizer) -> InfoCSE:
    words = word_head(fresh_masked_model(model, seed=3))
    return InfoCSE(model, tokenizer, shop.corpus, shop.settings, shop.head(model), words=words, seed=4)


def objective(folder: Path, **changes) -> InfoCSE:
    """In float64; hidden words weigh as much as InfoNCE unless it is said otherwise."""
    shop = zoo.shop(folder, "infocse", **{"weight": 1.0} | changes)
    made = objective_of(shop, *shop.tower())
    made.module.lower.model.double()
    return made


def every_third(masker, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """In place of ``Masker.hide``: words 1, 4, 7, ... of each sentence become the mask token."""
    chosen = (torch.arange(tokens.shape[1]) % 3 == 1) & ~torch.isin(tokens, masker.special)
    return torch.where(chosen, masker.mask_id, tokens), chosen


def surprises(made: InfoCSE, start, ids: list[int], cls: Tensor, layers: int) -> list[float]:
    """-log p of each hidden word of one sentence, by itself and without padding, layer by layer."""
    hidden, chosen = every_third(made.module.masker, torch.tensor([ids]))
    states = start(input_ids=hidden, output_hidden_states=True).hidden_states[layers].clone()
    states[0, 0] = cls
    for layer in made.module.extra.encoder.layer:
        states = layer(states)
    logits = zoo.rows(made.module.words(states)[0])
    return [
        log(sum(exp(x) for x in logits[place])) - logits[place][word]
        for place, word in enumerate(ids)
        if chosen[0, place]
    ]


@pytest.mark.parametrize(("layers", "groups"), [(None, 1), (2, 3)])
def test_the_loss_is_the_formulas(
    layers: int | None, groups: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masked_words.Masker, "hide", every_third)
    made = objective(tmp_path, weight=0.3, lower_layers=layers, length_groups=groups)
    start = copy.deepcopy(made.module.tower.model).double().eval()
    found, loss = zoo.outputs(made)
    ids = made.tokenizer(made.sentences(ROWS))["input_ids"]
    every = [
        value
        for view in found["h"]
        for one, h in zip(ids, view, strict=True)
        for value in surprises(made, start, one, h, layers or 1)
    ]
    words = sum(every) / len(every)
    assert loss.item() == pytest.approx(loops.info_nce(*zoo.rows(found["z"]), tau=0.05) + 0.3 * words, abs=1e-9)
    assert words > 1 and len({len(one) for one in ids}) > 1, "sentences of one length would test no padding"


def test_a_batch_without_hidden_words_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        masked_words.Masker, "hide", lambda self, tokens: (tokens, torch.zeros_like(tokens, dtype=torch.bool))
    )
    made = objective(tmp_path)
    found, loss = zoo.outputs(made)
    assert mean_of_sums(found["words"]).item() == 0
    assert all(np.isfinite(size) for size in zoo.gradients(made, loss).values())


def test_without_weight_it_is_simcse(tmp_path: Path) -> None:
    """With dropout on."""
    made = objective(tmp_path, weight=0.0)
    shop = zoo.shop(tmp_path, "infocse")
    model, tokenizer = shop.tower()
    simcse = SimCSE(model, tokenizer, shop.corpus, zoo.settings("simcse", head="bn"), head=shop.head(model))
    losses = []
    for one in (made, simcse):
        one.module.double().train()
        torch.manual_seed(9)
        losses.append(sum(one.parts(one.module(one.batch(ROWS, 5)), torch.Generator()).values()).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_hidden_words_reach_the_encoder_through_cls_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = objective(tmp_path)

    def sizes() -> dict[str, float]:
        made.module.double().eval()
        torch.manual_seed(2)
        return zoo.gradients(made, mean_of_sums(made.module(made.batch(ROWS, 5))["words"]))

    open_way = sizes()
    assert open_way["tower.model.embeddings.word_embeddings.weight"] > 1e-6
    assert not any(name.startswith("tower.head") for name in open_way), "[CLS] itself, before the projection head"
    by_group = infocse.by_group
    monkeypatch.setattr(infocse, "by_group", lambda batch, h: [rows.detach() for rows in by_group(batch, h)])
    closed = sizes()
    assert {name.split(".")[0] for name in closed} == {"extra", "words"}
    assert all(size > 0 for name, size in closed.items() if not name.endswith("key.bias"))


def test_the_lower_encoder_stays_as_it_is_and_the_rest_does_not(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "infocse")
    made = objective_of(shop, *shop.tower())
    lower, module = made.module.lower.model, made.module
    assert len(lower.encoder.layer) == 1 and len(module.extra.encoder.layer) == 2
    before = [copy.deepcopy(part.state_dict()) for part in (lower, module)]
    shop.train(made, None)
    assert all(torch.equal(before[0][key], weight) for key, weight in lower.state_dict().items())
    assert all(weight.grad is None for weight in lower.parameters()) and not lower.training
    moved = {key for key, weight in module.state_dict().items() if not torch.equal(before[1][key], weight)}
    assert {"tower.model.encoder.layer.0.output.dense.weight", "extra.encoder.layer.1.output.dense.weight"} <= moved
    assert not any(key.startswith("lower") for key in module.state_dict()), "nor does it lie in checkpoints"


def test_training_keeps_the_tower_alone(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "infocse")
    assert story.steps == 4
    assert story.rows[-1]["loss"] == pytest.approx(story.rows[-1]["infonce"] + story.rows[-1]["words"])
    assert {name.split(".")[0] for name, _ in encoder.model.named_parameters()} == {"embeddings", "encoder", "pooler"}
    again, other = zoo.trained(tmp_path / "again", "infocse")
    assert again.rows == story.rows
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_the_word_head_of_a_checkpoint_is_taken(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "infocse")
    model, tokenizer = shop.tower()
    saved = fresh_masked_model(model, seed=8)
    for part in (saved, tokenizer):
        part.save_pretrained(tmp_path / "condenser")
    started = zoo.shop(tmp_path, "infocse", words="checkpoint", start=str(tmp_path / "condenser"))
    found = word_head(infocse._masked_model(started, started.tower()[0])).state_dict()
    assert all(torch.equal(weight, found[key]) for key, weight in word_head(saved).state_dict().items())
    assert not torch.equal(
        found["predictions.transform.dense.weight"],
        word_head(infocse._masked_model(shop, model)).state_dict()["predictions.transform.dense.weight"],
    )


def test_roberta_towers_train_in_bfloat16_too(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "infocse")
    made = objective_of(shop, *load_tower(standin.roberta(tmp_path / "roberta", layers=2)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = made.module(made.batch(ROWS, 5))
    assert found["words"].dtype == torch.float32
    shop.train(made, None)
    assert all(np.isfinite(row["loss"]) for row in shop.histories[-1].rows)


def test_released_checkpoints_are_stock_towers(tmp_path: Path) -> None:
    model, tokenizer = zoo.shop(tmp_path, "infocse").tower()
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "released")
    opened = opening.open_released("infocse", names=[str(tmp_path / "released")])
    assert opened.pooling == "cls" and opened.encode(["noon"]).shape == (1, 32)
    with pytest.raises(UserError, match="no roberta checkpoint of InfoCSE"):
        opening.open_released("infocse", "roberta")


# -- bad input -------------------------------------------------------------------------------------


def test_more_frozen_layers_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lower_layers is 3 but the encoder has 2 layers"):
        zoo.trained(tmp_path, "infocse", lower_layers=3)


def test_a_checkpoints_head_needs_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="start is null; set start to a checkpoint"):
        zoo.trained(tmp_path, "infocse", words="checkpoint")
    bare = str(standin.bert(tmp_path / "bare"))
    with pytest.raises(UserError, match=r"lacks .*cls.predictions.*masked-word head"):
        zoo.trained(tmp_path, "infocse", words="checkpoint", start=bare)


def test_a_tokenizer_without_a_mask_token_is_refused(tmp_path: Path) -> None:
    _, tokenizer = zoo.shop(tmp_path, "infocse").tower()
    tokenizer.mask_token = None
    with pytest.raises(UserError, match=r"no mask token.*take an encoder"):
        make_masker(tokenizer, 0.4)
