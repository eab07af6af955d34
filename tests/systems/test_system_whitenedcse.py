"""WhitenedCSE: whitening is what it says, its gradient is finite and right, each view has its own groups."""

from __future__ import annotations

from pathlib import Path

import loops
import numpy as np
import pytest
import torch
import zoo
from torch import Tensor

from jtcse.core.errors import UserError
from jtcse.systems.settings import published_values
from jtcse.systems.whitenedcse import InverseRoot, WhitenedCSE, whitened


def made(folder: Path, **changes) -> WhitenedCSE:
    shop = zoo.shop(folder, "whitenedcse", **changes)
    model, tokenizer = shop.tower()
    return WhitenedCSE(model, tokenizer, shop.corpus, shop.settings, shop.head(model))


def sample(n: int = 9, d: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def crossed(d: int) -> Tensor:
    """Rows whose covariance is a multiple of one: all eigenvalues meet."""
    return torch.cat([torch.eye(d, dtype=torch.float64), -torch.eye(d, dtype=torch.float64)])


def plain(h: np.ndarray, order: list[int], size: int, eps: float) -> np.ndarray:
    """Whitening group by group; the root comes out of a singular value decomposition of the rows themselves."""
    out = np.empty_like(h)
    for start in range(0, len(order), size):
        columns = order[start : start + size]
        x = h[:, columns] - h[:, columns].mean(0)
        _, lengths, axes = np.linalg.svd(x, full_matrices=False)
        for row in range(len(h)):
            out[row, columns] = sum(
                axis * (axis @ x[row]) / np.sqrt(length**2 / len(h) + eps)
                for axis, length in zip(axes, lengths, strict=True)
            )
    return out


def test_whitening_is_that_of_plain_loops() -> None:
    order = [4, 0, 3, 5, 1, 2]
    found = whitened(sample(), torch.tensor(order), 3, 1e-5).numpy()
    assert np.allclose(found, plain(sample().numpy(), order, 3, 1e-5), atol=1e-9)


def test_groups_come_out_with_mean_0_and_covariance_1_and_in_their_places() -> None:
    order = torch.tensor([4, 0, 3, 5, 1, 2])
    found = whitened(10 * sample(200), order, 3, 1e-9)[:, order]
    assert torch.allclose(found.mean(0), torch.zeros(6, dtype=torch.float64), atol=1e-9)
    for group in (found[:, :3], found[:, 3:]):
        assert torch.allclose(group.T @ group / 200, torch.eye(3, dtype=torch.float64), atol=1e-6)
    moved = (whitened(sample(200), order, 3, 1e-9) * sample(200)).sum(0)
    assert (moved > 0.8 * 200 * sample(200).std(0)).all(), "ZCA turns no coordinate away from itself"


@pytest.mark.parametrize(
    "h", [sample(), 1e-3 * sample(seed=1), crossed(6)], ids=["plain", "small", "equal eigenvalues"]
)
def test_the_gradient_is_the_numerical_one(h: Tensor) -> None:
    order = torch.tensor([4, 0, 3, 5, 1, 2])
    assert torch.autograd.gradcheck(
        lambda x: whitened(x, order, 3, 1e-5), h.clone().requires_grad_(), eps=1e-7, atol=1e-4
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["collapsed", "one direction", "equal eigenvalues", "huge"])
def test_gradients_are_finite_where_those_of_eigenvectors_are_not(kind: str, dtype: torch.dtype) -> None:
    rows = {
        "collapsed": torch.ones(12, 6),
        "one direction": torch.arange(12.0)[:, None] * torch.ones(6),
        "equal eigenvalues": crossed(6),
        "huge": 1e4 * sample(12),
    }[kind].to(dtype)
    h = rows.clone().requires_grad_()
    found = whitened(h, torch.arange(6), 6, 1e-5)
    (found * sample(12).to(dtype)).sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(h.grad).all()


def test_the_root_is_one_over_the_square_root() -> None:
    x = sample(20, 4)
    matrix = x.T @ x
    root = InverseRoot.apply(matrix)
    assert torch.allclose(root @ matrix @ root, torch.eye(4, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(root, root.T) and (torch.linalg.eigvalsh(root) > 0).all()


def test_the_loss_is_the_formulas_with_groups_of_their_own_for_each_view(tmp_path: Path) -> None:
    objective = made(tmp_path)
    objective.module.double().eval()
    torch.manual_seed(5)
    found = objective.module(objective.batch(np.arange(8), 1))
    parts = objective.parts(found, torch.Generator())
    torch.manual_seed(5)
    head, z = objective.module.head, []
    for view in found["h"]:
        order = torch.randperm(32).tolist()
        z.append(zoo.rows(head(torch.from_numpy(plain(view.detach().numpy(), order, 4, 1e-5)))))
    assert set(parts) == {"infonce_2", "infonce_3"} and z[0] != z[1], "without dropout the groups make the difference"
    assert parts["infonce_2"].item() == pytest.approx(loops.info_nce(z[0], z[1], 0.05), abs=1e-9)
    assert parts["infonce_3"].item() == pytest.approx(loops.info_nce(z[0], z[2], 0.05), abs=1e-9)


def test_gradients_reach_tower_and_head(tmp_path: Path) -> None:
    objective = made(tmp_path)
    _, loss = zoo.outputs(objective, count=8)
    sizes = zoo.gradients(objective, loss)
    assert sizes["head.0.weight"] > 0 and sizes["tower.model.embeddings.word_embeddings.weight"] > 0
    assert not any("pooler" in name for name in sizes)


def test_training_keeps_the_tower_alone_and_repeats_itself(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "whitenedcse")
    again, other = zoo.trained(tmp_path / "again", "whitenedcse")
    assert again.rows == story.rows and np.isfinite(story.rows[-1]["loss"])
    assert not any("head" in name for name, _ in encoder.model.named_parameters())
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_groups_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"group_size is 6, which does not divide the encoder's width of 32.*such as (4|8)"
    ):
        made(tmp_path, group_size=6)
    with pytest.raises(UserError, match="group_size is 8, but a batch of 8 sentences spans at most 7 directions"):
        made(tmp_path, group_size=8)


def test_the_published_groups_divide_the_published_width() -> None:
    assert 768 / published_values("whitenedcse")["group_size"] == 128
