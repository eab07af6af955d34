"""Training and measuring one cell of a grid: the objectives are those of the stages, with what the cell changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jtcse.core.config import Settings, Training
from jtcse.core.errors import UserError
from jtcse.core.files import sha256
from jtcse.core.run import Run, derive_seed
from jtcse.data.corpus import LineCorpus, open_corpus, write_corpus
from jtcse.data.pairs import PairSet, evenly_spaced
from jtcse.encoders.batches import check_same_words
from jtcse.encoders.encoder import SumEncoder, TowerEncoder
from jtcse.encoders.loading import load_tower
from jtcse.evaluation.poolings import Known, pooled
from jtcse.evaluation.sts import TaskScore, score_sets
from jtcse.experiments.ablations.grids import FIRST_LAYER, READY, UNTRAINED, Cell
from jtcse.experiments.ablations.starting_towers import starts
from jtcse.experiments.stages import development, graded, open_system
from jtcse.method.joint_training import JTCSE
from jtcse.systems.simcse import SimCSE
from jtcse.training.trainer import train

SAMPLE = 100  # sentences for moduli and energies, as many as the paper's Fig. 8 has
ALL_POOLINGS = ("cls", "mean", "first_last", FIRST_LAYER, "pooler")


def turned(settings: Settings, cell: Cell) -> Settings:
    """The settings that a cell is trained with: its overrides, and the grids' own number of steps in stage 2.

    Where no part of the loss reads the cross stream, it is not computed: the readings that leave the towers alone cannot
    change anything then, and cells that differ in nothing else are one. So are ``last`` and ``carried`` with one layer.
    """
    values = settings.model_dump(mode="json")
    for name, value in cell.overrides.items():
        section, field = name.split(".")
        values[section][field] = value
    stage2 = values["stage2"]
    stage2["steps"] = settings.ablations.steps or stage2["steps"]
    if stage2["cross_stream"] in ("last", "carried") and "icnce" not in stage2["parts"]:
        stage2["cross_stream"] = "none"
    if stage2["cross_stream"] == "none":
        stage2["cael_count"] = settings.stage2.cael_count
    if stage2["cross_stream"] == "last":
        stage2 |= {"cross_stream": "carried", "cael_count": 1}  # the same, by definition
    return Settings.model_validate_json(json.dumps(values))


def text(run: Run, cell: Cell) -> Path:
    """The file of sentences that a cell is trained on, made if it is not there.

    Raises:
        UserError: no corpus, or nothing to take away from it.
    """
    own = run.workspace.data / "corpus.txt"
    if not own.is_file():
        raise UserError(
            f"no corpus at {own}; prepare the data first: jtcse reproduce --only data --profile {run.profile}"
        )
    if cell.text == "own":
        return own
    data = run.settings.data
    spec = json.dumps([cell.text, data.corpus, data.corpus_limit, data.pair_limit, sha256(own)])
    out = run.workspace.root / "variants" / f"text-{hashlib.sha256(spec.encode()).hexdigest()[:20]}.txt"
    if not out.is_file():
        _other_text(run, cell.text, own, out)
    return out


def _other_text(run: Run, kind: str, own: Path, out: Path) -> LineCorpus:
    spec, limit = run.settings.data.corpus, run.settings.data.corpus_limit
    if spec == "generated":
        added = _sentences(graded(run)[1][source_task(run)])
        return write_corpus([*LineCorpus(own), *added], out, name="the generated world and one graded set")
    if kind == "more":
        return open_corpus(f"{spec} + sickr-sentences", out, limit=limit)
    if spec == "train-sentences":
        from jtcse.data import senteval

        return write_corpus(
            senteval.sentences(["STS-B train"], senteval.members()), out, limit=limit, name="STS-B train"
        )
    kept = " + ".join(part for part in spec.split(" + ") if part.strip() != "sickr-sentences")
    if not kept:
        raise UserError(
            "data.corpus has nothing but sickr-sentences; Table VIII needs a text without them: add another"
        )
    return open_corpus(kept, out, limit=limit)


def source_task(run: Run) -> str:
    """The graded set whose sentences Table VIII adds: SICK-R; in the generated world captions, as SICK's sentences are.

    The first set stands in where a run has not that one.
    """
    _, sets = graded(run)
    return next((name for name in ("SICK-R", "captions") if name in sets), next(iter(sets)))


def _sentences(pairs: PairSet) -> list[str]:
    return list(dict.fromkeys([*pairs.first, *pairs.second]))


class HiddenModulus(JTCSE):
    """Stage 2 of Fig. 8: the modulus constraint reads [CLS] of the last hidden states in place of the pooler outputs."""

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """The named parts of Eq. 15 with p = h in Eq. 13."""
        return super().parts(outputs | {"p_1": outputs["h_1"], "p_2": outputs["h_2"]}, draw)


def remove_layer_norms(model, count: int) -> list[str]:
    """Replace every LayerNorm of the last ``count`` encoder layers of a stock tower by the identity.

    Returns:
        their names. Both of a layer go: after attention and after the feed-forward part.
    Raises:
        UserError: more layers than there are.
    """
    layers = model.encoder.layer
    if not 0 <= count <= len(layers):
        raise UserError(f"cannot take the LayerNorms out of {count} layers of a tower with {len(layers)}")
    names = []
    for number in range(len(layers) - count, len(layers)):
        inside = [name for name, module in layers[number].named_modules() if isinstance(module, nn.LayerNorm)]
        for name in inside:
            layers[number].set_submodule(name, nn.Identity())
        names += [f"encoder.layer.{number}.{name}" for name in inside]
    return names


def trained(run: Run, cell: Cell, seed: int | None, folder: Path) -> TowerEncoder | SumEncoder:
    """Train a cell, or open it where the workspace has it. Checkpoints go to ``folder``, and a killed training goes on there.

    Stage 1 is as long as the profile's and selected as there. A shortened stage 2 keeps its last weights: a choice among the
    few looks of a short run would hide what the cells differ in.
    """
    if cell.system in READY:
        return open_system(run, cell.system)
    places = starts(run, cell, seed)
    if cell.system in UNTRAINED:
        towers = [_encoder(run, *load_tower(place)) for place in places]
        return towers[0] if len(towers) == 1 else SumEncoder(towers)
    settings, corpus = turned(run.settings, cell), LineCorpus(text(run, cell))
    stage = settings.stage1 if cell.system == "simcse" else settings.stage2
    opened = [load_tower(place, dropout=stage.dropout) for place in places]
    for model, _ in opened:
        remove_layer_norms(model, cell.bare_layers)
    if cell.system == "simcse":
        objective = SimCSE(*opened[0], corpus, settings.stage1)
    else:
        (first, tokenizer), (second, other) = opened
        check_same_words(tokenizer, other)
        made = HiddenModulus if cell.modulus == "hidden" else JTCSE
        objective = made(first, second, tokenizer, corpus, settings.stage2)
    encoders = [_encoder(run, *o) for o in opened]
    encoder = encoders[0] if len(encoders) == 1 else SumEncoder(encoders)
    _train(run, cell, stage, objective, encoder, seed or 0, folder)
    return encoder


def _encoder(run: Run, model, tokenizer) -> TowerEncoder:
    return TowerEncoder(model, tokenizer, pooling=run.settings.encoder.pooling)


def _train(run: Run, cell: Cell, stage: Training, objective, encoder, seed: int, folder: Path) -> None:
    chosen = cell.system == "simcse" or run.settings.ablations.steps is None
    train(
        objective,
        stage,
        learning_rate=stage.tower_1.learning_rate if cell.system == "simcse" else stage.learning_rate,
        seed=derive_seed(seed, "ablation", cell.system == "simcse"),
        folder=folder,
        select=(lambda: development(run, encoder)) if chosen else None,
        precision=run.settings.run.precision,
        fingerprint=folder.parent.name,
        title=f"{cell.id}, seed {seed}",
    )


def measured(run: Run, cell: Cell, encoder) -> tuple[dict[str, dict[str, TaskScore]], dict]:
    """Scores by pooling and task, and facts: development score, moduli of [CLS], energies (Eq. 6).

    All poolings of Table XI are scored for the systems that it compares, the profile's own for every other.
    """
    from jtcse.evaluation.energy import energies

    corpus = LineCorpus(run.workspace.data / "corpus.txt")
    sample = [corpus[int(row)] for row in evenly_spaced(len(corpus), min(SAMPLE, len(corpus)))]
    towers = encoder.encoders if isinstance(encoder, SumEncoder) else [encoder]
    lengths = [np.linalg.norm(pooled([tower], sample, ["cls"])["cls"], axis=1) for tower in towers]
    facts = {
        "development": development(run, encoder, run.settings.ablations.pair_limit),
        "modulus": float(np.mean(lengths)),
        "modulus_variation": float(np.mean([one.std() / one.mean() for one in lengths])),
        "energy": energies(encoder, sample),
        "sample": len(sample),
    }
    own = run.settings.encoder.pooling
    if cell.system not in ("simcse", "twin", "distilled") or cell.text != "own":
        return {own: _scores(run, encoder)}, facts
    sets = _sets(run)
    sentences = list(dict.fromkeys(s for pairs in sets.values() for s in (*pairs.first, *pairs.second)))
    vectors = pooled(towers, sentences, list(dict.fromkeys([own, *ALL_POOLINGS])))
    return {name: _scores(run, Known(sentences, found)) for name, found in vectors.items()}, facts


def _scores(run: Run, encoder) -> dict[str, TaskScore]:
    return score_sets(encoder, _sets(run), resamples=run.settings.evaluation.resamples, seed=run.settings.run.seed)


def _sets(run: Run) -> dict[str, PairSet]:
    """The graded sets that cells are scored on."""
    _, sets = graded(run)
    return {name: pairs.thinned(run.settings.ablations.pair_limit) for name, pairs in sets.items()}
