"""The harness for tests of connectors: actions run through the whole pipe against a scripted
provider, and calls can be recorded.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.jackfield_market.parcels import SOUND, parcel_project

from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.testing import (
    CLOSE,
    DRIP,
    HANG,
    RESET,
    RULES,
    Answer,
    Harness,
    Provider,
    RecordingMismatch,
    Request,
    Subject,
    judged,
    refused,
    throttled,
)
from jackfield_market.testing import recorded_examples
from jackfield_market.testing.loopback_provider import Step
from jackfield_market.testing.recorded_examples import record
from plugboard import plugged

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")
SECRET = "sk_live/4711+plus"
PARCEL = {"id": "p7"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of the tests of a sound connector's project."""
    parcel_project(tmp_path / "parcel")
    with plugged(tmp_path / "parcel"):
        yield tmp_path / "parcel" / "tests"


@pytest.fixture
def parcels(folder: Path) -> Iterator[Harness]:
    """A harness for that project."""
    with Harness.of(str(folder / "test_parcel.py")) as opened:
        yield opened


def test_throttles_cost_no_time_and_are_journalled(parcels: Harness) -> None:
    """Two 429s are waited out on the fake clock, and the journal holds each attempt."""
    server = parcels.serve(throttled(20), throttled(20), Answer(PARCEL))
    result = parcels.invoke("findParcel", {"name": "ada"})
    assert (result.status, result.output, len(server.requests)) == ("succeeded", PARCEL, 3)
    assert parcels.clock.waited >= 38
    assert [attempt["outcome"] for attempt in parcels.entry(result).attempt_log] == [
        "rate_limited",
        "rate_limited",
        "succeeded",
    ]


_SECOND: list[Step] = [RESET, CLOSE, refused(422), refused(500), Answer(PARCEL, missing=9), HANG]


def test_the_second_request_goes_wrong(parcels: Harness, subtests: pytest.Subtests) -> None:
    """Whatever happens at request 2 of a write, its first request is not repeated."""
    for step in _SECOND:
        with subtests.test(step=step):
            server = parcels.serve(Answer(PARCEL), step)
            result = parcels.invoke(
                "sendParcel", {"name": "ada"}, timeoutSeconds=1.5 if step == HANG else 30
            )
            assert (result.status, server.writes) == ("in_doubt", 2)


def test_a_body_may_drip(parcels: Harness) -> None:
    """A slow body arrives whole; an endless one is the client's to bound."""
    parcels.serve(Answer(PARCEL, drip=0.001))
    assert parcels.invoke("findParcel", {"name": "ada"}).unwrap() == PARCEL
    with Provider([DRIP]) as server:
        import http.client

        connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
        connection.request("GET", "/")
        assert connection.getresponse().read(3) == b"   "
        connection.close()


