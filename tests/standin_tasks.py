"""Small made data sets under the names and in the layouts of public ones, for unchanged tasks of ``mteb``.

Paths, splits, subsets and columns come from mteb's own metadata; ``standin_tasks_own.py`` has what a task's own code expects
beyond it. Two rows of each set ask the same and have different answers, so that no encoder is right everywhere::

    write_all(folder, ["STS17", "FloresBitextMining"], subsets=["en-en", "eng_Latn-deu_Latn"])
    with loopback.serve(folder) as url: ...
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from standin_tasks_made import Order, Rows, graded, labelled, mined, parallel, tables
from standin_tasks_own import OWN
from standin_tasks_sought import searched

if TYPE_CHECKING:
    from datasets import Dataset

MAKERS = {
    "Classification": tables(labelled),
    "STS": tables(graded),
    "BitextMining": tables(mined),
    "Parallel": parallel,
    "Reranking": searched,
    "Retrieval": searched,
}


def write_all(folder: Path, names: Iterable[str], **options: Any) -> None:
    """Write the sets of several tasks, each with the options of ``write_task``."""
    for name in names:
        write_task(name, folder, **options)


def write_task(
    name: str, folder: Path, *, rows: int | None = 24, seed: int = 0, subsets: Sequence[str] | None = None
) -> None:
    """Write ``<folder>/datasets/<owner>/<name>/`` for one task of mteb.

    Args:
        rows: of each split and subset, queries and documents each, at least 2; None: as many as mteb counts in the real set.
        subsets: language subsets to write; None, or none that the task has: all.
    """
    import mteb

    task = mteb.get_task(name)
    chosen = [one for one in task.hf_subsets if one in (subsets or ())] or task.hf_subsets
    make = OWN.get(name) or MAKERS["Parallel" if getattr(task, "parallel_subsets", False) else task.metadata.type]
    for place, splits in make(Order(task, chosen, rows, seed)).items():
        for split, table in splits.items():
            _write(folder / "datasets" / place / split, table)
        _describe((folder / "datasets" / place).parent)


def _write(path: Path, table: Rows | Dataset) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(table, list):
        path.with_name(f"{path.name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    else:  # its columns have types that JSON lacks
        table.to_parquet(path.with_name(f"{path.name}.parquet"))


def _describe(repository: Path) -> None:
    """The head of the card: each folder is a configuration, each file in it a split."""
    configs = [
        {
            "config_name": folder.name,
            "data_files": [
                {"split": one.stem, "path": f"{folder.name}/{one.name}"} for one in sorted(folder.iterdir())
            ],
        }
        for folder in sorted(repository.iterdir())
        if folder.is_dir()
    ]
    (repository / "README.md").write_text(f"---\n{json.dumps({'configs': configs})}\n---\nMade up for tests.\n")
