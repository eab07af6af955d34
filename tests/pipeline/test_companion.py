"""The book's own extension: a printed value in a sentence is looked up, never typed."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

pytest.importorskip("sphinx", reason="the book is built only where the extra 'book' is installed")
EXTENSION = Path(__file__).parents[2] / "book" / "_ext" / "companion.py"


@pytest.fixture(scope="module")
def companion() -> ModuleType:
    spec = importlib.util.spec_from_file_location("companion", EXTENSION)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def role(companion: ModuleType, id: str):
    """What the role puts into a page."""
    place = SimpleNamespace(document=SimpleNamespace(current_source="page.md"))
    (node,), messages = companion.printed_value("printed", f"{{printed}}`{id}`", id, 3, place)
    assert not messages
    return node


def test_a_printed_value_stands_as_printed_with_its_id_as_tooltip(companion: ModuleType) -> None:
    node = role(companion, "table10/none")
    assert node.astext() == "78.27"
    assert node["explanation"] == "printed in the paper: table10/none"


def test_an_unknown_id_is_a_warning_that_stops_the_build(
    companion: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert role(companion, "table10/nonee").astext() == "table10/nonee"
    (said,) = caplog.records
    assert said.levelno == logging.WARNING and "did you mean 'table10/none'" in said.getMessage()
