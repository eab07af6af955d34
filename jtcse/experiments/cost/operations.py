"""What the stages of a profile take before they are run: operations, and the time of them at a rate of matrix products.

An operation is a multiplication or an addition of a matrix product, two a MAC (``evaluation/cost.py``), forward and backward. Not
counted: padding, sums, norms, embeddings, the losses, statistics and pages; they make the achieved share of a rate
(``forecast.share``) smaller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from jtcse.core.config import Settings, Training
from jtcse.core.errors import UserError, check_choice

REFERENCE_RATE = 150.0
"""GFLOP/s, as ``report`` measures them, on the machine of the profiles' ``minutes``: two cores with AVX2."""

if TYPE_CHECKING:
    from jtcse.evaluation.cost import Shape

LAYER_SECONDS = 1.8e-3
"""Seconds of a layer in a training step, however narrow: calls of the library, not arithmetic. The least of 60 steps of a
twelve-layer tower of width 16 on one thread of the reference machine (``doctor.REFERENCE_RATE``), 2026-11-21, divided by 12."""
VIEWS = 2  # of a sentence, in stage 1 and stage 2


class Text(NamedTuple):
    """Distinct sentences, and their mean length in tokens with the two special ones, as BERT's vocabulary cuts them."""

    sentences: int
    tokens: float


CORPORA = {
    "generated": Text(30_000, 14.3),  # counted in the profile 'embedded', with its own vocabulary
    "train-sentences": Text(15_320, 13.9),  # counted
    "sickr-sentences": Text(6_077, 12.3),  # counted
    "princeton-nlp/datasets-for-simcse:wiki1m_for_simcse.txt": Text(1_000_000, 23.8),  # length: another such text
}
GRADED = {"generated": Text(6_997, 14.0), "senteval": Text(26_083, 14.3)}  # all seven sets together, counted
DEVELOPMENT = {"generated": Text(1_000, 13.6), "senteval": Text(2_909, 16.4)}  # counted
SETS = 7


@dataclass(frozen=True)
class Work:
    """``operations`` of matrix products, and ``layers``: how often a layer was trained on a group of sentences."""

    operations: float = 0.0
    layers: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.operations + other.operations, self.layers + other.layers)

    def __mul__(self, times: float) -> Work:
        return Work(self.operations * times, self.layers * times)

    def seconds(self, rate: float, share: float) -> float:
        """At a rate of matrix products (GFLOP/s, as ``jtcse doctor`` measures it) of which a share is achieved."""
        return self.operations / (1e9 * rate * share) + self.layers * LAYER_SECONDS


# -- sizes -----------------------------------------------------------------------------------------------------


def shape_of(settings: Settings) -> Shape:
    """Sizes of a tower: of the generated encoder, or told by the encoder's name.

    Raises:
        UserError: a name that does not tell them.
    """
    from jtcse.evaluation.cost import Shape
    from jtcse.experiments.ablations.grids import depth_of

    name, own = settings.encoder.name, settings.encoder
    if name == "generated":
        return Shape(own.width, own.layers, 4 * own.width)
    if named := re.search(r"_H-(\d+)", name):
        width = int(named[1])
    elif named := re.search(r"MiniLM|base|large", name):
        width = {"MiniLM": 384, "base": 768, "large": 1024}[named[0]]
    else:
        raise UserError(
            f"the name of encoder {name!r} does not tell its width; expected one with base, large, MiniLM or _H-<width> in it"
        )
    return Shape(width, depth_of(settings), 4 * width)


def corpus_of(settings: Settings) -> Text:
    """The text of a profile: sources put together, cut to its limit.

    Raises:
        UserError: a source of unknown size.
    """
    sources = [part.strip() for part in settings.data.corpus.split(" + ")]
    for source in sources:
        check_choice("text of known size", source, CORPORA)
    found = [CORPORA[source] for source in sources]
    count = sum(text.sentences for text in found)
    tokens = sum(text.sentences * text.tokens for text in found) / count
    return Text(min(count, settings.data.corpus_limit or count), tokens)


def _sized(texts: dict[str, Text], settings: Settings) -> Text:
    return texts["generated" if settings.data.pair_sets == "generated" else "senteval"]


# -- stages ----------------------------------------------------------------------------------------------------


def _forward(settings: Settings, text: Text, sentences: float) -> Work:
    """Some sentences of the mean length of a text through one tower."""
    from jtcse.evaluation.cost import tower_macs

    return Work(2 * sentences * tower_macs(shape_of(settings), text.tokens))


def steps_of(stage: Training, settings: Settings) -> int:
    """Steps of a stage; where none are set those of one pass over the text."""
    return stage.steps or max(1, corpus_of(settings).sentences // stage.batch_size)


def _trained(stage: Training, settings: Settings, views: int, towers: int = 1, looks: bool = True) -> Work:
    """Forward and backward of every step, and looks at the development set: before, every so often, and at the end."""
    from jtcse.evaluation.cost import TRAINING

    steps = steps_of(stage, settings)
    work = _forward(settings, corpus_of(settings), TRAINING * towers * views * stage.batch_size * steps)
    work += Work(layers=steps * towers * stage.length_groups * shape_of(settings).layers)
    development = _sized(DEVELOPMENT, settings)
    times = 1 + -(-steps // stage.evaluate_every) if looks else 0
    return work + _forward(settings, development, times * towers * development.sentences)


def pretraining(settings: Settings) -> Work:
    """The generated encoder; its head over the words is not counted."""
    return _trained(settings.pretrain, settings, views=1, looks=False)


def stage1(settings: Settings) -> Work:
    """One sub-encoder."""
    return _trained(settings.stage1, settings, VIEWS)


def stage2(settings: Settings, looks: bool = True) -> Work:
    """The twin with its cross stream."""
    from jtcse.evaluation.cost import TRAINING, cross_macs

    stage, text = settings.stage2, corpus_of(settings)
    sentences = VIEWS * stage.batch_size * steps_of(stage, settings)
    added = cross_macs(shape_of(settings), text.tokens, stage.cross_stream, stage.cael_count)
    return _trained(stage, settings, VIEWS, towers=2, looks=looks) + Work(2 * TRAINING * sentences * added)


def distillation(settings: Settings) -> Work:
    """The student, and its teacher's two towers forward."""
    stage = settings.distillation
    teacher = _forward(settings, corpus_of(settings), 2 * stage.batch_size * steps_of(stage, settings))
    return _trained(stage, settings, views=1) + teacher


def scoring(settings: Settings, towers: int, limit: int | None = None) -> Work:
    """The graded sets through some towers; ``limit``: pairs of each set."""
    text = _sized(GRADED, settings)
    sentences = min(text.sentences, 2 * SETS * limit) if limit else text.sentences
    return _forward(settings, text, towers * sentences)
