"""The pipeline: what it runs, what it leaves alone, what it says when a notebook fails or is killed."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from tiny_checkout import BODIES, call, command, environment, make, write_notebook

from jtcse.core import device, files
from jtcse.core.code_closure import Package
from jtcse.core.config import SECTIONS, load_settings, profiles
from jtcse.core.errors import UserError
from jtcse.experiments.ablations.switches import trainings
from jtcse.pipeline import plan, reproduce

HERE = Path(__file__).parents[2]
ALL = ["first", "second", "aside"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkout after one whole run."""
    pytest.importorskip("snakemake", reason="the extra 'book' is not installed")
    folder = make(tmp_path_factory.mktemp("pipeline") / "checkout")
    done = call(folder, "reproduce(jobs=2)")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[ 4/4]" in done.stdout and "tiny score" in done.stdout and "index.html" in done.stdout
    return folder


def would_run(folder: Path, **more: object) -> list[str]:
    """Steps that a dry run names."""
    console = Console(file=io.StringIO(), width=160)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduce, "checkout", lambda: folder)
        reproduce.reproduce(jobs=2, dry_run=True, console=console, **more)
    return [line.split()[0] for line in console.file.getvalue().splitlines() if line.startswith("  ")]


def test_second_call_runs_nothing_and_touch_is_no_change(built: Path) -> None:
    (built / "notebooks" / "first.ipynb").touch()
    (built / "jtcse" / "tiny_a.py").touch()
    done = call(built, "reproduce(jobs=2)")
    assert "Nothing to do" in done.stdout and "tiny score" in done.stdout


def test_changed_module_runs_just_what_imports_it(built: Path) -> None:
    module = built / "jtcse" / "tiny_b.py"
    before = module.read_text()
    module.write_text("VALUE = 2.0\n")
    assert would_run(built) == ["aside", "book"]
    module.write_text(before)


def test_changed_notebook_runs_it_and_what_needs_it(built: Path) -> None:
    path = built / "notebooks" / "first.ipynb"
    before = path.read_text()
    write_notebook(built, "first", BODIES["first"] + "\n# changed")
    assert would_run(built) == ["first", "second", "book"]
    path.write_text(before)


def test_turned_setting_and_changed_profile_run_just_their_readers(built: Path) -> None:
    assert would_run(built, overrides={"stage2.steps": 3}) == ["second", "book"]
    profile = built / "jtcse" / "profiles" / "embedded.yaml"
    before = profile.read_text()
    profile.write_text(before + "\nrun:\n  seed: 7\n")
    done = call(built, "reproduce(jobs=2, dry_run=True)")
    profile.write_text(before)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["first", "second", "book"]
    assert would_run(built) == [], "all is as it was"


def test_lost_product_is_made_again(built: Path) -> None:
    shutil.rmtree(built / "build" / "embedded" / "models" / "first")
    assert would_run(built) == ["first", "second", "book"]
    (built / "build" / "embedded" / "models" / "first").mkdir()


def test_only_runs_the_notebook_and_its_needs_without_the_book(tmp_path: Path) -> None:
    folder = make(tmp_path / "checkout")
    assert would_run(folder, only=["second"]) == ["first", "second"]


