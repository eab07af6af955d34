"""The stages of a reproduction, as the notebooks and the command line call them. Each reads and writes the run's workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jtcse.core.config import Training
from jtcse.core.errors import UserError
from jtcse.core.files import sha256
from jtcse.core.run import Run
from jtcse.data.corpus import LineCorpus, PairCorpus, open_corpus, write_corpus, write_pairs
from jtcse.data.pairs import PairSet, load_development, load_pair_sets, save_pair_set
from jtcse.encoders.batches import check_same_words
from jtcse.encoders.encoder import SumEncoder, TowerEncoder, open_encoder
from jtcse.encoders.loading import load_tower, usable_positions
from jtcse.experiments.names import NAMES as NAMES
from jtcse.experiments.names import SYSTEMS
from jtcse.training.trainer import History, train


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
        write_pairs(world.pairs(seed, limit, language), data / f"round_trip_{number}.tsv")
    for name, pairs in world.pair_sets(seed).items():
        save_pair_set(pairs, data / "pairs" / f"{name}.csv")
    return {"sentences": len(corpus), "round-trip pairs, each tower": limit}


def _real_data(run: Run) -> dict[str, int]:
    data, settings = run.workspace.data, run.settings
    corpus = open_corpus(settings.data.corpus, data / "corpus.txt", limit=settings.data.corpus_limit)
    counts = {"sentences": len(corpus)}
    for number, language in enumerate(settings.translation.languages, 1):
        if _tower(run, number).view == "round_trip":
            counts[f"round-trip pairs, tower {number}"] = _translate(run, corpus, number, language)
    return counts


def _translate(run: Run, corpus: LineCorpus, number: int, language: str) -> int:
    from jtcse.data.translate import round_trip

    settings = run.settings.translation
    size = min(len(corpus), settings.limit or len(corpus))
    out = run.workspace.data / f"round_trip_{number}.tsv"
    more = {"batch_size": settings.batch_size, "beams": settings.beams, "precision": run.settings.run.precision}
    round_trip([corpus[i] for i in range(size)], language, out, **more)
    return len(PairCorpus(out))


def graded(run: Run) -> tuple[PairSet, dict[str, PairSet]]:
    """The development set and the graded sets of a run's profile."""
    data = run.settings.data
    folder = run.workspace.data / "pairs" if data.pair_sets == "generated" else None
    sets = load_pair_sets(data.pair_sets, folder=folder, names=run.settings.evaluation.tasks, limit=data.pair_limit)
    return load_development(data.pair_sets, folder=folder, limit=data.pair_limit), sets


def starting_encoder(run: Run) -> History:
    """Pre-train the generated encoder, or fetch the named one, into ``models/start``. A fetched one has an empty history."""
    settings, folder = run.settings, run.workspace.model("start")
    if settings.encoder.name != "generated":
        model, tokenizer = load_tower(settings.encoder.name)
        _save(TowerEncoder(model, tokenizer, pooling=settings.encoder.pooling), folder)
        return History()
    from jtcse.core.device import device
    from jtcse.data.world import vocabulary
    from jtcse.training.pretraining import MaskedLanguageModel, small_bert, word_tokenizer

    tokenizer = word_tokenizer(vocabulary(), settings.pretrain.max_length)
    model = small_bert(
        settings.encoder,
        len(tokenizer),
        settings.pretrain.max_length,
        settings.pretrain.dropout or 0.0,
        run.seed("weights") % 2**63,
    ).to(device())
    objective = MaskedLanguageModel(model, tokenizer, _corpus(run), settings.pretrain)
    history = _train(run, "start", objective, settings.pretrain, settings.pretrain.learning_rate, None, "MLM")
    _save(TowerEncoder(model.bert, tokenizer, pooling=settings.encoder.pooling), folder)
    return history


def train_tower(run: Run, number: int) -> History:
    """Stage 1: train sub-encoder 1 or 2 from ``models/start`` into ``models/tower_<number>``."""
    from jtcse.data.views import make_view
    from jtcse.systems.simcse import SimCSE

    settings, tower, name = run.settings.stage1, _tower(run, number), f"tower_{number}"
    model, tokenizer = _to_train(_needed(run, "start"), settings)
    if tower.view == "round_trip":
        corpus, view = (
            PairCorpus(run.workspace.data / f"round_trip_{number}.tsv"),
            make_view("dropout", run.settings.data.view_rate),
        )
    else:
        corpus, view = _corpus(run), make_view(tower.view, run.settings.data.view_rate)
    objective = SimCSE(model, tokenizer, corpus, settings, view)
    encoder = _tower_encoder(run, model, tokenizer)
    history = _train(
        run,
        name,
        objective,
        settings,
        tower.learning_rate,
        encoder,
        f"stage 1, tower {number} ({tower.view})",
        extra=(tower.view, sha256(_needed(run, "start"))),
    )
    _save(encoder, run.workspace.model(name))
    return history


def train_twin(run: Run) -> History:
    """Stage 2: train both towers together by Eq. 15 into ``models/twin``."""
    from jtcse.method.joint_training import JTCSE

    settings = run.settings.stage2
    folders = [_needed(run, f"tower_{i}") for i in (1, 2)]
    (first, tokenizer), (second, other) = (_to_train(folder, settings) for folder in folders)
    check_same_words(tokenizer, other)
    objective = JTCSE(first, second, tokenizer, _corpus(run), settings)
    encoder = SumEncoder([_tower_encoder(run, model, tokenizer) for model in (first, second)])
    history = _train(
        run,
        "twin",
        objective,
        settings,
        settings.learning_rate,
        encoder,
        "stage 2, twin",
        extra=tuple(sha256(folder) for folder in folders),
    )
    _save(encoder, run.workspace.model("twin"))
    return history


