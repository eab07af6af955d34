"""Files of a model-and-dataset hub, with errors that say how to go on without it."""

from __future__ import annotations

from pathlib import Path

from jtcse.errors import UserError

ADVICE = (
    "point HF_ENDPOINT at a hub that can be reached, or fill the local cache (HF_HOME) on a machine that can, "
    "or give a folder of this machine in place of the hub name"
)


def unreachable(what: str, error: Exception) -> UserError:
    """The error for something that could not be had from the hub; ``what`` names it."""
    import os

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
    except (OSError, ValueError) as error:
        raise unreachable(f"{kind} file {repo}:{filename}", error) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] in {"huggingface_hub", "httpx", "httpcore", "requests"}:
            raise unreachable(f"{kind} file {repo}:{filename}", error) from error
        raise
