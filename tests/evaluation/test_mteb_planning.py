"""What --plan says before anything is downloaded: texts as the tasks embed them, sums, minutes, what is done or missing."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st
from rich.console import Console

from jtcse.evaluation.mteb import planning
from jtcse.evaluation.mteb.loading import Missing
from jtcse.evaluation.mteb.planning import Rate, Step, plan, show, throughput
from jtcse.evaluation.mteb.sizes import Size, size_of
from jtcse.evaluation.mteb.tasks import LISTS, Wanted, opened, wanted


class Counting:
    """An encoder that keeps what it is given."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def encode(self, sentences) -> np.ndarray:
        self.seen.update(sentences)
        return np.random.default_rng(0).normal(size=(len(sentences), 4)).astype(np.float32)


# -- texts, beside what mteb really embeds ------------------------------------------------------------------------

LANGUAGES = ("deu_Latn", "eng_Latn", "fra_Latn")
SUBSETS = {
    "MassiveIntentClassification": ("da", "de", "en"),
    "STS17": ("en-en", "es-en", "fr-en"),
    "NTREXBitextMining": tuple(f"{a}-{b}" for a in LANGUAGES for b in LANGUAGES if a != b),
    "XQuADRetrieval": ("de", "en", "es"),
}
"""All subsets that the tasks of this module's world have."""


def texts(what: str, many: int) -> list[str]:
    return [f"{what} {'very ' * (i % 3)}number {i}" for i in range(many)]


def labelled(what: str, many: int, labels: int):
    from datasets import Dataset

    return Dataset.from_dict({"text": texts(what, many), "label": [i % labels for i in range(many)]})


def banking(rows: int = 24, labels: int = 3):
    from datasets import DatasetDict

    return DatasetDict(train=labelled("train", rows, labels), test=labelled("test", 10, labels))


def massive():
    from datasets import DatasetDict

    splits = {"train": 16, "validation": 5, "test": 7}
    return {
        language: DatasetDict({split: labelled(language * (i + 1) + split, n, 2) for split, n in splits.items()})
        for i, language in enumerate(SUBSETS["MassiveIntentClassification"])
    }


def sts17(english: bool = False):
    """Seven pairs a subset; ``english``: five second sentences are the same in all of them."""
    from datasets import Dataset

    data = {}
    for i, name in enumerate(SUBSETS["STS17"]):
        left, right = texts(name * (i + 1), 7), texts(f"other {name * (i + 1)}", 7)
        right = [*texts("same", 5), *right[:2]] if english else right
        scores = [float(n % 5) for n in range(7)]
        data[name] = {"test": Dataset.from_dict({"sentence1": left, "sentence2": right, "score": scores})}
    return data


def ntrex():
    from datasets import Dataset

    return {"test": Dataset.from_dict({name: texts(name * (i + 1), 4) for i, name in enumerate(LANGUAGES)})}


def xquad():
    from datasets import Dataset

    def split(what: str) -> dict:
        documents, queries = texts(f"document {what}", 9), texts(f"query {what}", 4)
        corpus = {"id": [f"d{i}" for i in range(9)], "title": [""] * 9, "text": documents}
        asked = Dataset.from_dict({"id": [f"q{i}" for i in range(4)], "text": queries})
        relevant = {f"q{i}": {f"d{i}": 1} for i in range(4)}
        return {"corpus": Dataset.from_dict(corpus), "queries": asked, "relevant_docs": relevant, "top_ranked": None}

    return {name: {"validation": split(name * (i + 1))} for i, name in enumerate(SUBSETS["XQuADRetrieval"])}


DATA = {
    "Banking77Classification": banking,
    "MassiveIntentClassification": massive,
    "STS17": sts17,
    "NTREXBitextMining": ntrex,
    "XQuADRetrieval": xquad,
}


@pytest.fixture
def made(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """Tasks of mteb on made data, with the statistics that mteb itself makes of them: (name, data, subsets) -> task."""
    from mteb.abstasks.task_metadata import TaskMetadata

    monkeypatch.setattr(TaskMetadata, "descriptive_stat_path", property(lambda self: tmp_path / f"{self.name}.json"))

    def with_data(name: str, data, subsets: tuple[str, ...] = ()):
        metadata = opened(Wanted(name)).metadata
        if name in SUBSETS:
            monkeypatch.setattr(metadata, "eval_langs", {one: metadata.eval_langs[one] for one in SUBSETS[name]})
        whole = opened(Wanted(name))
        whole.dataset, whole.data_loaded = data, True
        whole.calculate_descriptive_statistics(overwrite_results=True)
        task = opened(Wanted(name, subsets))
        task.dataset, task.data_loaded = data, True
        return task

    return with_data


def embedded(task) -> set[str]:
    """The distinct texts that an evaluation by mteb gives to the encoder."""
    import mteb

    from jtcse.evaluation.mteb.adapter import MtebEncoder

    encoder = Counting()
    model = MtebEncoder(encoder, "counting", "0")
    mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False)
    return encoder.seen


