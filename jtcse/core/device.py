"""Which device and which number format a run uses, and what else of a machine its digits hang on.

bf16 is for training. Scores are computed in fp32 unless somebody asks for the other, since in bf16 they move by as much as the
differences that a table is made for.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jtcse.core.errors import UserError
from jtcse.core.files import write_atomically

if TYPE_CHECKING:
    import torch

FORMATS = ("fp32", "bf16")
FORCED_BY = "JTCSE_PRECISION"
"""The variable of the environment that stands above a profile's ``run.precision`` and below a setting that is turned."""
DECISION = Path("settings/precision.json")
"""In a workspace: the format that ``auto`` came to when it was first asked there."""
FAST = ("amx_bf16", "avx512_bf16")
SAYING = ("avx2", "fma", "f16c", "avx_vnni", "asimd", "sve", "sve2", "bf16", "i8mm")
"""Flags beside those that begin with avx512 or amx by which torch and oneDNN choose their instructions."""
LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
"""Variables by which somebody can forbid instructions."""


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    import torch

    apply_threads()  # a run may have said how many before torch was imported
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def cores() -> int:
    """Cores that this process may use: containers and batch systems often allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def matrix_rate(dtype: torch.dtype, size: int = 512, seconds: float = 0.02) -> float:
    """Measured rate of square matrix products on this device, in GFLOP/s: to be shown; nothing is decided by it."""
    import torch

    place = device()
    a = torch.ones(size, size, dtype=dtype, device=place)
    a @ a
    done, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds or not done:
        a @ a
        if place.type == "cuda":
            torch.cuda.synchronize()
        done += 1
    return 2e-9 * size**3 * done / passed


# -- threads, said before torch is imported: a page that trains nothing never waits for it ------------------------

_wanted: int | None = None


def take_threads(number: int) -> None:
    """Have torch take so many threads, now or when it is first asked here where to compute."""
    global _wanted
    _wanted = number
    apply_threads()


def apply_threads() -> None:
    """Tell torch once, where it is imported and a number was given."""
    global _wanted
    if _wanted and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(_wanted)
        _wanted = None


def threads() -> int:
    """Those that torch takes, or would take."""
    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    return _wanted or int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


# -- which number format -----------------------------------------------------------------------------------------


def forced() -> str | None:
    """The number format that the environment asks for; None where it leaves that to the profile.

    Raises:
        UserError: another word than auto, fp32 or bf16.
    """
    word = os.environ.get(FORCED_BY) or "auto"
    if word not in ("auto", *FORMATS):
        raise UserError(
            f"{FORCED_BY} is {word!r} in the environment; expected auto, fp32 or bf16: set it to one of these, or unset it"
        )
    return None if word == "auto" else word


def has_bf16() -> bool:
    """Whether the hardware says that it computes bf16: a GPU itself, a CPU by AMX-BF16 or AVX512-BF16.

    Others take bf16 too, but compute it up to a hundred times slower than fp32. Nothing is timed: a stopwatch would say one
    thing to one notebook and another to the next.
    """
    import torch

    return torch.cuda.is_bf16_supported(including_emulation=False) if torch.cuda.is_available() else bool(cpu_flags() & set(FAST))


@functools.cache
def cpu_flags() -> frozenset[str]:
    """What the processor can do, in the words of Linux; nothing where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf8", errors="replace").splitlines():
            name, _, words = line.partition(":")
            if name.strip() in ("flags", "Features"):
                return frozenset(words.split())
    return frozenset()


def decided(setting: str) -> str:
    """``fp32`` or ``bf16`` for a ``run.precision``: ``auto`` is what the environment says, else the hardware."""
    return setting if setting != "auto" else forced() or FORMATS[has_bf16()]


def decided_once(setting: str, workspace: Path) -> str:
    """As ``decided``, and ``auto`` is the same for whatever runs in a workspace, now or later, here or elsewhere.

    The first to ask writes down what it came to, if the workspace's folder is there. So the jobs of a cluster of unlike machines
    agree, and a workspace that was moved goes on as it began.

    Raises:
        UserError: a word in the environment that is no format; a decision that cannot be read.
    """
    if setting != "auto" or forced():
        return decided(setting)
    path = workspace / DECISION
    if not path.is_file() and workspace.is_dir():
        _write_first(path, {"precision": decided(setting), "machine": platform.node(), "instructions": instructions()})
    return _read(path) if path.is_file() else decided(setting)


def _write_first(path: Path, decision: dict[str, str]) -> None:
    """Write a file that no other process has written before; its text is whole when its name appears."""
    mine = path.with_name(f"{path.name}.{platform.node()}.{os.getpid()}")
    write_atomically(mine, json.dumps(decision, indent=1) + "\n")
    try:
        os.link(mine, path)
    except FileExistsError:
        pass  # the other was first
    except OSError:  # a file system without links
        os.replace(mine, path)
    mine.unlink(missing_ok=True)


def _read(path: Path) -> str:
    try:
        found = json.loads(path.read_text(encoding="utf8"))["precision"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not whole ({error!r}); delete it, and the number format is decided anew") from error
    if found not in FORMATS:
        raise UserError(
            f"{path} says {found!r}; expected fp32 or bf16: delete it, and the number format is decided anew"
        )
    return found


def number_format(precision: str) -> torch.dtype:
    """The format of matrix products for a word: auto, bf16 or fp32."""
    import torch

    apply_threads()
    return torch.bfloat16 if decided(precision) == "bf16" else torch.float32


@contextmanager
def products_in(precision: str, place: torch.device) -> Iterator[None]:
    """Matrix products inside are computed in that format; in fp32 as IEEE says, without a GPU's TF32 or oneDNN's shortcuts."""
    import torch

    bf16 = number_format(precision) == torch.bfloat16
    before, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast(place.type, dtype=torch.bfloat16, enabled=bf16):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.allow_tf32 = convolutions


# -- what a record says of it ------------------------------------------------------------------------------------


def instructions() -> str:
    """What decides the order in which numbers are summed: the instruction set that torch's own loops take, the flags by which
    oneDNN chooses, what the environment forbids, and the kind of GPU. Where torch was not even imported, nothing of torch's."""
    torch = sys.modules.get("torch")
    flags = sorted(flag for flag in cpu_flags() if flag in SAYING or flag.startswith(("avx512", "amx")))
    gpu = torch is not None and torch.cuda.is_available()
    loops = [f"sm_{''.join(map(str, torch.cuda.get_device_capability()))}"] if gpu else []
    loops += [torch.backends.cpu.get_cpu_capability()] if torch is not None else []
    limits = [f"{name}={os.environ[name]}" for name in LIMITS if os.environ.get(name)]
    return "; ".join([*loops, " ".join(flags) or "flags not told", *limits])
