"""The command line: every verb does its work on a stand-in hub, and bad input is one sentence with exit status 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import standin
from standin_systems import sentence_transformer

SENTENCES = standin.sentences(8)
SMALL = [
    "data.corpus_limit=48",
    "data.pair_limit=12",
    "translation.beams=1",
    "stage1.batch_size=8",
    "stage1.steps=2",
    "stage2.batch_size=8",
    "stage2.steps=2",
    "stage2.cael_count=2",
    "distillation.batch_size=8",
    "distillation.steps=2",
    "stage1.evaluate_every=1",
    "stage2.evaluate_every=1",
    "distillation.evaluate_every=1",
    "run.threads=1",
]


def jtcse(*words: object, stdin: str | bytes = "", cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess:
    """Run the command line as a user would."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return subprocess.run(
        [sys.executable, "-m", "jtcse", *map(str, words)],
        input=data,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1", **env},
        timeout=300,
    )


def refused(result: subprocess.CompletedProcess, *said: str) -> None:
    """One sentence on standard error, no traceback, status 2, and all of ``said`` in it."""
    error = result.stderr.decode()
    assert result.returncode == 2, error
    assert "Traceback" not in error
    for words in said:
        assert words in error, error


@pytest.mark.parametrize("verb", ["reproduce", "train", "distill", "evaluate", "embed", "doctor", "bench"])
def test_help_of_every_verb_has_examples(verb):
    result = jtcse(verb, "--help")
    assert result.returncode == 0
    assert f"jtcse {verb}" in result.stdout.decode()
    assert "Examples" in result.stdout.decode()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "--profile", "embeded"], ["embeded", "did you mean 'embedded'"]),
        (["train", "stage2.stepz=3"], ["stage2.stepz", "did you mean 'stage2.steps'"]),
        (["train", "stage2.steps=many"], ["stage2.steps", "many"]),
        (["train", "stage1.temperature=3"], ["stage1.temperature", "3"]),
        (["train", "stage2.parts=[infonce, ictn]"], ["stage2.parts", "ictn", "'ictm'"]),
        (["train", "stage2.cael_count=3"], ["cael_count is 3", "does not divide"]),
        (["train", "--stage", "twinn"], ["twinn", "did you mean 'twin'"]),
        (["train", "steps"], ["'steps'", "stage2.steps=20"]),
        (["bench", "stepp"], ["stepp", "did you mean 'step'"]),
        (["evaluate", "no/such-folder", "--precision", "fp8"], ["fp8", "fp32"]),
        (["evaluate"], ["neither a MODEL nor --system", "--system simcse"]),
        (["evaluate", "--system", "simcsee"], ["simcsee", "did you mean 'simcse'", "promptbert"]),
        (["evaluate", "--system", "simcse", "--backbone", "bertt"], ["bertt", "did you mean 'bert'"]),
        (["evaluate", "--system", "simcse", "--pooling", "mean"], ["--pooling mean", "--system simcse", "leave one"]),
        (["evaluate", "no/model", "--backbone", "roberta"], ["--backbone roberta has no effect", "without --system"]),
        (["evaluate", "--system", "simcse", "--profile", "mini", "--pooling", "cls"], ["--pooling cls has no effect"]),
        (["evaluate", "--system", "consert"], ["no bert weights of consert", "jtcse systems show consert"]),
        (["evaluate", "--system", "infocse", "--backbone", "roberta"], ["no roberta weights of infocse", "there: bert"]),
        (["evaluate", "--system", "jtcse", "one/tower"], ["found 1 checkpoint(s) for JTCSE", "expected 2"]),
    ],
)
def test_bad_words_are_refused_before_anything_runs(words, said, tmp_path):
    refused(jtcse(*words, cwd=tmp_path), *said)
    assert not list(tmp_path.iterdir())


def test_unknown_pooling_and_task_name_the_nearest_one(tmp_path, loopback_hub):
    model = standin.bert(tmp_path / "model")
    refused(jtcse("evaluate", model, "--pooling", "men"), "'men'", "did you mean 'mean'")
    refused(jtcse("evaluate", model, "--tasks", "sts7:STS21"), "'STS21'", "did you mean")


def test_a_checkpoint_of_another_layout_is_refused_by_what_it_is(tmp_path):
    pickled, other, _ = (standin.bert(tmp_path / name) for name in ("pickled", "other", "narrow"))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    refused(jtcse("evaluate", "--system", "simcse", pickled), "pytorch_model.bin", "only safetensors are opened")
    sentence_transformer(other, "mean_tokens")
    refused(jtcse("evaluate", "--system", "simcse", other), "pooled by 'mean'", "without --system")
    roberta = standin.roberta(tmp_path / "roberta")
    refused(jtcse("evaluate", "--system", "simcse", roberta), "is a roberta model, expected bert for SimCSE")
    wide = standin.bert(tmp_path / "wide", width=64)
    refused(jtcse("evaluate", tmp_path / "narrow", wide), "different width", "narrow 32", "wide 64")


