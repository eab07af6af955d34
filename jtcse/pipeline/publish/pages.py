"""Published pages: executed notebooks without what changes from run to run, each bound to its record and its notebook."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jtcse.core.errors import UserError
from jtcse.pipeline.plan import PAGES

BOUND = "jtcse"  # in a page's metadata: hashes of the record and of the notebook that it belongs to
WIDGET = "application/vnd.jupyter.widget-view+json"
INJECTED = "injected-parameters"
OF_A_RUN = ("papermill", "execution")  # metadata of cells that no two runs share
ANY_DATA = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
ADDRESS = r"(?:https?:|wss?:)?//(?!www\.w3\.org/)"  # of a host; XML's namespaces are names only
ASKS = re.compile(
    rf"\bsrc(?:set)?\s*[=:]\s*[\"'`]?{ADDRESS}|<link\b[^>]*\bhref\s*=\s*[\"']?{ADDRESS}|\burl\([\"']?{ADDRESS}"
    rf"|@import\s+[\"']{ADDRESS}|!\[[^\]]*\]\({ADDRESS}",
    re.IGNORECASE,
)
IN_SCRIPT = re.compile(rf"[\"'`]{ADDRESS}", re.IGNORECASE)
SCRIPT = re.compile(r"<script\b.*?</script>", re.IGNORECASE | re.DOTALL)


def source_hash(notebook: dict[str, Any]) -> str:
    """sha256 of what was written: kind and source of each cell, without the parameters that papermill put in."""
    written = [cell for cell in notebook["cells"] if INJECTED not in cell["metadata"].get("tags", [])]
    text = json.dumps([[cell["cell_type"], "".join(cell["source"])] for cell in written])
    return hashlib.sha256(text.encode()).hexdigest()


def text_hash(text: str) -> str:
    """sha256 of a record's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def page(executed: Path, clean: Path, record: str, places: Mapping[Path, str]) -> str:
    """The text of a published page.

    Args:
        executed: the notebook as it ran.
        clean: the notebook of the checkout.
        record: text of its run record.
        places: folders whose paths may stand in outputs, such as the checkout, and what becomes of them.
    Raises:
        UserError: the notebook was edited after it ran, one of its cells failed, or an output asks a network.
    """
    notebook, written = _notebook(executed), source_hash(_notebook(clean))
    if source_hash(notebook) != written:
        raise UserError(f"notebook {clean} was edited after {executed} ran; expected the same cells: run it again")
    for cell in notebook["cells"]:
        _slim(cell, executed)
    kept = {name: notebook["metadata"][name] for name in ("kernelspec", "language_info")}
    notebook["metadata"] = kept | {BOUND: {"record": text_hash(record), "notebook": written}}
    return _relative(json.dumps(notebook, indent=1, ensure_ascii=False), places) + "\n"


def read_page(root: Path, profile: str, name: str) -> dict[str, Any] | None:
    """A published page as a notebook, with a note on it where its notebook was edited since; None where there is none.

    Raises:
        UserError: it belongs to another record than the committed one, or is no whole page.
    """
    results = root / "results" / profile
    path, record = results / PAGES / f"{name}.ipynb", results / f"{name}.json"
    if not path.is_file():
        return None
    notebook = _notebook(path)
    bound = notebook["metadata"].get(BOUND, {})
    if not record.is_file() or text_hash(record.read_text(encoding="utf8")) != bound.get("record"):
        raise UserError(
            f"page {path} does not belong to the record {record}, which is missing or was changed after it; expected "
            f"both from one run: jtcse publish --profile {profile}"
        )
    if source_hash(_notebook(root / "notebooks" / f"{name}.ipynb")) != bound.get("notebook"):
        words = (
            "The notebook of this page was edited after the run whose outcome is shown here. "
            f"`jtcse reproduce --profile {profile} --only {name}` runs it as it is now."
        )
        with_note(notebook, "edited-since", "Edited since", words)
    return notebook


def with_note(page: dict[str, Any], id: str, title: str, words: str) -> dict[str, Any]:
    """The page with a note under its first cell."""
    source = f"```{{admonition}} {title}\n:class: note\n{words}\n```"
    page["cells"].insert(1, {"cell_type": "markdown", "id": id, "metadata": {}, "source": source})
    return page


def refuse_machine(text: str, what: str, folders: Iterable[Path]) -> None:
    """Refuse a text that holds the path of a folder of this machine; pictures are not looked into.

    Raises:
        UserError: it does.
    """
    bare = ANY_DATA.sub("", text)
    for folder in folders:
        if _path(folder).search(bare):
            raise UserError(
                f"{what} holds the path {folder} of this machine; expected none: print it relative, run again"
            )


def _notebook(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf8"))
        if not isinstance(content["cells"], list) or not isinstance(content["metadata"], dict):
            raise TypeError("no list of cells")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a whole notebook ({type(error).__name__}); make or publish it again") from error
    return content


# -- what is left out ------------------------------------------------------------------------------------------


def _slim(cell: dict[str, Any], executed: Path) -> None:
    """Take out what no reader sees or what changes from run to run: progress bars, notices, timings."""
    cell["metadata"] = {name: value for name, value in cell["metadata"].items() if name not in OF_A_RUN}
    if "outputs" in cell:
        cell["outputs"] = [output for output in cell["outputs"] if _is_shown(output)]
    for output in cell.get("outputs", []):
        if output["output_type"] == "error":
            raise UserError(f"a cell of {executed} failed with {output['ename']}; expected none: run it again")
        for value in output.get("data", {}).values():
            if isinstance(value, str | list):
                _refuse_network("".join(map(str, value)), executed)


def _is_shown(output: dict[str, Any]) -> bool:
    return output.get("name") != "stderr" and WIDGET not in output.get("data", {})


def _refuse_network(text: str, executed: Path) -> None:
    bare = ANY_DATA.sub("", text)
    asked = ASKS.search(bare) or next((a for s in SCRIPT.findall(bare) if (a := IN_SCRIPT.search(s))), None)
    if asked:
        raise UserError(
            f"an output of {executed} asks a network ({asked.string[asked.start() : asked.end() + 40]!r}); expected "
            "pages that open without one: bring what it asks for along, and run again"
        )


def _relative(text: str, places: Mapping[Path, str]) -> str:
    for place, words in places.items():
        text = _path(place).sub(words, text)
    return text


def _path(folder: Path) -> re.Pattern[str]:
    """A folder's path where it is one, and not letters of a picture in base64 or part of a longer name."""
    return re.compile(rf"(?<![A-Za-z0-9+/]){re.escape(str(folder))}(?![\w+-])")
