"""No secret, External ID, message text or recipient shows where it must not (issue 2, acceptance).

Tested with awkward secrets (quotes, ``%``, backslashes, line ends and letters of any script where
they are legal, prefixes of each other), with botocore, urllib3 and jackfield at DEBUG, on sends
that succeed, are refused, stay in doubt or meet a bug, and where AWS quotes everything that it got
in its refusals:

- stdout and stderr of the command line (``JACKFIELD_LOG_LEVEL=DEBUG``, console and JSON lines):
  none of them. Only AWS's own words in a Result may name a text or a recipient; they never hold a
  secret or the External ID;
- every record of any logger while a call of jackfield's runs, whichever handler gets it, botocore's
  at DEBUG too: none of them, not in its arguments or extra either;
- str, repr and traceback (with the variables of its frames) of the errors in Results and of
  InvocationFailed; str, repr and pickle of every object that a caller, a plugin or an author of a
  connector gets into their hands: none of them.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jackfield
import jackfield_aws_ses
from jackfield import Invocation, InvocationFailed, Jackfield, Result
from jackfield.cli.main import main
from jackfield.connections.connection_lookup import Connections
from jackfield.connector import OpenContext, current_call
from jackfield_aws import ApiKeySecret, AwsAssumeRole, AwsClients
from jackfield_aws.keys import Keys
from jackfield_aws_ses.inputs import Email
from leaks import Recording, leaks, shown
from rig import Rig

_ROLE = "arn:aws:iam::123456789012:role/acme-ses"
_NOISY = ("", "botocore", "urllib3", "jackfield", "jackfield.call", "asyncio")
_AWKWARD = "\"'%\\<>&{}$`;,: +/=?#@!~^|()[]"
_ANYTHING = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12) | st.text(
    _AWKWARD + "ab12ü漢🎉", max_size=12
)
_LEGAL_IN_HEADERS = st.text("".join(chr(code) for code in range(0x21, 0x7F)), max_size=12)
_LEGAL_IN_IDS = st.text("ABCxyz019_+=,.@:/-", max_size=12)
_LEGAL_IN_ADDRESSES = st.text("abcXYZ019!#$%&'*+/=?^_`{|}~-", max_size=10)
_CORE = "Zq7vJ"
"""What every made secret begins with: a text in which it stands by chance would be no leak."""


@dataclass(frozen=True)
class Secrets:
    """Everything that must not show. ``key`` is a prefix of ``token`` or the other way round, and
    all begin alike.
    """

    key: str
    token: str
    external_id: str
    text: str
    subject: str
    local: str
    name: str

    @property
    def recipient(self) -> str:
        """The bare address."""
        return f"{self.local}@example.com"

    @property
    def credentials(self) -> list[str]:
        """What is masked even in the words of AWS."""
        return [self.key, self.token, self.external_id]

    @property
    def all(self) -> list[str]:
        """All of it."""
        return [*self.credentials, self.text, self.subject, self.recipient, self.name]

    def known(self, *, role: bool) -> list[str]:
        """What connection and message hold, and AWS and the connector can tell: without a role
        there is no External ID.
        """
        return [secret for secret in self.all if role or secret != self.external_id]


@st.composite
def secrets(draw: st.DrawFn) -> Secrets:
    """Secrets that look like each other: some are prefixes of others."""
    token = _CORE + draw(_LEGAL_IN_HEADERS) + "9tok"
    key = draw(
        st.sampled_from(
            [token[: max(len(_CORE) + 2, len(token) // 2)], token + draw(_ANYTHING) + "k"]
        )
        | _ANYTHING.map(lambda text: f"{_CORE}{text}8key")
    )
    return Secrets(
        key=key,
        token=token,
        external_id=_CORE + draw(_LEGAL_IN_IDS) + "ext",
        text=f"{_CORE} {draw(_ANYTHING)} text\n{draw(_ANYTHING)}.",
        subject=f"{_CORE} {draw(_ANYTHING)} subject",
        local=_CORE + draw(_LEGAL_IN_ADDRESSES) + "to",
        name=f"{_CORE} {draw(_ANYTHING)} name",
    )


def values(found: Secrets, *, role: bool) -> dict[str, Any]:
    """The connection's values."""
    keys = {
        "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
        "secretAccessKey": found.key,
        "sessionToken": found.token,
    }
    return {"roleARN": _ROLE, "externalId": found.external_id, **keys} if role else keys