def test_a_function_is_a_script_too(parcels: Harness) -> None:
    """A script may depend on the request, and chunked bodies are read."""
    server = parcels.serve(lambda number, request: Answer({"id": f"{number}-{request.method}"}))
    assert parcels.invoke("findParcel", {"name": "ada"}).unwrap() == {"id": "1-GET"}
    import http.client

    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    connection.request(
        "POST",
        "/",
        iter([b'{"a"', b": 1}"]),
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert json.loads(connection.getresponse().read()) == {"id": "2-POST"}
    connection.close()
    assert server.requests[1].json() == {"a": 1}


def test_a_caller_who_has_left(parcels: Harness) -> None:
    """Nothing is sent for an invocation that is cancelled beforehand."""
    server, left = parcels.serve(Answer(PARCEL)), threading.Event()
    left.set()
    result = parcels.invoke("sendParcel", {"name": "ada"}, cancelled=left)
    assert (result.error and result.error.code, server.requests) == ("cancelled", [])


def test_a_key_replays(parcels: Harness) -> None:
    """The journal is a real one: an idempotency key gives the recorded result."""
    server = parcels.serve(Answer(PARCEL))
    first = parcels.invoke("findParcel", {"name": "ada"}, idempotencyKey="k1")
    second = parcels.invoke("findParcel", {"name": "ada"}, idempotencyKey="k1")
    assert (second.meta.replayed, second.meta.invocation_id, len(server.requests)) == (
        True,
        first.meta.invocation_id,
        1,
    )


def test_without_a_provider(parcels: Harness) -> None:
    """An invocation without a scripted provider and without a connection says what is missing."""
    result = parcels.invoke("findParcel", {"name": "ada"})
    assert result.error is not None
    assert result.status == "failed"
    with pytest.raises(InvalidInvocation, match="no provider is scripted"):
        _ = parcels.provider


# Record and replay


def echoes(number: int, request: Request) -> Answer:
    """Echo secrets in every spelling, as a provider that means no harm does."""
    key = request.headers["Authorization"].removeprefix("Bearer ")
    assert key == SECRET
    told = {
        "key": key,
        "encoded": b64encode(f"user:{key}".encode()).decode(),
        "link": f"/x?k={quote(key, safe='')}",
    }
    headers = {"X-Request-Id": f"r{number}", "Set-Cookie": "session=1", "X-Auth-Token": "t0ken"}
    return Answer(
        {"id": f"p{number}", "access_token": "oauth-4712", "seen": "oauth-4712!", **told},
        headers=headers,
    )


@pytest.fixture
def recorded(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording of one invocation, made over a connection whose key comes from the
    environment.
    """
    with Provider(echoes) as real:
        values = {"url": f"{real.url}/v2", "apiKey": {"$env": "PARCEL_KEY"}}
        connections = {"connections": {"mine": {"type": "parcel/parcelKey", "values": values}}}
        tmp_path.joinpath("mine.json").write_text(json.dumps(connections), encoding="utf-8")
        monkeypatch.setenv("JACKFIELD_CONNECTIONS", str(tmp_path / "mine.json"))
        monkeypatch.setenv("PARCEL_KEY", SECRET)
        with Harness.of(str(folder / "test_parcel.py"), "mine") as harness:
            harness.replay("one")
            assert harness.invoke("sendParcel", {"name": "ada"}).unwrap() == {"id": "p1"}
        assert [request.path for request in real.requests] == [
            "/v2/parcels",
            "/v2/parcels/p1/fetch",
        ]
    monkeypatch.delenv("PARCEL_KEY")
    return folder / "recordings" / "one.json"


@pytest.mark.parametrize(
    ("names", "says"),
    [((), "none fits the connector"), (("a", "b"), "several fit, a, b")],
    ids=["none", "several"],
)
def test_the_connection_must_be_clear(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], says: str
) -> None:
    """Without a name, exactly one connection has to fit."""
    values = {"url": "http://127.0.0.1:9", "apiKey": "k-4711"}
    connections = {
        "connections": {name: {"type": "parcel/parcelKey", "values": values} for name in names}
    }
    tmp_path.joinpath("some.json").write_text(json.dumps(connections), encoding="utf-8")
    monkeypatch.setenv("JACKFIELD_CONNECTIONS", str(tmp_path / "some.json"))
    with pytest.raises(InvalidInvocation, match=says):
        Harness.of(str(folder / "test_parcel.py"), "")


def test_a_recording_holds_no_secret(recorded: Path) -> None:
    """No spelling of the key, no credential in a response, no request header and no cookie is
    stored.
    """
    text = recorded.read_text(encoding="utf-8")
    for spelling in (
        SECRET,
        quote(SECRET, safe=""),
        b64encode(f"user:{SECRET}".encode()).decode(),
        "oauth-4712",
        "t0ken",
        "session=",
    ):
        assert spelling not in text
    first = json.loads(text)["exchanges"][0]
    assert first["request"] == {
        "method": "POST",
        "path": "/parcels",
        "contentType": "application/json",
        "json": {"name": "ada", "size": "s"},
    }
    assert (first["response"]["json"]["id"], first["response"]["headers"]["x-request-id"]) == (
        "p1",
        "r1",
    )


def test_a_short_secret_can_be_recorded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A secret that equals a number of the file's own form does not keep it from being written, nor
    does it get in.
    """
    with Provider([Answer({"id": "p 1 of 200"})]) as real:
        values = {"url": real.url, "apiKey": "200", "passphrase": "1"}
        connections = {"connections": {"mine": {"type": "parcel/parcelKey", "values": values}}}
        tmp_path.joinpath("mine.json").write_text(json.dumps(connections), encoding="utf-8")
        monkeypatch.setenv("JACKFIELD_CONNECTIONS", str(tmp_path / "mine.json"))
        with Harness.of(str(folder / "test_parcel.py"), "mine") as harness:
            harness.replay("short")
            harness.invoke("findParcel", {"name": "ada"})
    exchange = json.loads((folder / "recordings" / "short.json").read_text(encoding="utf-8"))[
        "exchanges"
    ][0]
    assert (exchange["response"]["status"], exchange["response"]["json"]) == (
        200,
        {"id": "p *** of ***"},
    )


def test_a_recording_is_replayed_offline(recorded: Path, parcels: Harness) -> None:
    """The server is gone; the requests and the result are those that were recorded."""
    server = parcels.replay("one")
    assert parcels.invoke("sendParcel", {"name": "ada"}).unwrap() == {"id": "p1"}
    parcels.finish()
    assert (len(server.requests), recorded.is_file()) == (2, True)


def test_another_request_is_a_readable_difference(recorded: Path, parcels: Harness) -> None:
    """A request that differs from the recorded one fails, with the lines that differ."""
    parcels.replay("one")
    with pytest.raises(RecordingMismatch) as raised:
        parcels.invoke("sendParcel", {"name": "bob"})
    assert "request 1 differs from the recording 'one'" in str(raised.value)
    assert '-  "name": "ada"' in str(raised.value)
    assert '+  "name": "bob"' in str(raised.value)
    assert recorded.is_file()


def test_requests_more_and_fewer(recorded: Path, parcels: Harness) -> None:
    """A request after the last one, and one that is never sent, fail too."""
    parcels.replay("one")
    parcels.invoke("sendParcel", {"name": "ada"})
    with pytest.raises(RecordingMismatch, match="ends after 2 requests, but another was sent"):
        parcels.invoke("findParcel", {"name": "ada"})
    parcels.replay("one")
    with pytest.raises(RecordingMismatch, match=r"2 requests of the recording 'one' were not sent"):
        parcels.finish()
    with pytest.raises(InvalidInvocation, match="there is no recording"):
        parcels.replay("two")
    recorded.write_text("{}", encoding="utf-8")
    with pytest.raises(InvalidInvocation, match="not a recording of version 1"):
        parcels.replay("one")


@pytest.mark.parametrize("host", ["192.0.2.1", "parcels.invalid"])
def test_a_replay_reaches_no_other_host(tmp_path: Path, host: str) -> None:
    """A link to another host, which the recording does not hold, is refused and named instead of
    followed.
    """
    source = SOUND.replace(
        '    found = client.call("GET", f"/parcels?',
        f"""    import socket

    with contextlib.suppress(OSError):
        socket.create_connection(("{host}", 9), 1).close()
    found = client.call("GET", f"/parcels?""",
    ).replace("import http.client", "import contextlib\nimport http.client")
    parcel_project(tmp_path, source)
    with plugged(tmp_path), Harness.of(str(tmp_path / "tests" / "test_parcel.py")) as harness:
        harness.replay("example-findParcel")
        with pytest.raises(RecordingMismatch, match=f"'{host}' was to be reached"):
            harness.invoke("findParcel", {"name": "ada"})


def test_what_differs_in_each_run_can_be_ignored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The members and parameters named 'ignore' are masked in the recording, and never differ."""
    with Provider([Answer(PARCEL)]) as real:
        values = {"url": real.url, "apiKey": "k-4711"}
        connections = {"connections": {"mine": {"type": "parcel/parcelKey", "values": values}}}
        tmp_path.joinpath("mine.json").write_text(json.dumps(connections), encoding="utf-8")
        monkeypatch.setenv("JACKFIELD_CONNECTIONS", str(tmp_path / "mine.json"))
        with Harness.of(str(folder / "test_parcel.py"), "mine") as harness:
            harness.replay("found", ignore=["name"])
            harness.invoke("findParcel", {"name": "ada"})
    with Harness.of(str(folder / "test_parcel.py")) as harness:
        harness.replay("found", ignore=["name"])
        assert harness.invoke("findParcel", {"name": "bob"}).unwrap() == PARCEL


EXAMPLES = [("find", ""), ("list", "s"), ("pay", ""), ("send", ""), ("weigh", "")]


def test_the_suite_answers_as_recorded(tmp_path: Path) -> None:
    """Where the provider's response is not the action's output, the recording of the example says
    what it is.
    """
    source = SOUND.replace('parcel_id=found["id"]', 'parcel_id=found["data"]["id"]')
    project = parcel_project(tmp_path, source)
    file = tmp_path / "tests" / "recordings" / "example-findParcel.json"
    with plugged(tmp_path):
        rule = RULES["output-is-declared"]
        assert judged(Subject.of_project(project), rule) != ()
        file.write_text(
            file.read_text(encoding="utf-8").replace('"id": "p1"', '"data": {"id": "p1"}'),
            encoding="utf-8",
        )
        assert judged(Subject.of_project(project), rule) == ()


POLLED = """    found = client.call("GET", f"/parcels?name={parcel.name}")
    while found.get("busy"):
        current_call().deadline.clock.sleep(25)
        found = client.call("GET", "/jobs/1")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    """A connector whose first example waits for a job, with a connection "mine" to a provider that
    refuses payments.
    """

    def played(_number: int, request: Request) -> Step:
        jobs = sum(other.path == "/jobs/1" for other in real.requests)
        if request.path == "/payments":
            return refused(402)
        return Answer(
            {
                **PARCEL,
                "parcels": [],
                "state": "done",
                "grams": 7,
                "busy": request.path.startswith(("/jobs", "/parcels?name")) and jobs < 4,
            }
        )

    with Provider(played) as real:
        source = SOUND.replace(
            '    found = client.call("GET", f"/parcels?name={parcel.name}")\n', POLLED
        )
        found = parcel_project(tmp_path / "parcel", source)
        values = {"url": real.url, "apiKey": "sk_live_4711"}
        connections = {"connections": {"mine": {"type": "parcel/parcelKey", "values": values}}}
        tmp_path.joinpath("mine.json").write_text(json.dumps(connections), encoding="utf-8")
        monkeypatch.setenv("JACKFIELD_CONNECTIONS", str(tmp_path / "mine.json"))
        monkeypatch.setattr(SystemClock, "sleep", lambda *_: None)
        with plugged(tmp_path / "parcel"):
            yield Subject.of_project(found)


def test_n5_one_failure_keeps_no_other_recording_away(project: Subject) -> None:
    """An example that takes longer than the default timeout is recorded; one that fails is named,
    and those after it are recorded, too.
    """
    with pytest.raises(
        RecordingMismatch,
        match=r"1 of 5 examples were not recorded: 'example-payParcel' fails: \w+",
    ):
        record(project, "mine")
    assert project.project is not None
    made = {path.name for path in (project.project.root / "tests" / "recordings").iterdir()}
    assert made == {
        f"example-{key}.json" for key in ("sendParcel", "findParcel", "listParcels", "weighParcel")
    }
    assert judged(project, RULES["examples-fit-recordings"]) == ()


def test_what_deletes_is_recorded_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples of actions that delete run after all others, which need what is deleted; the others
    keep their order.
    """
    order: list[str] = []
    monkeypatch.setattr(
        recorded_examples, "_outcome", lambda _harness, name, _example: order.append(name)
    )
    monkeypatch.setattr(recorded_examples, "Harness", lambda *_: nullcontext())
    project = parcel_project(tmp_path, SOUND.replace('"findParcel"', '"deleteParcel"'))
    with plugged(tmp_path):
        subject = Subject.of_project(project)
        record(subject, "mine")
    keys = [
        action["key"]
        for action in subject.manifest.raw["actions"]
        if f"example-{action['key']}" in order
    ]
    assert keys.index("deleteParcel") < len(keys) - 1
    assert order == [
        *(f"example-{key}" for key in keys if key != "deleteParcel"),
        "example-deleteParcel",
    ]


def test_a_stale_manifest_is_not_recorded(tmp_path: Path) -> None:
    """Examples are those of connector.json: if it differs from the code, nothing is sent, and the
    error says how to write it again.
    """
    project = parcel_project(tmp_path, SOUND)
    file = project.package / "connector.json"
    file.write_text(
        json.dumps({**json.loads(file.read_text(encoding="utf-8")), "description": "Older."}),
        encoding="utf-8",
    )
    with plugged(tmp_path):
        subject = Subject.of_project(project)
        with pytest.raises(InvalidInvocation, match="--write-manifest"):
            record(subject, "mine")


def test_a_recording_takes_the_time_of_the_provider(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While a recording is made, the clock of the harness is the real one; before and after it,
    waits take no time.
    """
    waits: list[float] = []
    monkeypatch.setattr(SystemClock, "sleep", lambda _clock, seconds, _until: waits.append(seconds))
    with Provider([Answer(PARCEL)]) as real:
        connections = {
            "connections": {
                "mine": {
                    "type": "parcel/parcelKey",
                    "values": {"url": real.url, "apiKey": "k-4711"},
                }
            }
        }
        tmp_path.joinpath("mine.json").write_text(json.dumps(connections), encoding="utf-8")
        monkeypatch.setenv("JACKFIELD_CONNECTIONS", str(tmp_path / "mine.json"))
        with Harness.of(str(folder / "test_parcel.py"), "mine") as harness:
            harness.serve(Answer(PARCEL))
            harness.clock.sleep(1)
            harness.replay("found")
            harness.invoke("findParcel", {"name": "ada"})
            harness.clock.sleep(2)
            harness.finish()
            harness.clock.sleep(3)
    assert (waits, harness.clock.slept) == ([2], (1, 2, 3))


SUITE = '''"""The connector's tests."""

from jackfield.testing import Conformance, Harness


class TestConformance(Conformance):
    """The suite in one line."""


def test_it(harness: Harness) -> None:
    """The project's connector, through the whole pipe."""
    harness.replay("mine")
    assert harness.invoke("findParcel", {"name": "ada"}).unwrap() == {"id": "p7"}
'''


def test_pytest_records_and_replays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pytest --record` makes the recordings over the only connection that fits; without the option
    they are replayed offline.
    """
    folder.joinpath("test_parcel.py").write_text(SUITE, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "test_it or recordings",
        str(folder),
    ]
    with Provider([Answer({**PARCEL, "parcels": [], "state": "done", "grams": 7})]) as real:
        values = {"url": real.url, "apiKey": "sk_live_4711"}
        connections = {"connections": {"mine": {"type": "parcel/parcelKey", "values": values}}}
        tmp_path.joinpath("mine.json").write_text(json.dumps(connections), encoding="utf-8")
        monkeypatch.setenv("JACKFIELD_CONNECTIONS", str(tmp_path / "mine.json"))
        first = subprocess.run(
            [*command, "--record"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert first.returncode == 0, first.stdout
    made = sorted(path.name for path in (folder / "recordings").iterdir())
    assert made == [*(f"example-{verb}Parcel{end}.json" for verb, end in EXAMPLES), "mine.json"]
    again = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert again.returncode == 0, again.stdout
    assert "2 passed" in again.stdout
