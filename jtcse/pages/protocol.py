"""The chapters on protocol and on paper against code as tables, metrics and words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pandas import DataFrame

from jtcse.core.record import Metric
from jtcse.evaluation.protocol.choices import AVERAGE, CHOICES, Effect, Protocol
from jtcse.experiments.ablations.discrepancy_effects import Effects
from jtcse.experiments.ablations.switches import BASE
from jtcse.pages.furniture.elements import ranged, verdict
from jtcse.pages.furniture.tables import rows_table, table
from jtcse.paper.discrepancies import DIFFERENCES, KINDS

if TYPE_CHECKING:
    from IPython.display import HTML

    from jtcse.evaluation.statistics.resampled import Drawn
    from jtcse.experiments.ablations.first_step import FirstStep

GROUPS = {
    "pooling": "pooling",
    "max_length": "longest input",
    "text": "text of the files",
    "pairs": "pairs",
    "average": "subsets",
    "precision": "number format",
}


def label(choice: str) -> str:
    """``max_length=16`` in words: "longest input: 16 tokens"."""
    group, _, value = choice.partition("=")
    words = {str(key): text for key, text in CHOICES.get(group, {}).items()}
    return f"{GROUPS[group]}: {words[value]}" if value in words else "the base"


def effects_table(effects: Sequence[Effect], base: Protocol) -> HTML:
    """One row a choice: how many points it moves each task and the average, with intervals; the base's points above, the span
    from the lowest to the highest score below."""
    tasks = list(dict.fromkeys(effect.task for effect in effects))
    cells = {(effect.choice, effect.task): effect for effect in effects}
    names = list(dict.fromkeys(effect.choice for effect in effects))
    title = f"the base ({CHOICES['pooling'][base.pooling]}), points"
    rows = {title: {"tokens": ""} | {task: f"{cells['base', task].points:.2f}" for task in tasks}}
    for name in names[1:]:
        found = {task: _moved(cells[name, task]) for task in tasks if (name, task) in cells}
        rows[label(name)] = {"tokens": _touched([cells[name, task] for task in found])} | found
    rows["span, lowest to highest"] = {"tokens": ""} | {task: f"{span(effects, task):.2f}" for task in tasks}
    frame = DataFrame.from_dict(rows, orient="index").reindex(columns=["tokens", *tasks])
    return table(frame.rename(columns={"tokens": "sentences read otherwise"}), index=True, wrap=False)


def span(effects: Sequence[Effect], task: str) -> float:
    """Points between the lowest and the highest score of a task over all choices, the base among them."""
    points = [effect.points for effect in effects if effect.task == task]
    return max(points) - min(points)


def _moved(effect: Effect) -> str:
    return ranged(*effect.moved) if any(effect.moved) else "0"


def _touched(effects: Sequence[Effect]) -> str:
    shares = [effect.touched for effect in effects if not math.isnan(effect.touched)]
    if not shares:
        return "other pairs"
    share = 100 * sum(shares) / len(shares)
    return "none" if share == 0 else f"{share:.1f} %" if share >= 0.1 else "under 0.1 %"


def effects_metrics(effects: Sequence[Effect], base: Protocol, first: Protocol) -> list[Metric]:
    """Scores and paired differences of every choice; those of a second base carry its pooling in their names."""
    prefix = "" if base == first else f"pooling={base.pooling}+"
    home = "protocol/base" if base == first else f"protocol/pooling={base.pooling}"
    found = []
    for effect in effects:
        name = f"protocol/{prefix}{effect.choice}" if effect.choice != "base" else home
        if effect.choice != "base" or base == first:
            found.append(Metric(name=f"{name}/{effect.task}", value=effect.points, n=effect.n))
        if effect.choice != "base" and not math.isnan(effect.moved.low):
            points, low, high = effect.moved
            both = f"{name}/{effect.task}>{home}/{effect.task}"
            found.append(Metric(name=both, value=points, n=effect.n, low=low, high=high))
    return found


def on_average(effects: Sequence[Effect]) -> dict[str, Effect]:
    """Each choice's effect on the average over tasks, largest first."""
    found = {effect.choice: effect for effect in effects if effect.task == AVERAGE and effect.choice != "base"}
    return dict(sorted(found.items(), key=lambda item: -abs(item[1].moved.points)))


def discrepancy_table(effects: Effects, shown: Mapping[int, str]) -> HTML:
    """All differences: paper, code, the setting that switches them, what it does, or why that is no question.

    Args:
        shown: what was found without training, in words, by number of the difference.
    """
    rows = []
    for one in DIFFERENCES:
        switches = [switch for switch in effects.switches if one.number in switch.numbers]
        by_seed = [(s.words, effects.effect(s), [effects.effect(s, seed) for seed in effects.seeds]) for s in switches]
        words = "; ".join(f"{words}: {judged(effect, seeds)}" for words, effect, seeds in by_seed)
        row = {"": one.number, "difference": one.title, "paper": one.paper, "code": one.code}
        found = shown.get(one.number) or words or KINDS[one.kind]
        rows.append(row | {"switch": one.switch or "–", "found here": found, "why so": one.reason or "–"})
    return rows_table(rows)


def judged(effect: Drawn, by_seed: Sequence[Drawn]) -> str:
    """An effect in words, in hundredths of a point, since most are smaller than a tenth; and whether all seeds share its sign."""
    points, low, high = effect.estimate()
    signs = {drawn.points > 0 for drawn in by_seed}
    agree = "" if len(by_seed) < 2 else ", seeds agree" if len(signs) == 1 else ", seeds disagree"
    return verdict(100 * points, 100 * low, 100 * high, unit="hundredths of a point") + agree


def steps_table(steps: Sequence[FirstStep]) -> HTML:
    """Loss and gradient of the first batch under each reading."""
    rows = [
        {
            "reading": "as released" if step.name == BASE else step.name.removeprefix("code/"),
            "loss": f"{step.loss:.3f}",
            "length of the gradient, released = 1": f"{step.ratio:.3f}",
            "cosine with the released gradient": f"{step.angle:.3f}",
        }
        for step in steps
    ]
    return rows_table(rows)


def step_metrics(steps: Sequence[FirstStep], sentences: int) -> list[Metric]:
    """Ratio of lengths and cosine of each reading's first gradient."""
    return [
        Metric(name=f"{step.name}/{name}", value=value, unit="1", n=sentences)
        for step in steps[1:]
        for name, value in (("gradient_ratio", step.ratio), ("gradient_cosine", step.angle))
    ]
