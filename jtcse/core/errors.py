"""Errors that speak to the user: one sentence, what was found, what was expected, what to do."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable


class UserError(Exception):
    """Something the user can mend. The command line prints the sentence and exits with 2."""


class NoRoom(UserError):
    """A full disk: whatever is done next meets it as well."""


def status_of(work: Callable[[], object]) -> int:
    """Do the work of a process: 0, or 2 after a user's error, which is one sentence on standard error."""
    try:
        work()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def check_choice(kind: str, name: str, valid: Iterable[str]) -> None:
    """Refuse a name that is none of ``valid``."""
    names = list(valid)
    if name not in names:
        raise unknown(kind, name, names)


def unknown(kind: str, name: str, valid: Iterable[str]) -> UserError:
    """The error for a name that is none of ``valid``; it offers the nearest one."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    grouped = len(names) > 20 and any("." in n for n in names)
    shown = [n for n in names if n.split(".")[0] == (near or names)[0].split(".")[0]] if grouped else names
    return UserError(f"unknown {kind} {name!r}; {hint}valid{'' if shown == names else ' there'}: {', '.join(shown)}")
