"""Released checkpoints: each opens to the vectors of its authors' reading, and what does not fit is one clear sentence.

The repositories are stand-ins (``standin_systems.py``) on a loopback hub. One other process opens them all, since the hub's
client reads its address when it is imported; it also writes down every host that it speaks to.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import loopback
import numpy as np
import pytest
import standin
import standin_systems
import torch
from safetensors.torch import load_file, save_file
from standin_systems import Layout, conditional, extra_layers, lm_head, mlp, prefix, projector, sentence_transformer

from jtcse.core.errors import UserError
from jtcse.encoders.loading import load_weights
from jtcse.systems import released
from jtcse.systems.opening import open_model, open_released, summed
from jtcse.systems.settings import published_values

NLI = list(zip(standin.sentences(200, seed=5), standin.sentences(200, seed=6), strict=True))
SENTENCES = [*standin.sentences(5, seed=3), "noon", "a gate under the bridge under the bridge at noon at noon"]
PROGRAM = """
import json, sys
hosts = []
def note(event, what):
    if event == "socket.getaddrinfo" and what[0]:
        hosts.append(what[0])
        if what[0] not in ("127.0.0.1", "localhost"):
            raise OSError(f"no way to {what[0]} from this test")
sys.addaudithook(note)
from jtcse.core.errors import UserError
from jtcse.systems.opening import open_released
sentences, cases = json.load(sys.stdin)
answers = {}
for case, (system, backbone, names) in cases.items():
    try:
        encoder = open_released(system, backbone, names=names, precision="fp32")
        answers[case] = encoder.encode(sentences).tolist()
    except UserError as error:
        answers[case] = str(error)
