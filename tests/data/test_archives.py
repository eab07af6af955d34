"""Archives from elsewhere: what is read, and what is refused in one sentence."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
import standin

from jtcse.core.errors import UserError
from jtcse.data.senteval import read_members

FILES = {"a/one.txt": b"first\n" * 500, "a/two.txt": b"second\n" * 500, "b.csv": b"x,y\n"}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return standin.tar(tmp_path / "good.tar", FILES)


def special(path: Path, name: str, kind: bytes, target: str = "") -> Path:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        archive.addfile(member)
    return path


def test_reads_the_wanted_members(archive: Path) -> None:
    assert read_members(archive, lambda name: name.endswith(".txt")) == {k: FILES[k] for k in list(FILES)[:2]}


def test_a_leading_dot_and_compression_make_no_difference(tmp_path: Path) -> None:
    packed = standin.tar(tmp_path / "good.tar.gz", {f"./{name}": text for name, text in FILES.items()}, "w:gz")
    assert read_members(packed, FILES.__contains__) == FILES


@pytest.mark.parametrize("name", ["../outside.txt", "a/../../outside.txt", "/outside.txt"])
def test_refuses_paths_that_climb_out(tmp_path: Path, name: str) -> None:
    bad = standin.tar(tmp_path / "bad.tar", {"fine.txt": b"x", name: b"x"})
    with pytest.raises(UserError, match="climbs out"):
        read_members(bad, bool)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_refuses_links_and_devices(tmp_path: Path, kind: bytes) -> None:
    bad = special(tmp_path / "bad.tar", "thing", kind, "/etc/hostname")
    with pytest.raises(UserError, match="link or a device"):
        read_members(bad, bool)


def test_a_cut_anywhere_is_noticed(archive: Path, tmp_path: Path) -> None:
    """Also a cut between two members, which the standard library takes for the end of the archive."""
    whole = archive.read_bytes()
    end = len(whole.rstrip(b"\0"))
    for length in (0, 100, 512, 700, 512 + 3072, 512 + 3072 + 100, end - 600, end):
        cut = tmp_path / "cut.tar"
        cut.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"cut short|not a tar archive"):
            read_members(cut, bool)


def test_a_cut_gzip_is_noticed(tmp_path: Path) -> None:
    noise = {"noise": bytes(range(256)) * 40}
    packed = standin.tar(tmp_path / "packed.tar.gz", noise, "w:gz").read_bytes()
    cut = tmp_path / "cut.tar.gz"
    for length in (20, len(packed) // 2, len(packed) - 9):
        cut.write_bytes(packed[:length])
        with pytest.raises(UserError, match=r"cut short|damaged|not a tar"):
            read_members(cut, bool)


@pytest.mark.parametrize(
    "content", [b"", b"plain words\n" * 200, gzip.compress(b"plain words", mtime=0), b"PK\3\4" + bytes(600)]
)
def test_says_what_is_not_an_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.tar"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"text\.tar"):
        read_members(path, bool)


def test_a_path_without_an_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no archive"):
        read_members(tmp_path / "nothing.tar", bool)


def test_does_not_close_over_the_stream(archive: Path) -> None:
    """The contents stay readable once the archive is closed."""
    content = read_members(archive, bool)["a/one.txt"]
    assert io.BytesIO(content).readline() == b"first\n"
