"""The tables of the page on what everything costs: time and energy out of run records, operations and hours before a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from pandas import DataFrame

from jtcse.core.config import load_settings
from jtcse.core.record import Metric, RunRecord
from jtcse.experiments.cost.forecast import SECONDS, duration, parts, total
from jtcse.pages.furniture.style import CYCLE, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jtcse.experiments.cost.operations import Work

HOUR = 3600
CORE_WATTS = 280 / 64
"""W of a busy core: thermal design power over cores, as Green Algorithms counts (Lannelongue et al., 2021); here of an AMD EPYC
7763. The records say 'AMD EPYC' and not which, so this is an assumption."""
GPU_WATTS = 400.0
"""W of a busy GPU: the limit of an NVIDIA A100 SXM4; an assumption, too."""
BEFORE = ("rung_narrow", "rung_bert", "paper_bert", "paper_roberta")
"""Profiles that were not run in full."""


def spent(records: Iterable[RunRecord], core_watts: float = CORE_WATTS, gpu_watts: float = GPU_WATTS) -> DataFrame:
    """What each profile's records took: runs, hours, kWh (an estimate), devices and machines; index: profile."""
    rows: dict[str, dict] = {}
    for record in records:
        made = record.provenance
        row = rows.setdefault(record.profile, {"runs": 0, "hours": 0.0, "kWh, estimated": 0.0, "on": set()})
        row["runs"] += 1
        row["hours"] += took(record) / HOUR
        row["kWh, estimated"] += energy(record, core_watts, gpu_watts)
        row["on"].add(f"{made.device}, {made.threads} thread(s), {made.machine}")
    shown = {profile: row | {"on": "; ".join(sorted(row["on"]))} for profile, row in sorted(rows.items())}
    return DataFrame.from_dict(shown, orient="index", columns=["runs", "hours", "kWh, estimated", "on"])


def took(record: RunRecord) -> float:
    """Seconds of a run; where a page found cells of its grid made already, those that the cells took."""
    return max(record.provenance.seconds, sum(metric.value for metric in times(record)))


def energy(record: RunRecord, core_watts: float, gpu_watts: float) -> float:
    """kWh of a run if all its threads, or its GPU, were busy all the time; memory, cooling and idle parts are not in it."""
    made = record.provenance
    watts = made.threads * core_watts if made.device == "cpu" else gpu_watts
    return watts * took(record) / HOUR / 1000


def longest(records: Iterable[RunRecord], count: int = 8) -> DataFrame:
    """The runs that took longest, in minutes."""
    found = sorted(records, key=took, reverse=True)[:count]
    rows = [{"profile": r.profile, "run": r.run, "minutes": took(r) / 60} for r in found]
    return DataFrame(rows, columns=["profile", "run", "minutes"])


def timed(records: Iterable[RunRecord]) -> DataFrame:
    """Cells of grids whose seconds are in records, by page: how many, the middle one and the longest (s), and all (min).

    A cell that several pages share is with the page that asked for it first.
    """
    rows = []
    for record in records:
        seconds = [metric.value for metric in times(record)]
        if seconds:
            shown = {"cells and seeds": len(seconds), "middle, s": median(seconds), "longest, s": max(seconds)}
            rows.append({"profile": record.profile, "page": record.run} | shown | {"all, min": sum(seconds) / 60})
    columns = ["profile", "page", "cells and seeds", "middle, s", "longest, s", "all, min"]
    return DataFrame(rows, columns=columns).sort_values(["profile", "page"], ignore_index=True)


def times(record: RunRecord) -> list[Metric]:
    """The seconds of cells in a record."""
    return [metric for metric in record.metrics if metric.name.startswith(SECONDS) and metric.unit == "s"]


def operations(profiles: Sequence[str] = BEFORE) -> DataFrame:
    """Operations of each part of profiles, in units of 10^15; part x profile, and all together."""
    works = {name: parts(load_settings(name)) for name in profiles}
    frame = DataFrame(works).map(lambda work: work.operations / 1e15, na_action="ignore")
    frame.loc["all"] = frame.sum()
    return frame


def calculator(rates: Mapping[str, float], share: float, profiles: Sequence[str] = BEFORE) -> DataFrame:
    """How long profiles take at each rate, all grids included; profile x machine.

    Args:
        rates: name of a machine to its rate of matrix products in GFLOP/s.
        share: of it that is achieved.
    """
    works = {name: total(load_settings(name)) for name in profiles}
    columns = {
        f"{machine}: {rate:,.0f} GFLOP/s": {name: duration(work.seconds(rate, share)) for name, work in works.items()}
        for machine, rate in rates.items()
    }
    return DataFrame(columns)


def compute_metrics(frame: DataFrame, profiles: Sequence[str] = BEFORE) -> list[Metric]:
    """Hours of each profile's records and operations of the profiles to come, for the run record."""
    hours = zip(frame.index, frame["hours"], frame["runs"], strict=True)
    found = [Metric(name=f"compute/{name}/hours", value=value, unit="h", n=int(n)) for name, value, n in hours]
    for name in profiles:
        settings = load_settings(name)
        seeds, operations = len(settings.ablations.seeds), total(settings).operations
        found.append(Metric(name=f"compute/{name}/operations", value=operations, unit="operations", n=seeds))
    return found


def timed_words(frame: DataFrame) -> str:
    """What a table of ``timed`` holds, or that there is nothing to show yet."""
    if frame.empty:
        return "No record has such times yet: they come with the next run of the grids."
    cells, hours = int(frame["cells and seeds"].sum()), frame["all, min"].sum() / 60
    return f"Records have the times of {cells:,} of them, {hours:.1f} hours altogether."


def hours_over_rate(works: Mapping[str, Work], share: float, rates: Mapping[str, float]) -> Figure:
    """Hours of profiles over the rate of matrix products, on logarithmic scales; level lines are a day and a week.

    Args:
        works: profile to all its work.
        share: of the rate that is achieved.
        rates: name of a machine to its rate in GFLOP/s, drawn as upright lines.
    """
    figure, (axes,) = panels(1, height=3.6)
    across = np.geomspace(min(10.0, *rates.values()), max(1e6, *rates.values()), 60)
    for (name, work), colour in zip(works.items(), CYCLE, strict=False):
        axes.plot(across, [work.seconds(rate, share) / HOUR for rate in across], color=colour, label=name)
    for rate in rates.values():
        axes.axvline(rate, color="#999999", linewidth=0.8, linestyle=":")
    for word, hours in (("a day", 24), ("a week", 7 * 24)):
        axes.axhline(hours, color="#444444", linewidth=0.8, linestyle="--")
        axes.text(across[-1], hours, word, ha="right", va="bottom")
    axes.set(xscale="log", yscale="log", xlabel="GFLOP/s of matrix products, as 'jtcse doctor' prints", ylabel="hours")
    axes.legend(loc="upper right")
    return figure
