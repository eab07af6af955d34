"""The notebooks as they lie in git: thin, clean, and with exactly the parameters that the plan gives them."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest
import yaml

from jtcse.core.config import Settings
from jtcse.core.record import read_record
from jtcse.pipeline.plan import read_plan

ROOT = Path(__file__).parents[2]
PLAN = read_plan(ROOT)
NAMES = list(PLAN)
LONGEST = 25  # lines of a cell
MAGIC = re.compile(r"(?m)^(\s*)[%!].*$")


def cells(name: str, kind: str = "code") -> list[dict]:
    """The cells of one notebook, their source as one string."""
    notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf8"))
    return [cell | {"source": "".join(cell["source"])} for cell in notebook["cells"] if cell["cell_type"] == kind]


def tagged(name: str, tag: str) -> list[dict]:
    """The code cells of one notebook that carry a tag."""
    return [cell for cell in cells(name) if tag in cell["metadata"].get("tags", [])]


def parsed(source: str) -> ast.Module:
    return ast.parse(MAGIC.sub(r"\1pass", source))


def test_the_plan_and_the_folder_hold_the_same_notebooks() -> None:
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_a_run_leaves_is_kept(name: str) -> None:
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells(name))
    notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf8"))
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_has_an_id_of_its_own(name: str) -> None:
    ids = [cell["id"] for kind in ("markdown", "code") for cell in cells(name, kind)]
    assert len(set(ids)) == len(ids) and all(one.startswith(name.replace("_", "-")) for one in ids)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_plan_and_literal(name: str) -> None:
    (cell,) = tagged(name, "parameters")
    values = {node.target.id: ast.literal_eval(node.value) for node in parsed(cell["source"]).body}
    assert list(values) == ["profile", "workdir", *PLAN[name].sections]
    assert len(cell["source"].splitlines()) == len(values), "one a line: papermill reads them by line"
    assert values.pop("profile") == "embedded" and values.pop("workdir") == "../build/embedded"
    assert set(map(str, values.values())) == {"{}"}


@pytest.mark.parametrize("name", NAMES)
def test_every_section_that_a_notebook_is_given_reaches_its_run(name: str) -> None:
    calls = [node for cell in cells(name) for node in ast.walk(parsed(cell["source"])) if isinstance(node, ast.Call)]
    (begin,) = [call for call in calls if getattr(call.func, "id", "") == "start"]
    assert ast.literal_eval(begin.args[0]) == name
    assert [word.arg for word in begin.keywords] == list(PLAN[name].sections)


@pytest.mark.parametrize("name", NAMES)
def test_settings_named_in_parameter_comments_exist(name: str) -> None:
    (cell,) = tagged(name, "parameters")
    for line in cell["source"].splitlines():
        section, example = line.split(":")[0], re.search(r"e\.g\. (\{.*\})", line)
        if example:
            model = typing.get_type_hints(Settings)[section]
            assert set(ast.literal_eval(example[1])) <= set(model.model_fields), line


@pytest.mark.parametrize("name", NAMES)
def test_notebook_is_thin(name: str) -> None:
    for cell in cells(name):
        assert len(cell["source"].splitlines()) <= LONGEST, cell["source"]
        made = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
        assert not any(isinstance(node, made) for node in ast.walk(parsed(cell["source"]))), cell["source"]


@pytest.mark.parametrize("name", NAMES)
def test_page_has_the_one_shape(name: str) -> None:
    first = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf8"))["cells"][0]
    assert first["cell_type"] == "markdown" and "".join(first["source"]).startswith("# ")
    text = "\n".join(cell["source"] for cell in cells(name, "markdown"))
    assert "**What you will see.**" in text
    for heading in ("## What we learn", "## What next"):
        assert heading in text, heading
    (colab,) = tagged(name, "hide-cell")
    assert "google.colab" in colab["source"] and len(colab["source"].splitlines()) <= 5
    assert sum(".finish(" in cell["source"] for cell in cells(name)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_prose_uses_what_is_glued_and_nothing_else(name: str) -> None:
    used = set(re.findall(r"\{glue:text\}`(\w+)", "\n".join(cell["source"] for cell in cells(name, "markdown"))))
    code = "\n".join(cell["source"] for cell in cells(name))
    spread = {f"average_{system}" for system in ("start", "tower_1", "tower_2", "sum", "jtcse", "distilled")}
    spread |= {"compared", "agrees", "disagrees", "undecided"}  # glued by ** from a mapping
    assert used, "a page without a single measured word" if name != "overview" else ""
    for key in used - spread:
        assert re.search(rf"\b{key}=", code), f"nothing glues {key}"


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_pages_that_exist(name: str) -> None:
    for cell in cells(name, "markdown"):
        for target in re.findall(r"\]\((\w+\.ipynb)\)", cell["source"]):
            assert (ROOT / "notebooks" / target).is_file(), target


@pytest.mark.parametrize("name", NAMES)
def test_imports_resolve(name: str) -> None:
    for cell in cells(name):
        for node in ast.walk(parsed(cell["source"])):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    if not hasattr(module, alias.name):
                        importlib.import_module(f"{node.module}.{alias.name}")


def test_a_quick_notebook_runs_and_leaves_its_record(tmp_path: Path) -> None:
    pytest.importorskip("papermill", reason="papermill comes with the extra 'book'")
    given = tmp_path / "given.yaml"
    given.write_text(yaml.safe_dump({"profile": "embedded", "workdir": str(tmp_path), "run": {"seed": 7}}))
    command = [sys.executable, "-m", "papermill", "tensor_modulus.ipynb", str(tmp_path / "executed.ipynb")]
    command += ["-f", str(given), "-k", "python3", "--no-progress-bar"]
    done = subprocess.run(command, cwd=ROOT / "notebooks", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    record = read_record(tmp_path / "records" / "tensor_modulus.json")
    claims = record.metric("tmc/claims_that_hold")
    assert claims.value == claims.n and record.metric("tmc/largest_deviation").value < 1e-12
    assert record.settings["run"]["seed"] == 7
