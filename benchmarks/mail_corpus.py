"""Send every message of public test corpora with ``sendRawEmail``, and again its addresses, files
and header fields with ``sendEmail``, as dry runs, and its records of SES events through their
reader; print what became of them.

``make campaign mail`` takes the messages of the running CPython's own tests
(``test/test_email/data``), and those below the folders that ``MAIL_CORPORA`` names (separated as in
``PATH``): checkouts of SpamScope/mail-parser, jhillyerd/enmime, mikel/mail, apache/james-mime4j and
anymail/django-anymail. Nothing of them is in this repository.

It fails if a recipient that Python's parser or npm's mailparser reads is lost, if something is
refused that both read alike and without a defect, or if a call ends otherwise. Connections of the
dry runs have a key of their own: a role would be assumed at each of them.
"""

from __future__ import annotations

import ast
import base64
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import HeaderParseError, MessageError
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from benchmarks.measure import ROOT
from jackfield import Jackfield
from jackfield.connector import Malformed
from jackfield_aws_ses.actions.raw import RawEmail
from jackfield_aws_ses.events.envelopes import events_of
from jackfield_aws_ses.events.receipts import mail_of_text
from jackfield_aws_ses.headers import HeaderError, check_header_name

_NODE, _READER = ROOT / ".venv" / "node", ROOT / "tests" / "clients" / "read-recipients.mjs"
_SUFFIXES = re.compile(r"\.(eml|msg|raw|txt|mail|rlug(-\d+)?)")
_HEAD = re.compile(rb"\r?\n\r?\n|\r\r")
_FIELD = re.compile(rb"(?:^|[\r\n])(?:From|To|Received|Subject|Date)[ \t]*:", re.IGNORECASE)
_REGION = {"awsRegion": "eu-west-1"}
_SIMPLE = {**_REGION, "sender": "noreply@example.com", "subject": "Hello", "text": "Hello"}
_PLAIN = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[a-z0-9-]+(\.[a-z0-9-]+)*"
)
_INTENDED = re.compile("has no From field|has a Bcc|names nobody|^[0-9]+ recipients")
"""Refusals of messages whatever their addresses are."""


def folders() -> list[Path]:
    """Return the folders of corpora that there are."""
    named = [Path(name) for name in os.environ.get("MAIL_CORPORA", "").split(os.pathsep) if name]
    spec = importlib.util.find_spec("test")
    own = (
        [Path(place, "test_email", "data") for place in (spec.submodule_search_locations or ())]
        if spec
        else []
    )
    return [*own, *named]


def messages(places: list[Path]) -> Iterator[tuple[Path, bytes]]:
    """Yield the files that begin with the header of a message, in order."""
    for path in sorted(path for place in places for path in place.rglob("*") if path.is_file()):
        if _SUFFIXES.fullmatch(path.suffix) or "mails" in path.parts:
            data = path.read_bytes()
            if _FIELD.search(_HEAD.split(data, 1)[0]):
                yield path, data


def in_node(found: list[bytes]) -> list[set[str] | None]:
    """Return the recipients of each message as mailparser reads them; None for what it cannot
    read.
    """
    lines = b"".join(base64.b64encode(data) + b"\n" for data in found)
    done = subprocess.run(["node", _READER, _NODE], input=lines, capture_output=True, check=True)
    read = [json.loads(line) for line in done.stdout.splitlines()]
    return [one and {_comparable(address) for address in (*one["to"], *one["cc"])} for one in read]


def in_python(data: bytes) -> tuple[set[str], bool]:
    """Return the recipients of a message as Python reads them, and whether it saw a defect."""
    found: set[str] = set()
    read = message_from_bytes(data, EmailMessage, policy=policy.default)
    sound = True
    for name in ("To", "Cc"):
        try:
            for text in read.get_all(name, []):
                found |= {
                    _comparable(one.addr_spec)
                    for one in text.addresses
                    if one.username and one.domain
                }
                sound = (
                    sound
                    and not text.defects
                    and all(one.username and one.domain for one in text.addresses)
                )
        except (HeaderParseError, MessageError, IndexError, AttributeError, ValueError):
            sound = False  # Python's parser fails itself
    return found, sound


