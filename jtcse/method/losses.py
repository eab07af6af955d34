"""The paper's losses as pure functions of tensors.

Sizes, named once: n sentences of a batch, d width of a vector, v = 2 views of a sentence.
Vectors of one view are (n, d); of all views (v, n, d). Half-precision inputs are lifted to float32, float64 stays. Every
function returns a scalar tensor unless it says otherwise, and has finite gradients at identical and at opposite vectors.

Equation numbers are the paper's; "released" is the authors' code, where it differs from print.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from jtcse.core.errors import check_choice

NEGATIVE_COSINE = 1e-4
"""What takes the place of a cosine below it in -log cos (authors' code; the paper's Eq. 13 is undefined there)."""


def lift(x: Tensor) -> Tensor:
    """Half-precision numbers as float32; float32 and float64 stay."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _check_pair(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape or a.dim() != 2:
        raise ValueError(f"expected two tensors of one shape (n, d), found {tuple(a.shape)} and {tuple(b.shape)}")


def _check_views(*towers: Tensor) -> None:
    if any(h.shape != towers[0].shape or h.dim() != 3 or len(h) != 2 for h in towers):
        found = " and ".join(str(tuple(h.shape)) for h in towers)
        raise ValueError(f"expected both views of a batch, (2, n, d), in one shape, found {found}")


def _norm(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=-1)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between rows: (n, d), (n, d) -> (n,)."""
    return (F.normalize(lift(a), dim=-1) * F.normalize(lift(b), dim=-1)).sum(-1)


def cosine_matrix(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of every row of ``a`` with every row of ``b``: (n, d), (m, d) -> (n, m), as one matrix product."""
    return F.normalize(lift(a), dim=-1) @ F.normalize(lift(b), dim=-1).T


def info_nce(h: Tensor, h_plus: Tensor, temperature: float = 0.05) -> Tensor:
    r"""Eq. 11, two-view form: the other view of a sentence against those of the n-1 other sentences.

    .. math:: L_{NCE} = -\frac1n \sum_i \log \frac{e^{\cos(h_i, h^+_i)/\tau}}{\sum_j e^{\cos(h_i, h^+_j)/\tau}}

    Args:
        h, h_plus: (n, d), the two views.
        temperature: tau; 0.05 in the paper (Sec. III.C).
    """
    _check_pair(h, h_plus)
    logits = cosine_matrix(h, h_plus) / temperature
    return F.cross_entropy(logits, torch.arange(len(h), device=h.device))


def _other_view(anchors: Tensor, candidates: Tensor, temperature: float) -> Tensor:
    """All 2n rows as anchors; the positive is the other view, the same row of ``candidates`` is left out."""
    n = anchors.shape[1]
    logits = cosine_matrix(anchors.flatten(0, 1), candidates.flatten(0, 1)) / temperature
    same = torch.eye(2 * n, dtype=torch.bool, device=logits.device)
    target = torch.arange(2 * n, device=logits.device).roll(n)
    return F.cross_entropy(logits.masked_fill(same, float("-inf")), target)


def info_nce_2n(h: Tensor, temperature: float = 0.05) -> Tensor:
    """InfoNCE over all 2n views, each an anchor with 2n-2 negatives (released form of Eq. 11).

    Args:
        h: (2, n, d), both views.
    """
    _check_views(h)
    return _other_view(h, h, temperature)


def tmc(h: Tensor, h_plus: Tensor) -> Tensor:
    r"""Eq. 1, the tensor-modulus constraint of each pair: (n, d), (n, d) -> (n,), in [0, 1].

    .. math:: L_{TMC}(h, h^+) = \frac{\lVert h - h^+\rVert}{\lVert h\rVert + \lVert h^+\rVert}

    Two zero vectors give 0. Without unit: scaling both vectors changes nothing.
    """
    _check_pair(h, h_plus)
    h, h_plus = lift(h), lift(h_plus)
    total = _norm(h) + _norm(h_plus)
    return _norm(h - h_plus) / total.clamp_min(torch.finfo(total.dtype).tiny)


def tmc_cosine_law(h: Tensor, h_plus: Tensor) -> Tensor:
    r"""Eq. 3: Eq. 1 with the difference written by the cosine law (Eq. 2). (n, d), (n, d) -> (n,).

    .. math:: \frac{\sqrt{\lVert h\rVert^2 + \lVert h^+\rVert^2 - 2\lVert h\rVert\lVert h^+\rVert\cos\gamma}}
              {\lVert h\rVert + \lVert h^+\rVert}
    """
    _check_pair(h, h_plus)
    a, b = _norm(lift(h)), _norm(lift(h_plus))
    square = a**2 + b**2 - 2 * a * b * cosine(h, h_plus)
    return _sqrt(square) / (a + b).clamp_min(torch.finfo(a.dtype).tiny)


def tmc_surface(k: Tensor, t: Tensor) -> Tensor:
    r"""Eq. 5, the constraint as a function of k = |h+| / |h| > 0 and t = cos(gamma), elementwise.

    .. math:: L_{TMC}(k, t) = \frac{\sqrt{1 + k^2 - 2kt}}{1 + k}

    Zero only at k = t = 1; for each t > -1 least at k = 1, with value sin(gamma / 2); the same for k and 1/k.
    """
    return _sqrt(1 + k**2 - 2 * k * t) / (1 + k)


