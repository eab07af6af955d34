"""Several processes that score one encoder in one workspace: the same command again, each taking tasks that no other has."""

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
    """Whether this process was started by ``workers``; it then ends when that one does, however it ends."""
    if WORKER in os.environ:  # nothing is ever sent: reading waits for the end
        threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
    return WORKER in os.environ


@contextmanager
def workers(count: int, words: Sequence[str]) -> Iterator[None]:
    """Run ``jtcse <words>`` in ``count - 1`` more processes while the block runs, which ends when no task is left to do.

    Each gets a GPU of its own where there are several, and its share of the cores. What a worker still does then, such as to
    import what it no longer needs, is stopped at once: whatever is kept is kept whole.
    """
    import torch

    gpus, cores = torch.cuda.device_count(), max(1, device.cores() // count)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.PIPE}
    given = os.environ | {"OMP_NUM_THREADS": str(cores), "OMP_WAIT_POLICY": "PASSIVE"}
    started = []
    for number in range(1, count):
        own = {WORKER: str(number)} | ({"CUDA_VISIBLE_DEVICES": str(number % gpus)} if gpus > 1 else {})
        started.append(subprocess.Popen([sys.executable, "-m", "jtcse", *words], env=given | own, **quiet))
    if started:
        torch.set_num_threads(cores)
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.communicate()
