"""The command line: words and progress for what the package does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from jtcse.cli import evaluate, publish, race, reading, rerun, systems
from jtcse.cli.options import Profile, Turned, Workdir, run_of
from jtcse.core.errors import UserError, check_choice

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="JTCSE, reproduced: train, measure and read the paper's twin-tower sentence encoder.",
)


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
    full: Annotated[bool, typer.Option("--full", help="Run also what else is shown from committed records.")] = False,
) -> None:
    """Run a profile's notebooks and build the book. What is up to date is not run again.

    Examples:

        jtcse reproduce

        jtcse reproduce --profile mini --dry-run

        jtcse reproduce --full

        jtcse reproduce --only stage2 stage2.steps=50 stage2.cross_stream=last
    """
    from jtcse.core.config import parse_assignments
    from jtcse.pipeline.reproduce import reproduce as run_pipeline

    run_pipeline(profile, only or [], jobs, dry_run, parse_assignments(settings or []), full=full)


@app.command()
def train(
    settings: Turned = None,
    stage: Annotated[str, typer.Option(help="data, encoder, tower_1, tower_2, twin, or all of them in turn.")] = "all",
    system: Annotated[str | None, typer.Option(help="A compared system instead (jtcse systems lists them).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the compared system's training.")] = 1,
    profile: Profile = "embedded",
    workdir: Workdir = None,
) -> None:
    """Train by stages, without notebooks; on several GPUs by `accelerate launch`, on CPUs by `torchrun`.

    With --system, a KEY without a dot is a setting of that system: `queue=64`.

    Examples:

        jtcse train --profile embedded

        jtcse train --system esimcse --profile embedded

        jtcse train --system simcse --seed 2 learning_rate=3e-4 race.steps=50

        jtcse train --stage twin --profile mini stage2.steps=50

        accelerate launch --num_processes 4 -m jtcse train --stage twin --profile paper_bert

        torchrun --nproc_per_node 2 -m jtcse train --stage twin --profile mini
    """
    from jtcse.experiments import stages

    if system is not None:
        systems.train(system, seed, profile, workdir, settings or [])
        return
    makers = {
        "data": stages.prepare_data,
        "encoder": stages.starting_encoder,
        "tower_1": lambda run: stages.train_tower(run, 1),
        "tower_2": lambda run: stages.train_tower(run, 2),
        "twin": stages.train_twin,
    }
    check_choice("stage", stage, [*makers, "all"])
    for name in makers if stage == "all" else [stage]:
        _stage(name, makers[name], profile, workdir, settings)


@app.command()
def distill(settings: Turned = None, profile: Profile = "embedded", workdir: Workdir = None) -> None:
    """Distil the trained twin into one tower.

    Examples:

        jtcse distill --profile embedded

        jtcse distill --profile mini distillation.steps=100
    """
    from jtcse.experiments import stages

    _stage("distilled", stages.distil, profile, workdir, settings)


@app.command()
def tune(settings: Turned = None, profile: Profile = "embedded", workdir: Workdir = None) -> None:
    """Try learning rates and steps of all stages on development pairs, at a seed of its own, and write the record of it.

    What was tried is not tried again. The best rates and steps are printed; to use them, write them into the profile.

    Examples:

        jtcse tune --profile mini

        jtcse tune --profile embedded tuning.stage2_rates=[1e-6,1e-5]
    """
    from jtcse.experiments.tuning import tune as try_all

    record = try_all(run_of("tuning", profile, workdir, settings))
    for metric in record.metrics:
        if metric.unit != "points":
            typer.echo(f"{metric.name}: {metric.value:g}")


def _stage(name: str, make, profile: str, workdir: Path | None, settings: list[str] | None) -> None:
    """Make one product and say where it is and how it scored."""
    result = make(run_of(f"train_{name}", profile, workdir, settings))
    score = getattr(result, "best_score", None)
    said = "" if score is None else f", development score {score:.2f} at step {result.best_step}"
    typer.echo(f"{name}: done{said}")


@app.command()
def doctor() -> None:
    """Say what this machine can run, and about how long each profile takes on it.

    Examples:

        jtcse doctor
    """
    from jtcse.pipeline.doctor import show

    show()


@app.command()
def bench(
    what: Annotated[str, typer.Argument(help="evaluation, step, all (these two), or device.")] = "all",
    model: Annotated[str, typer.Option(help="Encoder to measure with.")] = "sentence-transformers/all-MiniLM-L6-v2",
) -> None:
    """Measure our speed beside the usual way, both in one run, and print the ratio; or what this device gives (`device`).

    `device` takes at most five minutes and needs no hub: rates of matrix products, of encoding and of a stage-2 step in fp32
    and bf16 at the shapes of MiniLM and BERT-base, their share of the matrix rate, and the peak of memory.

    Examples:

        jtcse bench device

        jtcse bench step

        jtcse bench evaluation --model sentence-transformers/all-MiniLM-L6-v2
    """
    from jtcse.experiments.cost.benchmark import run_benchmarks

    check_choice("benchmark", what, ["evaluation", "step", "all", "device"])
    run_benchmarks(what, model)


evaluate.register(app)
app.add_typer(systems.app, name="systems")
for command in (
    race.race, race.cell, reading.ledger, reading.audit, rerun.rerun, publish.release, publish.publish, publish.book,
):  # fmt: skip
    app.command()(command)


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
