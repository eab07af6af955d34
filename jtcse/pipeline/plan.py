"""What the pipeline is made of: the notebooks, what each needs and reads, and its parameter file."""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from jtcse.core.code_closure import code_cells
from jtcse.core.config import SECTIONS, UNTRAINED, Settings, load_settings
from jtcse.core.device import decided_once
from jtcse.core.errors import UserError, check_choice
from jtcse.core.files import write_atomically

SCORES, AFTER = "zero_shot", "distillation"
"""Where a profile that trains names tasks of mteb, the first of these notebooks scores what the second completes."""
PAGES = "pages"  # folder of published pages in results/<profile>
BOOK = "book"  # the rule that builds it
OF_COMMANDS = ("race", "tuning")  # run records that no notebook writes
JOINS = "jtcse/paper/ledger/all_records.py"
"""The module that reads the records of all profiles in ``results/``: what uses it depends on them."""


@dataclass(frozen=True)
class Notebook:
    """One notebook of the plan; the fields are explained in ``workflow/notebooks.yaml``."""

    name: str
    needs: tuple[str, ...]
    sections: tuple[str, ...]
    threads: int | None  # None: every core of the run
    outputs: tuple[str, ...]
    trains: bool = False


def read_plan(root: Path) -> dict[str, Notebook]:
    """The notebooks of ``workflow/notebooks.yaml`` in running order.

    Raises:
        UserError: an unknown need or section, or a notebook that stands before one it needs.
    """
    path = root / "workflow" / "notebooks.yaml"
    plan: dict[str, Notebook] = {}
    for name, entry in yaml.safe_load(path.read_text(encoding="utf8")).items():
        needs = list(plan) if entry["needs"] == "all" else entry["needs"]
        for need in needs:
            if need not in plan:
                raise UserError(f"{path.name}: {name} needs {need!r}, which does not stand before it; move or mend it")
        for section in entry["sections"]:
            check_choice(f"section of {name} in {path.name}", section, SECTIONS)
        threads = None if entry["threads"] == "all" else int(entry["threads"])
        trains = entry.get("trains", entry["needs"] != "all" and any(plan[need].trains for need in needs))
        plan[name] = Notebook(name, tuple(needs), tuple(entry["sections"]), threads, tuple(entry["outputs"]), trains)
    return plan


def plan_of(root: Path, settings: Settings, shown: Collection[str] = ()) -> dict[str, Notebook]:
    """The notebooks that a profile runs: where nothing is trained, all but those that train, and no need of these.

    Args:
        shown: notebooks that are not to run either (``shown_committed``).
    Raises:
        UserError: as ``read_plan``.
    """
    plan = read_plan(root)
    if settings.scale != UNTRAINED and SCORES in plan and settings.zero_shot.tasks:
        plan[SCORES] = replace(plan[SCORES], needs=(*plan[SCORES].needs, AFTER))
    idle = {name for name, one in plan.items() if name in shown or (one.trains and settings.scale == UNTRAINED)}
    return {
        name: replace(notebook, needs=tuple(need for need in notebook.needs if need not in idle))
        for name, notebook in plan.items()
        if name not in idle
    }


def shown_committed(root: Path, profile: str, settings: Settings) -> list[str]:
    """Notebooks whose committed pages a run shows: those of ``settings.committed`` that were never run in this workspace."""
    executed, pages = root / "build" / profile / "executed", root / "results" / profile / PAGES
    return [
        name
        for name in settings.committed
        if (pages / f"{name}.ipynb").is_file() and not (executed / f"{name}.ipynb").is_file()
    ]


def refuse_left_out(root: Path, plan: Mapping[str, Notebook], names: Sequence[str], profile: str) -> None:
    """Say which of ``names`` trains, where the profile of ``plan`` does not.

    Raises:
        UserError: it is a notebook, and not of that plan.
    """
    trains = [name for name in names if name not in plan and name in read_plan(root)]
    if trains:
        raise UserError(
            f"{trains[0]} trains, and profile {profile!r} only scores released weights; expected a profile that trains, "
            "such as embedded"
        )


def with_needs(plan: Mapping[str, Notebook], names: list[str]) -> list[str]:
    """``names`` and everything they need, in running order.

    Raises:
        UserError: an unknown notebook.
    """
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        check_choice("notebook", name, plan)
        wanted.add(name)
        waiting += plan[name].needs
    return [name for name in plan if name in wanted]