def _sqrt(x: Tensor) -> Tensor:
    """Square root with gradient 0 (instead of infinity) at and below 0, where rounding can land."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1).sqrt(), 0)


def direction_factor(h_i: Tensor, h_j: Tensor) -> Tensor:
    r"""The factor :math:`-\log\cos(h_i, h_j)` of Eq. 13: (n, d), (n, d) -> (n,), >= 0.

    Undefined in the paper for cosines <= 0. Rule "constant below": a cosine under ``NEGATIVE_COSINE`` (1e-4) counts as that
    number, without gradient through it. Released code does so for cosines below 0 and leaves those between 0 and 1e-4 as
    they are, where its factor exceeds the constant and at exactly 0 is infinite; the rule here closes that gap.
    """
    _check_pair(h_i, h_j)
    return -torch.log(cosine(h_i, h_j).clamp(NEGATIVE_COSINE, 1.0))


def refined_tmc(h_i: Tensor, h_j: Tensor, p_i: Tensor, p_j: Tensor, *, half: bool = False) -> Tensor:
    r"""Eq. 13, mean over the batch.

    .. math:: -\log\bigl(\cos(h_i, h_j)\bigr)\cdot
              \frac{\lVert p_i - p^+_j\rVert}{\lVert p_i\rVert + \lVert p^+_j\rVert}

    Args:
        h_i, h_j: (n, d) [CLS] of the last hidden states of tower i and of tower j.
        p_i, p_j: (n, d) pooler outputs, first view of tower i and second view of tower j.
        half: the released code divides the ratio by 2 once more.
    """
    _check_pair(h_i, p_i)
    ratio = tmc(p_i, p_j)
    return (direction_factor(h_i, h_j) * (ratio / 2 if half else ratio)).mean()


def ictm(h: Sequence[Tensor], p: Sequence[Tensor], form: Literal["printed", "released"] = "printed") -> Tensor:
    """Eq. 14: Eq. 13 from tower I to II and from II to I.

    Args:
        h, p: for each of the two towers (2, n, d): [CLS] of the last hidden states and pooler outputs, both views.
        form: ``printed`` takes the cosine of the first views of both towers (Eq. 13 marks no view on it) and no factor 1/2;
            ``released`` takes the first view against the second, and the factor 1/2.
    """
    check_choice("form of ICTM", form, ("printed", "released"))
    _check_views(*h, *p)
    other = 0 if form == "printed" else 1
    return sum(
        refined_tmc(h[i][0], h[j][other], p[i][0], p[j][1], half=form == "released") for i, j in ((0, 1), (1, 0))
    )


def icnce(
    a: Tensor, b: Tensor, temperature: float = 0.05, partner: Literal["same_view", "other_view"] = "other_view"
) -> Tensor:
    """One direction and one stream of Eq. 12: InfoNCE from the rows of one tower to those of the other.

    Args:
        a, b: (2, n, d), both views in the anchoring and in the other tower.
        partner: ``same_view``: Eq. 11 between first views, as Eq. 12 reads in print; ``other_view``: all 2n rows are anchors,
            the positive is the other view in the other tower, and the same view there is left out (released).
    """
    check_choice("partner in ICNCE", partner, ("same_view", "other_view"))
    _check_views(a, b)
    return info_nce(a[0], b[0], temperature) if partner == "same_view" else _other_view(a, b, temperature)


def draw_direction(generator: torch.Generator) -> int:
    """R of Eq. 12, drawn once a step: 1 for tower I to II, 0 for II to I."""
    return int(torch.randint(0, 2, (), generator=generator))


def total_parts(
    h: Sequence[Tensor],
    p: Sequence[Tensor],
    c: Sequence[Tensor] | None,
    *,
    direction: int,
    parts: Sequence[str] = ("infonce", "icnce", "ictm"),
    temperature: float = 0.05,
    infonce_form: Literal["two_view", "two_n"] = "two_n",
    partner: Literal["same_view", "other_view"] = "other_view",
    ictm_form: Literal["printed", "released"] = "released",
) -> dict[str, Tensor]:
    """Eq. 15 by its named parts; the loss is their sum, all weights 1.

    Args:
        h, p: for each tower (2, n, d): [CLS] of the last hidden states; pooler outputs.
        c: the same of the cross stream, or None without one.
        direction: R of Eq. 12.
        parts: which of ``infonce``, ``icnce``, ``ictm`` are switched on.
    Returns:
        Scalars under ``infonce_1``, ``infonce_2``, ``icnce_hidden``, ``icnce_cross``, ``ictm``, as far as switched on.
    """
    for part in parts:
        check_choice("part of the loss", part, ("infonce", "icnce", "ictm"))
    check_choice("form of InfoNCE", infonce_form, ("two_view", "two_n"))
    first, second = (0, 1) if direction == 1 else (1, 0)
    named: dict[str, Tensor] = {}
    if "infonce" in parts:
        for i in (0, 1):
            named[f"infonce_{i + 1}"] = (
                info_nce_2n(h[i], temperature) if infonce_form == "two_n" else info_nce(h[i][0], h[i][1], temperature)
            )
    if "icnce" in parts:
        named["icnce_hidden"] = icnce(h[first], h[second], temperature, partner)
        if c is not None:
            named["icnce_cross"] = icnce(c[first], c[second], temperature, partner)
    if "ictm" in parts:
        named["ictm"] = ictm(h, p, ictm_form)
    return named
