"""The way from the hub to a loaded task: how long it may be silent, what its caches hold, and what of it is spoilt.

Two caches lie between: ``HF_HUB_CACHE`` has the files as they were sent, ``HF_DATASETS_CACHE`` what ``datasets`` made of them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SILENCE = 30.0
"""Seconds that the hub may be silent where neither HF_HUB_DOWNLOAD_TIMEOUT nor HF_HUB_ETAG_TIMEOUT is set."""
REPEATS = 3
"""How often a file may be asked for from one and the same byte: a body that always ends there will not go on."""
COMMIT = re.compile(r"[0-9a-f]{40}")


class Stalled(OSError):
    """A file that never gets further than some byte."""


@contextmanager
def patience() -> Iterator[None]:
    """Every wait for the hub ends while the block runs.

    The hub's client sets no limit to listings, asks again for a minute each where it sets one, and asks without end for a large
    file whose body always breaks off at one place. Here no request waits longer than the user's HF_HUB_DOWNLOAD_TIMEOUT or
    HF_HUB_ETAG_TIMEOUT (the longer; else ``SILENCE``) for the next byte, and ``REPEATS`` bounds the last. Downloads through
    ``hf_xet`` have limits of their own.
    """
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    before = getattr(_http, "_GLOBAL_CLIENT_FACTORY", _http.default_client_factory)
    set_client_factory(_watched(before, _watch(_silence())))
    try:
        yield
    finally:
        set_client_factory(before)


def _watched(factory: Callable, watch: Callable) -> Callable:
    def client():
        made = factory()
        hooks = made.event_hooks
        made.event_hooks = {**hooks, "request": [*hooks.get("request", []), watch]}
        return made

    return client


def _silence() -> float:
    from huggingface_hub import constants

    names = [name for name in ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT") if os.environ.get(name)]
    return float(max((getattr(constants, name) for name in names), default=SILENCE))


def _watch(limit: float) -> Callable:
    """A hook that shortens a request's waits to ``limit`` seconds and stops what does not advance."""
    furthest: dict[str, int] = {}
    repeats: dict[str, int] = {}

    def look(request) -> None:
        waits = request.extensions.get("timeout", {})
        keys = ("connect", "read", "write", "pool")
        request.extensions["timeout"] = {key: min(waits.get(key) or limit, limit) for key in keys}
        resumed = re.match(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if not resumed:
            return
        url, start = str(request.url), int(resumed[1])
        repeats[url] = repeats.get(url, 0) + 1 if start <= furthest.get(url, -1) else 0
        furthest[url] = max(start, furthest.get(url, -1))
        if repeats[url] >= REPEATS:
            raise Stalled(f"{request.url.path} broke off {REPEATS} times after byte {furthest[url]}")

    return look


def unanswered(path: str, revision: str | None) -> Exception | None:
    """One request to the hub for a data set, without a second try: None if it has the revision, else what came instead."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(path, "README.md", repo_type="dataset", revision=revision))
    except EntryNotFoundError:
        return None
    except Exception as error:  # of whichever layer: the caller sorts them
        return error
    return None


@contextmanager
def offline() -> Iterator[None]:
    """As with HF_HUB_OFFLINE while the block runs: the caches answer, or nobody."""
    import datasets
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


@contextmanager
def configs_of_the_cache() -> Iterator[None]:
    """Without a hub, ``datasets`` knows one configuration of each set: mteb would take a reranking task for a retrieval task.

    While the block runs mteb sees those that the cache has at the revision.
    """
    from mteb.abstasks import retrieval_dataset_loaders as loaders

    asked = loaders.get_dataset_config_names

    def names(path: str, revision: str | None = None, **given) -> list[str]:
        found = asked(path, revision, **given)
        return found if found != ["default"] else sorted({one.parts[-3] for one in prepared(path, revision)}) or found

    loaders.get_dataset_config_names = names
    try:
        yield
    finally:
        loaders.get_dataset_config_names = asked


def prepared(path: str, revision: str | None) -> list[Path]:
    """The folders ``.../CONFIGURATION/VERSION/REVISION`` of what ``datasets`` made of a set."""
    from datasets import config
    from datasets.naming import camelcase_to_snakecase

    owner, _, name = path.rpartition("/")
    folder = Path(config.HF_DATASETS_CACHE).expanduser() / f"{owner}___{camelcase_to_snakecase(name)}"
    return sorted(one for one in folder.glob(f"*/*/{revision or '*'}") if one.is_dir() and COMMIT.fullmatch(one.name))


def other_revision(task) -> str | None:
    """The revision of a loaded task's data if it is not the task's: ``datasets`` takes what it has when the hub fails.

    Tasks that load in a way of their own are not looked at: some of them ask for no revision.
    """
    revision = task.metadata.dataset.get("revision", "")
    if not type(task).load_data.__module__.startswith("mteb.abstasks") or not COMMIT.fullmatch(revision):
        return None
    folders = {folder.name: folder for folder in prepared(task.metadata.dataset["path"], None)}
    used = {Path(one["filename"]).parent for data in _data_sets(task.dataset) for one in data.cache_files}
    return next((folder.name for folder in sorted(used) if folder.name in folders and folder.name != revision), None)


def _data_sets(value) -> Iterator:
    from datasets import Dataset

    if isinstance(value, Dataset):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _data_sets(one)


def forget_spoilt(path: str, unreadable: bool) -> list[str]:
    """Remove what is not as it was sent from the hub's cache, and with it what was made of it.

    Args:
        path: ``owner/name`` of the data set.
        unreadable: remove also files that are as sent but do not read.
    Returns:
        The files' names in the repository; the next load downloads them again.
    """
    from huggingface_hub import constants

    snapshots = Path(constants.HF_HUB_CACHE) / f"datasets--{path.replace('/', '--')}" / "snapshots"
    removed = []
    for file in sorted(one for one in snapshots.glob("*/**/*") if one.is_file() and one.suffix != ".md"):
        if _as_sent(file.resolve()) and not (unreadable and not _reads(file)):
            continue
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        removed.append("/".join(file.relative_to(snapshots).parts[1:]))
    for folder in prepared(path, None) if removed else []:
        shutil.rmtree(folder, ignore_errors=True)
    return sorted(set(removed))


def _as_sent(blob: Path) -> bool:
    """Whether a cached file has the content it is named after: sha256, or git's sha1 of small files."""
    kind = {64: hashlib.sha256, 40: hashlib.sha1}.get(len(blob.name))
    if kind is None:
        return False
    head = b"" if kind is hashlib.sha256 else b"blob %d\0" % blob.stat().st_size
    with blob.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: kind(head)).hexdigest() == blob.name