def _comparable(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def _all_plain(addresses: set[str]) -> bool:
    return all(map(_PLAIN.fullmatch, addresses))


class Counts:
    """What became of the messages."""

    def __init__(self, jackfield: Jackfield) -> None:
        self.jackfield = jackfield
        self.kinds: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.faults: list[str] = []

    def judge(self, path: Path, data: bytes, in_node: set[str] | None) -> None:
        """Try one message in all ways."""
        in_python_, sound = in_python(data)
        raw: dict[str, Any] = {"message": {"data": base64.b64encode(data).decode()}}
        refused = self._send("sendRawEmail", path, "message", {**_REGION, **raw})
        if refused is None:
            sent = RawEmail.model_validate({**_REGION, **raw}).raw
            self._lost(
                path, in_python_, in_node, {mailbox.address for mailbox in (*sent.to, *sent.cc)}
            )
        elif (
            not _INTENDED.search(refused)
            and sound
            and in_python_ == in_node
            and in_python_
            and _all_plain(in_python_)
        ):
            self.faults.append(f"{path}: refused wrongly: {refused}")
        self._addresses(path, data)
        parsed = message_from_bytes(data)
        for part in parsed.walk():
            if (
                not part.is_multipart()
                and part.get("Content-Type")
                and part.get("Content-Disposition")
            ):
                file = {"data": "QUJD", "contentType": str(part["Content-Type"])}
                self._send(
                    "sendEmail",
                    path,
                    "file",
                    {**_SIMPLE, "to": "a@example.com", "attachments": {"file": file}},
                )
        for name, value in parsed.items():
            if text := " ".join(str(value).split()):
                self._field(path, name, text)

    def _lost(
        self, path: Path, in_python: set[str], in_node: set[str] | None, sent: set[str]
    ) -> None:
        # mailparser misreads blanks that old syntax allows
        read = in_python | (in_node or set()) if in_python != sent else sent
        self.faults += [f"{path}: lost {address!r}" for address in sorted(read - sent)]

    def _addresses(self, path: Path, data: bytes) -> None:
        """Send to each To and Cc field as a person would paste it; all that Python reads in it must
        be recipients.
        """
        for name in ("To", "Cc"):
            for text in message_from_bytes(data).get_all(name, []):
                pasted = " ".join(str(text).split())
                result = self._invoke("sendEmail", {**_SIMPLE, "to": pasted, "preview": True})
                refused = self._count(path, "address field", result)
                read, sound = in_python(f"To: {pasted}\r\n\r\n".encode("utf-8", "replace"))
                if refused is None:
                    self._lost(
                        path,
                        read,
                        None,
                        in_python(f"To: {', '.join(result.output['to'])}\r\n\r\n".encode())[0],
                    )
                elif (
                    sound
                    and ":" not in pasted
                    and read
                    and _all_plain(read)
                    and all("." in one.rpartition("@")[2] for one in read)
                ):
                    self.faults.append(f"{path}: refused wrongly: {refused}")

    def _field(self, path: Path, name: str, text: str) -> None:
        try:
            check_header_name(name)
        except HeaderError:
            return  # written by the message or by Amazon SES
        self._send(
            "sendEmail",
            path,
            "header field",
            {**_SIMPLE, "to": "a@example.com", "headers": {name: text}},
        )

    def _send(self, action: str, path: Path, what: str, inputs: dict[str, Any]) -> str | None:
        return self._count(path, what, self._invoke(action, inputs))

    def _invoke(self, action: str, inputs: dict[str, Any]) -> Any:
        return self.jackfield.invoke(
            {
                "connector": "aws-ses",
                "action": action,
                "connection": "w",
                "dryRun": True,
                "inputs": inputs,
            }
        )

    def _count(self, path: Path, what: str, result: Any) -> str | None:
        if result.error is None:
            self.kinds[f"{what}: accepted"] += 1
            return None
        detail: str = (
            result.error.details[0].message if result.error.details else result.error.message
        )
        self.kinds[f"{what}: refused"] += 1
        self.refused[what, re.sub(r"'.{1,200}?' |\d+", "… ", detail)[:100]] += 1
        if result.error.code != "invalid_input":
            self.faults.append(f"{path}: {what}: {result.error.code}: {result.error.message}")
        return detail


def records(places: list[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the records of Amazon SES that modules of tests hold as literals."""
    for path in sorted(path for place in places for path in place.rglob("test_*ses*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Dict) and any(
                isinstance(key, ast.Constant) and key.value == "mail" for key in node.keys
            ):
                try:
                    yield path, ast.literal_eval(node)
                except ValueError:
                    continue  # made of variables


def judge_record(path: Path, record: dict[str, Any], counts: Counts) -> None:
    """Read a record as the triggers do; recipients are bare addresses, one each."""
    received = record.get("notificationType") == "Received"
    try:
        events = mail_of_text(json.dumps(record)) if received else events_of(record)
    except Malformed:
        counts.faults.append(
            f"{path}: a record of type "
            f"{record.get('notificationType', record.get('eventType'))!r} is malformed"
        )
        return
    counts.kinds[
        f"record: {'receipt' if received else events[0].type if events else 'nothing'}"
    ] += 1
    for event in events:
        data = json.loads(to_json(event.data))
        for recipient in data.get("recipients") or [data.get("recipient")]:
            if recipient is not None and not re.fullmatch(r"[^\s<>,;]+@[^\s<>,;@]+", recipient):
                counts.faults.append(f"{path}: the recipient {recipient!r} is not bare")


def main() -> int:
    """Print the counts; fail if something was lost."""
    places = folders()
    keys = {
        "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
        "secretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    }
    connections: Any = {"w": {"type": "aws-ses/apiKeySecret", "values": keys}}
    found = list(messages(places))
    with Jackfield(connections=connections, database_url="none") as jackfield:
        counts = Counts(jackfield)
        for (path, data), read in zip(found, in_node([data for _, data in found]), strict=True):
            counts.judge(path, data, read)
    for path, record in records(places):
        judge_record(path, record, counts)
    print(f"{len(found)} messages below", *places, sep="\n  ")
    for kind, times in sorted(counts.kinds.items()):
        print(f"{times:6} {kind}")
    print("refused, and why:")
    for (what, why), times in sorted(
        counts.refused.items(), key=lambda item: (item[0][0], -item[1])
    ):
        print(f"{times:6} {what}: {why}")
    print(
        f"{len(counts.faults)} lost, refused wrongly or failed otherwise",
        *counts.faults,
        sep="\n  ",
    )
    return 1 if counts.faults or not found else 0


if __name__ == "__main__":
    sys.exit(main())
