"""Templates and PromptBERT: what is tokenised, which state is read, what denoising takes away."""

from __future__ import annotations

import json
from pathlib import Path

import loops
import numpy as np
import pytest
import standin
import torch
import zoo
from torch import nn

from jtcse.core.errors import UserError
from jtcse.encoders.batches import batch_of
from jtcse.encoders.loading import load_tower
from jtcse.encoders.prompts import TemplateEncoder, ended, make_template
from jtcse.method.losses import info_nce
from jtcse.systems.opening import open_model, open_released
from jtcse.systems.promptbert import PromptBERT
from jtcse.systems.settings import published_values


@pytest.fixture(scope="module", params=["bert", "roberta"])
def family(request, tmp_path_factory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, getattr(standin, request.param)(folder / "start", layers=2)


def objective(folder: Path, **changes) -> PromptBERT:
    shop = zoo.shop(folder, "promptbert", **changes)
    model, tokenizer = shop.tower()
    return PromptBERT(model, tokenizer, shop.corpus, shop.settings, shop.head(model))


# -- templates ---------------------------------------------------------------------------------------


def test_a_kept_template_is_the_whole_text_tokenised_at_once(family: tuple[str, Path]) -> None:
    name, folder = family
    _, tokenizer = load_tower(folder)
    for system in ("promptbert", "sncse"):
        text = published_values(system, name)["kept_template"]
        found = make_template(text, tokenizer).ids(["a baker paints .", ""], tokenizer, 30)
        for ids, sentence in zip(found, ("a baker paints .", ""), strict=True):
            if sentence or name == "bert":
                whole = text.replace("X", sentence).replace("[MASK]", tokenizer.mask_token)
                assert ids == tokenizer(whole)["input_ids"]


def test_apart_the_sentence_has_no_blank_of_its_own(tmp_path: Path) -> None:
    _, tokenizer = load_tower(standin.roberta(tmp_path / "start", layers=1))
    together, apart = (make_template("x : X means [MASK].", tokenizer, apart) for apart in (False, True))
    alone = tokenizer("baker", add_special_tokens=False)["input_ids"]
    blank = tokenizer(" ", add_special_tokens=False)["input_ids"]
    assert apart.before == together.before + blank
    assert apart.ids(["baker"], tokenizer, 9)[0] == apart.before + alone + apart.after
    assert together.ids(["baker"], tokenizer, 9)[0] != apart.ids(["baker"], tokenizer, 9)[0]


def test_the_sentence_is_cut_and_never_the_template(family: tuple[str, Path]) -> None:
    model, tokenizer = load_tower(family[1])
    template = make_template("[MASK] is X , so", tokenizer)
    (short,), (long,) = (template.ids([text], tokenizer, 3) for text in ("noon", "noon " * 90))
    assert len(long) == template.size + 3 and long[-len(template.after) :] == short[-len(template.after) :]
    encoder = TemplateEncoder(model, tokenizer, "promptbert", kept_template="X means [MASK] .")
    assert max(len(ids) for ids in encoder.tokenise(["at noon " * 90])) == encoder.max_length


@pytest.mark.parametrize("text", ["X means [MASK] .", "the [MASK] of X here"])
def test_the_mask_tokens_state_is_read_whatever_stands_in_the_sentence(family: tuple[str, Path], text: str) -> None:
    model, tokenizer = load_tower(family[1])
    encoder = TemplateEncoder(model, tokenizer, "promptbert", kept_template=text, precision="fp32")
    sentences = ["a baker", "a baker paints the blue boat near a quiet lake .", f"a {tokenizer.mask_token} paints ."]
    vectors = encoder.encode(sentences)
    for sentence, vector in zip(sentences, vectors, strict=True):
        (ids,) = encoder.tokenise([sentence])
        places = [i for i, token in enumerate(ids) if token == tokenizer.mask_token_id]
        place = places[-1] if text.endswith(".") else places[0]
        with torch.no_grad():
            state = model(input_ids=torch.tensor([ids])).last_hidden_state[0, place]
        np.testing.assert_allclose(vector, state.numpy(), atol=1e-5)


def test_an_ending_goes_behind_sentences_without_one() -> None:
    assert ended(["a cat", "a cat?", "", "a cat,"], ".", ".?\"'") == ["a cat.", "a cat?", "", "a cat,."]


@pytest.mark.parametrize(
    "text", ["X means it .", "X means [MASK] [MASK] .", "it means [MASK] .", "X or X : [MASK]", "XY [MASK]"]
)
def test_a_template_needs_one_x_and_one_mask(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"has (X|\[MASK\]) [02] times; expected it once"):
        objective(tmp_path, template=text)


def test_a_tokenizer_without_a_mask_token_is_refused(tmp_path: Path) -> None:
    _, tokenizer = zoo.shop(tmp_path, "promptbert").tower()
    tokenizer.mask_token = None
    with pytest.raises(UserError, match="no mask token"):
        make_template("X means [MASK] .", tokenizer)


def test_a_length_that_leaves_no_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="takes 64 in all; set another max_length"):
        objective(tmp_path / "long", max_length=60)
    with pytest.raises(UserError, match="leaves -3 tokens"):
        objective(tmp_path / "short", max_length=4, length_of="whole")


# -- PromptBERT --------------------------------------------------------------------------------------


