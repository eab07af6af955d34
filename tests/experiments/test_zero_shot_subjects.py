"""Who is scored: words become encoders with labels of their own, and what cannot be meant is one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import standin
import zoo

from jtcse.core.config import Settings, load_settings
from jtcse.core.errors import UserError
from jtcse.core.run import Run, Workspace
from jtcse.encoders.encoder import SumEncoder
from jtcse.experiments import trained_systems
from jtcse.experiments.zero_shot.subjects import LONGEST, subject_of, subjects
from jtcse.systems import opening, released

SENTENCES = standin.sentences(4, seed=2)


def asking(*words: str, scale: str = "checkpoints") -> Settings:
    """Settings whose ``zero_shot.systems`` are these."""
    return load_settings("embedded", {"scale": scale, "zero_shot.systems": list(words), "run.precision": "fp32"})


def labels(*words: str, scale: str = "checkpoints") -> list[str]:
    return [one.label for one in subjects(asking(*words, scale=scale))]


def run_in(folder: Path, turned: dict | None = None) -> Run:
    return Run("x", "embedded", load_settings("embedded", {"run.precision": "fp32"} | (turned or {})), Workspace(folder))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What ``open_released`` was called with; nothing is opened."""
    calls = []

    def note(system, backbone, *, names, precision):
        calls.append((system, backbone, names, precision))

    monkeypatch.setattr(opening, "open_released", note)
    return calls


# -- released weights ------------------------------------------------------------------------------------------------


def test_a_word_is_a_system_on_bert_unless_it_says_roberta() -> None:
    assert labels("jtcse", "simcse/roberta") == ["jtcse-bert", "simcse-roberta"]


def test_released_means_all_with_released_weights_each_once() -> None:
    found = subjects(asking("simcse", "released"))
    assert len(found) == len(set(found)) == len(released.everything())
    assert found[0].label == "simcse-bert", "what was named first comes first"
    assert {(one.system, one.backbone) for one in found} == set(released.everything())


@pytest.mark.parametrize("trained_in", ["fp32", "bf16"])
def test_released_weights_are_scored_in_fp32_whatever_is_trained_in(asked, tmp_path: Path, trained_in: str) -> None:
    for one in subjects(asking("simcse/roberta", "jtcse")):
        one.open(run_in(tmp_path, {"run.precision": trained_in}))
    assert asked == [("simcse", "roberta", None, "fp32"), ("jtcse", "bert", None, "fp32")]


