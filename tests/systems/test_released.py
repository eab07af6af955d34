"""Where released weights lie: the file is whole, each place is one that opens, and what was not verified says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from jtcse.cli import app
from jtcse.core.config import profiles
from jtcse.core.errors import UserError
from jtcse.core.hub import Place
from jtcse.pages.systems import card_markdown
from jtcse.systems import released
from jtcse.systems.released import Checkpoint
from jtcse.systems.settings import published_values, systems

PLACES = [
    (system, backbone, one) for system, backbone in released.everything() for one in released.released(system)[backbone]
]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file with other content in place of the package's."""

    def write(values: dict) -> None:
        (tmp_path / released.FILE).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / released.FILE).write_text(yaml.safe_dump(values))
        monkeypatch.setattr(released, "files", lambda _: tmp_path)
        released._listing.cache_clear()

    yield write
    released._listing.cache_clear()


def entry(**changes) -> dict:
    one = {"name": "owner/name", "revision": "main", "seen": "a page"} | changes
    return {"simcse": {"bert": [{key: value for key, value in one.items() if value is not None}]}}


# -- the package's own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("system", "backbone"), released.everything())
def test_a_system_has_a_place_for_each_of_its_towers(system: str, backbone: str) -> None:
    values = published_values(system, backbone)
    towers = next((len(values[key]) for key in ("weights", "views") if isinstance(values.get(key), list)), 1)
    assert len(released.names(system, backbone)) == towers


@pytest.mark.parametrize(("system", "backbone", "one"), PLACES, ids=lambda one: str(one)[:40])
def test_a_place_is_read_back_as_it_was_written(system: str, backbone: str, one: Checkpoint) -> None:
    place = Place.of(str(one))
    assert (place.name, place.subfolder) == (one.name, one.subfolder)
    assert place.revision == (one.revision if one.pinned else None)


def test_one_place_has_one_story() -> None:
    stories = {(one.place, one.revision, one.seen, one.verified) for _, _, one in PLACES}
    assert len(stories) == len({one.place for _, _, one in PLACES})


def test_what_only_follows_from_others_is_not_verified() -> None:
    implied = {one.place for _, _, one in PLACES if one.seen.startswith("implied")}
    assert implied == {one.place for _, _, one in PLACES if not one.verified}
    assert "UCASzty/JTCSE_BERT_base_1" in implied


def test_the_list_is_no_profile() -> None:
    assert "released" not in profiles()


def test_a_system_without_an_entry_has_none_released() -> None:
    assert released.released("sncse") == {} and released.names("sncse", "bert") == []
    assert released.names("jtcse", "roberta") == []


# -- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", systems())
def test_a_card_shows_each_place_with_its_revision_and_marks_what_was_not_verified(system: str) -> None:
    shown = card_markdown(system, [])
    places = [one for found in released.released(system).values() for one in found]
    for one in places:
        assert f"`{one.place}` at `{one.revision[:7]}`" in shown
    assert shown.count("**not verified**") == sum(not one.verified for one in places)
    assert ("its files can change" in shown) == any(not one.pinned for one in places)
    assert ("No released weights." in shown) == (not places)


def test_the_list_of_systems_marks_what_was_not_verified() -> None:
    shown = CliRunner().invoke(app, ["systems"], env={"COLUMNS": "200"}).output
    assert re.search(r"^ jtcse +JTCSE .* bert\* *$", shown, re.M)
    assert re.search(r"^ simcse .* bert roberta *$", shown, re.M)


# -- what is wrong ---------------------------------------------------------------------------------------------------


def test_an_unknown_system_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'promptbert'"):
        released.released("promtbert")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"revision": "85f1853"}, "revision.*'85f1853'"),
        ({"revision": None}, "revision"),
        ({"name": "name"}, "name.*'name'"),
        ({"name": "owner/name/sub"}, "name.*'owner/name/sub'"),
        ({"subfolder": "/sub"}, "subfolder.*'/sub'"),
        ({"seen": ""}, "seen"),
        ({"commit": COMMIT}, "unknown setting"),
    ],
)
def test_a_broken_entry_is_one_sentence(listing, changes: dict, said: str) -> None:
    listing(entry(**changes))
    with pytest.raises(UserError, match=said) as caught:
        released.names("simcse", "bert")
    assert "\n" not in str(caught.value)


def test_an_entry_of_no_system_is_refused(listing) -> None:
    listing({"simcsee": entry()["simcse"]})
    with pytest.raises(UserError, match=r"unknown system in .*released\.yaml 'simcsee'; did you mean 'simcse'"):
        released.everything()


def test_a_commit_and_a_subfolder_stand_in_the_name(listing) -> None:
    listing(entry(subfolder="deep/tower", revision=COMMIT))
    assert released.names("simcse", "bert") == [f"owner/name/deep/tower@{COMMIT}"]
