"""The differences between paper and code: each is there once, and what claims to be switched can be."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tiny
import torch

from jtcse.core.config import load_settings
from jtcse.core.errors import UserError
from jtcse.evaluation.statistics.resampled import Drawn
from jtcse.experiments.ablations.discrepancy_effects import PLACE, Effects
from jtcse.experiments.ablations.effects import Grid
from jtcse.experiments.ablations.first_step import TwinEncoder, _scaled
from jtcse.experiments.ablations.grids import Cell
from jtcse.experiments.ablations.switches import BASE, Switch, base_overrides, other_batch, switches
from jtcse.method.joint_training import loss_parts
from jtcse.method.twin import Twin
from jtcse.pages.protocol import discrepancy_table, judged
from jtcse.paper.discrepancies import DIFFERENCES, KINDS, by_kind, difference

PROFILES = ("embedded", "mini", "paper_bert", "paper_roberta")


def test_each_of_the_differences_is_there_once_and_whole() -> None:
    assert [one.number for one in DIFFERENCES] == list(range(1, 24))
    for one in DIFFERENCES:
        assert one.title and one.paper and one.code and one.kind in KINDS
        assert bool(one.switch) == (one.kind == "switched"), one.number
        assert one.reason or one.kind == "switched", one.number
    assert sum(len(by_kind(kind)) for kind in KINDS) == len(DIFFERENCES)
    with pytest.raises(UserError, match="from 1 to 23"):
        difference(24)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_switch_is_a_valid_setting_and_turns_something(profile: str) -> None:
    settings = load_settings(profile)
    base, found = base_overrides(settings), list(switches(settings))
    plain = load_settings(profile, base)
    for switch in found:
        turned = load_settings(profile, switch.overrides)
        assert turned.stage2 != plain.stage2, switch.name
        changed = [key for key, value in switch.overrides.items() if base.get(key) != value]
        assert len(changed) == 1 and changed[0] == difference(switch.numbers[0]).switch
    assert {n for switch in found for n in switch.numbers} == {one.number for one in by_kind("switched")}
    assert len({switch.name for switch in found}) == len(found)


def test_every_reading_of_a_switch_is_a_value_of_its_setting() -> None:
    for one in by_kind("switched"):
        for reading in one.readings:
            load_settings("embedded", {one.switch: reading})


def test_batch_sizes_keep_the_ratio_of_the_two_sources() -> None:
    assert [other_batch(load_settings(profile)) for profile in PROFILES] == [16, 16, 256, 64]


def measured(points: dict[str, list[float]]) -> Effects:
    turned = [Switch(name, (1,), name, {}) for name in points if name != "base"]
    draws = np.linspace(-0.05, 0.05, 101)
    found = {
        (f"code/{name}", seed): Drawn(value, value + (0 if name == "base" else draws))
        for name, values in points.items()
        for seed, value in enumerate(values, 1)
    }
    return Effects(Grid(PLACE, [Cell(BASE, "jtcse"), *(switch.cell for switch in turned)], found, 700), turned)


def test_effects_are_means_over_seeds_and_undecided_where_seeds_disagree() -> None:
    effects = measured({"base": [40.0, 41.0], "up": [40.3, 41.1], "torn": [40.9, 40.9], "nothing": [40.0, 41.01]})
    up, torn, nothing = effects.switches
    assert effects.effect(up).points == pytest.approx(0.2) and effects.between_seeds().points == pytest.approx(1)
    assert [effects.undecided(switch) for switch in (up, torn, nothing)] == [False, True, True]
    assert "better by 20.0 hundredths" in judged(effects.effect(up), [effects.effect(up, s) for s in (1, 2)])
    names = [(metric.name, metric.seed) for metric in effects.metrics()]
    assert len(set(names)) == len(names) and ("code/up>code/base", None) in names and (BASE, 1) in names
    html = discrepancy_table(effects, {9: "equal <here>"}).data
    assert html.count("<tr") == len(DIFFERENCES) + 1 and "equal &lt;here&gt;" in html


@pytest.mark.parametrize(("stream", "same"), [("last", True), ("carried", True), ("fed", False)])
def test_only_a_fed_cross_stream_takes_part_at_inference(tmp_path, stream: str, same: bool) -> None:
    first, tokenizer = tiny.saved(tmp_path / "1", seed=1)
    second, _ = tiny.saved(tmp_path / "2", seed=2)
    texts = ["a baker paints a copper kettle .", "the postman sells an empty box at noon ."]
    joint, apart = (
        TwinEncoder(Twin(first, second, cross_stream=s, cael_count=1), tokenizer, 32).encode(texts)
        for s in (stream, "none")
    )
    assert np.array_equal(joint, apart) is same


def test_a_scaled_tower_divides_its_logits_by_the_root_of_the_width() -> None:
    tower = tiny.tower()
    with torch.no_grad():
        copy = _scaled(tower, tower.config.num_attention_heads**-0.5)
        x = torch.randn(3, tower.config.hidden_size)
        before, after = (t.encoder.layer[0].attention.self for t in (tower, copy))
        width, head = tower.config.hidden_size, before.attention_head_size
        torch.testing.assert_close(after.query(x) / math.sqrt(head), before.query(x) / math.sqrt(width))


def test_the_two_directions_of_icnce_swap_the_towers() -> None:
    stage = load_settings("embedded").stage2
    h = torch.randn(2, 2, 5, 8)
    one = loss_parts({"h_1": h[0], "h_2": h[1], "p_1": h[0], "p_2": h[1]}, stage, 1)
    other = loss_parts({"h_1": h[1], "h_2": h[0], "p_1": h[1], "p_2": h[0]}, stage, 0)
    torch.testing.assert_close(one["icnce_hidden"], other["icnce_hidden"])
    assert "icnce_cross" not in one
