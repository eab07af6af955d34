"""The page of the fair race: who stands where in each profile, at what cost, and beside the paper's ranking.

Everything is read from the run records named ``race``, the workspace's above the committed ones; nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pandas import DataFrame, Series

from jtcse.core.config import load_settings
from jtcse.core.record import RunRecord
from jtcse.core.run import Run
from jtcse.experiments.table1 import RACE, RANKING, printed_averages
from jtcse.pages.furniture.elements import NOT_RUN, Words, ranged, within
from jtcse.pages.furniture.style import show
from jtcse.pages.furniture.tables import table
from jtcse.pages.plots import race as plots
from jtcse.paper.ledger import all_records
from jtcse.systems.cards import card
from jtcse.systems.settings import systems

if TYPE_CHECKING:
    from IPython.display import HTML
    from matplotlib.figure import Figure

SUMMARY = ("average", "rank", "start", "dev", "steps", "all_steps", "rate", "minutes", "all_minutes", "memory")


def races(this_run: Run) -> dict[str, RunRecord]:
    """The records of the race by profile, that of the page's own first."""
    every = all_records(workdir=this_run.workspace.root).records
    found = {record.profile: record for record in every if record.run == RACE}
    return dict(sorted(found.items(), key=lambda pair: (pair[0] != this_run.profile, pair[0])))


def standing(record: RunRecord) -> DataFrame:
    """A row a system, the best first: ``title``, each of ``SUMMARY`` with its ends where it has them, and ``seeds`` (scores).

    ``printed`` is the average that the profile's half of Table I has for it, NaN where there is none.
    """
    rows: dict[str, dict] = {}
    for metric in record.metrics:
        place, system, what, *rest = (*metric.name.split("/"), "", "")
        if place != RACE or what not in SUMMARY or any(rest):
            continue
        row = rows.setdefault(system, {"seeds": []})
        if metric.seed is not None:
            row["seeds"].append(metric.value)
        else:
            row |= {what: metric.value, f"{what}_low": metric.low, f"{what}_high": metric.high}
    printed = printed_averages(rows, load_settings(record.profile))
    for system, row in rows.items():  # a system that today's package no longer has keeps its name
        title = card(system).head.title if system in systems() else system
        row |= {"title": title, "printed": printed.get(system)}
    frame = DataFrame(list(rows.values()), index=list(rows))
    for what in ("printed", "rate"):  # not every system has one
        frame[what] = frame.get(what, Series(dtype=float)).astype(float)
    return frame.sort_values("average", ascending=False)


def standing_table(record: RunRecord) -> HTML:
    """The standing as a table: place and average with their intervals, seeds, development, cost, the printed average."""
    frame = standing(record)
    shown = DataFrame(
        {
            "system": frame["title"],
            "average": _ranged(frame, "average", ".2f", ".1f"),
            "rank": _ranged(frame, "rank", ".0f"),
            "single seeds": [", ".join(f"{score:.2f}" for score in seeds) for seeds in frame["seeds"]],
            "development before": frame["start"],
            "after": frame["dev"],
            "learning rate": [f"{rate:.2g}" if rate == rate else "–" for rate in frame["rate"]],
            "own steps": frame["steps"].map("{:,.0f}".format),
            "steps in all": frame["all_steps"].map("{:,.0f}".format),
            "own minutes": frame["minutes"],
            "minutes in all": frame["all_minutes"],
            "memory, MiB": frame["memory"].map("{:,.0f}".format),
            "printed average": frame["printed"],
        }
    )
    return table(shown, wrap=False)


def _ranged(frame: DataFrame, what: str, *forms: str) -> list[str]:
    columns = zip(frame[what], frame[f"{what}_low"], frame[f"{what}_high"], strict=True)
    return [ranged(*ends, *forms) for ends in columns]


