"""Labelled pairs: the three sources, what a label means in the generated world, and files that are not as expected."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pandas
import pytest
import standin

from jtcse.core.errors import UserError
from jtcse.data import labelled, senteval
from jtcse.data.labelled import KINDS, LABELS, generated, nli, sick
from jtcse.data.world import pair_sets, variation
from jtcse.data.world.graded import HELD_OUT
from jtcse.data.world.meaning import draw, gold, shard

HEAD = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
SICK_FILE = senteval.TABLES["SICK-R train"]


def sick_files(*judged: str) -> dict[str, bytes]:
    """SICK's training file with these judgements."""
    lines = "".join(f"{i}\ta man\ttwo  men\t{i}.5\t{name}\r\n" for i, name in enumerate(judged, start=1))
    return {SICK_FILE: (HEAD + lines).encode()}


# -- SICK ----------------------------------------------------------------------------------------------------


def test_sick_has_its_judgements() -> None:
    pairs = sick(sick_files("NEUTRAL", "ENTAILMENT", "CONTRADICTION"))
    assert [pair.label for pair in pairs] == [1, 0, 2]
    assert pairs[0][:2] == ("a man", "two men")


def test_sick_of_the_archive_is_read(tmp_path: Path) -> None:
    standin.senteval_tar(tmp_path / "senteval.tar")
    pairs = sick(senteval.members(tmp_path))
    assert len(pairs) == standin.PAIRS and {pair.label for pair in pairs} == {LABELS.index("neutral")}


def test_a_judgement_that_is_none_of_the_three_is_named() -> None:
    with pytest.raises(UserError, match="SICK-R train, pair 2, has the judgement 'maybe'; expected one of entailment"):
        sick(sick_files("NEUTRAL", "maybe"))


# -- NLI -----------------------------------------------------------------------------------------------------


@pytest.fixture
def nli_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a copy in the hub's layout with these labels."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))

    def write(labels: list[int]) -> Path:
        folder = tmp_path / "all-nli"
        (folder / "pair-class").mkdir(parents=True)
        names = [f"sentence {i}" for i in range(len(labels))]
        rows = pandas.DataFrame({"premise": names, "hypothesis": names[::-1], "label": labels})
        rows.to_parquet(folder / "pair-class" / "train-00000-of-00001.parquet")
        (folder / "README.md").write_text(
            "---\nconfigs:\n- config_name: pair-class\n  data_files:\n  - split: train\n    path: pair-class/train-*\n---\n"
        )
        return folder

    return write


def test_nli_is_read_in_the_hubs_layout(nli_folder) -> None:
    pairs = nli(nli_folder([2, 0, 1]))
    assert pairs[0] == ("sentence 0", "sentence 2", 2) and [pair.label for pair in pairs] == [2, 0, 1]


def test_a_pair_without_a_label_is_named(nli_folder) -> None:
    with pytest.raises(UserError, match="all-nli, row 2 has the label -1; expected 0, 1 or 2"):
        nli(nli_folder([0, -1]))


def test_without_nli_the_error_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not get the NLI pairs"):
        nli(tmp_path / "nothing")


# -- generated -----------------------------------------------------------------------------------------------


def test_generated_pairs_are_distinct_in_turn_and_the_same_for_a_seed() -> None:
    pairs = generated(1, 300)
    assert Counter(pair.label for pair in pairs) == {0: 100, 1: 100, 2: 100}
    assert len({pair[:2] for pair in pairs}) == 300 and all(pair.first != pair.second for pair in pairs)
    assert generated(1, 300) == pairs != generated(2, 300)


def test_no_pair_has_a_held_out_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    said, realised, say, realise = [], [], labelled.say, labelled.realise
    monkeypatch.setattr(labelled, "say", lambda rng, m, family: said.append(m) or say(rng, m, family))
    monkeypatch.setattr(labelled, "realise", lambda m, *more: realised.append(m) or realise(m, *more))
    generated(3, 200)
    assert len(said) >= 200 and not {shard(meaning) for meaning in said + realised} & set(HELD_OUT)


def test_no_sentence_is_one_of_the_graded_sets() -> None:
    graded = {text for pairs in pair_sets(1, 200).values() for text in (*pairs.first, *pairs.second)}
    assert not graded & {text for pair in generated(1, 2000) for text in pair[:2]}


@pytest.mark.parametrize("name", LABELS)
def test_a_label_is_what_the_meanings_say(name: str) -> None:
    rng, seen = random.Random(5), 0
    while seen < 300:
        one = draw(rng, rng.choice(("scene", "task", "affair", "gloss")))
        other = rng.choice(KINDS[name].ways)(rng, one)
        if other is None or (name != "entailment" and other == one):
            continue
        seen += 1
        if name == "entailment":
            assert other == one
        elif name == "contradiction":  # one thing is denied; all that is left of the rest is said of the same event
            assert (one.action, one.patient, one.place) == (other.action, other.patient, other.place)
            changed = [one.agent != other.agent, one.negated != other.negated, one.lacking != other.lacking]
            assert sum(changed) == 1 and variation.is_sensible(other)
        else:
            assert gold(one, other) < 5


def test_contradictions_are_nearer_than_neutral_pairs() -> None:
    rng, means = random.Random(6), {}
    for name in ("neutral", "contradiction"):
        made = []
        while len(made) < 300:
            one = draw(rng, "scene")
            other = rng.choice(KINDS[name].ways)(rng, one)
            if other is not None:
                made.append(gold(one, other) / (0.4 if one.negated != other.negated else 1))
        means[name] = sum(made) / len(made)
    assert means["contradiction"] > means["neutral"] + 1
