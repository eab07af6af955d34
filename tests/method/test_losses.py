"""Losses against plain loops in float64, gradients against differences, and what the derivation states."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import loops
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from jtcse.core.errors import UserError
from jtcse.method import losses

N, D, TAU = 5, 4, 0.05
DTYPES = (torch.bfloat16, torch.float32, torch.float64)
EPSILON = {torch.bfloat16: 2.0**-8, torch.float32: 2.0**-24}
FORMS = tuple(itertools.product(("two_view", "two_n"), ("same_view", "other_view"), ("printed", "released")))


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def towers(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Both views of both towers, (2, n, d) each: alike enough that most cosines are positive."""
    shared = random(1, N, D, seed=seed)
    return tuple((shared + 0.6 * random(2, N, D, seed=seed + 1 + i)).to(dtype) for i in (0, 1))


def batch_losses() -> dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]]:
    """Every loss of a batch as a function of h_1, h_2, p_1, p_2, (2, n, d) each."""
    named = {
        "info_nce": lambda h, g, p, q: losses.info_nce(h[0], h[1], TAU),
        "info_nce_2n": lambda h, g, p, q: losses.info_nce_2n(h, TAU),
        "icnce same_view": lambda h, g, p, q: losses.icnce(h, g, TAU, "same_view"),
        "icnce other_view": lambda h, g, p, q: losses.icnce(h, g, TAU, "other_view"),
        "ictm printed": lambda h, g, p, q: losses.ictm((h, g), (p, q), "printed"),
        "ictm released": lambda h, g, p, q: losses.ictm((h, g), (p, q), "released"),
        "tmc": lambda h, g, p, q: losses.tmc(p[0], q[1]).mean(),
        "tmc_cosine_law": lambda h, g, p, q: losses.tmc_cosine_law(p[0], q[1]).mean(),
    }
    printed = {"infonce_form": "two_view", "partner": "same_view", "ictm_form": "printed"}
    for form, chosen in (("printed", printed), ("released", {})):
        named[f"total {form}"] = lambda h, g, p, q, chosen=chosen: sum(
            losses.total_parts((h, g), (p, q), (q, p), direction=1, **chosen).values()
        )
    return named


LOSSES = batch_losses()


# -- against loops -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tau", [0.05, 0.7])
def test_info_nce_is_the_loop_over_n_minus_1_negatives(seed: int, tau: float) -> None:
    h = towers(seed)[0]
    found = losses.info_nce(h[0], h[1], tau).item()
    assert found == pytest.approx(loops.info_nce(h[0].tolist(), h[1].tolist(), tau), rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tau", [0.05, 0.7])
def test_info_nce_2n_is_the_loop_over_all_views(seed: int, tau: float) -> None:
    h = towers(seed)[0]
    expected = loops.over_all_views(h.tolist(), h.tolist(), tau)
    assert losses.info_nce_2n(h, tau).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_icnce_is_the_loop_in_both_forms(seed: int) -> None:
    a, b = towers(seed)
    same = losses.icnce(a, b, TAU, "same_view").item()
    other = losses.icnce(a, b, TAU, "other_view").item()
    assert same == pytest.approx(loops.info_nce(a[0].tolist(), b[0].tolist(), TAU), rel=1e-12)
    assert other == pytest.approx(loops.over_all_views(a.tolist(), b.tolist(), TAU), rel=1e-12)
    assert other != pytest.approx(losses.icnce(b, a, TAU, "other_view").item(), rel=1e-3)  # not symmetric


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("form", "view", "factor"), [("printed", 0, 1.0), ("released", 1, 0.5)])
def test_ictm_is_the_loop_in_both_forms(seed: int, form: str, view: int, factor: float) -> None:
    h, p = towers(seed), towers(seed + 50)
    expected = loops.ictm([t.tolist() for t in h], [t.tolist() for t in p], other_view=view, factor=factor)
    assert losses.ictm(h, p, form).item() == pytest.approx(expected, rel=1e-12)


