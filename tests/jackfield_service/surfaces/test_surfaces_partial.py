"""``partial: "fail"``: what a provider carried out in part is a failure that nobody repeats, on
every surface.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from http_stand import Stand, standing
from jackfield_store.database import open_database
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from mcp_talk import called, remote
from plugboard import make_connector, plugged

pytest_plugins = ["warm"]
pytestmark = pytest.mark.above_sql

_SOURCE = '''
from pathlib import Path

from jackfield.connector import Connector, Detail, FailedEntry, Inputs, Output, current_call

connector = Connector("mailing", title="Mailing", version="1.0.0", connections=[])

class Letters(Inputs):
    """Letters."""

    to: list[str]
    log: str

class Sent(Output):
    """What became of them."""

    ids: list[str]
    failed: list[dict[str, str]]

@connector.action("sendAll", needs_connection=False)
def send_all(letters: Letters) -> Sent:
    """Send letters; those that begin with x fail."""
    with Path(letters.log).open("a") as log:
        log.write("sent\\n")
    bad = [name for name in letters.to if name.startswith("x")]
    where = [None if name.startswith("xx") else f"/to/{letters.to.index(name)}" for name in bad]
    entries = [
        Detail(f"/failed/{number}", f"{name}: NoSuchAddress") if asked is None
        else FailedEntry(f"/failed/{number}", f"{name}: NoSuchAddress", input=asked)
        for number, (name, asked) in enumerate(zip(bad, where, strict=True))
    ]
    current_call().failed_in_part(entries, path="/failed")
    return Sent(ids=[name for name in letters.to if name not in bad], failed=[{"id": name} for name in bad])
'''
_TEN = [f"{'x' if number in (2, 5, 9) else 'a'}{number}" for number in range(10)]
_DETAILS = [
    {"path": f"/to/{number}", "message": f"x{number}: NoSuchAddress"} for number in (2, 5, 9)
]
_ENTRIES = [
    {"path": f"/failed/{place}", "message": one["message"], "input": one["path"]}
    for place, one in enumerate(_DETAILS)
]


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    return tmp_path / "sent.log"


def _sent(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def _batch(log: Path, **more: Any) -> dict[str, Any]:
    return {
        "connector": "mailing",
        "action": "sendAll",
        "inputs": {"to": _TEN, "log": str(log)},
        "idempotencyKey": str(log),
        **more,
    }


def _is_refused(result: dict[str, Any]) -> bool:
    error = result.get("error", {})
    return (
        (result["status"], error.get("code"), error.get("retryable"))
        == ("failed", "rejected", False)
        and error["details"] == _DETAILS
        and error["provider"]["details"]["ids"] == [name for name in _TEN if name.startswith("a")]
    )


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("partial")
    make_connector(folder / "plugs", "mailing", _SOURCE)
    return folder


@pytest.fixture(name="stand", scope="module")
def _stand(folder: Path) -> Iterator[Stand]:
    with standing(folder) as stand:
        yield stand


@pytest.fixture(name="jackfield")
def _jackfield(folder: Path, tmp_path: Path) -> Iterator[Jackfield]:
    with plugged(folder / "plugs"):
        url = f"sqlite:///{tmp_path}/x.db"
        open_database(url, migrate=True).close()
        with Jackfield(
            database_url=url, environment={"JACKFIELD_HOME": str(tmp_path)}
        ) as jackfield:
            yield jackfield


def test_a_part_that_failed_is_a_warning_by_default(jackfield: Jackfield, log: Path) -> None:
    """A success, with one warning: its code, how many entries failed, and a pointer to each."""
    for members in ({}, {"partial": "warn"}):
        result = jackfield.invoke(
            {**_batch(log), **members, "idempotencyKey": f"k{len(members)}"}
        ).to_json()
        (warning,) = result["meta"]["warnings"]
        assert (result["status"], warning["code"], warning["failed"], warning["path"]) == (
            "succeeded",
            "partial",
            3,
            "/failed",
        )
        assert warning["entries"] == _ENTRIES
        assert warning["message"] == "succeeded in part: 3 entries failed"


def test_an_entry_whose_input_nobody_knows_is_named_in_the_output(
    jackfield: Jackfield, log: Path
) -> None:
    """The details of an error point into the inputs (contract §3): one that cannot has the whole of
    them, and says where in the output.
    """
    body = {**_batch(log, partial="fail"), "inputs": {"to": ["a", "xx", "x"], "log": str(log)}}
    error = jackfield.invoke(body).to_json()["error"]
    assert error["details"] == [
        {"path": "", "message": "/failed/0 of the output: xx: NoSuchAddress"},
        {"path": "/to/2", "message": "x: NoSuchAddress"},
    ]


def test_the_same_key_is_one_request(jackfield: Jackfield, log: Path) -> None:
    """A batch of 10 of which 3 failed, asked for four times with one key: one request, and the same
    failure each time. The key is no other request's, and a batch that succeeds is no failure.
    """
    first = jackfield.invoke(_batch(log, partial="fail"))
    again = [jackfield.invoke(_batch(log, partial="fail")) for _ in range(2)]
    awaited = asyncio.run(jackfield.ainvoke(_batch(log, partial="fail")))
    assert [_is_refused(result.to_json()) for result in (first, *again, awaited)] == [True] * 4
    assert [result.meta.replayed for result in (first, *again, awaited)] == [
        False,
        True,
        True,
        True,
    ]
    assert {result.meta.invocation_id for result in again} == {first.meta.invocation_id}
    assert _sent(log) == 1
    other = jackfield.invoke(
        {**_batch(log, partial="fail"), "inputs": {"to": ["a"], "log": str(log)}}
    ).to_json()
    assert other["error"]["code"] == "idempotency_conflict"
    whole = jackfield.invoke(
        {
            **_batch(log, partial="fail", idempotencyKey="k"),
            "inputs": {"to": ["a"], "log": str(log)},
        }
    )
    assert (whole.status, whole.exit_code, first.exit_code) == ("succeeded", 0, 1)
    assert jackfield.journal is not None
    kept = jackfield.journal.find(first.meta.invocation_id)
    assert (kept.status, kept.error_code, kept.key_held) == ("failed", "rejected", True)


def test_a_refusal_of_the_provider_still_frees_its_key(jackfield: Jackfield, log: Path) -> None:
    """With the option, all other failures are as they were: inputs that are not valid spend no
    key.
    """
    wrong = jackfield.invoke(
        {**_batch(log, partial="fail"), "inputs": {"to": "x", "log": 1}}
    ).to_json()
    assert wrong["error"]["code"] == "invalid_input"
    assert _is_refused(jackfield.invoke(_batch(log, partial="fail")).to_json())
    assert jackfield.invoke(_batch(log, partial="sometimes")).to_json()["error"]["details"] == [
        {"path": "/partial", "message": "must be 'warn' or 'fail'", "keyword": "enum"}
    ]


def test_no_key_is_no_matter(folder: Path, log: Path) -> None:
    """Without a database, and without a key, it fails all the same, once."""
    with plugged(folder / "plugs"), Jackfield(database_url="none") as jackfield:
        body = _batch(log, partial="fail")
        del body["idempotencyKey"]
        assert _is_refused(jackfield.invoke(body).to_json())
    assert _sent(log) == 1


def test_a_queued_call_fails_in_part_once(jackfield: Jackfield, log: Path) -> None:
    """The queue does not deliver it again, and a repeat of its key is that failure."""
    identifier = jackfield.enqueue(_batch(log, partial="fail"))
    (claimed,) = Queue(jackfield.storage.database).claim(1)
    assert _is_refused(asyncio.run(jackfield.arun(claimed)).to_json())
    assert Queue(jackfield.storage.database).claim(1) == []
    again = jackfield.invoke(_batch(log, partial="fail"))
    assert (again.meta.invocation_id, again.meta.replayed, _sent(log)) == (identifier, True, 1)


def _over_http(stand: Stand, body: dict[str, Any]) -> dict[str, Any]:
    reply = stand.client().post("/v1/invocations", body)
    assert reply.status == 502
    return dict(reply.json)


def _over_mcp(stand: Stand, body: dict[str, Any]) -> dict[str, Any]:
    return dict(
        called(
            remote(stand.port, stand.client().token), "execute_action", **body
        ).structured_content
    )


@pytest.mark.parametrize("ask", [_over_http, _over_mcp])
def test_it_is_the_same_over(
    stand: Stand, log: Path, ask: Callable[[Stand, dict[str, Any]], dict[str, Any]]
) -> None:
    """HTTP and MCP answer with the failure, and with its replay: one request."""
    found = [ask(stand, _batch(log, partial="fail")) for _ in range(2)]
    assert [_is_refused(result) for result in found] == [True, True]
    assert [result["meta"]["replayed"] for result in found] == [False, True]
    assert _sent(log) == 1


def test_the_command_line_has_a_flag(folder: Path, log: Path, tmp_path: Path) -> None:
    """``--partial fail`` prints the failure, and exits with 1; the second time it is a replay."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder / "plugs"), os.environ.get("PYTHONPATH", "")]),
        "JACKFIELD_HOME": str(tmp_path),
        "JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path}/x.db",
    }
    words = [
        "mailing",
        "sendAll",
        f"to:={json.dumps(_TEN)}",
        f"log={log}",
        "--idempotency-key",
        "k",
        "--partial",
        "fail",
    ]
    for replayed in (False, True):
        done = subprocess.run(
            [sys.executable, "-m", "jackfield", "invoke", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        found = json.loads(done.stdout)
        assert (done.returncode, _is_refused(found), found["meta"]["replayed"]) == (
            1,
            True,
            replayed,
        ), found
    assert _sent(log) == 1
