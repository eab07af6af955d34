"""Who is scored: released weights of the compared systems, what a profile trained itself, or any MODEL of the command line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jtcse.core.errors import UserError, check_choice
from jtcse.systems import released
from jtcse.systems.settings import HALVES, Backbone, backbone_of, systems

if TYPE_CHECKING:
    from jtcse.core.config import Settings
    from jtcse.core.run import Run
    from jtcse.encoders.encoder import Encoder

RELEASED = "released"
"""The word that means every system with released weights."""
OWN = {"jtcse": "jtcse", "jtcse_d": "distilled"}
"""Systems that a profile's own stages train, by their names in ``stages.SYSTEMS``."""
LONGEST = 120  # characters of a label: it is part of file names


@dataclass(frozen=True)
class Subject:
    """One encoder to be scored; it is opened when its turn comes.

    ``label`` names its record. ``system`` and ``backbone`` say which row of the paper it answers for, None where it is no
    system of the paper.
    """

    label: str
    system: str | None
    backbone: Backbone | None
    opener: Callable[[Run], Encoder] = field(repr=False, compare=False)

    def open(self, run: Run) -> Encoder:
        """The encoder, in the number format of ``zero_shot.precision``; one that the run trains itself out of its workspace.

        Raises:
            UserError: weights that cannot be had, or that do not fit the system.
        """
        return self.opener(run)


def subjects(settings: Settings) -> list[Subject]:
    """Those that ``zero_shot.systems`` names, each once.

    At scale ``checkpoints`` a word means released weights: SYSTEM, SYSTEM/roberta or ``released``. Any other profile scores what
    it trained itself, with its first seed: SYSTEM.

    Raises:
        UserError: an unknown system or backbone (with the nearest), or one without released weights.
    """
    words = settings.zero_shot.systems
    if settings.scale == "checkpoints":
        pairs = dict.fromkeys(pair for word in words for pair in _pairs(word))
        return [scored_in(settings.zero_shot.precision, _released(*pair)) for pair in pairs]
    for word in words:
        check_choice("system (this profile scores what it trains)", word, systems())
    backbone = backbone_of(settings.encoder.name)
    found = [Subject(f"{one}-{backbone}", one, backbone, partial(_open_trained, one)) for one in dict.fromkeys(words)]
    return [scored_in(settings.zero_shot.precision, one) for one in found]


def scored_in(precision: str, subject: Subject) -> Subject:
    """As it is in fp32; in another number format under a label of its own, and answering for no row of the paper."""
    if precision == "fp32":
        return subject
    return replace(subject, label=_label([subject.label, precision]), system=None, backbone=None)


def subject_of(models: Sequence[str], system: str | None, backbone: Backbone | None, pooling: str | None) -> Subject:
    """What a command line names.

    Only the places of ``released.yaml`` answer for a row of the paper. Other weights read in a system's way do not: nothing
    says whose they are.

    Args:
        models: hub names or folders, several are summed; empty for a system's released weights.
        system, backbone: how the models are read, or whose weights are meant; BERT unless it is said.
        pooling: of models without a system; None: their own.
    Raises:
        UserError: neither models nor a system, an unknown system, or one without released weights.
    """
    if system is None:
        if not models:
            raise UserError("found neither a MODEL nor --system; expected for instance: --system simcse")
        label = _label([*map(_written, models), *([pooling] if pooling else [])])
        return Subject(label, None, None, partial(_summed, tuple(models), pooling))
    check_choice("system", system, systems())
    backbone = backbone or "bert"
    if not models:
        return _released(*_known(system, backbone))
    opener = partial(_open_released, system, backbone, tuple(models))
    return Subject(_label([f"{system}-{backbone}", *map(_written, models)]), None, None, opener)


# -- words and labels --------------------------------------------------------------------------------------------


def _pairs(word: str) -> list[tuple[str, Backbone]]:
    """System and backbone of each that a word means."""
    if word == RELEASED:
        return released.everything()
    system, sign, backbone = word.partition("/")
    check_choice("system", system, [*systems(), RELEASED])
    return [_known(system, backbone if sign else "bert")]


def _known(system: str, backbone: str) -> tuple[str, Backbone]:
    """The same two, if such weights were released."""
    check_choice("backbone", backbone, HALVES)
    if not released.names(system, backbone):
        others = " and ".join(released.released(system)) or "none"
        raise UserError(
            f"no {backbone} weights of {system} are on the hub (there: {others}); 'jtcse systems' lists all that are, and "
            f"'jtcse systems show {system}' says what there is instead"
        )
    return system, backbone


def _written(model: str) -> str:
    """A folder by its whole path, so that no two are called the same; a hub name as it is."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model


def _label(names: Sequence[str]) -> str:
    """Names as one word that a file can have; a long one is cut, and ends with a hash of the whole."""
    label = "+".join(name.strip("/").replace("/", "--") for name in names)
    if len(label) <= LONGEST:
        return label
    return f"{label[: LONGEST - 9]}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


# -- how they open -----------------------------------------------------------------------------------------------


def _released(system: str, backbone: Backbone) -> Subject:
    return Subject(f"{system}-{backbone}", system, backbone, partial(_open_released, system, backbone, ()))


def _open_released(system: str, backbone: Backbone, names: Sequence[str], run: Run) -> Encoder:
    from jtcse.systems.opening import open_released

    return open_released(system, backbone, names=names or None, precision=run.settings.zero_shot.precision)


def _summed(names: Sequence[str], pooling: str | None, run: Run) -> Encoder:
    from jtcse.systems.opening import open_model, summed

    precision = run.settings.zero_shot.precision
    return summed([open_model(name, pooling=pooling, precision=precision) for name in names], names)


def _open_trained(system: str, run: Run) -> Encoder:
    """The product of the run's own stages, or the system as the workshop trains it, which is done now if it was not yet."""
    if system in OWN:
        from jtcse.experiments.stages import open_system

        return open_system(run, OWN[system], run.settings.zero_shot.precision)
    from jtcse.experiments import trained_systems

    folder = trained_systems.made(run, system, run.settings.race.seeds[0])
    return trained_systems.opened(folder, run.settings.zero_shot.precision)
