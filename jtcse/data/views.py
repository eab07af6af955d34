"""Second views of a sentence for contrastive learning.

``dropout`` leaves the words as they are, so that the encoder's dropout alone makes the difference (SimCSE).
``repetition`` says some words twice, ``deletion`` leaves some out. ``round_trip`` is the sentence translated
there and back (paper, Sec. IV.A): that text is made beforehand (``translate``) and read from a
``PairCorpus``, so the view has nothing left to do to it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jtcse.errors import UserError, unknown

View = Callable[[str, np.random.Generator], str]
VIEWS = ("dropout", "repetition", "deletion", "round_trip")
DEFAULT_RATES = {
    "repetition": 0.32,  # ESimCSE's released rate for BERT, there for sub-words, here for words
    "deletion": 0.1,  # ours: one word of a ten-word sentence
}


def make_view(name: str, rate: float | None = None) -> View:
    """The function ``view(sentence, generator) -> sentence`` of that name.

    Args:
        name: one of ``VIEWS``.
        rate: share of the words, 0 to 1: for ``repetition`` the most that are repeated, for ``deletion`` the
            chance of each word to go. None takes ``DEFAULT_RATES``. The other two views have no use for it.
    Returns:
        a function that never empties a sentence that has words; equal generators give equal views.
    Raises:
        UserError: an unknown name or a rate outside 0 to 1.
    """
    if name not in VIEWS:
        raise unknown("view", name, VIEWS)
    if name not in DEFAULT_RATES:
        return lambda sentence, generator: sentence
    share = DEFAULT_RATES[name] if rate is None else rate
    if not 0 <= share <= 1:
        raise UserError(f"the rate of the view {name!r} is {rate}; expected a share from 0 to 1")
    change = {"repetition": repeat_words, "deletion": delete_words}[name]
    return lambda sentence, generator: change(sentence, share, generator)


def repeat_words(sentence: str, rate: float, generator: np.random.Generator) -> str:
    """Say some words twice in place.

    ESimCSE's rule on the n words of a sentence: how many is drawn evenly from 0 to max(2, floor(rate n)),
    never more than n; which ones, without replacement.
    """
    words = sentence.split()
    most = min(len(words), max(2, int(rate * len(words))))
    chosen = generator.choice(len(words), size=generator.integers(most + 1), replace=False) if words else ()
    times = np.ones(len(words), dtype=int)
    times[list(chosen)] = 2
    return " ".join(word for word, often in zip(words, times, strict=True) for _ in range(often))


def delete_words(sentence: str, rate: float, generator: np.random.Generator) -> str:
    """Leave out each word with chance ``rate``; if all would go, one word, evenly drawn, stays."""
    words = sentence.split()
    stays = generator.random(len(words)) >= rate
    if words and not stays.any():
        stays[generator.integers(len(words))] = True
    return " ".join(word for word, kept in zip(words, stays, strict=True) if kept)