def with_format(root: Path, profile: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides, and the run's number format among them.

    So every job is told, on whatever machine and in whatever environment it starts, since what is told stands above the
    environment; ``auto`` is decided here, the first time that a workspace is asked for, and stands in
    ``build/<profile>/settings/precision.json``.

    Raises:
        UserError: as ``load_settings`` and ``decided_once``.
    """
    asked = load_settings(profile, overrides).run.precision
    workspace = root / "build" / profile
    if asked == "auto":
        workspace.mkdir(parents=True, exist_ok=True)  # for the decision
    return {**overrides, "run.precision": decided_once(asked, workspace)}


def kept_records(root: Path, profile: str, code: Collection[str]) -> list[str]:
    """Records that a page reads which joins printed and measured numbers: those in ``results/``, and those of commands.

    Args:
        code: files of the package that the page uses, relative to ``root``.
    Returns:
        Sorted paths relative to ``root``; none for a page that does not use ``JOINS``.
    Raises:
        UserError: there is no such module.
    """
    if not (root / JOINS).is_file():
        raise UserError(
            f"no module {JOINS}, which jtcse/pipeline/plan.py expects to read records; name there where it is now"
        )
    if JOINS not in code:
        return []
    of_commands = [root / "build" / profile / "records" / f"{name}.json" for name in OF_COMMANDS]
    files = [*(root / "results").glob("*/*.json"), *(path for path in of_commands if path.is_file())]
    return sorted(str(file.relative_to(root)) for file in files)


def write_parameters(root: Path, profile: str, overrides: Mapping[str, Any]) -> None:
    """Write the parameter file of each notebook of the profile under ``build/<profile>/settings/``; unchanged ones stay.

    ``<name>.yaml`` is what papermill injects: profile, work folder and the settings that were turned, only of
    the sections that the notebook reads. ``<name>.resolved.json`` holds the values of those sections after
    profile and base were read, so that a changed profile runs again just the notebooks that depend on the
    changed value.

    Raises:
        UserError: unknown profile or setting, wrong type or range, a notebook that lacks a parameter.
    """
    settings = load_settings(profile, overrides)
    folder = root / "build" / profile / "settings"
    for notebook in plan_of(root, settings).values():
        given = _parameters(notebook, settings, profile, overrides)
        _refuse_unknown(root / "notebooks" / f"{notebook.name}.ipynb", ["profile", "workdir", *notebook.sections])
        resolved = {section: getattr(settings, section).model_dump(mode="json") for section in notebook.sections}
        write_changed(folder / f"{notebook.name}.yaml", yaml.safe_dump(given, sort_keys=False))
        write_changed(folder / f"{notebook.name}.resolved.json", json.dumps(resolved, indent=1) + "\n")


def _parameters(notebook: Notebook, settings: Settings, profile: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    # The work folder is relative to notebooks/, so that an executed copy reads the same on every machine.
    given: dict[str, Any] = {"profile": profile, "workdir": f"../build/{profile}"}
    values = settings.model_dump(mode="json")
    for name in overrides:
        *path, last = name.split(".")
        if path and path[0] in notebook.sections:
            source, place = values, given
            for part in path:
                source, place = source[part], place.setdefault(part, {})
            place[last] = source[last]
    return given


def _refuse_unknown(path: Path, names: list[str]) -> None:
    """papermill itself only warns, and runs with the notebook's default (papermill#869)."""
    for cell in code_cells(path):
        if "parameters" in cell["metadata"].get("tags", []):
            tree = ast.parse("".join(cell["source"]))
            has = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            missing = [name for name in names if name not in has]
            if missing:
                raise UserError(
                    f"{path.name} has no parameter {missing[0]!r}, which workflow/notebooks.yaml gives it; "
                    "add it to the cell tagged 'parameters' or take it out there"
                )
            return
    raise UserError(f"{path.name} has no cell tagged 'parameters'; papermill could not give it any")


def write_changed(path: Path, text: str) -> None:
    """Write a file unless that is what it holds: one that stays as it is makes nothing run again."""
    if not path.is_file() or path.read_text(encoding="utf8") != text:
        write_atomically(path, text)
