"""Encoders: order and batches do not matter, poolings, saving and opening, and models that cannot be used."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import standin
import torch
from safetensors.torch import load_file, save_file

from jtcse.core.errors import UserError
from jtcse.encoders import batches
from jtcse.encoders.batches import length_batches, pad
from jtcse.encoders.encoder import SumEncoder, TowerEncoder, open_encoder
from jtcse.encoders.loading import load_tower, usable_positions
from jtcse.encoders.pooling import POOLINGS

FAMILIES = ("bert", "roberta")
LONG = "a baker paints the blue boat " * 60


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stock folders, never written to: two towers of each family, with one tokenizer."""
    from transformers import AutoConfig, AutoModel

    root, made = tmp_path_factory.mktemp("stock"), {}
    for family in FAMILIES:
        made[f"{family}_1"] = getattr(standin, family)(root / f"{family}_1", layers=2, seed=1)
        made[f"{family}_2"] = shutil.copytree(made[f"{family}_1"], root / f"{family}_2")
        torch.manual_seed(2)
        AutoModel.from_config(AutoConfig.from_pretrained(made[f"{family}_1"])).save_pretrained(made[f"{family}_2"])
    return made


@pytest.fixture
def bert(folders, tmp_path: Path) -> Path:
    """A stock BERT folder that a test may spoil."""
    return shutil.copytree(folders["bert_1"], tmp_path / "bert")


def tower(folder: Path, **settings) -> TowerEncoder:
    return TowerEncoder(*load_tower(folder), **{"precision": "fp32"} | settings)


def sentences(count: int = 30) -> list[str]:
    """Sentences of 1 to 40 words, an empty one and one beyond every tower's positions."""
    words = " ".join(standin.sentences(400)).split()
    drawn = random.Random(4)
    return [" ".join(drawn.sample(words, drawn.randint(1, 40))) for _ in range(count)] + ["", LONG]


# -- encode --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_order_duplicates_and_company_do_not_matter(folders, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, texts = tower(folders[f"{family}_1"]), sentences()
    found = encoder.encode(texts)
    assert found.shape == (len(texts), 32) and found.dtype == np.float32
    order = np.random.default_rng(1).permutation(len(texts))
    assert np.allclose(encoder.encode([texts[i] for i in order]), found[order], atol=1e-5)
    twice = encoder.encode([text for text in texts for _ in (0, 1)])
    assert np.array_equal(twice[::2], twice[1::2])
    assert np.allclose(twice[::2], found, atol=1e-5)
    assert np.allclose(np.concatenate([encoder.encode([text]) for text in texts]), found, atol=1e-5)
    monkeypatch.setattr(batches, "TOKEN_BUDGET", 50)
    assert np.allclose(encoder.encode(tuple(texts)), found, atol=1e-5)