def _reads(file: Path) -> bool:
    """Whether a file is a whole parquet file; of others it is not known."""
    import pyarrow
    from pyarrow import parquet

    if file.suffix != ".parquet":
        return False
    try:
        with parquet.ParquetFile(file) as opened:
            for group in range(opened.num_row_groups):
                opened.read_row_group(group)
    except (pyarrow.ArrowException, OSError):
        return False
    return True


def bytes_to_get(path: str, revision: str | None) -> int:
    """Bytes of a repository's data files that the hub's cache does not have. A hub that does not answer is not asked again.

    Raises:
        Exception: of the hub's client, also where the list may be seen but not the files.
    """
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

    error = unanswered(path, revision)
    if error is not None:
        raise error
    listed = HfApi().list_repo_tree(path, repo_type="dataset", revision=revision, recursive=True)
    wanted = {one.path: one.size for one in listed if hasattr(one, "blob_id") and _is_data(one.path)}
    held = {"repo_type": "dataset", "revision": revision}
    missing = {
        name: size for name, size in wanted.items() if not isinstance(try_to_load_from_cache(path, name, **held), str)
    }
    if missing:
        smallest = min(missing, key=missing.__getitem__)
        get_hf_file_metadata(hf_hub_url(path, smallest, **held))
    return sum(missing.values())


def _is_data(name: str) -> bool:
    last = name.rsplit("/", 1)[-1]
    return not last.startswith(".") and not last.endswith((".md", ".py", ".png", ".jpg")) and last != "LICENSE"
