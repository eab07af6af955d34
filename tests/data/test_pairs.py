"""Graded pairs: SentEval's rule, files of one's own, bad input, and the hub."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import standin
from conftest import REPOSITORY, Hub
from hypothesis import given
from hypothesis import strategies as st

from jtcse.core.errors import UserError
from jtcse.data.pairs import (
    TASKS,
    PairSet,
    evenly_spaced,
    load_development,
    load_pair_sets,
    read_pair_set,
    save_pair_set,
)

SIZES = {
    "STS12": 3108,
    "STS13": 1500,
    "STS14": 3750,
    "STS15": 3000,
    "STS16": 1186,
    "STS-B": 1379,
    "SICK-R": 4927,
}


@pytest.fixture(scope="module")
def senteval_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("senteval")
    standin.senteval_tar(folder / "senteval.tar")
    return folder


def some_pairs(name: str = "some", count: int = 10) -> PairSet:
    rows = standin.graded_pairs(count)
    return PairSet(name, [a for a, _, _ in rows], [b for _, b, _ in rows], np.array([s for *_, s in rows]), "test")


# -- SentEval's rule -------------------------------------------------------------------------------


def test_all_subsets_of_a_task_stand_together_without_ungraded_pairs(senteval_folder: Path) -> None:
    sets = load_pair_sets("senteval", folder=senteval_folder)
    assert list(sets) == list(TASKS)
    assert {len(pairs) for pairs in sets.values()} == {standin.PAIRS}
    expected = sorted(standin.graded_pairs(15, seed=30) + standin.graded_pairs(15, seed=31))  # STS15 is number 3
    found = sets["STS15"]
    assert sorted(zip(found.first, found.second, found.gold.tolist(), strict=True)) == expected


def test_sick_is_the_test_split_and_development_is_stsb(senteval_folder: Path) -> None:
    sick = load_pair_sets("senteval", folder=senteval_folder, names=["SICK-R"])["SICK-R"]
    assert list(zip(sick.first, sick.second, sick.gold.tolist(), strict=True)) == standin.graded_pairs(30, 202)
    development = load_development("senteval", folder=senteval_folder)
    assert development.first == [a for a, _, _ in standin.graded_pairs(30, 101)]


@pytest.mark.slow
def test_the_real_archive(shared_hub: Path) -> None:
    """The sizes that SentEval reports, in well under a second; 4,927 test pairs of SICK-R as in the paper."""
    folder = shared_hub / "hub/datasets/princeton-nlp/datasets-for-simcse"
    start = time.process_time()
    sets = load_pair_sets("senteval", folder=folder)
    assert time.process_time() - start < 1
    assert {name: len(pairs) for name, pairs in sets.items()} == SIZES
    assert len(load_development("senteval", folder=folder)) == 1500
    assert sets["STS12"].gold.max() == 5 and sets["SICK-R"].gold.min() == 1


def test_damaged_tables_are_named(tmp_path: Path) -> None:
    place = "STS/STS12-en-test/STS"
    for files, words in (
        ({f"{place}.input.x.txt": b"a\tb\n"}, "STS.gs.x.txt"),
        ({f"{place}.input.x.txt": b"a\tb\n", f"{place}.gs.x.txt": b"1\n2\n"}, "1 pairs and 2 gold lines"),
        ({f"{place}.input.x.txt": b"a b\n", f"{place}.gs.x.txt": b"1\n"}, "line 1 has 1 tab-separated cells"),
        ({f"{place}.input.x.txt": b"a\tb\n", f"{place}.gs.x.txt": b"one\n"}, "'one'.*expected a number"),
        ({"readme.txt": b"x"}, r"no STS/STS12-en-test/STS.input"),
    ):
        standin.tar(tmp_path / "senteval.tar", files)
        with pytest.raises(UserError, match=words):
            load_pair_sets("senteval", folder=tmp_path, names=["STS12"])


# -- files -----------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.text("ab ,\"\n\r'é"), st.text("ab ,\"\n\r'é"), st.floats(-1e6, 1e6)),
        min_size=1,
        max_size=5,
    )
)
def test_a_set_survives_its_file(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("pairs") / "mine.csv"
    before = PairSet("mine", [r[0] for r in rows], [r[1] for r in rows], np.array([r[2] for r in rows]), "test")
    save_pair_set(before, path)
    after = read_pair_set(path)
    assert (after.name, after.first, after.second) == ("mine", before.first, before.second)
    assert after.gold.tolist() == before.gold.tolist()


def test_a_folder_of_sets(tmp_path: Path) -> None:
    for name in ("zoo", "alps", "dev"):
        save_pair_set(some_pairs(name), tmp_path / f"{name}.csv")
    assert list(load_pair_sets("generated", folder=tmp_path)) == ["alps", "zoo"]
    assert list(load_pair_sets("generated", folder=tmp_path, names=["zoo"])) == ["zoo"]
    assert len(load_development("generated", folder=tmp_path, limit=4)) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,c\n1,2,3\n", "expected the columns"),
        ("", "expected the columns"),
        ("sentence1,sentence2,score\nx,y\n", "row 2, has 2 columns"),
        ("sentence1,sentence2,score\nx,y,1\nx,y,high\n", "row 3 has the score 'high'"),
        ("sentence1,sentence2,score\nx,y,nan\n", "gold score nan at pair 1"),
        ('sentence1,sentence2,score\nx,"y', "not a whole CSV file"),
        ("sentence1,sentence2,score\n", "no pairs"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        read_pair_set(tmp_path / "bad.csv")


# -- limits, names, values -------------------------------------------------------------------------


@given(st.integers(1, 10_000), st.data())
def test_a_limit_takes_evenly_spaced_rows(count: int, data: st.DataObject) -> None:
    limit = data.draw(st.integers(1, count))
    rows = evenly_spaced(count, limit)
    steps = np.diff(np.append(rows, count))
    assert len(rows) == limit and rows[0] == 0
    assert steps.min() >= 1 and steps.max() - steps.min() <= 1


def test_a_limit_keeps_pairs_together() -> None:
    whole, part = some_pairs(count=10), some_pairs(count=10).thinned(5)
    kept = [whole.first.index(text) for text in part.first]
    assert kept == [0, 2, 4, 6, 8]
    assert part.gold.tolist() == whole.gold[kept].tolist()
    assert "5 of 10" in part.source
    assert whole.thinned(None) is whole and whole.thinned(99) is whole


@pytest.mark.parametrize(
    ("first", "gold", "words"),
    [
        (["a"], [1.0, 2.0], "2 gold scores"),
        (["a", "b"], [1.0, np.inf], "inf at pair 2"),
        ([], [], "no pairs"),
    ],
)
def test_sets_that_cannot_be(first: list[str], gold: list[float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        PairSet("x", first, first, np.array(gold), "test")


def test_unknown_names(senteval_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'senteval'"):
        load_pair_sets("sent-eval")
    with pytest.raises(UserError, match="did you mean 'STS-B'"):
        load_pair_sets("senteval", folder=senteval_folder, names=["STSB"])
    with pytest.raises(UserError, match="needs a folder"):
        load_pair_sets("generated")
    with pytest.raises(UserError, match="no archive"):
        load_development("senteval", folder=tmp_path)
    with pytest.raises(UserError, match="at least 1"):
        load_development("senteval", folder=senteval_folder, limit=0)


# -- the hub ---------------------------------------------------------------------------------------

READ_BOTH = """
import json
from jtcse.data.pairs import load_development, load_pair_sets
for source in ("senteval", "mteb"):
    sets = load_pair_sets(source)
    sets["dev"] = load_development(source)
    print("RESULT", json.dumps({name: [len(s), s.source, s.first[0]] for name, s in sets.items()}))
"""


def test_both_sources_come_from_the_hub(loopback_hub: Hub) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_BOTH], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    lines = [line.removeprefix("RESULT ") for line in done.stdout.splitlines() if line.startswith("RESULT")]
    senteval, mteb = map(json.loads, lines)
    assert list(senteval) == list(mteb) == [*TASKS, "dev"]
    assert {size for size, *_ in [*senteval.values(), *mteb.values()]} == {standin.PAIRS}
    assert mteb["SICK-R"][1] == "mteb, all 30 pairs of SICK"
    assert mteb["dev"][2] == standin.graded_pairs(standin.PAIRS, 351)[0][0]
