"""IS-BERT: the estimate against plain loops, padding that changes no vector, and an encoder that keeps its convolutions."""

from __future__ import annotations

import json
import shutil
from math import exp, log
from pathlib import Path

import loops
import numpy as np
import pytest
import torch
import zoo
from safetensors.torch import load_file, save_file

from jtcse.core.errors import UserError
from jtcse.encoders.batches import pad
from jtcse.systems.isbert import CONVOLUTIONS, ISBERT, TOWER, Convolutions, ConvolvedEncoder, fresh_convolutions, mean
from jtcse.systems.opening import open_model, open_released


def made(tmp_path: Path, **changes) -> ISBERT:
    shop = zoo.shop(tmp_path, "isbert", **changes)
    model, tokenizer = shop.tower()
    return ISBERT(model, tokenizer, fresh_convolutions(32, 3, torch.device("cpu")), shop.corpus, shop.settings)


def encoder_of(objective: ISBERT) -> ConvolvedEncoder:
    return ConvolvedEncoder(
        objective.module.model, objective.tokenizer, objective.module.convolutions, precision="fp32"
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory):
    """The story of a small training, the encoder opened again, and its folder."""
    folder = tmp_path_factory.mktemp("isbert")
    story, encoder = zoo.trained(folder, "isbert")
    (place,) = folder.glob("systems/isbert/*/model")
    return story, encoder, place


def convolved(states: list[list[float]], convolutions: Convolutions) -> list[list[float]]:
    """Local vectors of one sentence's states: same length, zeros beyond both ends, channels side by side."""
    out: list[list[float]] = [[] for _ in states]
    for layer in convolutions.layers:
        weights, bias = layer.weight.tolist(), layer.bias.tolist()
        for t in range(len(states)):
            for channel, start in zip(weights, bias, strict=True):
                total = start
                for k in range(layer.kernel_size[0]):
                    place = t + k - layer.kernel_size[0] // 2
                    if 0 <= place < len(states):
                        total += sum(row[k] * x for row, x in zip(channel, states[place], strict=True))
                out[t].append(total)
    return out


def by_loops(local: list[list[list[float]]]) -> float:
    """The loss from local vectors by sentence, as the authors write it: masks before the softplus."""
    means = [[sum(column) / len(tokens) for column in zip(*tokens, strict=True)] for tokens in local]
    count, positive, negative = sum(len(tokens) for tokens in local), 0.0, 0.0
    for i, tokens in enumerate(local):
        for token in tokens:
            for j, other in enumerate(means):
                score = loops.dot(token, other)
                own, foreign = score * (i == j), score * (i != j)
                positive += log(2) - log(1 + exp(-own))
                negative += log(1 + exp(-foreign)) + foreign - log(2)
    return negative / (count * (len(local) - 1)) - positive / count


def test_loss_and_convolutions_are_the_formulas(tmp_path: Path) -> None:
    objective = made(tmp_path)
    found, loss = zoo.outputs(objective)
    model, tokenizer = objective.module.model, objective.tokenizer
    local = []
    for text in objective.sentences(np.arange(6)):
        ids = torch.tensor([tokenizer(text, truncation=True, max_length=24)["input_ids"]])
        local.append(convolved(model(input_ids=ids).last_hidden_state[0].tolist(), objective.module.convolutions))
    for i, tokens in enumerate(local):
        torch.testing.assert_close(
            found["local"][0, i, : len(tokens)], torch.tensor(tokens, dtype=torch.float64), rtol=0, atol=1e-9
        )
    assert loss.item() == pytest.approx(by_loops(local), abs=1e-9)
    _, split = zoo.outputs(made(tmp_path, length_groups=3))
    assert split.item() == pytest.approx(loss.item(), abs=1e-9), "groups of length change no loss"


@pytest.mark.parametrize("width", [96, 32, 31, 768])
def test_channels_fill_the_width(width: int) -> None:
    shares = [layer.out_channels for layer in Convolutions(width).layers]
    assert sum(shares) == width and max(shares) - min(shares) <= 1
    local = Convolutions(width)(torch.randn(2, 4, width), torch.ones(2, 4))
    assert local.shape == (2, 4, width)


