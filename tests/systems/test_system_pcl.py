"""PCL: augmentations of token ids, six terms as the authors' code has them, a peer that is thrown away."""

from __future__ import annotations

from collections import Counter
from math import exp, log
from pathlib import Path

import loops
import numpy as np
import pytest
import small_run
import torch
import zoo
from loops_contrast import softmax

from jtcse.core.errors import UserError
from jtcse.systems.pcl import PCL, Peers, augmented
from jtcse.systems.settings import published_values
from jtcse.systems.simcse import SimCSE

ALONE = {"augmentations": [], "positives": False, "peer": False}


def made(folder: Path, **changes) -> PCL:
    shop = zoo.shop(folder, "pcl", **changes)
    model, tokenizer = shop.tower()
    peer = None
    if shop.settings.peer:
        peer = shop.tower()[0]
        small_run.shake(peer, seed=7)
    return PCL(model, tokenizer, shop.corpus, shop.settings, shop.head(model), peer=peer)


def changed(kind: str, length: int = 22, max_length: int = 512, seed: int = 0) -> list[int]:
    return augmented(kind, range(length), 0.2, max_length, np.random.default_rng(seed))


def test_augmentations_leave_the_ends_alone_and_touch_a_fifth() -> None:
    for seed in range(30):
        for kind in ("shuffle", "reverse", "delete", "repeat"):
            ids = changed(kind, seed=seed)
            assert (ids[0], ids[-1]) == (0, 21) and set(ids) <= set(range(22)), kind
        assert Counter(changed("shuffle", seed=seed)) == Counter(range(22))
        deleted, repeated = changed("delete", seed=seed), changed("repeat", seed=seed)
        assert len(deleted) == 18 and deleted == sorted(deleted)
        assert len(repeated) == 26 and set(repeated) == set(range(22))
    assert changed("reverse") == [0, *range(20, 0, -1), 21]
    assert len({tuple(changed("shuffle", seed=seed)) for seed in range(5)}) == 5


def test_a_sentence_that_was_cut_has_nothing_repeated() -> None:
    assert changed("repeat", max_length=22) == list(range(22))
    assert len(changed("repeat", max_length=24)) == 24


def test_sentences_without_words_stay_as_they_are() -> None:
    for kind in ("shuffle", "reverse", "delete", "repeat"):
        assert changed(kind, length=2) == [0, 1]


def test_ten_views_each_with_draws_of_its_own(tmp_path: Path) -> None:
    objective = made(tmp_path, augmentations=published_values("pcl")["augmentations"])
    batch = objective.batch(np.arange(6), seed=3)
    assert batch.views == 10
    rows = torch.cat([ids for ids, _ in batch.groups])[batch.order].unflatten(0, (10, 6))
    assert torch.equal(rows[0], rows[1]) and torch.equal(rows[3], rows[7]), "two originals, two reversals"
    assert not torch.equal(rows[2], rows[6]) and not torch.equal(rows[4], rows[8]), "two shuffles, two deletions"
    alone = objective.batch(np.arange(3, 5), seed=3)
    rows_alone = torch.cat([ids for ids, _ in alone.groups])[alone.order].unflatten(0, (10, 2))
    for view in range(10):
        for own, other in zip(rows_alone[view], rows[view][3:5], strict=True):
            assert own[own > 0].tolist() == other[other > 0].tolist(), "a sentence's draws do not depend on its batch"


def lists(a: list, b: list, tau: float) -> list:
    """Of each sentence: its other views in ``b``, then the other sentences' first views there."""
    n = len(a[0])
    return [
        [loops.cosine(a[0][i], view[i]) / tau for view in b[1:]]
        + [loops.cosine(a[0][i], b[0][j]) / tau for j in range(n) if j != i]
        for i in range(n)
    ]


