"""DiffCSE: its loss is the formula's, the generator is frozen, the encoder learns of replaced words through its vector alone."""

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
from jtcse.systems import diffcse, opening
from jtcse.systems.diffcse import DiffCSE
from jtcse.systems.simcse import SimCSE
from jtcse.training import masked_words
from jtcse.training.masked_words import MaskedWords, fresh_masked_model, make_masker, mean_of_sums

ROWS = np.arange(6)


def objective_of(shop, model, tokenizer) -> DiffCSE:
    generator = fresh_masked_model(model, seed=3)
    return DiffCSE(model, tokenizer, shop.corpus, shop.settings, shop.head(model), generator=generator, seed=4)


def objective(folder: Path, **changes) -> DiffCSE:
    """With a generator that was never trained; detection weighs as much as InfoCSE unless it is said otherwise."""
    shop = zoo.shop(folder, "diffcse", **{"weight": 1.0} | changes)
    return objective_of(shop, *shop.tower())


def every_third(masker, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """In place of ``Masker.hide``: words 1, 4, 7, ... of each sentence become the mask token."""
    chosen = (torch.arange(tokens.shape[1]) % 3 == 1) & ~torch.isin(tokens, masker.special)
    return torch.where(chosen, masker.mask_id, tokens), chosen


def surprise(logits: list[float], label: int) -> float:
    """-log softmax(logits)[label]."""
    return log(sum(exp(x) for x in logits)) - logits[label]


def detection_alone(made: DiffCSE, ids: list[int], vector: Tensor) -> list[float]:
    """The surprise at each token of one sentence, by itself and without padding, through untouched stock classes."""
    editor, judge = made.module.editor, made.module.discriminator
    tokens = torch.tensor([ids])
    hidden, chosen = every_third(editor.masker, tokens)
    guessed = editor.model(input_ids=hidden).logits[0].tolist()
    edited = []
    for place, word in enumerate(ids):
        open_to_it = place > 0 and (editor.edits == "everywhere" or bool(chosen[0, place]))
        edited.append(max(range(len(guessed[place])), key=guessed[place].__getitem__) if open_to_it else word)
    stock = copy.deepcopy(judge.body)
    stock.embeddings = copy.deepcopy(judge.embeddings)

    def put(_module, _inputs, states: Tensor) -> Tensor:
        states = states.clone()
        states[0, 0] = vector
        return states

    stock.embeddings.register_forward_hook(put)
    states = stock(input_ids=torch.tensor([edited])).last_hidden_state[0]
    logits = zoo.rows(states @ judge.classes.weight.T + judge.classes.bias)
    return [surprise(row, int(new != old)) for row, new, old in zip(logits, edited, ids, strict=True)]


@pytest.mark.parametrize("edits", ["everywhere", "hidden"])
@pytest.mark.parametrize("groups", [1, 3])
def test_the_loss_is_the_formulas(edits: str, groups: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_words.Masker, "hide", every_third)
    made = objective(tmp_path, edits=edits, weight=0.3, length_groups=groups)
    found, loss = zoo.outputs(made)
    ids = made.tokenizer(made.sentences(ROWS))["input_ids"]
    surprises = [
        s for view in found["z"] for one, z in zip(ids, view, strict=True) for s in detection_alone(made, one, z)
    ]
    detection = sum(surprises) / len(surprises)
    infonce = loops.info_nce(*zoo.rows(found["z"]), tau=0.05)
    assert loss.item() == pytest.approx(infonce + 0.3 * detection, abs=1e-9)
    assert detection > 0.1 and len({len(one) for one in ids}) > 1, "sentences of one length would test no padding"


def test_counted_padding_is_labelled_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A discriminator that says 'replaced' everywhere is wrong at padding too."""
    monkeypatch.setattr(masked_words.Masker, "hide", every_third)
    sums = {}
    for padding in ("counted", "left_out"):
        made = objective(tmp_path, padding=padding)
        with torch.no_grad():
            made.module.discriminator.classes.weight.zero_()
            made.module.discriminator.classes.bias.copy_(torch.tensor([0.0, 2.0]))
        found, _ = zoo.outputs(made)
        sums[padding] = found["detection"].sum((0, 1))
    lengths = [len(one) for one in made.tokenizer(made.sentences(ROWS))["input_ids"]]
    empty = 2 * sum(max(lengths) - length for length in lengths)
    more = (sums["counted"] - sums["left_out"]).tolist()
    assert more == pytest.approx([empty * surprise([0.0, 2.0], 0), empty]) and empty > 0


def test_without_weight_it_is_simcse(tmp_path: Path) -> None:
    """Loss and the gradients of tower and head, with dropout on."""
    found = []
    for name in ("diffcse", "simcse"):
        shop = zoo.shop(tmp_path, "diffcse", weight=0.0)
        model, tokenizer = shop.tower()
        if name == "diffcse":
            made, tower = (made := objective_of(shop, model, tokenizer)), made.module.tower
        else:
            settings = zoo.settings("simcse", head="bn")
            made = SimCSE(model, tokenizer, shop.corpus, settings, head=shop.head(model))
            tower = made.module
        made.module.double().train()
        torch.manual_seed(9)
        loss = sum(made.parts(made.module(made.batch(ROWS, 5)), torch.Generator()).values())
        loss.backward()
        found.append((loss.item(), {key: w.grad for key, w in tower.named_parameters() if w.grad is not None}))
    (loss, gradients), (expected, wanted) = found
    assert loss == pytest.approx(expected, abs=1e-6)
    assert gradients.keys() == wanted.keys() and len(wanted) > 30
    assert all(torch.allclose(gradients[key], wanted[key], atol=1e-9) for key in wanted)


def test_detection_reaches_the_encoder_through_its_vector_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = objective(tmp_path)

    def sizes() -> dict[str, float]:
        made.module.double().eval()
        torch.manual_seed(2)
        return zoo.gradients(made, mean_of_sums(made.module(made.batch(ROWS, 5))["detection"]))

    open_way = sizes()
    assert open_way["tower.model.embeddings.word_embeddings.weight"] > 1e-6
    assert open_way["tower.head.0.weight"] > 1e-6, "the vector is the projected one"
    by_group = diffcse.by_group
    monkeypatch.setattr(diffcse, "by_group", lambda batch, z: [rows.detach() for rows in by_group(batch, z)])
    closed = sizes()
    assert closed and all(name.startswith("discriminator.") for name in closed)
    assert closed["discriminator.embeddings.word_embeddings.weight"] > 0
    assert not any(name.startswith("editor") for name in open_way)


def test_the_generator_stays_as_it_is_and_the_discriminator_does_not(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "diffcse")
    made = objective_of(shop, *shop.tower())
    generator, judge = made.module.editor.model, made.module.discriminator
    before = [copy.deepcopy(part.state_dict()) for part in (generator, judge)]
    shop.train(made, None)
    assert all(torch.equal(before[0][key], weight) for key, weight in generator.state_dict().items())
    assert all(weight.grad is None for weight in generator.parameters()) and not generator.training
    assert not torch.equal(before[1]["classes.weight"], judge.classes.weight)
    layer = "body.encoder.layer.0.output.dense.weight"
    assert not torch.equal(before[1][layer], judge.state_dict()[layer])


def test_words_are_hidden_as_bert_does(tmp_path: Path) -> None:
    _, tokenizer = zoo.shop(tmp_path, "diffcse").tower()
    masker = make_masker(tokenizer, 0.3)
    special = torch.tensor([tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id])
    tokens = torch.cat([special, torch.full((20000,), len(tokenizer) - 1)])[None]
    torch.manual_seed(0)
    hidden, chosen = masker.hide(tokens)
    assert torch.equal(hidden[~chosen], tokens[~chosen]) and not chosen[0, :3].any()
    assert chosen.float().mean().item() == pytest.approx(0.3, abs=0.02)
    masked, same = (hidden == tokenizer.mask_token_id)[chosen], (hidden == tokens)[chosen]
    assert masked.float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert same.float().mean().item() == pytest.approx(0.1, abs=0.02)
    assert len(hidden[chosen].unique()) > 100, "the others are any words"


def test_fitting_teaches_the_generator_hidden_words(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "diffcse", steps=60, evaluate_every=60, learning_rate=3e-3)
    model, tokenizer = shop.tower()
    made = MaskedWords(fresh_masked_model(model, 3), tokenizer, shop.corpus, shop.settings, 0.3)
    shop.train(made, None)
    losses = [row["mlm"] for row in shop.histories[-1].rows]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.5
    head = made.module.model
    assert head.get_output_embeddings().weight is head.get_input_embeddings().weight


def test_training_keeps_the_tower_alone(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "diffcse", generator_steps=3)
    assert story.steps == 4 + 3, "the generator's steps belong to the system"
    assert story.rows[-1]["loss"] == pytest.approx(story.rows[-1]["infonce"] + story.rows[-1]["detection"])
    assert {name.split(".")[0] for name, _ in encoder.model.named_parameters()} == {"embeddings", "encoder", "pooler"}
    again, other = zoo.trained(tmp_path / "again", "diffcse", generator_steps=3)
    assert again.rows == story.rows
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_a_killed_training_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story, encoder = zoo.trained(tmp_path / "whole", "diffcse", generator_steps=2)
    batch, calls = DiffCSE.batch, []

    def stop(self, rows, seed):
        calls.append(seed)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return batch(self, rows, seed)

    monkeypatch.setattr(DiffCSE, "batch", stop)
    with pytest.raises(KeyboardInterrupt):
        zoo.trained(tmp_path / "cut", "diffcse", generator_steps=2)
    again, other = zoo.trained(tmp_path / "cut", "diffcse", generator_steps=2)
    assert len(calls) == 4 + 2, "from the checkpoint of step 2 on"
    assert again.rows == story.rows
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def public(folder: Path, tokenizer) -> str:
    """A random DistilBERT with masked-word head, saved as the hub has it."""
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    torch.manual_seed(0)
    config = DistilBertConfig(vocab_size=len(tokenizer), dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    DistilBertForMaskedLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_public_generator_is_taken_as_it_is(tmp_path: Path) -> None:
    name = public(tmp_path / "generator", zoo.shop(tmp_path, "diffcse").tower()[1])
    story, _ = zoo.trained(tmp_path, "diffcse", generator=name, edits="everywhere")
    assert story.steps == 4


def test_roberta_towers_train(tmp_path: Path) -> None:
    shop = zoo.shop(tmp_path, "diffcse")
    made = objective_of(shop, *load_tower(standin.roberta(tmp_path / "roberta", layers=2)))
    shop.train(made, None)
    assert all(np.isfinite(row["loss"]) for row in shop.histories[-1].rows)


def test_released_checkpoints_are_stock_towers(tmp_path: Path) -> None:
    model, tokenizer = zoo.shop(tmp_path, "diffcse").tower()
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "released")
    opened = opening.open_released("diffcse", names=[str(tmp_path / "released")])
    assert opened.pooling == "cls" and opened.encode(["noon"]).shape == (1, 32)


# -- bad input -------------------------------------------------------------------------------------


def test_a_generator_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    _, words = load_tower(standin.bert(tmp_path / "other"))
    with pytest.raises(UserError, match=r"numbers its words in another way.*set generator to"):
        zoo.trained(tmp_path, "diffcse", generator=public(tmp_path / "generator", words))


def test_a_generator_without_its_head_is_refused(tmp_path: Path) -> None:
    name = str(standin.bert(tmp_path / "bare"))
    with pytest.raises(UserError, match=r"lacks .*cls.predictions.*masked-word head"):
        zoo.trained(tmp_path, "diffcse", generator=name)


def test_a_broken_generator_is_named(tmp_path: Path) -> None:
    name = public(tmp_path / "generator", zoo.shop(tmp_path, "diffcse").tower()[1])
    (tmp_path / "generator" / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"holds no model.safetensors"):
        zoo.trained(tmp_path, "diffcse", generator=name)
    with pytest.raises(UserError, match="no such folder here either"):
        zoo.trained(tmp_path, "diffcse", generator=str(tmp_path / "nowhere"))


def test_a_tokenizer_without_a_mask_token_is_refused(tmp_path: Path) -> None:
    _, tokenizer = zoo.shop(tmp_path, "diffcse").tower()
    tokenizer.mask_token = None
    with pytest.raises(UserError, match=r"no mask token.*take an encoder"):
        make_masker(tokenizer, 0.3)
