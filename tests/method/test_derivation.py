"""The derivation in symbols: every claim holds, agrees with the losses, and a wrong claim is noticed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from jtcse.method import losses

derivation = pytest.importorskip("jtcse.method.derivation", reason="SymPy comes with the extra 'book'")


def test_every_claim_holds() -> None:
    assert [claim.words for claim in derivation.properties() if not claim.holds] == []


def test_a_wrong_claim_is_noticed() -> None:
    claim = derivation.Property("the square is k", "L^2", derivation.surface() ** 2, derivation.K)
    assert not claim.holds


def test_equation_5_has_lost_the_length() -> None:
    assert derivation.surface().free_symbols == {derivation.K, derivation.T}
    assert derivation.LENGTH in derivation.with_ratio().free_symbols


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_symbols_and_losses_give_the_same_numbers(scale: float) -> None:
    draw = torch.Generator().manual_seed(3)
    h = torch.randn(200, 16, generator=draw, dtype=torch.float64)
    h_plus = scale * torch.randn(200, 16, generator=draw, dtype=torch.float64)
    k, t = h_plus.norm(dim=1) / h.norm(dim=1), losses.cosine(h, h_plus)
    expected = derivation.numeric(k.numpy(), t.numpy())
    for found in (losses.tmc(h, h_plus), losses.tmc_cosine_law(h, h_plus), losses.tmc_surface(k, t)):
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_search_finds_the_minimum_where_the_algebra_has_it() -> None:
    least = derivation.find_minimum()
    assert least.value < 1e-6 and abs(least.k - 1) < 1e-5 and abs(least.t - 1) < 1e-5


def test_along_k_1_the_constraint_is_the_sine_of_half_the_angle() -> None:
    angles = np.linspace(0, math.pi, 50)
    np.testing.assert_allclose(derivation.numeric(np.ones(50), np.cos(angles)), np.sin(angles / 2), atol=1e-9)


def test_the_three_readings_of_the_direction_factor() -> None:
    table = derivation.direction_factors([0.5, 5e-5, 0.0, -0.5]).set_index("cosine")
    constant = -math.log(losses.NEGATIVE_COSINE)
    assert table.loc[0.5, ["printed", "released", "here"]].to_numpy() == pytest.approx(math.log(2))
    assert table.loc[5e-5, "here"] == pytest.approx(constant)
    assert table.loc[5e-5, "released"] == pytest.approx(-math.log(5e-5))
    assert math.isinf(table.loc[0.0, "released"]) and table.loc[0.0, "here"] == pytest.approx(constant)
    assert math.isnan(table.loc[-0.5, "printed"])
    assert table.loc[-0.5, ["released", "here"]].to_numpy() == pytest.approx(constant)
