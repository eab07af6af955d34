"""What scoring would take, before anything is downloaded: texts, gigabytes, minutes, and what is done or cannot be had.

Minutes are an estimate, from a rate that is measured on this machine.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from jtcse.evaluation.mteb.downloads import prepared
from jtcse.evaluation.mteb.loading import Missing, availability
from jtcse.evaluation.mteb.sizes import Size, size_of
from jtcse.evaluation.mteb.tasks import Wanted, opened

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask
    from rich.console import Console

    from jtcse.encoders.encoder import Encoder
    from jtcse.evaluation.mteb.store import Store

DONE, TO_DO, MISSING = "done", "to do", "missing"
TOKENS = (8, 32, 128, 512)
"""Lengths that are timed; 512 is the most that BERT takes, and an encoder that takes less cuts them itself."""
CHARACTERS_PER_TOKEN = 4.3  # of English with BERT's vocabulary, the space after a word counted
WORDS = """the of and to in is it was for on that with he as at by his from are they be this have not had one all
were when we there can an your which their said if do will each about how up out them then she many some so""".split()  # noqa: SIM905
ENOUGH_SECONDS, MOST_TEXTS = 0.15, 65_536  # of one measurement
UNCOUNTED = "mteb has no statistics of these texts, so nobody knows how many they are"
KEPT_HERE = "the hub gives no answer, but some of the data lie in the cache"
NAMED = 4  # tasks that a reason names
PATIENCE = 3  # tasks that the hub leaves without an answer before it is asked no more


@dataclass(frozen=True)
class Step:
    """One task: ``texts`` to embed, their ``characters``, ``gigabytes`` to download, ``minutes``; None: nobody knows.

    ``state`` is done, to do or missing; ``words`` say why it is missing or what is not known.
    """

    wanted: Wanted
    type: str
    texts: int | None
    characters: int | None
    gigabytes: float | None
    minutes: float | None
    state: str
    words: str = ""


def plan(wanted: Sequence[Wanted], encoder: Encoder, store: Store) -> list[Step]:
    """What there is to do of each task.

    Args:
        wanted: tasks, each once.
        encoder: is timed for a second or two, if there is anything to do.
        store: knows what is done.
    Raises:
        UserError: a task or subset that is not there.
    """
    tasks = {one: opened(one) for one in wanted}
    done = {one for one, task in tasks.items() if store.result(task) is not None}
    answers = _asked({one: task for one, task in tasks.items() if one not in done})
    steps = []
    for one, task in tasks.items():
        size = size_of(task, store.limit)
        step = Step(one, task.metadata.type, size and size.texts, size and size.characters, None, None, DONE)
        steps.append(step if one in done else replace(step, **answers[one]))
    return _timed(steps, encoder)


def _timed(steps: Sequence[Step], encoder: Encoder) -> list[Step]:
    """With the minutes of what is to do, or the word that nobody knows them."""
    counted = [step for step in steps if step.state == TO_DO and step.texts]
    rate = throughput(encoder) if counted else None
    minutes = {step.wanted: rate.seconds_of(Size(step.texts, step.characters)) / 60 for step in counted}
    unknown = {step.wanted for step in steps if step.state == TO_DO} - minutes.keys()
    words = {step.wanted: "; ".join(filter(None, [step.words, UNCOUNTED])) for step in steps if step.wanted in unknown}
    return [replace(step, minutes=minutes.get(step.wanted), words=words.get(step.wanted, step.words)) for step in steps]


# -- how long they take -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rate:
    """Seconds that a text takes, by its characters; both grow."""

    characters: tuple[float, ...]
    seconds: tuple[float, ...]

    def seconds_of(self, size: Size) -> float:
        """About how long texts take that all have their average length; beyond the longest timed one they are cut."""
        each = np.interp(size.characters / max(1, size.texts), self.characters, self.seconds)
        return float(size.texts * each)


def throughput(encoder: Encoder) -> Rate:
    """Time an encoder on made English texts of about 8, 32, 128 and 512 tokens: a second or two on this machine."""
    draw = np.random.default_rng(0)
    encoder.encode(_made(8, 4, draw))  # what only the first call takes
    seconds = [_seconds_a_text(encoder, tokens, draw) for tokens in TOKENS]
    return Rate(tuple(CHARACTERS_PER_TOKEN * n for n in TOKENS), tuple(np.maximum.accumulate(seconds).tolist()))


def _seconds_a_text(encoder: Encoder, tokens: int, draw: np.random.Generator) -> float:
    """The least of ever more texts at once, until they take long enough to be timed."""
    count, best = max(1, TOKENS[-1] // tokens), np.inf
    while True:
        texts = _made(tokens, count, draw)
        began = time.perf_counter()
        encoder.encode(texts)
        took = time.perf_counter() - began
        best = min(best, took / count)
        if took > ENOUGH_SECONDS or count >= MOST_TEXTS:
            return best
        count *= 4


def _made(tokens: int, count: int, draw: np.random.Generator) -> list[str]:
    """Distinct enough texts of frequent words, cut at their characters."""
    size = round(tokens * CHARACTERS_PER_TOKEN)
    return [" ".join(draw.choice(WORDS, tokens + 4))[:size] for _ in range(count)]


# -- what the hub says ------------------------------------------------------------------------------------------


def _asked(tasks: Mapping[Wanted, AbsTask]) -> dict[Wanted, dict[str, Any]]:
    """What of a ``Step`` the hub says; a repository is asked for once, and downloaded with the first task that needs it."""
    from tqdm import tqdm

    found: dict[Wanted, dict[str, Any]] = {}
    first: dict[tuple, Wanted] = {}
    silent: list[Missing] = []
    for one, task in tqdm(tasks.items(), desc="asking the hub", unit="task", delay=5):
        other = first.setdefault(_repository(task), one)
        found[one] = _answer(task, silent) if other is one else found[other]
        if other is not one and found[one].get("gigabytes"):
            found[one] = {"state": TO_DO, "gigabytes": 0.0, "words": f"comes with the data of {other.name}"}
    return found


def _answer(task: AbsTask, silent: list[Missing]) -> dict[str, Any]:
    """Of one task; a hub that is silent, which is noted, is not asked for all of them."""
    if len(silent) >= PATIENCE:
        words = f"not asked for, as the hub gave no answer to the first {PATIENCE} tasks: {silent[0]}"
        gigabytes, missing = None, Missing(words, "offline")
    else:
        gigabytes, missing = availability(task)
    if missing is None:
        return {"state": TO_DO, "gigabytes": gigabytes}
    if missing.kind == "offline":
        silent.append(missing)
        if prepared(*_repository(task)):
            return {"state": TO_DO, "gigabytes": 0.0, "words": KEPT_HERE}
    return {"state": MISSING, "words": str(missing)}


def _repository(task: AbsTask) -> tuple[str, str | None]:
    return task.metadata.dataset["path"], task.metadata.dataset.get("revision")


# -- in words ---------------------------------------------------------------------------------------------------


def show(steps: Sequence[Step], console: Console) -> None:
    """Print a line a task, grouped by type with sums; below, why tasks are missing, and the totals."""
    from rich.table import Table

    table = Table(title="What there is to score")
    table.add_column("task", overflow="fold")
    for name in ("texts", "GB", "minutes, about"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for kind, group in groupby(sorted(steps, key=lambda step: step.type), key=lambda step: step.type):
        own = list(group)
        left = [step for step in own if step.state == TO_DO]
        table.add_row(f"{kind}: {len(left)} of {len(own)} to do", *_cells(left), "", style="bold")
        for step in own:
            table.add_row(f"  {_name(step.wanted)}", *_cells([step]), step.state)
        table.add_section()
    console.print(table)
    for reason in _reasons(steps):
        console.print(reason, soft_wrap=True, markup=False)
    console.print(_totals(steps), soft_wrap=True)


def _cells(steps: Sequence[Step]) -> tuple[str, str, str]:
    """Texts, gigabytes and minutes of tasks; what is not to do takes none of the last two."""
    left = [step for step in steps if step.state == TO_DO]
    return (
        _total([step.texts for step in steps], ",d"),
        _total([step.gigabytes for step in left], ",.3f"),
        _total([step.minutes for step in left], ",.1f"),
    )


def _total(values: Sequence[float | None], form: str) -> str:
    """A sum; ``?`` stands for what nobody knows."""
    known = [value for value in values if value is not None]
    parts = [format(sum(known), form)] if known else []
    return " + ".join(parts + ["?"] * (len(known) < len(values))) or "–"


def _name(one: Wanted) -> str:
    told = "+".join(one.subsets) if len(one.subsets) <= 2 else f"{len(one.subsets)} subsets"
    return f"{one.name}:{told}" if told else one.name


def _reasons(steps: Sequence[Step]) -> Iterator[str]:
    """What steps have to say, each thing once, with those that it is said of."""
    said: dict[str, list[str]] = {}
    for step in steps:
        if step.words:
            said.setdefault(step.words, []).append(_name(step.wanted))
    for words, names in said.items():
        if len(names) == 1 and words.startswith(names[0].partition(":")[0]):
            yield words
            continue
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"{', '.join(names[:NAMED])}{more}: {words}"


def _totals(steps: Sequence[Step]) -> str:
    counts = Counter(step.state for step in steps)
    told = f"{counts[DONE]} of {len(steps)} tasks are done, {counts[TO_DO]} to do, {counts[MISSING]} missing"
    if not counts[TO_DO]:
        return told
    texts, gigabytes, minutes = _cells([step for step in steps if step.state == TO_DO])
    return (
        f"{told}; what is to do: {texts} texts, {gigabytes} GB to download, about {minutes} minutes on this machine. The minutes "
        "are an estimate, without downloads, from English texts timed just now: those in scripts that the encoder's vocabulary "
        "lacks take longer, those that it has embedded before take no time"
    )
