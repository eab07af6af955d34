"""Which device and which number format a run uses."""

from __future__ import annotations

import functools
import os
import time

import torch

from jtcse.core import threads

threads.apply()  # a run may have said how many before torch was imported


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def matrix_rate(dtype: torch.dtype, size: int = 512, seconds: float = 0.02) -> float:
    """Measured rate of square matrix products on this device, in GFLOP/s."""
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


@functools.cache
def fast_in_bf16() -> bool:
    """Whether bfloat16 pays here. GPUs say so themselves; CPUs are measured, since only those with AMX or AVX512-BF16 are
    faster in it and the others are slower by up to a hundred times."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return matrix_rate(torch.bfloat16, 256) > 1.3 * matrix_rate(torch.float32, 256)


def number_format(precision: str) -> torch.dtype:
    """The format of matrix products for a ``run.precision`` setting: auto, bf16 or fp32."""
    if precision == "auto":
        precision = os.environ.get("JTCSE_PRECISION", "auto")
    wants = precision == "bf16" or (precision == "auto" and fast_in_bf16())
    return torch.bfloat16 if wants else torch.float32
