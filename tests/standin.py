"""Small stand-ins under public names: random stock models, made-up sentences, a hub's folder with both.

Nothing here is downloaded or learnt: models are random, sentences are put together from the word lists below.
Tests use them to walk the same code that a user's run walks on the real repositories.
"""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from pathlib import Path

import numpy as np

from jtcse.data.pairs import PairSet, save_pair_set

WHO = """a baker|the old sailor|one nurse|my neighbour|a tall girl|the postman|every monk|our teacher|a lost
dog"""
DOES = "carries|paints|forgets|washes|finds|sells|repairs|watches|hides|borrows"
WHAT = """a copper kettle|the blue boat|some ripe plums|an empty box|the garden gate|a wooden chair|the long
letter"""
WHERE = """in the harbour|behind the mill|near a quiet lake|on the last train|under the bridge|at noon|after
the storm"""
TASKS = {
    "STS12": ("MSRpar", "surprise.OnWN"),
    "STS13": ("FNWN", "headlines"),
    "STS14": ("images", "deft-news"),
    "STS15": ("belief", "answers-forums"),
    "STS16": ("plagiarism", "headlines"),
}
PAIRS = 30  # graded pairs a task


def sentences(count: int, seed: int = 0) -> list[str]:
    """Distinct made-up English sentences, at most 4,410."""
    words = (" ".join(group.split()).split("|") for group in (WHO, DOES, WHAT, WHERE))
    every = [" ".join(parts) + " ." for parts in itertools.product(*words)]
    return [every[i] for i in np.random.default_rng(seed).permutation(len(every))[:count]]


def graded_pairs(count: int, seed: int = 0) -> list[tuple[str, str, float]]:
    """Pairs that share some words, with the share of common words times five as their score."""
    left, right = sentences(count, seed), sentences(count, seed + 1)
    cut = np.random.default_rng(seed).integers(1, 6, count)
    mixed = [" ".join(a.split()[:n] + b.split()[n:]) for a, b, n in zip(left, right, cut, strict=True)]
    return [(a, b, round(5 * _shared_words(a, b), 2)) for a, b in zip(left, mixed, strict=True)]


def pair_files(folder: Path, count: int = 20) -> None:
    """Graded sets of a generated world, as a workspace has them: two sets and the development pairs."""
    for number, name in enumerate(("captions", "news", "dev")):
        first, second, gold = zip(*graded_pairs(count, seed=10 * number), strict=True)
        save_pair_set(PairSet(name, list(first), list(second), np.array(gold), "made up"), folder / f"{name}.csv")


def _shared_words(left: str, right: str) -> float:
    a, b = set(left.split()), set(right.split())
    return len(a & b) / len(a | b)


# -- models ----------------------------------------------------------------------------------------


def bert(folder: Path, *, layers: int = 4, width: int = 32, heads: int = 4, seed: int = 0) -> Path:
    """A random ``BertModel`` with a WordPiece tokenizer over the words above, saved as the hub has them."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    pieces = BertWordPieceTokenizer(lowercase=True)
    pieces.train_from_iterator(sentences(2000), vocab_size=300, min_frequency=1, show_progress=False)
    tokenizer = BertTokenizerFast(vocab=pieces.get_vocab(), do_lower_case=True, model_max_length=128)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=2 * width, max_position_embeddings=128, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return _saved(folder, BertModel(config), tokenizer)


def roberta(folder: Path, *, layers: int = 4, width: int = 32, heads: int = 4, seed: int = 0) -> Path:
    """A random ``RobertaModel`` with a byte-level BPE tokenizer, saved as the hub has them."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces = ByteLevelBPETokenizer()
    pieces.train_from_iterator(sentences(2000), vocab_size=500, special_tokens=special, show_progress=False)
    state = json.loads(pieces.to_str())["model"]
    merges = [tuple(pair) for pair in state["merges"]]
    tokenizer = RobertaTokenizerFast(vocab=state["vocab"], merges=merges, model_max_length=126)
    torch.manual_seed(seed)
    config = RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=2 * width, max_position_embeddings=128 + 2, type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return _saved(folder, RobertaModel(config), tokenizer)


