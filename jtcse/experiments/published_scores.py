"""Published scores of single pairs: a file a system or cell of a grid, gold scores once, an index that says whose they are."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jtcse.core.errors import UserError, unknown

if TYPE_CHECKING:
    from jtcse.core.run import Run
    from jtcse.evaluation.sts import TaskScore

FOLDER, INDEX = "scores", "index.json"
VALUES = "points_low_high"  # (tasks, 3), beside an array of cosines a task
SYSTEMS_PAGE = "seven_tasks"
Owner = tuple[str, int | None]  # id of a system or cell, training seed


def scores(profile: str, id: str, seed: int | None = None, root: Path | None = None) -> dict[str, TaskScore]:
    """Published scores by task, as ``evaluation.sts.read_scores`` gives them.

    Args:
        id: of a system, such as ``jtcse``, or of a cell, such as ``table10/NCE+ICTM``.
        seed: of its training; None for a system, and for a cell that is not trained.
        root: checkout; by default that of this package.
    Raises:
        UserError: nothing is published under that name or seed, or a file is not whole.
    """
    from jtcse.core.files import checkout

    folder = (root or checkout()) / "results" / profile / FOLDER
    files = _index(folder, profile)
    found = [(cell["id"], cell["seed"], name) for name, entry in files.items() for cell in entry["cells"]]
    seeds = {some: name for other, some, name in found if other == id}
    if not seeds:
        raise unknown("system or cell with published scores", id, {other for other, _, _ in found})
    if seed not in seeds:
        raise UserError(
            f"{id!r} has published scores of seed {', '.join(map(str, seeds))}; got seed {seed}: give one of these"
        )
    return _read(folder / seeds[seed], folder / files[seeds[seed]]["gold"])


def gathered(run: Run, pages: Collection[str]) -> tuple[dict[str, bytes], list[Owner]]:
    """The files to publish by name, and cells whose scores the workspace does not have. Nothing is trained.

    Args:
        pages: names of the notebooks that are published: their systems and cells are looked for.
    """
    from jtcse.core.files import sha256

    kept: dict[Path, list[Owner]] = {}
    missing: list[Owner] = []
    for owner, path in _sources(run, pages):
        (kept.setdefault(path, []) if path.is_file() else missing).append(owner)
    files: dict[str, bytes] = {}
    index: dict[str, dict[str, Any]] = {}
    for path, owners in kept.items():
        name, place = _name(owners[0], index), path.relative_to(run.workspace.root)
        files[name], gold = _split(path)
        gold_name = f"gold-{hashlib.sha256(gold).hexdigest()[:8]}.npz"
        files[gold_name] = gold
        index[name] = {
            "cells": [{"id": id, "seed": seed} for id, seed in owners],
            "key": place.parts[2] if place.parts[0] == "variants" else None,
            "from": place.as_posix(),
            "sha256": sha256(path),
            "gold": gold_name,
        }
    if files:
        files[INDEX] = (json.dumps({"schema_version": 1, "files": index}, indent=1) + "\n").encode()
    return files, missing


def _sources(run: Run, pages: Collection[str]) -> Iterator[tuple[Owner, Path]]:
    """Every system and cell of the published pages, and where its scores lie if they were made."""
    from jtcse.experiments.ablations import cells
    from jtcse.experiments.ablations.grids import GRIDS
    from jtcse.experiments.names import SYSTEMS

    for name in SYSTEMS if SYSTEMS_PAGE in pages else ():
        yield (name, None), run.workspace.scores / f"{name}.npz"
    for place in GRIDS:
        for cell, seed in cells.members(run, place) if place in pages else ():
            yield (cell.id, seed), cells.place_of(run, cell, seed) / cells.scores_file(run, cell)


def _name(owner: Owner, taken: Mapping[str, Any]) -> str:
    """``table10/NCE+ICTM`` of seed 3 as ``table10-NCE+ICTM-seed-3.npz``."""
    id, seed = owner
    stem = re.sub(r"[^\w.+=-]+", "-", id) + ("" if seed is None else f"-seed-{seed}")
    digest = hashlib.sha256(f"{id} {seed}".encode()).hexdigest()[:6]
    return f"{stem}.npz" if f"{stem}.npz".lower() not in map(str.lower, taken) else f"{stem}-{digest}.npz"


def _split(path: Path) -> tuple[bytes, bytes]:
    """Cosines with the values of each task, and the gold scores, of a file of scores."""
    import numpy as np

    from jtcse.evaluation.sts import read_scores

    by_task = read_scores(path)
    values = np.array([[score.points, score.low, score.high] for score in by_task.values()])
    cosines = {task: score.similarity.astype(np.float32) for task, score in by_task.items()}
    return _packed(cosines | {VALUES: values}), _packed({task: score.gold for task, score in by_task.items()})


def _packed(arrays: Mapping[str, Any]) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _index(folder: Path, profile: str) -> dict[str, dict[str, Any]]:
    path = folder / INDEX
    if not path.is_file():
        raise UserError(f"no scores of profile {profile!r} are published in {folder}; make and publish them: "
                        f"jtcse reproduce --profile {profile}, then jtcse publish --profile {profile}")  # fmt: skip
    return json.loads(path.read_text(encoding="utf8"))["files"]


def _read(path: Path, gold: Path) -> dict[str, TaskScore]:
    import numpy as np

    from jtcse.evaluation.sts import TaskScore

    try:
        with np.load(path, allow_pickle=False) as stored, np.load(gold, allow_pickle=False) as scored:
            found = {}
            for task, (points, low, high) in zip(scored.files, stored[VALUES].tolist(), strict=True):
                cosines, graded = stored[task], scored[task]
                if cosines.shape != graded.shape:
                    raise ValueError(f"{task}: cosines {cosines.shape} against gold scores {graded.shape}")
                found[task] = TaskScore(task, points, len(graded), low, high, cosines, graded)
            return found
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} with {gold.name} is no whole file of published scores ({type(error).__name__}); "
                        "restore both from the repository, or publish again") from error  # fmt: skip