def binary(z: list, tau: float) -> float:
    """Binary cross-entropy, the shares of a softmax taken for logits."""
    own, cells = len(z) - 1, []
    for row in lists(z, z, tau):
        for place, share in enumerate(softmax(row)):
            chance = 1 / (1 + exp(-share))
            cells.append(-log(chance if place < own else 1 - chance))
    return sum(cells) / len(cells)


def divergence(own: list, other: list) -> float:
    """Mean over all cells of p (log p - log q), where p is the other encoder's."""
    cells = []
    for a, b in zip(own, other, strict=True):
        cells += [p * (log(p) - log(q)) for q, p in zip(softmax(a), softmax(b), strict=True)]
    return sum(cells) / len(cells)


def test_every_term_is_the_formulas(tmp_path: Path) -> None:
    objective = made(tmp_path)
    found, _ = zoo.outputs(objective, count=4)
    noise = torch.Generator().manual_seed(1)
    found = {k: z + 0.5 * torch.randn(z.shape, generator=noise, dtype=z.dtype) for k, z in found.items()}
    parts = {k: part.item() for k, part in objective.parts(found, noise).items()}
    z, peer = zoo.rows(found["z"]), zoo.rows(found["peer"])
    assert parts == {
        "infonce": pytest.approx(loops.info_nce(z[0], z[1], 0.05), abs=1e-9),
        "positives": pytest.approx(binary(z, 0.05), abs=1e-9),
        "infonce_peer": pytest.approx(loops.info_nce(peer[0], peer[1], 0.05), abs=1e-9),
        "positives_peer": pytest.approx(binary(peer, 0.05), abs=1e-9),
        "cross": pytest.approx(divergence(lists(z, peer, 0.05), lists(peer, z, 0.05)), abs=1e-9),
        "relations": pytest.approx(divergence(lists(z, z, 0.05), lists(peer, peer, 0.05)), abs=1e-9),
    }


def test_both_encoders_learn_and_share_the_head(tmp_path: Path) -> None:
    objective = made(tmp_path)
    found, loss = zoo.outputs(objective)
    sizes = zoo.gradients(objective, loss)
    assert not any(name.startswith("tower.model.pooler") for name in sizes), "only the peer is read at its pooler"
    assert {"peer.pooler.dense.weight", "tower.head.0.weight", "tower.model.embeddings.word_embeddings.weight"} < set(
        sizes
    )
    assert sum("head" in name for name in sizes) == 2
    assert objective.parts(found, torch.Generator())["cross"] > 0


def test_with_one_view_each_it_is_simcse(tmp_path: Path) -> None:
    objective = made(tmp_path, **ALONE)
    plain = SimCSE(objective.module.tower.model, objective.tokenizer, objective.corpus, zoo.settings("simcse"))
    plain.module.head = objective.module.tower.head
    (_, own), (_, other) = zoo.outputs(objective), zoo.outputs(plain)
    assert own.item() == pytest.approx(other.item(), abs=1e-6)


def test_training_throws_the_peer_away_and_repeats_itself(tmp_path: Path) -> None:
    story, encoder = zoo.trained(tmp_path, "pcl")
    again, other = zoo.trained(tmp_path / "again", "pcl")
    assert again.rows == story.rows
    assert story.rows[-1]["loss"] == pytest.approx(
        sum(
            story.rows[-1][name]
            for name in ("infonce", "positives", "infonce_peer", "positives_peer", "cross", "relations")
        )
    )
    assert not any("head" in name or "peer" in name for name, _ in encoder.model.named_parameters())
    assert np.array_equal(encoder.encode(["noon"]), other.encode(["noon"]))


def test_a_peer_without_a_pooler_is_refused(tmp_path: Path) -> None:
    model, _ = zoo.shop(tmp_path, "pcl").tower()
    model.pooler = None
    with pytest.raises(UserError, match="read at its pooler, and this encoder has none"):
        Peers(model, model, None)


def test_an_unknown_augmentation_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UserError, match="did you mean 'shuffle'"):
        zoo.settings("pcl", augmentations=["shufle"])
