"""What several test modules share: a hub of stand-ins, and the folder of real material where there is one."""

from __future__ import annotations

import os

# One thread here and in every process that a test starts: sums are then taken in one order, and tests that compare to the
# last bit, partly across processes, do not depend on which test ran before. Read when torch is first imported.
os.environ["OMP_NUM_THREADS"] = "1"
# Tables are as wide in a terminal as in a pipe: what a test reads is the same everywhere.
os.environ["COLUMNS"] = "80"

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import loopback
import pytest
import standin
from hypothesis import settings

# No stopwatch decides a test: a busy machine would fail what a quiet one passes.
settings.register_profile("everywhere", deadline=None)
settings.load_profile("everywhere")

REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True)
class Hub:
    """A hub that is being served: its address and its folder."""

    url: str
    root: Path


@pytest.fixture(scope="session")
def standin_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-in repositories under public names (``standin.hub``), made once."""
    return standin.hub(tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="session")
def _standin_hub(standin_root: Path) -> Iterator[Hub]:
    with loopback.serve(standin_root) as url:
        yield Hub(url, standin_root)


@pytest.fixture
def loopback_hub(_standin_hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """A hub of stand-ins for programs that the test starts.

    The hub's client reads its settings when it is imported: this works for subprocesses, not within the test.
    """
    for name, value in {
        "HF_ENDPOINT": _standin_hub.url,
        "HF_HOME": str(tmp_path / "hf_home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return _standin_hub


@pytest.fixture
def shared_hub() -> Path:
    """The folder ``../shared`` beside the repository, for tests on real data; skips where it is not."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "hub" / "serve.py").is_file():
        pytest.skip("real data sets are not here: no folder ../shared with a hub in it")
    return folder
