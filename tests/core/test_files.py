"""Files and folders are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
import torch
from full_disk import files_of_at_most
from safetensors.torch import save_file

from jtcse.core import files
from jtcse.core.errors import UserError, unknown
from jtcse.core.files import new_file, new_folder, sha256, write_atomically


def everything(folder: Path) -> dict[str, bytes]:
    """Relative names, hidden ones too, and contents."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# -- files ---------------------------------------------------------------------------------------------------


def test_text_and_bytes_are_written_with_the_folders_they_need(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b.txt", "grün\n")
    write_atomically(str(tmp_path / "c.bin"), b"\x00\xff")
    assert everything(tmp_path) == {"a/b.txt": "grün\n".encode(), "c.bin": b"\x00\xff"}
    assert stat.S_IMODE((tmp_path / "c.bin").stat().st_mode) == 0o644


@pytest.mark.parametrize("call", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_failure_keeps_the_old_file(call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomically(tmp_path / "kept", "old")

    def fails(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, call, fails)
    with pytest.raises((UserError, OSError)) as caught:
        write_atomically(tmp_path / "kept", "new")
    monkeypatch.undo()
    assert everything(tmp_path) == {"kept": b"old"}
    if number != errno.EIO:
        assert isinstance(caught.value, UserError) and "no room left" in str(caught.value)


def test_a_stream_that_breaks_off_keeps_the_old_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt), new_file(tmp_path / "a.txt") as stream:
        stream.write(b"new")
        raise KeyboardInterrupt
    assert everything(tmp_path) == {"a.txt": b"old"}


def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "kept", "old")
    with files_of_at_most(1000), pytest.raises(UserError, match=r"no room left to write .*kept"):
        write_atomically(tmp_path / "kept", "new" * 1000)
    assert everything(tmp_path) == {"kept": b"old"}


# -- folders -------------------------------------------------------------------------------------------------


def test_a_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with new_folder(tmp_path / "models" / "twin") as fresh:
            assert fresh.parent == tmp_path / "models"
            (fresh / text).write_text(text)
    assert everything(tmp_path) == {"models/twin/new": b"new"}
    assert stat.S_IMODE((tmp_path / "models" / "twin").stat().st_mode) == 0o755


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError(errno.EIO, "no")])
def test_a_failure_leaves_the_old_folder_and_nothing_behind(error: BaseException, tmp_path: Path) -> None:
    with new_folder(tmp_path / "twin") as fresh:
        (fresh / "old").write_text("old")
    with pytest.raises(type(error)), new_folder(tmp_path / "twin") as fresh:
        (fresh / "half").write_text("new")
        raise error
    assert everything(tmp_path) == {"twin/old": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["twin"]


def test_a_failure_of_the_move_itself_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_folder(tmp_path / "twin") as fresh:
        (fresh / "old").write_text("old")
    replace = os.replace

    def fails_for_the_fresh_one(source: Path, target: Path) -> None:
        if Path(target) == tmp_path / "twin" and not str(source).endswith(".old"):
            raise OSError(errno.EIO, "no")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", fails_for_the_fresh_one)
    with pytest.raises(OSError, match="no"), new_folder(tmp_path / "twin") as fresh:
        (fresh / "new").write_text("new")
    monkeypatch.undo()
    assert everything(tmp_path) == {"twin/old": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["twin"]


@pytest.mark.parametrize("writer", ["python", "safetensors"])
def test_a_full_disk_is_one_sentence_and_keeps_the_old_folder(writer: str, tmp_path: Path) -> None:
    """safetensors reports a full disk by an error of its own kind."""
    with new_folder(tmp_path / "twin") as fresh:
        (fresh / "old").write_text("old")
    with (
        files_of_at_most(1000),
        pytest.raises(UserError, match=r"no room left to write .*twin"),
        new_folder(tmp_path / "twin") as fresh,
    ):
        if writer == "python":
            (fresh / "new").write_text("new" * 1000)
        else:
            save_file({"weight": torch.zeros(1000)}, fresh / "new")
    assert everything(tmp_path) == {"twin/old": b"old"}


# -- hashes and names ----------------------------------------------------------------------------------------


def test_hashes_of_files_and_folders(tmp_path: Path) -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a").write_bytes(b"")
    assert sha256(tmp_path / "one" / "a") == empty
    before = sha256(tmp_path / "one")
    (tmp_path / "one" / "a").rename(tmp_path / "one" / "b")
    renamed = sha256(tmp_path / "one")
    (tmp_path / "one" / "b").write_bytes(b"x")
    assert len({empty, before, renamed, sha256(tmp_path / "one")}) == 4


def test_unknown_names_the_nearest_if_any_is_near() -> None:
    assert (
        str(unknown("pooling", "men", ["mean", "cls"]))
        == "unknown pooling 'men'; did you mean 'mean'? valid: cls, mean"
    )
    assert "did you mean" not in str(unknown("pooling", "xyz", ["mean", "cls"]))
