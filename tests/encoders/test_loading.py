"""Saving stock towers: a folder depends on weights and vocabulary alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from jtcse.core.files import sha256
from jtcse.encoders.encoder import TowerEncoder
from jtcse.encoders.loading import save_tower


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_what_was_tokenised_before_does_not_change_the_folder(tmp_path: Path, family: str) -> None:
    model, tokenizer = tiny.saved(tmp_path / "stock", family)
    save_tower(model, tokenizer, tmp_path / "before")
    TowerEncoder(model, tokenizer, max_length=9).encode(
        ["a baker", "a baker carries a copper kettle near a quiet lake"]
    )
    tokenizer(["noon", "a lost dog"], padding=True, truncation=True, max_length=4)
    save_tower(model, tokenizer, tmp_path / "after")
    assert sha256(tmp_path / "before") == sha256(tmp_path / "after")
