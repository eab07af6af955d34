"""One cell of a grid or of the race, done by itself: what a scheduler starts, in a process of its own.

``python -m jtcse.experiments.one_cell FILE ID SEED`` reads run and settings from a file (``order``). Cells may be done side by
side in any number: what two of them need (towers of a seed, a choice of learning rate, another system) is made by one, and the
other waits.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from jtcse.core.config import Settings, checked
from jtcse.core.errors import UserError, status_of
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


def order(run: Run) -> dict[str, Any]:
    """What the file says that processes of cells are given; they work in the folder of the one that writes it."""
    told = {
        "name": run.name,
        "profile": run.profile,
        "workdir": str(run.workspace.root.resolve()),
        "folder": os.getcwd(),
    }
    return told | {"settings": run.settings.model_dump(mode="json")}


def main() -> int:
    """Do what was asked for; a user's error is one sentence and status 2."""
    file, id, seed = sys.argv[1:]
    asked = json.loads(Path(file).read_text(encoding="utf8"))
    os.chdir(asked["folder"])
    run = Run(asked["name"], asked["profile"], checked(Settings, asked["settings"]), Workspace(asked["workdir"]))
    return status_of(lambda: do(run, id, int(seed)))


if __name__ == "__main__":
    sys.exit(main())
