"""A trained encoder handed out: a folder that others open, and a card that says what the records say and nothing else."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import made_up
import numpy as np
import pytest
import standin
from typer.testing import CliRunner

from jtcse.cli import app
from jtcse.core.config import load_settings, parse_assignments, profiles
from jtcse.core.errors import UserError
from jtcse.core.files import sha256
from jtcse.core.record import read_record, write_record
from jtcse.core.run import Workspace
from jtcse.data.pairs import TASKS
from jtcse.encoders.encoder import TowerEncoder, open_encoder
from jtcse.encoders.loading import load_tower
from jtcse.pipeline import release as releasing
from jtcse.pipeline.release import release
from jtcse.pipeline.release.licences import ENCODERS, TEXTS, licence

README = Path(__file__).parents[2] / "README.md"
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUNS = ("data", "encoder", "stage1", "stage2", "distillation", "seven_tasks")


def scores(system: str, base: float) -> list:
    """Scores of a system, each another one, and their average."""
    points = {task: base + number + 0.123 for number, task in enumerate(TASKS)}
    points["average"] = sum(points.values()) / len(points)
    return [made_up.metric(f"{system}/{task}", value, value - 1, value + 2) for task, value in points.items()]


def told(run: str) -> list:
    """Metrics of a made-up run."""
    if run == "seven_tasks":
        difference = made_up.metric("difference/distilled-jtcse", -0.4, -0.6, -0.2)
        measured = {"start": 60, "tower_1": 64, "jtcse": 70, "distilled": 68}
        return [difference, *(one for system, base in measured.items() for one in scores(system, base))]
    return {
        "data": [made_up.metric("corpus/sentences", 4321, unit="sentences", n=4321)],
        "stage1": [made_up.metric("tower_1/dev", 74.44, 73, 76)],
        "distillation": [made_up.metric("distilled/dev", 76.66, 75, 78)],
    }.get(run, [])


def write_run(space: Workspace, run: str, hour: int, profile: str = "mini", **changes) -> None:
    """A made-up record of a notebook that started at that hour, with the hashes of what lies in the workspace."""
    record = made_up.record(
        *told(run), run=run, profile=profile, started=f"2026-11-21T{hour:02d}:00:00+00:00", **changes
    )
    made = {"stage1": ("tower_1", "tower_2"), "distillation": ("distilled",)}.get(run, ())
    hashes = {name: sha256(space.model(name)) for name in made}
    provenance = record.provenance.model_copy(update={"hashes": hashes})
    write_record(record.model_copy(update={"provenance": provenance}), space.records / f"{run}.json")


def write_runs(space: Workspace, profile: str = "mini", **changes) -> None:
    """All records of a profile, an hour apart."""
    for hour, run in enumerate(RUNS):
        write_run(space, run, hour, profile, **changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace as a run of ``mini`` leaves it, with stand-in weights."""
    space = Workspace(tmp_path_factory.mktemp("work") / "build" / "mini")
    for seed, name in enumerate(("tower_1", "tower_2", "distilled")):
        model, tokenizer = load_tower(standin.bert(space.root / "stock" / name, layers=2, seed=seed))
        TowerEncoder(model, tokenizer).save(space.model(name))
    write_runs(space)
    return space.root


@pytest.fixture
def space(finished: Path, tmp_path: Path) -> Workspace:
    """A copy of that workspace, to be spoiled."""
    return Workspace(shutil.copytree(finished, tmp_path / "build" / "mini"))


def written(space: Workspace, out: Path, profile: str = "mini", system: str = "distilled") -> str:
    """The card of a released model."""
    release(out, profile, space, system)
    return (out / "README.md").read_text(encoding="utf8")


def said_by(words: list[str]) -> str:
    """What the command line says."""
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


