"""SNCSE: negations by parse and by closed lists, the margins, and the training."""

from __future__ import annotations

import sys
from pathlib import Path

import loops
import numpy as np
import pytest
import torch
import zoo

from jtcse.core.errors import UserError
from jtcse.systems import negation
from jtcse.systems.opening import open_model, open_released
from jtcse.systems.sncse import SNCSE, margin_loss


def objective(folder: Path, **changes) -> SNCSE:
    shop = zoo.shop(folder, "sncse", **changes)
    model, tokenizer = shop.tower()
    return SNCSE(model, tokenizer, shop.corpus, shop.settings, shop.head(model))


# -- negation ----------------------------------------------------------------------------------------

# negation: word/tag/dependency/head/lemma of the sentence, as spaCy's English model gives them
PARSES = {
    "The cat does sleep": "The/DT/det/1/the cat/NN/nsubj/4/cat does/VBZ/aux/4/do not/RB/neg/4/not sleep/VB/ROOT/4/sleep",
    "A dog is not running .": "A/DT/det/1/a dog/NN/nsubj/3/dog is/VBZ/aux/3/be running/VBG/ROOT/3/run ././punct/3/.",
    "Bread was not eaten .": "Bread/NN/nsubjpass/2/bread was/VBD/auxpass/2/be eaten/VBN/ROOT/2/eat ././punct/2/.",
    "She is not tall": "She/PRP/nsubj/1/she is/VBZ/ROOT/1/be tall/JJ/acomp/1/tall",
    "Dogs do not bark": "Dogs/NNS/nsubj/1/dog bark/VBP/ROOT/1/bark",
    "He does not run away": "He/PRP/nsubj/1/he runs/VBZ/ROOT/1/run away/RB/advmod/1/away",
    "We did not eat": "We/PRP/nsubj/1/we ate/VBD/ROOT/1/eat",
    "Not A quiet lake": "A/DT/det/2/a quiet/JJ/amod/2/quiet lake/NN/ROOT/2/lake",
    "He did not say it is late": "He/PRP/nsubj/1/he said/VBD/ROOT/1/say it/PRP/nsubj/3/it is/VBZ/ccomp/1/be late/JJ/acomp/3/late",
}


def parsed(negated: str):
    """The spaCy document, made by hand, of which this is the negation."""
    spacy = pytest.importorskip("spacy")
    words, tags, deps, heads, lemmas = zip(*(word.split("/") for word in PARSES[negated].split()), strict=True)
    columns = {"words": list(words), "tags": list(tags), "deps": list(deps), "lemmas": list(lemmas)}
    return spacy.tokens.Doc(spacy.blank("en").vocab, heads=[int(head) for head in heads], **columns)


class Parser:
    """In place of spaCy's model."""

    def pipe(self, sentences):
        known = {" ".join(word.split("/")[0] for word in parse.split()): negated for negated, parse in PARSES.items()}
        return (parsed(known[sentence]) for sentence in sentences)


@pytest.mark.parametrize("negated", PARSES)
def test_negation_by_parse(negated: str) -> None:
    assert negation.by_parse(parsed(negated)) == negated


def test_an_empty_parse_begins_with_not() -> None:
    spacy = pytest.importorskip("spacy")
    assert negation.by_parse(spacy.tokens.Doc(spacy.blank("en").vocab)) == "Not"


def test_negation_by_words() -> None:
    expected = {
        "The cat does not sleep .": "The cat does sleep .",
        "A dog is running .": "A dog is not running .",
        "He isn't here.": "He is here.",
        "Won't you come?": "Will you come?",
        "I cannot go": "I can go",
        "A knot and a note": "Not A knot and a note",
        "Dogs bark": "Not Dogs bark",
        "a can-opener": "Not a can-opener",
        "Is it late, or was it?": "Is not it late, or was it?",
    }
    assert dict(zip(expected, negation.negations(list(expected), "lexical"), strict=True)) == expected


