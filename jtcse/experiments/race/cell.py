"""One cell of the race in a process of its own: ``python -m jtcse.experiments.race.cell``, started by ``running.py``.

What is to be done comes as one line of JSON on standard input. The input then stays open as long as the race lives: when it
closes, however the race ended, this process ends as well, and what it had written so far is used by the next one.
"""

from __future__ import annotations

import json
import os
import sys
import threading

from jtcse.core.errors import UserError


def main() -> int:
    """Do the cell; a user's error is one sentence and status 2."""
    from jtcse.core.config import Settings
    from jtcse.core.run import Run, Workspace
    from jtcse.experiments.race.cells import Cell, do

    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_race, daemon=True).start()
    settings = Settings.model_validate_json(json.dumps(asked["settings"]))
    try:
        do(
            Run("race", asked["profile"], settings, Workspace(asked["workdir"])),
            Cell(asked["system"], asked["seed"]),
        )
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _end_with_the_race() -> None:
    while os.read(0, 1):  # nothing more is ever sent: this waits for the end
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
