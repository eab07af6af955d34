"""Build the book of a profile from its executed notebooks: ``python -m jtcse.pipeline.book --profile embedded``.

``jtcse book`` builds it from published pages too (``results/<profile>/pages/``), where the profile was not run here.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from jtcse.core.config import UNTRAINED, load_settings
from jtcse.core.errors import UserError, status_of
from jtcse.core.files import ANSI, checkout, new_folder, write_atomically
from jtcse.core.record import read_record
from jtcse.core.run import commit_of
from jtcse.pipeline.plan import PAGES as PUBLISHED
from jtcse.pipeline.plan import plan_of, read_plan, shown_committed
from jtcse.pipeline.publish.pages import WIDGET, read_page, with_note

PAGES = Path("_build") / "html"
CLEAN = "clean-notebooks"
TRAINED = "only where something is trained"
ONLY = re.compile(
    r"^% (only where (?:something|nothing) is trained): begin\n(.*?)^% \1: end\n", re.DOTALL | re.MULTILINE
)
GLUED = re.compile(r"\{glue:\w+\}`(\w+)\.ipynb::[^`]*`|^```\{glue\} \w+\n:doc: (\w+)\.ipynb\n```$", re.MULTILINE)
# Of MathJax only the script that the pages load and its fonts; the rest is 24 MB.
MATHJAX = ("tex-mml-chtml.js", "output/chtml/fonts/woff-v2")


def is_executed(root: Path, profile: str) -> bool:
    """Whether every notebook that the profile runs was executed in ``build/<profile>``."""
    executed, settings = root / "build" / profile / "executed", load_settings(profile)
    plan = plan_of(root, settings, shown_committed(root, profile, settings))
    return all((executed / f"{name}.ipynb").is_file() for name in plan)


def build_book(profile: str, root: Path | None = None, published: bool = False) -> Path:
    """Assemble the sources of the book and build it, with warnings as errors, into ``build/<profile>/book/``.

    The new book takes the old one's place only when it is whole.

    Args:
        published: from the run in ``results/<profile>``, with pages that say so for notebooks that it has not.
    Returns:
        The first page.
    Raises:
        UserError: a notebook was not executed, a package with scripts is missing, or the build warned; nothing is published,
            or a page with another record than the committed one.
    """
    root, clock = root or checkout(), time.perf_counter()
    build = root / "build" / profile
    with new_folder(build / "book") as fresh:
        assemble(root, profile, fresh, published)
        _run_jupyter_book(fresh)
    first = build / "book" / PAGES / "index.html"
    pages = sorted(page.name for page in first.parent.glob("*.html"))
    report = {"seconds": round(time.perf_counter() - clock, 1), "pages": pages}
    write_atomically(build / "book.json", json.dumps(report, indent=1) + "\n")
    return first


def assemble(root: Path, profile: str, folder: Path, published: bool = False) -> None:
    """Write the book's sources into ``folder``: pages, notebooks, assets, completed ``_config.yml``."""
    shutil.copytree(root / "book", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    clean = folder / "assets" / CLEAN
    clean.mkdir(parents=True)
    settings = load_settings(profile)
    shown = _published(root, profile) if published else _executed(root, profile)
    for page in sorted(folder.glob("*.md")):
        text = _of_scale(page.read_text(encoding="utf8"), settings.scale != UNTRAINED)
        page.write_text(_without_glue(text, read_plan(root).keys() - shown.keys()), encoding="utf8")
    for name in read_plan(root):
        notebook = root / "notebooks" / f"{name}.ipynb"
        text = shown.get(name) or _stub(notebook, _why_missing(root, profile, name))
        (folder / notebook.name).write_text(text, encoding="utf8")
        if name in shown:
            shutil.copy(notebook, clean)
    _copy_scripts(folder / "assets")
    configuration = yaml.safe_load((root / "_config.yml").read_text(encoding="utf8"))
    text = yaml.safe_dump(_completed(configuration, profile, root, published), sort_keys=False, allow_unicode=True)
    (folder / "_config.yml").write_text(text, encoding="utf8")


def _executed(root: Path, profile: str) -> dict[str, str]:
    """The notebooks of the run in ``build/<profile>``, by name, and the committed pages that stand in place of a run."""
    settings = load_settings(profile)
    shown = shown_committed(root, profile, settings)
    found = {name: json.dumps(_committed(read_page(root, profile, name), profile)) for name in shown}
    for name in plan_of(root, settings, shown):
        executed = root / "build" / profile / "executed" / f"{name}.ipynb"
        if not executed.is_file():
            raise UserError(f"notebook {name!r} was not executed in profile {profile!r}; run jtcse reproduce first")
        found[name] = _without_widgets(executed)
    return found


def _committed(page: dict[str, Any], profile: str) -> dict[str, Any]:
    """A published page with the note that this run did not make it."""
    words = (
        f"This page was not run now: it shows the run in `results/{profile}`. "
        f"`jtcse reproduce --profile {profile} --full` runs it as well."
    )
    return with_note(page, "from-the-committed-run", "From the committed run", words)


def _published(root: Path, profile: str) -> dict[str, str]:
    """The published pages of the profile, by name."""
    found = {name: read_page(root, profile, name) for name in plan_of(root, load_settings(profile))}
    if not any(found.values()):
        raise UserError(
            f"no pages of profile {profile!r} in results/{profile}/{PUBLISHED}, and no whole run in build/{profile}; make one: "
            f"jtcse reproduce --profile {profile}"
        )
    return {name: json.dumps(page) for name, page in found.items() if page}


def _of_scale(text: str, trains: bool) -> str:
    """A page without the passages that are for other profiles; comments of MyST enclose them (``TRAINED``)."""
    return ONLY.sub(lambda found: found[2] if (found[1] == TRAINED) == trains else "", text)


def _without_glue(text: str, missing: Collection[str]) -> str:
    """A page with words in place of what pages that are not there would give it."""
    return GLUED.sub(lambda found: "*not run*" if (found[1] or found[2]) in missing else found[0], text)


def _stub(notebook: Path, why: str) -> str:
    """In place of a notebook that is not shown, a page with its title: links to it stay whole."""
    content = json.loads(notebook.read_text(encoding="utf8"))
    first, *_ = content["cells"]
    first["source"] = f"{''.join(first['source']).splitlines()[0]}\n\n{why}, and [](run-yourself.md) says how."
    return json.dumps(content | {"cells": [first]})


def _why_missing(root: Path, profile: str, name: str) -> str:
    if name in plan_of(root, load_settings(profile)):
        return (
            f"This page was not run: the published run of the profile `{profile}` has no outcome of it. "
            f"`jtcse reproduce --profile {profile} --only {name}` makes it"
        )
    return (
        f"This page is not part of the profile `{profile}`, which trains nothing. The profile `embedded` has it: "
        "`jtcse reproduce` makes it"
    )


def _without_widgets(notebook: Path) -> str:
    """The notebook without progress bars: pages with widgets ask a network for their scripts."""
    content = json.loads(notebook.read_text(encoding="utf8"))
    content["metadata"].pop("widgets", None)
    for cell in content["cells"]:
        if "outputs" in cell:
            cell["outputs"] = [output for output in cell["outputs"] if WIDGET not in output.get("data", {})]
    return json.dumps(content)


def _completed(configuration: dict[str, Any], profile: str, root: Path, published: bool) -> dict[str, Any]:
    """The configuration of the repository with what only this run knows."""
    settings = load_settings(profile)
    where = f"in the published run of {_made_by(root, profile)}" if published else "in this build"
    configuration["html"]["extra_footer"] = (
        f"<p>Profile {profile}. Built {datetime.now(UTC):%Y-%m-%d} from {_commit(root)}. "
        f"Numbers that are not marked as printed, or as another profile's, were measured {where}.</p>"
    )
    configuration["sphinx"]["config"].update(companion_profile=profile, companion_promise=settings.promise)
    return configuration


def _made_by(root: Path, profile: str) -> str:
    """The commits that published pages were made by, as their records say."""
    results = root / "results" / profile
    records = [read_record(results / f"{page.stem}.json") for page in sorted((results / PUBLISHED).glob("*.ipynb"))]
    commits = dict.fromkeys(str(record.provenance.commit)[:8] for record in records)
    return f"commit{'s' if len(commits) > 1 else ''} {', '.join(commits)}"


def _copy_scripts(assets: Path) -> None:
    """MathJax and plotly from the installed packages; they are never committed."""
    mathjax = _package("sphinx-mathjax-offline") / "static" / "mathjax"
    for part in MATHJAX:
        target = assets / "vendor" / "mathjax" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (mathjax / part).is_dir() else shutil.copy)(mathjax / part, target)
    shutil.copy(_package("plotly") / "package_data" / "plotly.min.js", assets)


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise UserError(f'the book needs {name}, which is not installed; run pip install -e ".[book]"')
    return Path(found.origin).parent


