"""A checkout in small: this package and this workflow with three quick notebooks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

HERE = Path(__file__).parent.parent

PLAN = """
first: {needs: [], sections: [run], threads: 1, outputs: [models/first]}
second: {needs: [first], sections: [stage2], threads: all, outputs: []}
aside: {needs: [], sections: [], threads: 1, outputs: []}
"""

RECORD = """
from pathlib import Path
from jtcse.core.record import Metric, Provenance, RunRecord, write_record

place = Path(workdir)
made = Provenance(commit=None, dirty=None, started="now", seconds=1, peak_memory_mib=1, device="cpu",
                  machine="m", threads=1, versions={}, hashes={})
metric = Metric(name="tiny/score", value=value, n=7, low=value - 1, high=value + 1)
write_record(RunRecord(run=name, profile=profile, settings={}, metrics=[metric], provenance=made),
             place / "records" / f"{name}.json")
"""

BODIES = {
    "first": 'from jtcse import tiny_a\nname, value = "first", 40.0 + tiny_a.VALUE\n'
             '(Path(workdir) / "models" / "first").mkdir(parents=True, exist_ok=True)',
    "second": 'name, value = "second", 50.0 + stage2.get("steps", 0)',
    "aside": 'name, value = "aside", 60.0\nfrom jtcse import tiny_b',
}  # fmt: skip

PAGE = """
from IPython.display import HTML
from myst_nb import glue
import plotly.graph_objects as go

glue("score", round(value, 1), display=False)
figure = go.Figure(go.Scatter3d(x=[0, 1], y=[0, 1], z=[0, 1]))
drawn = figure.to_html(full_html=False, include_plotlyjs=False)
HTML('<script src="_static/plotly.min.js"></script>' + drawn)
"""


def make(folder: Path) -> Path:
    """Write the checkout into ``folder`` and return it."""
    shutil.copytree(HERE / "jtcse", folder / "jtcse", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tiny_a", "tiny_b"):
        (folder / "jtcse" / f"{name}.py").write_text("VALUE = 1.0\n")
    show(folder)
    (folder / "workflow").mkdir()
    for name in ("Snakefile", "cells.smk"):
        shutil.copy(HERE / "workflow" / name, folder / "workflow")
    (folder / "workflow" / "notebooks.yaml").write_text(PLAN)
    shutil.copy(HERE / "_config.yml", folder)
    _pages(folder / "book")
    (folder / "notebooks").mkdir()
    for name in BODIES:
        write_notebook(folder, name, BODIES[name])
    return folder


def show(folder: Path, *names: str) -> None:
    """Let the profile name these notebooks as shown from its committed run."""
    profile = folder / "jtcse" / "profiles" / "embedded.yaml"
    lines = [line for line in profile.read_text().splitlines() if not line.startswith("committed:")]
    profile.write_text("\n".join([*lines, f"committed: [{', '.join(names)}]", ""]))


def write_notebook(folder: Path, name: str, body: str) -> None:
    """One clean notebook: a formula, parameters, body, record, a figure and a glued number."""
    sections = {"first": ["run"], "second": ["stage2"], "aside": []}[name]
    given = ['profile: str = "embedded"  # a profile', 'workdir: str = "../build/embedded"  # its products']
    given += [f"{section}: dict = {{}}  # settings to turn" for section in sections]
    new = nbformat.v4
    cells = [
        new.new_markdown_cell(f"# Notebook {name}\n\nA formula: $a^2 + b^2 = c^2$."),
        new.new_code_cell("\n".join(given), metadata={"tags": ["parameters"]}),
        new.new_code_cell("from pathlib import Path\n" + body),
        new.new_code_cell(RECORD),
        new.new_code_cell(PAGE),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(cells):
        cell["id"] = f"{name}-{number}"
    notebook = new.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.write(notebook, folder / "notebooks" / f"{name}.ipynb")


def _pages(book: Path) -> None:
    for part in ("_ext", "assets"):
        shutil.copytree(HERE / "book" / part, book / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "book" / "references.bib", book)
    (book / "intro.md").write_text(
        "# A small book\n\nThe score is {glue:text}`first.ipynb::score:.1f`, with $x = 1$.\n\n"
        "```{bibliography}\n:all:\n```\n"
    )
    (book / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters:\n- file: first\n- file: second\n- file: aside\n"
    )


def call(folder: Path, expression: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run ``expression`` (with ``reproduce`` at hand) by the package of that checkout."""
    return subprocess.run(
        command(expression), cwd="/", env=environment(folder), capture_output=True, text=True,
        timeout=timeout, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def command(expression: str) -> list[str]:
    """The process that ``call`` starts; a user's error is one line and exit code 1."""
    program = (
        "import sys\nfrom jtcse.core.errors import UserError\nfrom jtcse.pipeline.reproduce import reproduce\n"
        f"try:\n    {expression}\nexcept UserError as error:\n    sys.exit('ERROR ' + str(error))\n"
    )
    return [sys.executable, "-c", program]


def environment(folder: Path) -> dict[str, str]:
    """Environment in which ``import jtcse`` finds the checkout's copy, and nothing waits for a network."""
    return os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "160", "NO_COLOR": "1"}
