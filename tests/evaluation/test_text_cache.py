"""Vectors of texts on disk: what is kept, what goes, several processes, kills, and files that cannot be used."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import cache_writer
import numpy as np
import pytest
from cache_writer import vectors
from full_disk import files_of_at_most
from hypothesis import given, settings
from hypothesis import strategies as st

from jtcse.evaluation.mteb import cache as module
from jtcse.evaluation.mteb.cache import TextCache

ROOMY = 1 << 26
TEXTS = ["noon", "a cook stirs the soup", "", "grün", "\udc80", "\ud800 alone", "?", "x" * 100_000, "a\0b", "a"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "zero_shot" / "vectors.sqlite"


def fill(path: Path, texts: list[str], width: int = 16) -> None:
    with TextCache(path, ROOMY) as cache:
        cache.put("encoder", texts, vectors(texts, width))


def assert_right(found: dict[str, np.ndarray], texts: Sequence[str] | None = None) -> None:
    """Every vector is, to the bit, the one that belongs to its text; and these texts were found, no others."""
    assert texts is None or set(found) == set(texts)
    for text, vector in found.items():
        assert vector.dtype == np.float32 and vector.tobytes() == vectors([text], len(vector)).tobytes(), text[:50]


def ask(path: Path, question: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute(question).fetchall()


def change(path: Path, statement: str, *values) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        assert file.execute(statement, values).rowcount >= 1


# -- what is kept --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 768, 5000])
def test_what_is_put_comes_back_bit_for_bit(width: int, path: Path) -> None:
    fill(path, TEXTS, width)
    with TextCache(path, ROOMY) as cache:
        found = cache.get("encoder", [*TEXTS, "never put", TEXTS[0]])
        assert cache.get("encoder", []) == {}
    assert_right(found, TEXTS)


def test_special_numbers_keep_their_bits(path: Path) -> None:
    special = np.array([[-0.0, 1e-45, 3.4028235e38, 1 / 3]], np.float32)
    with TextCache(path, ROOMY) as cache:
        cache.put("encoder", ["noon"], special)
        assert cache.get("encoder", ["noon"])["noon"].tobytes() == special.tobytes()


def test_other_number_formats_are_kept_in_float32(path: Path) -> None:
    with TextCache(path, ROOMY) as cache:
        cache.put("encoder", ["half", "double"], np.array([[0.5, 2.0], [1 / 3, 0]], np.float64))
        cache.put("encoder", ["half"], np.array([[0.25, 2.0]], np.float16))
        found = cache.get("encoder", ["half", "double"])
    assert found["half"].tolist() == [0.25, 2.0] and found["double"].tolist() == [np.float32(1 / 3), 0]


def test_another_encoder_never_sees_it(path: Path) -> None:
    """Nor one whose key and text read the same when written in one line."""
    with TextCache(path, ROOMY) as cache:
        cache.put("ab", ["c"], vectors(["c"]))
        cache.put("b", ["c"], np.ones((1, 3)))
        assert cache.get("a", ["bc", "c"]) == cache.get("abc", ["", "c"]) == cache.get("ab", ["bc"]) == {}
        assert cache.get("ab", ["c"])["c"].shape == (16,) and cache.get("b", ["c"])["c"].shape == (3,)


def test_more_texts_than_one_transaction_and_one_question_take(path: Path) -> None:
    texts = [f"text {i}" for i in range(2 * module.BATCH + module.CHUNK + 1)]
    fill(path, texts, 2)
    with TextCache(path, ROOMY) as cache:
        steps: list[str] = []
        cache._file.set_trace_callback(steps.append)
        found = cache.get("encoder", texts)
    assert_right(found, texts)
    assert sum("FROM texts JOIN" in step for step in steps) == -(-len(texts) // module.CHUNK)
    assert steps.count("BEGIN IMMEDIATE") == 1  # times of use of all texts are written at once


def test_a_call_with_other_than_one_row_for_each_text_is_refused(path: Path) -> None:
    with TextCache(path, ROOMY) as cache:
        for texts, shape in ((["noon"], (2, 3)), (["noon"], (1,)), ([], (1, 3))):
            with pytest.raises(ValueError, match="texts and vectors of shape"):
                cache.put("encoder", texts, np.zeros(shape))
        cache.put("encoder", [], np.zeros((0, 3)))
        assert cache.get("encoder", ["noon"]) == {}


def test_vectors_lie_in_the_file_as_plain_float32(path: Path) -> None:
    fill(path, ["noon"])
    assert ask(path, "SELECT value FROM vectors") == [(vectors(["noon"]).astype("<f4").tobytes(),)]


def test_a_closed_cache_finds_and_keeps_nothing(path: Path) -> None:
    fill(path, ["noon"])
    cache = TextCache(path, ROOMY)
    cache.close()
    cache.close()
    cache.put("encoder", ["night"], vectors(["night"]))
    assert cache.get("encoder", ["noon"]) == {}
    assert sorted(p.name for p in path.parent.iterdir()) == ["vectors.sqlite", "vectors.sqlite.lock"]


# -- what goes -----------------------------------------------------------------------------------------------


def test_what_was_read_stays_and_the_oldest_goes(path: Path) -> None:
    with TextCache(path, 3 * 64) as cache:
        for text in "abc":
            cache.put("encoder", [text], vectors([text]))
        cache.get("encoder", ["a"])
        cache.put("another", ["d"], vectors(["d"]))
        assert_right(cache.get("encoder", list("abcd")), ["a", "c"])
        assert list(cache.get("another", list("abcd"))) == ["d"]


class Model:
    """The cache in words: a dictionary, and for each vector the call that used it last and the order of writing."""

    def __init__(self, limit: int) -> None:
        self.limit, self.calls, self.kept = limit, 0, {}

    def get(self, key: str, texts: list[str]) -> dict[str, np.ndarray]:
        self.calls += 1
        found = {text: self.kept[key, text] for text in texts if (key, text) in self.kept}
        for kept in found.values():
            kept[0] = self.calls
        return {text: kept[2] for text, kept in found.items()}

    def put(self, key: str, texts: list[str], rows: np.ndarray) -> None:
        self.calls += 1
        for i, (text, row) in enumerate(dict(zip(texts, rows, strict=True)).items()):
            self.kept[key, text] = [self.calls, (self.calls, i), row]
        while sum(kept[2].nbytes for kept in self.kept.values()) > self.limit:
            del self.kept[min(self.kept, key=lambda name: self.kept[name][:2])]


WIDTHS = {"first": 2, "second": 5}
CALLS = st.lists(
    st.tuples(st.sampled_from(["get", "put"]), st.sampled_from(sorted(WIDTHS)), st.lists(st.sampled_from("abcdefg")))
)


@settings(max_examples=40, deadline=None)
@given(CALLS, st.integers(0, 100))
def test_the_limit_is_held_and_the_oldest_used_go_first(calls: list, limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder, TextCache(Path(folder) / "vectors", limit) as cache:
        model = Model(limit)
        for number, (call, key, texts) in enumerate(calls):
            if call == "put":
                rows = np.random.default_rng(number).random((len(texts), WIDTHS[key]), np.float32)
                model.put(key, texts, rows)
                cache.put(key, texts, rows)
            else:
                expected, found = model.get(key, texts), cache.get(key, texts)
                assert {t: v.tolist() for t, v in found.items()} == {t: v.tolist() for t, v in expected.items()}
            expected = sum(kept[2].nbytes for kept in model.kept.values())
            counted = ask(cache.path, "SELECT bytes, (SELECT ifnull(sum(length(value)), 0) FROM vectors) FROM stored")
            assert counted == [(expected, expected)] and expected <= limit


def test_a_lower_limit_holds_from_the_next_put_on(path: Path) -> None:
    texts = [f"text {i}" for i in range(100)]
    fill(path, texts)
    with TextCache(path, 10 * 64) as cache:
        cache.put("encoder", ["new"], vectors(["new"]))
        found = cache.get("encoder", [*texts, "new"])
    assert_right(found, [*texts[91:], "new"])


def test_the_file_does_not_grow_with_what_went_through(path: Path) -> None:
    limit = 1000 * 768 * 4
    for start in range(0, 10_000, 1000):
        with TextCache(path, limit) as cache:
            cache.put("encoder", [f"text {i}" for i in range(start, start + 1000)], np.ones((1000, 768)))
        if start == 1000:
            settled = path.stat().st_size
    assert path.stat().st_size <= 1.05 * settled < 2.5 * limit


# -- several processes, and kills ----------------------------------------------------------------------------


@contextmanager
def writer(path: Path, name: str, puts: int) -> Iterator[subprocess.Popen]:
    """A process that is ready to open the cache and write."""
    command = [sys.executable, cache_writer.__file__, str(path), name, str(puts)]
    path_of_modules = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = os.environ | {"PYTHONPATH": path_of_modules}
    with subprocess.Popen(command, text=True, env=environment, **pipes) as process:
        try:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


def killed_after(process: subprocess.Popen, seconds: float) -> int:
    """Number of puts that an endless writer finished before it was killed, so many seconds after the first one."""
    go(process)
    assert process.stdout.readline() == "0\n"
    time.sleep(seconds)
    process.kill()
    return 1 + len(process.stdout.read().splitlines())


def assert_whole(path: Path, name: str, puts: int) -> None:
    """All of a writer's first puts are there and right, and the file is sound."""
    expected = [text for put in range(puts) for text in cache_writer.texts(name, put)]
    with TextCache(path, cache_writer.LIMIT) as cache:
        assert_right(cache.get(cache_writer.KEY, expected), expected)
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    assert ask(path, "SELECT bytes FROM stored") == ask(path, "SELECT sum(length(value)) FROM vectors")


