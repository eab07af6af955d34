"""Table I measured: the rows that a run has, under the ids of the printed ones, with paired differences and claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jtcse.core.config import Settings
from jtcse.core.record import Metric, read_records
from jtcse.core.run import Run
from jtcse.experiments.table1 import REFERENCE, SEVEN, backbone
from jtcse.pages.furniture.elements import direction, verdict
from jtcse.paper.printed import table

if TYPE_CHECKING:
    from pandas import Series

    Leads = Mapping[str, tuple[float, float, float]]


def printed_leads(settings: Settings) -> Series:
    """Every system of the profile's half of Table I: its printed 7 STS average minus that of SimCSE, points, by model."""
    rows = table("table1")
    averages = rows[(rows["group"] == backbone(settings)) & (rows["column"] == SEVEN)].set_index("row")["value"]
    return (averages - averages[REFERENCE]).drop(REFERENCE).dropna()


def measured_leads(metrics: Sequence[Metric]) -> Leads:
    """The measured counterparts among metrics: model to difference of the average to SimCSE and the ends of its interval."""
    found = {}
    for metric in metrics:
        first, _, second = metric.name.partition(">")
        if second.endswith(f"/{REFERENCE}/{SEVEN}") and metric.low is not None and metric.high is not None:
            found[first.split("/")[2]] = (metric.value, metric.low, metric.high)
    return found


def released_leads(run: Run) -> Leads:
    """As ``measured_leads``, from the records of released encoders in this workspace (``zero_shot_<label>.json``).

    Their scores of single pairs are not kept, so a difference has no interval: both ends are the difference itself.
    """
    averages = {}
    for record in read_records(run.workspace.records):
        for metric in record.metrics:
            if metric.name.startswith(f"table1/{backbone(run.settings)}/") and metric.name.endswith(f"/{SEVEN}"):
                averages[metric.name.split("/")[2]] = metric.value
    reference = averages.pop(REFERENCE, None)
    return {} if reference is None else {model: (value - reference,) * 3 for model, value in averages.items()}


def lead_words(measured: Leads, model: str) -> str:
    """A measured difference to the row of reference in words, or that it was not measured."""
    if model not in measured:
        return "not measured"
    value, low, high = measured[model]
    return verdict(value, low, high) if low < high else f"different by {value:+.2f} points (without an interval)"


def claim_words(claims: Sequence[Metric], name: str) -> str:
    """Whether the measured effect behind a claim has its direction, or that it was not measured."""
    found = next((metric for metric in claims if metric.name == f"claim/{name}"), None)
    return "is unknown" if found is None else direction(found.low, found.high)
