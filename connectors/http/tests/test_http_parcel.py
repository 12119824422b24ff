"""The example of a REST connector: it is short, and the mistakes that authors of such connectors
make cannot be made in it.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from http_rig import attempt
from jackfield.connector import Guard, InvalidConnection
from jackfield.testing import HANG, RESET, Answer, Harness, Provider, refused, throttled
from jackfield_market.testing.grading import check
from jackfield_market.testing.loopback_provider import Step

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

FOLDER = Path(__file__).parents[3] / "examples" / "parcel"
JOB, DONE, PDF = Answer({"id": "j1"}, 202), Answer({"state": "done"}), Answer(content=b"%PDF")


@pytest.fixture
def parcels() -> Iterator[Harness]:
    """The connector behind the whole pipe."""
    with Harness.of(str(FOLDER / "tests" / "test_parcel.py")) as harness:
        yield harness


def test_it_is_short_and_sound() -> None:
    """Five actions, their tests and their packaging take at most 110 lines, and every rule of the
    grade bronze holds.
    """
    files = [FOLDER / "pyproject.toml", *FOLDER.rglob("*.py")]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= 110
    assert (
        len(
            json.loads(
                (FOLDER / "jackfield_parcel" / "connector.json").read_text(encoding="utf-8")
            )["actions"]
        )
        == 5
    )
    assert check(str(FOLDER)).grade == "bronze"


def test_b1_a_job_is_started_once(parcels: Harness) -> None:
    """B1: a poll that is throttled, fails or is reset is repeated by itself; the POST before it is
    not.
    """
    server = parcels.serve(
        JOB, throttled(), refused(503), RESET, Answer({"state": "busy"}), DONE, PDF
    )
    result = parcels.invoke("printLabel", {"id": "p1"})
    assert (result.status, result.output, server.writes) == (
        "succeeded",
        {"id": "j1", "state": "done", "pdf": "JVBERg=="},
        1,
    )


def test_b1_a_job_that_takes_too_long_can_be_resumed(parcels: Harness) -> None:
    """B1: at the deadline the outcome is in doubt, its error names the job, and the job can be
    waited for without a second one.
    """
    server = parcels.serve(JOB, Answer({"state": "busy"}))
    result = parcels.invoke("printLabel", {"id": "p1"}, timeoutSeconds=20)
    assert (result.status, server.writes) == ("in_doubt", 1)
    assert result.error is not None
    assert '"id": "j1"' in str(result.error)
    server = parcels.serve(DONE, PDF)
    assert parcels.invoke("printLabel", {"id": "p1", "job": "j1"}).status == "succeeded"
    assert server.writes == 0


@pytest.mark.parametrize(
    "step", [refused(500), RESET, Answer(missing=5), Answer(content=b"<html>")]
)
def test_b2_a_write_of_unknown_outcome_is_sent_once(parcels: Harness, step: Step) -> None:
    """B2: whatever the server does to a write, its requests are announced, so it is in doubt and
    not repeated.
    """
    server = parcels.serve(step)
    result = parcels.invoke("addPhoto", {"id": "p1", "photo": "x"})
    assert (result.status, result.meta.attempts, server.writes) == ("in_doubt", 1, 1)


def test_b2_a_write_that_hangs_is_in_doubt(parcels: Harness) -> None:
    """B2: a deadline that passes while the server works is no timeout that could be repeated."""
    server = parcels.serve(HANG)
    assert (
        parcels.invoke("addPhoto", {"id": "p1", "photo": "x"}, timeoutSeconds=2).status,
        server.writes,
    ) == ("in_doubt", 1)


def test_b3_tenants_do_not_reach_the_operators_network(parcels: Harness) -> None:
    """B3: the client connects to addresses that the connection may reach, and to no other."""
    kind = importlib.import_module("jackfield_parcel").ParcelKey
    with Provider([Answer()]) as provider:
        values = {"apiKey": "k"}
        with (
            attempt(provider.url, kind, guard=Guard(), values=values) as (api, _),
            pytest.raises(InvalidConnection),
        ):
            api.get("/parcels")
        assert provider.requests == []


def test_b4_a_deadline_between_two_requests_is_a_timeout(parcels: Harness) -> None:
    """B4: a deadline that passes between the requests of a read is a timeout, not an error of the
    connector.
    """
    parcels.serve(
        lambda number, _request: (
            Answer({"parcels": [{"id": "p1"}], "nextToken": "t"}) if number == 1 else HANG
        )
    )
    result = parcels.invoke("listParcels", {"fetchAll": True}, timeoutSeconds=4)
    assert (result.status, result.meta.complete) == ("succeeded", False)
    parcels.serve(HANG)
    result = parcels.invoke("findParcel", {"id": "p1"}, timeoutSeconds=0.5)
    assert result.error is not None
    assert result.error.code == "timeout"


def test_b5_nothing_is_printed(parcels: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    """B5: the library writes nothing to stdout or stderr, whether a call succeeds or fails."""
    parcels.serve(Answer({"id": "p1"}), refused(404))
    parcels.invoke("findParcel", {"id": "p1"})
    parcels.invoke("findParcel", {"id": "p1"})
    assert capfd.readouterr() == ("", "")


def test_a_server_without_tls_needs_no_authorities(
    parcels: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's certificate authorities, which take 25 ms, are loaded when the first connection
    needs them.
    """
    monkeypatch.setattr(
        "ssl.create_default_context", lambda: pytest.fail("the authorities were loaded")
    )
    parcels.serve(Answer({"id": "p1"}))
    assert parcels.invoke("findParcel", {"id": "p1"}).status == "succeeded"


def test_b6_all_attempts_have_one_key(parcels: Harness) -> None:
    """B6: a repeated request carries the key of the first, so that the provider recognises it."""
    server = parcels.serve(refused(500), RESET, throttled(), Answer({"id": "p1"}))
    result = parcels.invoke("addParcel", {"name": "Ada"}, idempotencyKey="order-7")
    keys = {
        value
        for request in server.requests
        for name, value in request.headers.items()
        if name.lower() == "idempotency-key"
    }
    assert (result.status, len(server.requests), keys) == ("succeeded", 4, {"order-7"})


def test_lists_go_on(parcels: Harness) -> None:
    """All pages of a list, and a single one that says where the next begins."""
    parcels.serve(
        Answer({"parcels": [{"id": "a"}], "nextToken": "t"}), Answer({"parcels": [{"id": "b"}]})
    )
    result = parcels.invoke("listParcels", {"fetchAll": True})
    assert (result.output, result.meta.complete) == ({"parcels": [{"id": "a"}, {"id": "b"}]}, True)
    parcels.serve(Answer({"parcels": [{"id": "a"}], "nextToken": "t"}))
    result = parcels.invoke("listParcels")
    assert (result.meta.complete, result.meta.next) == (False, {"nextToken": "t"})


def test_a_photo_is_uploaded(parcels: Harness) -> None:
    """A file goes out as a part of a multipart body."""
    server = parcels.serve(Answer({"id": "p1"}))
    parcels.invoke("addPhoto", {"id": "p1", "photo": "data:image/png;base64,UE5H"}).unwrap()
    assert b"Content-Type: image/png\r\n\r\nPNG\r\n" in server.requests[0].body
