"""Batches: what a subclass adds goes where the batch goes, and readers see every row in its place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from jtcse.encoders.batches import Batch, batch_of

VIEWS = [[[2, 5, 3], [2, 6, 7, 8, 3]], [[2, 9, 3], [2, 3]]]


@dataclass(frozen=True)
class Labelled(Batch):
    """A batch with labels, and a batch beside it."""

    labels: Tensor
    beside: Batch | None


def test_what_a_subclass_adds_moves_with_the_batch() -> None:
    plain = batch_of(VIEWS, 0, 2, [["a", "b"]] * 2)
    moved = Labelled(**vars(plain), labels=torch.arange(2), beside=plain).to(torch.device("meta"))
    assert isinstance(moved, Labelled) and moved.labels.is_meta and moved.order.is_meta and moved.beside.order.is_meta
    assert all(tensor.is_meta for group in (*moved.groups, *moved.beside.groups) for tensor in group)
    assert (moved.views, moved.texts) == (2, [["a", "b"]] * 2)
    assert Labelled(**vars(plain), labels=torch.arange(2), beside=None).to(torch.device("cpu")).beside is None


def test_a_reader_gets_each_group_with_what_lies_beside_it_and_rows_come_back_in_order() -> None:
    batch = batch_of(VIEWS, 0, 3, [["a", "b"]] * 2)
    found = batch.read(lambda ids, mask, place: torch.stack([ids[:, 1], mask.sum(1) + 0 * place], 1), range(3))
    assert found.tolist() == [[[5, 3], [6, 5]], [[9, 3], [3, 2]]]
