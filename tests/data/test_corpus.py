"""Corpora: the lines that are read, the lines that are cleaned, and how little memory both take."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import standin
from conftest import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st

from jtcse.core.errors import UserError
from jtcse.data import corpus, senteval, sources
from jtcse.data.corpus import LineCorpus, PairCorpus, open_corpus, write_corpus, write_pairs


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# -- reading ---------------------------------------------------------------------------------------


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))), st.booleans())
def test_lines_come_back(tmp_path_factory: pytest.TempPathFactory, lines: list[str], closed: bool) -> None:
    text = "\n".join(lines) + "\n" * (closed or not lines or not lines[-1])
    found = LineCorpus(written(tmp_path_factory.mktemp("lines") / "text", text))
    assert list(found) == (lines or [""])
    assert found[-1] == found[len(found) - 1]


def test_blocks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "BLOCK", 7)
    lines = standin.sentences(50)
    found = LineCorpus(written(tmp_path / "text", "\n".join(lines)))
    assert list(found) == lines
    assert found[10:13] == lines[10:13]
    with pytest.raises(IndexError):
        found[50]


def test_a_changed_text_gets_a_new_index(tmp_path: Path) -> None:
    path = written(tmp_path / "text", "one\ntwo\n")
    assert len(LineCorpus(path)) == 2
    index = tmp_path / "text.lines.npy"
    before = index.stat().st_mtime_ns
    assert len(LineCorpus(path)) == 2 and index.stat().st_mtime_ns == before
    os.utime(written(path, "one\n\n\no\n"), ns=(1, 1))  # as many bytes as before
    assert list(LineCorpus(path)) == ["one", "", "", "o"]
    index.write_bytes(index.read_bytes()[:-5])
    assert len(LineCorpus(path)) == 4


def test_other_processes_get_the_path_not_the_text(tmp_path: Path) -> None:
    found = write_corpus(standin.sentences(2000), tmp_path / "text")
    sent = pickle.dumps(found)
    assert len(sent) < 500
    assert list(pickle.loads(sent)) == list(found)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no corpus"):
        LineCorpus(tmp_path / "nothing")
    with pytest.raises(UserError, match="empty"):
        LineCorpus(written(tmp_path / "empty", b""))
    with pytest.raises(UserError, match="line 2, is not UTF-8"):
        list(LineCorpus(written(tmp_path / "latin", b"fine\ncaf\xe9\n")))


# -- cleaning --------------------------------------------------------------------------------------


def test_cleaning_keeps_order_and_says_what_it_did(tmp_path: Path) -> None:
    raw = ["  two\tblanks \n", "\n", "two blanks", "other", "   ", "other ", "last"]
    found = write_corpus(raw, tmp_path / "text")
    assert list(found) == ["two blanks", "other", "last"]
    assert found.notes == LineCorpus(found.path).notes == ["2 blank lines dropped", "2 repeated lines dropped"]
    assert (tmp_path / "text").read_bytes() == b"two blanks\nother\nlast\n"
    assert {path.name for path in tmp_path.iterdir()} == {"text", "text.notes", "text.lines.npy"}


@pytest.mark.parametrize(
    ("line", "length"),
    [
        ("word " * 20_000, 9_999),
        ("x" * 100_000, 10_000),
        ("a" * 10_000 + " b", 10_000),
        ("a" * 10_000, 10_000),
    ],
)
def test_a_very_long_line_is_cut_at_a_word(tmp_path: Path, line: str, length: int) -> None:
    found = write_corpus([line, "short"], tmp_path / "text")
    assert len(found[0]) == length and line.startswith(found[0]) and found[1] == "short"
    assert found.notes == ["1 lines longer than 10,000 characters cut at a word"] * (len(line.strip()) > 10_000)


def test_a_limit_is_spread_over_the_whole(tmp_path: Path) -> None:
    found = write_corpus(map(str, range(100)), tmp_path / "text", limit=5)
    assert list(found) == ["0", "20", "40", "60", "80"]
    assert found.notes == ["5 of 100 lines kept, evenly spaced"]
    assert len(write_corpus("abc", tmp_path / "text", limit=9)) == 3
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_failure_keeps_the_old_corpus(tmp_path: Path) -> None:
    old = write_corpus(["old"], tmp_path / "text")

    def broken():
        yield "new"
        raise UserError("the source broke off")

    with pytest.raises(UserError, match="broke off"):
        write_corpus(broken(), old.path)
    with pytest.raises(UserError, match="no sentence in it"):
        write_corpus(["", "  "], old.path)
    assert list(LineCorpus(old.path)) == ["old"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_full_disk_is_told_and_keeps_the_old_corpus(tmp_path: Path) -> None:
    old = write_corpus(["old"], tmp_path / "text")

    def full():
        yield "new"
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="no room left"):
        write_corpus(full(), old.path)
    assert list(LineCorpus(old.path)) == ["old"]


# -- sources ---------------------------------------------------------------------------------------


def test_files_are_joined_in_order(tmp_path: Path) -> None:
    plain = written(tmp_path / "plain.txt", "\ufeffone\r\ntwo\n")
    packed = written(tmp_path / "packed.txt.gz", gzip.compress(b"three\ntwo\n"))
    found = open_corpus(f"{plain} + {packed}", tmp_path / "out" / "text")
    assert list(found) == ["one", "two", "three"]


def test_named_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standin.senteval_tar(tmp_path / "senteval.tar")
    monkeypatch.setattr(senteval, "fetch_file", lambda *place: tmp_path / "senteval.tar")

    def expected(*seeds: int) -> set[str]:
        return {text for seed in seeds for a, b, _ in standin.graded_pairs(30, seed) for text in (a, b)}

    assert set(open_corpus("train-sentences", tmp_path / "text")) == expected(100, 200)
    assert set(open_corpus("sickr-sentences", tmp_path / "text")) == expected(200, 201, 202)


def test_a_file_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "wiki.txt", "a fact\n")
    asked = []
    monkeypatch.setattr(sources, "fetch_file", lambda *place: asked.append(place) or path)
    assert list(open_corpus("owner/name:some/wiki.txt", tmp_path / "text")) == ["a fact"]
    assert asked == [("owner/name", "some/wiki.txt", "dataset")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("zero.txt", b"fine\nab\0cd\n", "line 2, holds a zero byte"),
        ("latin.txt", b"fine\nfine\ncaf\xe9\n", "line 3, is not UTF-8"),
        ("blank.txt", b"\n \n\t\n", "no sentence in it"),
        ("empty.txt", b"", "no sentence in it"),
        ("plain.txt.gz", b"not packed", "not a whole gzip file"),
        ("cut.txt.gz", gzip.compress(os.urandom(400).hex().encode())[:200], "not a whole gzip file"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(UserError, match=words) as error:
        open_corpus(str(path), tmp_path / "text")
    assert name in str(error.value)
    assert not (tmp_path / "text").exists()


@pytest.mark.parametrize("spec", ["train-sentence", "missing.txt", "train-sentences.txt + ", "a/b/c:d"])
def test_unknown_sources(tmp_path: Path, spec: str) -> None:
    with pytest.raises(UserError, match=r"there is no corpus .*train-sentences"):
        open_corpus(spec, tmp_path / "text")


@pytest.mark.slow
def test_the_real_training_sentences(shared_hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = shared_hub / "hub/datasets/princeton-nlp/datasets-for-simcse/senteval.tar"
    monkeypatch.setattr(senteval, "fetch_file", lambda *place: archive)
    assert len(open_corpus("train-sentences", tmp_path / "text")) == 15_320
    assert len(open_corpus("sickr-sentences", tmp_path / "text")) == 6_077


# -- pairs of lines --------------------------------------------------------------------------------


def test_pairs_come_back(tmp_path: Path) -> None:
    found = write_pairs([("a\tb", "c"), ("d", " "), ("e", "f\n")], tmp_path / "pairs.tsv")
    assert list(found) == [("a b", "c"), ("d", "d"), ("e", "f")]
    assert found.notes == ["1 round trips came back empty and were replaced by their sentence"]
    assert found[1:] == [("d", "d"), ("e", "f")]


def test_a_line_without_its_round_trip_is_named(tmp_path: Path) -> None:
    found = PairCorpus(written(tmp_path / "pairs.tsv", "a\tb\nalone\n"))
    with pytest.raises(UserError, match="line 2, has 1 cells"):
        found[-1]


# -- memory ----------------------------------------------------------------------------------------

A_MILLION = """
import resource, sys
from pathlib import Path
import numpy as np
from jtcse.data.corpus import LineCorpus, write_corpus
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
lines = (f"line {i} says {i * 7919 % 1000003} to whom it may concern" for i in range(10**6))
corpus = write_corpus(lines, sys.argv[1])
rows = np.random.default_rng(0).integers(len(corpus), size=100_000)
assert all(corpus[i].startswith(f"line {i} ") for i in rows.tolist())
assert len(corpus) == 10**6
print(peak() - before)
"""


@pytest.mark.slow
def test_a_million_lines_take_little_memory(tmp_path: Path) -> None:
    """Cleaning, indexing, reading at random: below 300 MB above the bare process, mapped text included."""
    done = subprocess.run(
        [sys.executable, "-c", A_MILLION, str(tmp_path / "text")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 300
