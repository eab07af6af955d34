"""The stages of a reproduction, as the notebooks and the command line call them. Each reads and writes the run's workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jtcse.core.errors import UserError
from jtcse.core.run import Run
from jtcse.data.corpus import LineCorpus, PairCorpus, open_corpus, write_corpus, write_pairs
from jtcse.data.pairs import save_pair_set
from jtcse.encoders.batches import check_same_words
from jtcse.encoders.encoder import SumEncoder, open_encoder
from jtcse.encoders.loading import load_tower
from jtcse.experiments.names import SYSTEMS
from jtcse.experiments.train_once import Spec, graded, tower_encoder, tower_to_train, train_once, training_key
from jtcse.training.trainer import History


def prepare_data(run: Run) -> dict[str, int]:
    """Write corpus, round-trip translations (where a tower wants them) and, for the generated world, its graded pairs.

    Returns:
        counts to show: sentences, pairs of each translation, pairs of each graded set.
    Raises:
        UserError: a profile that trains nothing, whose records would pass for those of released weights.
    """
    if run.settings.scale == "checkpoints":
        raise UserError(
            f"profile {run.profile!r} only scores released weights; expected a profile that trains, such as embedded"
        )
    counts = _generated_data(run) if run.settings.data.corpus == "generated" else _real_data(run)
    development, sets = graded(run)
    return (
        counts | {"graded: development": len(development.gold)} | {f"graded: {k}": len(v.gold) for k, v in sets.items()}
    )


def _generated_data(run: Run) -> dict[str, int]:
    from jtcse.data import world

    data, seed, limit = run.workspace.data, run.settings.run.seed, run.settings.data.corpus_limit
    corpus = write_corpus(world.corpus(seed, limit), data / "corpus.txt", name="the generated world")
    for number, language in enumerate(run.settings.translation.languages, 1):
        write_round_trips(run, language, data / f"round_trip_{number}.tsv")
    for name, pairs in world.pair_sets(seed).items():
        save_pair_set(pairs, data / "pairs" / f"{name}.csv")
    return {"sentences": len(corpus), "round-trip pairs, each tower": limit}


def _real_data(run: Run) -> dict[str, int]:
    data, settings = run.workspace.data, run.settings
    corpus = open_corpus(settings.data.corpus, data / "corpus.txt", limit=settings.data.corpus_limit)
    counts = {"sentences": len(corpus)}
    for number, language in enumerate(settings.translation.languages, 1):
        if _tower(run, number).view == "round_trip":
            pairs = write_round_trips(run, language, data / f"round_trip_{number}.tsv")
            counts[f"round-trip pairs, tower {number}"] = len(pairs)
    return counts


def write_round_trips(run: Run, language: str, out: Path) -> PairCorpus:
    """Write the run's sentences with their translation into a language and back; a killed translation goes on there."""
    settings, translation = run.settings, run.settings.translation
    if settings.data.corpus == "generated":
        from jtcse.data import world

        return write_pairs(world.pairs(settings.run.seed, settings.data.corpus_limit, language), out)
    from jtcse.data.translate import round_trip

    corpus = LineCorpus(run.text())
    texts = [corpus[i] for i in range(min(len(corpus), translation.limit or len(corpus)))]
    more = {"batch_size": translation.batch_size, "beams": translation.beams, "precision": settings.run.precision}
    return round_trip(texts, language, out, **more)


def starting_encoder(run: Run) -> History:
    """Pre-train the generated encoder, or fetch the named one, into ``models/start``. A fetched one has an empty history."""
    settings = run.settings
    if settings.encoder.name != "generated":
        _save(tower_encoder(run, *load_tower(settings.encoder.name)), run.workspace.model("start"))
        return History()
    from jtcse.core.device import device
    from jtcse.data.world import vocabulary
    from jtcse.training.pretraining import MaskedLanguageModel, small_bert, word_tokenizer

    pretrain = settings.pretrain
    tokenizer = word_tokenizer(vocabulary(), pretrain.max_length)
    seed = run.seed("weights") % 2**63
    model = small_bert(settings.encoder, len(tokenizer), pretrain.max_length, pretrain.dropout or 0.0, seed).to(
        device()
    )
    objective = MaskedLanguageModel(model, tokenizer, LineCorpus(run.text()), pretrain)
    encoder = tower_encoder(run, model.bert, tokenizer)
    return _train(run, "start", "MLM", objective, encoder, selected=False, made_of=[run.text(), settings.encoder])


def train_tower(run: Run, number: int) -> History:
    """Stage 1: train sub-encoder 1 or 2 from ``models/start`` into ``models/tower_<number>``."""
    from jtcse.data.views import make_view
    from jtcse.systems.simcse import SimCSE

    settings, tower, start = run.settings.stage1, _tower(run, number), run.model("start")
    translated = tower.view == "round_trip"
    text = run.workspace.data / f"round_trip_{number}.tsv" if translated else run.text()
    view = make_view("dropout" if translated else tower.view, run.settings.data.view_rate)
    model, tokenizer = tower_to_train(start, settings, "stage1")
    objective = SimCSE(model, tokenizer, (PairCorpus if translated else LineCorpus)(text), settings, view)
    title, encoder = f"stage 1, tower {number} ({tower.view})", tower_encoder(run, model, tokenizer)
    made_of = [start, text, tower.view, run.settings.data.view_rate]
    return _train(run, f"tower_{number}", title, objective, encoder, rate=tower.learning_rate, made_of=made_of)


