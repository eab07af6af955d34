"""The commands about compared systems: list them, show a card, train one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jtcse.cli.options import run_of

app = typer.Typer(help="The systems of Table I: list them, or show the card of one.", rich_markup_mode="markdown")


@app.callback(invoke_without_command=True)
def systems(context: typer.Context) -> None:
    """List the systems of Table I; `jtcse systems show NAME` prints the card of one.

    Examples:

        jtcse systems

        jtcse systems show esimcse
    """
    if context.invoked_subcommand is not None:
        return
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from jtcse.pages.systems import printed_average
    from jtcse.systems.cards import FAMILIES, cards
    from jtcse.systems.released import released

    table = Table("name", "system", "year", "BERT", "RoBERTa", "released weights", box=SIMPLE, padding=(0, 1, 0, 0))
    family = None
    for card in cards():
        if card.head.family != family:
            family = card.head.family
            table.add_row("", f"[bold]{FAMILIES[family]}[/]")
        printed = [printed_average(card, backbone) or "" for backbone in ("bert", "roberta")]
        there = released(card.name).items()
        weights = [half + ("" if all(one.verified for one in places) else "*") for half, places in there]
        table.add_row(card.name, card.head.title, str(card.head.year), *printed, " ".join(weights))
    Console().print(table)
    typer.echo(
        "BERT, RoBERTa: the average of the seven tasks that Table I prints. *: a hub name that was not verified."
    )


@app.command()
def show(name: Annotated[str, typer.Argument(help="A name out of 'jtcse systems'.")]) -> None:
    """Print a system's card: idea, formula, settings with their sources, printed and measured scores, traps.

    Examples:

        jtcse systems show simcse
    """
    from rich.console import Console
    from rich.markdown import Markdown

    from jtcse.pages.systems import card_markdown

    Console().print(Markdown(card_markdown(name)))


def train(system: str, seed: int, profile: str, workdir: Path | None, words: list[str]) -> None:
    """Train a compared system, and what it needs, in a profile's workspace."""
    from jtcse.core.config import parse_assignments
    from jtcse.experiments import trained_systems

    turned = parse_assignments(words)
    own = {name: turned.pop(name) for name in list(turned) if "." not in name}  # settings of the system
    folder = trained_systems.made(run_of("train_system", profile, workdir, turned), system, seed, own)
    story = trained_systems.story(folder)
    typer.echo(
        f"{system}: development score {story.best_score:.2f}, before training {story.start_score:.2f}; "
        f"learning rate {story.settings['learning_rate']:.2g}, {story.steps} steps, {story.seconds:.0f} s; {folder}/model"
    )
