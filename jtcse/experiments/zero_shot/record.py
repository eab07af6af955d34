"""The run record of a scored encoder: ``<workspace>/records/zero_shot_<label>.json``, written anew from all that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jtcse.core.record import Metric, RunRecord
from jtcse.core.run import Run
from jtcse.evaluation.mteb.tasks import Wanted, opened
from jtcse.experiments.zero_shot import sts7
from jtcse.experiments.zero_shot.answers import columns, metrics

if TYPE_CHECKING:
    from jtcse.evaluation.mteb.store import Store
    from jtcse.experiments.zero_shot.subjects import Subject


def name_of(label: str) -> str:
    """The run's name of an encoder."""
    return f"zero_shot_{label}"


def write(run: Run, store: Store, subject: Subject, wanted: Sequence[Wanted]) -> RunRecord | None:
    """Write the record of an encoder; nothing where no task of it is done.

    Its seconds are those of all its tasks together, as ``mteb`` timed them, in whichever call they were scored.

    Args:
        run: profile, settings and workspace.
        store: of the encoder.
        subject: the encoder, and which row of the paper it is.
        wanted: all tasks of mteb that were asked for.
    """
    system, backbone = subject.system, subject.backbone
    row = columns(system, backbone).get("table1") if system and backbone else None
    found = [*metrics(store, system, backbone, wanted), *sts7.metrics(store, row)]
    if not found:
        return None
    done = [result for one in wanted if (result := store.result(opened(one))) is not None]
    counted = Metric(name="tasks/done", value=len(done), unit="tasks", n=len(wanted))
    took = round(sum(result.evaluation_time or 0.0 for result in done), 1)
    named = Run(name_of(subject.label), run.profile, run.settings, run.workspace)
    return named.finish(
        [*found, counted],
        seconds=took,
        hashes={"encoder": store.revision},
        scored_in=run.settings.zero_shot.precision,
    )
