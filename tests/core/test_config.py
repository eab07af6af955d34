"""Settings: every profile loads, and what does not fit is refused in one sentence."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jtcse.core.config import SECTIONS, Settings, load_settings, parse_assignments, profiles
from jtcse.core.errors import UserError


def text_of(name: str) -> str:
    return files("jtcse").joinpath(f"profiles/{name}.yaml").read_text(encoding="utf8")


def leaves(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted names and values."""
    found = {}
    for key, value in values.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


BASE = leaves(yaml.safe_load(text_of("base")))


# -- profiles ------------------------------------------------------------------------------------------------


def test_the_profiles_are_those_that_the_readme_names() -> None:
    assert profiles() == ["checkpoints", "embedded", "mini", "paper_bert", "paper_roberta", "rung_bert", "rung_narrow"]
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf8")
    assert all(f"| `{profile}`" in readme for profile in profiles())


@pytest.mark.parametrize("profile", profiles())
def test_every_profile_loads_and_promises(profile: str) -> None:
    settings = load_settings(profile)
    assert settings.title.startswith(f"{profile}: ")
    assert len(settings.promise) > 40


@pytest.mark.parametrize("profile", profiles())
def test_a_profile_lists_only_what_differs_from_base(profile: str) -> None:
    values = leaves(yaml.safe_load(text_of(profile)))
    # a tower's view and rate are one line, which would be half a sentence without the view
    same = [n for n, v in values.items() if BASE[n] == v and not re.fullmatch(r"stage1\.tower_[12]\.\w+", n)]
    assert same == []


def test_base_gives_every_setting_and_the_reason_of_every_value() -> None:
    assert set(BASE) == set(leaves(load_settings("paper_bert").model_dump()))
    section, unexplained = "", []
    for line in text_of("base").splitlines():
        name, value, comment = re.fullmatch(r"\s*(\w*):? *(.*?) *(#.*)?", line).groups()
        if not line.startswith(" "):
            section, whole = name, bool(comment)
        # the comment of a section's head is for all of it; 'nothing', zero and off need no reason
        elif name and not (comment or whole or value in ("null", '""', "0")):
            unexplained.append(f"{section}.{name}: {value}")
    assert unexplained == []


def test_profiles_differ_where_the_issue_says() -> None:
    checkpoints, embedded, mini, bert, roberta, *rungs = (load_settings(name) for name in profiles())
    assert {one.scale for one in rungs} == {"smaller"} and not any(one.zero_shot.tasks for one in rungs)
    assert checkpoints.scale == "checkpoints" and checkpoints.zero_shot.systems == ["released"]
    assert [one.scale for one in (embedded, mini, bert, roberta)] == ["smaller", "smaller", "paper", "paper"]
    assert not any(one.zero_shot.tasks for one in (embedded, mini, bert, roberta)), (
        "nobody's training waits for a hub's sets"
    )
    assert embedded.encoder.name == embedded.data.corpus == embedded.data.pair_sets == "generated"
    assert mini.encoder.name == "sentence-transformers/all-MiniLM-L6-v2"
    assert mini.encoder.pooling == "cls"
    assert bert.translation.languages == ("fr", "ru")
    assert roberta.translation.languages == ("nl", "zh")


# -- turning settings ----------------------------------------------------------------------------------------


def test_single_settings_and_whole_groups_are_turned() -> None:
    turned = load_settings(
        "embedded",
        {"stage2.steps": 20, "stage1": {"tower_1": {"view": "deletion"}, "steps": None}, "run": {}},
    )
    plain = load_settings("embedded")
    assert (turned.stage2.steps, turned.stage1.steps) == (20, None)
    assert turned.stage1.tower_1.view == "deletion"
    assert turned.stage1.tower_1.learning_rate == plain.stage1.tower_1.learning_rate
    changed = {n for n, v in leaves(turned.model_dump()).items() if leaves(plain.model_dump())[n] != v}
    assert changed == {"stage2.steps", "stage1.tower_1.view", "stage1.steps"}


def test_assignments_are_typed() -> None:
    words = [
        "stage2.steps=20",
        "stage2.learning_rate=3e-5",
        "stage2.parts=[infonce, ictm]",
        "race.rates=[3e-5, 1e-4]",
        "data.corpus=a=b.txt",
        "stage1.dropout=null",
        "stage2.cross_stream=none",
    ]
    given_words = parse_assignments(words)
    assert given_words == {
        "stage2.steps": 20,
        "stage2.learning_rate": 3e-5,
        "stage2.parts": ["infonce", "ictm"],
        "race.rates": [3e-5, 1e-4],
        "data.corpus": "a=b.txt",
        "stage1.dropout": None,
        "stage2.cross_stream": "none",
    }
    settings = load_settings("embedded", given_words)
    assert settings.stage2.learning_rate == 3e-5 and settings.stage2.parts == ["infonce", "ictm"]


@pytest.mark.parametrize("word", ["stage2.steps", "", "stage2.parts=[infonce", "data.corpus='open", "a: b=: {"])
def test_what_is_no_assignment_is_refused(word: str) -> None:
    with pytest.raises(UserError) as caught:
        load_settings("embedded", parse_assignments([word]))
    assert "\n" not in str(caught.value)


