"""The run record of a scored encoder: ``<workspace>/records/zero_shot_<label>.json``, written anew from all that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jtcse.core.record import Metric, RunRecord, write_record
from jtcse.evaluation.mteb.store import Store
from jtcse.evaluation.mteb.tasks import Wanted, opened
from jtcse.experiments.zero_shot.answers import metrics

if TYPE_CHECKING:
    from jtcse.core.run import Run

NAME = "zero_shot_{}"


def name_of(label: str) -> str:
    """The run's name of an encoder."""
    return NAME.format(label)


def write(
    run: Run,
    store: Store,
    system: str | None,
    backbone: str | None,
    wanted: Sequence[Wanted],
    more: Sequence[Metric] = (),
) -> RunRecord | None:
    """Write the record of an encoder; nothing where no task of it is done.

    Its seconds are those of all its tasks together, as ``mteb`` timed them, in whichever call they were scored.

    Args:
        run: named ``name_of(label)``.
        store: of the encoder.
        system, backbone: which row of the paper it is; None: of none.
        wanted: all tasks that were asked for.
        more: numbers from elsewhere that belong to the same encoder.
    """
    found = [*metrics(store, system, backbone, wanted), *more]
    if not found:
        return None
    done = [result for result in (store.result(opened(one)) for one in wanted) if result is not None]
    counted = Metric(name="tasks/done", value=len(done), unit="tasks", n=len(wanted))
    record = run.finish([*found, counted])
    took = round(sum(result.evaluation_time or 0.0 for result in done), 1)
    hashes, scored_in = {"encoder": store.revision}, run.settings.zero_shot.precision
    made = record.provenance.model_copy(update={"seconds": took, "hashes": hashes, "scored_in": scored_in})
    record = record.model_copy(update={"provenance": made})
    write_record(record, run.workspace.records / f"{run.name}.json")
    return record
