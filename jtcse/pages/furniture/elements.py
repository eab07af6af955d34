"""Furniture of a page: where its numbers come from, numbers for its prose, the code behind a formula."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.display import Markdown

    from jtcse.core.run import Run


def header(run: Run) -> Markdown:
    """One line under the title of a page: profile, date, seed."""
    from IPython.display import Markdown

    return Markdown(
        f"*Numbers that are not marked as printed, or as another profile's, were measured in this run: {run.settings.title}; "
        f"{datetime.now(UTC):%d %B %Y}, seed {run.settings.run.seed}.*"
    )


def glue(**values: float | str) -> None:
    """Give values to the page's prose (``{glue:text}`` roles), and list them where no book shows them.

    The cell that calls this carries the tag ``remove-output``: the book has the values in its sentences.
    """
    try:
        from myst_nb import glue as paste
    except ImportError:  # on Colab, say: the list below is then what a reader sees
        paste = None
    for name, value in values.items():
        plain = value if isinstance(value, str | int) else float(value)  # NumPy's numbers print their type
        if paste is not None:
            paste(name, plain, display=False)
        print(f"{name}: {plain}")


def verdict(difference: float, low: float, high: float, unit: str = "points") -> str:
    """A difference in words: better, worse, or not to be told apart from none.

    Args:
        difference: of the first system minus the second.
        low, high: its 95 % interval.
    """
    if low > 0 or high < 0:
        word = "better" if low > 0 else "worse"
        ends = (low, high) if low > 0 else (-high, -low)
        return f"{word} by {abs(difference):.1f} {unit} (95 % interval {ends[0]:.1f} to {ends[1]:.1f})"
    return f"not distinguishable (difference {difference:+.1f} {unit}, 95 % interval {low:+.1f} to {high:+.1f})"


def direction(low: float, high: float) -> str:
    """Whether a difference that the paper says is positive is so here: agrees, disagrees or undecided."""
    return "agrees" if low > 0 else "disagrees" if high < 0 else "undecided"


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
