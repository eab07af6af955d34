"""Which files of the package a notebook depends on, read from its imports and the functions that it uses."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jtcse.core.errors import UserError

PACKAGE = "jtcse"
EVERYTHING = None  # in place of a set of names: all that a module defines
NOT_DATA = {".py", ".pyc"}
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Names = set[str] | None


def module_closure(path: Path, root: Path) -> list[Path]:
    """The package's files that a notebook or module depends on.

    Imports on the top level of a module always count, since they run. Imports inside a function count where
    the function is used, directly or by other functions that are used: a notebook that calls one stage does
    not depend on the imports of another. Files that are not Python and lie beside a module in a folder of the
    package (tables, word lists) are part of it; profiles are not, their values have a file of their own. A
    module imported by a computed name is not seen.

    Args:
        path: ``.ipynb`` or ``.py``.
        root: folder that holds the package ``jtcse``.
    Returns:
        Sorted paths, without ``path`` itself.
    """
    used: dict[Path, Names] = {}
    waiting: list[tuple[Path, Names]] = [(path, EVERYTHING)]
    while waiting:
        file, names = waiting.pop()
        if file not in used or not _covers(used[file], names):
            used[file] = _union(used.get(file, set()), names)
            waiting += _imports(file, used[file], root)
    beside = {data for file in used if file.suffix == ".py" for data in _data_beside(file, root)}
    return sorted((set(used) | beside) - {path})


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook.

    Raises:
        UserError: there is none at that path, or it is not whole.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    except FileNotFoundError as error:
        raise UserError(
            f"no notebook {notebook}, which workflow/notebooks.yaml names; restore it or take it out there"
        ) from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{notebook} is not a whole notebook ({error!r}); restore it from git") from error
    return [cell for cell in cells if cell["cell_type"] == "code"]


def _covers(known: Names, names: Names) -> bool:
    return known is EVERYTHING or (names is not EVERYTHING and names <= known)


def _union(known: Names, names: Names) -> Names:
    return EVERYTHING if known is EVERYTHING or names is EVERYTHING else known | names


def _source(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf8")
    text = "\n".join("".join(cell["source"]) for cell in code_cells(path))
    # Lines for IPython or a shell (Colab's set-up cell) are no Python.
    return re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", text)


@cache
def _tree(source: str, filename: str) -> ast.Module:
    """Kept, since the closures of many modules share most of their files."""
    return ast.parse(source, filename=filename)


def _imports(path: Path, names: Names, root: Path) -> Iterator[tuple[Path, Names]]:
    """Files, and the names wanted of each, that the used part of ``path`` imports."""
    tree = _tree(_source(path), str(path))
    for statement in _used(tree, names):
        for node in _imported(statement):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from _files(alias.name, EVERYTHING, root)
            else:
                base = _absolute(node, path, root)
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    if _module_file(inner, root):  # "from jtcse import losses"
                        yield from _files(inner, _attributes(tree, alias.asname or alias.name), root)
                    else:  # "from jtcse.method.losses import info_nce"
                        yield from _files(base, EVERYTHING if alias.name == "*" else {alias.name}, root)


def _used(tree: ast.Module, names: Names) -> list[ast.stmt]:
    """Top-level statements that run on import, and the functions and classes that they or ``names`` reach."""
    defined = {node.name: node for node in tree.body if isinstance(node, DEFINITIONS)}
    reached = [node for node in tree.body if node not in defined.values()]
    at_import = {name for node in reached for name in _mentioned(node)}
    open_names = set(defined) if names is EVERYTHING else names | at_import
    known: set[str] = set()
    while open_names := (open_names & defined.keys()) - known:
        known |= open_names
        open_names = {mention for name in open_names for mention in _mentioned(defined[name])}
    return reached + [defined[name] for name in known]


@cache
def _imported(statement: ast.stmt) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(statement) if isinstance(node, ast.Import | ast.ImportFrom)]


@cache
def _mentioned(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


@cache
def _attributes(tree: ast.Module, module: str) -> Names:
    """What is used of an imported module: ``module.name``; everything when the module itself is handed on."""
    nodes = list(ast.walk(tree))
    owned = [
        n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == module
    ]
    mentions = [node for node in nodes if isinstance(node, ast.Name) and node.id == module]
    return EVERYTHING if len(mentions) > len(owned) else {node.attr for node in owned}


def _absolute(node: ast.ImportFrom, path: Path, root: Path) -> str:
    if not node.level:
        return node.module or ""
    parents = path.relative_to(root).parts[: -node.level]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _module_file(module: str, root: Path) -> Path | None:
    place = root.joinpath(*module.split("."))
    candidates = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in candidates if module.split(".")[0] == PACKAGE and file.is_file()), None)


def _files(module: str, names: Names, root: Path) -> Iterator[tuple[Path, Names]]:
    """The file of a module of ours and of the packages above it, which run first; nothing for other names."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        file = _module_file(".".join(parts[:depth]), root)
        if file:
            yield file, names if depth == len(parts) else set()


def _data_beside(module: Path, root: Path) -> Iterator[Path]:
    folder = module.parent
    if root / PACKAGE in folder.parents:
        yield from (p for p in folder.iterdir() if p.is_file() and p.suffix not in NOT_DATA and p.name[0] != ".")
