"""Which files of the package a notebook depends on, read from its imports and the functions that it uses."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jtcse.core.errors import UserError

PACKAGE = "jtcse"
EVERYTHING = None  # in place of a set of names: all that a module defines
NOT_DATA = {".py", ".pyc"}
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
ON_IMPORT = ""  # name of the part of a module that runs when it is imported
Names = frozenset[str] | None
Node = tuple[Path, str]  # a part of a file: ON_IMPORT, or the name of a function or class


class Package:
    """The package of a checkout, as its files are now; each is read once, however many closures are asked for."""

    def __init__(self, root: Path) -> None:
        """``root``: folder that holds the package ``jtcse``."""
        self._root = root
        self._modules: dict[str, Path] = {}
        self._data: dict[Path, list[Path]] = defaultdict(list)
        self._next: dict[Node, list[Node]] = {}
        for file in sorted((root / PACKAGE).rglob("*")):
            if file.suffix == ".py":
                dotted = ".".join(file.relative_to(root).with_suffix("").parts)
                self._modules[dotted.removesuffix(".__init__")] = file
            elif file.suffix not in NOT_DATA and file.name[0] != "." and file.is_file():
                self._data[file.parent].append(file)
        self._data.pop(root / PACKAGE, None)

    def closure(self, path: Path) -> list[Path]:
        """The package's files that a notebook or module depends on.

        Imports on the top level of a module always count, since they run. Imports inside a function count where
        the function is used, directly or by other functions that are used: a notebook that calls one stage does
        not depend on the imports of another. Files that are not Python and lie beside a module in a folder of the
        package (tables, word lists) are part of it; profiles are not, their values have a file of their own. A
        module imported by a computed name is not seen.

        Args:
            path: ``.ipynb`` or ``.py``.
        Returns:
            Sorted paths, without ``path`` itself.
        """
        waiting, reached = self._nodes(path, EVERYTHING), set()
        while waiting:
            node = waiting.pop()
            if node not in reached:
                reached.add(node)
                waiting += self._reach(node)
        files = {file for file, _ in reached}
        beside = {data for folder in {file.parent for file in files} for data in self._data.get(folder, ())}
        return sorted((files | beside) - {path})

    def _nodes(self, file: Path, names: Names) -> list[Node]:
        parts = _read(file).parts
        wanted = parts if names is EVERYTHING else {ON_IMPORT, *(names & parts.keys())}
        return [(file, name) for name in wanted]

    def _reach(self, node: Node) -> list[Node]:
        """What a part of a file uses directly."""
        if node not in self._next:
            (file, name), module = node, _read(node[0])
            found = self._nodes(file, module.parts[name].mentioned)
            for one in module.parts[name].imports:
                found += self._imported(one, module, file)
            self._next[node] = found
        return self._next[node]

    def _imported(self, one: _Import, module: _Module, file: Path) -> Iterator[Node]:
        base = _absolute(one, file, self._root)
        if one.name is None:  # "import jtcse.method"
            return self._files(base, EVERYTHING)
        if (inner := f"{base}.{one.name}") in self._modules:  # "from jtcse.method import losses"
            return self._files(inner, module.taken_of(one.known_as))
        return self._files(base, EVERYTHING if one.name == "*" else frozenset([one.name]))

    def _files(self, dotted: str, names: Names) -> Iterator[Node]:
        """Parts of a module of ours and of the packages above it, which run first; nothing for other names."""
        parts = dotted.split(".")
        for depth in range(1, len(parts) + 1):
            file = self._modules.get(".".join(parts[:depth]))
            if file:
                yield from self._nodes(file, names if depth == len(parts) else frozenset())


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


class _Import(NamedTuple):
    """``import module``, or with a name ``from module import name as known_as``; ``level``: dots before the module."""

    module: str
    level: int = 0
    name: str | None = None
    known_as: str = ""


class _Part(NamedTuple):
    """What some statements mention and import."""

    mentioned: frozenset[str]
    imports: tuple[_Import, ...]


@dataclass(frozen=True)
class _Module:
    """What one file says: its parts, how often each name stands in it, and the attributes asked of each name."""

    parts: dict[str, _Part]
    mentions: Counter[str]
    attributes: dict[str, list[str]]

    def taken_of(self, module: str) -> Names:
        """What is used of an imported module: ``module.name``; everything when the module itself is handed on."""
        attributes = self.attributes.get(module, [])
        return EVERYTHING if self.mentions[module] > len(attributes) else frozenset(attributes)


def _read(path: Path) -> _Module:
    state = path.stat()
    return _read_as(path, state.st_mtime_ns, state.st_size)


@cache
def _read_as(path: Path, _time: int, _size: int) -> _Module:
    """Kept as long as time and size of the file stay."""
    tree = ast.parse(_source(path), filename=str(path))
    defined = {node.name: node for node in tree.body if isinstance(node, DEFINITIONS)}
    later = set(defined.values())
    at_import = [node for node in tree.body if node not in later]
    mentions: Counter[str] = Counter()
    attributes: dict[str, list[str]] = defaultdict(list)
    statements = {ON_IMPORT: at_import} | {name: [node] for name, node in defined.items()}
    parts = {name: _part(nodes, mentions, attributes) for name, nodes in statements.items()}
    return _Module(parts, mentions, dict(attributes))


def _part(statements: list[ast.stmt], mentions: Counter[str], attributes: dict[str, list[str]]) -> _Part:
    """Read some statements, and add what they mention to that of the whole file."""
    mentioned, imports = [], []
    for node in (node for statement in statements for node in ast.walk(statement)):
        if isinstance(node, ast.Name):
            mentioned.append(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            attributes[node.value.id].append(node.attr)
        elif isinstance(node, ast.Import):
            imports += [_Import(alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base, level = node.module or "", node.level
            imports += [_Import(base, level, alias.name, alias.asname or alias.name) for alias in node.names]
    mentions.update(mentioned)
    return _Part(frozenset(mentioned), tuple(imports))


def _source(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf8")
    text = "\n".join("".join(cell["source"]) for cell in code_cells(path))
    # Lines for IPython or a shell (Colab's set-up cell) are no Python.
    return re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", text)


def _absolute(one: _Import, path: Path, root: Path) -> str:
    if not one.level:
        return one.module
    parents = path.relative_to(root).parts[: -one.level]
    return ".".join([*parents, *([one.module] if one.module else [])])
