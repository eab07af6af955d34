"""Stand-in repositories of released checkpoints: the public names and file layouts, with tiny random towers inside.

What is known of a layout was read on stored pages of the public hub in 2026 and is told at its line in ``LAYOUTS``; a repository
that is not named there gets the layout of most, a flat stock folder. Beside each repository a plain stock folder with the same
tower is written, which no test gives to the package: the independent references read it.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import standin
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

WIDTH, LAYERS, PREFIX = 32, 3, 16
Extra = Callable[[dict[str, Tensor]], dict[str, Tensor]]
"""Weights that a released file holds beside the tower, given the tower's."""


@dataclass(frozen=True)
class Layout:
    """How a repository holds its tower.

    ``names`` goes before each weight's name; ``converted`` are the pull requests that hold the safetensors, none where ``main``
    has them; ``tokenizer`` says which of its files are there.
    """

    names: str = ""
    pooler: bool = True
    extras: tuple[Extra, ...] = ()
    converted: tuple[int, ...] = ()
    tokenizer: str = (
        "new"  # "new": tokenizer.json and its settings; "old": vocabulary and settings; "bare": the vocabulary
    )
    sentence_transformer: bool = False
    gamma_beta: bool = False  # names of LayerNorm in files converted from TensorFlow


def normal(*shape: int) -> Tensor:
    """Random numbers, the same ones each time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def mlp(tower: dict[str, Tensor]) -> dict[str, Tensor]:
    """The dense layer of SimCSE's family."""
    return {"mlp.dense.weight": normal(WIDTH, WIDTH), "mlp.dense.bias": normal(WIDTH)}


def projector(tower: dict[str, Tensor]) -> dict[str, Tensor]:
    """DiffCSE's and InfoCSE's projection with batch normalisation."""
    return {
        "mlp.net.0.weight": normal(2 * WIDTH, WIDTH),
        "mlp.net.1.running_mean": normal(2 * WIDTH),
        "mlp.net.1.num_batches_tracked": torch.tensor(7),
        "mlp.net.3.weight": normal(WIDTH, 2 * WIDTH),
    }


def lm_head(tower: dict[str, Tensor]) -> dict[str, Tensor]:
    """A head that predicts words."""
    words = next(weight for name, weight in tower.items() if name.endswith("word_embeddings.weight")).shape[0]
    return {
        "lm_head.decoder.weight": normal(words, WIDTH),
        "lm_head.bias": normal(words),
        "lm_head.dense.bias": normal(WIDTH),
    }


def conditional(tower: dict[str, Tensor]) -> dict[str, Tensor]:
    """DiffCSE's second tower and generator: whole models with the same names inside."""
    other = {f"discriminator.{name}": torch.full_like(weight, 0.5) for name, weight in tower.items()}
    return other | {
        "generator.distilbert.embeddings.word_embeddings.weight": normal(9, WIDTH),
        "electra_head.bias": normal(2),
    }


def extra_layers(tower: dict[str, Tensor]) -> dict[str, Tensor]:
    """InfoCSE's layers behind the tower."""
    return {f"c_head.{layer}.attention.self.query.weight": normal(WIDTH, WIDTH) for layer in range(2)}


def prefix(tower: dict[str, Tensor]) -> dict[str, Tensor]:
    """PromCSE's keys and values: one row a prefix token, all layers' keys and values side by side."""
    return {"prefix_encoder.embedding.weight": normal(PREFIX, 2 * LAYERS * WIDTH)}


