"""Made-up run records for tests of the ledger and its pages: small, valid, of any profile and setting."""

from __future__ import annotations

from pathlib import Path

from jtcse.core.config import load_settings
from jtcse.core.record import Metric, Provenance, RunRecord, write_record

PAPER = "paper_bert"


def metric(name: str, value: float, low: float | None = None, high: float | None = None, **more) -> Metric:
    """A metric with or without an interval; ``more``: unit, n, seed."""
    return Metric(name=name, value=value, low=low, high=high, **{"n": 1379, **more})


def over_seeds(name: str, values: list[float], low: float | None = None, high: float | None = None) -> list[Metric]:
    """A metric a seed, and their mean."""
    mean = sum(values) / len(values)
    return [*(metric(name, v, seed=i) for i, v in enumerate(values, start=1)), metric(name, mean, low, high)]


def record(
    *metrics: Metric, run: str = "grid", profile: str = "mini", started: str = "2026-11-21T05:00:00", **changes
) -> RunRecord:
    """A record in the profile's setting, but for ``changes`` (``stage2__steps=20``)."""
    turned = {name.replace("__", "."): value for name, value in changes.items()}
    made = Provenance(
        commit="0123456789abcdef", dirty=False, started=started, seconds=12.5, peak_memory_mib=100, device="cpu",
        machine="Linux <x86_64>", threads=1, versions={"python": "3.12"}, hashes={},
    )  # fmt: skip
    settings = load_settings(profile, turned).model_dump(mode="json")
    return RunRecord(run=run, profile=profile, settings=settings, metrics=list(metrics), provenance=made)


def checkout(folder: Path, *records: RunRecord) -> Path:
    """A folder with these records as the committed ones of a checkout."""
    (folder / "results").mkdir(parents=True, exist_ok=True)
    for made in records:
        write_record(made, folder / "results" / made.profile / f"{made.run}.json")
    return folder


def one_of_each() -> list[RunRecord]:
    """Records that between them bring entries into all seven states."""
    return [
        record(
            metric("table7/JTCSE-BERT/gmac", 10.903, unit="GMAC"),  # reproduced
            metric("table7/JTCSE_D-BERT/gmac", 5.441, unit="GMAC"),  # not reproduced
            run="table7",
            profile="embedded",
        ),
        record(*over_seeds("table10/ICTM", [78.0, 79.2]), run="table10", profile=PAPER),  # within seed band
        record(
            metric("table10/NCE", 71.0, 70, 72),
            metric("table10/NCE>table10/none", 0.5, 0.1, 0.9),  # agrees
            metric("table10/NCE+ICTM>table10/none", -0.5, -0.9, -0.1),  # disagrees
            metric("table10/ICNCE>table10/none", 0.2, -0.3, 0.7),  # undecided
            metric("claim/C43", 0.4, 0.1, 0.7),
            run="table10",
        ),
    ]
