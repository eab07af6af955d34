"""Every compared system in one small generated world: its loss falls, what is kept opens as it was, and once is enough.

``pytest -m systems`` takes three minutes, and ``.ci/run`` calls it. Whether scores rise is asked of the race's record.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from jtcse.core.config import load_settings
from jtcse.core.errors import UserError
from jtcse.core.run import Run, Workspace
from jtcse.experiments import stages, trained_systems
from jtcse.systems.settings import fragment, systems

pytestmark = pytest.mark.systems
WORLD = {
    "data": {"corpus_limit": 4000, "pair_limit": 200},
    "encoder": {"layers": 2, "width": 48},
    "pretrain": {"steps": 300, "evaluate_every": 300},
    "evaluation": {"resamples": 100},
    "race": {"steps": 30, "batch_size": 32, "evaluate_every": 10, "max_length": 32, "rates": [2e-3], "seeds": [1]},
}
TEXTS = ["the painter mended the old boat", "a nurse sold her car", "the painter mended the old boat again"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A workspace with text, graded pairs and a small pre-trained encoder."""
    made = Run("systems", "embedded", load_settings("embedded", WORLD), Workspace(tmp_path_factory.mktemp("world")))
    stages.prepare_data(made)
    stages.starting_encoder(made)
    return made


@pytest.mark.parametrize("name", systems())
def test_it_trains_and_opens_as_it_was(name: str, run: Run) -> None:
    place = trained_systems.made(run, name, 1)
    told, encoder = trained_systems.story(place), trained_systems.opened(place)
    vectors = encoder.encode(TEXTS)
    assert vectors.shape[0] == len(TEXTS) and np.isfinite(vectors).all()
    assert stages.development(run, encoder) == pytest.approx(told.best_score, abs=0.01)


@pytest.mark.parametrize("name", systems())
def test_its_loss_falls(name: str, run: Run) -> None:
    """Below the loss of an encoder that stands still, on the same batches with the same masks: batches differ too much."""
    learnt = losses(trained_systems.made(run, name, 1))
    still = losses(trained_systems.made(run, name, 1, {"learning_rate": 1e-12}))
    assert learnt == [] or np.mean(learnt[-10:]) < np.mean(still[-10:])


def losses(place: Path) -> list[float]:
    """Loss by step of the last training of a kept system, all finite; empty where nothing is trained."""
    found = [row["loss"] for row in trained_systems.story(place).rows if "loss" in row]
    assert all(math.isfinite(loss) for loss in found)
    return found


@pytest.mark.parametrize("name", systems())
def test_a_rate_factor_of_nought_says_that_nothing_is_trained(name: str, run: Run) -> None:
    told = trained_systems.story(trained_systems.made(run, name, 1))
    assert (told.steps == 0) == (fragment(name).rate_factor == 0)


@pytest.mark.parametrize("name", systems())
def test_a_second_call_trains_nothing(name: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_, **__):
        raise UserError("trained again")

    trained_systems.made(run, name, 1)
    monkeypatch.setattr(trained_systems, "train", forbidden)
    trained_systems.made(run, name, 1)