def test_another_number_format_has_a_label_of_its_own_and_answers_for_no_row(asked, tmp_path: Path) -> None:
    settings = load_settings("checkpoints", {"zero_shot.systems": ["jtcse"], "zero_shot.precision": "bf16"})
    [one] = subjects(settings)
    assert one.label == "jtcse-bert+bf16" and one.system is one.backbone is None
    one.open(run_in(tmp_path, {"zero_shot.precision": "bf16"}))
    assert asked == [("jtcse", "bert", None, "bf16")]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("jtsce", "unknown system 'jtsce'; did you mean 'jtcse'"),
        ("realeased", "did you mean 'released'"),
        ("jtcse/robreta", "unknown backbone 'robreta'; did you mean 'roberta'"),
        ("jtcse/", "unknown backbone ''"),
        ("jtcse/roberta", r"no roberta weights of jtcse are on the hub \(there: bert\)"),
        ("sncse", r"no bert weights of sncse are on the hub \(there: none\).*jtcse systems show sncse"),
    ],
)
def test_a_word_that_means_nothing_is_one_sentence(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        subjects(asking(word))
    assert "\n" not in str(caught.value)


# -- what a profile trains itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["smaller", "paper"])
def test_other_profiles_score_what_they_train_and_no_released_weights(scale: str) -> None:
    assert labels("jtcse", "simcse", "jtcse", scale=scale) == ["jtcse-bert", "simcse-bert"]
    for word in ("released", "simcse/roberta"):
        with pytest.raises(UserError, match=rf"unknown system \(this profile scores what it trains\) '{word}'"):
            labels(word, scale=scale)


def test_the_label_names_the_backbone_of_the_profile() -> None:
    settings = load_settings("paper_roberta", {"zero_shot.systems": ["simcse"]})
    assert [(one.label, one.backbone) for one in subjects(settings)] == [("simcse-roberta", "roberta")]


def test_jtcse_is_the_twin_of_the_runs_own_stages(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    first, second = (standin.bert(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 2)))
    twin = SumEncoder([opening.open_model(one, pooling="cls", precision="fp32") for one in (first, second)])
    twin.save(run.workspace.model("twin"))
    standin.bert(run.workspace.model("distilled"), seed=3)
    own, student = subjects(asking("jtcse", "jtcse_d", scale="smaller"))
    assert np.array_equal(own.open(run).encode(SENTENCES), twin.encode(SENTENCES))
    plain = opening.open_model(run.workspace.model("distilled"), pooling="cls", precision="fp32")
    assert np.array_equal(student.open(run).encode(SENTENCES), plain.encode(SENTENCES))


def test_a_stage_that_has_not_run_is_named(tmp_path: Path) -> None:
    (one,) = subjects(asking("jtcse", scale="smaller"))
    with pytest.raises(UserError, match=r"no model at .*twin; make it first: jtcse reproduce --only stage2"):
        one.open(run_in(tmp_path))


def test_a_compared_system_is_what_the_workshop_trains(tmp_path: Path) -> None:
    run = zoo.a_run(tmp_path)
    (one,) = subjects(run.settings.model_copy(update={"zero_shot": asking("simcse").zero_shot}))
    found = one.open(run).encode(SENTENCES)
    folder = trained_systems.made(run, "simcse", run.settings.race.seeds[0])
    assert np.array_equal(found, trained_systems.opened(folder).encode(SENTENCES))


# -- the command line ------------------------------------------------------------------------------------------------


def test_models_are_summed_and_are_no_row_of_the_paper(tmp_path: Path) -> None:
    folders = [str(standin.bert(tmp_path / name, seed=seed)) for name, seed in (("a", 1), ("b", 2))]
    subject = subject_of(folders, None, None, "mean")
    assert (subject.system, subject.backbone) == (None, None)
    alone = [opening.open_model(one, pooling="mean", precision="fp32").encode(SENTENCES) for one in folders]
    assert np.allclose(subject.open(run_in(tmp_path)).encode(SENTENCES), sum(alone), atol=1e-6)


def test_a_label_is_the_names_joined() -> None:
    assert subject_of(["owner/name", "other/one@main"], None, None, None).label == "owner--name+other--one@main"
    assert subject_of([], "simcse", None, None).label == "simcse-bert"


def test_no_two_of_these_share_a_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one/tower", "two/tower"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    asked = [
        (["one/tower"], None, None, None),
        (["two/tower"], None, None, None),
        (["one/tower", "two/tower"], None, None, None),
        (["one/tower"], None, None, "mean"),
        (["one/tower"], "sncse", "bert", None),
        (["one/tower"], "sncse", "roberta", None),
        ([], "simcse", "bert", None),
        ([], "simcse", "roberta", None),
    ]
    found = [subject_of(*one).label for one in asked]
    assert len(set(found)) == len(asked)
    assert all("/" not in label for label in found)
    monkeypatch.chdir(tmp_path / "one")
    assert subject_of(["tower"], None, None, None).label == found[0], "one folder, however it is written"


def test_a_long_label_fits_into_a_file_name_and_stays_its_own() -> None:
    many = [f"owner/{'x' * 40}-{number}" for number in range(8)]
    first, second = (subject_of(names, None, None, None).label for names in (many, many[::-1]))
    assert len(first) == len(second) == LONGEST and first != second


def test_a_model_read_as_a_system_is_read_so_and_is_no_row_of_the_paper(asked, tmp_path: Path) -> None:
    subject = subject_of(["owner/name"], "sncse", "roberta", None)
    assert (subject.system, subject.backbone) == (None, None), "nothing says whose weights these are"
    subject.open(run_in(tmp_path))
    assert asked == [("sncse", "roberta", ("owner/name",), "fp32")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (([], None, None, None), "neither a MODEL nor --system"),
        (([], "simcsee", None, None), "did you mean 'simcse'"),
        (([], "sncse", None, None), "no bert weights of sncse"),
        ((["owner/name"], "simcsee", None, None), "did you mean 'simcse'"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(words: tuple, said: str) -> None:
    with pytest.raises(UserError, match=said):
        subject_of(*words)
