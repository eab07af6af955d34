"""The ledger's pages: escaped, whole without records, and every measured number leads to its run."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import made_up
import pytest
from made_up import metric, record

from jtcse.core.config import load_settings
from jtcse.core.errors import UserError
from jtcse.paper import printed
from jtcse.paper.ledger import STATES, AllRecords, counts, entries, reference

pytest.importorskip("IPython", reason="IPython comes with the extra 'book'")
from jtcse.pages.furniture.html import LETTERS, piece
from jtcse.pages.ledger import lists as ledger_pages
from jtcse.pages.ledger import tables as ledger_view

PLACES = [*printed.TITLES]


class Page(HTMLParser):
    """Tags of a piece of HTML, and whether each that was opened was closed."""

    VOID = ("br", "hr", "img", "wbr")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def every(self, tag: str, name: str) -> list[str]:
        """The values of an attribute over all tags of a kind that have it."""
        return [given[name] or "" for kind, given in self.found if kind == tag and name in given]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch):
    """``side_by_side`` over made-up records instead of those of this checkout."""

    def shown(place: str, *records, problems: tuple[str, ...] = ()) -> str:
        monkeypatch.setattr(ledger_view, "all_records", lambda workdir: AllRecords(list(records), list(problems)))
        return ledger_view.side_by_side(place, SimpleNamespace(workspace=SimpleNamespace(root=Path("nowhere")))).data

    return shown


# -- the picture -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [[], made_up.one_of_each()], ids=["none", "some"])
def test_the_picture_has_a_square_for_every_row_and_the_legend_adds_up(records: list) -> None:
    ledger = entries(records)
    html = ledger_view.picture(ledger).data
    titles = Page(html).every("i", "title")
    assert len(titles) == len(ledger)
    for entry, title in zip(ledger, titles, strict=True):
        assert title.startswith(f"{entry.id}: ") and title.endswith(f", {entry.state}")
    for state, number in counts(ledger).items():
        assert f"{state}: {number:,}<" in html
        assert len(re.findall(rf"<i class={LETTERS[state]} title", html)) == number


def test_the_picture_is_small() -> None:
    assert len(ledger_view.picture(entries(made_up.one_of_each())).data) < 200_000


def test_strips_lead_to_pages_that_exist() -> None:
    for pages, links in (
        (["table10"], ["table10.html"]),
        (["table10", "ledger"], ["table10.html", "ledger.html#claims"]),
    ):
        assert Page(ledger_view.picture(entries([]), pages).data).every("a", "href") == links
    assert 'id="claims"' in ledger_pages.claims_list(entries([])).data


def test_no_state_is_told_by_its_colour_alone() -> None:
    looks = [piece().split(f".ledger i.{LETTERS[state]}{{")[1].split("}")[0] for state in STATES]
    assert len(set(looks)) == len(STATES)
    told = {state: look for state, look in zip(STATES, looks, strict=True) if not look.startswith("background:#")}
    assert set(told) == {"not reproduced", "direction disagrees", "direction undecided"}


# -- side by side ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_every_place_shows_its_printed_values_and_not_run_without_records(place: str, show) -> None:
    html = show(place)
    Page(html)
    assert "not run" in html and "runs.html" not in html
    for text in printed.table(place)["text"]:
        assert f"<td>{text}" in html


@pytest.mark.parametrize("place", ["table1", "table7", "table10"])
def test_what_was_measured_stands_under_the_printed_table_and_leads_to_its_run(place: str, show) -> None:
    id = "table1/BERT-base/JTCSE/7Avg"
    own = record(metric(id, 61.25, 60, 62), metric(f"{id}>{reference(id)}", 0.5, 0.25, 0.75), run="seven_tasks")
    html = show(place, own, *made_up.one_of_each())
    links = Page(html).every("a", "href")
    wanted = {"table1": "run-mini-seven_tasks", "table7": "run-embedded-table7", "table10": "run-paper_bert-table10"}
    assert f"runs.html#{wanted[place]}" in links
    if place == "table1":
        assert "61.25</a>" in html and "+0.50 (+0.25 to +0.75)" in html and "direction agrees" in html
    if place == "table10":
        assert html.index("Measured, mini") < html.index("Measured, paper_bert")
        for state in ("direction agrees", "direction disagrees", "direction undecided", "within seed band"):
            assert f">{state}<" in html


@pytest.mark.parametrize("profiles", [["mini"], ["embedded", "mini", "paper_bert"]], ids=["one profile", "all"])
@pytest.mark.parametrize("place", PLACES)
def test_every_place_shows_a_table_for_each_profile_that_has_records(place: str, profiles: list, show) -> None:
    """Every value of the place is answered, over two seeds and against its reference."""
    ids = list(printed.table(place).index)
    points = [m for id in ids for m in made_up.over_seeds(id, [50.0, 50.5], 49, 52)]
    points += [m for id in ids if reference(id) for m in made_up.over_seeds(f"{id}>{reference(id)}", [1.0, 2.0], 1, 2)]
    html = show(place, *(record(*points, run=place, profile=profile) for profile in profiles))
    Page(html)
    assert ">not run<" not in html or not ids
    assert [html.count(f"<p><b>Measured, {profile}") for profile in profiles] == [1 if ids else 0] * len(profiles)


def test_an_unknown_place_is_a_sentence(show) -> None:
    with pytest.raises(UserError, match="table99"):
        show("table99")


def test_records_that_could_not_be_used_are_pointed_at(show) -> None:
    assert "1 records or metrics could not be used" in show("table10", problems=("no record",))


def test_wide_tables_scroll_inside_themselves(show) -> None:
    html = show("table2")
    assert html.count("<div class=box tabindex=0") == html.count("<table>") == 1


# -- the other views -------------------------------------------------------------------------------------------


def test_counts_of_the_table_are_those_of_the_ledger() -> None:
    ledger = entries(made_up.one_of_each())
    html = ledger_pages.counts_table(ledger).data
    numbers = {state: 0 for state in STATES}
    for state in STATES:
        found = re.findall(rf"<td class={LETTERS[state]}>([\d,]+)</td>", html)
        numbers[state] = sum(int(number.replace(",", "")) for number in found)
    assert numbers == counts(ledger)


def test_claims_are_listed_with_their_effect() -> None:
    html = ledger_pages.claims_list(entries(made_up.one_of_each())).data
    assert "runs.html#run-mini-table10" in html and "+0.40" in html
    assert html.count("<th scope=row>C") == len(printed.claims())


def test_runs_have_an_id_their_settings_and_nothing_unescaped() -> None:
    bad = record(metric("<b>x</b>", 1), run="odd", profile="mini", stage2__steps=7)
    html = ledger_pages.runs_list(AllRecords([*made_up.one_of_each(), bad])).data
    page = Page(html)
    assert page.every("details", "id") == ["run-embedded-table7", "run-mini-table10", "run-mini-odd",
                                           "run-paper_bert-table10"]  # fmt: skip
    assert f"stage2.steps: 7, profile {load_settings('mini').stage2.steps}" in html
    assert "<b>x</b>" not in html and "&lt;b&gt;x" in html and "Linux &lt;x86_64&gt;" in html
    assert "0123456789abcdef" in html
    assert "no run record" in ledger_pages.runs_list(AllRecords()).data


def test_every_run_says_what_runs_it_again_and_a_grid_what_runs_one_cell() -> None:
    grid = record(*made_up.over_seeds("table11/Avg(FL)/SimCSE", [70.0, 71.0]), run="table11", profile="mini")
    html = ledger_pages.runs_list(AllRecords([grid, record(run="odd & even", profile="mini")])).data
    cell = "jtcse rerun &#x27;table11/Avg(FL)/SimCSE&#x27; --seed 1 --profile mini"
    assert f"<code>jtcse rerun table11 --profile mini</code>, or <code>{cell}</code>" in html
    assert "<code>jtcse rerun &#x27;odd &amp; even&#x27; --profile mini</code></td>" in html


def test_problems_are_escaped() -> None:
    assert "&lt;script&gt;" in ledger_pages.problems_list(AllRecords([], ["<script>"])).data
    assert "could be used" in ledger_pages.problems_list(AllRecords()).data


@pytest.mark.browser
def test_a_click_on_a_measured_number_opens_its_run(show, tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    records = made_up.one_of_each()
    (tmp_path / "table10.html").write_text(show("table10", *records), encoding="utf8")
    (tmp_path / "runs.html").write_text(ledger_pages.runs_list(AllRecords(records)).data, encoding="utf8")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.goto((tmp_path / "table10.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 391
        page.click("text=78.60")
        page.wait_for_function("document.querySelector('details[open]')")
        opened = page.evaluate("[...document.querySelectorAll('details[open]')].map(d => d.id)")
        browser.close()
    assert opened == ["run-paper_bert-table10"]
