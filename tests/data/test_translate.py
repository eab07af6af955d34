"""Round trips through random translation models: order, resuming, what is put before sentences, errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import standin
from conftest import REPOSITORY, Hub

from jtcse.core.errors import UserError
from jtcse.data import translate
from jtcse.data.corpus import PairCorpus
from jtcse.data.translate import ROUTES, round_trip

LINES = standin.sentences(25)
SETTINGS = {"batch_size": 4, "max_length": 12, "shard": 10, "precision": "fp32", "progress": False}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("marian")
    return str(standin.marian(folder / "en-fr", 0)), str(standin.marian(folder / "fr-en", 1))


def test_each_sentence_gets_its_own_round_trip(models: tuple[str, str], tmp_path: Path) -> None:
    found = round_trip(LINES, "fr", tmp_path / "fr.tsv", models=models, **SETTINGS)
    assert [sentence for sentence, _ in found] == LINES
    assert len({trip for _, trip in found}) > 5
    alone = round_trip(LINES[7:8], "fr", tmp_path / "alone.tsv", models=models, **SETTINGS)
    assert alone[0] == found[7]  # neither sorting by length nor padding in the batch shows


def test_a_killed_run_goes_on_and_ends_alike(
    models: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = round_trip(LINES, "fr", tmp_path / "whole.tsv", models=models, **SETTINGS)
    write, made = translate.write_atomically, []

    def killed_at_the_third(path: Path, data: str) -> None:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(path)
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(translate, "write_atomically", killed_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            round_trip(LINES, "fr", tmp_path / "part.tsv", models=models, **SETTINGS)
    assert not (tmp_path / "part.tsv").exists()
    times = [path.stat().st_mtime_ns for path in made]
    monkeypatch.setattr(translate.shutil, "rmtree", lambda folder: None)
    part = round_trip(LINES, "fr", tmp_path / "part.tsv", models=models, **SETTINGS)
    assert list(part) == list(whole)
    assert [path.stat().st_mtime_ns for path in made] == times


def test_what_is_done_is_not_done_again(
    models: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "fr.tsv"
    first = list(round_trip(LINES[:8], "fr", out, models=models, **SETTINGS))
    assert {path.name for path in tmp_path.iterdir()} == {
        out.name + end for end in ("", ".job", ".notes", ".lines.npy")
    }
    opened = []
    monkeypatch.setattr(translate, "_Pair", lambda *settings: opened.append(settings) or (lambda lines, done: lines))
    assert list(round_trip(LINES[:8], "fr", out, models=models, **SETTINGS)) == first and not opened
    changed = round_trip(LINES[:8], "fr", out, models=models, **SETTINGS | {"beams": 2})
    assert len(opened) == 1 and list(changed) == [(line, line) for line in LINES[:8]]


def test_chinese_is_told_its_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import MarianTokenizer

    folder = standin.marian(tmp_path / "en-zh", codes=(">>cmn_Hans<<",))
    tokens = MarianTokenizer.from_pretrained(folder)(ROUTES["zh"].prefix + LINES[0]).input_ids
    names = MarianTokenizer.from_pretrained(folder).convert_ids_to_tokens(tokens)
    assert names[0] == ">>cmn_Hans<<" and "<unk>" not in names
    read = []
    monkeypatch.setattr(translate, "_Translator", lambda *settings: lambda lines, done: read.append(lines) or lines)
    round_trip(LINES[:1], "zh", tmp_path / "zh.tsv", progress=False)
    assert read[0] == [f">>cmn_Hans<< {LINES[0]}"]


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown language.*valid: de, es, fr, nl, ru, zh"):
        round_trip(LINES, "xx", tmp_path / "xx.tsv")
    with pytest.raises(UserError, match="translation model"):
        round_trip(LINES, "fr", tmp_path / "fr.tsv", models=(str(tmp_path), str(tmp_path)), progress=False)


BY_PUBLIC_NAME = """
import sys
from jtcse.data.corpus import open_corpus
from jtcse.data.translate import round_trip
spec = "princeton-nlp/datasets-for-simcse:wiki1m_for_simcse.txt + sickr-sentences"
lines = open_corpus(spec, sys.argv[1], limit=8)
round_trip(lines, "zh", sys.argv[2], batch_size=4, max_length=12, shard=5)
"""


def test_models_and_corpus_come_by_their_public_names(loopback_hub: Hub, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BY_PUBLIC_NAME, str(tmp_path / "text"), str(tmp_path / "zh.tsv")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert len(PairCorpus(tmp_path / "zh.tsv")) == 8
