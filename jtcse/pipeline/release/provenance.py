"""What is known of a trained encoder from its run records, and that they are of this encoder."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from jtcse.core.errors import UserError
from jtcse.core.files import sha256
from jtcse.core.record import Metric, RunRecord, read_record
from jtcse.core.run import Workspace
from jtcse.data.pairs import GENERATED

MADE_BY = {"distilled": "distillation", "tower_1": "stage1", "tower_2": "stage1"}
"""What can be released, and the notebook whose record has its hash. A twin is no stock ``SentenceTransformer`` (``interop``)."""
WORKS_BY = {
    "data": "translation",
    "encoder": "pretrain",
    "stage1": "stage1",
    "stage2": "stage2",
    "distillation": "distillation",
}
"""Notebooks that make a model, in their order, and the group of settings that only its own notebook is sure to have had."""
SCORES = "seven_tasks"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Story:
    """What is known of one trained encoder.

    Attributes:
        system: a key of ``MADE_BY``.
        records: of the notebooks that led to the encoder, by name, in their order; the last one made it.
        scores: the record of the graded sets, where it measured these weights.
        folder: of the encoder.
        hashes: SHA-256 by the name of the file.
    """

    system: str
    records: Mapping[str, RunRecord]
    scores: RunRecord | None
    folder: Path
    hashes: Mapping[str, str]

    @property
    def maker(self) -> RunRecord:
        """The record of the notebook that made the encoder."""
        return list(self.records.values())[-1]

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Settings by group, each as the notebook had it that works by them."""
        found = {group: self.maker.settings[group] for group in ("run", "data", "encoder")}
        found |= {WORKS_BY[name]: record.settings[WORKS_BY[name]] for name, record in self.records.items()}
        views = {found["stage1"][f"tower_{number}"]["view"] for number in (1, 2)}
        idle = {"pretrain": found["encoder"]["name"] != GENERATED, "translation": "round_trip" not in views}
        return {group: values for group, values in found.items() if not idle.get(group)}

    @cached_property
    def shape(self) -> dict[str, Any]:
        """The folder's own description: layers, width, pooling, max_length."""
        files = (self.folder / name for name in ("config.json", "jtcse.json"))
        return {name: value for file in files for name, value in json.loads(file.read_text(encoding="utf8")).items()}

    def metrics(self, system: str) -> dict[str, Metric]:
        """Scores of a system on the graded sets and ``average``; nothing where they were not measured."""
        found = self.scores.metrics if self.scores else []
        return {m.name.split("/")[1]: m for m in found if m.name.startswith(f"{system}/")}

    def commands(self, name: str) -> list[str]:
        """What makes model and folder again, with every setting that is not the profile's of today."""
        from jtcse.paper.ledger.all_records import changed_settings

        whole = self.maker.model_copy(update={"settings": self.maker.settings | self.settings})
        turned = [
            shlex.quote(f"{setting}={json.dumps(here)}")
            for setting, (here, there) in changed_settings(whole).items()
            if setting.split(".")[0] in self.settings and here is not ... and there is not ...
        ]
        profile, system = self.maker.profile, "" if self.system == "distilled" else f" --system {self.system}"
        return [
            " ".join(
                ["jtcse reproduce --profile", profile, "--only", SCORES if self.scores else self.maker.run, *turned]
            ),
            f"jtcse release {shlex.quote(name)} --profile {profile}{system}",
        ]


def story(profile: str, workspace: Workspace, system: str) -> Story:
    """Read the records of a model and make sure that they are of this model.

    Raises:
        UserError: no model, no record, a record of another profile, an older one than it can be, or another hash.
    """
    maker = MADE_BY[system]
    again = f"jtcse reproduce --profile {profile} --only {maker}"
    folder = _model(workspace.model(system), again)
    names = list(WORKS_BY)[: list(WORKS_BY).index(maker) + 1]
    records = {name: _record(workspace, name, profile, again) for name in names}
    for earlier, later in pairwise(records.values()):
        if _started(later) < _started(earlier):
            raise UserError(
                f"{earlier.run} was run again after {later.run}, so the records do not tell how {folder} was made; "
                f"bring them up to date: {again}"
            )
    _check_hash(folder, records[maker].provenance.hashes.get(system), maker, again)
    scores = _scores(workspace, profile, again, records[maker])
    told = [workspace.records / f"{name}.json" for name in (maker, *([SCORES] if scores else []))]
    hashes = {path.name: sha256(path) for path in (folder / WEIGHTS, *told)}
    return Story(system, records, scores, folder, hashes)


def _model(folder: Path, again: str) -> Path:
    if not (folder / WEIGHTS).is_file():
        raise UserError(f"no model at {folder}; make it first: {again}")
    if not (folder / "modules.json").is_file():
        raise UserError(
            f"{folder} is pooled in a way that no SentenceTransformer folder can say; "
            f"expected encoder.pooling=cls or mean: {again} encoder.pooling=cls"
        )
    return folder


def _record(workspace: Workspace, name: str, profile: str, again: str) -> RunRecord:
    path = workspace.records / f"{name}.json"
    if not path.is_file():
        raise UserError(f"no run record {path}, and a model card has its numbers from there; make it: {again}")
    record = read_record(path)
    if record.profile != profile:
        raise UserError(
            f"{path} is of profile {record.profile!r}, expected {profile!r}; give --profile {record.profile}"
        )
    return record


def _check_hash(folder: Path, expected: str | None, maker: str, again: str) -> None:
    found = sha256(folder)
    if found != expected:
        raise UserError(
            f"{folder} is not the model that the record of {maker} describes "
            f"(SHA-256 {found[:12]}, expected {(expected or 'none')[:12]}); remove that folder and make both again: {again}"
        )


def _scores(workspace: Workspace, profile: str, again: str, maker: RunRecord) -> RunRecord | None:
    """The record of the graded sets, if they were scored after the model was made."""
    if not (workspace.records / f"{SCORES}.json").is_file():
        return None
    scores = _record(workspace, SCORES, profile, again)
    return scores if _started(scores) >= _started(maker) else None


def _started(record: RunRecord) -> datetime:
    return datetime.fromisoformat(record.provenance.started)
