"""Metadata, lock, conda environment, README and CI: one set of versions, and commands that exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

HERE = Path(__file__).parents[2]
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
IMPORT_NAMES = {
    "PyYAML": "yaml",
    "jupyter-book": "jupyter_book",
    "sphinx-mathjax-offline": "sphinx-mathjax-offline",
}
# Versions of Colab's image of August 2026: the metadata must let them stay.
COLAB = {
    "torch": "2.11", "transformers": "5.15", "datasets": "4.0", "sentence-transformers": "5.7",
    "numpy": "2.1.3", "pandas": "2.2.3", "plotly": "5.24.1", "huggingface_hub": "1.27",
    "ipykernel": "6.17",
}  # fmt: skip


def pins() -> dict[str, str]:
    lines = (HERE / "constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    assert all(len(pin.specifier) == 1 and str(pin.specifier).startswith("==") for pin in found)
    return {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in found}


def required() -> list[Requirement]:
    """Every requirement of the package and its extras, those on its own extras left out."""
    extras = PROJECT["optional-dependencies"].values()
    words = [*PROJECT["dependencies"], *(word for extra in extras for word in extra)]
    return [need for need in map(Requirement, words) if need.name != "jtcse"]


def test_lock_pins_every_requirement_inside_its_range() -> None:
    locked = pins()
    for need in required():
        assert need.specifier.contains(locked[canonicalize_name(need.name)]), need


def test_lock_has_torch_without_a_local_label_and_nothing_of_cuda() -> None:
    locked = pins()
    assert locked["torch"] == "2.13.0"
    assert not [name for name in locked if re.search("nvidia|cuda|triton", name)]
    assert "jtcse" not in locked and "pip" not in locked


def test_lock_is_complete() -> None:
    """Whatever the requirements pull in, as installed here, is pinned too."""
    locked, seen = pins(), set()
    waiting = [(canonicalize_name(need.name), need.extras) for need in required()]
    while waiting:
        name, extras = waiting.pop()
        if (name, tuple(sorted(extras))) in seen or name in ("pip", "jtcse"):
            continue
        seen.add((name, tuple(sorted(extras))))
        try:
            needs = metadata.distribution(name).requires or []
        except metadata.PackageNotFoundError:
            continue  # for another system
        assert name in locked, f"{name} is not pinned"
        for need in map(Requirement, needs):
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append((canonicalize_name(need.name), need.extras))


def test_conda_environment_installs_the_same_lock() -> None:
    environment = yaml.safe_load((HERE / "environment.yml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-c constraints.txt", "-e .[test]"], "a pin of its own would drift from the lock"
    python = next(entry.removeprefix("python=") for entry in conda if entry.startswith("python="))
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{python}.0")
    assert {entry.split("=")[0] for entry in conda} == {"python", "pip"}, "conda must not bring another torch"


@pytest.mark.parametrize("name", COLAB)
def test_ranges_let_colab_keep_its_versions(name: str) -> None:
    for need in required():
        if canonicalize_name(need.name) == canonicalize_name(name):
            assert need.specifier.contains(COLAB[name]), need


def test_every_requirement_says_why() -> None:
    text = (HERE / "pyproject.toml").read_text()
    for need in required():
        line = next(line for line in text.splitlines() if line.strip().startswith(f'"{need.name}'))
        assert "#" in line, line


def test_every_imported_package_is_required() -> None:
    known = {canonicalize_name(IMPORT_NAMES.get(need.name, need.name)) for need in required()}
    # Parts of required packages: PyYAML's yaml, IPython with ipykernel, and so on.
    known |= {"yaml", "ipython", "tokenizers", "tqdm", "jtcse", "nbformat", "packaging", "sphinx", "docutils"}
    for path in (HERE / "jtcse").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names or canonicalize_name(top) in known, f"{path.name} imports {top}"


def test_readme_commands_are_those_of_ci_and_of_the_metadata() -> None:
    readme, ci = (HERE / "README.md").read_text(), (HERE / ".ci" / "run").read_text()
    for extra in re.findall(r'-e "\.\[(\w+)\]"', readme + ci):
        assert extra in PROJECT["optional-dependencies"]
    assert 'pip install -c constraints.txt -e ".[test]" && pytest' in readme
    assert '-c constraints.txt -e ".[test]"' in ci and "jtcse reproduce" in ci
    workflow = (HERE / ".github" / "workflows" / "book.yml").read_text()
    assert "jtcse reproduce" in workflow and "if: always()" in workflow


def test_readme_names_every_profile_and_only_verbs_that_exist() -> None:
    from typer.main import get_command

    from jtcse.cli import app
    from jtcse.core.config import profiles

    readme = (HERE / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in profiles())
    verbs = set(get_command(app).commands)
    blocks = "".join(re.findall(r"```sh\n(.*?)```", readme, flags=re.S))
    used = set(re.findall(r"(?:^|&& )jtcse (\w+)", blocks, flags=re.M))
    assert used <= verbs, used - verbs


def test_ci_script_is_sound_bash_and_can_be_run() -> None:
    path = HERE / ".ci" / "run"
    assert path.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(path)]).returncode == 0
    assert "set -euo pipefail" in path.read_text()


def test_notebooks_in_git_hold_no_outputs() -> None:
    import nbformat

    for path in (HERE / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")], path.name


def test_placeholder_of_the_repository_stands_in_one_place() -> None:
    address = yaml.safe_load((HERE / "_config.yml").read_text())["repository"]["url"]
    files = [path for folder in ("jtcse", "book", "workflow", ".github") for path in (HERE / folder).rglob("*")]
    for path in [*files, HERE / "README.md", HERE / "pyproject.toml"]:
        if path.is_file() and path.suffix != ".pyc":
            assert address not in path.read_text(errors="ignore"), path
