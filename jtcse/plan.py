"""What the pipeline is made of: the notebooks, what each needs, the code it depends on, and its parameter file."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from jtcse.config import SECTIONS, Settings, load_settings
from jtcse.errors import UserError, unknown
from jtcse.files import write_atomically

PACKAGE = "jtcse"
NOT_CODE = {".py", ".pyc", ".pyo"}


@dataclass(frozen=True)
class Notebook:
    """One notebook of the plan; the fields are explained in ``workflow/notebooks.yaml``."""

    name: str
    needs: tuple[str, ...]
    sections: tuple[str, ...]
    threads: int | None  # None: every core of the run
    outputs: tuple[str, ...]


def checkout() -> Path:
    """Root of the checkout that holds this package.

    Raises:
        UserError: the package was installed without its checkout, so there are no notebooks to run.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / "workflow" / "notebooks.yaml").is_file():
        raise UserError(
            f"no notebooks beside the package in {root}; 'jtcse reproduce' runs in a checkout: clone the repository "
            'and install it from there with pip install -e ".[book]"'
        )
    return root


def read_plan(root: Path) -> dict[str, Notebook]:
    """The notebooks of ``workflow/notebooks.yaml`` in running order.

    Raises:
        UserError: an unknown need or section, or a notebook that stands before one it needs.
    """
    path = root / "workflow" / "notebooks.yaml"
    plan: dict[str, Notebook] = {}
    for name, entry in yaml.safe_load(path.read_text(encoding="utf8")).items():
        for need in entry["needs"]:
            if need not in plan:
                raise UserError(f"{path.name}: {name} needs {need!r}, which does not stand before it; move or mend it")
        for section in entry["sections"]:
            if section not in SECTIONS:
                raise unknown(f"section of {name} in {path.name}", section, SECTIONS)
        threads = None if entry["threads"] == "all" else int(entry["threads"])
        plan[name] = Notebook(name, tuple(entry["needs"]), tuple(entry["sections"]), threads, tuple(entry["outputs"]))
    return plan


def with_needs(plan: Mapping[str, Notebook], names: list[str]) -> list[str]:
    """``names`` and everything they need, in running order.

    Raises:
        UserError: an unknown notebook.
    """
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in plan:
            raise unknown("notebook", name, plan)
        wanted.add(name)
        waiting += plan[name].needs
    return [name for name in plan if name in wanted]


def write_parameters(root: Path, profile: str, overrides: Mapping[str, Any]) -> None:
    """Write the parameter file of each notebook under ``build/<profile>/settings/``; unchanged files are not touched.

    ``<name>.yaml`` is what papermill injects: profile, work folder and the settings that were turned, only of the
    sections that the notebook reads. ``<name>.resolved.json`` holds the values of those sections after profile and base
    were read, so that a changed profile runs again just the notebooks that depend on the changed value.

    Raises:
        UserError: unknown profile or setting, wrong type or range, a notebook that lacks one of the parameters.
    """
    settings = load_settings(profile, overrides)
    folder = root / "build" / profile / "settings"
    for notebook in read_plan(root).values():
        given = _parameters(notebook, settings, profile, overrides)
        _refuse_unknown(root / "notebooks" / f"{notebook.name}.ipynb", ["profile", "workdir", *notebook.sections])
        resolved = {section: getattr(settings, section).model_dump(mode="json") for section in notebook.sections}
        _write_changed(folder / f"{notebook.name}.yaml", yaml.safe_dump(given, sort_keys=False))
        _write_changed(folder / f"{notebook.name}.resolved.json", json.dumps(resolved, indent=1) + "\n")


def module_closure(path: Path, root: Path) -> list[Path]:
    """The package's files that a notebook or module depends on.

    Imports are read from the syntax tree, also those inside functions, and followed from module to module. Files that lie
    beside a module in a folder of the package and are not Python (tables, word lists) count as part of it; profiles do
    not, their values have a file of their own. A module imported by a computed name is not seen.

    Args:
        path: ``.ipynb`` or ``.py``.
        root: folder that holds the package ``jtcse``.
    Returns:
        Sorted paths, without ``path`` itself.
    """
    found: set[Path] = set()
    waiting = list(_imports(path, root))
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imports(module, root)
    beside = {data for module in found for data in _data_beside(module, root)}
    return sorted((found | beside) - {path})


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
    """papermill only warns about a parameter that a notebook does not have, and runs with the default (papermill#869)."""
    for cell in _cells(path):
        if "parameters" in cell["metadata"].get("tags", []):
            tree = ast.parse("".join(cell["source"]))
            targets = [node.target if isinstance(node, ast.AnnAssign) else node.targets[0] for node in tree.body]
            has = {target.id for target in targets}
            missing = [name for name in names if name not in has]
            if missing:
                raise UserError(
                    f"{path.name} has no parameter {missing[0]!r}, which workflow/notebooks.yaml gives it; "
                    "add it to the cell tagged 'parameters' or take it out there"
                )
            return
    raise UserError(f"{path.name} has no cell tagged 'parameters'; papermill could not give it any")


def _write_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf8") != text:
        write_atomically(path, text)


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    except FileNotFoundError as error:
        raise UserError(f"no notebook {path}, which workflow/notebooks.yaml names; restore it or take it out") from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a whole notebook ({error!r}); restore it from git") from error
    return [cell for cell in cells if cell["cell_type"] == "code"]


def _source(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf8")
    text = "\n".join("".join(cell["source"]) for cell in _cells(path))
    # Lines for IPython or a shell (Colab's set-up cell) are no Python.
    return re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", text)


@cache
def _parsed(path: Path, changed: int) -> ast.Module:
    return ast.parse(_source(path), filename=str(path))


def _imports(path: Path, root: Path) -> Iterator[Path]:
    for node in ast.walk(_parsed(path, path.stat().st_mtime_ns)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(alias.name, root)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path, root)
            yield from _files(base, root)
            for alias in node.names:  # "from jtcse import losses" names a module, "from jtcse.losses import info_nce" does not
                yield from _files(f"{base}.{alias.name}", root)


def _absolute(node: ast.ImportFrom, path: Path, root: Path) -> str:
    if not node.level:
        return node.module or ""
    parents = path.relative_to(root).parts[: -node.level]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _files(module: str, root: Path) -> Iterator[Path]:
    """The file of a module of ours and the ``__init__.py`` of every package above it; nothing for other names."""
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return
    for depth in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:depth])
        for candidate in (place / "__init__.py", place.with_suffix(".py")):
            if candidate.is_file():
                yield candidate


def _data_beside(module: Path, root: Path) -> Iterator[Path]:
    folder = module.parent
    if folder != root / PACKAGE:
        yield from (p for p in folder.iterdir() if p.is_file() and p.suffix not in NOT_CODE and p.name[0] != ".")
