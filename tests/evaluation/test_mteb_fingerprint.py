"""Fingerprints: the same for the same vectors wherever an encoder was opened, another for anything that moves a vector."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import standin
import standin_systems
import tiny
import torch
from conftest import REPOSITORY
from tokenizers import normalizers, pre_tokenizers, processors

from jtcse.core import device
from jtcse.core.device import number_format
from jtcse.encoders.encoder import SumEncoder, TowerEncoder
from jtcse.encoders.loading import load_tower, save_tower
from jtcse.encoders.postprocessing import MappedEncoder
from jtcse.encoders.prompts import TemplateEncoder
from jtcse.evaluation.mteb.cached_encoder import KeptEncoder
from jtcse.evaluation.mteb.fingerprint import fingerprint
from jtcse.systems import released
from jtcse.systems.flow import SentenceFlow
from jtcse.systems.isbert import ConvolvedEncoder, fresh_convolutions
from jtcse.systems.opening import open_model, open_released
from jtcse.systems.promcse import Prefixed, PrefixEncoder
from jtcse.systems.settings import published_values
from jtcse.systems.whitening import whitened

SENTENCES = standin.sentences(12, seed=4)
ASKED = 'This sentence of "X" means [MASK] .'


@dataclass(frozen=True)
class Parts:
    """Two towers of one shape, each with a tokenizer of its own."""

    folder: Path

    def tower(self, number: int = 1):
        return load_tower(self.folder / f"tower_{number}")

    def encoder(self, number: int = 1, **reading) -> TowerEncoder:
        return TowerEncoder(*self.tower(number), **{"precision": "fp32", "pooling": "cls"} | reading)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tmp_path_factory.mktemp("towers")
    for number in (1, 2):
        tiny.saved(folder / f"tower_{number}", seed=number)
    return Parts(folder)


def prefixed(parts: Parts, weight: float = 0.1, positions: str = "behind") -> PrefixEncoder:
    """Behind a prefix of three tokens; its sentences are short enough for either way to count positions."""
    columns = 2 * 2 * 32
    prefix = torch.full((3, columns), weight)
    model, tokenizer = parts.tower()
    return PrefixEncoder(
        Prefixed(model, prefix, positions).eval(), tokenizer, pooling="cls", max_length=40, precision="fp32"
    )


def asking(parts: Parts, template: str = ASKED, **more: str) -> TemplateEncoder:
    return TemplateEncoder(*parts.tower(), "promptbert", kept_template=template, precision="fp32", **more)


def flowing(parts: Parts, coupling: str = "additive", spread: float = 2.0) -> MappedEncoder:
    torch.manual_seed(1)
    flow = SentenceFlow(32, 2, 8, coupling)
    flow.standardise(np.zeros(32), np.full(32, spread))
    return MappedEncoder(TowerEncoder(*parts.tower()), flow, "flow")


def convolved(parts: Parts, seed: int = 1) -> ConvolvedEncoder:
    return ConvolvedEncoder(*parts.tower(), fresh_convolutions(32, seed, torch.device("cpu")), precision="fp32")


KINDS: dict[str, Callable[[Parts], object]] = {
    "tower": lambda parts: parts.encoder(),
    "twin": lambda parts: SumEncoder([parts.encoder(1), parts.encoder(2)]),
    "template": asking,
    "prefix": prefixed,
    "whitened": lambda parts: whitened(parts.encoder(), SENTENCES, 5),
    "flow": flowing,
    "convolutions": convolved,
}


# -- the same --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_opened_again_it_is_the_same(kind: str, parts: Parts, tmp_path: Path) -> None:
    encoder = KINDS[kind](parts)
    before = fingerprint(encoder)
    assert len(before) == 40 and set(before) <= set("0123456789abcdef")
    encoder.save(tmp_path / "one")
    opened = open_model(tmp_path / "one", precision="fp32")
    opened.save(tmp_path / "two")
    assert fingerprint(opened) == fingerprint(open_model(tmp_path / "two", precision="fp32")) == before


@pytest.mark.parametrize("kind", KINDS)
def test_encoding_in_between_changes_nothing(kind: str, parts: Parts) -> None:
    """Tokenizers remember how they last cut and filled up, modules whether they trained."""
    encoder = KINDS[kind](parts)
    before = fingerprint(encoder)
    for texts in (SENTENCES[:1], SENTENCES, [" ".join(SENTENCES * 9)], [""], []):
        encoder.encode(texts)
        assert fingerprint(encoder) == before
    for tower in getattr(encoder, "encoders", [encoder]):
        tower.tokenizer(SENTENCES[:2], padding="max_length", truncation=True, max_length=7)
        tower.model.train()
    assert fingerprint(encoder) == before


def test_towers_that_share_a_tokenizer_are_as_towers_with_equal_ones(parts: Parts, tmp_path: Path) -> None:
    """A twin that was just trained shares it; opened from its folder, each tower has its own."""
    (first, tokenizer), (second, _) = parts.tower(1), parts.tower(2)
    twin = SumEncoder([TowerEncoder(model, tokenizer, precision="fp32") for model in (first, second)])
    twin.save(tmp_path / "twin")
    assert fingerprint(open_model(tmp_path / "twin", precision="fp32")) == fingerprint(twin)


def test_automatic_is_the_format_that_it_means_here(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JTCSE_PRECISION", raising=False)
    formats = {False: "fp32", True: "bf16"}
    for fast, meant in formats.items():
        monkeypatch.setattr(device, "has_bf16", lambda fast=fast: fast)
        assert number_format("auto") == number_format(meant)
        assert fingerprint(parts.encoder(precision="auto")) == fingerprint(parts.encoder(precision=meant))


def without_pooler(parts: Parts, folder: Path) -> Path:
    """The tower's folder without the pooler's weights, as many were released."""
    from safetensors.torch import load_file, save_file

    save_tower(*parts.tower(), folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("pooler.")}
    assert len(kept) == len(weights) - 2
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def nudged(model, name: str) -> None:
    """One weight is the next number."""
    with torch.no_grad():
        flat = dict(model.named_parameters())[name].view(-1)
        flat[-1] = torch.nextafter(flat[-1], torch.tensor(9.0))


def test_a_pooler_counts_where_it_is_read_and_nowhere_else(parts: Parts, tmp_path: Path) -> None:
    lacking = open_model(without_pooler(parts, tmp_path / "lacking"), precision="fp32")
    encoders = {"unread": parts.encoder(), "at random": lacking, "read": parts.encoder(pooling="pooler")}
    before = {name: fingerprint(encoder) for name, encoder in encoders.items()}
    for encoder in encoders.values():
        nudged(encoder.model, "pooler.dense.weight")
    assert {name for name, encoder in encoders.items() if fingerprint(encoder) != before[name]} == {"read"}


def test_a_tower_that_was_saved_with_its_random_pooler_is_still_the_same(parts: Parts, tmp_path: Path) -> None:
    lacking = open_model(without_pooler(parts, tmp_path / "lacking"), precision="fp32")
    lacking.save(tmp_path / "saved")
    assert fingerprint(open_model(tmp_path / "saved", precision="fp32")) == fingerprint(lacking)


FROM_ANOTHER_PROCESS = """
import sys
from jtcse.systems.opening import open_model
from jtcse.evaluation.mteb.fingerprint import fingerprint
print(fingerprint(open_model(sys.argv[1], precision="fp32")))
"""


def test_another_process_finds_the_same(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = KINDS["twin"](parts)
    twin.save(tmp_path / "twin")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    command = [sys.executable, "-c", FROM_ANOTHER_PROCESS, str(tmp_path / "twin")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.split()[-1:] == [fingerprint(twin)], done.stderr[-2000:]


# -- another ---------------------------------------------------------------------------------------------------------


def test_each_tensor_counts_to_its_last_bit(parts: Parts) -> None:
    encoder = parts.encoder(pooling="pooler")
    found = [fingerprint(encoder)]
    names = [name for name, _ in encoder.model.named_parameters()]
    for name in names:
        nudged(encoder.model, name)
        found.append(fingerprint(encoder))
    assert len(set(found)) == 1 + len(names) > 30


def retokenised(parts: Parts, folder: Path, change: Callable[[dict], None]) -> TowerEncoder:
    """The first tower with a changed vocabulary."""
    save_tower(*parts.tower(), folder)
    told = json.loads((folder / "tokenizer.json").read_text())
    change(told["model"]["vocab"])
    (folder / "tokenizer.json").write_text(json.dumps(told))
    return TowerEncoder(*load_tower(folder), precision="fp32")


def swap_two_words(vocabulary: dict[str, int]) -> None:
    one, other = sorted(vocabulary)[-2:]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]


def reconfigured(parts: Parts, **changes) -> TowerEncoder:
    encoder = parts.encoder()
    encoder.model.config.update(changes)
    return encoder


def summed(parts: Parts, *numbers: int, weights: list[float] | None = None) -> SumEncoder:
    """Towers by number; the same number is the same object."""
    towers = {number: parts.encoder(number) for number in set(numbers)}
    return SumEncoder([towers[number] for number in numbers], weights)


OTHERS: dict[str, tuple[Callable, ...]] = {
    "pooling": tuple(
        lambda parts, pooling=pooling: parts.encoder(pooling=pooling)
        for pooling in ("cls", "mean", "pooler", "first_last", "last_two")
    ),
    "longest input": (lambda parts: parts.encoder(max_length=20), lambda parts: parts.encoder(max_length=21)),
    "number format": (lambda parts: parts.encoder(precision="fp32"), lambda parts: parts.encoder(precision="bf16")),
    "configuration": (lambda parts: parts.encoder(), lambda parts: reconfigured(parts, layer_norm_eps=1e-5)),
    "weights of a sum": tuple(
        lambda parts, weights=weights: summed(parts, 1, 2, weights=weights)
        for weights in ([1.0, 1.0], [1.0, 0.5], [0.5, 1.0])
    ),
    "towers of a sum": tuple(
        lambda parts, numbers=numbers: summed(parts, *numbers)
        for numbers in ((1,), (1, 2), (2, 1), (1, 1), (1, 2, 1), (1, 2, 2), (1, 1, 2))
    ),
    "sums in a sum": (
        lambda parts: SumEncoder([summed(parts, 1, 2), summed(parts, 1)]),
        lambda parts: SumEncoder([summed(parts, 1), summed(parts, 2, 1)]),
    ),
    "template": (asking, lambda parts: asking(parts, 'The sentence of "X" means [MASK] .')),
    "place in the template": (asking, lambda parts: asking(parts, 'This [MASK] of "X" means sentence .')),
    "ending": (asking, lambda parts: asking(parts, ending=" .", endings=".?"), lambda parts: asking(parts, ending=".")),
    "prefix": (lambda parts: parts.encoder(max_length=40), prefixed, lambda parts: prefixed(parts, 0.2)),
    "positions behind a prefix": (prefixed, lambda parts: prefixed(parts, positions="own")),
    "map": (
        lambda parts: parts.encoder(),
        lambda parts: whitened(parts.encoder(), SENTENCES, 5),
        lambda parts: whitened(parts.encoder(), SENTENCES, 4),
        lambda parts: whitened(parts.encoder(), SENTENCES[1:], 5),
    ),
    "flow": (flowing, lambda parts: flowing(parts, spread=3.0), lambda parts: flowing(parts, "affine")),
    "convolutions": (convolved, lambda parts: convolved(parts, 2)),
}
"""Encoders that differ in one thing."""


@pytest.mark.parametrize("what", OTHERS)
def test_it_is_another_with_another(what: str, parts: Parts) -> None:
    made = [make(parts) for make in OTHERS[what]]
    assert len({fingerprint(one) for one in made}) == len(made)


def test_it_is_another_with_another_vocabulary(parts: Parts, tmp_path: Path) -> None:
    same = retokenised(parts, tmp_path / "same", lambda vocabulary: None)
    swapped = retokenised(parts, tmp_path / "swapped", swap_two_words)
    assert fingerprint(same) == fingerprint(parts.encoder()) != fingerprint(swapped)


def test_it_is_another_with_another_reading_of_text(parts: Parts) -> None:
    encoder = parts.encoder()
    backend = encoder.tokenizer.backend_tokenizer
    found = [fingerprint(encoder)]
    for name, value in {
        "normalizer": normalizers.BertNormalizer(lowercase=False),
        "pre_tokenizer": pre_tokenizers.Whitespace(),
        "post_processor": processors.BertProcessing(("[SEP]", 3), ("[SEP]", 3)),
    }.items():
        setattr(backend, name, value)
        found.append(fingerprint(encoder))
    assert len(set(found)) == 4


# -- all that there are ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], list[str]]:
    """Folders in the layout of a system's released files, made as they are asked for."""
    root = tmp_path_factory.mktemp("released")

    def made(system: str, backbone: str) -> list[str]:
        names = [name.partition("@")[0] for name in released.names(system, backbone)]
        for name in names:
            if not (root / "models" / name).exists():
                standin_systems.write(root, f"{name}@of-a-commit")
        return [str(root / "models" / name) for name in names]

    return made


