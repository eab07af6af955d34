"""Publish a finished run: check that it is whole, then put its records, pages and scores into ``results/<profile>/``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jtcse.core.config import Settings, load_settings
from jtcse.core.errors import UserError
from jtcse.core.files import checkout, new_folder, write_atomically
from jtcse.core.record import read_record
from jtcse.experiments import published_scores
from jtcse.pipeline.plan import OF_COMMANDS, PAGES, plan_of
from jtcse.pipeline.publish import pages

MIB = 2**20
PAGES_LIMIT, SCORES_LIMIT = 15 * MIB, 10 * MIB


@dataclass
class Outcome:
    """What is published, by name, and a sentence for each thing that is not."""

    records: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    scores: dict[str, bytes] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def sizes(self) -> list[str]:
        """A line for each kind of file: how many, how large together, which is the largest."""
        kinds = {"records": self.records, "pages": self.pages, "files of scores": self.scores}
        return [f"{len(files)} {kind}, {_size(files)}" for kind, files in kinds.items() if files]


@dataclass(frozen=True)
class Source:
    """A run that is to be published: its checkout, profile and workspace."""

    root: Path
    profile: str
    workdir: Path

    def page(self, name: str) -> str:
        """The text of a page as it is published.

        Raises:
            UserError: it was not executed, or may not be published (``pages.page``).
        """
        executed = self.workdir / "executed" / f"{name}.ipynb"
        if not executed.is_file():
            raise UserError(
                f"notebook {name!r} was not executed in {self.workdir}; run jtcse reproduce --profile {self.profile}"
            )
        own = {self.workdir: f"build/{self.profile}", self.root: "."}
        if self.workdir.parts[-2:] == ("build", self.profile):
            own[self.workdir.parent.parent] = "."
        text = pages.page(executed, self.root / "notebooks" / f"{name}.ipynb", self.record(name), own)
        pages.refuse_machine(text, f"page {name!r}", self._machine())
        return text

    def record(self, name: str) -> str:
        """The text of a record that says by which commit it was made.

        Raises:
            UserError: there is none, it is another run's, or no commit is what made it.
        """
        path = self.workdir / "records" / f"{name}.json"
        record, text = read_record(path), path.read_text(encoding="utf8")
        if (record.profile, record.run) != (self.profile, name):
            raise UserError(
                f"run record {path} is of run {record.run!r} of profile {record.profile!r}; "
                f"expected {name!r} of {self.profile!r}: delete it and run again"
            )
        made = record.provenance
        if made.commit is None or made.dirty is not False:
            found = "no commit" if made.commit is None else "a tree with changes that are in no commit"
            raise UserError(
                f"run record {path} was made by {found}; expected a commit: commit everything and run it again"
            )
        pages.refuse_machine(text, f"run record {path.name}", self._machine())
        return text

    def _machine(self) -> list[Path]:
        """Folders whose paths would say on which machine it ran."""
        own = {self.root, self.workdir, Path.home(), Path(tempfile.gettempdir()), Path(sys.prefix)}
        return sorted(folder for folder in own if len(folder.parts) > 1)


def publish(profile: str, workdir: Path | None = None, partial: bool = False, root: Path | None = None) -> Outcome:
    """Put the outcome of a run in place of the one that is committed for its profile.

    Args:
        profile: whose run it is; other profiles are left alone.
        workdir: workspace of the run; by default ``build/<profile>``.
        partial: publish what is whole; the book then says of other pages that they were not run.
        root: checkout; by default that of this package.
    Raises:
        UserError: something is not whole, and ``partial`` is not given; pages are too large; nothing is whole.
    """
    root, settings, outcome = (root or checkout()).resolve(), load_settings(profile), Outcome()
    source = Source(root, profile, Path(workdir or root / "build" / profile).resolve())
    plan = plan_of(root, settings)
    kept = [name for name in settings.committed if name in plan]
    for name in kept or plan:
        with _attempt(outcome.said, partial):
            outcome.pages[name] = source.page(name)
    if not outcome.pages:
        raise UserError(
            f"nothing in {source.workdir} is whole enough to publish; run it first: jtcse reproduce --profile {profile}"
        )
    _refuse_large(outcome.pages)
    beside = [name for name in OF_COMMANDS if (source.workdir / "records" / f"{name}.json").is_file()]
    for name in (*(plan if kept else outcome.pages), *beside):
        with _attempt(outcome.said, partial):
            outcome.records[name] = source.record(name)
    with _attempt(outcome.said, partial):
        _add_scores(outcome, source, settings, partial)
    _write(outcome, root / "results" / profile)
    return outcome


@contextmanager
def _attempt(said: list[str], partial: bool) -> Iterator[None]:
    """What is not whole is told in ``said`` if ``partial``, and else ends the publication."""
    try:
        yield
    except UserError as error:
        if not partial:
            raise UserError(f"{error}; --partial publishes the rest") from error
        said.append(str(error))


def _refuse_large(texts: Mapping[str, str]) -> None:
    total = sum(len(text.encode()) for text in texts.values())
    if total > PAGES_LIMIT:
        raise UserError(
            f"the pages have {_size(texts)}; expected at most {PAGES_LIMIT / MIB:.0f} MiB in all: make that notebook show less"
        )


def _add_scores(outcome: Outcome, source: Source, settings: Settings, partial: bool) -> None:
    """Scores of single pairs, where they are not too large; with ``partial`` also those of some cells only."""
    from jtcse.core.run import Run, Workspace

    run = Run("publish", source.profile, settings, Workspace(source.workdir))
    files, missing = published_scores.gathered(run, outcome.records)
    if missing:
        (id, seed), others = missing[0], len(missing) - 1
        named = f"{id}{'' if seed is None else f', seed {seed}'}{f', nor of {others} others' if others else ''}"
        sentence = (
            f"{source.workdir} has no scores of {named}; expected all that this checkout's code and settings make: "
            "publish from the checkout that made the run, or run it again"
        )
        if not partial:
            raise UserError(sentence)
        outcome.said.append(sentence)
    if sum(map(len, files.values())) <= SCORES_LIMIT:
        outcome.scores = files
        return
    outcome.said.append(
        f"scores of single pairs are left out, {_size(files)}; expected at most {SCORES_LIMIT / MIB:.0f} MiB: "
        f"jtcse reproduce --profile {source.profile} makes them again"
    )


def _write(outcome: Outcome, folder: Path) -> None:
    """All of it; a kill in between leaves pages that the book refuses because their records are others."""
    _fill(folder / PAGES, {f"{name}.ipynb": text for name, text in outcome.pages.items()})
    _fill(folder / published_scores.FOLDER, outcome.scores)
    gone = sorted(old for old in folder.glob("*.json") if old.stem not in (*outcome.records, *OF_COMMANDS))
    for old in gone:
        old.unlink()
    if gone:
        outcome.said.append(f"removed records that this run has not: {', '.join(old.stem for old in gone)}")
    for name, text in outcome.records.items():
        write_atomically(folder / f"{name}.json", text)


def _fill(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """These files and no others, in place of the folder; none without files."""
    if not files:
        shutil.rmtree(folder, ignore_errors=True)
        return
    with new_folder(folder) as fresh:
        for name, data in files.items():
            write_atomically(fresh / name, data)


def _size(files: Mapping[str, str | bytes]) -> str:
    sizes = {name: len(data.encode() if isinstance(data, str) else data) for name, data in files.items()}
    largest = max(sizes, key=lambda name: sizes[name])
    return f"{sum(sizes.values()) / MIB:.1f} MiB in all, the largest {largest} with {sizes[largest] / MIB:.2f}"
