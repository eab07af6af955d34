"""The commands that score and embed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jtcse.core.errors import UserError, check_choice

if TYPE_CHECKING:
    from jtcse.evaluation.mteb.running import Outcome
    from jtcse.experiments.zero_shot.sts7 import Kept

PoolingOption = Annotated[
    str | None,
    typer.Option(help="cls, mean, first_last, first_last_1, last_two, pooler; by default the model's own."),
]
Workdir = Annotated[
    Path | None, typer.Option(help="Workspace, where results are kept; by default build/PROFILE, or build/checkpoints.")
]


def register(app: typer.Typer) -> None:
    """Give these commands to the command line."""
    app.command()(evaluate)
    app.command()(embed)


def evaluate(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Hub names or folders; several are summed.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="A compared system: its released checkpoint, or MODEL read in its way.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="Which released checkpoint: bert (the default) or roberta.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="Score the system as it was trained in this profile; sts7 is then the profile's sets."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of that training.")] = 1,
    workdir: Workdir = None,
    tasks: Annotated[
        str,
        typer.Option(
            help="sts7 (SentEval's rule), sts7:STS12+STS-B, table1-right, table2 to table6, names of mteb: STS17:en-en,NFCorpus"
        ),
    ] = "sts7",
    plan: Annotated[bool, typer.Option("--plan", help="Only say what there is to do and how large it is.")] = False,
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes that share the tasks, a GPU each where there are several.")
    ] = 1,
    limit: Annotated[
        int | None,
        typer.Option(min=2, help="Rows of each set at most, to try things out; kept apart, no score of the task."),
    ] = None,
    pooling: PoolingOption = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write scores and settings to this file.")] = None,
    precision: Annotated[
        str, typer.Option(help="fp32, or bf16: kept apart, and no scores of record, since its rounding moves them.")
    ] = "fp32",
) -> None:
    """Score an encoder, the sum of several, or a compared system, in points from 0 to 100.

    What is done is kept in the workspace under the hash of the weights, in mteb's own form, and is not run again; a killed or
    failed call goes on where it was. A run record beside it feeds the ledger and the pages.

    Examples:

        jtcse evaluate sentence-transformers/all-MiniLM-L6-v2 --pooling mean

        jtcse evaluate --system jtcse --tasks table2 --plan

        jtcse evaluate --system promptbert --backbone roberta --tasks table1-right,Banking77Classification

        jtcse evaluate build/mini/models/tower_1 build/mini/models/tower_2 --tasks sts7:STS-B+SICK-R --json scores.json

        jtcse evaluate --system esimcse --profile embedded
    """
    from jtcse.experiments.zero_shot import request as work

    check_choice("precision", precision, ["fp32", "bf16"])
    check_choice("backbone", backbone or "bert", ["bert", "roberta"])
    if profile is not None:
        _idle("--profile, which scores what was trained there", backbone=backbone, pooling=pooling)
    _check_one_way(system, backbone, pooling)
    asked = work.Asked(tuple(models or ()), system, backbone, profile, seed, workdir, tasks, limit, pooling, precision)
    if plan:
        work.show_plan(asked)
        return
    seven, outcomes, numbers = work.scored(asked, jobs)
    if seven:
        _print_scores(seven, precision)
    through = [one for one in outcomes if one.name in numbers or not one.done]
    if through:
        _print_outcomes(through, numbers, precision)
    if json_file:
        _write_scores(json_file, seven, numbers, asked.told())
    lost = [one for one in outcomes if not one.done]
    if lost:
        raise UserError(
            f"{len(lost)} of {len(outcomes)} have no score; the first is {lost[0].name}: {lost[0].words} "
            "(the same command tries these again)"
        )


def _idle(beside: str, **options) -> None:
    """Refuse options that would do nothing."""
    for name, value in options.items():
        if value is not None:
            raise UserError(f"--{name} {value} has no effect on {beside}; leave it out")


def _check_one_way(system: str | None, backbone: str | None, pooling: str | None) -> None:
    if system is None:
        _idle("a MODEL without --system", backbone=backbone)
    elif pooling is not None:
        raise UserError(
            f"--pooling {pooling} beside --system {system}: a system is pooled as its authors do; leave one"
        )


def _print_scores(scores: dict[str, Kept], precision: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "points", "95 % interval", "pairs", title=_apart(precision))
    for name, score in scores.items():
        pairs = "" if name == "average" else f"{score.n:,}"
        table.add_row(name, f"{score.points:.2f}", f"{score.low:.2f} to {score.high:.2f}", pairs)
    Console().print(table)


def _print_outcomes(outcomes: list[Outcome], numbers: dict[str, float], precision: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "main score, points", "", title=f"through mteb{_apart(precision)}")
    for one in outcomes:
        said = one.words or (f"{one.seconds:.0f} s" if one.seconds else "kept from before")
        table.add_row(one.name, f"{numbers[one.name]:.2f}" if one.name in numbers else one.state, said)
    Console().print(table)


def _apart(precision: str) -> str:
    """What a title says of scores that are none of record."""
    return "" if precision == "fp32" else f" encoded in {precision}, so no scores of record"


def _write_scores(path: Path, seven: dict[str, Kept], numbers: dict[str, float], settings: dict) -> None:
    from jtcse.core.files import write_atomically

    sets = {name: one for name, one in seven.items() if name != "average"}
    content = {"scores": {name: round(one.points, 4) for name, one in sets.items()} | numbers, "settings": settings}
    if sets:
        content |= {
            "average": round(seven["average"].points, 4),
            "intervals": {name: [round(one.low, 4), round(one.high, 4)] for name, one in sets.items()},
            "pairs": {name: one.n for name, one in sets.items()},
        }
    write_atomically(path, json.dumps(content, indent=1) + "\n")


def embed(
    model: Annotated[str, typer.Argument(help="Hub name or folder.")],
    out: Annotated[Path, typer.Option(help="Where the vectors go: (n, d) float32.")] = Path("vectors.npy"),
    pooling: PoolingOption = None,
) -> None:
    """Embed sentences from standard input, one a line.

    Examples:

        jtcse embed build/embedded/models/twin --out vectors.npy < sentences.txt
    """
    import io

    import numpy as np

    from jtcse.core.files import write_atomically
    from jtcse.systems.opening import open_model

    try:
        sentences = sys.stdin.buffer.read().decode("utf8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"standard input is not UTF-8 text ({error}); expected one sentence a line") from error
    if not sentences:
        raise UserError("found no sentences on standard input; expected one a line: jtcse embed MODEL < sentences.txt")
    vectors, buffer = open_model(model, pooling=pooling).encode(sentences), io.BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    write_atomically(out, buffer.getvalue())
    typer.echo(f"{out}: {vectors.shape[0]:,} vectors of {vectors.shape[1]} numbers")
