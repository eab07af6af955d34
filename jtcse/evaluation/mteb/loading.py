"""Loading tasks of mteb from the hub: what may pass is tried again, what will not is said, and nothing half there is scored."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from jtcse.core.errors import NoRoom, UserError
from jtcse.core.files import FULL
from jtcse.core.hub import ADVICE
from jtcse.evaluation.mteb import downloads, limits

KINDS = {
    "gone": "it is not there any more, or private: leave the task out",
    "gated": "accept its terms on its page and log in with 'hf auth login', or leave the task out",
    "offline": ADVICE.rsplit(", or ", 1)[0],
    "broken": "its data do not read as mteb reads them",
    "incomplete": "nothing is scored on part of a set",
}
"""Why a task's data cannot be had, with what to do or what it means."""
MAY_PASS = {408, 429, 500, 502, 503, 504, 520, 522, 524}
BYTES_PER_GIGABYTE = 1e9


class Missing(UserError):
    """A task whose data cannot be had whole; ``kind`` is one of ``KINDS``."""

    def __init__(self, words: str, kind: str) -> None:
        super().__init__(words)
        self.kind = kind


def load(task, *, limit: int | None = None, tries: int = 3, pause: float = 2.0) -> list[str]:
    """Load a task's data, whole or not at all; without a hub the caches answer.

    Args:
        task: of ``mteb.get_task``, filtered to the subsets and splits that will be scored.
        limit: cut it to so many rows of each split and subset (``limits.cut``); numbers of samples are then not checked.
        tries: at most, for what may pass: answers of 5xx, silence, cut connections. The hub's client tries some of these a few
            times by itself before that counts as one.
        pause: seconds before the second try, each further one twice as long.
    Returns:
        A sentence for each split that has more samples than mteb counts: nothing is missing, but it is not the same set.
    Raises:
        Missing: no data, or fewer than mteb's descriptive statistics count.
        UserError: a full disk, or a limit for a kind of task that cannot be cut.
    """
    try:
        for number in range(1, tries + 1):
            try:
                _load_once(task)
                break
            except Exception as error:
                kind = sort(error)
                if kind != "offline" or number == tries or not _may_pass(error):
                    raise _missing(task, kind, error) from error
                time.sleep(pause * 2 ** (number - 1))
        if limit is None:
            return _whole(task)
        limits.cut(task, limit)
        return []
    except KeyError as error:  # a subset or split that the data lack
        task.data_loaded, task.dataset = False, None
        raise Missing(f"{task.metadata.name} has no {error}; {KINDS['incomplete']}", "incomplete") from error
    except UserError:
        task.data_loaded, task.dataset = False, None
        raise


def _load_once(task) -> None:
    """One try: by the hub if it answers, else by the caches alone, which is quick."""
    path, revision = task.metadata.dataset["path"], task.metadata.dataset.get("revision")
    if task.data_loaded:
        return
    with downloads.patience(), downloads.configs_of_the_cache():
        error = downloads.unanswered(path, revision)
        if error is None:
            _load_data(task)
        elif not _from_cache(task):
            raise error
    other = downloads.other_revision(task)
    if other:
        task.data_loaded = False
        raise ConnectionError(f"the hub did not give revision {revision}, the cache has {other}")


def _load_data(task) -> None:
    task.load_data()
    if hasattr(task, "convert_v1_dataset_format_to_v2"):
        task.convert_v1_dataset_format_to_v2(num_proc=None)


def _from_cache(task) -> bool:
    try:
        with downloads.offline():
            _load_data(task)
    except Exception as error:  # whatever it is, the hub's own answer says more
        logging.getLogger(__name__).debug("%s is not in the cache: %s", task.metadata.name, error)
        task.data_loaded = False
        return False
    return True


def sort(error: BaseException) -> str:
    """Which of ``KINDS`` an error of the hub's client or of ``datasets`` is: the outermost one that tells decides."""
    return next((kind for one in _chain(error) if (kind := _kind(one))), "broken")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _kind(error: BaseException) -> str | None:
    from datasets.exceptions import DatasetBuildError, DatasetNotFoundError, SplitsVerificationError
    from huggingface_hub import errors
    from pyarrow import ArrowException

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError) or (isinstance(error, DatasetNotFoundError) and "gated" in str(error)):
        return "gated"
    if isinstance(error, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError)) or status in (404, 410):
        return "gone"
    if status in (401, 403):
        return "gated"
    if status in MAY_PASS or isinstance(error, errors.LocalEntryNotFoundError) or _of_the_way(error):
        return "offline"
    if isinstance(error, SplitsVerificationError):
        return "incomplete"
    if isinstance(error, (DatasetBuildError, ArrowException)):
        return "broken"
    return "gone" if isinstance(error, FileNotFoundError) else None


def _of_the_way(error: BaseException) -> bool:
    """Whether the way to the hub failed, not the hub: refused, cut or silent connections, bodies of another length."""
    names = {one.__name__ for one in type(error).__mro__}
    shorter = isinstance(error, OSError) and "Consistency check failed" in str(error)
    return shorter or isinstance(error, (ConnectionError, TimeoutError, downloads.Stalled)) or "TransportError" in names


def _may_pass(error: BaseException) -> bool:
    from huggingface_hub.errors import OfflineModeIsEnabled

    return not any(isinstance(one, OfflineModeIsEnabled) for one in _chain(error))


def _missing(task, kind: str, error: BaseException) -> UserError:
    """The error for a task that did not load; damaged files leave the cache."""
    if any(isinstance(one, OSError) and one.errno in FULL for one in _chain(error)):
        return NoRoom(f"no room left for the data of {task.metadata.name} ({error}); free some space and try again")
    path = task.metadata.dataset["path"]
    innermost = list(_chain(error))[-1] if kind == "broken" else error
    first_line = (str(innermost).strip().splitlines() or [""])[0][:200]
    what = f"{task.metadata.name} cannot be scored: {path} ({type(innermost).__name__}: {first_line})"
    return Missing(f"{what}; {KINDS[kind]}{_forgotten(path, kind)}", kind)


def _forgotten(path: str, kind: str) -> str:
    if kind not in ("broken", "incomplete"):
        return ""
    removed = downloads.forget_spoilt(path, unreadable=kind == "broken")
    shown = ", ".join(removed[:3]) + (" and others" if len(removed) > 3 else "")
    return f"; removed from the cache, to be downloaded again: {shown}" if removed else ""


def _whole(task) -> list[str]:
    """Raises where samples are missing, tells where there are more than expected."""
    found = limits.differences(task)
    fewer = [one for one in found if one.found < one.expected]
    if fewer:
        more = f" (and {len(fewer) - 1} more)" if len(fewer) > 1 else ""
        words = f"{task.metadata.name} is not whole: found {fewer[0]}{more}; {KINDS['incomplete']}"
        raise Missing(words + _forgotten(task.metadata.dataset["path"], "incomplete"), "incomplete")
    return [f"{task.metadata.name}: found {one}: its score is of more than the published ones are" for one in found]


def availability(task) -> tuple[float | None, Missing | None]:
    """Gigabytes that a task's data set has on the hub at the task's revision, or why it cannot be had.

    Files that the cache has are not counted. The number is of the whole repository: a few subsets may need less.
    """
    path, revision = task.metadata.dataset["path"], task.metadata.dataset.get("revision")
    try:
        with downloads.patience():
            return downloads.bytes_to_get(path, revision) / BYTES_PER_GIGABYTE, None
    except Exception as error:
        missing = _missing(task, sort(error), error)
        return None, missing if isinstance(missing, Missing) else Missing(str(missing), "offline")
