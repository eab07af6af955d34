"""Pages that train nothing do not wait for the libraries of those that do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[2]
HEAVY = [
    "torch",
    "transformers",
    "sklearn",
    "mteb",
    "datasets",
    "sentence_transformers",
    "sympy",
    "scipy.stats",
    "seaborn",
]
TRAINS = {
    "cross_attention", "data", "distillation", "encoder", "figure4", "figure7", "figure9", "figure10", "modulus",
    "paper_and_code", "protocol", "seven_tasks", "stage1", "stage2", "table7", "tensor_modulus", "zero_shot",
}  # fmt: skip
DERIVES = {"figure3", "tensor_modulus"}  # sympy goes through the derivation


def _loaded(program: str, folder: Path) -> list[str]:
    """Heavy libraries that a program has imported at its end."""
    end = f"\nimport sys\nprint('LOADED', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program + end], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


def _imports(name: str) -> str:
    cells = json.loads((HERE / "notebooks" / f"{name}.ipynb").read_text(encoding="utf8"))["cells"]
    cell = next(c for c in cells if c["cell_type"] == "code" and "from jtcse" in "".join(c["source"]))
    return "".join(cell["source"])


def test_only_pages_that_train_or_encode_import_heavy_libraries() -> None:
    names = {path.stem for path in (HERE / "notebooks").glob("*.ipynb")}
    assert names >= TRAINS | DERIVES
    light = sorted(names - TRAINS - DERIVES)
    assert {"table3", "ledger", "table10", "overview"} <= set(light)
    assert _loaded("\n".join(_imports(name) for name in light), HERE) == []


def test_a_page_that_derives_needs_no_torch() -> None:
    assert _loaded(_imports("figure3"), HERE) == ["sympy"]


def test_a_record_is_written_without_torch_and_names_its_version(tmp_path: Path) -> None:
    program = (
        "from jtcse.core.run import start\n"
        f"record = start('quick', 'embedded', {str(tmp_path)!r}, run={{'threads': 3}}).finish([])\n"
        "made = record.provenance\nassert made.threads == 3 and made.device == 'cpu', made\n"
        "assert made.versions['torch'][0].isdigit() and made.peak_memory_mib > 1, made\n"
    )
    assert _loaded(program, HERE) == []


def test_threads_of_a_run_reach_torch_when_it_is_imported_later() -> None:
    program = (
        "from jtcse.core.device import device, take_threads, threads\ntake_threads(1)\nimport torch\ndevice()\n"
        "assert torch.get_num_threads() == 1 == threads()\ntake_threads(2)\nassert torch.get_num_threads() == 2"
    )
    assert _loaded(program, HERE)[0] == "torch"