def test_two_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    """They also open the file at the same moment, when there is none, and again and again."""
    with writer(path, "one", 60) as one, writer(path, "two", 60) as two:
        go(one), go(two)
        said = [process.communicate()[1] for process in (one, two)]
    assert said == ["", ""] and one.returncode == two.returncode == 0
    for name in ("one", "two"):
        assert_whole(path, name, 60)
    assert ask(path, "SELECT count(*) FROM vectors") == [(60 * (2 * cache_writer.TEXTS - 1),)]


def test_a_kill_at_any_moment_loses_no_finished_put(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logs = 0
    for number, moment in enumerate(np.random.default_rng(5).uniform(0, 0.08, 6)):
        path = tmp_path / f"vectors {number}"
        with writer(path, "killed", 0) as process:
            answered = killed_after(process, moment)
        logs += path.with_name(path.name + "-wal").exists()
        assert_whole(path, "killed", answered)
        fill(path, ["after the kill"])
        assert_whole(path, "killed", answered)
    assert logs >= 1  # some kill came while the log was in use
    assert not caplog.records


def test_a_kill_does_not_disturb_the_other_process(path: Path) -> None:
    with writer(path, "killed", 0) as one, writer(path, "two", 60) as two:
        go(two)
        answered = killed_after(one, 0.02)
        assert two.communicate()[1] == "" and two.returncode == 0
    assert_whole(path, "killed", answered)
    assert_whole(path, "two", 60)


# -- files and vectors that cannot be used -------------------------------------------------------------------


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """The one warning that there must be."""

    def only() -> str:
        (record,) = caplog.records
        assert record.levelname == "WARNING" and record.name == module.__name__
        return record.getMessage()

    return only


def goes_on(cache: TextCache) -> None:
    """Whatever is asked, nothing is found, nothing is kept and nothing is raised."""
    for _ in range(2):
        assert cache.get("encoder", TEXTS) == {}
        cache.put("encoder", TEXTS, vectors(TEXTS))
    assert cache.get("encoder", TEXTS) == {}
    cache.close()


def another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.executescript("CREATE TABLE addresses (street TEXT); INSERT INTO addresses VALUES ('Elm Street')")


def of_a_later_format(path: Path) -> None:
    fill(path, TEXTS)
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"PRAGMA user_version = {module.FORMAT + 1}")


