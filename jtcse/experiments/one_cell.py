"""One cell of a grid or of the race, done by itself: what a scheduler starts, in a process of its own.

``python -m jtcse.experiments.one_cell`` reads what to do as one line of JSON from its input (``order``), and ends when that is
closed, that is with the process that holds its other end. Cells may be done side by side in any number: what two of them need
(towers of a seed, a choice of learning rate, another system) is made by one, and the other waits.
"""

from __future__ import annotations

import json
import os
import sys
import threading

from jtcse.core.config import Settings, checked
from jtcse.core.errors import UserError
from jtcse.core.run import Run, Workspace

RACE = "race/"


def do(run: Run, id: str, seed: int | None) -> None:
    """Make a cell, if it is not made yet.

    Args:
        id: of a grid's cell, such as ``table10/NCE+ICTM``, or ``race/<system>``.
        seed: of its training; None for a cell that is not trained; 0 chooses the learning rate of a system of the race.
    Raises:
        UserError: an unknown cell or system, a seed too few or too many, or text or models that are not in the workspace.
    """
    from jtcse.experiments.ablations import cells
    from jtcse.experiments.race import cells as race

    raced = id.startswith(RACE)
    cell = None if raced else cells.find(run, id)
    if (raced or cell.seeded) != (seed is not None):
        few = "is made once for each seed: give one, such as 1"
        raise UserError(
            f"found seed {seed}, but {id} {few if seed is None else 'is not trained seed by seed: give none'}"
        )
    if raced:
        race.do(run, race.Cell(id.removeprefix(RACE), seed))
    else:
        cells.made(run, cell, seed)


def order(run: Run, id: str, seed: int | None) -> str:
    """The line that tells a process what to do."""
    asked = {"id": id, "seed": seed, "name": run.name, "profile": run.profile, "workdir": str(run.workspace.root)}
    return json.dumps(asked | {"settings": run.settings.model_dump(mode="json")}) + "\n"


def main() -> int:
    """Do what was asked for; a user's error is one sentence and status 2."""
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_scheduler, daemon=True).start()
    run = Run(asked["name"], asked["profile"], checked(Settings, asked["settings"]), Workspace(asked["workdir"]))
    try:
        do(run, asked["id"], asked["seed"])
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _end_with_the_scheduler() -> None:
    while os.read(0, 1):  # nothing more is ever sent: this waits for the end
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
