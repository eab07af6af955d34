"""The command line: words and progress for what the package does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from jtcse import cli_reading
from jtcse.errors import UserError, unknown

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="JTCSE, reproduced: train, measure and read the paper's twin-tower sentence encoder.",
)
Profile = Annotated[str, typer.Option(help="Profile: embedded, mini, paper_bert or paper_roberta.")]
Turned = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings to turn, such as stage2.steps=20.")
]
PoolingOption = Annotated[
    str | None, typer.Option(help="cls, mean, avg, first_last or pooler; by default the model's own, else cls.")
]
Workdir = Annotated[
    Path | None, typer.Option(help="Where data, models and records are kept; by default build/PROFILE.")
]


@app.callback()
def _main(debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False) -> None:
    """Global options."""


@app.command()
def reproduce(
    settings: Turned = None,
    profile: Profile = "embedded",
    only: Annotated[
        list[str] | None, typer.Option(help="Notebook to run, with what it needs; may be given again.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Cores to use; by default all.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and run nothing.")] = False,
) -> None:
    """Run a profile's notebooks and build the book. What is up to date is not run again.

    Examples:

        jtcse reproduce

        jtcse reproduce --profile mini --dry-run

        jtcse reproduce --only stage2 stage2.steps=50 stage2.cross_stream=last
    """
    from jtcse.config import parse_assignments
    from jtcse.pipeline import reproduce as run_pipeline

    run_pipeline(profile, only or [], jobs, dry_run, parse_assignments(settings or []))


@app.command()
def train(
    settings: Turned = None,
    stage: Annotated[str, typer.Option(help="data, encoder, tower_1, tower_2, twin, or all of them in turn.")] = "all",
    profile: Profile = "embedded",
    workdir: Workdir = None,
) -> None:
    """Train by stages, without notebooks; on several GPUs by `accelerate launch`, on CPUs by `torchrun`.

    Examples:

        jtcse train --profile embedded

        jtcse train --stage twin --profile mini stage2.steps=50

        accelerate launch --num_processes 4 -m jtcse train --stage twin --profile paper_bert

        torchrun --nproc_per_node 2 -m jtcse train --stage twin --profile mini
    """
    from jtcse import stages

    makers = {
        "data": stages.prepare_data,
        "encoder": stages.starting_encoder,
        "tower_1": lambda run: stages.train_tower(run, 1),
        "tower_2": lambda run: stages.train_tower(run, 2),
        "twin": stages.train_twin,
    }
    if stage != "all" and stage not in makers:
        raise unknown("stage", stage, [*makers, "all"])
    for name in makers if stage == "all" else [stage]:
        _stage(name, makers[name], profile, workdir, settings)


@app.command()
def distill(settings: Turned = None, profile: Profile = "embedded", workdir: Workdir = None) -> None:
    """Distil the trained twin into one tower.

    Examples:

        jtcse distill --profile embedded

        jtcse distill --profile mini distillation.steps=100
    """
    from jtcse import stages

    _stage("distilled", stages.distil, profile, workdir, settings)


def _stage(name: str, make, profile: str, workdir: Path | None, settings: list[str] | None) -> None:
    """Make one product and say where it is and how it scored."""
    from jtcse.config import load_settings, parse_assignments
    from jtcse.run import Run, Workspace

    loaded = load_settings(profile, parse_assignments(settings or []))
    result = make(Run(f"train_{name}", profile, loaded, Workspace(workdir or Path("build") / profile)))
    score = getattr(result, "best_score", None)
    typer.echo(
        f"{name}: done" + (f", development score {score:.2f} at step {result.best_step}" if score is not None else "")
    )


@app.command()
def evaluate(
    models: Annotated[list[str], typer.Argument(metavar="MODEL [MODEL2]", help="Hub name or folder; two are summed.")],
    tasks: Annotated[str, typer.Option(help="sts7, sts7-mteb, or names such as STS12,STS-B.")] = "sts7",
    pooling: PoolingOption = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write scores and settings to this file.")] = None,
    precision: Annotated[str, typer.Option(help="auto, bf16 or fp32.")] = "auto",
) -> None:
    """Score an encoder, or the sum of two, on the seven similarity tasks (Spearman, points from 0 to 100).

    Examples:

        jtcse evaluate sentence-transformers/all-MiniLM-L6-v2 --pooling mean

        jtcse evaluate build/mini/models/tower_1 build/mini/models/tower_2 --tasks STS-B,SICK-R --json scores.json
    """
    from jtcse.data.pairs import load_pair_sets
    from jtcse.encoder import SumEncoder, open_encoder
    from jtcse.evaluation.sts import average, score_sets

    source, names = (
        ("mteb", None) if tasks == "sts7-mteb" else ("senteval", None if tasks == "sts7" else tasks.split(","))
    )
    _choice("precision", precision, ["auto", "bf16", "fp32"])
    encoders = [open_encoder(name, pooling=pooling, precision=precision) for name in models]
    encoder = encoders[0] if len(encoders) == 1 else SumEncoder(encoders)
    scores = score_sets(encoder, load_pair_sets(source, names=names))
    mean = average(scores)
    _print_scores(scores, mean)
    if json_file:
        _write_scores(
            json_file,
            scores,
            mean,
            {
                "models": models,
                "tasks": tasks,
                "source": source,
                "pooling": pooling or "the model's own",
                "precision": precision,
            },
        )


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


@app.command()
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

    from jtcse.encoder import open_encoder
    from jtcse.files import write_atomically

    try:
        sentences = sys.stdin.buffer.read().decode("utf8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"standard input is not UTF-8 text ({error}); expected one sentence a line") from error
    if not sentences:
        raise UserError("found no sentences on standard input; expected one a line: jtcse embed MODEL < sentences.txt")
    vectors, buffer = open_encoder(model, pooling=pooling).encode(sentences), io.BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    write_atomically(out, buffer.getvalue())
    typer.echo(f"{out}: {vectors.shape[0]:,} vectors of {vectors.shape[1]} numbers")


@app.command()
def doctor() -> None:
    """Say what this machine can run, and about how long each profile takes on it.

    Examples:

        jtcse doctor
    """
    from jtcse.doctor import show

    show()


@app.command()
def bench(
    what: Annotated[str, typer.Argument(help="evaluation, step, or all.")] = "all",
    model: Annotated[str, typer.Option(help="Encoder to measure with.")] = "sentence-transformers/all-MiniLM-L6-v2",
) -> None:
    """Measure our speed beside the usual way, both in one run, and print the ratio.

    Examples:

        jtcse bench step

        jtcse bench evaluation --model sentence-transformers/all-MiniLM-L6-v2
    """
    from jtcse.bench import run_benchmarks

    _choice("benchmark", what, ["evaluation", "step", "all"])
    run_benchmarks(what, model)


cli_reading.register(app)


def _choice(kind: str, name: str, valid: list[str]) -> None:
    if name not in valid:
        raise unknown(kind, name, valid)


def main() -> None:
    """Entry point: a ``UserError`` is one sentence and exit status 2, unless ``--debug`` is given."""
    try:
        app()
    except UserError as error:
        if "--debug" in sys.argv:
            raise
        typer.secho(f"jtcse: {error}", err=True, fg="red")
        sys.exit(2)
    except KeyboardInterrupt:
        typer.secho("jtcse: stopped; the same command goes on where it was", err=True)
        sys.exit(130)