def broken_in_its_schema(path: Path) -> None:
    """SQLite's message then quotes a byte that is no text."""
    fill(path, TEXTS)
    content = path.read_bytes()
    assert b"CREATE TABLE stored" in content
    path.write_bytes(content.replace(b"CREATE TABLE stored", b"CREATE \xff\xffBLE stored"))


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("a list of things to do\n" * 100), "not a database.*delete it"),
    "few bytes": (lambda path: path.write_bytes(b"noon"), "not a database.*delete it"),
    "another program's": (another_program, "its format is 0, not 1.*delete it"),
    "a later format": (of_a_later_format, "its format is 2, not 1.*delete it"),
    "a broken schema": (broken_in_its_schema, "delete it"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_file_that_is_no_cache_stays_as_it_is_and_scoring_goes_on(kind: str, path: Path, said: Callable) -> None:
    make, words = UNUSABLE[kind]
    path.parent.mkdir()
    make(path)
    before = path.read_bytes()
    goes_on(TextCache(path, ROOMY))
    assert path.read_bytes() == before
    assert said().startswith(f"{path}: ") and re.search(words, said())


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.9])
def test_a_file_cut_short_stays_as_it_is_and_scoring_goes_on(part: float, path: Path, said: Callable) -> None:
    fill(path, [f"text {i}" for i in range(1000)])
    cut = path.read_bytes()[: int(part * path.stat().st_size)]
    path.write_bytes(cut)
    goes_on(TextCache(path, ROOMY))
    assert path.read_bytes() == cut
    assert "delete it" in said()