@pytest.mark.parametrize(
    ("name", "subsets"),
    [
        ("Banking77Classification", ()),
        ("MassiveIntentClassification", ("da", "de")),  # two splits, whose training rows are the same
        ("STS17", ("en-en", "es-en")),
        ("STS17", ()),
        ("NTREXBitextMining", ("deu_Latn-eng_Latn", "eng_Latn-deu_Latn")),
        ("NTREXBitextMining", ()),
        ("XQuADRetrieval", ("de", "es")),
    ],
)
def test_texts_and_characters_are_those_that_mteb_gives_to_the_encoder(made, name, subsets):
    task = made(name, DATA[name](), subsets)
    size, seen = size_of(task), embedded(task)
    assert size == Size(len(seen), sum(map(len, seen)))


def test_sentences_that_many_subsets_have_count_once_where_all_are_wanted(made):
    task = made("STS17", sts17(english=True))
    assert size_of(task).texts == len(embedded(task))


@pytest.mark.parametrize(("rows", "labels"), [(300, 3), (90, 9), (900, 2)])
def test_training_rows_are_about_those_that_the_draws_hit(made, rows, labels):
    task = made("Banking77Classification", banking(rows, labels))
    drawn = len(embedded(task)) - 10
    assert size_of(task).texts - 10 == pytest.approx(drawn, rel=0.08)


@pytest.mark.parametrize("name", ["Banking77Classification", "STS17", "NTREXBitextMining", "XQuADRetrieval"])
def test_with_a_limit_texts_are_at_most_half_again_those_of_the_cut_task(made, name):
    from jtcse.evaluation.mteb import limits

    task = made(name, DATA[name]())
    told, whole = size_of(task, 3), size_of(task)
    limits.cut(task, 3)
    seen = len(embedded(task))
    assert seen <= told.texts <= 1.5 * seen
    assert told.texts < whole.texts


def test_a_task_or_split_without_statistics_has_no_number_of_texts(made, monkeypatch):
    task = made("Banking77Classification", banking())
    monkeypatch.setattr(task, "train_split", "dev")
    assert size_of(task) is None
    assert size_of(opened(Wanted("STS12"))) is None


def test_the_texts_of_every_task_of_the_paper_are_counted():
    for one in wanted(",".join(LISTS)):
        size = size_of(opened(one))
        assert size.characters > size.texts > 0, one.name


# -- minutes ------------------------------------------------------------------------------------------------------

RATE = Rate((34.4, 137.6, 550.4, 2201.6), (0.001, 0.003, 0.012, 0.06))
numbers = st.integers(1, 10**7)


@checks(deadline=None)
@given(texts=numbers, each=st.integers(1, 10_000), more=numbers)
def test_more_or_longer_texts_never_take_less(texts, each, more) -> None:
    took = RATE.seconds_of(Size(texts, texts * each))
    assert RATE.seconds_of(Size(texts + more, (texts + more) * each)) > took
    assert RATE.seconds_of(Size(texts, texts * each + more)) >= took


class Steady(Counting):
    """Takes a millisecond a text and one in 100 characters, up to 1,000 characters, on a clock of its own."""

    now = 0.0

    def encode(self, sentences) -> np.ndarray:
        self.now += sum(0.001 + 0.00001 * min(1000, len(text)) for text in sentences)
        return super().encode(sentences)


def test_seconds_follow_a_steady_encoder(monkeypatch):
    encoder = Steady()
    monkeypatch.setattr(planning, "time", SimpleNamespace(perf_counter=lambda: encoder.now))
    rate = throughput(encoder)
    assert rate.seconds_of(Size(1000, 100 * 1000)) == pytest.approx(1000 * 0.002, rel=0.05)
    assert rate.seconds_of(Size(1000, 9000 * 1000)) == pytest.approx(1000 * 0.011, rel=0.01)
    assert encoder.now < 8


# -- steps --------------------------------------------------------------------------------------------------------


class Hub:
    """Answers in the place of ``availability``, and what is done."""

    limit = None

    def __init__(self, monkeypatch, answers=None, done=()) -> None:
        self.answers, self.done, self.asked = answers or {}, done, []
        monkeypatch.setattr(planning, "availability", self.answer)
        monkeypatch.setattr(planning, "prepared", lambda path, revision: [])
        monkeypatch.setattr(planning, "throughput", lambda encoder: RATE)

    def answer(self, task):
        self.asked.append(task.metadata.name)
        return self.answers.get(task.metadata.name, (0.5, None))

    def result(self, task):
        return "a result" if task.metadata.name in self.done else None


GONE = (None, Missing("STS13 cannot be scored: it is not there any more", "gone"))
OFFLINE = (None, Missing("the hub gives no answer", "offline"))


