"""``/v1/schedules`` and ``jackfield schedules``: added, shown, changed, paused, run and removed; a
server runs what is due.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import placed, token
from tests.jackfield_service.subjects.schedules.schedule_stage import schedule_stage

from http_stand import Client, Stand, standing
from jackfield.callers import LIBRARY, Rules
from jackfield.callers.actor import Actor
from jackfield_service.shell.process.metrics import Metrics
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from shell import Shell

pytest_plugins = ["shell_fixture", "operating"]
pytestmark = pytest.mark.above_sql

SAY = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": {"$slot": "rfc3339"}},
}
CONNECTION = {"name": "hall", "type": "echo/token", "values": {"token": "s3cret-token"}}


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A server with a connection."""
    with standing(tmp_path) as opened:
        assert opened.client().call("POST", "/v1/connections?force=true", CONNECTION).status == 201
        yield opened


@pytest.fixture
def client(stand: Stand) -> Client:
    """May do everything."""
    return stand.client()


def test_a_server_runs_what_is_due(client: Client) -> None:
    """An interval of a second: the first slots are invocations with the slot's time, seen from the
    schedule and in the journal.
    """
    made = client.post(
        "/v1/schedules", {"name": "often", "invocation": SAY, "every": "1s", "overlap": "allow"}
    )
    assert (made.status, made.headers["location"]) == (201, "/v1/schedules/often")
    slots = _until(
        client, lambda found: sum(slot.get("status") == "succeeded" for slot in found) >= 2
    )
    listed = client.get("/v1/invocations?label=schedule=often&status=succeeded").json["items"]
    ran = {
        slot["invocationId"]: slot["slot"] for slot in slots if slot.get("status") == "succeeded"
    }
    found = {item["invocationId"]: item["output"] for item in listed if item["invocationId"] in ran}
    assert found
    assert all(
        ran[identifier].replace(".000", "") in json.dumps(output)
        for identifier, output in found.items()
    )


def _until(client: Client, holds: Any, name: str = "often") -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while True:
        found: list[dict[str, Any]] = client.get(f"/v1/schedules/{name}").json["slots"]
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        threading.Event().wait(0.05)


def test_a_schedule_over_http(stand: Stand, client: Client) -> None:
    """Added, listed, shown, changed, paused, resumed, run and removed; the audit log has each
    change.
    """
    # without summer time
    members = {
        "name": "nightly",
        "invocation": SAY,
        "cron": "30 2 * * *",
        "timezone": "Asia/Kolkata",
    }
    made = client.post("/v1/schedules", members).json
    assert (
        made.items()
        >= {**members, "status": "active", "missed": "latest", "overlap": "skip"}.items()
    )
    assert client.post("/v1/schedules", members).status == 409
    upcoming = client.get("/v1/schedules/nightly/next?limit=3").json["items"]
    assert [item["local"][10:16] for item in upcoming] == ["T02:30"] * 3
    assert upcoming[0]["slot"] == made["nextAt"]
    assert (
        client.post("/v1/schedules/nightly:pause").json.items()
        >= {"status": "paused", "nextAt": None}.items()
    )
    assert (
        client.post("/v1/schedules/nightly:resume").json.items()
        >= {"status": "active", "nextAt": made["nextAt"]}.items()
    )
    other = {**SAY, "inputs": {"text": "a-private-text"}}
    changed = client.call(
        "PATCH", "/v1/schedules/nightly", {"every": "12h", "missed": "skip", "invocation": other}
    ).json
    assert (changed["every"], changed["missed"], changed["overlap"], "cron" in changed) == (
        "43200s",
        "skip",
        "skip",
        False,
    )
    ran = client.post("/v1/schedules/nightly:run")
    assert (ran.status, ran.json["status"]) == (202, "queued")
    assert client.get(ran.headers["location"]).status == 200
    assert (
        client.get("/v1/schedules/nightly/slots").json["items"][0]["invocationId"]
        == ran.json["invocationId"]
    )
    assert client.call("DELETE", "/v1/schedules/nightly").status == 204
    events = [
        item["event"] for item in client.get("/v1/audit?object=schedule:nightly").json["items"]
    ]
    assert events == [
        f"schedule.{name}" for name in ("removed", "run", "changed", "resumed", "paused", "created")
    ]
    (change,) = client.get("/v1/audit?event=schedule.changed&object=schedule:nightly").json["items"]
    before, after = change["details"]["before"], change["details"]["after"]
    gone = {"cron": "30 2 * * *", "timezone": "Asia/Kolkata"}
    assert before == {
        **gone,
        "anchor": None,
        "every": None,
        "inputs/text": "***",
        "missed": "latest",
    }
    assert (after["cron"], after["every"], after["missed"], after["inputs/text"]) == (
        None,
        43_200,
        "skip",
        "***",
    )
    reader = stand.client("read")
    assert reader.get("/v1/schedules").status == 200
    assert reader.post("/v1/schedules", members).status == 403


