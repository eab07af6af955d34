"""One encoder under every choice of measuring that papers leave unsaid, one choice at a time.

A protocol says how sentences become vectors (pooling, longest input, text) and how pairs become a number (which pairs,
which average over subsets). ``measure`` starts from a base, turns each choice alone, and says how many points that moves.
Everything but one choice is computed in fp32: some of the effects are smaller than the rounding of bf16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jtcse.core.errors import check_choice
from jtcse.core.run import Run
from jtcse.encoders.loading import load_tower
from jtcse.evaluation.protocol.subsets import AVERAGES, difference, drawn_points, points
from jtcse.evaluation.protocol.texts import Material, Task, material
from jtcse.evaluation.protocol.token_vectors import Vectors
from jtcse.evaluation.statistics.spearman import Estimate, resampled_spearman
from jtcse.evaluation.sts import cosine

CHOICES: dict[str, dict[object, str]] = {
    "pooling": {
        "cls": "[CLS] of the last layer",
        "mean": "mean of all tokens, last layer",
        "mean_words": "mean without [CLS] and [SEP]",
        "first_last": "mean of last layer and embeddings",
        "first_last_1": "mean of last layer and layer 1",
        "pooler": "pooler output",
    },
    "max_length": {8: "8 tokens", 16: "16 tokens", 32: "32 tokens", 64: "64 tokens", 128: "128 tokens"},
    "text": {
        "lower": "lower-cased",
        "joined": "no blanks before punctuation",
        "spaced": "blanks around punctuation",
        "closed": "a full stop at every end",
        "mteb": "as mteb publishes the pairs",
    },
    "pairs": {"all": "all of SICK-R, not its test split"},
    "average": {"mean": "mean over subsets", "weighted": "mean weighted by size"},
    "precision": {"bf16": "matrix products in bf16"},
}
"""What can be chosen, and in which words a table says so."""
AVERAGE = "average"  # over the tasks that count, beside the names of tasks


@dataclass(frozen=True)
class Protocol:
    """How a score comes about. ``max_length`` None: all that the tower takes; ``text`` and ``pairs`` "filed": as they are."""

    pooling: str
    max_length: int | None = None
    text: str = "filed"
    pairs: str = "filed"
    average: str = "all"
    precision: str = "fp32"

    def __post_init__(self) -> None:
        check_choice("pooling", self.pooling, CHOICES["pooling"])


@dataclass(frozen=True)
class Choice:
    """A base protocol with one thing turned; ``name`` is ``pooling=mean`` and the like."""

    name: str
    words: str
    protocol: Protocol


@dataclass(frozen=True)
class Effect:
    """What a choice does to a task: the score, and how far it lies from the base's.

    ``moved`` is in points, new minus base, with the 95 % interval of a paired bootstrap where the pairs are the same, else
    NaN. ``touched`` is the share of the task's distinct sentences of which the encoder reads other tokens.
    """

    choice: str
    task: str
    points: float
    n: int
    moved: Estimate
    touched: float


def choices(base: Protocol, there: Material, longest: int) -> Iterator[Choice]:
    """Every choice that material and tower (``longest`` input in tokens) allow, but for the base's own values."""
    split = any(_is_split(task) for task in there.texts[base.text].values())
    allowed = {
        "pooling": CHOICES["pooling"].keys(),
        "max_length": [length for length in CHOICES["max_length"] if length < (base.max_length or longest)],
        "text": there.texts,
        "pairs": there.pairs,
        "average": AVERAGES if split else (),
        "precision": CHOICES["precision"],
    }
    for name, values in CHOICES.items():
        for value, words in values.items():
            if value in allowed[name] and value != getattr(base, name):
                yield Choice(f"{name}={value}", words, replace(base, **{name: value}))


def _is_split(task: Task) -> bool:
    return len(set(task.subset.tolist())) > 1


def open_material(run: Run) -> Material:
    """The graded sets of a run in every text."""
    data = run.settings.data
    folder = run.workspace.data / "pairs" if data.pair_sets == "generated" else None
    return material(data.pair_sets, folder, run.settings.evaluation.tasks, data.pair_limit)


def bases(run: Run) -> list[Protocol]:
    """From where choices are turned: the profile's own pooling, and the mean of all tokens."""
    own = {"avg": "mean"}.get(run.settings.encoder.pooling, run.settings.encoder.pooling)
    return [Protocol(pooling) for pooling in dict.fromkeys((own, "mean"))]


def open_vectors(run: Run) -> Vectors:
    """The encoder that the run's training starts from."""
    return Vectors(*load_tower(run.model("start")), always=[base.pooling for base in bases(run)])


