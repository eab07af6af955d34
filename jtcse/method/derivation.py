r"""The tensor-modulus constraint in SymPy: Eqs. 1 to 5 one after the other, and what follows from Eq. 5.

Nothing here is typed in as a result: each function computes its step from the one before, and ``properties``
has SymPy compare both sides of every claim.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import sympy
from sympy import Expr, cos, sin, sqrt

if TYPE_CHECKING:
    import numpy as np
    import pandas

LENGTH = sympy.Symbol(r"\lVert h\rVert", positive=True)
LENGTH_PLUS = sympy.Symbol(r"\lVert h^+\rVert", positive=True)
GAMMA = sympy.Symbol("gamma", real=True)
K = sympy.Symbol("k", positive=True)
T = sympy.Symbol("t", real=True)


class Property(NamedTuple):
    """A claim about Eq. 5 in words and as an equation. ``sign`` is how its left side is written (LaTeX)."""

    words: str
    sign: str
    left: Expr
    right: Expr

    @property
    def holds(self) -> bool:
        """Whether both sides are equal for all values of their symbols."""
        return sympy.simplify(self.left - self.right) == 0

    @property
    def equation(self) -> str:
        """The claim in LaTeX."""
        return f"{self.sign} = {sympy.latex(self.right)}"


class Minimum(NamedTuple):
    """The least value of Eq. 5 that a search found, and where: k, t."""

    value: float
    k: float
    t: float


@cache
def difference_modulus() -> Expr:
    """Eq. 2, the cosine law, from coordinates: h along the first axis, h+ at the angle gamma to it."""
    h = sympy.Matrix([LENGTH, 0])
    h_plus = LENGTH_PLUS * sympy.Matrix([cos(GAMMA), sin(GAMMA)])
    return sqrt(sympy.simplify((h - h_plus).dot(h - h_plus)))


def constraint() -> Expr:
    """Eq. 3: Eq. 1 with Eq. 2 as its numerator."""
    return difference_modulus() / (LENGTH + LENGTH_PLUS)


def with_ratio() -> Expr:
    """Eq. 3 after Eq. 4 (second length = k times the first), t for the cosine; the length still shows."""
    return constraint().subs(LENGTH_PLUS, K * LENGTH).subs(cos(GAMMA), T)


@cache
def surface() -> Expr:
    """Eq. 5: the first length cancels, and two variables without unit are left."""
    return sympy.simplify(with_ratio())


def properties() -> list[Property]:
    """What Eq. 5 implies, each claim as an equation."""
    loss = surface()
    square = loss**2
    return [
        Property(
            "no unit: the length of h drops out",
            r"\partial L/\partial\lVert h\rVert",
            sympy.diff(with_ratio(), LENGTH),
            sympy.Integer(0),
        ),
        Property(
            "never above 1, since k is positive and t at least -1",
            "1-L^2",
            1 - square,
            2 * K * (1 + T) / (1 + K) ** 2,
        ),
        Property(
            "zero only where both terms are: at k = t = 1",
            "L^2",
            square,
            ((K - 1) ** 2 + 2 * K * (1 - T)) / (1 + K) ** 2,
        ),
        Property("the same for k and 1/k", "L(1/k,t)^2-L(k,t)^2", square.subs(K, 1 / K) - square, sympy.Integer(0)),
        Property(
            "for t above -1 least at k = 1, where the slope over k changes sign",
            r"\partial L^2/\partial k",
            sympy.diff(square, K),
            2 * (K - 1) * (1 + T) / (1 + K) ** 3,
        ),
        Property(
            "at k = 1 the sine of half the angle",
            r"L(1,\cos\gamma)^2",
            square.subs({K: 1, T: cos(GAMMA)}),
            sin(GAMMA / 2) ** 2,
        ),
        Property(
            "always 1 for opposite vectors: no k is better than another",
            "L(k,-1)^2",
            square.subs(T, -1),
            sympy.Integer(1),
        ),
        Property(
            "a smaller angle always helps: the slope over t is negative",
            r"\partial L^2/\partial t",
            sympy.diff(square, T),
            -2 * K / (1 + K) ** 2,
        ),
    ]


def numeric(k: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The symbolic Eq. 5 in numbers, elementwise: any shapes that broadcast."""
    return _compiled()(k, t)


@cache
def _compiled() -> Callable:
    return sympy.lambdify((K, T), surface(), "numpy")


def find_minimum(starts: int = 12, seed: int = 0) -> Minimum:
    """Search for the least value of Eq. 5 from random starts, over log k and the angle: no bounds to meet."""
    import numpy as np
    from scipy.optimize import minimize

    rng = np.random.default_rng(seed)
    found = [
        minimize(
            lambda x: float(numeric(np.exp(x[0]), np.cos(x[1]))),
            rng.uniform([-2, 0.2], [2, 2.5]),
            method="Nelder-Mead",
            options={"xatol": 1e-10, "fatol": 1e-12},
        )
        for _ in range(starts)
    ]
    best = min(found, key=lambda result: result.fun)
    return Minimum(float(best.fun), math.exp(best.x[0]), math.cos(best.x[1]))


def direction_factors(cosines: list[float]) -> pandas.DataFrame:
    """Eq. 13's factor -log cos at some cosines: as printed, as the released code has it, and by our rule.

    The released rule (a constant for negative cosines only) is written out here: no loss of ours uses it.
    """
    import pandas
    import torch

    from jtcse.method.losses import NEGATIVE_COSINE, direction_factor

    fixed = torch.tensor([1.0, 0.0], dtype=torch.float64).expand(len(cosines), 2)
    t = torch.tensor(cosines, dtype=torch.float64)
    ours = direction_factor(fixed, torch.stack([t, (1 - t**2).sqrt()], dim=1))
    released = [_minus_log(NEGATIVE_COSINE if c < 0 else c) for c in cosines]
    printed = [_minus_log(c) if c >= 0 else math.nan for c in cosines]
    return pandas.DataFrame({"cosine": cosines, "printed": printed, "released": released, "here": ours.tolist()})


def _minus_log(x: float) -> float:
    return -math.log(x) if x else math.inf