def test_a_schedule_that_is_not_valid_names_the_member(client: Client, stand: Stand) -> None:
    """Times, unknown actions and inputs are refused with the status and pointer of each; a token
    with rules sees only what it may run.
    """
    for more, status, path in (
        ({"cron": "61 * * * *"}, 400, "/cron"),
        ({"every": "1h", "at": "1h"}, 400, "/cron"),
        ({"every": "1h", "invocation": {**SAY, "action": "sey"}}, 404, None),
        ({"every": "1h", "invocation": {**SAY, "inputs": {"text": 1}}}, 422, "/text"),
        (
            {"every": "1h", "invocation": {**SAY, "inputs": {"text": {"$slot": "now"}}}},
            422,
            "/text/$slot",
        ),
        (
            {
                "every": "1h",
                "invocation": {**SAY, "connection": {"type": "token", "values": {"token": "x"}}},
            },
            400,
            "/connection",
        ),
    ):
        answer = client.post("/v1/schedules", {"name": "bad", "invocation": SAY, **more})
        assert (answer.status, answer.json.get("details", [{}])[0].get("path")) == (status, path), (
            answer.json
        )
    assert (
        client.post("/v1/schedules", {"name": "mine", "invocation": SAY, "every": "1h"}).status
        == 201
    )
    other = stand.client("manage", rules=Rules(("echo/post",)))
    assert other.get("/v1/schedules").json["items"] == []
    assert other.call("DELETE", "/v1/schedules/mine").status == 404


def test_a_schedule_on_the_command_line(operator: Shell) -> None:
    """All verbs answer JSON; a name that is taken, missing or a time that is wrong ends with 2."""
    operator.write("say.json", json.dumps(SAY))
    made = operator.run(
        "schedules",
        "add",
        "often",
        "--file",
        "say.json",
        "--cron",
        "*/5 * * * *",
        "--timezone",
        "Europe/Berlin",
    )
    assert made.code == 0, made.out
    assert (
        made.json.items()
        >= {
            "name": "often",
            "status": "active",
            "cron": "*/5 * * * *",
            "timezone": "Europe/Berlin",
        }.items()
    )
    assert (
        operator.run("schedules", "add", "often", "--file", "say.json", "--every", "10s").code == 2
    )
    assert (
        operator.run("schedules", "add", "other", "--file", "say.json", "--at", "2001-01-31").code
        == 2
    )
    assert (
        operator.run("schedules", "add", "other", "--file", "nowhere.json", "--every", "10s").code
        == 2
    )
    assert (
        operator.run(
            "schedules", "add", "other", "--file", "-", "--every", "10s", stdin=json.dumps(SAY)
        ).code
        == 0
    )
    assert [row["name"] for row in operator.run("schedules", "list").json] == ["often", "other"]
    assert len(operator.run("schedules", "next", "often", "--count", "3").json) == 3
    assert operator.run("schedules", "pause", "often").json["status"] == "paused"
    assert operator.run("schedules", "resume", "often").json["status"] == "active"
    ran = operator.run("schedules", "run", "often")
    assert (ran.code, ran.json["status"]) == (0, "queued")
    assert (
        operator.run("schedules", "show", "often").json["slots"][0]["invocationId"]
        == ran.json["invocationId"]
    )
    assert operator.run("schedules", "remove", "other").json == {"name": "other", "removed": True}
    assert operator.run("schedules", "show", "other").code == 2


