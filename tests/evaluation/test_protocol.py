"""Choices of measuring: what changes nothing, what lies between what, and which pairs are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from jtcse.core.errors import UserError
from jtcse.data.pairs import PairSet
from jtcse.encoders.encoder import TowerEncoder
from jtcse.evaluation.protocol import texts as alternatives
from jtcse.evaluation.protocol.choices import AVERAGE, CHOICES, Effect, Protocol, choices, measure
from jtcse.evaluation.protocol.subsets import AVERAGES, drawn_points, points
from jtcse.evaluation.protocol.texts import Material, Task, closed, joined, matched, spaced
from jtcse.evaluation.protocol.token_vectors import Vectors
from jtcse.evaluation.sts import score_sets
from jtcse.pages.protocol import effects_metrics, effects_table, label

SENTENCE = "Don't go , he said ( twice ) ; it ' s a baker's copper kettle ."


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Vectors:
    return Vectors(*tiny.saved(tmp_path_factory.mktemp("tower")))


@pytest.fixture(scope="module")
def pairs() -> PairSet:
    import standin

    left = [text.capitalize() for text in standin.sentences(60, seed=1)]
    right = standin.sentences(60, seed=2)
    return PairSet("STS12", left, right, np.random.default_rng(0).uniform(0, 5, 60), "made up")


def as_material(pairs: PairSet, subset: np.ndarray) -> Material:
    task = Task(pairs.name, pairs.first, pairs.second, pairs.gold, subset)
    texts = {name: {pairs.name: task.rewritten(change)} for name, change in alternatives.REWRITINGS.items()}
    more = Task(pairs.name, [*pairs.first, "a"], [*pairs.second, "b"], np.append(pairs.gold, 5.0), np.append(subset, 0))
    return Material({"filed": {pairs.name: task}} | texts, {"all": {pairs.name: more}})


@pytest.fixture(scope="module")
def effects(vectors: Vectors, pairs: PairSet) -> dict[tuple[str, str], Effect]:
    there = as_material(pairs, np.repeat([0, 1], [20, 40]))
    found = measure(vectors, there, Protocol("cls"), resamples=100)
    return {(effect.choice, effect.task): effect for effect in found}


def test_every_choice_is_there_and_its_average_is_that_of_its_one_task(effects) -> None:
    names = {f"{group}={value}" for group, values in CHOICES.items() for value in values}
    names -= {"pooling=cls", "text=mteb", "max_length=128"}  # the base's own, not at hand, longer than the tower takes
    assert {choice for choice, _ in effects} == names | {"base"}
    for choice, task in effects:
        if task == "STS12":
            one, average = effects[choice, "STS12"], effects[choice, AVERAGE]
            assert average.points == pytest.approx(one.points) and average.moved == pytest.approx(
                one.moved, nan_ok=True
            )


@pytest.mark.parametrize("choice", ["text=lower", "text=joined", "text=spaced"])
def test_an_uncased_tokenizer_makes_casing_and_blanks_change_nothing(effects, choice: str) -> None:
    effect = effects[choice, "STS12"]
    assert (effect.touched, *effect.moved) == (0, 0, 0, 0) and effect.points == effects["base", "STS12"].points


def test_a_cased_tokenizer_sees_lower_casing(tmp_path: Path, pairs: PairSet) -> None:
    cased = Vectors(*tiny.saved(tmp_path, "roberta"))
    found = measure(cased, as_material(pairs, np.zeros(60)), Protocol("mean"), resamples=100)
    assert next(e for e in found if e.choice == "text=lower").touched == pytest.approx(0.5)


def test_scores_and_differences_are_those_of_the_ordinary_evaluation(vectors, effects, pairs) -> None:
    for pooling, choice in (("cls", "base"), ("mean", "pooling=mean"), ("first_last", "pooling=first_last")):
        tower = TowerEncoder(vectors.model, vectors.tokenizer, pooling=pooling, precision="fp32")
        plain = score_sets(tower, {"STS12": pairs}, resamples=2)["STS12"].points
        assert effects[choice, "STS12"].points == pytest.approx(plain, abs=1e-3)
    for (choice, task), effect in effects.items():
        assert effect.moved.points == pytest.approx(effect.points - effects["base", task].points), choice
    assert np.isnan(effects["pairs=all", "STS12"].moved.low) and effects["pairs=all", "STS12"].n == 61


def test_a_cut_input_is_what_the_tokenizer_would_cut(vectors: Vectors, pairs: PairSet) -> None:
    for limit in (4, 8, 64):
        plain = vectors.tokenizer(pairs.first, truncation=True, max_length=limit)["input_ids"]
        assert [list(row) for row in vectors.tokens(pairs.first, limit)] == plain


def test_means_without_special_tokens_and_from_layer_one_are_what_they_say(vectors: Vectors) -> None:
    (row,) = vectors.tokens([SENTENCE])
    with torch.inference_mode():
        output = vectors.model(input_ids=torch.tensor([row]), output_hidden_states=True)
    last, first = output.last_hidden_state[0], output.hidden_states[1][0]
    short = vectors.tokens(["gate"])[0]  # shorter, so that there is padding
    for pooling, expected in (("mean_words", last[1:-1].mean(0)), ("first_last_1", (first + last).mean(0) / 2)):
        np.testing.assert_allclose(vectors([row, short], pooling)[0], expected.numpy(), atol=1e-5)


def test_choices_leave_out_what_cannot_be_had(pairs: PairSet) -> None:
    there = Material({"filed": {"a": Task("a", pairs.first, pairs.second, pairs.gold, np.zeros(60))}})
    names = [choice.name for choice in choices(Protocol("mean", max_length=16), there, longest=20)]
    poolings = [f"pooling={p}" for p in CHOICES["pooling"] if p != "mean"]
    assert names == [*poolings, "max_length=8", "precision=bf16"]
    with pytest.raises(UserError, match="did you mean 'mean'"):
        Protocol("meen")


@given(st.text(max_size=60))
def test_rewriting_keeps_the_words(text: str) -> None:
    kept = "".join(text.split())
    assert "".join(joined(text).split()) == kept == "".join(spaced(text).split())
    assert closed(closed(text)) == closed(text)
    assert closed(text).startswith(text.rstrip())


def test_rewriting_does_what_files_do() -> None:
    assert joined(SENTENCE) == "Don't go, he said (twice); it's a baker's copper kettle."
    assert joined(spaced("Why, it's (nearly) noon.")) == "Why, it's (nearly) noon."
    assert closed("a dog runs") == "a dog runs ." and closed("really ?") == "really ?"


@given(st.integers(0, 2**31), st.lists(st.integers(3, 20), min_size=1, max_size=4))
def test_the_weighted_mean_lies_between_the_subsets(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    similarity, gold = rng.normal(size=(2, sum(sizes)))
    subset = np.repeat(np.arange(len(sizes)), sizes)
    own = [100 * spearmanr(similarity[subset == s], gold[subset == s]).statistic for s in range(len(sizes))]
    found = {how: points(similarity, gold, subset, how) for how in AVERAGES}
    assert found["mean"] == pytest.approx(np.mean(own))
    assert found["weighted"] == pytest.approx(np.dot(own, sizes) / sum(sizes))
    assert min(own) - 1e-9 <= found["weighted"] <= max(own) + 1e-9
    if len(sizes) == 1:
        assert found["all"] == pytest.approx(found["mean"]) == pytest.approx(found["weighted"])
    if len(set(sizes)) == 1:
        assert found["mean"] == pytest.approx(found["weighted"])


def test_drawn_averages_surround_the_plain_ones_and_share_their_draws() -> None:
    rng = np.random.default_rng(4)
    gold, subset = rng.normal(size=300), np.repeat(["a", "b"], [100, 200])
    similarity = gold + rng.normal(size=300)
    draws = drawn_points(similarity, gold, subset, 500, np.random.default_rng(0))
    for how in AVERAGES:
        assert abs(draws[how].mean() - points(similarity, gold, subset, how)) < 1
    single = drawn_points(similarity, gold, np.zeros(300), 50, np.random.default_rng(0))
    np.testing.assert_allclose(single["all"], single["mean"])


def test_pairs_of_other_files_are_found_by_their_letters(pairs: PairSet) -> None:
    task = Task("STS12", pairs.first, pairs.second, pairs.gold, np.zeros(60))
    order = np.random.default_rng(0).permutation(60)
    first, second = ([spaced(side[i]).upper() for i in order] for side in (pairs.first, pairs.second))
    found = matched(task, PairSet("STS12", first, second, pairs.gold[order], "elsewhere"))
    assert found.first == [spaced(text).upper() for text in pairs.first] and np.array_equal(found.gold, task.gold)
    with pytest.raises(UserError, match="not the same pairs"):
        matched(task, PairSet("STS12", first[1:], second[1:], pairs.gold[order][1:], "elsewhere"))


def test_table_and_metrics_name_every_choice(effects) -> None:
    base, found = Protocol("cls"), list(effects.values())
    html = effects_table(found, base).data
    assert all(label(choice) in html for choice, _ in effects if choice != "base") and "other pairs" in html
    names = [metric.name for metric in effects_metrics(found, base, base)]
    names += [metric.name for metric in effects_metrics(found, Protocol("mean"), base)]
    assert len(set(names)) == len(names)
    assert {"protocol/base/STS12", "protocol/pooling=mean/STS12", "protocol/pooling=mean+max_length=8/STS12"} <= {
        *names
    }
    assert "protocol/pairs=all/STS12" in names and "protocol/pairs=all/STS12>protocol/base/STS12" not in names