def marian(folder: Path, seed: int = 0, *, codes: tuple[str, ...] = ()) -> Path:
    """A random ``MarianMTModel`` with a SentencePiece vocabulary, in the files of OPUS-MT repositories."""
    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    learnt = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences(400)), model_writer=learnt, vocab_size=80, minloglevel=2
    )
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(learnt.getvalue())
    model = sentencepiece.SentencePieceProcessor(model_proto=learnt.getvalue())
    pieces = [model.id_to_piece(i) for i in range(3, model.get_piece_size())]
    words = ["</s>", "<unk>", *codes, *pieces, "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "MarianTokenizer", "model_max_length": 512, "separate_vocabs": False})
    )
    torch.manual_seed(seed)
    pad = len(words) - 1
    config = MarianConfig(
        vocab_size=len(words), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=512,
        pad_token_id=pad, decoder_start_token_id=pad, eos_token_id=0, forced_eos_token_id=0, init_std=0.5,
    )  # fmt: skip
    model = MarianMTModel(config)
    model.final_logits_bias[0, 0] = 1.0  # so that it ends most sentences before it is made to
    return _saved(folder, model, MarianTokenizer.from_pretrained(folder))


def _saved(folder: Path, model, tokenizer) -> Path:
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


# -- data ------------------------------------------------------------------------------------------


def senteval_tar(path: Path) -> Path:
    """An archive in SentEval's layout: five tasks of two subsets (some pairs ungraded), STS-B and SICK."""
    files = {}
    for number, (task, subsets) in enumerate(TASKS.items()):
        for part, subset in enumerate(subsets):
            pairs = graded_pairs(PAIRS // 2, seed=10 * number + part)
            if number >= 3:  # in the real files of 2015 and 2016, too, most pairs have no score
                pairs = [row for a, b, score in pairs for row in ((a, b, score), (b, a, None))]
            place = f"STS/{task}-en-test/STS"
            files[f"{place}.input.{subset}.txt"] = "".join(f"{a}\t{b}\n" for a, b, _ in pairs)
            files[f"{place}.gs.{subset}.txt"] = "".join(f"{'' if s is None else s}\n" for _, _, s in pairs)
    for number, split in enumerate(("train", "dev", "test")):
        rows = graded_pairs(PAIRS, seed=100 + number)
        files[f"STS/STSBenchmark/sts-{split}.csv"] = "".join(
            f"main-captions\tmade-up\t2026\t{i:04d}\t{s:.3f}\t{a}\t{b}\n" for i, (a, b, s) in enumerate(rows)
        )
    for number, split in enumerate(("train", "trial", "test_annotated")):
        head = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
        rows = graded_pairs(PAIRS, seed=200 + number)
        files[f"SICK/SICK_{split}.txt"] = head + "".join(
            f"{i}\t{a}\t{b}\t{s}\tNEUTRAL\n" for i, (a, b, s) in enumerate(rows, start=1)
        )
    return tar(path, {name: text.encode() for name, text in files.items()})


def tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    """A tar archive of these contents, under exactly these names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def mteb_set(folder: Path, splits: tuple[str, ...], seed: int) -> None:
    """A similarity set as ``mteb`` publishes them: one JSON file a split."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, split in enumerate(splits):
        rows = graded_pairs(PAIRS, seed=seed + number)
        (folder / f"{split}.jsonl").write_text(
            "".join(json.dumps({"sentence1": a, "sentence2": b, "score": s}) + "\n" for a, b, s in rows)
        )


def hub(root: Path) -> Path:
    """Stand-in repositories under the public names that the profiles use, for ``loopback.serve``."""
    models, data = root / "models", root / "datasets"
    bert(models / "google-bert" / "bert-base-uncased", layers=12)
    bert(models / "sentence-transformers" / "all-MiniLM-L6-v2", layers=6)
    roberta(models / "FacebookAI" / "roberta-base", layers=12)
    for seed, language in enumerate(("fr", "ru", "nl", "zh")):
        codes = (">>cmn_Hans<<",) if language == "zh" else ()
        marian(models / "Helsinki-NLP" / f"opus-mt-en-{language}", 2 * seed, codes=codes)
        marian(models / "Helsinki-NLP" / f"opus-mt-{language}-en", 2 * seed + 1)
    simcse = data / "princeton-nlp" / "datasets-for-simcse"
    senteval_tar(simcse / "senteval.tar")
    (simcse / "wiki1m_for_simcse.txt").write_text("".join(f"{text}\n" for text in sentences(1500, seed=7)))
    for seed, name in enumerate(("sts12", "sts13", "sts14", "sts15", "sts16", "stsbenchmark", "sickr")):
        splits = ("test", "validation") if name == "stsbenchmark" else ("test",)
        mteb_set(data / "mteb" / f"{name}-sts", splits, seed=300 + 10 * seed)
    return root
