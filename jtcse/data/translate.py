"""Round-trip translation with MarianMT: the second views of stage 1 (paper, Sec. IV.A).

The paper translated with Google's service; its texts are not public and that service changes, so the open
OPUS-MT models stand in for it. Work is done in shards, each written whole, so that a killed run goes on
where it was and ends with the same file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jtcse.core.errors import check_choice
from jtcse.core.files import write_atomically
from jtcse.core.hub import nothing_sent, unreachable
from jtcse.data.corpus import PairCorpus, write_pairs


@dataclass(frozen=True)
class Route:
    """The two models of a round trip, by hub name or folder, and what is put before English sentences."""

    there: str
    back: str
    prefix: str = ""


def _opus(language: str, prefix: str = "") -> Route:
    return Route(f"Helsinki-NLP/opus-mt-en-{language}", f"Helsinki-NLP/opus-mt-{language}-en", prefix)


# TNCSE supplement, Table I-1: fr and ru for the BERT towers, nl and zh for the RoBERTa towers.
# de and es: ours, for the six towers of EDFSE, whose languages are not public.
# The model for Chinese writes several scripts and wants to be told which.
ROUTES = {name: _opus(name) for name in ("fr", "ru", "nl", "de", "es")} | {"zh": _opus("zh", ">>cmn_Hans<< ")}


def round_trip(
    lines: Sequence[str],
    language: str,
    out: Path | str,
    *,
    models: tuple[str, str] | None = None,
    batch_size: int = 64,
    beams: int = 1,
    max_length: int = 128,
    shard: int = 1000,
    precision: str = "auto",
    progress: bool = True,
) -> PairCorpus:
    """Translate English sentences into another language and back, and write both in the order of ``lines``.

    Args:
        lines: n English sentences, such as a ``LineCorpus``.
        language: a key of ``ROUTES``.
        out: the file to write, one ``sentence<TAB>round trip`` a line. If it is there already from the same
            sentences and settings, it is kept.
        models: names or folders of the models there and back, in place of the route's own.
        batch_size: sentences translated at once; within a shard those of like length go together.
        beams: width of the beam search; 1 is greedy.
        max_length: tokens read and written at most, twice what stage 1 reads; the rest of a sentence is cut.
        shard: sentences after which the work is saved.
        precision: ``auto``, ``bf16`` or ``fp32``.
        progress: whether to show how far it is.
    Raises:
        UserError: a language without a route, a model that cannot be had, a full disk.
    """
    check_choice("language of a round trip", language, ROUTES)
    route = Route(*models, ROUTES[language].prefix) if models else ROUTES[language]
    out = Path(out)
    settings = vars(route) | {"batch_size": batch_size, "beams": beams, "max_length": max_length}
    job = _fingerprint(lines, settings | {"shard": shard, "precision": precision})
    stamp = out.with_name(f"{out.name}.job")
    if out.is_file() and stamp.is_file() and stamp.read_text(encoding="utf8") == job:
        return PairCorpus(out)
    folder = out.with_name(f".{out.name}.{job[:16]}.shards")
    shards = {start: folder / f"{start:09d}.json" for start in range(0, len(lines), shard)}
    _fill(shards, lines, shard, lambda: _Pair(route, batch_size, beams, max_length, precision), progress)
    pairs = write_pairs(_joined(shards.values()), out)
    write_atomically(stamp, job)
    for done in out.parent.glob(f".{out.name}.*.shards"):
        shutil.rmtree(done)
    return pairs


def _fingerprint(lines: Sequence[str], settings: Mapping[str, Any]) -> str:
    """Hex digest of all that the result depends on: no shard of another job is taken for one of this."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for line in lines:
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _fill(
    shards: Mapping[int, Path],
    lines: Sequence[str],
    size: int,
    open_models: Callable[[], _Pair],
    progress: bool,
) -> None:
    """Translate and write the shards that are not there yet; the models are opened only if there are any."""
    from tqdm import tqdm

    missing = [start for start, path in shards.items() if not path.is_file()]
    if not missing:
        return
    translate = open_models()
    with tqdm(total=2 * len(lines), unit="sentence", mininterval=2, disable=not progress) as bar:
        bar.update(2 * (len(lines) - sum(min(size, len(lines) - start) for start in missing)))
        for start in missing:
            sentences = list(lines[start : start + size])
            trips = translate(sentences, bar.update)
            write_atomically(shards[start], json.dumps([sentences, trips], ensure_ascii=False))


def _joined(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        sentences, trips = json.loads(path.read_text(encoding="utf-8"))
        yield from zip(sentences, trips, strict=True)


class _Pair:
    """The two translators of a route as one function from English to English."""

    def __init__(self, route: Route, batch_size: int, beams: int, max_length: int, precision: str) -> None:
        self.prefix = route.prefix
        self.there, self.back = (
            _Translator(name, batch_size, beams, max_length, precision) for name in (route.there, route.back)
        )

    def __call__(self, sentences: list[str], done: Callable[[int], Any]) -> list[str]:
        return self.back(self.there([self.prefix + text for text in sentences], done), done)


class _Translator:
    """One MarianMT model with its tokenizer on the device of this machine."""

    def __init__(self, name: str, batch_size: int, beams: int, max_length: int, precision: str) -> None:
        from transformers import MarianMTModel, MarianTokenizer

        from jtcse.core.device import device, number_format

        try:
            with nothing_sent():
                model = MarianMTModel.from_pretrained(name, dtype=number_format(precision))
            self.tokenizer = MarianTokenizer.from_pretrained(name)
        except (OSError, ValueError, TypeError) as error:  # TypeError: a vocabulary file is missing
            raise unreachable(f"translation model {name}", error) from error
        self.model = model.to(device()).eval()
        self.batch_size, self.beams, self.max_length = batch_size, beams, max_length

    def __call__(self, sentences: list[str], done: Callable[[int], Any]) -> list[str]:
        """Translations in the order of the sentences; like lengths share a batch: little is padded."""
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]), reverse=True)
        translated = [""] * len(sentences)
        for at in range(0, len(order), self.batch_size):
            rows = order[at : at + self.batch_size]
            for row, text in zip(rows, self._batch([sentences[i] for i in rows]), strict=True):
                translated[row] = text
            done(len(rows))
        return translated

    def _batch(self, sentences: list[str]) -> list[str]:
        tokens = self.tokenizer(
            sentences, return_tensors="pt", padding=True, truncation=True, max_length=self.max_length
        )
        written = self.model.generate(
            **tokens.to(self.model.device), num_beams=self.beams, max_length=self.max_length, do_sample=False
        )
        return self.tokenizer.batch_decode(written, skip_special_tokens=True)