def test_without_the_english_model_the_error_says_how_to_get_it(monkeypatch, tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")

    def absent(name: str, **_):
        raise OSError(f"[E050] Can't find model '{name}'")

    negation.parser.cache_clear()
    monkeypatch.setattr(spacy, "load", absent)
    with pytest.raises(UserError, match="python -m spacy download en_core_web_sm"):
        objective(tmp_path, negation="parser")


def test_without_spacy_the_error_names_the_extra(monkeypatch) -> None:
    negation.parser.cache_clear()
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(UserError, match=r"spaCy is not installed; pip install 'jtcse\[systems\]'"):
        negation.negations(["noon"], "parser")


# -- the objective -----------------------------------------------------------------------------------


def test_the_third_view_is_the_negation_with_its_ending(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(negation, "parser", Parser)
    one = objective(tmp_path, negation="parser")
    one.corpus = ["She is tall", "A dog is running ."]
    first, positive, negated = one.views(np.arange(2), 0)
    assert first == positive == ["She is tall .", "A dog is running ."]
    assert negated == ["She is not tall .", "A dog is not running ."]
    batch = one.batch(np.arange(2), 0)
    assert batch.views == 3 and max(ids.shape[1] for ids, _ in batch.groups) <= one.settings.max_length


def test_the_length_counts_the_template(tmp_path: Path) -> None:
    one = objective(tmp_path, max_length=12)
    assert {ids.shape[1] for ids, _ in one.batch(np.arange(40), 0).groups} == {12}


def test_the_loss_is_the_formulas(tmp_path: Path) -> None:
    one = objective(tmp_path, margin_weight=0.7, alpha=0.02, beta=0.05)
    found, loss = zoo.outputs(one)
    z, positive, negated = zoo.rows(torch.tanh(one.module.head[0](found["h"])))
    margin = 0.0
    for a, p, n in zip(z, positive, negated, strict=True):
        difference = loops.cosine(a, n) - loops.cosine(a, p)
        margin += (max(0.0, difference + 0.02) + max(0.0, -difference - 0.05)) / len(z)
    assert margin > 0
    assert loss.item() == pytest.approx(loops.info_nce(z, positive, tau=0.05) + 0.7 * margin, abs=1e-9)


def test_between_the_margins_there_is_no_loss_and_outside_it_pulls_back() -> None:
    angle = torch.tensor([0.0, 0.3, 0.6435, 1.5], dtype=torch.float64, requires_grad=True)  # cos: 1, .955, .8, .07
    z = torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(4, -1)
    negated = torch.stack([angle.cos(), angle.sin()], dim=1)
    each = [margin_loss(z[[i]], z[[i]], negated[[i]], 0.1, 0.3) for i in range(4)]
    assert [round(one.item(), 3) for one in each] == [0.1, 0.055, 0.0, 0.629]
    sum(each).backward()
    assert angle.grad[1] < 0 < angle.grad[3] and angle.grad[2] == 0


def test_gradients_reach_all_three_views(tmp_path: Path) -> None:
    one = objective(tmp_path, margin_weight=1.0)
    found, _ = zoo.outputs(one)
    noise = torch.randn(found["z"].shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    z = (found["z"].detach() + noise).requires_grad_()
    sum(one.parts({"z": z}, torch.Generator()).values()).backward()
    assert (z.grad.abs().amax((1, 2)) > 0).all()


def test_it_trains_and_opens_again(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "sncse")
    last = story.rows[-1]
    assert story.steps == 4 and last["loss"] == pytest.approx(last["infonce"] + last["margin"])
    again, other = zoo.trained(tmp_path / "again", "sncse")
    assert again.rows == story.rows and np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))
    encoder.save(tmp_path / "kept")
    assert np.array_equal(open_model(tmp_path / "kept").encode(["noon"]), encoder.encode(["noon"]))
    assert encoder.system == "sncse"


def test_a_checkpoint_is_read_from_a_folder_only(tmp_path: Path) -> None:
    _, encoder = zoo.trained(tmp_path, "sncse")
    encoder.save(tmp_path / "kept")
    found = open_released("sncse", "bert", names=[str(tmp_path / "kept")])
    assert found.read["kept_template"] == 'This sentence : " X " means [MASK] .' and found.encode(["a", "b"]).shape == (
        2,
        32,
    )
    with pytest.raises(UserError, match="no bert checkpoint of SNCSE is on the hub"):
        open_released("sncse", "bert")
