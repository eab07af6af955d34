"""How many threads torch takes, said before it is imported: a page that trains nothing never waits for torch."""

from __future__ import annotations

import os
import sys

_wanted: int | None = None


def take(number: int) -> None:
    """Have torch take so many threads, now or when ``core.device`` is first asked where to compute."""
    global _wanted
    _wanted = number
    apply()


def apply() -> None:
    """Tell torch once, where it is imported and a number was given."""
    global _wanted
    if _wanted and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(_wanted)
        _wanted = None


def taken() -> int:
    """Threads that torch takes, or would take."""
    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    return _wanted or int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