SIMCSE = Layout(converted=(4, 5), tokenizer="old")
LAYOUTS = {
    # flat; the pooler is SimCSE's dense layer; conversions 4 and 5, main was edited between them (stored pages)
    "princeton-nlp/unsup-simcse-bert-base-uncased": SIMCSE,
    "princeton-nlp/unsup-simcse-bert-large-uncased": replace(SIMCSE, converted=(3,)),
    "princeton-nlp/unsup-simcse-roberta-base": replace(SIMCSE, converted=(1,)),
    # config.json and vocabulary only; 1.24 GB: two towers, generator and heads; conversion 1 (stored pages, by size)
    "voidism/diffcse-bert-base-uncased-sts": Layout("bert.", False, (projector, conditional, lm_head), (1,), "bare"),
    "voidism/diffcse-roberta-base-sts": Layout("roberta.", False, (projector, conditional, lm_head), (1,), "bare"),
    # BertForCL without a pooler, dense layer, 16 prefix rows: the size of its conversion, to the byte but the header
    "YuxinJiang/unsup-promcse-bert-base-uncased": Layout("bert.", False, (mlp, prefix), (1,), "bare"),
    # "Upload 3 files": configuration, pickle, vocabulary; no conversion was seen, here it has one
    "royokong/unsup-PromptBERT": Layout(converted=(1,), tokenizer="bare"),
    "royokong/unsup-PromptRoBERTa": Layout(converted=(1,), tokenizer="bare"),
    # BertForCL with a training's whole folder (stored pages of the large model)
    "qiyuw/pcl-bert-base-uncased": Layout("bert.", False, (mlp,), (1,), "old"),
    "qiyuw/pcl-roberta-base": Layout("roberta.", False, (mlp,), (1,), "old"),
    # assumed of the same kind: pages show BertForCL and pickles, not the names inside
    "ffgcc/esimcse-bert-base-uncased": Layout("bert.", False, (mlp,), (1,), "old"),
    "ffgcc/esimcse-roberta-base": Layout("roberta.", False, (mlp,), (1,), "old"),
    "ffgcc/InfoCSE-bert-base": Layout("bert.", False, (projector, extra_layers, lm_head), (2,), "old"),
    "SupstarZh/whitenedcse-bert-base/unsup-whitenedcse-bert-base-uncased": Layout("bert.", False, (mlp,), (), "old"),
    "perceptiveshawty/rankcse-listmle-bert-base-uncased": Layout("bert.", False, (mlp,), (1,), "old"),
    "perceptiveshawty/rankcse-listnet-bert-base-uncased": Layout("bert.", False, (mlp,), (1,), "old"),
    # language models of which the tower is a part
    "google-bert/bert-base-uncased": Layout("bert.", True, (lm_head,), gamma_beta=True),
    "FacebookAI/roberta-base": Layout("roberta.", False, (lm_head,)),
    # safetensors on main since conversion 4 was merged; modules.json and 1_Pooling (stored pages)
    "sentence-transformers/bert-base-nli-mean-tokens": Layout(tokenizer="old", sentence_transformer=True),
    "sentence-transformers/roberta-base-nli-mean-tokens": Layout(tokenizer="old", sentence_transformer=True),
}


def write(root: Path, name: str, *, roberta: bool | None = None, layout: Layout | None = None) -> Path:
    """A repository under ``root/models`` and its plain tower under ``root/towers``; returns the latter.

    Args:
        name: ``owner/name``, perhaps with a subfolder; with ``@revision``, its weights are safetensors without a pull request,
            as at a commit that was chosen for them.
        roberta: which kind of tower; by default what the name says.
        layout: by default what is known of the name.
    """
    place, _, revision = name.partition("@")
    layout = layout or LAYOUTS.get(place) or Layout()
    layout = replace(layout, converted=()) if revision else layout
    roberta = "roberta" in place.lower() if roberta is None else roberta
    folder, plain = root / "models" / place, root / "towers" / name
    make = standin.roberta if roberta else standin.bert
    make(plain, layers=LAYERS, width=WIDTH, seed=zlib.crc32(name.encode()) % 1000)
    shutil.copytree(plain, folder)
    tower = load_file(folder / "model.safetensors")
    for key in [key for key in tower if "LayerNorm" in key]:  # all alike in a fresh model: a mix-up would not show
        generator = torch.Generator().manual_seed(zlib.crc32(f"{name} {key}".encode()))
        tower[key] += 0.2 * torch.randn(WIDTH, generator=generator)
    save_file(tower, plain / "model.safetensors", metadata={"format": "pt"})
    weights = released(tower, layout)
    (folder / "model.safetensors").unlink()
    if layout.converted:
        (folder / "pytorch_model.bin").write_bytes(b"a pickle, which nobody opens")
        for number in layout.converted:
            (folder / ".refs" / "pr" / str(number)).mkdir(parents=True)
            save_file(weights, folder / ".refs" / "pr" / str(number) / "model.safetensors", metadata={"format": "pt"})
    else:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _as_of_its_time(folder, layout, roberta)
    return plain