def printed(code: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a code block of a page prints when it is run word for word."""
    pytest.importorskip("sentence_transformers")
    capsys.readouterr()
    exec(compile(code, "the code block", "exec"), {})
    return capsys.readouterr().out


# -- the folder ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["distilled", "tower_1"])
def test_a_released_folder_is_a_sentence_transformer_with_our_vectors(
    space: Workspace, system: str, tmp_path: Path
) -> None:
    library = pytest.importorskip("sentence_transformers")
    release(tmp_path / "out", "mini", space, system)
    opened = library.SentenceTransformer(str(tmp_path / "out"), device="cpu")
    sentences = [*standin.sentences(20), " and ".join(standin.sentences(30))]  # the last one is cut
    for folder in (tmp_path / "out", space.model(system)):
        ours = open_encoder(folder, precision="fp32").encode(sentences)
        assert np.allclose(opened.encode(sentences), ours, atol=1e-5)


def test_others_may_read_a_released_folder_and_all_in_it(space: Workspace, tmp_path: Path) -> None:
    (space.model("distilled") / "model.safetensors").chmod(0o600)  # as safetensors writes it
    release(tmp_path / "out", "mini", space)
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")])


def test_a_release_that_fails_leaves_nothing(space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_) -> str:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(releasing, "card", broken)
    with pytest.raises(RuntimeError, match="in the middle"):
        release(tmp_path / "new" / "out", "mini", space)
    assert not list((tmp_path / "new").iterdir())


# -- what cannot be released -----------------------------------------------------------------------------------


def remove_model(space: Workspace) -> None:
    shutil.rmtree(space.model("distilled"))


def remove_record(space: Workspace) -> None:
    (space.records / "distillation.json").unlink()


def train_it_again(space: Workspace) -> None:
    shutil.copy(space.model("tower_2") / "model.safetensors", space.model("distilled"))


def run_an_earlier_stage_again(space: Workspace) -> None:
    write_run(space, "stage1", 23)


def leave_out_the_hash(space: Workspace) -> None:
    path = space.records / "distillation.json"
    record = read_record(path)
    write_record(record.model_copy(update={"provenance": record.provenance.model_copy(update={"hashes": {}})}), path)


def take_another_profile(space: Workspace) -> None:
    write_runs(space, "embedded")


def pool_by_two_layers(space: Workspace) -> None:
    encoder = open_encoder(space.model("distilled"), pooling="first_last")
    encoder.save(space.model("distilled"))
    write_run(space, "distillation", 4)


AGAIN = "jtcse reproduce --profile mini --only distillation"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove_model, ["no model at", AGAIN]),
        (remove_record, ["no run record", "distillation.json", AGAIN]),
        (train_it_again, ["is not the model that the record of distillation describes", AGAIN]),
        (leave_out_the_hash, ["is not the model that the record", "expected none"]),
        (run_an_earlier_stage_again, ["stage1 was run again after stage2", AGAIN]),
        (take_another_profile, ["'embedded', expected 'mini'", "--profile embedded"]),
        (pool_by_two_layers, ["no SentenceTransformer folder can say", "cls or mean"]),
    ],
)
def test_a_model_that_the_records_do_not_describe_is_refused(
    space: Workspace, spoil, said: list[str], tmp_path: Path
) -> None:
    spoil(space)
    with pytest.raises(UserError) as refused:
        release(tmp_path / "out", "mini", space)
    assert all(words in str(refused.value) for words in said), refused.value
    assert not (tmp_path / "out").exists()


def test_a_twin_is_refused_by_the_names_of_what_can_be_released(space: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown system to release 'twin'.*distilled, tower_1, tower_2"):
        release(tmp_path / "out", "mini", space, "twin")


def test_what_is_in_the_way_stays(space: Workspace, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    (tmp_path / "file").write_text("kept")
    for out in (tmp_path / "out", tmp_path / "file"):
        with pytest.raises(UserError, match="is there and not empty"):
            release(out, "mini", space)
    assert (tmp_path / "out" / "mine").read_text() == (tmp_path / "file").read_text() == "kept"


# -- the card --------------------------------------------------------------------------------------------------


def test_hubs_read_the_scores_of_the_record_out_of_the_card(space: Workspace, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    data = ModelCard(written(space, tmp_path / "out")).data
    assert (data.language, data.library_name, data.pipeline_tag) == (
        "en",
        "sentence-transformers",
        "sentence-similarity",
    )
    assert data.base_model == load_settings("mini").encoder.name
    shown = {result.dataset_config: result.metric_value for result in data.eval_results}
    record = read_record(space.records / "seven_tasks.json")
    assert shown == {task: pytest.approx(record.metric(f"distilled/{task}").value / 100, abs=5e-5) for task in TASKS}


def test_a_value_that_no_record_has_stops_the_card(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jtcse.pipeline.release import model_card

    told = model_card._told
    monkeypatch.setattr(model_card, "_told", lambda story: {k: v for k, v in told(story).items() if k != "title"})
    with pytest.raises(Exception, match="'title' is undefined"):
        release(tmp_path / "out", "mini", space)
    assert not (tmp_path / "out").exists()


def test_scores_stand_with_intervals_beside_those_of_start_and_twin(space: Workspace, tmp_path: Path) -> None:
    card = written(space, tmp_path / "out")
    assert "| STS13 | 1,379 | 69.1 (68.1 to 71.1) | 61.1 (60.1 to 63.1) | 71.1 (70.1 to 73.1) |" in card
    assert "JTCSE, the twin after stage 2: worse by 0.4 points (95 % interval 0.2 to 0.6)" in card
    assert "4,321 distinct sentences" in card and "76.7 (75.0 to 78.0)" in card


@pytest.mark.parametrize("older", [True, False])
def test_scores_of_other_weights_are_not_on_the_card(space: Workspace, older: bool, tmp_path: Path) -> None:
    if older:
        write_run(space, "distillation", 22)  # trained after seven_tasks was measured
    else:
        (space.records / "seven_tasks.json").unlink()
    card = written(space, tmp_path / "out")
    assert "model-index" not in card and "STS13" not in card
    assert "jtcse reproduce --profile mini --only seven_tasks" in card


def test_sentences_of_sick_forbid_commercial_use_in_plain_words(space: Workspace, tmp_path: Path) -> None:
    card = written(space, tmp_path / "out")
    assert "license: other\nlicense_name: apache-2.0-encoder-cc-by-nc-sa-3.0-text\nlicense_link: LICENSE.md" in card
    for text in (card, (tmp_path / "out" / "LICENSE.md").read_text(encoding="utf8")):
        assert "do not use the weights\ncommercially" in text and "Apache-2.0: keep its notice" in text


def test_the_card_of_the_generated_world_says_what_it_is(space: Workspace, tmp_path: Path) -> None:
    write_runs(space, "embedded")
    card = written(space, tmp_path / "out", "embedded")
    assert "license: mit" in card and "base_model" not in card
    assert "Wind tunnel" in card and "It knows the words of the generated world only" in card
    assert "SICK" not in card.split("---")[2].replace("SICK-R", "")


def test_a_licence_that_nobody_wrote_down_is_not_guessed(space: Workspace, tmp_path: Path) -> None:
    write_runs(space, data__corpus="train-sentences + notes.txt")
    card = written(space, tmp_path / "out")
    assert "license_name: apache-2.0-encoder-cc-by-nc-sa-3.0-text-unknown-text" in card
    assert "The licence of `notes.txt`, the text, is not known here" in card


@pytest.mark.parametrize("profile", [name for name in profiles() if load_settings(name).scale != "checkpoints"])
def test_text_and_encoder_of_every_profile_that_trains_have_a_licence_that_is_known(profile: str) -> None:
    settings = load_settings(profile).model_dump(mode="json")
    assert "unknown" not in str(licence(settings))
    assert settings["encoder"]["name"] in ENCODERS and set(settings["data"]["corpus"].split(" + ")) <= TEXTS.keys()


def test_the_commands_on_the_card_give_the_settings_of_the_run(space: Workspace, tmp_path: Path) -> None:
    changes = {"stage1.steps": 7, "stage2.parts": ["infonce"], "distillation.learning_rate": 2e-5, "run.seed": 5}
    write_runs(space, **{name.replace(".", "__"): value for name, value in changes.items()})
    found = release(tmp_path / "out", "mini", space)
    again, hand_out = (shlex.split(command) for command in found.commands("out"))
    assert again[:6] == ["jtcse", "reproduce", "--profile", "mini", "--only", "seven_tasks"]
    assert load_settings("mini", parse_assignments(again[6:])) == load_settings("mini", changes)
    assert hand_out == ["jtcse", "release", "out", "--profile", "mini"]


def test_a_card_of_a_tower_tells_of_its_own_training_only(space: Workspace, tmp_path: Path) -> None:
    found = release(tmp_path / "out", "mini", space, "tower_1")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf8")
    assert "stage1" in found.settings and not {"stage2", "distillation"} & found.settings.keys()
    assert "tower I after stage 1" in card and "74.4 (73.0 to 76.0)" in card
    assert "--system tower_1" in card


# -- the command line and the README ---------------------------------------------------------------------------


def test_help_of_release_has_examples() -> None:
    said = said_by(["release", "--help"])
    assert "Examples" in said and "jtcse release small-encoder --profile mini" in said


def test_the_command_writes_a_folder_that_the_code_of_its_card_opens(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (space.records / "seven_tasks.json").unlink()
    said = said_by(["release", "handed-out", "--profile", "mini"])
    assert "The card has no scores but those of the development pairs" in said and "--only seven_tasks" in said
    (code,) = PYTHON.findall(Path("handed-out/README.md").read_text(encoding="utf8"))
    assert printed(code, capsys).startswith("tensor([[")


def example() -> tuple[str, str]:
    """The README's code that opens a released model, and the folder that it opens."""
    found = [code for code in PYTHON.findall(README.read_text(encoding="utf8")) if "SentenceTransformer" in code]
    if not found:
        pytest.skip("the README has no Python example with SentenceTransformer yet")
    (folder,) = re.findall(r'SentenceTransformer\("(.+?)"\)', found[0])
    return found[0], folder


def test_the_example_of_the_readme_opens_what_its_command_writes_and_names_one_of_its_ten_sentences(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, folder = example()
    (command,) = re.findall(r"^jtcse (release \S+ --profile mini)\b", README.read_text(encoding="utf8"), re.MULTILINE)
    said_by(shlex.split(command))
    assert Path(folder).is_dir()
    sentences = re.findall(r'^    "(.+)",$', code, re.MULTILINE)
    assert len(sentences) == 10 and printed(code, capsys).splitlines()[-1] in sentences


@pytest.mark.slow
def test_the_example_of_the_readme_finds_what_it_says_with_a_real_encoder(
    shared_hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, folder = example()
    weights = shared_hub / "hub" / "models" / "sentence-transformers" / "all-MiniLM-L6-v2"
    open_encoder(weights, pooling="cls").save(folder)
    assert printed(code, capsys).splitlines()[-1] == re.findall(r"  # (.+)$", code, re.MULTILINE)[-1]