def test_padding_changes_no_vector(tmp_path: Path) -> None:
    objective = made(tmp_path)
    objective.module.double().eval()
    encoder = encoder_of(objective)
    short, long = encoder.tokenise(["a dog barks", "the old man sleeps at noon in the small garden"])
    alone = encoder.vectors(*pad([short], encoder.tokenizer.pad_token_id))
    among = encoder.vectors(*pad([short, long, [*long, *long]], encoder.tokenizer.pad_token_id))
    torch.testing.assert_close(among[0], alone[0], rtol=0, atol=1e-12)
    states, mask = torch.randn(1, 6, 32).double(), torch.tensor([[1, 1, 1, 1, 0, 0]])
    whole = mean(objective.module.convolutions(states[:, :4], mask[:, :4]), mask[:, :4])
    states[:, 4:] = 1e3  # whatever the tower makes of padding
    torch.testing.assert_close(mean(objective.module.convolutions(states, mask), mask), whole, rtol=0, atol=1e-12)


def test_gradients_reach_tower_and_convolutions(tmp_path: Path) -> None:
    objective = made(tmp_path)
    _, loss = zoo.outputs(objective)
    sizes = zoo.gradients(objective, loss)
    assert not any("pooler" in name for name in sizes)
    assert all(sizes[f"convolutions.layers.{k}.{part}"] > 0 for k in range(3) for part in ("weight", "bias"))
    assert sizes["model.embeddings.word_embeddings.weight"] > 0


def test_what_is_kept_opens_to_the_same_vectors(kept, tmp_path: Path) -> None:
    story, encoder, _ = kept
    assert story.steps == 4 and story.rows[-1]["loss"] == pytest.approx(story.rows[-1]["information"])
    again, other = zoo.trained(tmp_path / "again", "isbert")
    assert again.rows == story.rows, "one seed, one training"
    texts = ["noon", "a dog barks at noon"]
    assert np.array_equal(encoder.encode(texts), other.encode(texts))
    encoder.save(tmp_path / "copy")
    assert np.array_equal(open_model(tmp_path / "copy", precision="fp32").encode(texts), encoder.encode(texts))
    released = open_released("isbert", names=[str(tmp_path / "copy")], precision="fp32")
    assert np.array_equal(released.encode(texts), encoder.encode(texts))


def test_training_moves_the_convolutions_a_little_from_their_seed(kept, tmp_path: Path) -> None:
    seed = zoo.shop(tmp_path, "isbert").stream("convolutions")
    start = fresh_convolutions(32, seed, torch.device("cpu")).layers[2].weight
    moved = (kept[1].convolutions.layers[2].weight - start).abs().max()
    assert 0 < moved < 0.01


def test_no_file_is_a_pickle_and_none_takes_the_tower_for_the_whole(kept) -> None:
    folder = kept[2]
    assert {file.suffix for file in folder.rglob("*") if file.is_file()} <= {".json", ".safetensors", ".txt"}
    assert not (folder / "config.json").exists() and not (folder / "modules.json").exists()


def broken(kept, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept[2], tmp_path / "model"))


def test_missing_convolutions_are_named(kept, tmp_path: Path) -> None:
    folder = broken(kept, tmp_path)
    (folder / CONVOLUTIONS).unlink()
    with pytest.raises(UserError, match=rf"{CONVOLUTIONS} is missing"):
        open_model(folder)


def test_broken_convolutions_are_named(kept, tmp_path: Path) -> None:
    folder = broken(kept, tmp_path)
    whole = (folder / CONVOLUTIONS).read_bytes()
    (folder / CONVOLUTIONS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=rf"{CONVOLUTIONS} is a broken file"):
        open_model(folder)


def test_convolutions_of_another_width_or_without_numbers_are_refused(kept, tmp_path: Path) -> None:
    folder = broken(kept, tmp_path)
    weights = load_file(folder / CONVOLUTIONS)
    save_file(Convolutions(16).state_dict(), folder / CONVOLUTIONS)
    with pytest.raises(UserError, match="tower's width, 32"):
        open_model(folder)
    save_file({**weights, "layers.0.bias": weights["layers.0.bias"] * float("nan")}, folder / CONVOLUTIONS)
    with pytest.raises(UserError, match=r"layers\.0\.bias"):
        open_model(folder)


def test_a_description_without_its_length_is_refused(kept, tmp_path: Path) -> None:
    folder = broken(kept, tmp_path)
    (folder / "jtcse.json").write_text(json.dumps({"system": "isbert"}))
    with pytest.raises(UserError, match="max_length"):
        open_model(folder)


def test_a_bare_tower_is_not_scored_as_isbert(kept) -> None:
    with pytest.raises(UserError, match="convolutions"):
        open_released("isbert", names=[str(kept[2] / TOWER)])
    with pytest.raises(UserError, match="no bert checkpoint of IS-BERT"):
        open_released("isbert")