def looks(record: RunRecord) -> dict[str, list[tuple[int, float]]]:
    """The development score at each look (step, points), by title of the system, the best of the race first."""
    titles = standing(record)["title"]
    found: dict[str, list[tuple[int, float]]] = {title: [] for title in titles}
    for metric in record.metrics:
        match metric.name.split("/"):
            case ["race", system, "dev", step]:
                found[titles[system]].append((int(step), metric.value))
    return {title: sorted(rows) for title, rows in found.items() if len(rows) > 1}


def show_standings(this_run: Run) -> None:
    """Each profile's averages and ranks with intervals as a chart and a table; "not run" where there is none."""
    alt = "Average and rank of each system in {} with their 95 % intervals, the best on top."
    _each(this_run, lambda record: (plots.standings(standing(record)), alt, standing_table(record)))


def show_costs(this_run: Run) -> None:
    """Minutes and memory of each system, by profile."""
    alt = "Minutes of training and peak memory of each system in {}."
    _each(this_run, lambda record: (plots.costs(standing(record)), alt))


def show_ranks(this_run: Run) -> None:
    """Each system's place in print and here, by profile."""
    alt = "Places by printed average against places in {}, joined by a line for each system."

    def chart(record: RunRecord) -> tuple[Figure | None, str]:
        frame = standing(record).dropna(subset="printed")
        return plots.beside_print(frame) if len(frame) > 1 else None, alt

    _each(this_run, chart)


def show_development(this_run: Run) -> None:
    """Development score over the steps of the last training, a small panel a system, by profile."""
    alt = "Development score of each system over its steps in {}."

    def chart(record: RunRecord) -> tuple[Figure | None, str]:
        found = looks(record)
        return plots.development(found) if found else None, alt

    _each(this_run, chart)


def _each(this_run: Run, drawn: Callable[[RunRecord], tuple[Any, ...]]) -> None:
    """Under the title of each profile with a race its figure, with what is to be seen in words, and what stands below it."""
    from IPython.display import HTML, display

    found = races(this_run)
    if this_run.profile not in found:
        command = f"jtcse race --profile {this_run.profile}"
        display(HTML(f"<p><b>{this_run.profile}:</b> {NOT_RUN}. The race is run by <code>{command}</code>.</p>"))
    for profile, record in found.items():
        display(HTML(f"<p><b>{load_settings(profile).title}</b>, {record.provenance.started[:10]}</p>"))
        figure, alt, *below = drawn(record)
        if figure is not None:
            show(figure, alt.format(profile))
        for one in below:
            display(one)


def words(this_run: Run) -> Words:
    """What the page's sentences say of its own profile's race; ``NOT_RUN`` where there is no record."""
    record = races(this_run).get(this_run.profile)
    if record is None:
        names = ("systems", "seeds", "first", "apart", "improved", "ranking", "most_steps", "hours")
        return Words.fromkeys(names, NOT_RUN)
    frame = standing(record)
    first, trained = frame.iloc[0], frame[frame["steps"] > 0]
    most, counts = frame["all_steps"].idxmax(), sorted({len(seeds) for seeds in frame["seeds"]})
    return Words(
        systems=str(len(frame)),
        seeds=" or ".join(map(str, counts)),
        # the system with the best average, with its places; how many systems cannot be ruled out as the best
        first=f"{first['title']} (rank {first['rank_low']:.0f} to {first['rank_high']:.0f})",
        apart=str((frame["rank_low"] == 1).sum()),
        # how many end above their own start on the development pairs
        improved=f"{(trained['dev'] > trained['start']).sum()} of {len(trained)}",
        ranking=_ranking(record),  # rank correlation with print
        most_steps=f"{frame['title'][most]} with {frame['all_steps'][most]:,.0f}",
        hours=f"{record.provenance.seconds / 3600:.1f}",  # of all cells
    )


def _ranking(record: RunRecord) -> str:
    found = next((metric for metric in record.metrics if metric.name == RANKING), None)
    if found is None:
        return "not known, with fewer than three systems that are in print"
    value, low, high = (end / 100 for end in (found.value, found.low, found.high))
    return f"{value:.2f} ({within(low, high, '.2f')}, {found.n} systems)"
