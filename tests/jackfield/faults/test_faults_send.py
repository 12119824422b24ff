"""A send that meets a fault goes out exactly once, or says that it does not know (issue 2,
acceptance; contract §4).
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clocks import StillClock
from fake_aws import refused_url
from jackfield import Jackfield
from jackfield.kernel.clock import SystemClock
from rig import Rig, WakingClock, key_values
from servers import deaf, self_signed, tls_refusing

pytest_plugins = ["warm"]

Fault = dict[str, Any]
SEND, STS = "sesv2:SendEmail", "sts:AssumeRole"
HTML = {
    "do": "body",
    "body": "<html><body>Please log in</body></html>",
    "contentType": "text/html",
    "accept": True,
}
UNCLEAR: dict[str, Fault] = {
    "reset": {"do": "reset"},
    "close": {"do": "close"},
    "hang": {"do": "hang"},
    "500": {"do": "status", "status": 500, "accept": True},
    "502": {"do": "status", "status": 502, "accept": True},
    "503": {"do": "status", "status": 503, "code": "ServiceUnavailable", "accept": True},
    "cut": {"do": "cut"},
    "cut-at-once": {"do": "cut", "bytes": 0},
    "empty": {"do": "body", "accept": True},
    "html": HTML,
    "drip": {"do": "drip", "seconds": 0.2, "head": True},
}
CONTENTS: dict[str, dict[str, Any]] = {
    "simple": {},
    "file": {"attachments": {"a.bin": {"data": "QUJD" * 200_000}}},
    "raw": {"headers": {f"X-H{number}": "v" for number in range(16)}},
}
"""What is sent: with and without a file, and the form that SES takes raw."""
SLOW = {"hang", "drip"}


def _always(fault: Fault, operation: str = SEND) -> list[Fault]:
    return [{**fault, "operation": operation, "always": True}]


@pytest.mark.parametrize(
    ("name", "content"),
    [  # what is sent does not matter to what is unclear about the answer: each has one of them
        pytest.param(
            name, content, marks=() if (place + turn) % len(CONTENTS) == 0 else pytest.mark.campaign
        )
        for place, name in enumerate(UNCLEAR)
        for turn, content in enumerate(CONTENTS)
    ],
)
def test_unclear_answers_are_sent_once_and_in_doubt(
    name: str, content: str, tmp_path: Path
) -> None:
    """Whatever is no clear answer after the request left: one send, in doubt, though
    AWS_MAX_ATTEMPTS is 10 and the fault would stay.
    """
    with Rig(tmp_path, script=_always(UNCLEAR[name])) as rig:
        rig.list()  # the role is assumed and botocore is read: what follows is the send alone
        result = rig.send(1.5 if name in SLOW else 60, **CONTENTS[content])
        assert (result.status, result.to_json()["error"]["code"]) == ("in_doubt", "in_doubt")
        assert (rig.aws.received, rig.aws.accepted, rig.aws.counts[SEND]) == (1, 1, 1)
        assert result.meta.attempts == 1
        assert rig.clock.waited == 0


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in {"reset", "502", "html"} else pytest.mark.campaign)
        for name in UNCLEAR
    ],
)
def test_command_in_doubt_exits_3(name: str, tmp_path: Path) -> None:
    """On the command line the same ends with exit code 3."""
    with Rig(tmp_path, script=_always(UNCLEAR[name])) as rig:
        rig.list()
        code, result = rig.command(rig.mail(2 if name in SLOW else 60))
        assert (code, result["status"], rig.aws.received) == (3, "in_doubt", 1)


@pytest.mark.usefixtures("warm_python")
def test_process_in_doubt_exits_3(tmp_path: Path) -> None:
    """In a process of its own, with every retry setting of AWS turned up, a reset is one send and
    exit code 3.
    """
    words = [
        sys.executable,
        "-m",
        "jackfield",
        "invoke",
        "aws-ses",
        "sendEmail",
        "--connection",
        "acme",
    ]
    inputs = [
        "awsRegion=eu-west-1",
        "to=ada@example.com",
        "sender=noreply@example.com",
        "subject=Hello",
        "text=Hello",
    ]
    environment = {"AWS_RETRY_MODE": "adaptive", "AWS_MAX_ATTEMPTS": "10"}
    with Rig(tmp_path, script=_always({"do": "reset"}), environment=environment) as rig:
        done = subprocess.run(
            [*words, *inputs], capture_output=True, env=dict(os.environ), timeout=60, check=False
        )
        assert (done.returncode, rig.aws.received) == (3, 1)
        assert b'"status": "in_doubt"' in done.stdout


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_no_retry_mode_sends_twice(mode: str, tmp_path: Path) -> None:
    """AWS_RETRY_MODE changes nothing, for the send and for STS alike."""
    script = [
        {"do": "reset", "operation": SEND, "always": True},
        {"do": "status", "status": 500, "operation": STS},
    ]
    with Rig(tmp_path, script=script, environment={"AWS_RETRY_MODE": mode}) as rig:
        assert rig.send().status == "in_doubt"
        assert rig.aws.calls() == [STS, STS, SEND]


def test_refused_connections_are_repeated(tmp_path: Path) -> None:
    """An endpoint that refuses connections and comes back gets exactly one send."""
    back: list[Callable[[], object]] = []
    with Rig(tmp_path, clock=WakingClock(lambda: back.pop()() if back else None)) as rig:
        rig.list()
        rig.aws.stop()
        back[:] = [rig.aws.start, lambda: None]
        result = rig.send()
        assert (result.status, result.meta.attempts, rig.aws.received, rig.aws.accepted) == (
            "succeeded",
            3,
            1,
            1,
        )


def test_endpoint_that_stays_away_is_unavailable(tmp_path: Path) -> None:
    """Six refused connections are unavailable, not in doubt."""
    with refused_url() as url, Rig(tmp_path, values=key_values(endpoint=url)) as rig:
        result = rig.send().to_json()
        assert (result["status"], result["error"]["code"], result["error"]["retryable"]) == (
            "failed",
            "unavailable",
            True,
        )
        assert result["meta"]["attempts"] == 6
        assert len(rig.clock.slept) == 5


@pytest.mark.parametrize(
    ("waits", "code", "attempts", "accepted"), [(2, None, 3, 1), (1000, "unavailable", 6, 0)]
)
def test_names_that_do_not_resolve_are_repeated(
    waits: int,
    code: str | None,
    attempts: int,
    accepted: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A DNS failure is repeated: once the name resolves exactly one send goes out; if it never
    does, nothing was sent.
    """
    resolve = socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != "email.test.invalid":
            return resolve(host, port, *rest, **more)
        if len(rig.clock.slept) < waits:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve("127.0.0.1", port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with Rig(tmp_path) as rig:
        port = rig.aws.url.rpartition(":")[2]
        connection = {
            "type": "apiKeySecret",
            "values": key_values(endpoint=f"http://email.test.invalid:{port}"),
        }
        result = rig.jackfield.invoke({**rig.mail(), "connection": connection}).to_json()
        assert result.get("error", {}).get("code") == code
        assert (result["meta"]["attempts"], rig.aws.received, rig.aws.accepted) == (
            attempts,
            accepted,
            accepted,
        )


def test_server_without_tls_got_nothing(tmp_path: Path) -> None:
    """A refused TLS handshake is before the first byte of the mail: repeated, then unavailable."""
    with tls_refusing() as server, Rig(tmp_path, values=key_values(endpoint=server.url)) as rig:
        result = rig.send().to_json()
        assert (result["status"], result["error"]["code"], result["meta"]["attempts"]) == (
            "failed",
            "unavailable",
            6,
        )
        assert server.count == 6


def test_certificate_that_cannot_be_verified_is_not_repeated(tmp_path: Path) -> None:
    """A certificate will not be any better in a second: one try, unavailable, and the hint names
    AWS_CA_BUNDLE.
    """
    with (
        self_signed(tmp_path) as server,
        Rig(tmp_path, values=key_values(endpoint=server.url)) as rig,
    ):
        result = rig.send().to_json()
        assert (result["status"], result["error"]["code"], result["meta"]["attempts"]) == (
            "failed",
            "unavailable",
            1,
        )
        assert "AWS_CA_BUNDLE" in result["error"]["hint"]
        assert server.count == 2  # the try, and a look at whose certificate it is


@pytest.mark.parametrize(
    "fault",
    [
        {
            "do": "status",
            "status": 429,
            "code": "TooManyRequestsException",
            "message": "Too many requests",
        },
        {
            "do": "status",
            "status": 400,
            "code": "Throttling",
            "message": "Maximum sending rate exceeded.",
        },
        {"do": "status", "status": 400, "code": "ThrottlingException", "message": "Rate exceeded"},
    ],
)
def test_throttled_twice_is_one_message(fault: Fault, tmp_path: Path) -> None:
    """Two throttled tries and one that is taken: exactly one message."""
    with Rig(tmp_path, script=[{**fault, "operation": SEND, "times": 2}]) as rig:
        result = rig.send()
        assert (result.status, result.meta.attempts, rig.aws.received, rig.aws.accepted) == (
            "succeeded",
            3,
            3,
            1,
        )
        assert len(rig.clock.slept) >= 2


def test_daily_quota_is_not_tried_again(tmp_path: Path) -> None:
    """A quota that is used up is one attempt and quota_exceeded, though AWS calls it a throttle."""
    with Rig(tmp_path, quota={"max24_hour_send": 200.0, "sent_last24_hours": 200.0}) as rig:
        result = rig.send().to_json()
        assert (
            result["error"]["code"],
            result["error"]["retryable"],
            result["meta"]["attempts"],
        ) == ("quota_exceeded", False, 1)
        assert (rig.aws.counts[SEND], rig.aws.accepted) == (1, 0)


def test_expired_session_is_renewed_once(tmp_path: Path) -> None:
    """ExpiredToken costs one new AssumeRole and one resend; the message is sent once."""
    with Rig(tmp_path) as rig:
        assert rig.send().status == "succeeded"
        rig.aws.expire_sessions()
        result = rig.send()
        assert (result.status, result.meta.attempts) == ("succeeded", 2)
        assert rig.aws.calls() == [STS, SEND, SEND, STS, SEND]
        assert rig.aws.accepted == 2


def test_on_doubt_retry_sends_again(tmp_path: Path) -> None:
    """A caller who prefers twice to not at all gets further tries after a reset, a hang and a
    500.
    """
    faults = [{"do": kind, "operation": SEND} for kind in ("reset", "hang")]
    with Rig(tmp_path, script=[*faults, {"do": "status", "status": 500, "operation": SEND}]) as rig:
        rig.list()
        result = rig.send(timeout=4, on_doubt="retry")
        assert (result.status, result.meta.attempts, rig.aws.received) == ("succeeded", 4, 4)


@pytest.mark.parametrize("head", [False, True])
def test_dripping_answer_ends_at_the_deadline(head: bool, tmp_path: Path) -> None:
    """An answer that drips a byte every 50 ms, so that no single read times out, ends with the
    deadline.
    """
    with Rig(tmp_path, script=_always({"do": "drip", "seconds": 0.05, "head": head})) as rig:
        rig.list()
        result = rig.send(timeout=3)
        assert result.status == "in_doubt"
        assert rig.aws.received == 1


def test_request_that_cannot_leave_ends_at_the_deadline(tmp_path: Path) -> None:
    """A server that never reads a large message keeps nobody beyond the deadline; it is in doubt,
    since bytes left.
    """
    with deaf() as server, Rig(tmp_path, values=key_values(endpoint=server.url)) as rig:
        result = rig.send(timeout=4, attachments={"a.bin": {"data": "QUJD" * 3_000_000}})
        assert result.status == "in_doubt"
        assert server.count == 1


def _waits(rig: Rig) -> list[float]:
    """What was waited, in order, but for the rounding of places in a line."""
    return [round(seconds, 3) for seconds in rig.clock.slept if seconds > 1e-3]


def test_deadline_shorter_than_back_off_stops_in_time(tmp_path: Path) -> None:
    """A wait that would end after the deadline is not begun, and the throttle is the answer."""
    fault = {
        "do": "status",
        "status": 429,
        "code": "TooManyRequestsException",
        "headers": {"Retry-After": "60"},
    }
    with Rig(tmp_path, script=_always(fault), clock=StillClock()) as rig:
        result = rig.send(timeout=150).to_json()
        assert (result["error"]["code"], result["meta"]["attempts"]) == ("rate_limited", 3)
        assert _waits(rig) == [60, 60]


def test_retry_after_is_honoured(tmp_path: Path) -> None:
    """Each wait is at least as long as AWS asks for."""
    waits = [
        {"do": "status", "status": 429, "operation": SEND, "headers": {"Retry-After": seconds}}
        for seconds in ("4", "11")
    ]
    with Rig(tmp_path, script=waits, clock=StillClock()) as rig:
        assert rig.send().status == "succeeded"
        assert _waits(rig) == [4, 11]


def test_back_off_grows_and_is_bounded(tmp_path: Path) -> None:
    """Without Retry-After the n-th wait is a random part of 0.1 s · 2ⁿ⁻¹. A list has no turn in the
    account's pace to wait for as well.
    """
    with Rig(
        tmp_path, script=_always({"do": "status", "status": 503}, "ses:ListIdentities")
    ) as rig:
        result = rig.list().to_json()
        assert (result["error"]["code"], result["meta"]["attempts"], len(rig.clock.slept)) == (
            "unavailable",
            6,
            5,
        )
        assert all(
            0 <= seconds <= 0.1 * 2**number for number, seconds in enumerate(rig.clock.slept)
        )


def test_throttled_sends_are_repeated(tmp_path: Path) -> None:
    """A provider that throttles for good is asked at least five times until the deadline."""
    with Rig(tmp_path, script=_always({"do": "status", "status": 429})) as rig:
        assert rig.send().to_json()["error"]["code"] == "rate_limited"
        assert len(rig.clock.slept) >= 4


STS_FAULTS: dict[str, tuple[Fault, str, bool]] = {
    "reset": ({"do": "reset"}, "unavailable", True),
    "close": ({"do": "close"}, "unavailable", True),
    "500": ({"do": "status", "status": 500}, "unavailable", True),
    "503": ({"do": "status", "status": 503}, "unavailable", True),
    "throttled": (
        {"do": "status", "status": 400, "code": "Throttling", "message": "Rate exceeded"},
        "rate_limited",
        True,
    ),
    "cut": ({"do": "cut"}, "unavailable", True),
    "html": (
        {"do": "body", "body": "<html></html>", "contentType": "text/html"},
        "unavailable",
        True,
    ),
    "empty": ({"do": "body", "body": "", "contentType": "text/xml"}, "unavailable", True),
    "denied": (
        {
            "do": "status",
            "status": 403,
            "code": "AccessDenied",
            "message": "not authorized to perform: sts:AssumeRole",
        },
        "unauthenticated",
        False,
    ),
}


@pytest.mark.parametrize("name", STS_FAULTS)
def test_sts_faults_are_never_in_doubt(name: str, tmp_path: Path) -> None:
    """While the connection opens nothing of the mail was sent: what may be repeated is repeated,
    and it is never in doubt.
    """
    fault, code, repeated = STS_FAULTS[name]
    with Rig(tmp_path, script=_always(fault, STS)) as rig:
        result = rig.send().to_json()
        # repeated until the deadline, which may end a request
        codes = (code, "timeout") if code == "rate_limited" else (code,)
        assert (
            result["status"],
            result["error"]["retryable"],
            result["error"]["code"] in codes,
        ) == ("failed", repeated, True), result
        assert (result["meta"]["attempts"], rig.aws.received) == (0, 0)
        assert rig.aws.counts[STS] in (
            range(7, 200) if code == "rate_limited" else (6,) if repeated else (1,)
        )


@pytest.mark.parametrize(
    "name", [name for name, (_, _, repeated) in STS_FAULTS.items() if repeated]
)
def test_sts_faults_that_pass_cost_nothing_but_time(name: str, tmp_path: Path) -> None:
    """An STS that recovers after two faults: one message."""
    with Rig(tmp_path, script=[{**STS_FAULTS[name][0], "operation": STS, "times": 2}]) as rig:
        result = rig.send()
        assert (result.status, result.meta.attempts, rig.aws.accepted) == ("succeeded", 1, 1)


def test_sts_that_hangs_leaves_time_for_another_try(tmp_path: Path) -> None:
    """A hang of STS does not use up the whole deadline."""
    with Rig(tmp_path, script=[{"do": "hang", "operation": STS}]) as rig:
        result = rig.send(timeout=8)
        assert (result.status, rig.aws.accepted, rig.aws.counts[STS]) == ("succeeded", 1, 2)


def test_sts_that_always_hangs_is_a_timeout(tmp_path: Path) -> None:
    """It is a timeout, in time, and nothing was sent."""
    with Rig(tmp_path, script=_always({"do": "hang"}, STS)) as rig:
        result = rig.send(timeout=1.2).to_json()
        assert (result["error"]["code"], result["error"]["retryable"], rig.aws.received) == (
            "timeout",
            True,
            0,
        )


def test_connection_closed_while_idle_is_opened_again(tmp_path: Path) -> None:
    """A connection that AWS closed between two sends is noticed before anything is written: the
    second send is no doubt.
    """
    with Rig(tmp_path, script=[{"do": "close_idle", "operation": SEND}]) as rig:
        assert rig.send().status == "succeeded"
        assert rig.aws.wait_until(lambda aws: aws.open_connections == 0)
        assert rig.send().status == "succeeded"
        assert rig.aws.accepted == 2


def test_cancelled_before_anything_was_sent(tmp_path: Path) -> None:
    """A caller who has left before the first byte: cancelled, and AWS got nothing."""
    left = threading.Event()
    left.set()
    with Rig(tmp_path) as rig:
        result = rig.jackfield.invoke(rig.mail(), cancelled=left).to_json()
        assert (result["error"]["code"], result["error"]["retryable"], rig.aws.received) == (
            "cancelled",
            False,
            0,
        )


def test_cancelled_between_two_tries(tmp_path: Path) -> None:
    """A caller who leaves while a throttled send waits: cancelled, since nothing was taken."""
    left = threading.Event()
    with Rig(
        tmp_path, script=_always({"do": "status", "status": 429}), clock=WakingClock(left.set)
    ) as rig:
        result = rig.jackfield.invoke(rig.mail(), cancelled=left).to_json()
        assert (result["error"]["code"], rig.aws.received, rig.aws.accepted) == ("cancelled", 1, 0)


def test_cancelled_after_it_was_sent_runs_to_its_end(tmp_path: Path) -> None:
    """A caller who leaves once the request is out gets the truth: it succeeded."""
    left = threading.Event()
    with Rig(tmp_path, script=[{"do": "hang", "operation": SEND}]) as rig:
        found: list[Any] = []
        thread = threading.Thread(
            target=lambda: found.append(rig.jackfield.invoke(rig.mail(), cancelled=left))
        )
        thread.start()
        assert rig.aws.wait_until(lambda aws: aws.received == 1)
        left.set()
        rig.aws.release()
        thread.join(60)
        assert (found[0].status, rig.aws.accepted) == ("succeeded", 1)


def test_cancelled_task_leaves_what_was_sent_to_its_end(tmp_path: Path) -> None:
    """A task that is cancelled after its request is out does not stop it; the runtime waits for it
    when it closes.
    """
    with Rig(tmp_path, script=[{"do": "hang", "operation": SEND, "seconds": 0.3}]) as rig:

        async def leave() -> None:
            task = asyncio.ensure_future(rig.jackfield.ainvoke(rig.mail()))
            assert await asyncio.to_thread(rig.aws.wait_until, lambda aws: aws.received == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(leave())
        rig.jackfield.close()
        assert rig.aws.accepted == 1


def test_real_clock_waits_between_tries(tmp_path: Path) -> None:
    """On the machine's own clock back-off really waits."""
    values = {"type": "aws-ses/apiKeySecret", "values": key_values()}
    fault = {"do": "status", "status": 429, "operation": SEND, "headers": {"Retry-After": "0.3"}}
    with (
        Rig(tmp_path, script=[fault]) as rig,
        Jackfield(connections=[{"acme": values}], clock=SystemClock()) as jackfield,
    ):
        began = time.monotonic()
        assert jackfield.invoke(rig.mail()).status == "succeeded"
        assert time.monotonic() - began >= 0.3
