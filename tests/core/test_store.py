"""Made once, kept under a key: whole or not at all, by one of all that want it, and found again for the same content."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from jtcse.core.config import load_settings
from jtcse.core.files import sha256
from jtcse.core.store import key_of, made_once, unfinished


def child(action) -> int:
    """Run something in a process of its own, whose status says how it ended."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def write(fresh: Path) -> None:
    (fresh / "said").write_text("whole")


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    place = made_once(tmp_path / "things", "k", write)
    assert place == tmp_path / "things" / "k" and (place / "said").read_text() == "whole"
    assert made_once(tmp_path / "things", "k", lambda fresh: pytest.fail("made again")) == place
    assert made_once(tmp_path / "things", "other", write) != place


def test_an_error_leaves_nothing_and_the_next_call_makes_it(tmp_path: Path) -> None:
    def stopped(fresh: Path) -> None:
        write(fresh)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_once(tmp_path, "k", stopped)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
    assert (made_once(tmp_path, "k", write) / "said").is_file()


def test_a_kill_leaves_no_half_and_what_was_kept_to_go_on_from(tmp_path: Path) -> None:
    def killed(fresh: Path) -> None:
        write(fresh)
        unfinished(tmp_path, "k").mkdir()
        (unfinished(tmp_path, "k") / "checkpoint").write_text("half way")
        os.kill(os.getpid(), signal.SIGKILL)

    def goes_on(fresh: Path) -> None:
        (fresh / "said").write_text((unfinished(tmp_path, "k") / "checkpoint").read_text())

    _, status = os.waitpid(child(lambda: made_once(tmp_path, "k", killed)), 0)
    assert os.WIFSIGNALED(status) and not (tmp_path / "k").exists()
    assert (made_once(tmp_path, "k", goes_on) / "said").read_text() == "half way"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k", "k.lock"], "the half and the checkpoints are gone"


def test_of_several_processes_one_makes_it(tmp_path: Path) -> None:
    def logged(fresh: Path) -> None:
        with (tmp_path / "log").open("a") as stream:
            stream.write("once\n")
        write(fresh)

    children = [child(lambda: made_once(tmp_path / "things", "k", logged)) for _ in range(4)]
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert (tmp_path / "log").read_text() == "once\n"


def test_a_key_hangs_on_content_and_values_and_not_on_places_or_order(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text("1")
    first = key_of(start=tmp_path / "a", seed=1)
    assert first == key_of(seed=1, start=tmp_path / "b") != key_of(start=tmp_path / "a", seed=2)
    (tmp_path / "b" / "weights").write_text("other")
    assert key_of(seed=1, start=tmp_path / "b") != first and sha256(tmp_path / "a")
    one, other = (load_settings("embedded", {"stage2.steps": steps}).stage2 for steps in (5, 6))
    assert key_of(stage=one) == key_of(stage=one.model_copy()) != key_of(stage=other)
