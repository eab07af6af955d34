"""``jtcse doctor``: says what is there and what is missing, and never fails."""

from __future__ import annotations

import http.server
import threading

import pytest

from jtcse.core.config import profiles
from jtcse.pipeline import doctor


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def by_name(**settings: float) -> dict[str, doctor.Row]:
    return {row.what: row for row in doctor.report(**settings)}


def test_report_without_a_hub_says_which_profiles_still_run(no_hub: None) -> None:
    rows = by_name(hub_timeout=1, seconds=0.05)
    assert not rows["hub"].fine and "HF_ENDPOINT" in rows["hub"].note
    assert rows["profile embedded"].fine and "minutes" in rows["profile embedded"].found
    assert not rows["profile mini"].fine and "hub" in rows["profile mini"].note
    assert {f"profile {name}" for name in profiles()} <= rows.keys()
    assert {
        "Python",
        "torch",
        "GPU",
        "cores",
        "memory",
        "disk here",
        "book tools",
        "matrix products",
    } <= rows.keys()


@pytest.mark.parametrize("status", [200, 401])
def test_hub_that_answers_is_found_whatever_it_says(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    class Hub(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Stay quiet."""

    with http.server.HTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        row = doctor._hub(2)
        thread.join()
    assert row.fine and "answers" in row.found


def test_nonsense_address_of_the_hub_is_a_row_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "no address")
    assert not doctor._hub(1).fine


def test_slower_machine_is_told_a_longer_time() -> None:
    def minutes(rate: float) -> int:
        return int(doctor._profile("mini", rate, hub=True).found.split()[1])

    assert minutes(doctor.REFERENCE_RATE / 4) > minutes(doctor.REFERENCE_RATE) > minutes(doctor.REFERENCE_RATE * 4)


@pytest.mark.parametrize("profile", ["paper_bert", "rung_narrow"])
def test_profile_that_was_not_run_is_estimated_from_its_operations_and_wants_a_gpu(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    slow, fast = (doctor._profile(profile, rate, hub=True) for rate in (150, 50_000))
    assert slow.fine and slow.note == "wants a GPU" and "days at" in slow.found
    assert "% of the measured rate (an estimate" in slow.found
    assert ("translation not counted" in slow.found) == (profile == "paper_bert")
    assert slow.found != fast.found, "a faster machine is told a shorter time"


def test_profile_that_trains_nothing_is_told_no_time_of_training() -> None:
    assert "--plan" in doctor._profile("checkpoints", 150, hub=True).found


def test_missing_book_tools_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = doctor.importlib.util.find_spec
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None if name == "snakemake" else find(name))
    row = doctor._tools()[0]
    assert not row.fine and "snakemake" in row.found and "constraints.txt" in row.note


def test_show_prints_every_row(
    no_hub: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [doctor.Row("this [thing]", "is here"), doctor.Row("that", "is not", "do [so]", fine=False)]
    monkeypatch.setattr(doctor, "report", lambda: rows)
    doctor.show()
    printed = capsys.readouterr().out
    assert "this [thing]" in printed and "do [so]" in printed
