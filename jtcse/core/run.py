"""A run: its settings, its place on disk, its random streams, and the record that it leaves."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from jtcse.core.config import Settings, load_settings
from jtcse.core.device import decided_once, instructions, take_threads, threads
from jtcse.core.errors import UserError
from jtcse.core.files import ROOT, sha256
from jtcse.core.record import Metric, Provenance, RunRecord, write_record

MADE_BY = {
    "start": "encoder",
    "tower_1": "stage1",
    "tower_2": "stage1",
    "twin": "stage2",
    "distilled": "distillation",
}
"""Models of a run in the order of their making, and the notebook that makes each."""
PACKAGES = ("torch", "transformers", "numpy", "datasets", "accelerate", "tokenizers")


def derive_seed(seed: int, *names: object) -> int:
    """A 63-bit seed from the run's seed and the name of a stream, the same on every machine."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


class Workspace:
    """The folders of one profile's products."""

    def __init__(self, root: Path | str, shared: Workspace | None = None) -> None:
        """``shared``: another workspace, whose text and starting encoder this one uses."""
        self.root, self._shared = Path(root), shared
        self.data = shared.data if shared else self.root / "data"
        self.models = self.root / "models"
        self.checkpoints = self.root / "checkpoints"
        self.records = self.root / "records"
        self.scores = self.root / "scores"

    def model(self, name: str) -> Path:
        """Folder of a stage's product: start, tower_1, tower_2, twin or distilled."""
        return self._shared.model(name) if self._shared and name == "start" else self.models / name


class Run:
    """One executed notebook or command; ``finish`` writes its record.

    Its ``run.precision`` is fp32 or bf16: ``auto`` is what was decided in its workspace, or is decided there now.
    """

    def __init__(self, name: str, profile: str, settings: Settings, workspace: Workspace) -> None:
        self.name, self.profile, self.workspace = name, profile, workspace
        precision = decided_once(settings.run.precision, workspace.root)
        self.settings = settings.model_copy(update={"run": settings.run.model_copy(update={"precision": precision})})
        if settings.run.threads:
            take_threads(settings.run.threads)
        self._clock, self._started = time.perf_counter(), datetime.now(UTC)

    def text(self) -> Path:
        """The file of sentences that the run trains on.

        Raises:
            UserError: it is not there; the sentence says how to make it.
        """
        return self._needed("corpus", self.workspace.data / "corpus.txt", "data")

    def model(self, name: str) -> Path:
        """The folder of a stage's product; errors as of ``text``."""
        return self._needed("model", self.workspace.model(name), MADE_BY[name])

    def _needed(self, kind: str, path: Path, notebook: str) -> Path:
        if not path.exists():
            raise UserError(
                f"no {kind} at {path}; make it first: jtcse reproduce --only {notebook} --profile {self.profile}"
            )
        return path

    def seed(self, *names: object) -> int:
        """The seed of a named random stream of this run."""
        return derive_seed(self.settings.run.seed, *names)

    def generator(self, *names: object) -> np.random.Generator:
        """A named random stream of this run."""
        return np.random.default_rng(self.seed(*names))

    def finish(
        self, metrics: Sequence[Metric], artefacts: Mapping[str, Path] | None = None, **provenance: Any
    ) -> RunRecord:
        """Write ``records/<name>.json``: the metrics, all settings, and where they come from.

        Args:
            metrics: what was measured.
            artefacts: files or folders whose hashes belong in the record, by name.
            provenance: fields of it that the caller knows better than this process does, such as ``seconds`` of several calls.
        """
        hashes = {name: sha256(path) for name, path in (artefacts or {}).items()}
        record = RunRecord(
            run=self.name,
            profile=self.profile,
            settings=self.settings.model_dump(mode="json"),
            metrics=list(metrics),
            provenance=self._provenance(hashes).model_copy(update=provenance),
        )
        write_record(record, self.workspace.records / f"{self.name}.json")
        return record

    def _provenance(self, hashes: dict[str, str]) -> Provenance:
        commit, dirty = commit_of(ROOT)
        return Provenance(
            commit=commit,
            dirty=dirty,
            started=self._started.isoformat(timespec="seconds"),
            seconds=round(time.perf_counter() - self._clock, 3),
            peak_memory_mib=peak_memory(),
            device=device_name(),
            machine=f"{platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} cores",
            threads=threads(),
            number_format=self.settings.run.precision,
            scored_in="fp32",
            instructions=instructions(),
            versions=_versions(),
            hashes=hashes,
        )


def start(name: str, profile: str, workdir: str | Path, **sections: Mapping[str, Any]) -> Run:
    """Begin a run: read and check the settings before anything else happens.

    Args:
        name: of the run; its record becomes ``<workdir>/records/<name>.json``.
        profile: name of a profile.
        workdir: where the profile keeps data, models and records.
        sections: settings to turn, by section: ``stage2={"steps": 20}``.
    Raises:
        UserError: unknown profile or setting, wrong type or range.
    """
    settings = load_settings(profile, {key: dict(value) for key, value in sections.items() if value})
    Path(workdir).mkdir(parents=True, exist_ok=True)  # where the number format of all its runs is written down
    return Run(name, profile, settings, Workspace(workdir))


def commit_of(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the checkout that holds a folder, and whether it has changes that are not committed; None without git."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, encoding="utf8", check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _versions() -> dict[str, str]:
    from importlib import metadata

    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def device_name() -> str:
    """What trained and measured: a GPU's name, or ``cpu``, as where torch was not even imported."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch and torch.cuda.is_available() else "cpu"


def peak_memory() -> float:
    """Peak of the process (MiB), or of the GPU where one was used."""
    import resource

    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"