def test_each_distinct_sentence_is_computed_once(folders, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, seen = tower(folders["bert_1"]), []
    stock = encoder._encode_batch
    monkeypatch.setattr(encoder, "_encode_batch", lambda ids, mask: seen.extend(ids.tolist()) or stock(ids, mask))
    encoder.encode(["noon", "a baker", "noon", "noon"])
    assert len(seen) == 2


def test_no_sentence_gives_no_vector(folders) -> None:
    assert tower(folders["bert_1"]).encode([]).shape == (0, 32)


def test_one_endless_sentence_costs_no_memory_for_the_others(folders) -> None:
    encoder, texts = tower(folders["bert_1"]), [*standin.sentences(2000), "x" * 100_000]
    tracemalloc.start()
    encoder.encode(texts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_encoding_leaves_the_training_mode_and_no_graph(folders) -> None:
    encoder = tower(folders["bert_1"])
    calm = encoder.encode(["noon"])
    encoder.model.train()
    assert np.array_equal(encoder.encode(["noon"]), calm)  # without dropout all the same
    assert encoder.model.training
    assert all(weight.grad is None for weight in encoder.model.parameters())


def test_bf16_is_near_fp32(folders) -> None:
    exact, rough = (tower(folders["bert_1"], precision=p).encode(sentences()) for p in ("fp32", "bf16"))
    cosine = (exact * rough).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rough, axis=1)
    assert rough.dtype == np.float32
    assert cosine.min() > 0.999 and not np.array_equal(exact, rough)


def test_batches_are_of_like_length_within_the_budget() -> None:
    lengths = np.random.default_rng(2).integers(2, 120, 300)
    batches = length_batches(lengths.tolist(), 500)
    assert sorted(np.concatenate(batches)) == list(range(300))
    assert all(len(rows) * lengths[rows].max() <= 500 for rows in batches)
    assert [lengths[rows].max() for rows in batches] == sorted((lengths[rows].max() for rows in batches), reverse=True)
    assert [len(rows) for rows in length_batches([900, 900, 3], 500)] == [1, 1, 1]
    assert length_batches([], 500) == []


def test_a_sentence_is_tokenised_once_for_all_towers_of_a_vocabulary(folders, monkeypatch) -> None:
    batches.MEMORY.forget()
    first, second = (tower(folders[name]).tokenizer for name in ("bert_1", "bert_2"))
    texts = [*sentences(), "noon", "noon"]
    told = [batches.token_ids(texts, first, length) for length in (6, 30)]
    assert told == [first(texts, truncation=True, max_length=length)["input_ids"] for length in (6, 30)]
    told[0][0].clear()  # what is handed out is the caller's own
    monkeypatch.setattr(type(second), "__call__", lambda *_, **__: pytest.fail("tokenised again"))
    assert batches.token_ids(texts, second, 30) == told[1]
    assert batches.token_ids(texts[:1], second, 6) != [[]]


def test_kept_token_ids_are_bounded_and_told_apart() -> None:
    memory = batches.TokenMemory(limit=10)
    for number in range(5):
        memory.keep((number,), [number] * 4)
    assert [memory.get((number,)) for number in range(5)] == [None, None, None, None, [4] * 4]


def test_padding_is_masked() -> None:
    ids, mask = pad([[5, 6, 7], [8]], 9)
    assert ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


# -- poolings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_poolings_are_what_they_say(family: str, tmp_path: Path) -> None:
    # of two layers the first is the last but one
    model, tokenizer = load_tower(getattr(standin, family)(tmp_path / family, layers=3, seed=1))
    model.cpu()
    texts = sentences(6)[:7]
    expected = {name: [] for name in POOLINGS}
    for text in texts:  # one by one: no padding, plain means
        inputs = {key: torch.tensor([value]) for key, value in tokenizer(text).items()}
        output = model(**inputs, output_hidden_states=True)
        first, last = output.hidden_states[0][0], output.hidden_states[-1][0]
        expected["cls"].append(last[0])
        expected["pooler"].append(torch.tanh(model.pooler.dense(last[0])))
        expected["mean"].append(sum(last) / len(last))
        expected["avg"].append(sum(last) / len(last))
        expected["first_last"].append((sum(first) / len(first) + sum(last) / len(last)) / 2)
        for name, layer in (("first_last_1", 1), ("last_two", -2)):
            other = output.hidden_states[layer][0]
            expected[name].append((sum(other) / len(other) + sum(last) / len(last)) / 2)
    for name in POOLINGS:
        found = TowerEncoder(model, tokenizer, pooling=name, precision="fp32").encode(texts)
        assert np.allclose(found, torch.stack(expected[name]), atol=1e-5), name


def test_pooler_without_a_pooler_layer_is_refused(folders) -> None:
    model, tokenizer = load_tower(folders["bert_1"])
    model.pooler = None
    with pytest.raises(UserError, match="needs a pooler layer"):
        TowerEncoder(model, tokenizer, pooling="pooler")


@pytest.mark.parametrize(("name", "near"), [("men", "mean"), ("CLS", "cls"), ("first-last", "first_last")])
def test_an_unknown_pooling_is_refused_with_the_nearest(folders, name: str, near: str) -> None:
    with pytest.raises(UserError, match=f"unknown pooling '{name}'.*{near}"):
        open_encoder(folders["bert_1"], pooling=name)


# -- lengths -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_input_is_cut_to_the_positions_there_are(folders, family: str) -> None:
    encoder = tower(folders[f"{family}_1"], max_length=512)
    assert encoder.max_length == usable_positions(encoder.model) == 128
    assert len(encoder.tokenizer(LONG)["input_ids"]) > 200
    assert np.isfinite(encoder.encode([LONG])).all()  # position 129 would be an index error


def test_max_length_counts_the_special_tokens(folders) -> None:
    encoder = tower(folders["bert_1"], max_length=5)
    three, four = "noon noon noon", "noon noon noon bridge"
    assert len(encoder.tokenizer(three)["input_ids"]) == 5
    np.testing.assert_allclose(*encoder.encode([three, four]), atol=1e-6)


# -- saving and opening --------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_saved_tower_opens_as_it_was(folders, family: str, pooling: str, tmp_path: Path) -> None:
    saved = tower(folders[f"{family}_1"], pooling=pooling, max_length=20)
    saved.save(tmp_path / "saved")
    opened = open_encoder(tmp_path / "saved", precision="fp32")
    assert isinstance(opened, TowerEncoder)
    assert (opened.pooling, opened.max_length) == (pooling, 20)
    assert np.array_equal(opened.encode(sentences()), saved.encode(sentences()))
    assert not list((tmp_path / "saved").rglob("*.bin"))  # safetensors alone, no pickle


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_saved_twin_opens_as_it_was(folders, family: str, pooling: str, tmp_path: Path) -> None:
    towers = [tower(folders[f"{family}_{s}"], pooling=pooling, max_length=20) for s in (1, 2)]
    saved = SumEncoder(towers, weights=[0.7, 0.3])
    saved.save(tmp_path / "twin")
    opened = open_encoder(tmp_path / "twin", precision="fp32")
    vectors = [t.encode(sentences()) for t in towers]
    assert np.allclose(saved.encode(sentences()), 0.7 * vectors[0] + 0.3 * vectors[1], atol=1e-6)
    assert np.array_equal(opened.encode(sentences()), saved.encode(sentences()))
    for number, own in enumerate(vectors, 1):  # each tower is a stock folder of its own
        alone = open_encoder(tmp_path / "twin" / f"tower_{number}", pooling=pooling, max_length=20, precision="fp32")
        assert np.array_equal(alone.encode(sentences()), own)


def test_the_sum_is_of_both_vectors(folders) -> None:
    towers = [tower(folders[f"bert_{s}"]) for s in (1, 2)]
    found = SumEncoder(towers).encode(["noon", "a baker"])
    assert np.array_equal(found, towers[0].encode(["noon", "a baker"]) + towers[1].encode(["noon", "a baker"]))
    with pytest.raises(ValueError, match="2 encoders but 1 weights"):
        SumEncoder(towers, [1.0])


def test_what_is_asked_for_goes_before_what_was_saved(folders, tmp_path: Path) -> None:
    tower(folders["bert_1"], pooling="mean", max_length=20).save(tmp_path / "saved")
    opened = open_encoder(tmp_path / "saved", pooling="cls", max_length=9)
    assert (opened.pooling, opened.max_length) == ("cls", 9)
    stock = open_encoder(folders["bert_1"])
    assert (stock.pooling, stock.max_length) == ("cls", 128)


def test_saving_over_a_folder_replaces_it_whole(folders, tmp_path: Path) -> None:
    tower(folders["bert_1"]).save(tmp_path / "saved")
    (tmp_path / "saved" / "stray").write_text("old")
    second = tower(folders["bert_2"])
    second.save(tmp_path / "saved")
    assert not (tmp_path / "saved" / "stray").exists()
    assert np.array_equal(open_encoder(tmp_path / "saved", precision="fp32").encode(["noon"]), second.encode(["noon"]))
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["cls", "mean", "avg"])
def test_a_saved_tower_is_a_sentence_transformer(folders, family: str, pooling: str, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    saved = tower(folders[f"{family}_1"], pooling=pooling, max_length=20)
    saved.save(tmp_path / "saved")
    opened = library.SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    assert np.allclose(opened.encode(sentences()), saved.encode(sentences()), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["cls", "mean", "first_last"])
@pytest.mark.parametrize("kind", ["tower", "twin"])
def test_every_saved_encoder_is_a_sentence_transformer_by_one_call(
    folders, kind: str, family: str, pooling: str, tmp_path: Path
) -> None:
    pytest.importorskip("sentence_transformers")
    interop = pytest.importorskip("jtcse.encoders.sentence_transformer")
    towers = [tower(folders[f"{family}_{s}"], pooling=pooling, max_length=20) for s in (1, 2)]
    saved = towers[0] if kind == "tower" else SumEncoder(towers, weights=[0.7, 0.3])
    saved.save(tmp_path / "saved")
    opened = interop.as_sentence_transformer(tmp_path / "saved")
    assert np.allclose(opened.encode(sentences()), saved.encode(sentences()), atol=1e-5)


def test_dropout_is_set_on_loading(folders) -> None:
    model, _ = load_tower(folders["bert_1"], dropout=0.25)
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.25}
    assert not model.training


