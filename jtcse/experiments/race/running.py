"""Does the cells of the race, each in a process of its own, several at a time; what is done is not done again."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jtcse.core import device
from jtcse.core.errors import UserError
from jtcse.core.files import ROOT, last_line
from jtcse.core.run import Run
from jtcse.experiments.race.cells import Cell, is_done, waits_for

if TYPE_CHECKING:
    from tqdm import tqdm

LOOK = 0.2  # seconds between looks at the running cells
KILLED = 128  # from here a shell's status is the signal that ended what it ran


def default_jobs(run: Run, cores: int | None = None) -> int:
    """As many cells at a time as the profile's threads leave room for on some cores, by default all."""
    cores = cores or device.cores()
    return max(1, cores // (run.settings.run.threads or cores))


class Runner:
    """Runs cells in the order of their needs.

    Args:
        run: profile, settings and workspace.
        cells: all that were asked for; those that are done are left alone.
        jobs: processes at a time.
    """

    def __init__(self, run: Run, cells: Sequence[Cell], jobs: int) -> None:
        self.run, self.jobs, self.total = run, jobs, len(cells)
        self.waiting = [cell for cell in cells if not is_done(run, cell)]
        self.running: dict[Cell, subprocess.Popen[bytes]] = {}
        self.failed: dict[Cell, str] = {}
        self.held: list[Cell] = []  # they need what failed

    def go(self) -> None:
        """Do all that can be done; ``failed`` and ``held`` then say what could not."""
        with _alone(self.run), self._bar() as bar:
            try:
                while self.waiting or self.running:
                    self._start()
                    time.sleep(LOOK)
                    self._look(bar)
                    bar.set_postfix_str("; ".join(map(str, self.running)), refresh=False)
                    bar.update(0)  # the time left goes on
            finally:
                self._stop()

    def log(self, cell: Cell) -> Path:
        """Everything that a cell's process says."""
        folder = self.run.workspace.root / "race" / cell.system
        return folder / f"{'rate' if cell.tunes else cell.seed}.log"

    def _start(self) -> None:
        lost = {*self.failed, *self.held}
        for cell in list(self.waiting):
            needs = waits_for(self.run, cell)
            if lost.intersection(needs):
                self.waiting.remove(cell)
                self.held.append(cell)
                lost.add(cell)
            elif len(self.running) < self.jobs and not {*self.waiting, *self.running}.intersection(needs):
                self.waiting.remove(cell)
                self.running[cell] = self._process(cell)

    def _look(self, bar: tqdm) -> None:
        for cell, process in list(self.running.items()):
            if process.poll() is None:
                continue
            del self.running[cell]
            process.stdin.close()
            if process.returncode == 0 and is_done(self.run, cell):
                bar.update()
                continue
            self.failed[cell] = said = self._reason(cell, process.returncode)
            bar.write(f"{cell} failed: {said}; its log is {self.log(cell)}", file=sys.stderr)

    def _reason(self, cell: Cell, status: int) -> str:
        if status == 0:
            return "the package's code was changed while it ran, so what it made is of another version"
        said = last_line(self.log(cell).read_text(encoding="utf8", errors="replace"))
        return said if status < KILLED else f"it was ended from outside, or ran out of memory; it last said: {said}"

    def _process(self, cell: Cell) -> subprocess.Popen[bytes]:
        log, package = self.log(cell), ROOT
        log.parent.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
        threads = self.run.settings.run.threads or max(1, device.cores() // self.jobs)
        # waiting threads sleep: several cells run at a time, and spinning ones would take each other's cores
        given = {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
        # Through a shell: what this process starts itself begins with this one's memory as its peak (Linux). The names at the
        # end are for those who list processes.
        command = [
            "sh",
            "-c",
            '"$@"; exit $?',
            "sh",
            sys.executable,
            "-m",
            "jtcse.experiments.race.cell",
            cell.system,
            str(cell.seed),
        ]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command, bufsize=0, stdin=subprocess.PIPE, stdout=stream, stderr=subprocess.STDOUT,
                env=os.environ | given, start_new_session=True,
            )  # fmt: skip
        asked = {"system": cell.system, "seed": cell.seed, "profile": self.run.profile}
        asked |= {"workdir": str(self.run.workspace.root), "settings": self.run.settings.model_dump(mode="json")}
        with suppress(BrokenPipeError):  # a process that is gone already has said why in its log
            process.stdin.write(json.dumps(asked).encode() + b"\n")
        return process

    def _bar(self) -> tqdm:
        from tqdm import tqdm

        done = self.total - len(self.waiting)
        often = 1 if sys.stderr.isatty() else 60  # seconds; a log file needs no ticking
        return tqdm(desc="race", total=self.total, initial=done, unit="cell", mininterval=often, miniters=0)

    def _stop(self) -> None:
        """End what still runs; its checkpoints stay."""
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGKILL)
        for process in self.running.values():
            process.wait()
            process.stdin.close()


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    """One race at a time in a workspace."""
    folder = run.workspace.root / "race"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another 'jtcse race' is at work in {folder}; wait for its end, or stop it") from error
        yield