def test_the_loss_is_the_formulas(tmp_path: Path) -> None:
    one = objective(tmp_path, length_groups=2)
    _, loss = zoo.outputs(one)
    model, tokenizer, head, settings = one.module.model, one.tokenizer, one.module.head, one.settings
    views = []
    for text in (settings.template, settings.other_template):
        before = len(tokenizer(text.split("X")[0])["input_ids"]) - 1
        empty = tokenizer(text.replace("X", ""))["input_ids"]
        rows = []
        for sentence in one.sentences(np.arange(6)):
            ids = tokenizer(text.replace("X", sentence))["input_ids"]
            shift = len(ids) - len(empty)
            places = torch.tensor([[i if i < before else i + shift for i in range(len(empty))]])
            h = model(input_ids=torch.tensor([ids])).last_hidden_state[0, ids.index(tokenizer.mask_token_id)]
            states = model(input_ids=torch.tensor([empty]), position_ids=places).last_hidden_state
            rows.append(head(h - states[0, empty.index(tokenizer.mask_token_id)]))
        views.append(zoo.rows(torch.stack(rows)))
    assert loss.item() == pytest.approx(loops.info_nce(*views, tau=0.05), abs=1e-9)


def test_without_denoising_it_is_simcses_loss_on_mask_states(tmp_path: Path) -> None:
    one = objective(tmp_path, denoising="off")
    found, loss = zoo.outputs(one)
    z = torch.stack([one.module.head(view) for view in found["h"]])
    assert loss.item() == pytest.approx(info_nce(z[0], z[1], 0.05).item(), abs=1e-9)
    denoised = objective(tmp_path / "other")
    other, _ = zoo.outputs(denoised)
    assert torch.equal(found["h"], other["h"]) and not torch.allclose(found["z"], other["z"])


def test_the_gradient_flows_through_the_denoising(tmp_path: Path) -> None:
    one = objective(tmp_path)
    _, loss = zoo.outputs(one)
    sizes = zoo.gradients(one, loss)
    assert sizes["head.0.weight"] > 0 and sizes["model.embeddings.word_embeddings.weight"] > 0
    assert not any("pooler" in name for name in sizes)
    lengths = torch.tensor([12, 12, 17])
    bias = one.module.bias(one.module.templates[0], lengths)
    assert bias.requires_grad and torch.equal(bias[0], bias[1]) and not torch.equal(bias[0], bias[2])


def test_on_roberta_released_denoising_counts_positions_from_zero(tmp_path: Path) -> None:
    model, tokenizer = load_tower(standin.roberta(tmp_path / "start", layers=2))
    values = published_values("promptbert", "roberta")
    texts, states = ["a baker paints"] * 40, {}
    for denoising in ("released", "own_positions"):
        settings = zoo.settings("promptbert", **{**values, "denoising": denoising, "max_length": 32})
        one = PromptBERT(model, tokenizer, texts, settings, nn.Identity())
        template = one.module.templates[0]
        states[denoising] = one.module.bias(template, torch.tensor([template.size]))[0]
    ids = torch.tensor([template.before + template.after])
    plain = model(input_ids=ids).last_hidden_state[0, template.place]
    assert torch.allclose(states["own_positions"], plain, atol=1e-6)
    assert not torch.allclose(states["released"], plain, atol=1e-3)


def test_views_split_by_length_come_back_in_order(tmp_path: Path) -> None:
    one = objective(tmp_path)
    texts = one.sentences(np.arange(7))
    ids = [template.ids(texts, one.tokenizer, 40) for template in one.module.templates]
    one.module.double().eval()
    found = [one.module(batch_of(ids, one.tokenizer.pad_token_id, groups, [texts] * 2)) for groups in (1, 3)]
    assert all(torch.allclose(found[0][name], found[1][name], atol=1e-12) for name in ("h", "z"))


def test_it_trains_and_opens_again_with_its_template(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "promptbert")
    assert story.steps == 4 and isinstance(encoder, TemplateEncoder)
    assert encoder.read["kept_template"] == zoo.settings("promptbert").kept_template
    again, other = zoo.trained(tmp_path / "again", "promptbert")
    sentences = ["a cook is at noon", "the bread"]
    assert again.rows == story.rows and np.array_equal(encoder.encode(sentences), other.encode(sentences))
    encoder.save(tmp_path / "kept")
    assert np.array_equal(open_model(tmp_path / "kept").encode(sentences), encoder.encode(sentences))
    assert not np.allclose(load_tower(tmp_path / "kept")[0].embeddings.word_embeddings.weight.detach().cpu(), 0)


def test_a_description_without_its_template_is_named(tmp_path: Path) -> None:
    _, encoder = zoo.trained(tmp_path, "promptbert")
    encoder.save(tmp_path / "kept")
    path = tmp_path / "kept" / "jtcse.json"
    described = json.loads(path.read_text())
    del described["kept_template"]
    path.write_text(json.dumps(described))
    with pytest.raises(UserError, match="not a whole description of an encoder with a template"):
        open_model(tmp_path / "kept")


def test_a_released_tower_is_read_through_the_authors_template(family: tuple[str, Path]) -> None:
    name, folder = family
    encoder = open_released("promptbert", name, names=[str(folder)], precision="fp32")
    text = published_values("promptbert", name)["kept_template"].replace("X", "a baker paints.")
    ids = encoder.tokenizer(text.replace("[MASK]", encoder.tokenizer.mask_token), return_tensors="pt")["input_ids"]
    with torch.no_grad():
        states = encoder.model(input_ids=ids).last_hidden_state
    np.testing.assert_allclose(
        encoder.encode(["a baker paints"])[0], states[ids == encoder.tokenizer.mask_token_id][0], atol=1e-5
    )