def test_what_is_done_or_missing_takes_no_minutes_and_is_not_downloaded(monkeypatch):
    hub = Hub(monkeypatch, {"STS13": GONE}, done=["STS12"])
    steps = plan(wanted("STS12,STS13,STS14"), Counting(), hub)
    assert [step.state for step in steps] == ["done", "missing", "to do"]
    assert [step.minutes is None for step in steps] == [True, True, False]
    assert [step.gigabytes for step in steps] == [None, None, 0.5]
    assert sorted(hub.asked) == ["STS13", "STS14"]
    assert steps[1].words == str(GONE[1])
    assert steps[2].minutes == RATE.seconds_of(Size(steps[2].texts, steps[2].characters)) / 60


def test_where_nothing_is_to_be_done_the_encoder_is_not_timed(monkeypatch):
    encoder, timed = Counting(), []
    hub = Hub(monkeypatch, {"STS13": GONE}, done=["STS12"])
    monkeypatch.setattr(planning, "throughput", timed.append)
    plan(wanted("STS12,STS13"), encoder, hub)
    assert not timed


def test_without_statistics_texts_and_minutes_are_unknown_and_it_is_said(monkeypatch):
    hub = Hub(monkeypatch)
    monkeypatch.setattr(planning, "size_of", lambda task, limit: None)
    (step,) = plan(wanted("STS12"), Counting(), hub)
    assert (step.texts, step.minutes, step.gigabytes, step.state) == (None, None, 0.5, "to do")
    assert "no statistics" in step.words
    assert "?" in printed([step])


def test_a_silent_hub_is_asked_for_a_few_tasks_only(monkeypatch):
    every = wanted("table2")
    hub = Hub(monkeypatch, {one.name: OFFLINE for one in every})
    steps = plan(every, Counting(), hub)
    assert len(hub.asked) == planning.PATIENCE < len(every)
    assert {step.state for step in steps} == {"missing"}


def test_without_a_hub_what_lies_in_the_cache_is_still_to_do(monkeypatch):
    hub = Hub(monkeypatch, {"STS12": OFFLINE, "STS13": OFFLINE})
    monkeypatch.setattr(planning, "prepared", lambda path, revision: ["folder"] if path == "mteb/sts12-sts" else [])
    kept, gone = plan(wanted("STS12,STS13"), Counting(), hub)
    assert (kept.state, kept.gigabytes, gone.state) == ("to do", 0.0, "missing")


def test_a_repository_that_several_tasks_share_is_downloaded_once(monkeypatch):
    hub = Hub(monkeypatch)
    steps = plan(wanted("LEMBQMSumRetrieval,LEMBWikimQARetrieval,STS12"), Counting(), hub)
    assert [step.gigabytes for step in steps] == [0.5, 0.0, 0.5]
    assert "LEMBQMSumRetrieval" in steps[1].words


# -- in words -----------------------------------------------------------------------------------------------------


def printed(steps, width: int = 100) -> str:
    stream = io.StringIO()
    show(steps, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_the_last_line_sums_what_remains():
    steps = [
        Step(Wanted("A"), "STS", 1000, 9000, 1.25, 2.0, "to do"),
        Step(Wanted("B"), "STS", 234, 900, 0.5, 0.5, "to do"),
        Step(Wanted("C"), "STS", 5000, 9000, None, None, "done"),
        Step(Wanted("D"), "Retrieval", 7000, 9000, None, None, "missing", "it is [gone]"),
    ]
    text = printed(steps)
    last = text.strip().splitlines()[-1]
    assert "1 of 4 tasks are done, 2 to do, 1 missing" in last
    assert "1,234 texts, 1.750 GB to download, about 2.5 minutes" in last
    assert "estimate" in last
    assert "D: it is [gone]" in text


def test_what_is_unknown_stays_unknown_in_sums():
    steps = [
        Step(Wanted("A"), "STS", 1000, 9000, 1.25, 2.0, "to do"),
        Step(Wanted("B"), "STS", None, None, None, None, "to do", "nobody knows"),
    ]
    assert "1,000 + ? texts, 1.250 + ? GB to download, about 2.0 + ? minutes" in printed(steps)


def test_all_lists_of_the_paper_fit_in_80_columns_with_every_name_whole(monkeypatch):
    every = wanted(",".join(LISTS))
    steps = plan(every, Counting(), Hub(monkeypatch, {"STS13": GONE}))
    lines = printed(steps, width=80).split("what is to do")[0].splitlines()
    table = [line for line in lines if line.startswith(("│", "┃", "├"))]
    assert max(map(len, table)) <= 80
    joined = "".join(line.split("│")[1].strip() for line in table if line.startswith("│"))
    assert all(one.name in joined for one in every)
    assert len(table) < 1.7 * len(every)


def test_the_module_is_imported_quickly():
    import subprocess
    import sys

    told = "import sys, jtcse.evaluation.mteb.planning; print({'torch', 'mteb', 'datasets', 'pandas'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", told], text=True).strip() == "set()"
