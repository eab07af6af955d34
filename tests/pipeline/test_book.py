"""The book: builds with warnings as errors, opens as files without a network, reads on a phone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tiny_checkout import environment, make

HERE = Path(__file__).parents[2]
WIDTHS = {"desk": 1280, "phone": 390}
# Formulas are done when MathJax says so; plotly draws right after its script.
SETTLED = """async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  return {
    wanted: document.querySelectorAll('.math').length,
    formulas: document.querySelectorAll('mjx-container').length,
    bad: document.querySelectorAll('mjx-merror').length,
    figures: document.querySelectorAll('.plotly-graph-div').length,
    drawn: document.querySelectorAll('.plotly-graph-div .main-svg').length,
    banner: document.querySelectorAll('.companion-banner').length,
    width: document.documentElement.scrollWidth,
    images: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src),
  }
}"""


def build(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jtcse.pipeline.book"], cwd=checkout, env=environment(checkout),
                          capture_output=True, text=True)  # fmt: skip


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkout whose notebooks were executed."""
    pytest.importorskip("jupyter_book", reason="the book is built only where the extra 'book' is installed")
    folder = make(tmp_path_factory.mktemp("book") / "checkout")
    executed = folder / "build" / "embedded" / "executed"
    executed.mkdir(parents=True)
    for name in ("first", "second", "aside"):
        given = ["-p", "workdir", str(folder / "build" / "embedded"), "-k", "python3", "--no-progress-bar"]
        words = ["-m", "papermill", f"notebooks/{name}.ipynb", executed / f"{name}.ipynb", *given]
        subprocess.run([sys.executable, *words], cwd=folder, env=environment(folder), check=True, capture_output=True)
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(request: pytest.FixtureRequest) -> list[Path]:
    """Pages of the real book where JTCSE_BOOK names its folder, else of the small one."""
    given = os.environ.get("JTCSE_BOOK")
    top = Path(given) if given else request.getfixturevalue("checkout") / "build" / "embedded" / "book"
    found = sorted((top.resolve() / "_build" / "html").glob("*.html"))
    assert found, f"no pages under {top}"
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        instance = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield instance
        instance.close()


@pytest.mark.browser
@pytest.mark.parametrize("device", WIDTHS)
def test_every_page_opens_without_a_network_and_without_a_complaint(
    browser, pages: list[Path], device: str, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": WIDTHS[device], "height": 900})
    asked: list[str] = []
    context.route("**/*", lambda route: (asked.append(route.request.url), route.abort())
                  if route.request.url.startswith("http") else route.continue_())  # fmt: skip
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda failed: complaints.append(f"not found: {failed.url}"))
    seen = {"formulas": 0, "figures": 0}
    for path in pages:
        complaints.clear()
        page.goto(path.as_uri(), wait_until="load")
        page.wait_for_load_state("networkidle")
        facts = page.evaluate(SETTLED)
        page.screenshot(path=tmp_path / f"{path.stem}-{device}.png", full_page=True)
        assert not complaints and not asked, (path.name, complaints, asked)
        assert not facts["images"] and not facts["bad"], (path.name, facts)
        assert facts["formulas"] >= facts["wanted"], (path.name, facts)
        assert facts["drawn"] >= facts["figures"], (path.name, facts)
        assert facts["width"] <= WIDTHS[device] + 1, f"{path.name} scrolls sideways: {facts['width']} px"
        if path.stem not in ("index", "genindex", "search"):
            assert facts["banner"] == 1, path.name
        seen = {key: seen[key] + facts[key] for key in seen}
    assert all(seen.values()), f"no page had a formula or a figure, so this checked nothing: {seen}"
    context.close()


def test_book_offers_both_notebooks_and_colab_opens_the_clean_one(checkout: Path) -> None:
    html = checkout / "build" / "embedded" / "book" / "_build" / "html"
    page = (html / "first.html").read_text()
    assert "/blob/main/notebooks/first.ipynb" in page
    clean = html / "_static" / "clean-notebooks" / "first.ipynb"
    executed = html / "_sources" / "first.ipynb"
    for path in (clean, executed):
        assert str(path.relative_to(html)) in page
    assert not any(cell.get("outputs") for cell in json.loads(clean.read_text())["cells"])
    assert any(cell.get("outputs") for cell in json.loads(executed.read_text())["cells"])
    assert "THEBE_JS_URL" not in page


def test_page_names_its_profile_and_what_the_profile_cannot_say(checkout: Path) -> None:
    page = (checkout / "build" / "embedded" / "book" / "_build" / "html" / "intro.html").read_text()
    assert "Profile embedded" in page and "Wind tunnel" in page
    assert 'The score is <span class="pasted-text">41.0</span>' in page


def test_book_that_warns_is_refused_and_the_old_one_stays(checkout: Path) -> None:
    intro = checkout / "book" / "intro.md"
    built = checkout / "build" / "embedded" / "book" / "_build" / "html" / "intro.html"
    before, old = intro.read_text(), built.read_bytes()
    intro.write_text(before + "\n{glue:text}`first.ipynb::nothing:.1f`\n")
    done = build(checkout)
    intro.write_text(before)
    assert done.returncode == 2 and "nothing" in done.stderr and "Traceback" not in done.stderr
    assert built.read_bytes() == old
    assert not list((checkout / "build" / "embedded").glob(".book.*"))


def test_missing_executed_notebook_is_named(checkout: Path) -> None:
    path = checkout / "build" / "embedded" / "executed" / "second.ipynb"
    hidden = path.rename(path.with_suffix(".hidden"))
    done = build(checkout)
    hidden.rename(path)
    assert done.returncode == 2 and "'second' was not executed" in done.stderr


def test_contents_list_every_notebook_of_the_plan_once_and_each_part_in_running_order() -> None:
    contents = yaml.safe_load((HERE / "book" / "_toc.yml").read_text())
    parts = [[chapter["file"] for chapter in part["chapters"]] for part in contents["parts"]]
    files = [name for part in parts for name in part]
    plan = list(yaml.safe_load((HERE / "workflow" / "notebooks.yaml").read_text()))
    assert sorted(name for name in files if name in plan) == sorted(plan)
    assert all((HERE / "book" / f"{name}.md").is_file() for name in files if name not in plan)
    for part in parts:
        assert [name for name in plan if name in part] == [name for name in part if name in plan]
