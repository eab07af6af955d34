"""What the page on methods shows: what was tried before, how a difference is decided, and how many seeds that takes."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import stdev
from typing import TYPE_CHECKING

from pandas import DataFrame

from jtcse.core.config import Settings
from jtcse.core.record import RunRecord
from jtcse.core.run import Run
from jtcse.data.pairs import GRADED
from jtcse.evaluation.statistics.power import seeds_needed
from jtcse.pages.compute import took
from jtcse.pages.furniture import tables
from jtcse.pages.furniture.elements import NOT_RUN
from jtcse.pages.furniture.style import CYCLE, panels
from jtcse.paper import printed
from jtcse.paper.ledger import entries
from jtcse.paper.ledger.all_records import all_records

if TYPE_CHECKING:
    from IPython.display import HTML
    from matplotlib.figure import Figure

    from jtcse.paper.ledger.entry import Entry

STAGES = {"stage1": "stage 1", "stage2": "stage 2", "distillation": "distillation"}
SEEDED = ("table8", "table9", "table10", "figure6")
"""Places whose rows are trained with several seeds and have a printed difference."""


def records(run: Run) -> dict[str, RunRecord]:
    """The records of this run's profile, its workspace's above the committed ones, by name."""
    found = all_records(workdir=run.workspace.root).records
    return {record.run: record for record in found if record.profile == run.profile}


def tries(record: RunRecord | None) -> DataFrame:
    """What was tried before the run: ``stage``, ``rate``, ``step``, ``development`` (points); no rows without a record."""
    rows = []
    for metric in record.metrics if record else []:
        stage, rate, *step = metric.name.split("/")
        if step:
            rows.append({"stage": stage, "rate": float(rate), "step": int(step[0]), "development": metric.value})
    return DataFrame(rows, columns=["stage", "rate", "step", "development"])


def frozen(record: RunRecord | None, settings: Settings) -> DataFrame:
    """What the tries chose beside what the profile has: ``stage``, ``setting``, ``best tried``, ``profile``."""
    rows = []
    for stage, name in STAGES.items() if record else ():
        own = getattr(settings, stage)
        rate = own.tower_1.learning_rate if stage == "stage1" else own.learning_rate
        for field, value in (("learning_rate", rate), ("steps", own.steps)):
            best = record.metric(f"{stage}/{field}").value
            rows.append({"stage": name, "setting": field.replace("_", " "), "best tried": best, "profile": value})
    return DataFrame(rows, columns=["stage", "setting", "best tried", "profile"])


def claims(run: Run) -> list[Entry]:
    """The claims that a run of any size can answer, as this run's profile answers them."""
    any_size = printed.claims().query("needs == 'any'").index
    found = entries(all_records(workdir=run.workspace.root).records, "claim", run.profile)
    return [entry for entry in found if entry.id in any_size]


def seeds_table(run: Run) -> DataFrame:
    """Each row of a grid with several seeds: what it would take to decide an effect of the printed size.

    Columns: ``comparison``, ``printed`` and ``measured`` (points), ``over seeds`` (standard deviation of the paired
    differences), ``seeds``, ``seeds needed`` (a paired t-test at 5 % with 80 % power, on fixed pairs).
    """
    found, rows, seen = all_records(workdir=run.workspace.root).records, [], set()
    for entry in (entry for place in SEEDED for entry in entries(found, place, run.profile)):
        if (both := frozenset((entry.id, entry.printed.reference))) in seen:
            continue  # the other row of the same comparison
        seen.add(both)
        values = [metric.value for metric in entry.evidence.difference_seeds] if entry.evidence else []
        wanted = entry.printed.difference
        if len(values) > 1 and wanted:
            spread = stdev(values)
            row = {"comparison": entry.id, "printed": wanted, "measured": entry.difference, "over seeds": spread}
            rows.append(row | {"seeds": len(values), "seeds needed": seeds_needed(spread, abs(wanted))})
    return DataFrame(rows, columns=["comparison", "printed", "measured", "over seeds", "seeds", "seeds needed"])


def said(record: RunRecord | None) -> HTML:
    """Where the tries come from, or that there are none."""
    if record is None:
        none = "none are recorded for this profile; its values are the paper's, or were tried by hand"
        return tables.facts({"tries": none})
    made, command = record.provenance, f"jtcse tune --profile {record.profile}"
    return tables.facts({"tries": command, "begun": made.started, "minutes": f"{made.seconds / 60:.0f}"})


def facts(run: Run) -> dict[str, str]:
    """Text, graded pairs, encoder, machine and time of a run, in words."""
    found, settings = records(run), run.settings
    made, minutes = [record.provenance for record in found.values()], sum(map(took, found.values())) / 60
    data = {m.name: m for m in found["data"].metrics} if "data" in found else {}
    where = {name: ", ".join(sorted({getattr(one, name) for one in made})) for name in ("device", "machine")}
    return {
        "text": settings.data.corpus + (f", {data['sentences'].value:,.0f} sentences" if "sentences" in data else ""),
        "graded pairs": GRADED[settings.data.pair_sets],
        "encoder": f"{settings.encoder.name}, {settings.encoder.pooling} pooling",
        "seeds of the grids": ", ".join(map(str, settings.ablations.seeds)),
        "device": where["device"] or "not recorded",
        "machine": where["machine"] or "not recorded",
        "minutes of all runs": f"{minutes:,.0f}",
    }


def fixed_before(found: Mapping[str, RunRecord]) -> str:
    """Whether the rule and the settings were fixed before the run: they were where tries at a seed of their own are recorded."""
    if "tuning" not in found:
        return (
            "Nothing was fixed beforehand for this profile: the rule is applied to it all the same, and its rates and steps "
            "are the paper's or were tried by hand"
        )
    return (
        "This section was written, and committed, before any test score of the run was looked at; the history of the page in "
        f"the repository and the date of the first record ({begun(found)}) can be held against each other. Rates and steps "
        "were tried at a seed that no other run has, on development pairs alone, and then frozen in the profile"
    )


def begun(found: Mapping[str, RunRecord]) -> str:
    """When the first record of a run was begun that is no try."""
    return min((r.provenance.started for name, r in found.items() if name != "tuning"), default=NOT_RUN)


def pairs_in_words(settings: Settings) -> str:
    """On how many pairs a cell is scored."""
    limit = settings.ablations.pair_limit
    return f"at most {limit} evenly spaced pairs of each" if limit else "all pairs of each"


def tries_plot(frame: DataFrame) -> Figure:
    """Development score against steps, a panel a stage, a line a learning rate, a ring at the best look of each stage."""
    there = [stage for stage in STAGES if (frame["stage"] == stage).any()]
    figure, axes = panels(len(there), height=3.4)
    for axis, stage in zip(axes, there, strict=True):
        own = frame[frame["stage"] == stage]
        for colour, (rate, some) in zip(CYCLE, own.groupby("rate"), strict=False):
            axis.plot(some["step"], some["development"], "o-", color=colour, markersize=4, label=f"{rate:.0e}")
        best = own[own["step"] > 0].nlargest(1, "development")
        axis.plot(best["step"], best["development"], "o", color="#222222", markersize=11, fillstyle="none")
        axis.set(xlabel="step", title=STAGES[stage])
        axis.legend(title="learning rate", fontsize="small")
    axes[0].set(ylabel="development score, points")
    return figure
