"""Times that nobody can write: refused on every way in, and what is stored already hides and stops
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from http_stand import Stand, say, standing
from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.subjects.schedules.due import DueSchedules
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.schedules.table import ScheduleTable
from jackfield_service.subjects.schedules.timing import Timing
from shell import Shell
from waiting import until

pytest_plugins = ["shell_fixture", "operating"]
OUTSIDE = ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00")
EVERY = {"every": "1s"}


def _refused(stand: Stand) -> dict[str, Any]:
    """Requests with a time that is outside, by the pointer of their refusal."""
    invocation = say("say", text="hello")
    client, found = stand.client(), dict[str, Any]()
    for text in OUTSIDE:
        for pointer, path, body in (
            ("/at", "/v1/schedules", {"name": "late", "invocation": invocation, "at": text}),
            (
                "/anchor",
                "/v1/schedules",
                {"name": "late", "invocation": invocation, "every": "1h", "anchor": text},
            ),
            ("/expiresAt", "/v1/tokens", {"name": "late", "scope": "read", "expiresAt": text}),
            ("/notAfter", "/v1/invocations", {**invocation, "notAfter": text}),
            ("/notBefore", "/v1/invocations", {**invocation, "notBefore": text}),
        ):
            found[f"{pointer} {text}"] = client.call(
                "POST", path, body, Prefer="respond-async"
            ).json
        for name, path in (
            ("since", "/v1/invocations"),
            ("until", "/v1/invocations"),
            ("since", "/v1/audit"),
            ("until", "/v1/audit"),
        ):
            found[f"/{name} {path} {text}"] = client.get(
                f"{path}?{name}={text.replace('+', '%2B')}"
            ).json
    return found


def test_a_time_outside_of_the_calendar_is_refused(tmp_path: Path) -> None:
    """Nothing is stored of it, and the refusal names the member."""
    with standing(tmp_path) as stand:
        for asked, answer in _refused(stand).items():
            told = answer.get("error", answer)
            assert asked.split()[0] in [
                detail["path"] for detail in told.get("details", answer.get("details", ()))
            ], (asked, answer)
        client = stand.client()
        assert client.get("/v1/schedules").json["items"] == []
        assert client.get("/v1/invocations").json["items"] == []


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_command_refuses_it(operator: Shell, text: str) -> None:
    """Commands say so, without a traceback."""
    operator.write("say.json", json.dumps(say("say", text="hello")))
    for line in (
        f"schedules add late --file say.json --at {text}",
        f"invocations list --since {text}",
        f"audit list --until {text}",
        f"tokens create --scope read --expires {text}",
    ):
        answer = operator.run(*line.split())
        assert answer.code == 2, (line, answer.out)
        assert "Traceback" not in answer.out + answer.err, line


def test_slots_end_with_the_calendar() -> None:
    """An interval whose next slot would be in the year 10000 has none, and a time that a zone
    cannot show is refused.
    """
    now = 1_000_000_000.0
    last = Timing.parse({"every": "1d", "anchor": "9999-12-31T12:00:00Z"}, now)
    assert len(list(last.slots(now))) == 1
    with pytest.raises(InvalidInvocation, match="not valid"):
        Timing.parse({"at": "9999-12-31T23:30:00Z", "timezone": "Pacific/Kiritimati"}, now)


_MONTHS = "may be minutes or months, so write 1m or 30d"
MEANT: tuple[tuple[dict[str, Any], str, str], ...] = (
    *(
        ({"cron": "0 5 * * *", "timezone": name}, "/timezone", "is not an IANA time zone")
        for name in (
            "right/Europe/Berlin",
            "posix/Europe/Berlin",
            "posixrules",
            "localtime",
            "Factory",
            "/etc/localtime",
            "../UTC",
            "europe/berlin",
        )
    ),
    *(
        ({"cron": text}, "/cron", "that one value of the field is left")
        for text in (
            "*/90 * * * *",
            "0 */24 * * *",
            "0 0 */31 * *",
            "0 0 1 */12 *",
            "0 0 * * */7",
            "5/90 * * * *",
            "0-30/45 * * * *",
            "1,*/90 * * * *",
            "0 0 L/2 * *",
        )
    ),
    *(({"every": text}, "/every", _MONTHS) for text in ("1M", " 1M ", "P1M", "p1m")),
    ({"at": "1M"}, "/at", _MONTHS),
    ({"every": "1h", "anchor": "1M"}, "/anchor", _MONTHS),
    *(({"every": number}, "/every", "more than 308 digits") for number in (10**400, -(10**400))),
    *(({"every": number}, "/every", "a string or a whole number") for number in (1.5, True)),
    *(({"every": number}, "/every", "from 1s to 366d") for number in ("PT", "-5m", "4.35s", "P1Y")),
)
"""Members that mean nothing, two things, or something on this machine alone, with the place and a
part of their refusal.
"""
SHOWN: dict[str, Callable[[datetime], bool]] = {
    "0 0 */2 * MON": lambda at: at.isoweekday() == 1 and at.day % 2 == 1,
    "0 0 30 2 MON": lambda at: at.isoweekday() == 1 and at.month == 2,
    "*/40 0 * * *": lambda at: at.hour == 0 and at.minute in (0, 40),
}
"""Expressions that many read in another way."""


def test_times_that_do_not_mean_what_they_say_are_refused(tmp_path: Path) -> None:
    """By their place and reason, and nothing is stored; other times are shown as the next five, in
    the answer that adds or changes them.
    """
    invocation = say("say", "hall", text="hello")
    with standing(tmp_path) as stand:
        client = stand.client()
        stand.host.runtime("default").connections.add(
            "hall", "echo/token", {"token": "secret-4711"}
        )
        for members, place, part in MEANT:
            answer = client.post(
                "/v1/schedules", {"name": "bad", "invocation": invocation, **members}
            )
            (detail,) = answer.json["details"]
            assert (answer.status, detail["path"], part in detail["message"]) == (
                400,
                place,
                True,
            ), (members, detail)
        assert client.get("/v1/schedules").json["items"] == []
        assert (
            client.post(
                "/v1/schedules", {"name": "good", "invocation": invocation, "every": "1h"}
            ).status
            == 201
        )
        for expression, matches in SHOWN.items():
            found = client.call("PATCH", "/v1/schedules/good", {"cron": expression}).json
            assert [matches(datetime.fromisoformat(each["local"])) for each in found["next"]] == [
                True
            ] * 5, found
            assert found["next"][0]["slot"] == found["nextAt"]
        assert (
            client.call("PATCH", "/v1/schedules/good", {"every": "4.35h"}).json["every"] == "15660s"
        )


def test_a_time_without_an_offset_exists_on_the_clock() -> None:
    """One that is skipped is at the end of the gap, one that is repeated is the first of the two:
    the rules of fixed times.
    """
    given = {
        "2027-03-28T02:30": "03:00:00+02:00",
        "2027-03-28T02:30:17": "03:00:00+02:00",
        "2027-10-31T02:30": "02:30:00+02:00",
    }
    now = 1_800_000_000.0
    for text, local in given.items():
        for members in ({"at": text}, {"every": "24h", "anchor": text}):
            timing = Timing.parse({**members, "timezone": "Europe/Berlin"}, now)
            assert timing.local(timing.after(now) or 0.0).isoformat() == f"{text[:10]}T{local}"


def test_commands_refuse_a_duration_that_may_be_months(operator: Shell) -> None:
    """Wherever a command takes one, and say both readings."""
    operator.write("say.json", json.dumps(say("say", text="hello")))
    for line in (
        "schedules add late --file say.json --every 1M",
        "schedules add late --file say.json --at P1M",
        "invocations list --since 1M",
        "tokens create --scope read --expires 1M",
        "callbacks rotate none --overlap 1M",
        "invoke echo say --timeout 1M",
        "serve --stop-within 1M",
        "worker --stop-within 1M",
        "audit list --since 1M",
        "invoke echo say --queue --not-before 1M",
    ):
        answer = operator.run(*line.split())
        assert answer.code == 2, (line, answer.out)
        assert _MONTHS in answer.out + answer.err, (line, answer.out, answer.err)


def test_a_command_shows_slots_up_to_the_end_of_the_calendar(operator: Shell) -> None:
    """Also if there are fewer than it was asked for."""
    operator.write("say.json", json.dumps(say("say", "hall", text="hello")))
    added = operator.run("schedules", "add", "rare", "--file", "say.json", "--cron", "0 0 29 2 */6")
    assert (added.code, len(added.json["next"])) == (0, 5), added.out
    shown = operator.run("schedules", "next", "rare", "--count", "1000")
    assert shown.code == 0, shown.out + shown.err
    assert 100 < len(shown.json) < 1000


FAULTS = {
    "at": Timing(at=253_402_343_999.0),
    "anchor": Timing(every=3600.0, anchor=-1e308),
    "infinite": Timing(at=float("inf")),
    "zone": Timing(cron="0 5 * * *", timezone="Mars/Olympus"),
    "blank zone": Timing(cron="0 5 * * *", timezone=" "),
    "cron": Timing(cron="every day"),
    "every": Timing(every=0.0, anchor=0.0),
}


def _store(stand: Stand, name: str, timing: Timing) -> None:
    """Store a schedule as an older version did: sealed, with such times, and due."""
    runtime = stand.host.runtime("default")
    given = {"name": name, "invocation": say("say", "hall", text=name), "every": "366d"}
    WorkspaceSchedules(runtime, LIBRARY, Actor("library")).add(given)
    table = ScheduleTable(
        stand.host.storage.database, stand.host.storage.vault, "default", stand.host.clock
    )
    found = table.find(name)
    from jackfield_service.subjects.schedules.table import _place, _text

    content = found.content(stand.host.storage.vault)
    text = json.dumps({"invocation": content.invocation, "caller": content.caller}).encode()
    sealed = stand.host.storage.vault.seal(
        "default", _place(found.id, found.version, timing, found.missed, found.overlap), text
    )
    with stand.host.storage.database.write() as transaction:
        assert transaction.change(
            "UPDATE schedules SET timing = :timing, sealed = :sealed, wake_at = 1.0 WHERE name = "
            ":name",
            {"timing": _text(timing), "sealed": sealed, "name": name},
        )


def test_stored_times_that_are_none_are_paused_and_listed(tmp_path: Path) -> None:
    """A schedule that was stored with such times, or whose zone is none here, is paused with its
    reason; the others run, and all are listed over HTTP, in the console's list and beside each
    other. New times heal it, and it can be removed.
    """
    with standing(tmp_path) as stand:
        client = stand.client()
        stand.host.runtime("default").connections.add(
            "hall", "echo/token", {"token": "secret-4711"}
        )
        for name, timing in FAULTS.items():
            _store(stand, name.replace(" ", "-"), timing)
        good = client.post(
            "/v1/schedules",
            {"name": "good", "invocation": say("say", "hall", text="good"), **EVERY},
        )
        assert good.status == 201, good.json

        def paused() -> bool:
            listed = client.get("/v1/schedules")
            assert listed.status == 200, listed.json
            rows = {item["name"]: item for item in listed.json["items"]}
            with stand.host.storage.database.read() as transaction:
                stored = {
                    row.name: row.status
                    for row in transaction.execute("SELECT name, status FROM schedules")
                }
            return (
                all(
                    rows[name.replace(" ", "-")]["problem"]
                    and stored[name.replace(" ", "-")] == "paused"
                    for name in FAULTS
                )
                and stored["good"] == "active"
                and bool(client.get("/v1/schedules/good").json["slots"])
            )

        until(paused)
        assert DueSchedules(stand.host.storage.database, stand.host.clock).overdue() < 100.0
        for name in (each.replace(" ", "-") for each in FAULTS):
            shown = client.get(f"/v1/schedules/{name}")
            assert (shown.status, shown.json["status"], "problem" in shown.json) == (
                200,
                "paused",
                True,
            ), shown.json
            for step in ("resume", "run"):
                assert client.post(f"/v1/schedules/{name}:{step}").status == 409, (name, step)
            assert client.get(f"/v1/schedules/{name}/next").status == 409
        healed = client.call(
            "PATCH", "/v1/schedules/zone", {"cron": "0 5 * * *", "timezone": "Europe/Berlin"}
        )
        assert (healed.status, "problem" in healed.json) == (200, False), healed.json
        assert client.call("DELETE", "/v1/schedules/at").status == 204