def inputs(found: Secrets) -> dict[str, Any]:
    """The message."""
    name = found.name.replace("\\", "\\\\").replace('"', '\\"')
    return {
        "awsRegion": "eu-west-1",
        "to": [found.recipient],
        "bcc": f'"{name}" <{found.recipient}>',
        "sender": "noreply@example.com",
        "subject": found.subject,
        "text": found.text,
        "attachments": {"a.txt": found.text},
    }


def faults(found: Secrets, *, role: bool) -> dict[str, list[dict[str, Any]]]:
    """What goes wrong, by name; AWS quotes all that it got."""
    known = found.known(role=role)
    quoted = f"you sent {' '.join(known)} {known} {json.dumps(known)} '{known[-1]}'"
    refusal = {"do": "status", "code": "BadRequestException", "message": quoted}
    denial = {"do": "status", "status": 403, "code": "AccessDenied", "message": quoted}
    return {
        "none": [],
        "refused": [{**refusal, "operation": "sesv2:SendEmail"}],
        "throttled": [
            {
                **refusal,
                "status": 429,
                "code": "TooManyRequestsException",
                "operation": "sesv2:SendEmail",
                "always": True,
            }
        ],
        "failing": [{**refusal, "status": 500, "operation": "sesv2:SendEmail"}],
        "reset": [{"do": "reset", "operation": "sesv2:SendEmail"}],
        "html": [
            {
                "do": "body",
                "body": quoted,
                "contentType": "text/html",
                "operation": "sesv2:SendEmail",
            }
        ],
        "echoed-id": [
            {"do": "body", "body": {"MessageId": {"you": quoted}}, "operation": "sesv2:SendEmail"}
        ],
        "denied": [{**denial, "operation": "*", "always": True}],
        "bug": [],
    }


FAULTS = sorted(faults(Secrets("", "", "", "", "", "", ""), role=True))


@contextlib.contextmanager
def noisy() -> Iterator[Recording]:
    """Every logger at DEBUG, and a handler on the root logger that keeps all records, as a host may
    have it.
    """
    recording = Recording()
    before = {name: logging.getLogger(name).level for name in _NOISY}
    own = logging.getLogger("jackfield")
    kept = (own.handlers[:], own.propagate)
    logging.getLogger().addHandler(recording)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield recording
    finally:
        logging.getLogger().removeHandler(recording)
        own.handlers[:], own.propagate = kept[0], kept[1]
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def bug(found: Secrets, fault: str, *, role: bool) -> Iterator[None]:
    """A connector with a bug whose exception quotes everything that it knows, its causes too."""
    known = found.known(role=role)

    def broken(*_: object, **__: object) -> object:
        raise RuntimeError(
            f"cannot send {found.text!r} to {found.recipient} with {known}"
        ) from KeyError(found.key, found.token)

    with (
        mock.patch.object(AwsClients, "client", broken)
        if fault == "bug"
        else contextlib.nullcontext()
    ):
        yield


@contextlib.contextmanager
def prepared(found: Secrets, fault: str, *, role: bool) -> Iterator[tuple[Rig, Recording]]:
    """A runtime whose AWS asks for the External ID and quotes what it got, with all logs on."""
    users = {"AKIAABCDEFGHIJKLWXYZ": {"session_token": found.token}}
    roles = {_ROLE: {"external_id": found.external_id}}
    script = faults(found, role=role)[fault]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        recording = stack.enter_context(noisy())
        stack.enter_context(bug(found, fault, role=role))
        yield (
            stack.enter_context(
                Rig(
                    folder, script=script, values=values(found, role=role), users=users, roles=roles
                )
            ),
            recording,
        )


_SENDS = given(found=secrets(), fault=st.sampled_from(FAULTS), role=st.booleans())
_COMMANDS = given(
    found=secrets(),
    fault=st.sampled_from(FAULTS),
    role=st.booleans(),
    form=st.sampled_from(["json", "console"]),
)
_OBJECTS = given(found=secrets(), role=st.booleans())
_REFUSED = given(
    found=secrets(),
    member=st.sampled_from(
        ["sessionToken", "secretAccessKey", "externalId", "accessKeyId", "extra"]
    ),
)