def _run_jupyter_book(folder: Path) -> None:
    # The package has no __main__, and its script need not be on the path.
    words = ["build", str(folder), "-W", "-n", "--keep-going", "--all"]
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf8", errors="replace")
    # The log names files by where they will stand, not by the folder that is gone a moment later.
    output = ANSI.sub("", done.stdout + done.stderr).replace(str(folder), str(folder.with_name("book")))
    print(output, flush=True)
    if done.returncode:
        complaints = [line.strip() for line in output.splitlines() if "WARNING" in line or "ERROR" in line]
        raise UserError(f"the book does not build cleanly: {complaints[0] if complaints else 'see above'}")


def _commit(root: Path) -> str:
    """Words for the footer: the commit, and whether the tree had changes that are not in it."""
    commit, changed = commit_of(root)
    if commit is None:
        return "a tree without git history"
    return f"commit {commit[:8]}" + (" with changes that are not committed" if changed else "")


def main(words: list[str] | None = None) -> int:
    """The command line of this module, for the pipeline."""
    parser = argparse.ArgumentParser(prog="python -m jtcse.pipeline.book", description=__doc__)
    parser.add_argument("--profile", default="embedded", help="whose executed notebooks to use")
    profile = parser.parse_args(words).profile
    return status_of(lambda: print(build_book(profile)))


if __name__ == "__main__":
    sys.exit(main())
