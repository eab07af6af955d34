"""A trained encoder as a folder of its own: a ``SentenceTransformer`` with its model card, written whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from jtcse.core.config import load_settings
from jtcse.core.errors import UserError, check_choice
from jtcse.core.files import new_folder
from jtcse.core.run import Workspace
from jtcse.pipeline.release.licences import LICENCE_FILE, licence_words
from jtcse.pipeline.release.model_card import card
from jtcse.pipeline.release.provenance import MADE_BY, Story, story


def release(out: Path, profile: str, workspace: Workspace, system: str = "distilled") -> Story:
    """Write a trained encoder with its model card to ``out``, a folder that is new or empty.

    Returns:
        what the card tells; ``scores`` is None where no run has scored these weights on the graded sets.
    Raises:
        UserError: unknown profile or system, a taken ``out``, no model, no record, or records of another model than this.
    """
    load_settings(profile)
    check_choice("system to release", system, MADE_BY)
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UserError(f"{out} is there and not empty; expected a new folder: give another name, or remove it")
    found = story(profile, workspace, system)
    with new_folder(out) as fresh:
        shutil.copytree(found.folder, fresh, dirs_exist_ok=True, copy_function=shutil.copyfile)
        (fresh / "README.md").write_text(card(found, out.name), encoding="utf8")
        (fresh / LICENCE_FILE).write_text(licence_words(found.settings) + "\n", encoding="utf8")
    return found