@settings(max_examples=24)
@_SENDS
def test_results_logs_and_errors(found: Secrets, fault: str, role: bool) -> None:
    """Logs of jackfield, and every form of a Result and its error, hold nothing; AWS's words in a
    Result hold no secret.
    """
    with prepared(found, fault, role=role) as (rig, recording):
        result = rig.send(**inputs(found))
        assert (result.status == "succeeded") is (fault == "none"), result.to_json()
        told = [
            json.dumps(result.to_json()),
            json.dumps(result.to_json(), ensure_ascii=False),
            repr(result.to_json()),
        ]
        assert leaks(found.credentials, told) == []
        assert leaks(found.all, [repr(result), str(result), *recording.texts()]) == []
        assert leaks(found.credentials, shown(result)) == []
        for error in filter(None, (result.error, failure(result))):
            assert leaks(found.credentials, shown(error)) == []
        if fault in ("none", "reset", "html", "echoed-id", "bug"):
            assert (
                leaks(
                    found.all,
                    [*told, *shown(result), *(shown(result.error) if result.error else ())],
                )
                == []
            )


def failure(result: Result) -> InvocationFailed | None:
    """What ``unwrap`` raises."""
    try:
        result.unwrap()
    except InvocationFailed as error:
        return error
    return None


@settings(max_examples=14)
@_COMMANDS
def test_command_line(found: Secrets, fault: str, role: bool, form: str) -> None:
    """The command at its most verbose tells nothing on stderr; stdout holds no secret, and nothing
    at all but where AWS says it.
    """
    with (
        prepared(found, fault, role=role) as (rig, _),
        mock.patch.dict(os.environ, JACKFIELD_LOG=form, JACKFIELD_LOG_LEVEL="DEBUG"),
    ):
        path = rig.folder / "invocation.json"
        path.write_text(json.dumps(rig.mail(**inputs(found))), encoding="utf-8")
        out, err = io.StringIO(), io.StringIO()
        patched = mock.patch("jackfield.runtime.SystemClock", return_value=rig.clock)
        with patched, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["invoke", "--file", str(path)])
            shown_code = main(["connections", "show", "acme"])
        assert (code == 0, shown_code) == (fault == "none", 0)
        assert leaks(found.all, [err.getvalue()]) == []
        answered, masked = out.getvalue().splitlines()
        assert leaks(found.credentials, [answered]) == []
        assert (
            leaks([found.key, found.token], [masked.replace(found.external_id, "")]) == []
        )  # shown by contract, and may begin like the key
        if fault in ("none", "reset", "html", "echoed-id", "bug"):
            assert leaks(found.all, [answered]) == []


