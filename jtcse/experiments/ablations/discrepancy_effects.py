"""What the differences between paper and code do to the score: twins trained under both readings (``switches``)."""

from __future__ import annotations

from dataclasses import dataclass

from jtcse.core.record import Metric
from jtcse.core.run import Run
from jtcse.evaluation.statistics.resampled import Drawn
from jtcse.experiments.ablations.effects import Grid, measured
from jtcse.experiments.ablations.switches import BASE, Switch, switches

PLACE = "paper_and_code"


@dataclass(frozen=True)
class Effects:
    """The base and every switch, measured."""

    grid: Grid
    switches: list[Switch]

    @property
    def seeds(self) -> list[int]:
        """Training seeds."""
        return self.grid.seeds(BASE)

    def effect(self, switch: Switch, seed: int | None = None) -> Drawn:
        """Switched minus base, at a seed or of the means over seeds."""
        return self.grid.difference(switch.cell.id, BASE, seed)

    def metrics(self) -> list[Metric]:
        """Each cell's value and each switch's difference to the base, by seed and as the mean over seeds; last the times."""
        return self.grid.metrics()

    def undecided(self, switch: Switch) -> bool:
        """Whether the interval of a switch's effect holds zero, or seeds disagree on its sign."""
        _, low, high = self.effect(switch).estimate()
        signs = {self.effect(switch, seed).points > 0 for seed in self.seeds}
        return low <= 0 <= high or len(signs) > 1

    def between_seeds(self) -> Drawn | None:
        """The largest difference between two seeds of the base; None with one seed."""
        values = sorted((self.grid.of(BASE, seed) for seed in self.seeds), key=lambda drawn: drawn.points)
        return values[-1] - values[0] if len(values) > 1 else None


def train_all(run: Run) -> Effects:
    """Train the base and every switch with every seed, or take them where they lie."""
    return Effects(measured(run, PLACE), list(switches(run.settings)))
