"""The version of the training code is raised where code that decides a weight or a score changes.

What was trained is kept under keys that hang on ``jtcse.training.TRAINING_VERSION`` and not on the text of the code. Beside this
test lies a digest of each file of that code, without docstrings, comments and layout. After a change of code:

- other digits come out: raise ``TRAINING_VERSION``, and write the digests anew;
- the same digits come out (show it by a training before and after): write the digests anew.

They are written by ``python tests/experiments/test_training_version.py``.
"""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

import pytest

from jtcse.core.code_closure import Package
from jtcse.training import TRAINING_VERSION

ROOT = Path(__file__).resolve().parents[2]
DIGESTS = Path(__file__).with_name("training_code.json")
DOORS = ("experiments/stages.py", "experiments/trained_systems.py", "experiments/ablations/train_cell.py")
DECIDES_NOTHING = {
    "core/config.py": "values of settings are in the keys",
    "core/errors.py": "sentences",
    "core/files.py": "hashing and writing",
    "core/hub.py": "what is fetched is hashed where it lies",
    "core/record.py": "what is written after measuring",
    "core/store.py": "keys and locks",
    "experiments/ablations/grids.py": "a cell's settings are in its key",
    "systems/cards.py": "words about systems",
    "systems/released.py": "weights that are not trained here",
    "systems/settings.py": "values of settings are in the keys",
}
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def digest(source: str) -> str:
    """Of a module's syntax, without its docstrings: comments and layout are no part of that."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            bare = [part for part in node.body if not _is_text(part)]
            node.body = bare or [ast.Pass()]
    return hashlib.sha256(_told(tree).encode()).hexdigest()[:12]


def _told(part: object) -> str:
    """A tree as text that is the same in every version of Python: fields that only some versions have are empty here."""
    if isinstance(part, list):
        return f"[{', '.join(map(_told, part))}]"
    if not isinstance(part, ast.AST):
        return repr(part)
    fields = ((name, getattr(part, name, None)) for name in part._fields)
    return f"{type(part).__name__}({', '.join(f'{k}={_told(v)}' for k, v in fields if v not in (None, []))})"


def _is_text(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str)


def training_code() -> dict[str, str]:
    """Path inside the package to digest, of every file that decides a weight or a score."""
    package = ROOT / "jtcse"
    starts = [package / door for door in DOORS] + sorted((package / "systems").glob("*.py"))
    code = Package(ROOT)
    files = {file for start in starts for file in (start, *code.closure(start))}
    found = {file.relative_to(package).as_posix(): file for file in files}
    texts = {name: found[name].read_text(encoding="utf8") for name in sorted(found.keys() - DECIDES_NOTHING)}
    return {name: digest(text if name.endswith(".py") else repr(text)) for name, text in texts.items()}


def complaint(now: dict, then: dict) -> str:
    """What to do about changed files; empty where nothing changed."""
    changed = sorted(
        name for name in now["files"].keys() | then["files"] if now["files"].get(name) != then["files"].get(name)
    )
    if not changed and now["version"] == then["version"]:
        return ""
    update = f"write the digests anew: python {Path(__file__).relative_to(ROOT)}"
    if now["version"] != then["version"]:
        return f"the version was {then['version']} and is {now['version']}; {update}"
    return (
        f"code that decides weights or scores changed in {', '.join(changed)}: if other digits come out raise TRAINING_VERSION "
        f"in jtcse/training/__init__.py, else show that they are the same; then {update}"
    )


def now() -> dict:
    return {"version": TRAINING_VERSION, "files": training_code()}


def test_the_version_is_raised_where_weights_change() -> None:
    said = complaint(now(), json.loads(DIGESTS.read_text(encoding="utf8")))
    assert not said, said


def test_a_change_is_named_and_says_what_to_do() -> None:
    then = {"version": 1, "files": {"training/trainer.py": "a", "method/losses.py": "b"}}
    other = {"version": 1, "files": {"training/trainer.py": "c", "method/losses.py": "b"}}
    assert complaint(then, then) == ""
    said = complaint(other, then)
    assert "training/trainer.py" in said and "losses" not in said and "raise TRAINING_VERSION" in said
    assert "was 1 and is 2" in complaint(other | {"version": 2}, then)


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ('def f(x):\n    """Other words."""\n    # why\n    return (x + 1)\n', True),
        ('def f(x):\n    """Words."""\n    return x + 2\n', False),
        ("def f(x):\n    return 1 + x\n", False),
    ],
)
def test_words_and_layout_are_no_change_and_arithmetic_is(changed: str, same: bool) -> None:
    assert (digest('def f(x):\n    """Words."""\n    return x + 1\n') == digest(changed)) is same


def test_what_trains_is_watched_and_what_decides_nothing_is_there_to_be_left_out() -> None:
    watched = training_code().keys()
    wanted = {"training/trainer.py", "training/checkpoints.py", "method/losses.py", "method/joint_training.py",
              "systems/simcse.py", "systems/promptbert.py", "encoders/batches.py", "evaluation/sts.py", "data/views.py",
              "experiments/train_once.py", "core/run.py", "data/world/__init__.py"}  # fmt: skip
    assert wanted <= watched and not watched & DECIDES_NOTHING.keys()
    assert all((ROOT / "jtcse" / name).is_file() for name in DECIDES_NOTHING)


if __name__ == "__main__":
    DIGESTS.write_text(json.dumps(now(), indent=1) + "\n", encoding="utf8")