class Witness:
    """A plugin that keeps what plugins get."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    @jackfield.connector.hooks.hookimpl
    def around(
        self, invocation: Invocation, workspace: str, meta: object
    ) -> contextlib.AbstractContextManager[None]:
        """Keep the invocation and its meta."""
        self.seen += [invocation, workspace, meta]
        return contextlib.nullcontext()


@settings(max_examples=10)
@_OBJECTS
def test_objects_in_foreign_hands(found: Secrets, role: bool) -> None:
    """``str``, ``repr`` and pickle of what callers, plugins and authors of connectors get, from the
    invocation to the open client.
    """
    witness, opened = Witness(), list[object]()
    kind = AwsAssumeRole if role else ApiKeySecret
    real = kind.open

    def watched(self: Any, context: OpenContext) -> AwsClients:
        client: AwsClients = real(self, context)
        opened.extend(
            [
                self,
                context,
                client,
                client.client("sesv2"),
                current_call(),
                context.call,
                context.leases,
            ]
        )
        opened.append(Keys("AKIAABCDEFGHIJKLWXYZ", found.key, found.token))
        return client

    with prepared(found, "none", role=role) as (rig, _), mock.patch.object(kind, "open", watched):
        connections = [
            {
                "connections": {
                    "acme": {"type": f"aws/{kind.key}", "values": values(found, role=role)}
                }
            }
        ]
        with Jackfield(connections=connections, plugins=[witness], clock=rig.clock) as runtime:
            result = runtime.invoke(rig.mail(**inputs(found)))
            assert result.status == "succeeded", result.to_json()
            stored = Connections(connections)
            email = Email.model_validate(inputs(found))
            objects = [
                *witness.seen,
                *opened,
                runtime,
                runtime.open_connections,
                stored,
                stored.find("acme"),
                email,
                result,
                result.meta,
            ]
            objects += [jackfield_aws_ses.connector, kind.model_validate(values(found, role=role))]
            for item in objects:
                assert leaks(found.all, shown(item)) == [], type(item)
            # as above
            masked = json.dumps(runtime.show("acme"), ensure_ascii=False).replace(
                found.external_id, ""
            )
            assert leaks([found.key, found.token], [masked]) == []


@settings(max_examples=10)
@_REFUSED
def test_refused_connections(found: Secrets, member: str) -> None:
    """Connection values that break their schema are told without any secret, inline and stored."""
    wrong: Mapping[str, Any] = {
        "sessionToken": {"sessionToken": [found.token]},
        "secretAccessKey": {"secretAccessKey": {"inner": found.key}},
        "externalId": {"externalId": f"{found.external_id} {found.text}"},
        "accessKeyId": {"accessKeyId": None},
        "extra": {"extra": found.key},
    }
    with prepared(found, "none", role=True) as (rig, recording):
        connection = {
            "type": "awsAssumeRole",
            "values": {**values(found, role=True), **wrong[member]},
        }
        result = rig.jackfield.invoke({**rig.mail(**inputs(found)), "connection": connection})
        assert result.to_json()["error"]["code"] == "invalid_connection"
        assert (
            leaks(
                found.all,
                [
                    json.dumps(result.to_json()),
                    *recording.texts(),
                    *shown(result),
                    *shown(result.error),
                ],
            )
            == []
        )


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("examples", "test"),
    [
        (_SENDS, test_results_logs_and_errors),
        (_COMMANDS, test_command_line),
        (_OBJECTS, test_objects_in_foreign_hands),
        (_REFUSED, test_refused_connections),
    ],
)
def test_no_secret_shows_in_many_examples(examples: Callable[[Any], Any], test: Any) -> None:
    """The tests above hold for 200 examples each."""
    settings(max_examples=200)(examples(test.hypothesis.inner_test))()


def test_botocores_debug_log_is_silent_in_our_calls_only() -> None:
    """The tests above would see a leak: botocore's DEBUG log holds the token and the message of
    calls that the host makes itself.
    """
    import botocore.session

    found = Secrets(
        "Zq7vJ8key", "Zq7vJ9tok", "Zq7vJext", "Zq7vJ text", "Zq7vJ subject", "Zq7vJto", "Zq7vJ name"
    )
    with prepared(found, "none", role=False) as (rig, recording):
        assert rig.send(**inputs(found)).status == "succeeded"
        assert leaks(found.all, recording.texts()) == []
        keys = {
            "aws_access_key_id": "AKIAABCDEFGHIJKLWXYZ",
            "aws_secret_access_key": found.key,
            "aws_session_token": found.token,
        }
        client = botocore.session.Session().create_client(
            "sesv2", "eu-west-1", endpoint_url=rig.aws.url, **keys
        )
        body = {
            "Simple": {"Subject": {"Data": found.subject}, "Body": {"Text": {"Data": found.text}}}
        }
        client.send_email(
            FromEmailAddress="noreply@example.com",
            Destination={"ToAddresses": [found.recipient]},
            Content=body,
        )
        assert leaks([found.token], recording.texts("botocore")) != []
        assert leaks([found.subject], recording.texts("botocore")) != []


@pytest.mark.parametrize("name", ["botocore", "urllib3", ""])
def test_jackfield_puts_no_handler_on_others_loggers(name: str) -> None:
    """Neither the runtime nor the command adds a handler to a logger that is not jackfield's."""
    found = Secrets(
        "Zq7vJ8key", "Zq7vJ9tok", "Zq7vJext", "Zq7vJ text", "Zq7vJ subject", "Zq7vJto", "Zq7vJ name"
    )
    with prepared(found, "none", role=True) as (rig, _):
        before = logging.getLogger(name).handlers[:]
        rig.send(**inputs(found))
        rig.command(rig.mail(**inputs(found)))
        assert logging.getLogger(name).handlers == before