def opened(system: str, backbone: str, names: list[str]):
    """A released system; whitening's text, which is on the hub, is made up."""
    if system != "whitening":
        return open_released(system, backbone, names=names, precision="fp32")
    pooling = published_values(system, backbone)["pooling"]
    return whitened(TowerEncoder(*load_tower(names[0]), pooling=pooling, precision="fp32"), SENTENCES)


def test_every_released_system_has_a_fingerprint_of_its_own(places: Callable[[str, str], list[str]]) -> None:
    """Two that are read from the same files in the same way are one encoder."""
    found: dict[str, tuple] = {}
    for system, backbone in released.everything():
        names = places(system, backbone)
        encoder = opened(system, backbone, names)
        mark = fingerprint(encoder)
        same = found.setdefault(mark, (names, encoder))
        assert same[0] == names and np.array_equal(same[1].encode(SENTENCES), encoder.encode(SENTENCES))
    assert len(found) > 0.8 * len(released.everything())


class Holding:
    """An encoder with something in it."""

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def encode(self, sentences):
        return np.zeros((len(sentences), 2), np.float32)


@pytest.mark.parametrize(
    "thing", [{1, 2}, b"bytes", Path("place"), lambda: 0, open, iter([])], ids=lambda thing: type(thing).__name__
)
def test_what_cannot_be_hashed_is_named(thing: object) -> None:
    for held in (thing, [thing], {"x": thing}, Holding(thing)):
        with pytest.raises(TypeError, match=rf"holds a {type(thing).__name__} "):
            fingerprint(Holding(held))


def test_a_wrapper_that_calls_back_is_no_encoder_to_be_hashed(parts: Parts) -> None:
    with pytest.raises(TypeError, match="holds a function"):
        fingerprint(KeptEncoder(parts.encoder(), "key"))


def test_an_encoder_of_ones_own_is_told_by_what_it_holds() -> None:
    things = [None, 0, 1, 1.0, True, "1", [1], (1,), {"1": 1}, {"1": 1, "2": 1}, np.ones(1)]
    things += [[1, 1], [[1], 1], [[1, 1]], [1, [1]], {"1": {"1": 1}, "2": 1}, {"1": {"1": 1, "2": 1}}]
    things += [np.ones(1, np.float32), np.ones((1, 1)), torch.ones(1), torch.ones(1, dtype=torch.bfloat16), np.ones(0)]
    marks = [fingerprint(Holding(thing)) for thing in things]
    assert len(set(marks)) == len(things)
    assert marks == [fingerprint(Holding(thing)) for thing in things]
