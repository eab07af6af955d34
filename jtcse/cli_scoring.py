"""The commands that score and embed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from jtcse.errors import UserError, check_choice

PoolingOption = Annotated[
    str | None,
    typer.Option(help="cls, mean, first_last, first_last_1, last_two, pooler; by default the model's own."),
]
Workdir = Annotated[Path | None, typer.Option(help="Workspace of the profile; by default build/PROFILE.")]


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
        str | None, typer.Option(help="Score the system as it was trained in this profile, on the profile's tasks.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of that training.")] = 1,
    workdir: Workdir = None,
    tasks: Annotated[
        str | None, typer.Option(help="sts7 (the default), sts7-mteb, or names such as STS12,STS-B.")
    ] = None,
    pooling: PoolingOption = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write scores and settings to this file.")] = None,
    precision: Annotated[str, typer.Option(help="auto, bf16 or fp32.")] = "auto",
) -> None:
    """Score an encoder, the sum of several, or a compared system on similarity tasks (Spearman, points from 0 to 100).

    Examples:

        jtcse evaluate sentence-transformers/all-MiniLM-L6-v2 --pooling mean

        jtcse evaluate build/mini/models/tower_1 build/mini/models/tower_2 --tasks STS-B,SICK-R --json scores.json

        jtcse evaluate --system promptbert --backbone roberta

        jtcse evaluate --system esimcse --profile embedded
    """
    from jtcse.evaluation.sts import average, score_sets

    check_choice("precision", precision, ["auto", "bf16", "fp32"])
    check_choice("backbone", backbone or "bert", ["bert", "roberta"])
    if profile is not None:
        from jtcse.cli_systems import opened_in

        _idle("--profile", backbone=backbone, pooling=pooling)
        encoder, sets = opened_in(system, seed, profile, workdir, tasks, models)
    else:
        _idle("what was not trained here", workdir=workdir)
        backbone = _backbone(system, backbone, pooling)
        encoder, sets = _opened(models or [], system, backbone, pooling, precision), _sets(tasks or "sts7")
    scores = score_sets(encoder, sets)
    mean = average(scores)
    _print_scores(scores, mean)
    if json_file:
        asked = {"models": models, "system": system, "backbone": backbone, "profile": profile, "tasks": tasks or "all"}
        asked |= {"pooling": pooling or "the model's own", "precision": precision}
        _write_scores(json_file, scores, mean, {name: value for name, value in asked.items() if value is not None})


def _idle(beside: str, **options) -> None:
    """Refuse options that would do nothing."""
    for name, value in options.items():
        if value is not None:
            raise UserError(f"--{name} {value} has no effect on {beside}; leave it out")


def _backbone(system: str | None, backbone: str | None, pooling: str | None) -> str | None:
    """Which released checkpoint of a system; None where there is no system to have one."""
    if system is None:
        _idle("a MODEL without --system", backbone=backbone)
        return None
    if pooling is not None:
        raise UserError(
            f"--pooling {pooling} beside --system {system}: a system is pooled as its authors do; leave one"
        )
    return backbone or "bert"


def _opened(models: list[str], system: str | None, backbone: str | None, pooling: str | None, precision: str):
    from jtcse.opening import open_model, open_released, summed

    if system is not None:
        return open_released(system, backbone, names=models or None, precision=precision)
    if not models:
        raise UserError("found neither a MODEL nor --system; expected for instance: jtcse evaluate --system simcse")
    return summed([open_model(name, pooling=pooling, precision=precision) for name in models], models)


def _sets(tasks: str):
    from jtcse.data.pairs import load_pair_sets

    if tasks == "sts7-mteb":
        return load_pair_sets("mteb")
    return load_pair_sets("senteval", names=None if tasks == "sts7" else tasks.split(","))


def _print_scores(scores, mean) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "points", "95 % interval", "pairs")
    for name, score in scores.items():
        table.add_row(name, f"{score.points:.2f}", f"{score.low:.2f} to {score.high:.2f}", f"{score.n:,}")
    table.add_row("average", f"{mean.points:.2f}", f"{mean.low:.2f} to {mean.high:.2f}", "")
    Console().print(table)


def _write_scores(path: Path, scores, mean, settings: dict) -> None:
    from jtcse.files import write_atomically

    content = {
        "scores": {name: round(score.points, 4) for name, score in scores.items()},
        "average": round(mean.points, 4),
        "intervals": {name: [round(score.low, 4), round(score.high, 4)] for name, score in scores.items()},
        "pairs": {name: score.n for name, score in scores.items()},
        "settings": settings,
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

    from jtcse.files import write_atomically
    from jtcse.opening import open_model

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