def test_one_notation_for_durations(operator: Shell) -> None:
    """An interval, a time from now and a time back take the same durations in every command; a time
    may be a date, and 20310131 is one.
    """
    operator.write("say.json", json.dumps(SAY))
    for number, every in enumerate(("10", "10s", "PT10S", "1w")):
        added = operator.run(
            "schedules", "add", f"s{number}", "--file", "say.json", "--every", every
        )
        assert added.json["every"] == ("604800s" if every == "1w" else "10s"), added.out
    assert (
        operator.run("schedules", "add", "half", "--file", "say.json", "--every", "1.5s").code == 2
    )
    for since in ("15s", "PT15S", "20310131", "2031-01-31"):
        assert operator.run("invocations", "list", "--since", since).code == 0
    words = ("invoke", "echo", "say", "--connection", "hall", "text=a", "--queue", "--not-before")
    for when in ("15s", "PT15S", "2031-01-31T08:30:00+01:00"):
        queued = operator.run(*words, when, "--not-after", "2099-01-01")
        assert queued.json["status"] == "queued", queued.out
    answer = operator.run(*words, "soon")
    assert (
        answer.code,
        "--not-before 'soon' is neither a duration nor a date" in answer.json["error"]["message"],
    ) == (2, True)


def test_a_schedule_in_the_console(tmp_path: Path) -> None:
    """The list leads to a page with the slots; its buttons pause, resume, run and remove it, as far
    as the token may.
    """
    with placed(tmp_path, queue_workers=0) as place:
        place.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})
        schedules = WorkspaceSchedules(place.host.runtime("default"), LIBRARY, Actor("library"))
        schedules.add(
            {
                "name": "nightly",
                "invocation": SAY,
                "cron": "30 2 * * *",
                "timezone": "Europe/Berlin",
            }
        )
        person, shown = place.signed_in(), "/schedules/nightly"
        assert "nightly" in person.get("/schedules").words
        assert "Europe/Berlin 30 2 * * *" in person.get(shown).words
        for step, told in (
            ("pause", "Paused: no slots"),
            ("resume", "Resumed: the slots"),
            ("run", "run by hand"),
        ):
            answer = person.change(shown, f"{shown}/{step}")
            assert (answer.status, told in person.get(answer.headers["location"]).words) == (
                303,
                True,
            )
        assert person.change(shown, f"{shown}/nonsense").status == 404
        reader = place.signed_in(token(place, "read"))
        assert "Remove" not in reader.get(shown).words
        assert (
            person.change(shown, f"{shown}/removal").headers["location"]
            == "/schedules?done=removed"
        )
        assert "No schedules yet" in person.get("/schedules").words
        assert person.get(shown).status == 404


def test_the_metrics_say_how_late_schedules_are(tmp_path: Path) -> None:
    """Where no scheduler looks at a schedule that is due, the gauge grows; the alert
    JackfieldSchedulesLate fires by it.
    """
    with schedule_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", 1) as stage:
        metrics, database = Metrics(stage.pools[0].catalog), stage.pools[0].storage.database
        stage.add(every="1h")
        late = []
        for seconds in (3599, 601):
            stage.move(seconds)
            metrics.note_queue(database, stage.clock)
            late.append(metrics.registry.get_sample_value("jackfield_schedules_overdue_seconds"))
        stage.look()
        metrics.note_queue(database, stage.clock)
        late.append(metrics.registry.get_sample_value("jackfield_schedules_overdue_seconds"))
    assert late[0] == late[2] == 0
    assert 598 <= (late[1] or 0) <= 602
