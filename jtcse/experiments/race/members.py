"""Who takes part in the race: every system with a fragment, a card and a module that can train it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib.util import find_spec

from jtcse.core.errors import UserError, unknown
from jtcse.core.run import Run
from jtcse.experiments import trained_systems
from jtcse.systems.cards import card
from jtcse.systems.settings import fragment, module_of, system_settings, systems

REFERENCE = "simcse"  # what every other system is compared with, in Table I and here


def members(run: Run) -> tuple[list[str], dict[str, str]]:
    """The systems that can be raced, each behind those it needs, and of all others why they cannot."""
    skipped: dict[str, str] = {}
    able = []
    for name in in_order(systems()):
        reason = _hindrance(run, name, skipped)
        if reason:
            skipped[name] = reason
        else:
            able.append(name)
    return able, skipped


def chosen(run: Run, names: Iterable[str] | None) -> tuple[list[str], dict[str, str]]:
    """The asked systems with all that they need, and the row of reference; and why others that were asked for are skipped.

    Args:
        run: its profile and settings; a system that these do not fit is skipped.
        names: systems; None: all.
    Raises:
        UserError: an unknown system.
    """
    able, skipped = members(run)
    if names is None:
        return able, skipped
    asked = list(names)
    for name in asked:
        if name not in systems():
            raise unknown("system", name, systems())
    wanted = in_order([*asked, REFERENCE])
    return [name for name in wanted if name in able], {name: skipped[name] for name in wanted if name in skipped}


def in_order(names: Collection[str]) -> list[str]:
    """Systems and all that they need, whatever is needed first."""
    placed: dict[str, None] = {}
    for name in names:
        placed |= dict.fromkeys([*in_order(fragment(name).needs), name])
    return list(placed)


def _hindrance(run: Run, name: str, skipped: dict[str, str]) -> str:
    """Why a system cannot be raced; nothing where it can."""
    try:
        needed, module = card(name).head.requires, module_of(name)
        for changes in trained_systems.tries(run, name, {}).values() or [{}]:
            system_settings(name, run.settings, run.profile, changes)
    except (UserError, ImportError) as error:
        return str(error)
    missing = [package for package in needed if find_spec(package.partition(".")[0]) is None]
    if missing:
        return f'it needs the package {missing[0]}, which is not installed; pip install -e ".[systems]" brings most of them'
    if not hasattr(module, "make"):
        return f"jtcse/systems/{fragment(name).module}.py has no function make"
    lost = [need for need in fragment(name).needs if need in skipped]
    return f"it needs {lost[0]}, which is skipped" if lost else ""