print(json.dumps({"answers": answers, "hosts": sorted(set(map(str, hosts)))}))
"""
RELEASED = released.everything()
BERT, ROBERTA = "owner/plain-bert", "owner/plain-roberta"
PICKLED = Layout("bert.", False, (mlp,), (1,), "bare")


# -- the hub that all tests share --------------------------------------------------------------------------------


def repositories(root: Path) -> None:
    """Every repository with released weights, and some of odd layouts."""
    names = {name for system, backbone in RELEASED for name in released.names(system, backbone)}
    for name in sorted(names | {BERT, ROBERTA, "owner/twins/deep/tower_1", "owner/twins/deep/tower_2"}):
        standin_systems.write(root, name)
    for name, numbers in {"pickled": (3,), "old": (1, 2), "stale": (1,), "foreign": (1,), "alone": ()}.items():
        place = root / "models" / "owner" / name
        standin_systems.write(root, f"owner/{name}", layout=Layout("bert.", False, (mlp,), numbers or (1,), "bare"))
        requests = place / ".refs" / "pr"
        if name in ("old", "stale"):  # the authors changed their weights after this conversion
            newest = requests / str(numbers[-1])
            (newest / "pytorch_model.bin").write_bytes(b"what was there then")
            weights = {key: value * 2 for key, value in load_file(newest / "model.safetensors").items()}
            save_file(weights, newest / "model.safetensors", metadata={"format": "pt"})
        if name == "foreign":
            (requests / "1" / ".author").write_text("somebody")
        if name == "alone":
            shutil.rmtree(requests.parent)
    standin_systems.nli(root, NLI)
    standin_systems.write(root, "owner/empty")
    (root / "models" / "owner" / "empty" / "model.safetensors").unlink()


CASES = {
    **{f"{system} {backbone}": (system, backbone, None) for system, backbone in RELEASED},
    "pickled": ("simcse", "bert", ["owner/pickled"]),
    "conversion of older weights": ("simcse", "bert", ["owner/old"]),
    "stale": ("simcse", "bert", ["owner/stale"]),
    "foreign": ("simcse", "bert", ["owner/foreign"]),
    "foreign, asked for": ("simcse", "bert", ["owner/foreign@refs/pr/1"]),
    "alone": ("simcse", "bert", ["owner/alone"]),
    "empty": ("simcse", "bert", ["owner/empty"]),
    "subfolder": ("simcse", "bert", ["owner/twins/deep/tower_1"]),
    "no such subfolder": ("simcse", "bert", ["owner/twins/deep/tower_9"]),
    "no such revision": ("simcse", "bert", ["owner/plain-bert@refs/pr/8"]),
    "no such repository": ("simcse", "bert", ["owner/nothing"]),
    "another backbone": ("simcse", "bert", [ROBERTA]),
}


def asked(url: str, home: Path, cases: dict, **more: str) -> tuple[dict, list[str], str]:
    """Open cases in another process: (vectors or error of each, hosts that it spoke to, what it logged)."""
    settings = {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    settings |= {"NO_PROXY": "127.0.0.1,localhost", "HF_TOKEN": "hf_a_secret", **more}
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_OFFLINE", "_CONVERSION"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([SENTENCES, cases]),
        capture_output=True,
        text=True,
        env=kept | settings,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    vectors = {case: one if isinstance(one, str) else np.array(one) for case, one in found["answers"].items()}
    return vectors, found["hosts"], done.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    repositories(folder)
    return folder


@pytest.fixture(scope="module")
def hub(root: Path) -> Iterator[str]:
    with loopback.serve(root) as url:
        yield url


@pytest.fixture(scope="module")
def answers(hub: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, list[str], str]:
    return asked(hub, tmp_path_factory.mktemp("home"), CASES)


# -- independent readings: one sentence at a time, from the cards, out of the plain towers --------------------------


@cache
def plain(folder: Path):
    """(model, tokenizer) of a tower as it was before it was put into a released file."""
    from transformers import AutoModel, AutoTokenizer

    return AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


@torch.no_grad()
def states(folder: Path, sentence: str) -> list[torch.Tensor]:
    """(l, d) of the embeddings and of each layer; no padding, so there is no mask to get wrong."""
    model, tokenizer = plain(folder)
    ids = torch.tensor([tokenizer(sentence)["input_ids"]])
    return [one[0] for one in model(input_ids=ids, output_hidden_states=True).hidden_states]


POOLED: dict[str, Callable[[list[torch.Tensor]], torch.Tensor]] = {
    "cls": lambda layers: layers[-1][0],
    "mean": lambda layers: layers[-1].mean(0),
    "first_last": lambda layers: (layers[0].mean(0) + layers[-1].mean(0)) / 2,
    "first_last_1": lambda layers: (layers[1].mean(0) + layers[-1].mean(0)) / 2,
    "last_two": lambda layers: (layers[-2].mean(0) + layers[-1].mean(0)) / 2,
}


def pooled(system: str, backbone: str, towers: list[Path], sentences: list[str]) -> torch.Tensor:
    """The sum over towers, each pooled as the system's published settings say."""
    pooling = POOLED[published_values(system, backbone)["pooling"]]
    return torch.stack([sum(pooling(states(tower, sentence)) for tower in towers) for sentence in sentences])


PROMPTS = {"bert": 'This sentence of "{}" means{}.', "roberta": "This sentence : ' {} ' means{}."}


def mask_states(system: str, backbone: str, towers: list[Path], sentences: list[str]) -> torch.Tensor:
    """The mask token's state; a sentence is ended before it is put into the template (evaluation.py of PromptBERT)."""
    (tower,) = towers
    tokenizer, found = plain(tower)[1], []
    for sentence in sentences:
        ended = sentence if sentence[-1] in ".?\"'" else sentence + "."
        text = PROMPTS[backbone].format(ended, tokenizer.mask_token)
        place = tokenizer(text)["input_ids"].index(tokenizer.mask_token_id)
        found.append(states(tower, text)[-1][place])
    return torch.stack(found)