def measure(vectors: Vectors, there: Material, base: Protocol, *, resamples: int = 1000, seed: int = 0) -> list[Effect]:
    """The base's scores and every choice's, task by task and on average.

    Args:
        there: from ``material``.
        resamples, seed: of the bootstrap over pairs; all choices of a task share its draws.
    Returns:
        effects named ``base`` first; then one a choice and task that the choice concerns, and one a choice for the average
        over the tasks that count (``AVERAGE``).
    """
    turned = [Choice("base", "the base", base), *choices(base, there, vectors.longest)]
    tasks, poolings = there.tasks(base.text, base.pairs), {c.protocol.pooling for c in turned}
    sentences = list(dict.fromkeys(s for task in tasks.values() for s in (*task.first, *task.second)))
    vectors.prepare(vectors.tokens(sentences, base.max_length), sorted(poolings))
    by_task = {
        name: _of_task(vectors, there, name, turned, resamples, np.random.default_rng((seed, number)))
        for number, name in enumerate(tasks)
    }
    counted = {name: found for name, found in by_task.items() if tasks[name].counted}
    effects = []
    for choice in turned:
        effects += [found[choice.name][0] for found in by_task.values() if choice.name in found]
        if any(choice.name in found for found in counted.values()):
            effects.append(_on_average(choice.name, counted, resamples))
    return effects


Drawn = tuple[Effect, np.ndarray]  # an effect and its resampled differences, (resamples,) points


def _of_task(
    vectors: Vectors, there: Material, name: str, turned: Sequence[Choice], resamples: int, rng: np.random.Generator
) -> dict[str, Drawn]:
    """Every choice that concerns one task; the three kinds of choices need three kinds of comparison."""
    base, (one, two) = turned[0].protocol, rng.spawn(2)
    task = there.tasks(base.text, base.pairs)[name]
    pairs = [c for c in turned if c.protocol.pairs != base.pairs and name in there.pairs[c.protocol.pairs]]
    averages = [c for c in turned if c.protocol.average != base.average]
    others = [c for c in turned if c.protocol.pairs == base.pairs and c.protocol.average == base.average]
    others = others if task.counted else others[:1]
    read = {
        c.name: _Reading(vectors, there.tasks(c.protocol.text, c.protocol.pairs)[name], c.protocol)
        for c in (*others, *pairs)
    }
    found = _same_pairs([c.name for c in others], read, resamples, one)
    if averages and _is_split(task):
        found |= _other_average(averages, read["base"], resamples, two)
    for choice in pairs:
        moved = Estimate(read[choice.name].points - read["base"].points, np.nan, np.nan)
        found[choice.name] = read[choice.name].effect(choice.name, moved, np.nan), np.full(resamples, np.nan)
    return found


class _Reading:
    """A task as a protocol reads it: tokens of both sides, similarities (n,), points."""

    def __init__(self, vectors: Vectors, task: Task, protocol: Protocol) -> None:
        self.task = task
        self.tokens = [vectors.tokens(side, protocol.max_length) for side in (task.first, task.second)]
        self.similarity = cosine(*(vectors(side, protocol.pooling, protocol.precision) for side in self.tokens))
        self.points = points(self.similarity, task.gold, task.subset, protocol.average)

    def touched(self, other: _Reading) -> float:
        """Share of the sentences of which the encoder reads other tokens."""
        pairs = zip(self.tokens[0] + self.tokens[1], other.tokens[0] + other.tokens[1], strict=True)
        return float(np.mean([a != b for a, b in pairs]))

    def effect(self, choice: str, moved: Estimate, touched: float) -> Effect:
        """These points as the effect of a choice."""
        return Effect(choice, self.task.name, self.points, len(self.task), moved, touched)


def _same_pairs(
    names: Sequence[str], read: Mapping[str, _Reading], resamples: int, rng: np.random.Generator
) -> dict[str, Drawn]:
    base = read[names[0]]
    distinct = {read[name].similarity.tobytes(): read[name].similarity for name in names}
    draws = resampled_spearman(list(distinct.values()), base.task.gold, resamples, rng)
    rows, found = dict(zip(distinct, 100 * draws, strict=True)), {}
    for name in names:
        drawn = rows[read[name].similarity.tobytes()] - rows[base.similarity.tobytes()]
        moved = difference(read[name].points - base.points, drawn)
        found[name] = read[name].effect(name, moved, read[name].touched(base)), drawn
    return found


def _other_average(
    averages: Sequence[Choice], base: _Reading, resamples: int, rng: np.random.Generator
) -> dict[str, Drawn]:
    task, found = base.task, {}
    draws = drawn_points(base.similarity, task.gold, task.subset, resamples, rng)
    for choice in averages:
        how = choice.protocol.average
        value, drawn = points(base.similarity, task.gold, task.subset, how), draws[how] - draws["all"]
        moved = difference(value - base.points, drawn)
        found[choice.name] = Effect(choice.name, task.name, value, len(task), moved, 0.0), drawn
    return found


def _on_average(choice: str, by_task: Mapping[str, Mapping[str, Drawn]], resamples: int) -> Effect:
    """The mean over tasks; a task that the choice does not concern stays as it is."""
    chosen = [found.get(choice, (found["base"][0], np.zeros(resamples))) for found in by_task.values()]
    effects = [effect for effect, _ in chosen]
    value = float(np.mean([effect.moved.points for effect in effects]))
    return Effect(
        choice,
        AVERAGE,
        float(np.mean([effect.points for effect in effects])),
        sum(effect.n for effect in effects),
        difference(value, np.mean([drawn for _, drawn in chosen], axis=0)),
        float(np.mean([effect.touched for effect in effects])),
    )