def test_refined_tmc_is_eq_13_and_half_of_it_as_released() -> None:
    h, p = towers(3), towers(9)
    cosines = [loops.cosine(a, b) for a, b in zip(h[0][0].tolist(), h[1][0].tolist(), strict=True)]
    ratios = [loops.modulus_ratio(a, b) for a, b in zip(p[0][0].tolist(), p[1][1].tolist(), strict=True)]
    expected = sum(-math.log(max(c, 1e-4)) * r for c, r in zip(cosines, ratios, strict=True)) / N
    arguments = (h[0][0], h[1][0], p[0][0], p[1][1])
    assert losses.refined_tmc(*arguments).item() == pytest.approx(expected, rel=1e-12)
    assert losses.refined_tmc(*arguments, half=True).item() == pytest.approx(expected / 2, rel=1e-12)


def test_tmc_is_the_loop_row_by_row() -> None:
    a, b = random(6, D, seed=1), random(6, D, seed=2)
    expected = [loops.modulus_ratio(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert losses.tmc(a, b).tolist() == pytest.approx(expected, rel=1e-12)


def test_cosines_are_the_loop() -> None:
    a, b = random(6, D, seed=1), random(6, D, seed=2)
    matrix = losses.cosine_matrix(a, b)
    for i, j in itertools.product(range(6), range(6)):
        assert matrix[i, j].item() == pytest.approx(loops.cosine(a[i].tolist(), b[j].tolist()), abs=1e-14)
    assert torch.allclose(losses.cosine(a, b), matrix.diagonal(), atol=1e-14)


# -- gradients -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_differences(name: str) -> None:
    h, p = towers(4), towers(60)
    cosines = torch.cat([losses.cosine(h[0][0], h[1][v]) for v in (0, 1)] + [losses.cosine(h[1][0], h[0][1])])
    assert cosines.min() < 0 < cosines.max()  # both sides of the rule for cosines are covered,
    assert (cosines - losses.NEGATIVE_COSINE).abs().min() > 1e-2  # and its corner is far
    tensors = [t.clone().requires_grad_() for t in (*h, *p)]
    assert torch.autograd.gradcheck(LOSSES[name], tensors, eps=1e-6, atol=1e-6)


def test_gradient_of_the_surface() -> None:
    k = torch.tensor([0.3, 1.0, 2.5], dtype=torch.float64, requires_grad=True)
    t = torch.tensor([-0.9, 0.1, 0.8], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(losses.tmc_surface, (k, t))


EDGES = {
    "identical": lambda x: (x, x),
    "opposite": lambda x: (x, -x),
    "zero and not": lambda x: (torch.zeros_like(x), x),
    "both zero": lambda x: (torch.zeros_like(x), torch.zeros_like(x)),
    "all rows alike": lambda x: (x[:, :1].expand_as(x), x[:, :1].expand_as(x)),
    "large": lambda x: (1e4 * x, -1e4 * x.flip(1)),
    "small": lambda x: (1e-4 * x, 1e4 * x),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients_stay_finite_at_the_edges(name: str, edge: str, dtype: torch.dtype) -> None:
    first, second = EDGES[edge](random(2, N, D, seed=5, dtype=torch.float32))
    tensors = [t.to(dtype).clone().requires_grad_() for t in (first, second, first, second)]
    loss = LOSSES[name](*tensors)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(t.grad).all() for t in tensors if t.grad is not None)


def test_two_zero_vectors_have_no_modulus_term() -> None:
    zero = torch.zeros(1, D)
    assert losses.tmc(zero, zero).item() == 0
    assert losses.tmc_cosine_law(zero, zero).item() == 0


# -- bf16 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_bf16_inputs_are_computed_in_float32(name: str) -> None:
    """The sum is exactly that of the rounded vectors, and within the rounding's reach of the float32 one."""
    tensors = [t.float() for t in (*towers(2), *towers(70))]
    rounded = [t.bfloat16() for t in tensors]
    found = LOSSES[name](*rounded)
    assert found.dtype == torch.float32
    assert torch.equal(found, LOSSES[name](*(t.float() for t in rounded)))
    # 1/tau times a cosine's error of about 2 epsilon, and a few of them
    assert found.item() == pytest.approx(LOSSES[name](*tensors).item(), abs=8 * EPSILON[torch.bfloat16] / TAU)


def test_float64_stays_and_float16_does_not_overflow() -> None:
    assert losses.info_nce_2n(towers()[0]).dtype == torch.float64
    big = torch.full((2, 3, 64), 6e4, dtype=torch.float16)
    assert losses.tmc(big[0], big[1]).tolist() == [0, 0, 0]
    assert torch.isfinite(losses.info_nce_2n(big))


# -- the tensor-modulus constraint: what the derivation states -----------------------------------------------

calm = settings(max_examples=50, deadline=None)
numbers = st.floats(-100, 100, allow_nan=False, width=64)
pairs = arrays("float64", st.tuples(st.just(2), st.integers(1, 6), st.integers(1, 8)), elements=numbers)
positive = st.floats(1e-3, 1e3)
between = st.floats(-1, 1)


def rows(pair) -> tuple[Tensor, Tensor]:
    """Two (n, d) tensors without a vanishing row, for which no angle is defined."""
    a, b = torch.from_numpy(pair[0].copy()), torch.from_numpy(pair[1].copy())
    assume(bool((a.norm(dim=-1) > 1e-3).all() and (b.norm(dim=-1) > 1e-3).all()))
    return a, b


def surface(k: float, t: float) -> float:
    return losses.tmc_surface(*torch.tensor([k, t], dtype=torch.float64)).item()


@calm
@given(pairs)
def test_eqs_1_3_and_5_agree(pair) -> None:
    """To the root of the rounding: the cosine law subtracts nearly equal squares where vectors are alike."""
    a, b = rows(pair)
    direct = losses.tmc(a, b)
    k, t = b.norm(dim=-1) / a.norm(dim=-1), losses.cosine(a, b)
    assert torch.allclose(losses.tmc_cosine_law(a, b), direct, atol=1e-7, rtol=0)
    assert torch.allclose(losses.tmc_surface(k, t), direct, atol=1e-7, rtol=0)


@calm
@given(pairs)
def test_the_range_is_0_to_1(pair) -> None:
    found = losses.tmc(*(torch.from_numpy(x.copy()) for x in pair))  # zero rows allowed
    assert bool(((found >= 0) & (found <= 1 + 1e-12)).all())


@calm
@given(pairs, st.floats(1e-6, 1e6))
def test_it_is_free_of_scale(pair, scale: float) -> None:
    a, b = rows(pair)
    assert torch.allclose(losses.tmc(scale * a, scale * b), losses.tmc(a, b), atol=1e-12, rtol=1e-9)


@calm
@given(pairs)
def test_it_is_symmetric_in_its_arguments(pair) -> None:
    a, b = rows(pair)
    assert torch.equal(losses.tmc(a, b), losses.tmc(b, a))


@calm
@given(pairs, st.integers(0, 1000))
def test_rotation_changes_nothing(pair, seed: int) -> None:
    a, b = rows(pair)
    turn = torch.linalg.qr(random(a.shape[1], a.shape[1], seed=seed)).Q
    assert torch.allclose(losses.tmc(a @ turn, b @ turn), losses.tmc(a, b), atol=1e-12)


@calm
@given(positive, between)
def test_the_surface_is_symmetric_under_k_to_1_over_k(k: float, t: float) -> None:
    assert surface(k, t) == pytest.approx(surface(1 / k, t), abs=1e-7)


@calm
@given(positive, between)
def test_for_each_angle_equal_moduli_are_best_with_sin_of_half_the_angle(k: float, t: float) -> None:
    least = math.sin(math.acos(t) / 2)
    assert surface(1.0, t) == pytest.approx(least, abs=1e-7)
    assert surface(k, t) >= least - 1e-7
    if t > -0.99 and abs(k - 1) > 0.05:
        assert surface(k, t) > least + 1e-9


@calm
@given(positive)
def test_opposite_vectors_cost_1_whatever_their_moduli(k: float) -> None:
    assert surface(k, -1.0) == pytest.approx(1, abs=1e-12)


@calm
@given(positive, between)
def test_zero_is_reached_at_k_and_t_1_alone(k: float, t: float) -> None:
    assert surface(1.0, 1.0) == 0
    assume(abs(k - 1) > 1e-2 or t < 1 - 1e-3)
    assert surface(k, t) > 1e-4


# -- the direction factor of Eq. 13 --------------------------------------------------------------------------


def at_cosine(value: float) -> tuple[Tensor, Tensor]:
    """Two (1, 2) vectors with that cosine; the second asks for its gradient."""
    second = torch.tensor([[value, math.sqrt(1 - value**2)]], dtype=torch.float64, requires_grad=True)
    return torch.tensor([[1.0, 0.0]], dtype=torch.float64), second


@pytest.mark.parametrize("value", [-1.0, -0.3, -1e-9, 0.0, 1e-9, 0.99e-4])
def test_a_cosine_below_the_constant_counts_as_it_without_gradient(value: float) -> None:
    first, second = at_cosine(value)
    factor = losses.direction_factor(first, second)
    factor.sum().backward()
    assert factor.item() == pytest.approx(9.2103, abs=5e-5)
    assert torch.equal(second.grad, torch.zeros_like(second))


@pytest.mark.parametrize("value", [1.01e-4, 0.3, 0.999])
def test_above_it_the_factor_is_minus_log_cosine_and_pulls_together(value: float) -> None:
    first, second = at_cosine(value)
    factor = losses.direction_factor(first, second)
    factor.sum().backward()
    assert factor.item() == pytest.approx(-math.log(value), rel=1e-9)
    assert second.grad[0, 0] < 0


def test_the_factor_is_never_negative_where_rounding_puts_a_cosine_above_1() -> None:
    x = random(1000, 7, seed=3, dtype=torch.float32)
    assert losses.cosine(x, x).max() > 1  # rounding does that
    assert losses.direction_factor(x, x).min() >= 0


def test_with_opposite_towers_the_modulus_ratio_keeps_its_gradient() -> None:
    h = random(N, D, seed=1)
    p = random(N, D, seed=2).requires_grad_()
    losses.refined_tmc(h, -h, p, random(N, D, seed=3)).backward()
    assert p.grad.norm() > 0


# -- invariances of the batch --------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(N)), st.sampled_from(sorted(LOSSES)))
def test_the_order_of_the_batch_does_not_matter(order: list[int], name: str) -> None:
    tensors = (*towers(7), *towers(8))
    found = LOSSES[name](*(t[:, order] for t in tensors))
    assert found.item() == pytest.approx(LOSSES[name](*tensors).item(), rel=1e-12)


def test_more_alike_views_cost_less() -> None:
    h, noise = random(8, 16, seed=1), random(8, 16, seed=2)
    values = [losses.info_nce(h, h + size * noise).item() for size in (0.1, 1.0, 3.0)]
    assert values == sorted(values)


# -- the whole loss ------------------------------------------------------------------------------------------


def test_the_direction_is_drawn_from_its_generator() -> None:
    draws = [
        [losses.draw_direction(generator) for _ in range(200)]
        for generator in (torch.Generator().manual_seed(s) for s in (1, 1, 2))
    ]
    assert draws[0] == draws[1] != draws[2]
    assert set(draws[0]) == {0, 1}
    assert 60 < sum(draws[0]) < 140


@pytest.mark.parametrize(("infonce", "partner", "form"), FORMS)
@pytest.mark.parametrize("direction", [0, 1])
def test_total_is_the_sum_of_separate_calls(direction: int, infonce: str, partner: str, form: str) -> None:
    h, p, c = towers(1), towers(20), towers(40)
    found = losses.total_parts(
        h, p, c, direction=direction, infonce_form=infonce, partner=partner, ictm_form=form, temperature=0.1
    )
    own = [losses.info_nce_2n(x, 0.1) if infonce == "two_n" else losses.info_nce(x[0], x[1], 0.1) for x in h]
    i, j = (0, 1) if direction == 1 else (1, 0)  # R of Eq. 12 is 1 for I to II
    expected = {
        "infonce_1": own[0],
        "infonce_2": own[1],
        "icnce_hidden": losses.icnce(h[i], h[j], 0.1, partner),
        "icnce_cross": losses.icnce(c[i], c[j], 0.1, partner),
        "ictm": losses.ictm(h, p, form),
    }
    assert found.keys() == expected.keys()
    assert [v.item() for v in found.values()] == pytest.approx([expected[k].item() for k in found])
    assert sum(found.values()).item() == pytest.approx(sum(expected.values()).item())


KEYS = {"infonce": {"infonce_1", "infonce_2"}, "icnce": {"icnce_hidden", "icnce_cross"}, "ictm": {"ictm"}}


@pytest.mark.parametrize("parts", [c for n in (1, 2, 3) for c in itertools.combinations(KEYS, n)])
def test_total_returns_the_parts_that_are_switched_on(parts: tuple[str, ...]) -> None:
    h, p, c = towers(1), towers(20), towers(40)
    found = losses.total_parts(h, p, c, direction=0, parts=parts)
    whole = losses.total_parts(h, p, c, direction=0)
    assert set(found) == set().union(*(KEYS[part] for part in parts))
    assert all(torch.equal(found[key], whole[key]) for key in found)


def test_total_without_a_cross_stream_has_no_cross_term() -> None:
    found = losses.total_parts(towers(1), towers(20), None, direction=0)
    assert set(found) == {"infonce_1", "infonce_2", "icnce_hidden", "ictm"}


def test_defaults_are_the_released_forms() -> None:
    h, p, c = towers(1), towers(20), towers(40)
    forms = {"infonce_form": "two_n", "partner": "other_view", "ictm_form": "released"}
    released = losses.total_parts(h, p, c, direction=1, temperature=0.05, **forms)
    assert losses.total_parts(h, p, c, direction=1) == released


# -- wrong input ---------------------------------------------------------------------------------------------

A, B = torch.ones(3, 4), torch.ones(2, 4)
AA, BB = torch.ones(2, 3, 4), torch.ones(2, 2, 4)
WRONG_SHAPES = {
    "info_nce rows": (lambda: losses.info_nce(A, B), ("(3, 4)", "(2, 4)")),
    "info_nce rank": (lambda: losses.info_nce(AA, AA), ("(2, 3, 4)",)),
    "info_nce_2n rank": (lambda: losses.info_nce_2n(A), ("(3, 4)",)),
    "info_nce_2n views": (lambda: losses.info_nce_2n(torch.ones(3, 3, 4)), ("(3, 3, 4)",)),
    "tmc": (lambda: losses.tmc(A, B), ("(3, 4)", "(2, 4)")),
    "tmc, one row for all": (lambda: losses.tmc(A, A[:1]), ("(3, 4)", "(1, 4)")),
    "tmc_cosine_law": (lambda: losses.tmc_cosine_law(A, A[:, :3]), ("(3, 4)", "(3, 3)")),
    "direction_factor": (lambda: losses.direction_factor(A, A[:1]), ("(3, 4)", "(1, 4)")),
    "refined_tmc": (lambda: losses.refined_tmc(A, A, A[:1], A[:1]), ("(3, 4)", "(1, 4)")),
    "icnce same": (lambda: losses.icnce(AA, BB, partner="same_view"), ("(2, 3, 4)", "(2, 2, 4)")),
    "icnce other": (lambda: losses.icnce(AA, BB, partner="other_view"), ("(2, 3, 4)", "(2, 2, 4)")),
    "ictm": (lambda: losses.ictm((AA, AA), (AA, BB)), ("(2, 3, 4)", "(2, 2, 4)")),
    "ictm rank": (lambda: losses.ictm((A, A), (A, A)), ("(3, 4)",)),
}


@pytest.mark.parametrize("name", WRONG_SHAPES)
def test_wrong_shapes_are_named(name: str) -> None:
    call, shapes = WRONG_SHAPES[name]
    with pytest.raises(ValueError) as caught:
        call()
    assert all(shape in str(caught.value) for shape in shapes), str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"parts": ("infonce", "ictn")}, "ictm"),
        ({"infonce_form": "two"}, "two_n"),
        ({"partner": "other"}, "other_view"),
        ({"ictm_form": "relased"}, "released"),
    ],
)
def test_an_unknown_part_or_form_is_refused_with_the_nearest(arguments: dict, word: str) -> None:
    h = towers()
    with pytest.raises(UserError, match=f"did you mean '{word}'"):
        losses.total_parts(h, h, h, direction=0, **arguments)
