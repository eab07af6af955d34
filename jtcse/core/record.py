"""The run record: one JSON a run with settings, metrics and provenance. No record, no number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from jtcse.core.errors import UserError, unknown
from jtcse.core.files import write_atomically


class Part(BaseModel):
    """A piece of a record; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Metric(Part):
    """One measured number.

    ``name`` is a path such as ``jtcse/STS12``. A number that answers for a printed value has the value's id as its name
    (``table10/NCE``), a paired difference of two such numbers both ids (``table10/NCE>table10/none``, the first minus the
    second), the effect behind a claim of the prose the claim's id (``claim/C31``, above 0 where it supports the claim).
    ``value`` is in ``unit``; ``n`` is what it was measured on (pairs, sentences, steps); ``low`` and ``high`` bound its 95 %
    interval, where it has one; ``seed`` is the training seed of a number that stands beside those of other seeds, their
    mean has none.
    """

    name: str
    value: float
    unit: str = "points"
    n: int
    low: float | None = None
    high: float | None = None
    seed: int | None = None

    @model_validator(mode="after")
    def _points_are_points(self) -> Metric:
        if self.unit == "points" and abs(self.value) > 100:
            raise ValueError(f"metric {self.name} has {self.value:g} points, where -100 to 100 is possible")
        return self

    @model_validator(mode="after")
    def _interval_is_one(self) -> Metric:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"metric {self.name} has one end of an interval only")
        if self.low is not None and not self.low <= self.high:
            raise ValueError(f"metric {self.name} has an interval from {self.low} to {self.high}")
        return self


class Provenance(Part):
    """Where and when, with what."""

    commit: str | None
    dirty: bool | None
    started: str
    seconds: float
    peak_memory_mib: float
    device: str
    machine: str
    threads: int
    number_format: str | None = None
    """Of training, as the run's settings have it, whether or not this notebook trains: fp32 or bf16. This and the next two are of
    the process that wrote the record, and None in records from before they were asked for."""
    scored_in: str | None = None
    """Number format of scores."""
    instructions: str | None = None
    """As ``device.instructions`` says."""
    versions: dict[str, str]
    hashes: dict[str, str]


class RunRecord(Part):
    """One executed notebook or command."""

    schema_version: Literal[1] = 1
    run: str
    profile: str
    settings: dict[str, Any]
    metrics: list[Metric]
    provenance: Provenance

    def metric(self, name: str) -> Metric:
        """The metric of that name.

        Raises:
            UserError: the record has no such metric.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise unknown(f"metric of run {self.run!r}", name, [m.name for m in self.metrics])


def write_record(record: RunRecord, path: Path) -> None:
    """Write a record whole or not at all."""
    write_atomically(path, record.model_dump_json(indent=1) + "\n")


def read_record(path: Path) -> RunRecord:
    """Read and check one record.

    Raises:
        UserError: not there, cut in half, or not of the schema; the message names the file and the place.
    """
    try:
        return RunRecord.model_validate(json.loads(path.read_text(encoding="utf8")))
    except FileNotFoundError as error:
        raise UserError(f"no run record {path}; run the notebook {path.stem!r} of that profile first") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"run record {path} is not whole JSON ({error}); delete it and run 'jtcse reproduce' again"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"]) or "record"
        raise UserError(
            f"run record {path} does not fit the schema at {place}: {first['msg']}; delete it and run again"
        ) from error


def read_records(folder: Path) -> list[RunRecord]:
    """All records of a folder, by name of the run."""
    return [read_record(path) for path in sorted(Path(folder).glob("*.json"))]