def test_what_yaml_takes_for_a_date_is_a_name_here() -> None:
    assert load_settings("embedded", parse_assignments(["data.corpus=2026-11-21"])).data.corpus == "2026-11-21"


def test_settings_do_not_change_once_read() -> None:
    settings = load_settings("embedded")
    with pytest.raises(ValueError, match="frozen"):
        settings.stage2.steps = 3


def test_sections_are_the_groups() -> None:
    assert set(SECTIONS) == {"run", "data", "encoder", "pretrain", "translation", "stage1", "stage2",
                             "distillation", "evaluation", "ablations", "tuning", "race", "zero_shot"}  # fmt: skip


# -- what is refused -----------------------------------------------------------------------------------------


def refusal(assignment: str | dict[str, Any], profile: str = "embedded") -> str:
    """The one sentence about an override."""
    with pytest.raises(UserError) as caught:
        load_settings(profile, parse_assignments([assignment]) if isinstance(assignment, str) else assignment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("name", "near"), [("embeded", "embedded"), ("paper-bert", "paper_bert"), ("Mini", "mini")])
def test_an_unknown_profile_is_refused_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UserError, match=f"unknown profile '{name}'; did you mean '{near}'"):
        load_settings(name)


@pytest.mark.parametrize("name", ["base", "../embedded", ""])
def test_only_profiles_are_profiles(name: str) -> None:
    with pytest.raises(UserError, match="unknown profile"):
        load_settings(name)


@pytest.mark.parametrize(
    ("override", "near"),
    [
        ("stage2.step=20", "stage2.steps"),
        ("stage2.learningrate=1", "stage2.learning_rate"),
        ("stage2.tower_1.view=dropout", "stage1.tower_1.view"),
        ({"stage2": {"cael": 3}}, "stage2.cael_count"),
        ({"stage1": {"tower_1": {"vew": "dropout"}}}, "stage1.tower_1.view"),
        ({"stage3": {"steps": 3}}, "stage2"),
        ("distilation.steps=3", "distillation.steps"),
        ("stage2.steps.more=3", "stage2.steps"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest(override, near: str) -> None:
    sentence = refusal(override)
    assert "unknown setting" in sentence and re.search(f"did you mean '{near}", sentence), sentence


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("stage2.steps=two", "'two'"),
        ("stage2.steps=2.5", "2.5"),
        ("stage2.steps=true", "True"),
        ("stage2.learning_rate=fast", "'fast'"),
        ("run.seed=null", "None"),
        ("encoder.name=12", "12"),
        ("stage2.parts=infonce", "'infonce'"),
        ("translation.languages=[fr]", "fr"),
    ],
)
def test_a_wrong_type_is_named_with_its_place_and_value(override: str, found: str) -> None:
    sentence = refusal(override)
    assert sentence.startswith(override.split("=")[0]) and found in sentence, sentence


@pytest.mark.parametrize(
    "override",
    [
        "stage2.steps=0",
        "stage2.learning_rate=0",
        "stage2.learning_rate=-1e-3",
        "stage2.learning_rate=nan",
        "stage2.learning_rate=inf",
        "stage2.weight_decay=nan",
        "stage2.weight_decay=inf",
        "stage2.temperature=0",
        "stage2.dropout=1",
        "stage1.batch_size=1",
        "stage1.max_length=513",
        "run.seed=-1",
        "data.view_rate=1.5",
        "evaluation.resamples=10",
        "stage2.parts=[]",
    ],
)
def test_a_wrong_range_is_named_with_its_place(override: str) -> None:
    assert refusal(override).startswith(override.split("=")[0])


@pytest.mark.parametrize(
    ("override", "near"),
    [
        ("encoder.pooling=men", "mean"),
        ("stage2.parts=[infonce, ictn]", "ictm"),
        ("stage2.cross_stream=caried", "carried"),
        ("stage2.infonce=twoview", "two_view"),
        ("stage1.tower_1.view=repitition", "repetition"),
        ("run.precision=fp23", "fp32"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(override: str, near: str) -> None:
    sentence = refusal(override)
    assert f"did you mean '{near}'" in sentence and override.split("=")[0] in sentence, sentence


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"encoder.layers": 4, "stage2.cael_count": 3}, ("cael_count is 3", "layers = 4")),
        ({"encoder.width": 100, "encoder.heads": 7}, ("width 100", "heads 7")),
        ({"stage1.length_groups": 40}, ("length_groups 40",)),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(override: dict, words: tuple[str, ...]) -> None:
    assert all(word in refusal(override) for word in words)


def test_a_group_is_no_value() -> None:
    assert "expected for instance stage2.learning_rate=" in refusal("stage2=3")


names = st.sampled_from(sorted(BASE))
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=3)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(names, values, max_size=3))
def test_any_override_gives_settings_or_one_sentence(overrides: dict[str, Any]) -> None:
    try:
        assert isinstance(load_settings("embedded", overrides), Settings)
    except UserError as error:
        assert str(error)
