"""The triangle of Fig. 2 and the surfaces of Eqs. 5 and 13 in numbers, from the losses that train the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from jtcse.core.errors import check_choice

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

FORMS = ("printed", "released", "here")


class Triangle(NamedTuple):
    """Two vectors of the plane and what follows from them; ``angle`` in degrees, lengths in the unit of ``h``."""

    h: np.ndarray  # (2,)
    h_plus: np.ndarray  # (2,)
    ratio: float
    angle: float
    difference: float
    loss: float


def triangle(ratio: float, angle: float, length: float = 1.0) -> Triangle:
    """h of ``length`` on the first axis, h+ ``ratio`` times as long and turned by ``angle`` degrees; Eq. 1 by ``losses.tmc``."""
    from jtcse.method import losses

    h, h_plus = pairs(np.array([ratio]), np.array([angle]), length)
    difference = float((h - h_plus).norm())
    return Triangle(h[0].numpy(), h_plus[0].numpy(), ratio, angle, difference, float(losses.tmc(h, h_plus)))


def pairs(ratios: np.ndarray, angles: np.ndarray, length: float = 1.0) -> tuple[Tensor, Tensor]:
    """Pairs of plane vectors by ratio of lengths (n,) and angle in degrees (n,): (n, 2), (n, 2) float64."""
    import torch

    radians = np.deg2rad(angles)
    h_plus = np.stack([np.cos(radians), np.sin(radians)], axis=1) * ratios[:, None]
    h = np.broadcast_to([1.0, 0.0], h_plus.shape)
    return torch.from_numpy(length * h), torch.from_numpy(length * h_plus)


def random_pairs(n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pairs (n, 2) with angles even over 0 to 180 degrees and ratios even over 1/4 to 4 on a log scale."""
    return pairs(2.0 ** rng.uniform(-2, 2, n), rng.uniform(0, 180, n))


def growth(h: Tensor, h_plus: Tensor, factor: float = 1.01, *, both: bool = True) -> np.ndarray:
    r"""How the difference vector answers a small stretch: (n, d), (n, d) -> (n,), without unit.

    .. math:: \frac{\log\lVert ah-ah^+\rVert-\log\lVert h-h^+\rVert}{\log a}

    1: the difference grows in step; 0: not at all; below 0: it shrinks although a vector got longer.

    Args:
        factor: a, above 1.
        both: False stretches only h+, at the same angle.
    """
    stretched = (factor * h if both else h) - factor * h_plus
    return ((stretched.norm(dim=1) / (h - h_plus).norm(dim=1)).log() / np.log(factor)).numpy()


def decades_of_invariance(h: Tensor, h_plus: Tensor, factor: float) -> float:
    """By how many powers of ten the change of Eq. 1 under a common factor stays below the rounding of float32.

    Above 0: nobody who trains in single precision can see the change. Both vectors are to be float64; where no change at all
    is found, the rounding of float64 takes its place.
    """
    import torch

    from jtcse.method import losses

    change = float((losses.tmc(factor * h, factor * h_plus) - losses.tmc(h, h_plus)).abs().max())
    return float(np.log10(torch.finfo(torch.float32).eps / max(change, torch.finfo(torch.float64).eps)))


def least_over_k(cosines: np.ndarray) -> pandas.DataFrame:
    """For each cosine above -1 the k at which Eq. 5 is least, by bounded search over log k: columns t, k, value.

    At t = -1 Eq. 5 is 1 for every k, so no k is better and a search would find noise: such a cosine is refused.
    """
    import pandas
    from scipy.optimize import minimize_scalar

    from jtcse.method.derivation import numeric

    if np.min(cosines) <= -1:
        raise ValueError("at t = -1 Eq. 5 is the same for every k; give cosines above -1")
    rows = []
    for t in cosines:
        # the square has the same minimum and, at t = 1, no kink there
        found = minimize_scalar(
            lambda x, t=t: numeric(np.exp(x), t) ** 2, bounds=(-3, 3.5), method="bounded", options={"xatol": 1e-10}
        )
        rows.append({"t": float(t), "k": float(np.exp(found.x)), "value": float(np.sqrt(max(found.fun, 0)))})
    return pandas.DataFrame(rows)


def gap_around_minimum(radius: float = 0.1, points: int = 201) -> float:
    """Eq. 5 at its least outside a box of half width ``radius`` around k = t = 1 (in log k and t), minus its value there."""
    from jtcse.method.derivation import numeric

    log_k, t = np.meshgrid(np.linspace(-3, 3, points), np.linspace(-1, 1, points))
    outside = (np.abs(log_k) >= radius) | (np.abs(t - 1) >= radius)
    return float(numeric(np.exp(log_k), t)[outside].min() - numeric(1.0, 1.0))


def refined_surface(form: Literal["printed", "released", "here"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eq. 13 where hidden states and pooler outputs make the same angle: log2 k (41,), t (80,), loss (80, 41).

    That is a slice: in training the two angles differ. t leaves out 0, where print and released code are infinite.

    Args:
        form: ``printed`` (NaN for t < 0, where its logarithm is undefined), ``released`` (half the ratio, a constant for
            negative cosines), ``here`` (the printed ratio, our rule for cosines that are small or negative).
    """
    from jtcse.method.derivation import direction_factors, numeric

    check_choice("form of Eq. 13", form, FORMS)
    log_k, t = np.linspace(-3, 3, 41), np.linspace(-1, 1, 80)
    factor = direction_factors(t.tolist())[form].to_numpy()
    ratio = numeric(2.0 ** log_k[None, :], t[:, None])
    return log_k, t, factor[:, None] * (ratio / 2 if form == "released" else ratio)
