"""Sentence pairs with one of three labels, for the supervised reference: NLI, SICK's training split, the generated world."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from jtcse.core.errors import UserError
from jtcse.data import senteval
from jtcse.data.world import variation
from jtcse.data.world.graded import HELD_OUT
from jtcse.data.world.grammar import FAMILIES, choose_pattern, families_of, realise, reword, say
from jtcse.data.world.meaning import Meaning, draw, shard

LABELS = ("entailment", "neutral", "contradiction")
"""Names of the labels 0, 1 and 2, as the hub's NLI set numbers them."""
NLI, NLI_SUBSET = "sentence-transformers/all-nli", "pair-class"
SICK = "SICK-R train"


class LabelledPair(NamedTuple):
    """Two sentences and the number of their label."""

    first: str
    second: str
    label: int


def nli(folder: Path | None = None) -> list[LabelledPair]:
    """The 942,069 training pairs of SNLI and MultiNLI, from the hub or from a folder that holds a copy.

    Raises:
        UserError: no hub, or a label that is none of the three.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise UserError(
            "NLI pairs are read with the package datasets, which is not installed; pip install 'jtcse[zero-shot]'"
        ) from error
    repo = NLI if folder is None else str(folder)
    try:
        rows = load_dataset(repo, NLI_SUBSET, split="train")
    except (OSError, ValueError) as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"could not get the NLI pairs (data set {repo}, {NLI_SUBSET}: {first_line}); point HF_ENDPOINT at a hub that has "
            "them or fill the local cache (HF_HOME), or take another text (whitening text=...) or labels (sbert labels=sick)"
        ) from error
    made = map(LabelledPair, rows["premise"], rows["hypothesis"], rows["label"])
    return [_checked(pair, f"{repo}, row {number}") for number, pair in enumerate(made, start=1)]


def _checked(pair: LabelledPair, where: str) -> LabelledPair:
    if pair.label not in range(len(LABELS)):
        raise UserError(f"{where} has the label {pair.label!r}; expected 0, 1 or 2 ({', '.join(LABELS)})")
    return pair


def sick(files: Mapping[str, bytes] | None = None) -> list[LabelledPair]:
    """The 4,500 training pairs of SICK with their entailment judgements, from SentEval's archive.

    Args:
        files: of the archive; by default the hub's.
    Raises:
        UserError: no hub, a file or column is missing, or a judgement that is none of the three.
    """
    files = senteval.members() if files is None else files
    first, second, _ = senteval.task(SICK, files)
    lines = files[senteval.TABLES[SICK]].decode("utf-8").split("\n")[1:]
    judged = [line.rstrip("\r").split("\t")[4].strip().lower() for line in lines if line]
    for number, name in enumerate(judged, start=1):
        if name not in LABELS:
            raise UserError(f"{SICK}, pair {number}, has the judgement {name!r}; expected one of {', '.join(LABELS)}")
    return [LabelledPair(*row) for row in zip(first, second, map(LABELS.index, judged), strict=True)]


# -- generated: meanings that the corpus may say, varied so that the label is known --------------------------------------


def another_agent(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """The same done by somebody else."""
    if not meaning.agent or meaning.topic:
        return None
    fixed = {role: getattr(meaning, role) for role in ("action", "patient") if getattr(meaning, role)}
    other = draw(rng, meaning.domain, **fixed).agent
    changed = meaning._replace(agent=other, agent_trait="", count="")
    return None if other == meaning.agent or not variation.is_sensible(changed) else changed


def other_tool(rng: random.Random, meaning: Meaning) -> Meaning | None:
    """Without the tool instead of with it, or the other way round."""
    return meaning._replace(lacking=not meaning.lacking) if meaning.tool else None


class Kind(NamedTuple):
    """How the second meaning of a label comes about (one of several ways), and how often words are kept."""

    ways: tuple[Callable[[random.Random, Meaning], Meaning | None], ...]
    kept: float


KINDS = {
    "entailment": Kind((variation.same,), 0.4),
    "neutral": Kind((variation.unrelated, variation.same_topic), 0.6),
    "contradiction": Kind((variation.negated, another_agent, other_tool), 0.6),
}


def generated(seed: int, n: int) -> list[LabelledPair]:
    """``n`` distinct pairs of the generated world, labels in turn; no meaning of the graded sets is among them."""
    rng = random.Random(f"{seed}/labelled")
    found: dict[tuple[str, str], LabelledPair] = {}
    while len(found) < n:
        label = len(found) % len(LABELS)
        pair = _pair(rng, label)
        found.setdefault((pair.first, pair.second), pair)
    return list(found.values())


def _pair(rng: random.Random, label: int) -> LabelledPair:
    kind = KINDS[LABELS[label]]
    while True:
        family = rng.choice(tuple(FAMILIES))
        one = draw(rng, FAMILIES[family].domain)
        other = rng.choice(kind.ways)(rng, one)
        if other is None or {shard(one), shard(other)} & set(HELD_OUT) or (label and other == one):
            continue
        first, second_family = say(rng, one, family), rng.choice(families_of(FAMILIES[family].domain))
        wording = reword(rng, other, first.wording, kind.kept)
        second = realise(other, second_family, choose_pattern(rng, second_family, other), wording)
        if first.text != second:
            return LabelledPair(first.text, second, label)
