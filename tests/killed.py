"""Runs that end by SIGKILL at named moments: ``killed.py MODEL OUT MOMENT ...`` writes ``OUT/MOMENT``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import small_run

from jtcse.training import checkpoints


def after(calls: int, function: Callable) -> Callable:
    """The function, whose call number ``calls`` kills the process instead."""
    count = 0

    def counted(*arguments, **named):
        nonlocal count
        count += 1
        if count == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)

    return counted


def die(model: Path, folder: Path, moment: str) -> None:
    """Train until the moment comes: ``look_2``, ``batch_5``, ``last_2`` (in writing the second ``last``)."""
    kind, number = moment.split("_")
    made = small_run.objective("jtcse", model)
    look: Callable = lambda: small_run.score(made.module)  # noqa: E731
    if kind == "look":
        look = after(int(number), look)
    elif kind == "batch":
        made.batch = after(int(number), made.batch)
    else:
        write = checkpoints.save_file
        fatal = after(int(number), write)
        checkpoints.save_file = lambda state, path: (fatal if path.parent.name.startswith(".last.") else write)(
            state, path
        )
    small_run.run(made, folder, select=look)


def main() -> None:
    model, out, *moments = sys.argv[1:]
    for moment in moments:
        child = os.fork()  # the imports are what takes the time
        if child == 0:
            die(Path(model), Path(out) / moment, moment)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (moment, status)


if __name__ == "__main__":
    main()
