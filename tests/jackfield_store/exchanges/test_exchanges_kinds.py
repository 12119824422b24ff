"""Exchanges of every kind of connector: AWS over jackfield's wire and over botocore's client, SMTP,
and a connector in its own process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_isolation.isolated_sources import sources_of

from isolated import install_from, isolating
from jackfield import Result
from jackfield.cli.main import main
from jackfield.testing import CLOSE, Answer, Provider, refused
from jackfield_aws.direct.switch import SWITCH
from jackfield_market.testing.loopback_provider import Step
from jackfield_store.journal.exchanges import exchanges_of
from jackfield_store.runtime import Jackfield
from rig import KEY_ID, SECRET, Rig, role_values
from smtp_rig import HOST, LOGIN, MAIL, authority
from smtp_server import CUT, SmtpServer, resolving
from warm import launchers, warm_python
from warm_child import forked_children

__all__ = ["forked_children", "launchers", "warm_python"]
TOKEN = "tok-of-wired-4711"
_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "a reset": {"do": "reset"},
    "a close": {"do": "close"},
    "a cut answer": {"do": "cut"},
    "a refusal": {"do": "status", "status": 400, "code": "MessageRejected", "message": "no"},
    "a server's error": {"do": "status", "status": 500, "code": "InternalFailure", "message": "oh"},
    "no JSON": {"do": "body", "body": "<html>", "contentType": "text/html"},
}


def _journal(folder: Path) -> dict[str, str]:
    return {"JACKFIELD_DATABASE_URL": f"sqlite:///{folder}/journal.db"}


def kept(jackfield: Jackfield, result: Result) -> Mapping[str, Any]:
    """What the journal keeps of a call's exchanges."""
    journal = jackfield.journal
    assert journal is not None
    found = exchanges_of(journal, result.meta.invocation_id)
    assert found is not None, result.to_json()
    return found


@pytest.mark.parametrize("direct", [True, False], ids=["wire", "botocore"])
@pytest.mark.parametrize("fault", _FAULTS)
def test_aws_shows_its_requests_and_no_credential(
    tmp_path: Path, fault: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure or doubt of AWS shows the operation's request; signature and session token are
    masked, STS is never kept.
    """
    environment = {**_journal(tmp_path), **({} if direct else {SWITCH: "0"})}
    with Rig(
        tmp_path,
        script=[{**_FAULTS[fault], "operation": "SendEmail", "always": True}],
        values=role_values(),
        environment=environment,
    ) as rig:
        result = rig.jackfield.invoke({**rig.mail(), "trace": True})
        found = kept(rig.jackfield, result)
        sessions = [secret for one in rig.aws.sessions for secret in (one.secret, one.token)]
    assert result.status != "succeeded"
    assert found["captured"] is True
    assert {one["method"] for one in found["exchanges"]} == {"POST"}
    assert all(one["url"].endswith("/v2/email/outbound-emails") for one in found["exchanges"])
    fields = {
        field["name"].lower(): field["value"]
        for field in found["exchanges"][0]["request"]["headers"]
    }
    assert (fields["authorization"], fields["x-amz-security-token"]) == ("***", "***")
    assert "Hello Ada" in found["exchanges"][0]["request"]["body"]
    text = json.dumps(found)
    assert [secret for secret in (SECRET, KEY_ID, *sessions) if secret in text] == []


@contextmanager
def _mailing(folder: Path, script: Mapping[str, Any]) -> Iterator[Jackfield]:
    with SmtpServer(authority().serving(HOST), script) as server, resolving({HOST: server.port}):
        link = {"type": "aws-ses/smtp", "values": {"hostname": HOST, **LOGIN}}
        environment = {"AWS_CA_BUNDLE": str(authority().bundle)}
        with Jackfield(
            connections=[{"link": link}],
            environment=environment,
            database_url=f"sqlite:///{folder}/journal.db",
        ) as jackfield:
            yield jackfield


def test_smtp_says_that_nothing_was_captured(tmp_path: Path) -> None:
    """What a driver sends by other means than HTTP cannot be seen, and that is said."""
    with _mailing(tmp_path, {".": [CUT]}) as jackfield:
        result = jackfield.invoke(
            {"connector": "aws-ses", "action": "sendEmail", "connection": "link", "inputs": MAIL}
        )
        found = kept(jackfield, result)
    assert result.status == "in_doubt"
    assert found == {"captured": False, "dropped": 0, "exchanges": []}


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ([CLOSE], None),
        ([refused(409)], 409),
        ([Answer({"message": "oh"}, 500)], 500),
        ([Answer(content=b"{}", status=400)], 400),
    ],
    ids=["a close", "a refusal", "a server's error", "an empty refusal"],
)
def test_an_isolated_connector_brings_its_exchanges_back(
    tmp_path: Path, script: list[Step], status: int | None
) -> None:
    """What a connector sends from its own process is kept as that of others, with its bodies where
    they are.
    """
    install_from(tmp_path, "wired", "wired.py", files=dict(sources_of("jackfield_http")))
    with Provider(script) as provider:
        account = {
            "account": {"type": "wired/account", "values": {"server": provider.url, "token": TOKEN}}
        }
        with isolating(
            tmp_path, account, database_url=f"sqlite:///{tmp_path}/journal.db"
        ) as jackfield:
            call = {
                "connector": "wired",
                "action": "order",
                "connection": "account",
                "inputs": {},
                "timeoutSeconds": 20,
                "trace": True,
            }
            found = kept(jackfield, jackfield.invoke(call))
    (exchange,) = found["exchanges"]
    assert (exchange["method"], exchange["url"]) == ("POST", f"{provider.url}/orders")
    assert exchange.get("response", {}).get("status") == status
    assert exchange["sent"] is True
    assert {"name": "Authorization", "value": "***"} in exchange["request"]["headers"]
    assert TOKEN not in json.dumps(found)


def test_only_the_last_twenty_are_kept(tmp_path: Path) -> None:
    """Attempts beyond the twentieth push out the first ones, and their number is told."""
    throttled = {
        "do": "status",
        "status": 400,
        "code": "Throttling",
        "message": "no",
        "operation": "ses:ListIdentities",
        "always": True,
    }
    with Rig(tmp_path, script=[throttled], environment=_journal(tmp_path)) as rig:
        result = rig.list(timeout=600)
        found = kept(rig.jackfield, result)
    assert len(found["exchanges"]) == 20
    assert found["dropped"] == result.meta.attempts - 20


def test_the_command_prints_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``jackfield invocations exchanges`` prints JSON, and with ``--curl`` command lines; of what
    was not kept it says why.
    """
    with Rig(
        tmp_path, script=[{"do": "reset", "operation": "SendEmail"}], environment=_journal(tmp_path)
    ) as rig:
        doubt, fine = rig.send(), rig.send()
        assert main(["invocations", "exchanges", doubt.meta.invocation_id]) == 0
        assert json.loads(capsys.readouterr().out)["exchanges"][0]["method"] == "POST"
        assert main(["invocations", "exchanges", doubt.meta.invocation_id, "--curl"]) == 0
        assert capsys.readouterr().out.startswith("curl -X POST http://127.0.0.1:")
        assert main(["invocations", "exchanges", fine.meta.invocation_id]) == 2
        assert "'trace'" in capsys.readouterr().out