def test_a_checkpoint_without_pooler_gets_the_same_one_each_time(tmp_path: Path) -> None:
    from transformers import RobertaForMaskedLM

    standin.roberta(tmp_path / "lm", layers=1)  # the language model of this name is published without a pooler
    model, _ = load_tower(tmp_path / "lm")
    RobertaForMaskedLM(model.config).save_pretrained(tmp_path / "lm")
    pair = [load_tower(tmp_path / "lm")[0].pooler.dense.weight for _ in (1, 2)]
    assert torch.equal(*pair)


# -- models that cannot be used ------------------------------------------------------------------------------


def spoil_weights(folder: Path, change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


DENSE = "encoder.layer.1.output.dense.weight"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_weights_are_refused_by_name(bert: Path, value: float) -> None:
    spoil_weights(bert, lambda weights: weights[DENSE][0, :3].fill_(value))
    with pytest.raises(UserError, match=f"3 NaN or infinite values in {DENSE}"):
        open_encoder(bert)


def test_nan_weights_are_not_saved_and_what_was_there_stays(folders, tmp_path: Path) -> None:
    good = tower(folders["bert_1"])
    good.save(tmp_path / "saved")
    expected = good.encode(["noon"])
    with torch.no_grad():
        good.model.encoder.layer[0].output.dense.bias[0] = float("nan")
    for broken in (good, SumEncoder([tower(folders["bert_2"]), good])):
        with pytest.raises(UserError, match=r"NaN or infinite values in encoder\.layer\.0\.output\.dense\.bias"):
            broken.save(tmp_path / "saved")
    assert np.array_equal(open_encoder(tmp_path / "saved", precision="fp32").encode(["noon"]), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_file_cut_in_half_is_one_sentence(bert: Path, name: str) -> None:
    half(bert / name)
    with pytest.raises(UserError) as caught:
        open_encoder(bert)
    assert str(bert) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_missing_file_is_one_sentence(bert: Path, name: str) -> None:
    (bert / name).unlink()
    with pytest.raises(UserError) as caught:
        open_encoder(bert)
    assert str(bert) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_weights_are_not_made_up(bert: Path) -> None:
    spoil_weights(bert, lambda weights: weights.pop(DENSE))
    with pytest.raises(UserError, match=f"lacks 1 of its weights, {DENSE}"):
        open_encoder(bert)


def test_weights_of_another_shape_are_refused(bert: Path) -> None:
    spoil_weights(bert, lambda weights: weights.update({DENSE: torch.zeros(3, 3)}))
    with pytest.raises(UserError):
        open_encoder(bert)


@pytest.mark.parametrize(
    "spoil",
    [
        half,
        lambda path: path.write_text("[]"),
        lambda path: path.write_text(json.dumps({"towers": ["tower_1"], "pooling": "cls"})),
        lambda path: path.write_bytes(b"\xff\xfe\x00"),
    ],
    ids=["half", "list", "keys", "binary"],
)
def test_a_broken_description_is_one_sentence(folders, spoil, tmp_path: Path) -> None:
    SumEncoder([tower(folders[f"bert_{s}"]) for s in (1, 2)]).save(tmp_path / "twin")
    spoil(tmp_path / "twin" / "jtcse.json")
    with pytest.raises(UserError, match=r"twin/jtcse\.json is not a whole description"):
        open_encoder(tmp_path / "twin")


def test_a_tower_of_a_twin_cut_in_half(folders, tmp_path: Path) -> None:
    SumEncoder([tower(folders[f"bert_{s}"]) for s in (1, 2)]).save(tmp_path / "twin")
    half(tmp_path / "twin" / "tower_2" / "model.safetensors")
    with pytest.raises(UserError, match="tower_2 holds a broken file"):
        open_encoder(tmp_path / "twin")


def test_without_a_hub_the_error_says_how_to_go_on(tmp_path: Path) -> None:
    with socket.socket() as probe:  # a port where nobody listens
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    program = (
        "import time\ntime.sleep = lambda seconds: None  # between the hub client's attempts\n"
        "from jtcse.encoders.encoder import open_encoder\nfrom jtcse.core.errors import UserError\n"
        "try:\n    open_encoder('nobody/nothing')\nexcept UserError as error:\n    print(error)\n"
    )
    settings = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | settings,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert all(word in ended.stdout for word in ("'nobody/nothing'", address, "HF_ENDPOINT", "folder"))
    assert ended.stdout.count("\n") == 1


def test_a_repository_that_ends_with_unit_vectors_is_read_so_with_its_own_pooling_and_stays_so(tmp_path):
    from standin_systems import sentence_transformer

    from jtcse.systems.opening import open_model

    folder = standin.bert(tmp_path / "model")
    sentence_transformer(folder, "mean_tokens", "Normalize")
    own, other = open_model(folder), open_model(folder, pooling="cls")
    own.save(tmp_path / "saved")
    texts = standin.sentences(5)
    assert (own.pooling, own.unit, other.unit) == ("mean", True, False)
    assert np.allclose(np.linalg.norm(own.encode(texts), axis=1), 1, atol=1e-6)
    assert not np.allclose(np.linalg.norm(other.encode(texts), axis=1), 1, atol=1e-3)
    assert np.array_equal(open_model(tmp_path / "saved").encode(texts), own.encode(texts))
