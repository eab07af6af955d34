"""Furniture of a page: where its numbers come from, numbers for its prose, a difference in words, the code behind a formula."""

from __future__ import annotations

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jtcse.core.run import Run

if TYPE_CHECKING:
    from IPython.display import Markdown

NOT_RUN = "not run"


class Words(dict):
    """Words and numbers for the sentences of a page, by name; also read as attributes."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(f"no word {name!r} among those of this page: {', '.join(self)}")
        return self[name]


def header(run: Run) -> Markdown:
    """One line under the title of a page: profile, date, seed."""
    from IPython.display import Markdown

    return Markdown(
        f"*Numbers that are not marked as printed, or as another profile's, were measured in this run: {run.settings.title}; "
        f"{datetime.now(UTC):%d %B %Y}, seed {run.settings.run.seed}.*"
    )


@cache
def beside(name: str) -> str:
    """The text of a style sheet or a template of this folder, without its comments."""
    text = (files("jtcse.pages.furniture") / name).read_text(encoding="utf8")
    return re.sub(r"/\*.*?\*/\n", "", text, flags=re.DOTALL).strip()


def give(**values: Any) -> None:
    """Give values or views to the book, whose ``glue`` roles and directives take them; nothing happens where none is made."""
    try:
        from myst_nb import glue as paste
    except ImportError:  # on Colab, say
        return
    for name, value in values.items():
        paste(name, value, display=False)


def glue(**values: float | str) -> None:
    """Give values to the page's prose (``{glue:text}`` roles), and list them where no book shows them.

    The cell that calls this carries the tag ``remove-output``: the book has the values in its sentences.
    """
    for name, value in values.items():
        plain = value if isinstance(value, str | int) else float(value)  # NumPy's numbers print their type
        give(**{name: plain})
        print(f"{name}: {plain}")


def ranged(value: float, low: float | None, high: float | None, form: str = "+.2f", ends: str | None = None) -> str:
    """A value with its interval, "+0.50 (+0.25 to +0.75)"; the value alone where there is no interval (None or NaN).

    Args:
        form, ends: how the value and the ends of its interval are written, the ends like the value by default.
    """
    if low is None or high is None or math.isnan(low):
        return format(value, form)
    return f"{value:{form}} ({low:{ends or form}} to {high:{ends or form}})"


def within(low: float, high: float, form: str) -> str:
    """The ends of an interval in words."""
    return f"95 % interval {low:{form}} to {high:{form}}"


def verdict(difference: float, low: float, high: float, unit: str = "points", digits: int = 1) -> str:
    """A difference in words: better, worse, or not to be told apart from none.

    Args:
        difference: of the first system minus the second.
        low, high: its 95 % interval.
        digits: after the point.
    """
    plain, signed = f".{digits}f", f"+.{digits}f"
    if low > 0 or high < 0:
        word = "better" if low > 0 else "worse"
        ends = (low, high) if low > 0 else (-high, -low)
        return f"{word} by {abs(difference):{plain}} {unit} ({within(*ends, plain)})"
    return f"not distinguishable (difference {difference:{signed}} {unit}, {within(low, high, signed)})"


def direction(low: float, high: float, seeds: Iterable[float] = ()) -> str:
    """Whether a difference that the paper says is positive is so here: agrees, disagrees or undecided.

    Args:
        low, high: its 95 % interval, which must lie on one side of 0.
        seeds: the difference at each training seed, all of which must lie on that side, too.
    """
    values = list(seeds)
    if low > 0 and all(value > 0 for value in values):
        return "agrees"
    return "disagrees" if high < 0 and all(value < 0 for value in values) else "undecided"


def source(function: Callable[..., Any]) -> Markdown:
    """The code of a function as it is imported, without its docstring, highlighted."""
    from IPython.display import Markdown

    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    definition = ast.parse("\n".join(lines)).body[0]
    if ast.get_docstring(definition) is not None:
        told = definition.body[0]
        del lines[told.lineno - 1 : told.end_lineno]
    place = inspect.getmodule(function).__name__
    return Markdown(f"`{place}.{function.__name__}`\n\n```python\n" + "\n".join(lines).strip("\n") + "\n```")