def train_twin(run: Run) -> History:
    """Stage 2: train both towers together by Eq. 15 into ``models/twin``."""
    from jtcse.method.joint_training import JTCSE

    settings, folders = run.settings.stage2, [run.model(f"tower_{number}") for number in (1, 2)]
    (first, tokenizer), (second, other) = (tower_to_train(folder, settings, "stage2") for folder in folders)
    check_same_words(tokenizer, other)
    objective = JTCSE(first, second, tokenizer, LineCorpus(run.text()), settings)
    encoder = SumEncoder([tower_encoder(run, model, tokenizer) for model in (first, second)])
    return _train(run, "twin", "stage 2, twin", objective, encoder, made_of=[*folders, run.text()])


def distil(run: Run) -> History:
    """Distil the twin into one tower, ``models/distilled``."""
    from jtcse.method.distillation import Distillation

    settings, twin = run.settings.distillation, run.model("twin")
    source = run.model("start" if settings.start == "encoder" else settings.start)
    model, tokenizer = tower_to_train(source, settings, "distillation")
    teacher = open_encoder(twin, max_length=settings.max_length)
    objective = Distillation(model, tokenizer, teacher, LineCorpus(run.text()), settings)
    encoder = tower_encoder(run, model, tokenizer)
    return _train(run, "distilled", "distillation", objective, encoder, made_of=[source, twin, run.text()])


def _train(run: Run, name: str, title: str, objective, encoder, *, made_of: list, selected=True, rate=None) -> History:
    """Train a stage and save its encoder. Its checkpoints stay: the same stage once more is read from there."""
    seed, folder = run.settings.run.seed, run.workspace.checkpoints / name
    key = training_key(run, made_of=made_of)
    history = train_once(run, Spec(title, objective, seed, (name,), folder, key, encoder if selected else None, rate))
    _save(encoder, run.workspace.model(name))
    return history


def _save(encoder, folder: Path) -> None:
    from accelerate import PartialState

    if PartialState().is_main_process:
        encoder.save(folder)
    PartialState().wait_for_everyone()


def open_system(run: Run, name: str, precision: str = "fp32"):
    """One of ``SYSTEMS`` as an encoder, out of the run's workspace, to be scored in a number format."""
    settings = {"pooling": run.settings.encoder.pooling, "precision": precision}
    if name == "sum":
        return SumEncoder([open_encoder(run.model(f"tower_{i}"), **settings) for i in (1, 2)])
    return open_encoder(run.model("twin" if name == "jtcse" else name), **settings)


@dataclass(frozen=True)
class Measured:
    """Scores of the run's systems on its graded sets: ``scores[system][task]`` is a ``TaskScore``."""

    scores: dict[str, dict]

    def metrics(self) -> list:
        """One metric a score and one an average over tasks, named ``system/task``."""
        from jtcse.evaluation.sts import average, metric

        found = []
        for system, scores in self.scores.items():
            found += [metric(f"{system}/{score.task}", score, score.n) for score in scores.values()]
            found.append(metric(f"{system}/average", average(scores), sum(score.n for score in scores.values())))
        return found


class _Once:
    """An encoder that keeps its last answer: the sum asks both towers for what they were asked before."""

    def __init__(self, encoder) -> None:
        self._encoder, self._asked, self._answer = encoder, None, None

    def encode(self, sentences: Sequence[str]):
        if sentences != self._asked:
            self._asked, self._answer = sentences, self._encoder.encode(sentences)
        return self._answer


def evaluate_all(run: Run, systems: Sequence[str] = tuple(SYSTEMS)) -> Measured:
    """Score systems on the graded sets; per-pair scores go to ``scores/<system>.npz``."""
    from jtcse.evaluation.sts import save_scores, score_sets

    evaluation, sets, measured = run.settings.evaluation, graded(run)[1], {}
    once = {name: _Once(open_system(run, name)) for name in systems if name not in ("sum", "jtcse")}
    for name in systems:
        together = name == "sum" and {"tower_1", "tower_2"} <= once.keys()
        encoder = (
            SumEncoder([once["tower_1"], once["tower_2"]]) if together else once.get(name) or open_system(run, name)
        )
        measured[name] = score_sets(encoder, sets, resamples=evaluation.resamples, seed=run.settings.run.seed)
        save_scores(run.workspace.scores / f"{name}.npz", measured[name])
    return Measured(measured)


def _tower(run: Run, number: int):
    return getattr(run.settings.stage1, f"tower_{number}")