def released(tower: dict[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """The weights of a tower under the names of a released file, with what else that file holds."""
    kept = {name: weight for name, weight in tower.items() if layout.pooler or not name.startswith("pooler.")}
    if layout.gamma_beta:
        ends = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        for now, then in ends.items():
            kept = {name.replace(now, then): weight for name, weight in kept.items()}
    length = tower["embeddings.position_embeddings.weight"].shape[0]
    buffer = {"embeddings.position_ids": torch.arange(length)[None]}  # towers of that time saved it
    found = {layout.names + name: weight for name, weight in (kept | buffer).items()}
    for extra in layout.extras:
        found |= extra(kept)
    return {name: weight.contiguous().clone() for name, weight in found.items()}


def _as_of_its_time(folder: Path, layout: Layout, roberta: bool) -> None:
    """The small files as transformers 4.2 wrote them."""
    config = json.loads((folder / "config.json").read_text())
    for new in ("dtype", "tie_word_embeddings", "add_cross_attention", "is_decoder"):
        config.pop(new, None)
    family = "Roberta" if roberta else "Bert"
    kind = f"{family}ForCL" if layout.names and layout.converted else f"{family}Model"
    config |= {"_name_or_path": "result/my-model", "architectures": [kind], "transformers_version": "4.2.1"}
    config |= {"gradient_checkpointing": False, "position_embedding_type": "absolute"}
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    if layout.tokenizer != "new":
        _old_tokenizer(folder, layout.tokenizer == "bare", roberta)
    if layout.sentence_transformer:
        sentence_transformer(folder, "mean_tokens")


def _old_tokenizer(folder: Path, bare: bool, roberta: bool) -> None:
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    vocabulary = sorted(model["vocab"], key=model["vocab"].__getitem__)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)
    if roberta:
        (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
        pairs = (pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"])
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{pair}\n" for pair in pairs))
    else:
        (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in vocabulary))
    if not bare:
        settings = {"model_max_length": 126, "special_tokens_map_file": None, "name_or_path": "result/my-model"}
        settings |= {"tokenizer_file": "/home/somebody/.cache/tokenizer.json"}
        settings |= {"add_prefix_space": False} if roberta else {"do_lower_case": True, "do_basic_tokenize": True}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def sentence_transformer(folder: Path, mode: str, *more: str) -> None:
    """The files of sentence-transformers beside a tower, with one pooling and perhaps further modules."""
    kinds = ["Transformer", "Pooling", *more]
    places = ["", "1_Pooling", *(f"{2 + i}_{kind}" for i, kind in enumerate(more))]
    modules = [
        {"idx": i, "name": str(i), "path": place, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, place) in enumerate(zip(kinds, places, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    modes = {
        f"pooling_mode_{one}": one == mode for one in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": WIDTH, **modes}))


def nli(root: Path, pairs: list[tuple[str, str]]) -> None:
    """The hub's set of labelled NLI pairs, with these pairs in it."""
    folder = root / "datasets" / "sentence-transformers" / "all-nli"
    (folder / "pair-class").mkdir(parents=True)
    rows = ({"premise": a, "hypothesis": b, "label": i % 3} for i, (a, b) in enumerate(pairs))
    (folder / "pair-class" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: pair-class\n  data_files:\n  - split: train\n    path: pair-class/train*\n---\n"
    )
