"""Differences between paper and code that show without training: on the towers of stage 1 and their first batch.

Sizes: n sentences, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from jtcse.core.config import Stage2Settings
from jtcse.core.run import Run
from jtcse.data.corpus import LineCorpus
from jtcse.encoders.batches import Batch, make_batch, pad, token_ids
from jtcse.encoders.encoder import Encoder, TowerEncoder
from jtcse.encoders.loading import load_tower
from jtcse.experiments.ablations.grids import Cell, reading
from jtcse.experiments.ablations.switches import BASE, base_cell, switches
from jtcse.method.cross_attention import cael_layers, cross_streams
from jtcse.method.joint_training import loss_parts
from jtcse.method.losses import NEGATIVE_COSINE, cosine
from jtcse.method.twin import Twin

OTHER_WAY = "code/direction=II-I"
SENTENCES_AT_ONCE = 128


@dataclass(frozen=True)
class FirstStep:
    """Loss and gradient of the first batch under one reading, before any step was taken.

    ``ratio``: norm of its gradient over that of the base's; ``angle``: cosine between both gradients.
    """

    name: str
    loss: float
    ratio: float
    angle: float


def first_steps(run: Run) -> list[FirstStep]:
    """Every reading that changes the first gradient, on the same sentences, dropout masks and direction of ICNCE.

    The base comes first; then the base with ICNCE in its other direction; then the switches but for the learning rate.
    """
    base = base_cell(run.settings)
    cells = [switch.cell for switch in switches(run.settings) if not switch.name.startswith("learning_rate")]
    loss, reference = _gradient(run, base, 1)
    found = [FirstStep(BASE, loss, 1.0, 1.0)]
    for name, cell, direction in [(OTHER_WAY, base, 0), *((cell.id, cell, 1) for cell in cells)]:
        loss, gradient = _gradient(run, cell, direction)
        length = gradient.norm()
        angle = torch.dot(gradient, reference) / (length * reference.norm())
        found.append(FirstStep(name, loss, float(length / reference.norm()), float(angle)))
    return found


def _gradient(run: Run, cell: Cell, direction: int) -> tuple[float, Tensor]:
    """Loss, and its gradient by all weights of both towers in one vector."""
    from jtcse.experiments.ablations.train_cell import turned

    stage = turned(run.settings, cell).stage2
    (first, tokenizer), (second, _) = towers(run, stage.dropout)
    twin = Twin(first, second, cross_stream=stage.cross_stream, cael_count=stage.cael_count).train()
    batch = first_batch(run, tokenizer, stage).to(next(twin.parameters()).device)
    torch.manual_seed(run.seed("paper and code", "dropout") % 2**63)
    loss = sum(loss_parts(twin(batch), stage, direction).values())
    loss.backward()
    parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in twin.parameters()]
    return float(loss.detach()), torch.cat([part.flatten() for part in parts])


def towers(run: Run, dropout: float | None = None) -> list[tuple]:
    """Both towers of stage 1 with their tokenizers.

    Raises:
        UserError: one of them is not there.
    """
    return [load_tower(run.model(f"tower_{number}"), dropout=dropout) for number in (1, 2)]


def first_batch(run: Run, tokenizer, stage: Stage2Settings) -> Batch:
    """Sentences of the corpus, each twice, in one group: dropout masks are then drawn alike under every reading."""
    corpus = LineCorpus(run.text())
    rows = run.generator("paper and code").permutation(len(corpus))[: stage.batch_size]
    texts = [corpus[int(row)] for row in rows]
    return make_batch([texts, texts], tokenizer, stage.max_length)


class TwinEncoder:
    """The joint model as an encoder: [CLS] I + [CLS] II out of the twin's own forward pass, in fp32."""

    def __init__(self, twin: Twin, tokenizer, max_length: int) -> None:
        self.twin, self.tokenizer, self.max_length = twin.eval(), tokenizer, max_length

    @torch.inference_mode()
    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """(n, d) float32, in order."""
        found = []
        for start in range(0, len(sentences), SENTENCES_AT_ONCE):
            batch = make_batch([sentences[start : start + SENTENCES_AT_ONCE]], self.tokenizer, self.max_length)
            outputs = self.twin(batch.to(next(self.twin.parameters()).device))
            found.append((outputs["h_1"] + outputs["h_2"])[0].float().cpu().numpy())
        return np.concatenate(found)


def joint_encoder(run: Run, stream: str) -> Encoder:
    """The trained twin of the run as one model with a cross stream of that reading; ``none`` is two ordinary encoders."""
    folder, stage = run.model("twin"), run.settings.stage2
    (first, tokenizer), (second, _) = (load_tower(folder / f"tower_{number}") for number in (1, 2))
    twin = Twin(first, second, cross_stream=stream, cael_count=stage.cael_count)
    return TwinEncoder(twin, tokenizer, TowerEncoder(first, tokenizer).max_length)


def largest_difference(run: Run, sentences: Sequence[str]) -> dict[str, float]:
    """By reading of the cross stream, the largest absolute difference of any number of any vector between the joint model and
    the two encoders by themselves. Exactly 0 says that both are one at inference."""
    apart = joint_encoder(run, "none").encode(sentences)
    return {
        stream: float(np.abs(joint_encoder(run, stream).encode(sentences) - apart).max())
        for stream in ("last", "carried", "fed")
    }


@torch.inference_mode()
def clamped_share(run: Run, sentences: Sequence[str]) -> float:
    """Share of sentences for which the towers of stage 1 disagree so much that Eq. 13's cosine is under the clamp."""
    encoders = [TowerEncoder(model, tokenizer) for model, tokenizer in towers(run)]
    one, two = (torch.from_numpy(encoder.encode(sentences)) for encoder in encoders)
    return float((cosine(one, two) < NEGATIVE_COSINE).float().mean())


@torch.inference_mode()
def scale_cosine(run: Run, sentences: Sequence[str]) -> float:
    """Mean cosine between the cross stream with attention scaled by the head size (stock) and by the hidden size (Eq. 8).

    Only the cross stream is scaled otherwise; the towers' own streams stay as they are.
    """
    (first, tokenizer), (second, _) = towers(run)
    pair, config = (first, second), first.config
    ids = token_ids(sentences, tokenizer, run.settings.stage2.max_length)
    tokens, mask = (part.to(first.device) for part in pad(ids, tokenizer.pad_token_id))
    states = [t(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states for t in pair]
    caels = cael_layers(config.num_hidden_layers, run.settings.stage2.cael_count)
    stream = reading(run.settings) if reading(run.settings) != "fed" else "last"
    stock = cross_streams(pair, states, mask, caels, stream)
    scaled = cross_streams([_scaled(t, config.num_attention_heads**-0.5) for t in pair], states, mask, caels, stream)
    return float(torch.cat([cosine(a, b) for a, b in zip(stock, scaled, strict=True)]).mean())


def _scaled(tower, factor: float):
    """A copy of a tower whose attention logits are ``factor`` times as large."""
    copy = deepcopy(tower)
    for layer in copy.encoder.layer:
        layer.attention.self.query.weight *= factor
        layer.attention.self.query.bias *= factor
    return copy
