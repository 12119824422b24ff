"""Send every message of public test corpora with ``sendRawEmail``, and again its addresses, files and header fields with ``sendEmail``, as dry
runs, and print what became of them.

The messages are not in this repository. ``python -m benchmarks.mail_corpus FOLDER …`` takes the folders of checkouts of python/cpython
(``Lib/test/test_email/data``), SpamScope/mail-parser at 01c177fe, jhillyerd/enmime at 0d919cc2, mikel/mail at d645d7b5, apache/james-mime4j at
2602a9a9 and anymail/django-anymail at 8c40cc46. It fails if a recipient that Python's own parser reads, too, is lost, or a call fails otherwise.
"""

from __future__ import annotations

import argparse
import base64
import sys
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import HeaderParseError, MessageError
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

from jackfield import Jackfield
from jackfield_aws_ses.actions.raw import RawEmail
from jackfield_aws_ses.headers import HeaderError, check_header_name

_SUFFIXES = frozenset((".eml", ".msg", ".raw", ".txt", ".mail"))
_REGION = {"awsRegion": "eu-west-1"}
_SIMPLE = {**_REGION, "sender": "noreply@example.com", "subject": "Hello", "text": "Hello"}


def messages(folders: list[Path]) -> Iterator[tuple[Path, bytes]]:
    """Yield the files that begin with a header, in order."""
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes() if path.suffix in _SUFFIXES or "mails" in path.parts else b""
        if "From" in BytesHeaderParser().parsebytes(data[: 1 << 20]) or b"\nFrom:" in data[:5000]:
            yield path, data


def expected(data: bytes) -> set[str]:
    """Return the addresses that Python reads in To and Cc, their domains in lower case."""
    found: set[str] = set()
    read = message_from_bytes(data, EmailMessage, policy=policy.default)
    for name in ("To", "Cc"):
        try:
            for text in read.get_all(name, []):
                found |= {f"{one.username}@{one.domain.lower()}" for one in text.addresses if one.username and one.domain}
        except (HeaderParseError, MessageError, IndexError, AttributeError, ValueError):
            continue  # it cannot be compared: Python's parser fails itself
    return found


def told(result: Any) -> str:
    """Return the reason of a refusal without what it quotes."""
    detail = result.error.details[0] if result.error.details else None
    text = detail.message if detail else result.error.message
    return f"{result.error.code}: {text.rpartition(chr(39))[2].strip()[:90]}"


class Counts:
    """What became of the messages."""

    def __init__(self, jackfield: Jackfield) -> None:
        self.jackfield = jackfield
        self.kinds: Counter[str] = Counter()
        self.faults: list[str] = []

    def send(self, action: str, path: Path, what: str, inputs: dict[str, Any]) -> bool:
        """Try a call without sending; count its refusal."""
        result = self.jackfield.invoke({"connector": "aws-ses", "action": action, "connection": "w", "dryRun": True, "inputs": inputs})
        self.kinds[f"{what}: {'accepted' if result.error is None else told(result)}"] += 1
        if result.error is not None and result.error.code != "invalid_input":
            self.faults.append(f"{path}: {what}: {result.error.code}: {result.error.message}")
        return result.error is None

    def judge(self, path: Path, data: bytes) -> None:
        """Try one message in all ways."""
        raw = {"message": {"data": base64.b64encode(data).decode()}}
        if self.send("sendRawEmail", path, "raw", {**_REGION, **raw}):
            sent = RawEmail(aws_region="eu-west-1", **raw).raw
            lost = expected(data) - {mailbox.address for mailbox in (*sent.to, *sent.cc)}
            self.faults += [f"{path}: lost {address}" for address in lost]
        parsed = message_from_bytes(data)
        for name in ("To", "Cc"):
            for text in parsed.get_all(name, []):
                self.send("sendEmail", path, "addresses", {**_SIMPLE, "to": " ".join(str(text).split())})
        self._files(path, parsed)
        self._fields(path, parsed)

    def _files(self, path: Path, parsed: Message) -> None:
        for part in parsed.walk():
            if not part.is_multipart() and part.get("Content-Type") and part.get("Content-Disposition"):
                file = {"data": "QUJD", "contentType": str(part["Content-Type"])}
                self.send("sendEmail", path, "file", {**_SIMPLE, "to": "a@example.com", "attachments": {"file": file}})

    def _fields(self, path: Path, parsed: Message) -> None:
        for name, value in parsed.items():
            try:
                check_header_name(name)
            except HeaderError:
                continue  # written by the message or by Amazon SES
            text = " ".join(str(value).split())
            if text:
                self.send("sendEmail", path, "field", {**_SIMPLE, "to": "a@example.com", "headers": {name: text}})


def main() -> int:
    """Print the counts; fail if something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    values = {"roleARN": "arn:aws:iam::123456789012:role/acme-ses", "externalId": "acme-4711"}
    keys = {"accessKeyId": "AKIAABCDEFGHIJKLWXYZ", "secretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
    connections: Any = {"w": {"type": "aws-ses/awsAssumeRole", "values": values | keys}}
    with Jackfield(connections=connections, database_url="none") as jackfield:
        counts = Counts(jackfield)
        found = list(messages(parser.parse_args().folders))
        for path, data in found:
            counts.judge(path, data)
    print(f"{len(found)} messages")
    for kind, times in sorted(counts.kinds.items(), key=lambda item: (item[0].partition(":")[0], -item[1])):
        print(f"{times:6} {kind}")
    print(f"{len(counts.faults)} lost or failed otherwise", *counts.faults[:20], sep="\n")
    return 1 if counts.faults else 0


if __name__ == "__main__":
    sys.exit(main())