def distil(run: Run) -> History:
    """Distil the twin into one tower, ``models/distilled``."""
    from jtcse.method.distillation import Distillation

    settings = run.settings.distillation
    source = _needed(run, "start" if settings.start == "encoder" else settings.start)
    model, tokenizer = _to_train(source, settings)
    teacher = open_encoder(_needed(run, "twin"), max_length=settings.max_length, precision=run.settings.run.precision)
    objective = Distillation(model, tokenizer, teacher, _corpus(run), settings)
    encoder = _tower_encoder(run, model, tokenizer)
    history = _train(
        run,
        "distilled",
        objective,
        settings,
        settings.learning_rate,
        encoder,
        "distillation",
        extra=(sha256(source), sha256(_needed(run, "twin"))),
    )
    _save(encoder, run.workspace.model("distilled"))
    return history


def open_system(run: Run, name: str, precision: str = "fp32"):
    """One of ``SYSTEMS`` as an encoder, out of the run's workspace, to be scored in a number format."""
    settings = {"pooling": run.settings.encoder.pooling, "precision": precision}
    if name == "sum":
        return SumEncoder([open_encoder(_needed(run, f"tower_{i}"), **settings) for i in (1, 2)])
    return open_encoder(_needed(run, "twin" if name == "jtcse" else name), **settings)


@dataclass(frozen=True)
class Measured:
    """Scores of the run's systems on its graded sets: ``scores[system][task]`` is a ``TaskScore``."""

    scores: dict[str, dict]

    def metrics(self) -> list:
        """One metric a score and one an average over tasks, named ``system/task``."""
        from jtcse.core.record import Metric
        from jtcse.evaluation.sts import average

        found = []
        for system, scores in self.scores.items():
            found += [
                Metric(name=f"{system}/{s.task}", value=s.points, n=s.n, low=s.low, high=s.high)
                for s in scores.values()
            ]
            mean = average(scores)
            found.append(
                Metric(
                    name=f"{system}/average",
                    value=mean.points,
                    n=sum(s.n for s in scores.values()),
                    low=mean.low,
                    high=mean.high,
                )
            )
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

    _, sets = graded(run)
    once = {name: _Once(open_system(run, name)) for name in systems if name not in ("sum", "jtcse")}
    measured = {}
    for name in systems:
        together = name == "sum" and {"tower_1", "tower_2"} <= once.keys()
        encoder = (
            SumEncoder([once["tower_1"], once["tower_2"]]) if together else once.get(name) or open_system(run, name)
        )
        measured[name] = score_sets(
            encoder, sets, resamples=run.settings.evaluation.resamples, seed=run.settings.run.seed
        )
        save_scores(run.workspace.scores / f"{name}.npz", measured[name])
    return Measured(measured)


def _tower(run: Run, number: int):
    return getattr(run.settings.stage1, f"tower_{number}")


def _to_train(folder: Path, settings: Training):
    """A tower with the stage's dropout; refused where the stage's sentences are longer than its positions."""
    model, tokenizer = load_tower(folder, dropout=settings.dropout)
    if settings.max_length > usable_positions(model):
        raise UserError(
            f"max_length is {settings.max_length} but {folder} takes at most {usable_positions(model)} tokens; "
            "set a smaller max_length for this stage"
        )
    return model, tokenizer


def _tower_encoder(run: Run, model, tokenizer) -> TowerEncoder:
    return TowerEncoder(model, tokenizer, pooling=run.settings.encoder.pooling)


def _corpus(run: Run) -> LineCorpus:
    path = run.workspace.data / "corpus.txt"
    if not path.is_file():
        raise UserError(
            f"no corpus at {path}; prepare the data first: jtcse reproduce --only data --profile {run.profile}"
        )
    return LineCorpus(path)


def _needed(run: Run, name: str) -> Path:
    folder = run.workspace.model(name)
    if not folder.is_dir():
        stage = {"start": "encoder", "tower_1": "stage1", "tower_2": "stage1", "twin": "stage2"}.get(
            name, "distillation"
        )
        raise UserError(f"no model at {folder}; make it first: jtcse reproduce --only {stage} --profile {run.profile}")
    return folder


def _train(
    run: Run, name: str, objective, settings: Training, rate: float, encoder, title: str, extra: tuple = ()
) -> History:
    fingerprint = "/".join((sha256(run.workspace.data / "corpus.txt"), *extra))
    return train(
        objective,
        settings,
        learning_rate=rate,
        seed=run.seed(name),
        folder=run.workspace.checkpoints / name,
        select=None if encoder is None else lambda: development(run, encoder),
        precision=run.settings.run.precision,
        fingerprint=fingerprint,
        title=title,
    )


def development(run: Run, encoder, limit: int | None = None) -> float:
    """Spearman correlation on at most ``limit`` development pairs in points, without the interval that it has no use for."""
    from jtcse.evaluation.statistics.spearman import spearman
    from jtcse.evaluation.sts import cosine

    pairs = graded(run)[0].thinned(limit)
    vectors = encoder.encode([*pairs.first, *pairs.second])
    return 100 * spearman(cosine(vectors[: len(pairs)], vectors[len(pairs) :]), pairs.gold)


def _save(encoder, folder: Path) -> None:
    from accelerate import PartialState

    if PartialState().is_main_process:
        encoder.save(folder)
    PartialState().wait_for_everyone()
