"""What this machine can run: ``jtcse doctor``."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from rich.markup import escape

from jtcse.core.config import Settings, load_settings, profiles
from jtcse.core.device import FAST, FORCED_BY, cores, cpu_flags, decided, forced
from jtcse.core.errors import UserError
from jtcse.experiments.cost.operations import REFERENCE_RATE

PUBLIC_HUB = "https://huggingface.co"
DISK = 3
"""GB that 'embedded' and 'mini' fit in, environment not counted."""
BOOK_TOOLS = ("snakemake", "papermill", "jupyter_book", "plotly")


@dataclass(frozen=True)
class Row:
    """One line of the report: where something is missing ``fine`` is False and ``note`` says what to do."""

    what: str
    found: str
    note: str = ""
    fine: bool = True


def report(hub_timeout: float = 3, seconds: float = 2) -> list[Row]:
    """Look at this machine; nothing here raises, what is missing has a row that says so.

    Args:
        hub_timeout: seconds to wait for the hub.
        seconds: for measuring the rate of matrix products.
    """
    rate, number_format = measured_rate(seconds)
    hub, disk = _hub(hub_timeout), shutil.disk_usage(Path.cwd()).free / 1e9
    machine = [
        _wanted("Python", platform.python_version(), sys.version_info >= (3, 11), "3.11 or newer is needed"),
        _torch(),
        *_gpus(),
        _wanted("cores", f"{cores()} of {os.cpu_count()}", cores() >= 2, "the times below are for two or more"),
        _memory(),
        _wanted("disk here", f"{disk:.0f} GB free", disk > DISK, f"{DISK} GB are wanted"),
        hub,
        *_tools(),
        Row("matrix products", f"{rate:,.0f} GFLOP/s in {number_format}"),
        _number_format(),
    ]
    return machine + [_profile(name, rate, hub.fine) for name in profiles()]


def _wanted(what: str, found: str, fine: bool, lacking: str) -> Row:
    """What is fine needs no note."""
    return Row(what, found, "" if fine else lacking, fine)


def show() -> None:
    """Print the report as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("", "what", "found", "note")
    for row in report():
        mark = "[green]ok[/]" if row.fine else "[yellow]--[/]"
        table.add_row(mark, escape(row.what), escape(row.found), escape(row.note))
    Console().print(table)


def _torch() -> Row:
    import torch

    found = [name for name in (*FAST, "avx512f", "avx2") if name in cpu_flags()]
    words = "CPU has " + ", ".join(found) if found else ""
    return Row("torch", f"{torch.__version__}, {torch.get_num_threads()} threads", words)


def _number_format() -> Row:
    """What a profile with ``run.precision: auto`` trains in here; scores are fp32 in any case."""
    try:
        why = f"by {FORCED_BY}" if forced() else "as the hardware says"
        words = f"of training where a profile leaves it open, {why}; scores are fp32"
        return Row("number format", decided("auto"), words)
    except UserError as error:
        return Row("number format", "undecided", str(error), fine=False)


def _gpus() -> list[Row]:
    import torch

    if not torch.cuda.is_available():
        return [Row("GPU", "none", "fine for 'embedded' and 'mini'; the paper's and the rungs want one")]
    found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [Row("GPU", f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB") for gpu in found]


def _memory() -> Row:
    import psutil

    memory = psutil.virtual_memory()
    free = f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
    return _wanted("memory", free, memory.available > 4 * 2**30, "4 GiB are wanted; close something")


def _hub(timeout: float) -> Row:
    """Whether the hub answers at all; an error status is an answer."""
    address = os.environ.get("HF_ENDPOINT", PUBLIC_HUB).rstrip("/")
    begin = time.perf_counter()
    try:
        request = urllib.request.Request(f"{address}/api/models?limit=1", headers={"User-Agent": "jtcse doctor"})
        urllib.request.urlopen(request, timeout=timeout).close()
    except urllib.error.HTTPError:
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        note = "'embedded' needs none; for the others set HF_ENDPOINT or fill the cache (HF_HOME) elsewhere"
        return Row("hub", f"{address} cannot be reached ({reason})", note, fine=False)
    return Row("hub", f"{address} answers in {time.perf_counter() - begin:.1f} s")


def _tools() -> list[Row]:
    missing = [name for name in BOOK_TOOLS if importlib.util.find_spec(name) is None]
    book = Row("book tools", "missing: " + ", ".join(missing), 'pip install -c constraints.txt -e ".[book]"', False)
    found = [name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)]
    return [
        book if missing else Row("book tools", ", ".join(f"{name} {_version(name)}" for name in BOOK_TOOLS)),
        Row("browser", *(found[:1] or ("no Chromium", "only the tests that open the book want it"))),
    ]


def _version(module: str) -> str:
    try:
        return metadata.version(module.replace("_", "-"))
    except metadata.PackageNotFoundError:
        return "of unknown version"


def measured_rate(seconds: float) -> tuple[float, str]:
    """Rate of matrix products (GFLOP/s) in the faster of the two number formats that training uses."""
    import torch

    from jtcse.core.device import matrix_rate

    rates = {
        name: matrix_rate(getattr(torch, kind), 1024, seconds / 2)
        for name, kind in (("fp32", "float32"), ("bf16", "bfloat16"))
    }
    best = max(rates, key=rates.__getitem__)
    return rates[best], best


def _profile(name: str, rate: float, hub: bool) -> Row:
    """About how long a profile takes here."""
    settings = load_settings(name)
    lacks_hub = settings.encoder.name != "generated" and not hub
    wants_gpu = settings.minutes is None and settings.scale != "checkpoints" and _gpus()[0].found == "none"
    notes = ["needs a hub that can be reached"] * lacks_hub + ["wants a GPU"] * wants_gpu
    return Row(f"profile {name}", _time(settings, rate), "; ".join(notes), not lacks_hub)


def _time(settings: Settings, rate: float) -> str:
    """From a profile's minutes on the reference machine, where it has been run there; else from its operations (``forecast``).

    Half of the minutes is taken to scale with the rate of matrix products; the rest is Python, files and the book.
    """
    from jtcse.experiments.cost import forecast

    if settings.scale == "checkpoints":
        return "nothing is trained; 'jtcse evaluate --plan' tells the minutes"
    if settings.minutes is not None:
        return f"about {settings.minutes * (0.5 + 0.5 * REFERENCE_RATE / rate):.0f} minutes (an estimate)"
    part, _ = forecast.share(REFERENCE_RATE)
    views = {settings.stage1.tower_1.view, settings.stage1.tower_2.view}
    untold = ", translation not counted" if "round_trip" in views else ""
    seconds = forecast.total(settings).seconds(rate, part)
    return f"about {forecast.duration(seconds)} at {100 * part:.0f} % of the measured rate (an estimate{untold})"