def test_failure_names_notebook_exception_and_the_way_on(tmp_path: Path) -> None:
    folder = make(tmp_path / "checkout")
    write_notebook(folder, "second", 'raise ValueError("the cat sat on the cable")')
    done = call(folder, 'reproduce(only=["second"], jobs=2, overrides={"stage2.steps": 4})')
    assert done.returncode == 1
    assert "second failed: ValueError: the cat sat on the cable" in done.stderr
    assert "jtcse reproduce --profile embedded --only second stage2.steps=4" in done.stderr
    log = folder / "build" / "embedded" / "logs" / "second.ipynb"
    assert str(log).lstrip("/") in done.stderr and "cat sat" in log.read_text()
    assert "Traceback" not in done.stderr
    write_notebook(folder, "second", BODIES["second"])
    done = call(folder, 'reproduce(only=["second"], jobs=2, overrides={"stage2.steps": 4})')
    assert "[ 1/1] second" in done.stdout, "what had been done was done again"
    record = json.loads((folder / "build" / "embedded" / "records" / "second.json").read_text())
    assert record["metrics"][0]["value"] == 54


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_killed_run_leaves_nothing_running_and_goes_on(tmp_path: Path) -> None:
    folder = make(tmp_path / "checkout")
    write_notebook(folder, "aside", f"import time\ntime.sleep(60)\n{BODIES['aside']}")
    process = subprocess.Popen(command('reproduce(only=["aside"], jobs=2)'), cwd="/", env=environment(folder),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    log = folder / "build" / "embedded" / "logs" / "aside.ipynb"
    _wait(log.is_file)
    second = call(folder, 'reproduce(only=["aside"], jobs=2)')
    assert second.returncode == 1 and "another 'jtcse reproduce' is at work" in second.stderr
    process.send_signal(signal.SIGKILL)
    process.wait()
    _wait(lambda: not _processes(folder))
    write_notebook(folder, "aside", BODIES["aside"])
    done = call(folder, 'reproduce(only=["aside"], jobs=2)')
    assert done.returncode == 0 and "[ 1/1] aside" in done.stdout, done.stderr


def test_snakefile_works_by_itself(built: Path) -> None:
    words = ["-m", "snakemake", "-s", "workflow/Snakefile", "--config", "profile=embedded", "-c", "2", "-n"]
    call = {"cwd": built, "env": environment(built), "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, *words], **call)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr, done.stderr


NOTED = """
import sys
from pathlib import Path

with Path("asked.txt").open("a") as stream:
    stream.write(" ".join(sys.argv[1:]) + "\\n")
"""


def test_models_of_a_grid_are_jobs_before_its_page_where_that_is_asked_for(tmp_path: Path) -> None:
    folder = make(tmp_path / "checkout")
    (folder / "jtcse" / "__main__.py").write_text(NOTED)
    rest = "needs: [], sections: [stage2], threads: all, outputs: []"
    (folder / "workflow" / "notebooks.yaml").write_text(f"table11: {{{rest}}}\nfigure6: {{{rest}}}\n")
    body = 'name, value = "table11", float(len((Path(workdir) / "../../asked.txt").read_text().splitlines()))'
    for name in ("figure6", "table11"):
        write_notebook(folder, "second", body)
        (folder / "notebooks" / "second.ipynb").rename(folder / "notebooks" / f"{name}.ipynb")
    (folder / "turned.yaml").write_text("overrides: {stage2.steps: 7}")
    words = ["-m", "snakemake", "-s", "workflow/Snakefile", "--configfile", "turned.yaml", "-c2"]
    call = {"cwd": folder, "env": environment(folder), "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, *words, "table11", "--config", "profile=embedded", "cells=jobs"], **call)
    assert done.returncode == 0, done.stderr
    asked = (folder / "asked.txt").read_text().splitlines()
    members = trainings("table11", load_settings("embedded"))
    assert len(members) == 2 and sorted(asked) == [
        f"cell {id} --seed {seed} --profile embedded --workdir build/embedded stage2.steps=7" for id, seed in members
    ], "one model a seed, however many ways it is read in"
    record = json.loads((folder / "build" / "embedded" / "records" / "table11.json").read_text())
    assert record["metrics"][0]["value"] == 2, "the page comes behind them"
    done = subprocess.run([sys.executable, *words, "-n", "figure6", "--config", "profile=embedded"], **call)
    planned = done.stdout + done.stderr
    assert done.returncode == 0 and "rule figure6:" in planned and "rule figure6_cell:" not in planned


def test_wrong_input_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = make(tmp_path / "checkout")
    monkeypatch.setattr(reproduce, "checkout", lambda: folder)
    for given, words in [
        ({"profile": "embeded"}, "embedded"),
        ({"only": ["frist"]}, "first"),
        ({"overrides": {"stage2.step": 3}}, "stage2.steps"),
        ({"overrides": {"stage2.steps": "many"}}, "stage2.steps"),
    ]:
        with pytest.raises(UserError, match=words):
            reproduce.reproduce(**given)
    assert not (folder / "build").exists()


def test_package_without_its_checkout_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(files, "ROOT", tmp_path)
    with pytest.raises(UserError, match="clone the repository"):
        files.checkout()


def test_parameter_that_a_notebook_does_not_have_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "checkout")
    path = folder / "workflow" / "notebooks.yaml"
    path.write_text(path.read_text().replace("sections: []", "sections: [stage1]"))
    with pytest.raises(UserError, match="no parameter 'stage1'"):
        plan.write_parameters(folder, "embedded", {})


def test_parameter_file_holds_only_turned_settings_of_its_sections(tmp_path: Path) -> None:
    folder = make(tmp_path / "checkout")
    turned = {"stage2.steps": 5, "run.seed": 3, "stage1.tower_1.learning_rate": 1e-5}
    plan.write_parameters(folder, "embedded", turned)
    written = folder / "build" / "embedded" / "settings"
    assert yaml.safe_load((written / "second.yaml").read_text()) == {
        "profile": "embedded", "workdir": "../build/embedded", "stage2": {"steps": 5}
    }  # fmt: skip
    assert json.loads((written / "first.resolved.json").read_text())["run"]["seed"] == 3
    stamp = (written / "second.yaml").stat().st_mtime_ns
    plan.write_parameters(folder, "embedded", {"stage2.steps": 5, "run.seed": 4})
    assert (written / "second.yaml").stat().st_mtime_ns == stamp


def test_closure_follows_imports_inside_functions_relative_ones_and_tables(tmp_path: Path) -> None:
    package = tmp_path / "jtcse"
    for name, text in {
        "__init__.py": "", "a.py": "def f():\n    from .inner import deep\n", "inner/__init__.py": "",
        "inner/deep.py": "from . import other\nimport os\n", "inner/other.py": "from jtcse.b import x\n",
        "inner/words.csv": "cat\n", "b.py": "x = 1\n", "apart.py": "",
    }.items():  # fmt: skip
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    source = ["%matplotlib inline\n", "if 1:\n", "    !ls\n", "import jtcse.a"]
    cell = {"cell_type": "code", "metadata": {}, "source": source}
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": [cell]}))
    found = {str(path.relative_to(package)) for path in Package(tmp_path).closure(tmp_path / "n.ipynb")}
    assert found == {
        "__init__.py", "a.py", "b.py", "inner/__init__.py", "inner/deep.py", "inner/other.py",
        "inner/words.csv",
    }  # fmt: skip


def test_closure_leaves_out_imports_of_functions_that_are_not_used(tmp_path: Path) -> None:
    package = tmp_path / "jtcse"
    package.mkdir()
    stages = (
        "from jtcse.top import z\n\ndef one():\n    return _helper()\n\n"
        "def _helper():\n    from jtcse.a import x\n\ndef two():\n    from jtcse.b import y\n"
    )
    (package / "stages.py").write_text(stages)
    for name in ("__init__", "top", "a", "b"):
        (package / f"{name}.py").write_text("x = y = z = 1\n")
    for text, beside in [
        ("from jtcse.stages import one", {"a.py"}),
        ("from jtcse import stages\nstages.two()", {"b.py"}),
        ("from jtcse import stages as s\nprint(s)", {"a.py", "b.py"}),
        ("import jtcse.stages", {"a.py", "b.py"}),
    ]:
        (tmp_path / "use.py").write_text(text)
        found = {path.name for path in Package(tmp_path).closure(tmp_path / "use.py")}
        assert found == {"__init__.py", "stages.py", "top.py"} | beside, text


def test_one_package_gives_every_closure_and_a_new_one_sees_what_changed(tmp_path: Path) -> None:
    package = tmp_path / "jtcse"
    package.mkdir()
    (package / "a.py").write_text("from jtcse.b import f\n")
    (package / "b.py").write_text("def f():\n    import jtcse.c\n\ndef g():\n    import jtcse.d\n")
    (package / "c.py").write_text("from jtcse.b import g\n")
    (package / "d.py").write_text("import jtcse.a\n")  # a circle
    once = Package(tmp_path)
    for name, rest in {"a": "bcd", "b": "acd", "c": "abd"}.items():
        found = [path.stem for path in once.closure(package / f"{name}.py")]
        assert found == list(rest) == [path.stem for path in Package(tmp_path).closure(package / f"{name}.py")]
    (package / "c.py").write_text("from jtcse.b import nothing\n")
    assert [path.stem for path in Package(tmp_path).closure(package / "a.py")] == ["b", "c"]


def test_plan_is_refused_when_a_need_or_a_section_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "workflow").mkdir()
    for text, words in [
        ("b: {needs: [a], sections: [], threads: 1, outputs: []}", "b needs 'a'"),
        ("b: {needs: [], sections: [stage], threads: 1, outputs: []}", "stage1"),
    ]:
        (tmp_path / "workflow" / "notebooks.yaml").write_text(text)
        with pytest.raises(UserError, match=words):
            plan.read_plan(tmp_path)


@pytest.mark.parametrize("profile", profiles())
def test_every_profile_makes_parameters_for_every_real_notebook_that_it_runs(profile: str, tmp_path: Path) -> None:
    for folder in ("workflow", "notebooks"):
        shutil.copytree(HERE / folder, tmp_path / folder)
    plan.write_parameters(tmp_path, profile, {})
    names = plan.plan_of(HERE, load_settings(profile))
    assert sorted(path.stem for path in (tmp_path / "build" / profile / "settings").glob("*.yaml")) == sorted(names)
    assert sorted(path.stem for path in (HERE / "notebooks").glob("*.ipynb")) == sorted(plan.read_plan(HERE))


def test_every_job_is_told_the_number_format_that_the_first_call_decided(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("JTCSE_PRECISION", raising=False)
    for folder in ("workflow", "notebooks"):
        shutil.copytree(HERE / folder, tmp_path / folder)
    for here in (True, False):  # the second call is on a machine without bf16
        monkeypatch.setattr(device, "has_bf16", lambda here=here: here)
        told = plan.with_format(tmp_path, "mini", {"stage2.steps": 3})
        assert told == {"stage2.steps": 3, "run.precision": "bf16"}
        assert plan.with_format(tmp_path, "mini", told) == told, "a job finds what it was told"
    plan.write_parameters(tmp_path, "mini", told)
    for name in plan.read_plan(tmp_path):
        given = yaml.safe_load((tmp_path / "build/mini/settings" / f"{name}.yaml").read_text(encoding="utf8"))
        assert given["run"] == {"precision": "bf16"}, name
    assert plan.with_format(tmp_path, "embedded", {}) == {"run.precision": "fp32"}, "jobs are told what a profile pins"
    monkeypatch.setenv("JTCSE_PRECISION", "bf16")
    assert plan.with_format(tmp_path, "embedded", {}) == {"run.precision": "bf16"}
    assert plan.with_format(tmp_path, "embedded", {"run.precision": "fp32"}) == {"run.precision": "fp32"}


def test_every_section_is_read_by_some_notebook() -> None:
    read = {section for notebook in plan.read_plan(HERE).values() for section in notebook.sections}
    assert read == set(SECTIONS)


def _wait(ready: object, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.2)


def _processes(folder: Path) -> list[str]:
    """Processes whose working folder is in that checkout."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            place = os.readlink(process / "cwd") if process.name.isdigit() else ""
        except OSError:
            continue
        if place.startswith(str(folder)):
            found.append((process / "cmdline").read_text())
    return found