def test_a_released_checkpoint_is_scored_and_told_in_the_file(tmp_path, loopback_hub):
    model = standin.bert(tmp_path / "model")
    result = jtcse("evaluate", "--system", "simcse", model, "--tasks", "sts7:STS-B", "--json", tmp_path / "s.json")
    assert result.returncode == 0, result.stderr
    plain = jtcse("evaluate", model, "--pooling", "cls", "--tasks", "sts7:STS-B", "--json", tmp_path / "p.json")
    assert plain.returncode == 0, plain.stderr
    one, other = (json.loads((tmp_path / name).read_text()) for name in ("s.json", "p.json"))
    assert one["scores"] == other["scores"]
    assert one["settings"]["system"] == "simcse" and one["settings"]["backbone"] == "bert"
    assert "backbone" not in other["settings"]


def test_embed_writes_one_vector_a_line(tmp_path):
    model = standin.bert(tmp_path / "model", width=32)
    result = jtcse("embed", model, "--out", tmp_path / "v.npy", stdin="\n".join(SENTENCES) + "\n")
    assert result.returncode == 0, result.stderr
    vectors = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert vectors.shape == (8, 32)
    assert vectors.dtype == np.float32


def test_embed_refuses_nothing_and_bytes_that_are_no_text(tmp_path):
    model = standin.bert(tmp_path / "model")
    refused(jtcse("embed", model, "--out", tmp_path / "v.npy"), "no sentences")
    refused(jtcse("embed", model, "--out", tmp_path / "v.npy", stdin=b"\xff\xfe\x00"), "not UTF-8")
    assert not (tmp_path / "v.npy").exists()


def test_evaluate_writes_scores_and_settings(tmp_path, loopback_hub):
    model = standin.bert(tmp_path / "model")
    result = jtcse("evaluate", model, model, "--pooling", "mean", "--json", tmp_path / "s.json")
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / "s.json").read_text())
    assert list(written["scores"]) == ["STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R"]
    assert all(-100 <= score <= 100 for score in written["scores"].values())
    assert written["settings"]["pooling"] == "mean"
    assert written["settings"]["models"] == [str(model)] * 2


def test_an_unreachable_hub_says_what_is_missing_and_how_to_go_on(tmp_path):
    result = jtcse("evaluate", "owner/name", HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path))
    refused(result, "owner/name", "127.0.0.1:9", "HF_ENDPOINT", "HF_HOME")


def test_debug_shows_the_traceback():
    assert "Traceback" in jtcse("--debug", "train", "stage2.stepz=3").stderr.decode()


@pytest.mark.parametrize("profile", ["paper_bert", "paper_roberta", "mini"])
def test_every_step_of_a_hub_profile_runs_at_a_reduced_limit(profile, tmp_path, loopback_hub):
    trained = jtcse("train", "--profile", profile, "--workdir", tmp_path / "w", *SMALL)
    assert trained.returncode == 0, trained.stderr.decode()[-3000:]
    distilled = jtcse("distill", "--profile", profile, "--workdir", tmp_path / "w", *SMALL)
    assert distilled.returncode == 0, distilled.stderr.decode()[-3000:]
    made = {folder.name for folder in (tmp_path / "w" / "models").iterdir()}
    assert made == {"start", "tower_1", "tower_2", "twin", "distilled"}
    twin = jtcse("embed", tmp_path / "w" / "models" / "twin", "--out", tmp_path / "v.npy", stdin="\n".join(SENTENCES))
    assert twin.returncode == 0, twin.stderr
    translated = list((tmp_path / "w" / "data").glob("round_trip_*.tsv"))
    assert len(translated) == (0 if profile == "mini" else 2)


@pytest.mark.slow
def test_the_published_scores_of_a_real_encoder_come_out(shared_hub, tmp_path):
    command = [
        sys.executable,
        shared_hub / "hub" / "serve.py",
        "--",
        sys.executable,
        "-m",
        "jtcse",
        "evaluate",
        "sentence-transformers/all-MiniLM-L6-v2",
        "--pooling",
        "mean",
        "--json",
        tmp_path / "s.json",
        "--workdir",  # of its own: scores that an earlier run kept would be told again
        tmp_path / "w",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    published = {
        "STS12": 72.37,
        "STS13": 80.60,
        "STS14": 75.59,
        "STS15": 85.39,
        "STS16": 78.99,
        "STS-B": 82.03,
        "SICK-R": 77.15,
    }
    scores = json.loads((tmp_path / "s.json").read_text())["scores"]
    assert scores == pytest.approx(published, abs=0.02)
