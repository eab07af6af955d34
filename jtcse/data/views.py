"""Second views of a sentence for contrastive learning.

``dropout`` leaves the words as they are, so that the encoder's dropout alone makes the difference (SimCSE).
``repetition`` says some words twice, ``deletion`` leaves some out, ``crop`` leaves out words at the ends. ``shuffle`` lets
neighbours change places, ``rotation`` begins at another word and goes round, ``reversal`` reads backwards. ``round_trip`` is
the sentence translated there and back (paper, Sec. IV.A): that text is made beforehand (``translate``) and read from a
``PairCorpus``, so the view has nothing left to do to it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jtcse.core.errors import UserError, check_choice

View = Callable[[str, np.random.Generator], str]
VIEWS = ("dropout", "repetition", "deletion", "crop", "shuffle", "rotation", "reversal", "round_trip")
DEFAULT_RATES = {
    "repetition": 0.32,  # ESimCSE's released rate for BERT, there for sub-words, here for words
    "deletion": 0.1,  # ours: one word of a ten-word sentence
    "crop": 0.2,  # ours: two words of a ten-word sentence
    "shuffle": 0.3,  # ours: about two exchanges in a ten-word sentence
}


def make_view(name: str, rate: float | None = None) -> View:
    """The function ``view(sentence, generator) -> sentence`` of that name.

    Args:
        name: one of ``VIEWS``.
        rate: share of the words, 0 to 1: for ``repetition`` and ``crop`` the most that are repeated or left out, for
            ``deletion`` the chance of each word to go, for ``shuffle`` that of each to change places with the next. None
            takes ``DEFAULT_RATES``. The other views have no use for it.
    Returns:
        a function that never empties a sentence that has words; equal generators give equal views.
    Raises:
        UserError: an unknown name or a rate outside 0 to 1.
    """
    check_choice("view", name, VIEWS)
    if name in WHOLE:
        return WHOLE[name]
    if name not in DEFAULT_RATES:
        return lambda sentence, generator: sentence
    share = DEFAULT_RATES[name] if rate is None else rate
    if not 0 <= share <= 1:
        raise UserError(f"the rate of the view {name!r} is {rate}; expected a share from 0 to 1")
    change = {"repetition": repeat_words, "deletion": delete_words, "crop": crop_words, "shuffle": shuffle_words}[name]
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


def crop_words(sentence: str, rate: float, generator: np.random.Generator) -> str:
    """Leave out words at the two ends: how many, evenly from 0 to max(1, floor(rate n)), and how many of them in front."""
    words = sentence.split()
    gone = min(generator.integers(max(1, int(rate * len(words))) + 1), max(0, len(words) - 1))
    front = generator.integers(gone + 1)
    return " ".join(words[front : len(words) - (gone - front)])


def shuffle_words(sentence: str, rate: float, generator: np.random.Generator) -> str:
    """Each word, from the left, changes places with the next with chance ``rate``; no word moves by more than one place."""
    words, swaps = sentence.split(), generator.random(sentence.count(" ") + 1) < rate
    place = 0
    while place < len(words) - 1:
        if swaps[place]:
            words[place : place + 2] = words[place + 1], words[place]
            place += 1
        place += 1
    return " ".join(words)


def rotate_words(sentence: str, generator: np.random.Generator) -> str:
    """Begin at another word, evenly drawn, and go round."""
    words = sentence.split()
    start = int(generator.integers(1, len(words))) if len(words) > 1 else 0
    return " ".join(words[start:] + words[:start])


def reverse_words(sentence: str, generator: np.random.Generator) -> str:
    """From the last word to the first."""
    return " ".join(reversed(sentence.split()))


WHOLE: dict[str, View] = {"rotation": rotate_words, "reversal": reverse_words}
"""Views that touch all words, and so have no rate."""
