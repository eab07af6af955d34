"""One run of Snakemake: alone in its folder, watched, stopped with all that it started; a failure told in a sentence."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from jtcse.core.errors import UserError
from jtcse.core.files import ANSI, last_line
from jtcse.experiments.zero_shot.parts import marker_of
from jtcse.pipeline.plan import BOOK
from jtcse.pipeline.schedule import Forecast, told

PATIENCE = 10  # seconds between asking a run to stop and making it
QUIET = 60  # seconds after which a log without news gets a line, so that it is seen to be alive


def cell_marker(step: str) -> str:
    """What a cell of the race or of a grid leaves in its workspace when it is done; ``step``: ``race/simcse/1``."""
    return f"cells/{step}.done"


def cell_log(step: str) -> str:
    """All that a cell says, in its workspace."""
    return f"logs/cells/{step}.txt"


class Steps:
    """Which steps run and which are done, read from the files that they write (no output is parsed)."""

    def __init__(self, build: Path, pending: Sequence[str]) -> None:
        self._build = build
        self._logs = {step: self.log(step) for step in pending}
        self._products = {step: self.product(step) for step in pending}
        self._before = {path: _stamp(path) for path in [*self._logs.values(), *self._products.values()]}
        self.total = len(pending)
        self.started: dict[str, float] = {}
        self.finished: dict[str, float] = {}

    def log(self, step: str) -> Path:
        """What the step writes while it runs; it stays when the step fails."""
        if _is_cell(step):
            return self._build / cell_log(step)
        text = step == BOOK or marker_of(step)
        return self._build / "logs" / f"{step}.{'txt' if text else 'ipynb'}"

    def product(self, step: str) -> Path:
        """What the step leaves when it went well."""
        if _is_cell(step):
            return self._build / cell_marker(step)
        return self._build / ("book.json" if step == BOOK else marker_of(step) or f"executed/{step}.ipynb")

    def look(self) -> list[str]:
        """Note what has started and return the steps that finished since the last look."""
        now, news = time.perf_counter(), []
        for step, log in self._logs.items():
            if step not in self.started and _stamp(log) not in (None, self._before[log]):
                self.started[step] = now
            product = self._products[step]
            made = _stamp(product) not in (None, self._before[product])
            if step in self.started and step not in self.finished and made:
                self.finished[step] = now
                news.append(step)
        return news

    def running(self) -> list[str]:
        """Steps that have started and not finished, or failed."""
        return [step for step in self.started if step not in self.finished]

    def took(self) -> dict[str, float]:
        """Seconds of each finished step."""
        return {step: end - self.started[step] for step, end in self.finished.items()}

    def sofar(self) -> dict[str, float]:
        """Seconds since each running step began."""
        now = time.perf_counter()
        return {step: now - self.started[step] for step in self.running()}

    def standing(self, forecast: Forecast) -> str:
        """What runs now, what is left, and for how long."""
        running, waiting = self.sofar(), len(self._logs) - len(self.started)
        now = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in running.items()) or "planning"
        seconds = forecast.left(self.took(), running)
        return f"now {now} | {waiting} to come" + ("" if seconds is None else f", {told(seconds)} left")

    def failure(self) -> tuple[str, str, Path] | None:
        """Step, reason and log of what failed; None when nothing had started."""
        running = self.running()
        failed = [step for step in running if step == BOOK or exception(self.log(step))] or running
        if not failed:
            return None
        return failed[0], self.reason(failed[0]), self.log(failed[0])

    def reason(self, step: str) -> str:
        """Why a step failed, by its log."""
        log = self.log(step)
        said = last_line(log.read_text(encoding="utf8", errors="replace")) if log.suffix == ".txt" else exception(log)
        return said or "it was stopped from outside, or ran out of memory"


def _is_cell(step: str) -> bool:
    return "/" in step and not marker_of(step)


def near(path: Path) -> str:
    """The path as seen from here where that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


@contextmanager
def locked(folder: Path, who: str) -> Iterator[int]:
    """One run at a time in a folder; what we start inherits the lock and holds it while it lives.

    Args:
        who: the command that runs, for the sentence.
    Raises:
        UserError: another run is at work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another '{who}' is at work in {near(folder)}; wait for its end, or stop it") from error
        yield handle
    finally:
        os.close(handle)


def watch(
    command: Sequence[str], root: Path, steps: Steps, forecast: Forecast, output: Path, lock: int, console: Console
) -> bool:
    """Run ``command``, telling what runs, what is left and each step's end as it comes; returns whether all went well.

    Args:
        command: the Snakemake call.
        root: folder it runs in.
        steps: of this run.
        forecast: of the same steps.
        output: file for everything that Snakemake and papermill say.
        lock: descriptor that stays locked as long as anything of this run lives.
        console: where to speak: in a terminal with a line that keeps changing, in a log with lines that stay.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as stream, console.status("planning") as status:
        process = subprocess.Popen(
            command, cwd=root, stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            pass_fds=[lock], start_new_session=True,
        )  # fmt: skip
        with _guarded(process, lock):
            ended, spoke = False, time.monotonic()
            while not ended:
                time.sleep(0.2)
                ended = process.poll() is not None
                lines = _news(steps, forecast, console.is_terminal)
                if not (lines or ended or console.is_terminal) and time.monotonic() - spoke > QUIET:
                    lines = [f"        {steps.standing(forecast)}"]
                for line in lines:
                    console.print(line, markup=False, soft_wrap=True)
                    spoke = time.monotonic()
                status.update(escape(steps.standing(forecast)))
    return process.returncode == 0


def _news(steps: Steps, forecast: Forecast, brief: bool) -> list[str]:
    """A line for each step that has finished; in a log, where nothing else says it, with what is left."""
    news, took, lines = steps.look(), steps.took(), []
    for place, step in enumerate(news, len(took) - len(news) + 1):
        line = f"[{place:2d}/{steps.total}] {step:16} {took[step]:6.1f} s"
        lines.append(line if brief or step != news[-1] else f"{line} | {steps.standing(forecast)}")
    return lines


def exception(notebook: Path) -> str:
    """Name and first line of the exception that ended an executed notebook; empty when there is none."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    except (OSError, json.JSONDecodeError):
        return ""
    errors = [out for cell in cells for out in cell.get("outputs", []) if out["output_type"] == "error"]
    return f"{errors[-1]['ename']}: {ANSI.sub('', errors[-1]['evalue'])}".splitlines()[0] if errors else ""


@contextmanager
def _guarded(process: subprocess.Popen[bytes], lock: int) -> Iterator[None]:
    """End the whole process group with this block, and also when this process is killed.

    Snakemake leaves its jobs running when it is told to stop. The guard is a shell that waits for a word from
    us: the system closes the pipe when we die, the guard reads the end of it and kills the group.
    """
    guard = subprocess.Popen(["sh", "-c", f"read word || kill -KILL -{process.pid}"], stdin=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, pass_fds=[lock], start_new_session=True)  # fmt: skip
    try:
        yield
    finally:
        _stop(process)
        guard.communicate(b"ended\n")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=PATIENCE)
        with suppress(ProcessLookupError):  # jobs that outlive Snakemake
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