def test_an_empty_file_is_an_empty_cache(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.touch()
    fill(path, TEXTS)
    with TextCache(path, ROOMY) as cache:
        assert_right(cache.get("encoder", TEXTS), TEXTS)
    assert not caplog.records


def test_a_file_with_changed_bytes_gives_right_vectors_or_none(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = [f"text {i}" for i in range(300)]
    fill(path, texts)
    sound = path.read_bytes()
    found = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        content = np.frombuffer(sound, np.uint8).copy()
        content[random.integers(0, len(content), 30)] = random.integers(0, 256, 30)
        kept = len(content) - random.integers(0, module.PAGE) * (seed % 3 == 0)  # SQLite misses a cut in the last page
        path.write_bytes(content.tobytes()[:kept])
        for left in path.parent.glob("*-*"):
            left.unlink()
        with TextCache(path, 310 * 64) as cache:
            for _ in range(2):
                vectors_found = cache.get("encoder", texts)
                assert_right(vectors_found)
                found += len(vectors_found)
                cache.put("encoder", texts[:100], vectors(texts[:100]))
    assert found > 1000 and caplog.records


WRONG = {
    "NaN": lambda value: np.full(16, np.nan, np.float32).tobytes(),
    "a changed bit": lambda value: bytes([value[0] ^ 1]) + value[1:],
    "too short": lambda value: value[:-4],
    "too long": lambda value: value + b"\0\0\0\0",
    "text": lambda value: "noon",
    "another text's": lambda value: vectors(["night"]).tobytes(),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_vector_that_is_not_what_was_written_is_computed_again(kind: str, path: Path, said: Callable) -> None:
    fill(path, ["noon", "night"])
    value = vectors(["noon"]).tobytes()
    change(path, "UPDATE vectors SET value = ? WHERE value = ?", WRONG[kind](value), value)
    with TextCache(path, ROOMY) as cache:
        for _ in range(2):
            assert_right(cache.get("encoder", ["noon", "night"]), ["night"])
        cache.put("encoder", ["noon"], vectors(["noon"]))
        assert_right(cache.get("encoder", ["noon", "night"]), ["noon", "night"])
    assert "not what was written" in said()


def test_a_size_that_is_no_number_ends_its_use(path: Path, said: Callable) -> None:
    fill(path, ["noon", "night"])
    change(path, "UPDATE texts SET size = 'many'")
    cache = TextCache(path, 64)
    cache.put("encoder", list("abc"), vectors(list("abc")))
    goes_on(cache)
    assert "delete it" in said()


def test_names_that_point_at_each_others_vectors_are_noticed(path: Path, said: Callable) -> None:
    fill(path, ["noon", "night"])
    with closing(sqlite3.connect(path)) as file, file:
        for old, new in ((1, 3), (2, 1), (3, 2)):
            file.execute("UPDATE vectors SET id = ? WHERE id = ?", (new, old))
    with TextCache(path, ROOMY) as cache:
        assert cache.get("encoder", ["noon", "night"]) == {}
    assert "not what was written" in said()


def test_vectors_that_are_no_numbers_are_not_kept(path: Path, said: Callable) -> None:
    rows = vectors(list("abcd"))
    rows[1, 3], rows[2, 0] = np.nan, -np.inf
    with TextCache(path, ROOMY) as cache:
        for _ in range(2):
            cache.put("encoder", list("abcd"), rows)
        assert_right(cache.get("encoder", list("abcd")), ["a", "d"])
    assert "NaN or infinite" in said() and "weights" in said()


def test_vectors_of_another_width_end_its_use_and_leave_what_was_kept(path: Path, said: Callable) -> None:
    fill(path, ["noon"])
    cache = TextCache(path, ROOMY)
    cache.put("encoder", ["night"], vectors(["night"], 8))
    goes_on(cache)
    assert "have widths 16 and 8" in said() and "delete it" in said()
    with TextCache(path, ROOMY) as cache:
        assert_right(cache.get("encoder", ["noon", "night"]), ["noon"])


# -- disks that cannot be used -------------------------------------------------------------------------------


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to write everywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_cannot_be_written_is_gone_without(there: bool, said: Callable) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders can be entered by their owner alone
        path = Path(folder) / "vectors.sqlite"
        if there:
            fill(path, TEXTS)
        os.chmod(folder, 0o555)
        with as_nobody():
            goes_on(TextCache(path, ROOMY))
        os.chmod(folder, 0o755)
        assert len(list(Path(folder).iterdir())) == (2 if there else 0)
    assert "let this user write" in said()


@pytest.mark.parametrize("place", ["a folder", "below a file"])
def test_a_place_where_no_file_can_be_is_gone_without(place: str, path: Path, said: Callable) -> None:
    if place == "a folder":
        path.mkdir(parents=True)
    else:
        path.parent.touch()
    goes_on(TextCache(path, ROOMY))
    assert "let this user write" in said()


@contextmanager
def no_more_pages(cache: TextCache) -> Iterator[None]:
    """SQLite's own word for a full disk."""
    cache._file.execute("PRAGMA max_page_count = 1")
    yield


@pytest.mark.parametrize("full", [no_more_pages, lambda cache: files_of_at_most(300_000)], ids=["pages", "writes"])
def test_a_full_disk_ends_its_use_and_loses_nothing_that_was_kept(full: Callable, path: Path, said: Callable) -> None:
    texts = [f"text {i}" for i in range(3000)]
    fill(path, TEXTS, 768)
    cache = TextCache(path, ROOMY)
    with full(cache):
        cache.put("encoder", texts, vectors(texts, 768))
        goes_on(cache)
    assert "free some space" in said()
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    fill(path, texts, 768)
    with TextCache(path, ROOMY) as cache:
        assert_right(cache.get("encoder", TEXTS + texts), TEXTS + texts)


def test_a_disk_that_is_full_from_the_start_is_gone_without(path: Path, said: Callable) -> None:
    with files_of_at_most(0):
        goes_on(TextCache(path, ROOMY))
    assert "free some space" in said()
    fill(path, TEXTS)
    with TextCache(path, ROOMY) as cache:
        assert_right(cache.get("encoder", TEXTS), TEXTS)


def test_a_process_that_holds_the_file_costs_the_cache_and_not_what_was_found(
    path: Path, said: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, TEXTS)
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        cache = TextCache(path, ROOMY)
        other.execute("BEGIN IMMEDIATE")
        assert_right(cache.get("encoder", TEXTS), TEXTS)
        goes_on(cache)
    assert "locked" in said() and "which other run holds it" in said()