def behind_a_prefix(system: str, backbone: str, towers: list[Path], sentences: list[str]) -> torch.Tensor:
    """[CLS] of a BERT written out, whose tokens also look at the prefix's keys and values, and stand behind it."""
    (tower,) = towers
    weights, tokenizer = load_file(tower / "model.safetensors"), plain(tower)[1]
    return torch.stack([prefixed_cls(weights, torch.tensor(tokenizer(one)["input_ids"])) for one in sentences])


def prefixed_cls(weights: dict[str, torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
    """(d,) out of (l,) token ids; heads of d / 4."""

    def dense(name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        scaled = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-12).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def heads(x: torch.Tensor) -> torch.Tensor:
        return x.reshape(len(x), 4, -1).transpose(0, 1)

    words = weights["embeddings.word_embeddings.weight"][ids]
    places = weights["embeddings.position_embeddings.weight"][standin_systems.PREFIX :][: len(ids)]
    x = norm("embeddings.LayerNorm", words + places + weights["embeddings.token_type_embeddings.weight"][0])
    rows = prefix({})["prefix_encoder.embedding.weight"].reshape(standin_systems.PREFIX, -1, standin_systems.WIDTH)
    for number in range(standin_systems.LAYERS):
        at = f"encoder.layer.{number}"
        query, key, value = (dense(f"{at}.attention.self.{name}", x) for name in ("query", "key", "value"))
        key, value = torch.cat([rows[:, 2 * number], key]), torch.cat([rows[:, 2 * number + 1], value])
        scores = heads(query) @ heads(key).transpose(1, 2) / (standin_systems.WIDTH // 4) ** 0.5
        mixed = (scores.softmax(-1) @ heads(value)).transpose(0, 1).reshape(x.shape)
        x = norm(f"{at}.attention.output.LayerNorm", x + dense(f"{at}.attention.output.dense", mixed))
        inner = dense(f"{at}.intermediate.dense", x)
        inner = inner * (1 + torch.erf(inner / 2**0.5)) / 2
        x = norm(f"{at}.output.LayerNorm", x + dense(f"{at}.output.dense", inner))
    return x[0]


def whitened(system: str, backbone: str, towers: list[Path], sentences: list[str]) -> torch.Tensor:
    """Centred and decorrelated by the mean and covariance over the NLI sentences, in float64."""
    text = pooled("vanilla", backbone, towers, [side for pair in NLI for side in pair]).double()
    variances, directions = torch.linalg.eigh((text - text.mean(0)).T @ (text - text.mean(0)) / len(text))
    return (pooled("vanilla", backbone, towers, sentences) - text.mean(0)) @ directions / variances.sqrt()


def with_infocse(system: str, backbone: str, towers: list[Path], sentences: list[str]) -> torch.Tensor:
    """(1 - w) times the own towers plus w times InfoCSE, w as in ensemble_UC.py: raw [CLS] vectors."""
    *own, infocse = towers
    w = 0.75 if (system, backbone) == ("tncse_uc", "roberta") else 0.7
    return (1 - w) * pooled(system, backbone, own, sentences) + w * pooled(system, backbone, [infocse], sentences)


READINGS = {"promptbert": mask_states, "promcse": behind_a_prefix, "whitening": whitened}
READINGS |= dict.fromkeys(("jtcse_uc", "tncse_uc", "rankcse_uc"), with_infocse)
"""Of systems that read in a way of their own; all others are ``pooled``."""


@pytest.mark.parametrize(("system", "backbone"), RELEASED)
def test_a_released_checkpoint_gives_the_vectors_of_its_authors_reading(answers, root, system, backbone) -> None:
    found = answers[0][f"{system} {backbone}"]
    assert not isinstance(found, str), found
    assert found.shape == (len(SENTENCES), standin_systems.WIDTH) and np.isfinite(found).all()
    towers = [root / "towers" / name for name in released.names(system, backbone)]
    expected = READINGS.get(system, pooled)(system, backbone, towers, SENTENCES).numpy()
    if system == "whitening":  # directions are told up to their signs: lengths and angles are what counts
        assert np.allclose(found @ found.T, expected @ expected.T, rtol=1e-2, atol=1e-2)
    else:
        assert np.allclose(found, expected, atol=2e-5), f"off by {np.abs(found - expected).max():.2g}"


# -- where weights come from ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["pickled", "conversion of older weights", "foreign, asked for", "subfolder"])
def test_weights_come_from_where_they_are(answers, root, case) -> None:
    name = CASES[case][2][0].partition("@")[0]
    expected = pooled("simcse", "bert", [root / "towers" / name], SENTENCES)
    assert np.allclose(answers[0][case], expected, atol=2e-5), answers[0][case]


def test_the_log_says_which_conversion_was_taken(answers) -> None:
    assert "owner/pickled: weights from refs/pr/3, the hub's conversion" in answers[2]
    assert "owner/old: weights from refs/pr/1" in answers[2], "2 is newer, but of other weights"
    assert BERT not in answers[2]


@pytest.mark.parametrize(
    ("case", "said"),
    {
        "stale": ["owner/stale", "pytorch_model.bin", "safetensors/convert", "give the folder"],
        "foreign": ["owner/foreign", "pytorch_model.bin", "safetensors/convert"],
        "alone": ["owner/alone", "pytorch_model.bin", "safetensors/convert"],
        "empty": ["owner/empty", "no model.safetensors", "config.json", "download it again"],
        "no such subfolder": ["owner/twins/deep/tower_9", "could not get"],
        "no such revision": ["owner/plain-bert@refs/pr/8", "could not get"],
        "no such repository": ["owner/nothing", "could not get", "give a folder"],
        "another backbone": [ROBERTA, "is a roberta model, expected bert", "--backbone"],
    }.items(),
)
def test_what_cannot_be_opened_is_one_sentence(answers, case, said) -> None:
    error = answers[0][case]
    assert isinstance(error, str) and "\n" not in error
    for words in said:
        assert words in error, error


def test_nobody_but_the_hub_is_asked_and_without_it_the_cache_has_the_conversion(hub, root, tmp_path) -> None:
    wanted = {name: CASES[name] for name in ("pickled", "subfolder", "alone")}
    first, hosts, _ = asked(hub, tmp_path, wanted)
    assert set(hosts) == {"127.0.0.1"}, "transformers would send the name and the token to a conversion service"
    again, hosts, _ = asked("http://127.0.0.1:9", tmp_path, wanted, HF_HUB_OFFLINE="1")
    assert all(np.array_equal(first[name], again[name]) for name in ("pickled", "subfolder")), again
    assert "alone" in again["alone"] and not hosts


# -- what a folder may and may not hold ----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A flat stock folder of a BERT."""
    standin_systems.write(tmp_path, "owner/name", layout=Layout())
    return tmp_path / "models" / "owner" / "name"


LAYOUTS = {
    "prefix bert.": Layout("bert."),
    "dense layer, no pooler": Layout("bert.", False, (mlp,)),
    "projector, a second tower, a generator": Layout("bert.", False, (projector, conditional, lm_head)),
    "layers behind": Layout("", True, (extra_layers, lm_head)),
    "key-value prefix, which stock towers do not read": Layout("bert.", False, (mlp, prefix)),
    "old names of LayerNorm": Layout("bert.", True, gamma_beta=True),
    "old tokenizer": Layout(tokenizer="old"),
    "vocabulary only": Layout(tokenizer="bare"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_cls_state_does_not_depend_on_what_lies_beside_the_tower(name, tmp_path) -> None:
    tower = standin_systems.write(tmp_path, "owner/name", layout=LAYOUTS[name])
    found = open_released("simcse", names=[str(tmp_path / "models" / "owner" / "name")], precision="fp32").encode(
        SENTENCES
    )
    expected = pooled("simcse", "bert", [tower], SENTENCES)
    assert np.allclose(found, expected, atol=2e-5)


def test_all_weights_of_a_file_can_be_had(tmp_path) -> None:
    standin_systems.write(tmp_path, "owner/name", layout=Layout("bert.", False, (mlp, prefix)))
    found = load_weights(tmp_path / "models" / "owner" / "name")
    assert torch.equal(found["prefix_encoder.embedding.weight"], prefix({})["prefix_encoder.embedding.weight"])


def more_words(folder: Path) -> None:
    """The tokenizer of a model with a larger vocabulary."""
    standin.roberta(folder / "other")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.move(folder / "other" / name, folder / name)
    shutil.rmtree(folder / "other")


def configured(folder: Path, **settings) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | settings))


def only_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def lost(folder: Path, *names: str) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({key: one for key, one in weights.items() if not key.startswith(names)}, folder / "model.safetensors")


SPOILT = {
    "no weights": (lambda f: (f / "model.safetensors").unlink(), ["no model.safetensors", "config.json"]),
    "a pickle": (only_a_pickle, ["no model.safetensors", "pytorch_model.bin", "machine you trust"]),
    "words": (more_words, ["tokenizer of 4", "embeddings of 2", "from one model"]),
    "rows": (lambda f: configured(f, vocab_size=77), ["word_embeddings.weight", "(77, 32)", "config.json"]),
    "width": (lambda f: configured(f, hidden_size=64), ["is (32,) and should be (64,)", "config.json"]),
    "a layer": (lambda f: lost(f, "encoder.layer.1."), ["lacks 16 of its weights", "encoder.layer.1."]),
    "another pooling": (lambda f: sentence_transformer(f, "mean_tokens"), ["pooled by 'mean'", "system by 'cls'"]),
    "a pooling of its own": (lambda f: sentence_transformer(f, "max_tokens"), ["pooled by 'max_tokens'"]),
    "a layer behind": (lambda f: sentence_transformer(f, "cls_token", "Dense"), ["layer Dense behind its pooling"]),
    "a broken pooling": (
        lambda f: (sentence_transformer(f, "cls_token"), (f / "1_Pooling" / "config.json").write_text("{")),
        ["broken 1_Pooling/config.json"],
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_folder_that_does_not_fit_is_one_sentence(name, folder) -> None:
    spoil, said = SPOILT[name]
    spoil(folder)
    with pytest.raises(UserError) as caught:
        open_released("simcse", names=[str(folder)])
    error = str(caught.value)
    assert str(folder) in error and "\n" not in error
    for words in said:
        assert words in error, error


@pytest.mark.parametrize("described", [{"pooling_mode": "cls"}, {"pooling_mode_cls_token": True}])
def test_a_folder_that_says_the_systems_own_pooling_opens(described, folder) -> None:
    sentence_transformer(folder, "cls_token", "Normalize")
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(described))
    assert open_released("simcse", names=[str(folder)]).width == standin_systems.WIDTH


def test_another_backbone_is_named_with_what_was_expected(tmp_path) -> None:
    model = standin.roberta(tmp_path / "model")
    with pytest.raises(UserError, match=r"model is a roberta model, expected bert for SimCSE"):
        open_released("simcse", names=[str(model)])
    assert open_released("simcse", "roberta", names=[str(model)]).width == 32


def test_a_random_pooler_is_not_read(folder) -> None:
    lost(folder, "pooler.")
    with pytest.raises(UserError, match="no weights of a pooler"):
        open_model(folder, pooling="pooler")


def test_towers_of_different_width_are_no_sum(tmp_path, folder) -> None:
    wide = standin.bert(tmp_path / "wide", width=64)
    towers = [open_model(one) for one in (folder, wide)]
    with pytest.raises(UserError, match=r"different width.*one 32, two 64"):
        summed(towers, ["one", "two"])


@pytest.mark.parametrize(
    ("system", "expected"), [("simcse", 1), ("tncse", 2), ("jtcse", 2), ("jtcse_uc", 3), ("promcse", 1)]
)
def test_a_twin_needs_both_towers_and_a_single_system_one(system, expected, folder) -> None:
    with pytest.raises(UserError, match=rf"found 4 checkpoint\(s\).*expected {expected}"):
        open_released(system, names=[str(folder)] * 4)


def test_an_untouched_stock_tower_is_no_promcse(folder) -> None:
    with pytest.raises(
        UserError, match=r"holds no prefix_encoder\.embedding\.weight, which PromCSE's checkpoints have"
    ):
        open_released("promcse", names=[str(folder)])


def test_the_uc_sum_of_roberta_towers_takes_a_bert_infocse(tmp_path) -> None:
    names = ["owner/first-roberta", "owner/second-roberta", "owner/info"]
    towers = [standin_systems.write(tmp_path, name) for name in names]
    given = [str(tmp_path / "models" / name) for name in names]
    found = open_released("tncse_uc", "roberta", names=given, precision="fp32").encode(SENTENCES)
    assert np.allclose(found, with_infocse("tncse_uc", "roberta", towers, SENTENCES), atol=2e-5)
    with pytest.raises(UserError, match="is a bert model, expected roberta"):
        open_released("tncse_uc", "roberta", names=given[::-1])


def test_a_system_without_released_weights_says_so() -> None:
    with pytest.raises(UserError, match=r"no bert checkpoint of ConSERT is on the hub.*give a folder"):
        open_released("consert")


def test_a_folder_of_an_unknown_system_is_one_sentence(folder) -> None:
    (folder / "jtcse.json").write_text(json.dumps({"system": "simcsee"}))
    with pytest.raises(UserError, match="'simcsee' that is not here"):
        open_model(folder)


# -- a real encoder and a real vocabulary, by serve.py of ../shared/hub ---------------------------------------------

REAL = """
import json, sys
from jtcse.data.pairs import load_pair_sets
from jtcse.evaluation.sts import score_sets
from jtcse.systems.opening import open_released, summed
name = "sentence-transformers/all-MiniLM-L6-v2"
one = open_released("sbert", names=[name])
sets = load_pair_sets("senteval", names=["STS-B", "SICK-R"])
found = {
    "sbert": {task: score.points for task, score in score_sets(one, sets).items()},
    "twice": {task: score.points for task, score in score_sets(summed([one, one], ["first", "second"]), sets).items()},
}
sentences = json.load(sys.stdin)
from sentence_transformers import SentenceTransformer
theirs = SentenceTransformer(name).encode(sentences, normalize_embeddings=False)
ours = open_released("sbert", names=[name], precision="fp32").encode(sentences)
ours = ours / (ours**2).sum(1, keepdims=True) ** 0.5
found["off"] = float(abs(ours - theirs).max())
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("google-bert/bert-base-uncased")
from jtcse.encoders.loading import load_tower
from jtcse.systems.settings import published_values
from jtcse.encoders.prompts import KEPT, TemplateEncoder
values = published_values("promptbert")
reads = TemplateEncoder(load_tower(name)[0], tokenizer, "promptbert", **{key: values[key] for key in KEPT})
found["words"] = [tokenizer.convert_ids_to_tokens(row) for row in reads.tokenise(["A gate at noon.", "Is it noon"])]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_a_real_encoder_and_a_real_vocabulary(shared_hub: Path) -> None:
    done = subprocess.run(
        [sys.executable, shared_hub / "hub" / "serve.py", "--", sys.executable, "-c", REAL],
        input=json.dumps(SENTENCES),
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["sbert"] == pytest.approx({"STS-B": 82.03, "SICK-R": 77.15}, abs=0.02), "as published"
    assert found["twice"] == pytest.approx(found["sbert"], abs=1e-6), "a sum of one tower twice ranks as the tower"
    assert found["off"] < 1e-5, "as sentence-transformers reads it"
    head, tail = ["[CLS]", "this", "sentence", "of", '"'], ['"', "means", "[MASK]", ".", "[SEP]"]
    assert found["words"] == [[*head, "a", "gate", "at", "noon", ".", *tail], [*head, "is", "it", "noon", ".", *tail]]
