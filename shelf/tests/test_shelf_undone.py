"""What somebody does with a thing afterwards, or what becomes of one part of it, says nothing of
the call that has made it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector.evidence import MARKER_TEXT
from jackfield.testing import Answer, Provider, Request
from plugboard import plugged
from settling_home import looked_for, settling_home
from shelved import manifest_of, shelve

Json = dict[str, Any]

_MAIL = {
    "from": "a@acme.example",
    "to": "ada@acme.example, bob@acme.example",
    "subject": "Hi",
    "text": "Hi",
    "domainName": "acme.example",
}
_BOOKING = {
    "start": "2030-01-01T09:00:00Z",
    "attendee": {"name": "Ada"},
    "eventTypeId": 1,
    "calApiVersion": "2024-08-13",
}


def _events(*events: str) -> list[Json]:
    """Return events of one mail, each with an ID of its own, as Mailgun has one of each
    recipient.
    """
    about = {"message": {"headers": {"message-id": "m-1@acme.example"}}}
    return [
        {"id": f"e-{number}", "event": event, "timestamp": 1.5, **about}
        for number, event in enumerate(events)
    ]


@pytest.mark.parametrize(
    ("key", "action", "inputs", "each", "marked", "things", "status"),
    [
        (
            "mailgun",
            "sendMessage",
            _MAIL,
            "items",
            ("user-variables", "reference"),
            _events("rejected"),
            "succeeded",
        ),
        (
            "mailgun",
            "sendMessage",
            _MAIL,
            "items",
            ("user-variables", "reference"),
            _events("accepted", "rejected"),
            "succeeded",
        ),
        (
            "mailgun",
            "sendMessage",
            _MAIL,
            "items",
            ("user-variables", "reference"),
            _events("accepted", "accepted", "delivered"),
            "succeeded",
        ),
        (
            "vercel",
            "createDeployment",
            {"name": "web"},
            "deployments",
            ("meta", "jackfield"),
            [{"uid": "d", "state": "CANCELED"}],
            "succeeded",
        ),
        (
            "vercel",
            "createDeployment",
            {"name": "web"},
            "deployments",
            ("meta", "jackfield"),
            [{"uid": "d", "state": "ERROR"}],
            "succeeded",
        ),
        (
            "cal-com",
            "createBooking",
            _BOOKING,
            "data",
            ("metadata", "jackfield"),
            [{"uid": "b", "status": "rejected"}],
            "succeeded",
        ),
        (
            "cal-com",
            "createBooking",
            _BOOKING,
            "data",
            ("metadata", "jackfield"),
            [{"uid": "b", "status": "accepted"}],
            "succeeded",
        ),
    ],
)
def test_what_is_done_to_a_thing_is_no_failure_of_the_call(
    tmp_path: Path,
    key: str,
    action: str,
    inputs: Json,
    each: str,
    marked: tuple[str, str],
    things: list[Json],
    status: str,
) -> None:
    """The request took effect and its answer was lost. Somebody cancels what it has made, it fails
    later, or one recipient of several is refused: an answer in time would have been a success. To
    say that the call has failed would free its key, and it would be done twice.
    """
    sent: list[str] = []

    def provider(_number: int, request: Request) -> Any:
        if request.method == "GET":
            holder, name = marked
            return Answer(
                {each: [{**one, holder: {name: sent[0]}} for one in things], "status": "success"}
            )
        sent.extend(MARKER_TEXT.findall(request.body.decode()))
        return "close"

    manifest = json.loads(json.dumps(manifest_of(key)))
    kind = next(one for one in manifest["connectionTypes"] if "authorizes" not in one)
    with settling_home(tmp_path) as environment, Provider(provider) as far:
        for row in manifest["servers"]:
            row["url"] = far.url
            row.pop("variables", None)
        values = {
            name: far.url if name == "server" else "acme-secret-1"
            for name in kind["schema"].get("required", ())
        }
        with plugged(shelve(tmp_path / "shelved", manifest)):
            call = {"connector": key, "action": action, "inputs": inputs}
            entry = looked_for(environment, f"{key}/{kind['key']}", values, call)
    assert entry["status"] == status, entry["looks"]
