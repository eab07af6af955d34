"""Several processes that score one encoder in one workspace: the same command again, each taking tasks that no other has.

They need nothing of each other but the workspace, so the same command on several machines that share a folder does as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jtcse.core import device

WORKER = "JTCSE_WORKER"
"""Set in the processes that were started here."""


def is_worker() -> bool:
    """Whether this process was started by ``workers``; it then ends when that one does."""
    if WORKER not in os.environ:
        return False
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    return True


@contextmanager
def workers(count: int, words: Sequence[str]) -> Iterator[None]:
    """Run ``jtcse <words>`` in ``count - 1`` more processes while the block runs, and wait for their ends.

    Each gets a GPU of its own where there are several, and its share of the cores.
    """
    import torch

    gpus, cores = torch.cuda.device_count(), max(1, device.cores() // count)
    started = [_start(words, number, gpus, cores) for number in range(1, count)]
    if started:
        torch.set_num_threads(cores)
    try:
        yield
        for process in started:
            process.wait()
    finally:
        for process in started:
            process.stdin.close()  # whoever still works ends now
            process.wait()


def _start(words: Sequence[str], number: int, gpus: int, cores: int) -> subprocess.Popen[bytes]:
    given = {WORKER: str(number), "OMP_NUM_THREADS": str(cores), "OMP_WAIT_POLICY": "PASSIVE"}
    if gpus > 1:
        given["CUDA_VISIBLE_DEVICES"] = str(number % gpus)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-m", "jtcse", *words], env={**os.environ, **given}, **quiet)


def _end_with_the_first() -> None:
    while os.read(0, 1):  # nothing is ever sent: this waits for the end
        pass
    os._exit(1)
