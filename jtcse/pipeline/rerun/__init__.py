"""One committed number, or a whole run record, made anew in a workspace of its own and held against what is committed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jtcse.core.errors import UserError, unknown
from jtcse.core.files import ROOT
from jtcse.core.record import Metric, RunRecord, read_record
from jtcse.experiments.ablations.grids import GRIDS
from jtcse.pipeline.rerun.compare import Compared, compare, differences

if TYPE_CHECKING:
    from jtcse.experiments.ablations.grids import Cell


@dataclass(frozen=True)
class Outcome:
    """The committed record, the new one, and each number that both should have."""

    then: RunRecord
    now: RunRecord
    compared: list[Compared]

    @property
    def good(self) -> bool:
        """Whether every number came back."""
        return all(one.good for one in self.compared)

    @property
    def machines(self) -> list[str]:
        """In what the record's machine differs from this one."""
        return differences(self.then.provenance, self.now.provenance)


def rerun(
    name: str,
    profile: str,
    seed: int | None = None,
    workdir: Path | None = None,
    root: Path | None = None,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Make a committed number or record anew, with the record's own settings and number of threads.

    Args:
        name: a cell of a grid such as ``table10/NCE``, or a run such as ``seven_tasks``.
        profile: whose records.
        seed: of the cell's training; None: every seed that the record has, and their mean.
        workdir: where to work, which must not be the profile's own workspace; None: ``build/<profile>/rerun``. What is made
            lies there until it is compared, so that after a kill the same command goes on.
        root: checkout whose ``results/`` and notebooks are meant; None: that of this package.
        say: told what happens, a line each.
    Raises:
        UserError: an unknown name, profile or seed, or a part that could not be run.
    """
    from jtcse.core.files import checkout
    from jtcse.core.store import alone
    from jtcse.pipeline.rerun.remake import cell_anew, state, whole_anew

    root = root or checkout()
    records = committed(root, profile)
    record, cell = find(records, name, profile)
    seeds = _seeds(record, cell, name, seed)
    words = re.sub(r"[^\w+.=-]+", "-", name) + ("" if seed is None else f"-{seed}")
    place = _folder(workdir, profile) / f"{words}-{state(records.values(), [] if cell else _code(root))}"
    for line in about_settings(record):
        say(line)
    with alone(place):
        if cell:
            new = cell_anew(records, record, name, seeds, place)
            outcome = Outcome(record, new, compare(record, new, _asked(record, name, seeds)))
        else:
            new = whole_anew(root, records, record, place, say)
            outcome = Outcome(record, new, compare(record, new))
        shutil.rmtree(place)
    return outcome


def committed(root: Path, profile: str) -> dict[str, RunRecord]:
    """The committed records of a profile, by name of the run.

    Raises:
        UserError: an unknown profile, one without records, or a record that cannot be read.
    """
    from jtcse.core.config import profiles

    if profile not in profiles():
        raise unknown("profile", profile, profiles())
    found = [read_record(path) for path in sorted((root / "results" / profile).glob("*.json"))]
    if not found:
        raise UserError(
            f"profile {profile} has no run record in {root / 'results'}; choose one that has, such as embedded"
        )
    return {record.run: record for record in found}


def find(records: Mapping[str, RunRecord], name: str, profile: str) -> tuple[RunRecord, Cell | None]:
    """The record that is meant, and the cell of it unless the whole record is.

    Raises:
        UserError: neither a run nor a cell that was measured; the nearest one is named.
    """
    if name in records:
        return records[name], None
    found = {id: (records[run], cell) for run in GRIDS if run in records for id, cell in _measured(records[run])}
    if name not in found:
        beside = [id for id in found if id.split("/")[0] == name.split("/")[0]] or found
        raise unknown(f"cell or run record of profile {profile}", name, beside if "/" in name and found else records)
    return found[name]


def about_settings(record: RunRecord) -> list[str]:
    """In what the record's settings and those of today's profile differ, and which are taken: at most a line for each case."""
    from jtcse.paper.ledger.all_records import changed_settings

    changed = changed_settings(record)
    turned = [f"{k} {json.dumps(a)} (profile {json.dumps(b)})" for k, (a, b) in changed.items() if ... not in (a, b)]
    cases = {
        "as in the record, not as in the profile": turned,
        "not in the record, so as in the profile": [name for name, (here, _) in changed.items() if here is ...],
        "in the record, but no setting any more": [name for name, (_, there) in changed.items() if there is ...],
    }
    return [f"{words}: {', '.join(names)}" for words, names in cases.items() if names]


def _measured(record: RunRecord) -> list[tuple[str, Cell]]:
    """The cells of a grid that its record has numbers of, under the names that they have there."""
    from jtcse.core.run import Workspace
    from jtcse.experiments.ablations.cells import cells
    from jtcse.pipeline.rerun.remake import OTHER, run_of

    named = {metric.name.removeprefix(OTHER): metric.name for metric in record.metrics}
    return [
        (named[cell.id], cell) for cell in cells(run_of(record, Workspace("nowhere")), record.run) if cell.id in named
    ]


def _seeds(record: RunRecord, cell: Cell | None, name: str, seed: int | None) -> list[int | None]:
    """The seeds to train with; None where there are none to choose from."""
    if cell is None or not cell.seeded:
        if seed is not None:
            raise UserError(f"found --seed {seed}, but {name} is not trained seed by seed; leave --seed out")
        return [None]
    there = [metric.seed for metric in record.metrics if metric.name == name and metric.seed is not None]
    if seed is not None and seed not in there:
        known = ", ".join(map(str, there)) or "none"
        raise UserError(f"the record {record.run!r} has no seed {seed} of {name}; take one of those it has: {known}")
    return there if seed is None else [seed]


def _asked(record: RunRecord, name: str, seeds: list[int | None]) -> list[Metric]:
    """The recorded numbers of a cell: of these seeds, and with several of them their mean."""
    wanted = [*seeds, None] if len(seeds) > 1 else seeds
    return [metric for metric in record.metrics if metric.name == name and metric.seed in wanted]


def _folder(workdir: Path | None, profile: str) -> Path:
    folder = Path(workdir or Path("build") / profile / "rerun").resolve()
    if (folder / "records").is_dir():
        raise UserError(
            f"{folder} is a workspace with records of its own; give --workdir another folder, or leave it out"
        )
    return folder


def _code(root: Path) -> list[Path]:
    """The notebooks and the package: a record whose making was broken off is begun anew where one of them is another now."""
    package = [path for path in (ROOT / "jtcse").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return [*package, *(root / "notebooks").glob("*.ipynb")]
