"""Files of a model-and-dataset hub, with errors that say how to go on without it.

Weights are read from safetensors only. Most repositories of 2021 to 2023 hold a pickle on ``main``, and beside it an open
pull request of the hub's own converter with the same weights as safetensors: those are taken from there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from jtcse.core.errors import UserError

ADVICE = (
    "point HF_ENDPOINT at a hub that can be reached, or fill the local cache (HF_HOME) on a machine that can, "
    "or give a folder of this machine in place of the hub name"
)
CONVERTER = "SFconvertbot"
"""The hub's account that converts pickles to safetensors; anyone may open a pull request, only its own are taken."""
SAFE = ("model.safetensors", "model.safetensors.index.json")
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class Place:
    """Where a model's files lie: a folder, or a repository's revision and subfolder.

    ``owner/name``, ``owner/name/sub/folder`` and ``owner/name@revision`` are the ways to write a repository.
    """

    name: str
    revision: str | None = None
    subfolder: str = ""

    @classmethod
    def of(cls, name: str | Path) -> Place:
        """The place that a name means; a folder that is there goes before a repository."""
        if isinstance(name, Path) or Path(name).is_dir() or str(name).startswith(("/", ".", "~")):
            return cls(str(name))
        name, _, revision = str(name).partition("@")
        words = name.rstrip("/").split("/")
        return cls("/".join(words[:2]), revision or None, "/".join(words[2:]))

    @property
    def folder(self) -> Path | None:
        """The folder on this machine, if it is one."""
        return Path(self.name) if Path(self.name).is_dir() else None

    def __str__(self) -> str:
        return "/".join(filter(None, (self.name, self.subfolder))) + (f"@{self.revision}" if self.revision else "")

    def arguments(self) -> dict[str, str]:
        """What ``from_pretrained`` and the hub's client need beside the name."""
        return {"revision": self.revision or "main", "subfolder": self.subfolder}


def unreachable(what: str, error: Exception) -> UserError:
    """The error for something that could not be had from the hub; ``what`` names it."""
    where = os.environ.get("HF_ENDPOINT", "the public hub")
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return UserError(f"could not get {what} from {where} ({type(error).__name__}: {first_line}); {ADVICE}")


def fetch_file(repo: str, filename: str, kind: str) -> Path:
    """Download one file of a repository into the hub's cache and return its path.

    Args:
        repo: ``owner/name``.
        filename: path inside the repository.
        kind: ``"model"`` or ``"dataset"``.
    Raises:
        UserError: no hub, no such repository or file.
    """
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo, filename, repo_type=kind))
    except Exception as error:
        if _of_the_hub(error):
            raise unreachable(f"{kind} file {repo}:{filename}", error) from error
        raise


def file_at(place: Place, filename: str) -> Path | None:
    """One file beside a model, or None where there is none or no hub to ask."""
    if place.folder:
        path = place.folder / filename
        return path if path.is_file() else None
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(place.name, filename, revision=place.revision, subfolder=place.subfolder or None))
    except Exception as error:
        if _of_the_hub(error):
            return None
        raise


def files_at(place: Place) -> dict[str, str]:
    """Path to hash of the files at a place, its subfolders left out.

    Raises:
        Exception: of the hub's client, when the hub does not answer or has no such place.
    """
    if place.folder:
        return {path.name: "" for path in sorted(place.folder.iterdir()) if path.is_file()}
    from huggingface_hub import HfApi

    where = {"revision": place.revision, "path_in_repo": place.subfolder or None}
    tree = HfApi().list_repo_tree(place.name, **where)
    return {Path(one.path).name: one.blob_id for one in tree if hasattr(one, "blob_id")}


@contextmanager
def nothing_sent() -> Iterator[None]:
    """Keep transformers from asking a conversion service for safetensors: it would send the name and the user's token."""
    name = "DISABLE_SAFETENSORS_CONVERSION"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def with_safetensors(place: Place) -> Place:
    """The place itself, or the hub's conversion of it, which is told in a log line.

    Raises:
        UserError: weights as a pickle only, or no weights at all: what was found and how to go on.
        Exception: as ``files_at``.
    """
    files = files_at(place)
    if any(name in files for name in SAFE):
        return place
    pickles = [name for name in files if name.endswith(PICKLED)]
    if place.folder or not pickles:
        shown = ", ".join(list(files)[:6]) or "nothing"
        todo = "convert the pickle on a machine you trust" if pickles else "copy or download it again"
        raise UserError(f"{place} holds no {SAFE[0]} (found: {shown}); only safetensors are opened, {todo}")
    converted = None if place.revision or place.subfolder else _conversion(place, files)
    if converted is None:
        raise UserError(
            f"{place} has its weights as a pickle ({pickles[0]}), which is not opened, and no conversion to safetensors by "
            f"the hub; ask for one at the hub's space safetensors/convert, or convert it on a machine you trust and give "
            "the folder"
        )
    logging.getLogger(__name__).warning("%s: weights from %s, the hub's conversion", place.name, converted.revision)
    return converted


def _conversion(place: Place, files: dict[str, str]) -> Place | None:
    """The newest pull request of the hub's converter that stands beside the same pickles as ``main``."""
    from huggingface_hub import HfApi

    try:
        asked = HfApi().get_repo_discussions(place.name, author=CONVERTER, discussion_type="pull_request")
        numbers = sorted((one.num for one in asked if one.author == CONVERTER and one.is_pull_request), reverse=True)
        pickles = {name: digest for name, digest in files.items() if name.endswith(PICKLED)}
        for number in numbers:
            there = replace(place, revision=f"refs/pr/{number}")
            held = files_at(there)
            if any(name in held for name in SAFE) and pickles.items() <= held.items():
                return there
    except Exception as error:  # the hub answers, but has no discussions of this repository: as if there were none
        if not _of_the_hub(error):
            raise
    return None


def in_cache(place: Place) -> Place | None:
    """Without a hub: the conversion that an earlier run took, if the cache has one."""
    from huggingface_hub import constants, try_to_load_from_cache

    refs = Path(constants.HF_HUB_CACHE) / f"models--{place.name.replace('/', '--')}" / "refs" / "refs" / "pr"
    for ref in sorted(refs.glob("*")):
        there = replace(place, revision=f"refs/pr/{ref.name}")
        if any(isinstance(try_to_load_from_cache(place.name, one, revision=there.revision), str) for one in SAFE):
            return there
    return None


def _of_the_hub(error: Exception) -> bool:
    """Whether an error came from the hub or the way to it."""
    modules = {one.__module__.split(".")[0] for one in type(error).__mro__}
    return isinstance(error, (OSError, ValueError, KeyError)) or bool(
        modules & {"huggingface_hub", "httpx", "httpcore", "requests"}
    )
