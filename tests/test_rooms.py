"""The rooms of the package: imports run downwards, nothing goes in a circle, nothing lies beside a room."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "jtcse"
PAGE = (ROOT / "book" / "contributing.md").read_text(encoding="utf8")
FLOORS = {
    room: -depth
    for depth, floor in enumerate(re.search(r"^> (`cli` .*)$", PAGE, re.MULTILINE)[1].split(" / "))
    for room in re.findall(r"`(\w+)`", floor)
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(module: str, source: str) -> Iterator[tuple[int, str]]:
    """Line and module of every import from the package, also those inside functions and for types."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}:{node.lineno} imports relatively; write the whole name"
            for alias in node.names if (node.module or "").split(".")[0] == "jtcse" else ():
                inner = f"{node.module}.{alias.name}"
                yield node.lineno, inner if inner in MODULES else node.module or ""
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "jtcse")


def broken(module: str, source: str) -> list[str]:
    """A sentence for each import that does not run downwards."""
    return [
        f"{module}:{line} imports {other}, which is not below it"
        for line, other in imports(module, source)
        if room(other) != room(module) and FLOORS[room(other)] >= FLOORS[room(module)]
    ]


def test_the_contributor_page_lists_the_rooms_that_there_are() -> None:
    there = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert set(FLOORS) == there == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) and len(FLOORS) <= 12


def test_no_module_lies_beside_the_rooms() -> None:
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) in FLOORS])
def test_imports_run_downwards(module: str) -> None:
    assert broken(module, MODULES[module].read_text(encoding="utf8")) == []


@pytest.mark.parametrize(
    ("module", "source", "said"),
    [
        ("jtcse.core.files", "from jtcse.cli import main", "jtcse.core.files:1 imports jtcse.cli"),
        ("jtcse.data.pairs", "def f():\n    from jtcse.encoders import pooling", "jtcse.data.pairs:2 imports"),
        ("jtcse.method.twin", "import jtcse.systems.simcse", "imports jtcse.systems.simcse, which is not below it"),
    ],
)
def test_an_import_that_runs_upwards_or_sideways_is_named_with_its_line(module: str, source: str, said: str) -> None:
    assert said in broken(module, source)[0]


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {o for _, o in imports(name, path.read_text(encoding="utf8"))} for name, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("a circle of imports: " + " -> ".join(error.args[1]))


def test_the_tests_have_a_folder_a_room() -> None:
    assert {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")} <= set(FLOORS)
