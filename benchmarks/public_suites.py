"""Public suites of others against our own code: one part each, run by ``make campaign suite-…``,
printed as counts and the cases that differ.

``tuf``: TUF's conformance suite against the market's refresh. ``jwt``: Wycheproof's signatures and
key sets against the judge of JWTs. ``addresses``: the list of is_email against the format ``email``
and the addresses of ``aws-ses``. ``benchmarks.public_aws`` has AWS's own. A suite is fetched
outside of the repository (``benchmarks.public_sources``); one that cannot be ends with exit code 77
and the reason.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jwt

from benchmarks.measure import ROOT
from benchmarks.public_sources import IS_EMAIL, SKIPPED, TUF, WYCHEPROOF, MissingSource, checkout
from jackfield.kernel.clock import SystemClock
from jackfield.schema.formats import email_fault
from jackfield_aws_ses.addresses import AddressError, parse_mailbox
from jackfield_service.shell.identity import jwts
from jackfield_service.shell.identity.identity_providers import Jwt

_AT_ANOTHER_TIME = ("test_faketime", "test_expired_local", "test_static_repository")
"""Tests of TUF's suite that run the client at another time."""
_CONTROL = {0x2400 + code: code for code in range(33)}
"""Symbols of control characters, which stand for these in the list of is_email."""
_LATER = {"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN"}
"""Categories of addresses that mail servers take."""


def tuf() -> int:
    """Run TUF's conformance suite; its own runner prints what failed. Its busy server takes a
    processor for ten minutes.
    """
    folder = checkout(TUF)
    client = f"{sys.executable} {ROOT / 'benchmarks' / 'tuf_client.py'}"
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(folder / "tuf_conformance"),
        "--entrypoint",
        client,
    ]
    if shutil.which("faketime") is None:
        print(
            "five tests are left out: they need the program faketime (apt: faketime), which is "
            "not installed"
        )
        words += ["-k", f"not ({' or '.join(_AT_ANOTHER_TIME)})"]
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return subprocess.run(words, cwd=folder, env=environment, check=False).returncode


def signatures() -> int:
    """Judge each token of Wycheproof as ``Jwts`` does, but for its claims, which are none: each
    invalid one must be refused, and each valid one of our algorithms taken.
    """
    folder, counts = checkout(WYCHEPROOF) / "testvectors_v1", Counter[str]()
    for name in ("json_web_signature_test.json", "json_web_key_test.json"):
        for group in json.loads((folder / name).read_text(encoding="utf-8"))["testGroups"]:
            keys = group.get("public") or group["private"]
            judge = _judge(keys if "keys" in keys else {"keys": [keys]})
            for case in group["tests"]:
                is_taken = judge(case["jws"])
                counts[_verdict(name, group, case, is_taken=is_taken)] += 1
    return _printed("JWT", counts)


def _judge(document: Mapping[str, Any]) -> Callable[[object], bool]:
    """Return what takes a token by its signature and the keys of a provider."""
    keys, _ = jwts._fetch_keys("", lambda _url: document)
    judge = jwts.Jwts(
        Jwt("https://issuer.example", "https://keys.example", "api"), SystemClock(), lambda: "api"
    )
    judge._keys = keys

    def takes(text: object) -> bool:
        kid = jwts._kid(text) if isinstance(text, str) else None
        if kid is None or kid not in keys:
            return False
        try:
            jwt.PyJWS().decode(str(text), keys[kid].key, algorithms=judge._allowed(kid))
        except (jwt.PyJWTError, *jwts._FOREIGN):
            return False
        return True

    return takes


def _verdict(
    name: str, group: Mapping[str, Any], case: Mapping[str, Any], *, is_taken: bool
) -> str:
    about = f"{name} {group['comment']} {case['tcId']} ({case['comment']})"
    if case["result"] == "invalid":
        return f"WRONG: taken, and invalid: {about}" if is_taken else "invalid, refused"
    if is_taken:
        return "valid, taken"
    try:
        head = jwt.get_unverified_header(case["jws"])
    except (jwt.PyJWTError, TypeError):
        return "valid, refused: no compact serialization"
    if head.get("alg") not in jwts._ALGORITHMS:
        return "valid, refused: an algorithm that is not supported"
    return (
        "valid, refused: without a kid"
        if "kid" not in head
        else f"WRONG: refused, and valid: {about}"
    )


def addresses() -> int:
    """Judge each address of the list: none that is an error is taken, and each that mail servers
    take is, by the format and by SES.
    """
    counts = Counter[str]()
    for number, address, category in _addresses(checkout(IS_EMAIL) / "test" / "tests.xml"):
        by_form, by_ses = email_fault(address) is None, _parses(address)
        for judge, is_taken in (("format", by_form), ("SES", by_ses)):
            text = f"{category}, {judge} {'takes' if is_taken else 'refuses'}"
            if (address != address.strip() and judge == "SES") or (
                "." not in address and judge == "format"
            ):
                counts[f"{text}, on purpose: white space is trimmed, a domain has a dot"] += 1
                continue
            is_wrong = (
                is_taken if category == "ISEMAIL_ERR" else not is_taken and category in _LATER
            )
            counts[f"WRONG: {text}: {number} {address!r}" if is_wrong else text] += 1
    return _printed("addresses", counts)


def _addresses(path: Path) -> Iterator[tuple[str, str, str]]:
    for case in ET.parse(path).getroot().iter("test"):
        text = case.findtext("address") or ""
        yield case.get("id") or "", text.translate(_CONTROL), case.findtext("category") or ""


def _parses(address: str) -> bool:
    try:
        parse_mailbox(address)
    except AddressError:
        return False
    return True


def _printed(title: str, counts: Mapping[str, int]) -> int:
    """Print the counts, and return 1 if any of them is wrong."""
    print(f"{title}: {sum(counts.values())} cases")
    for text, count in sorted(counts.items()):
        print(f"  {count:5} {text}")
    return int(any(text.startswith("WRONG") for text in counts))


_PARTS: Mapping[str, Callable[[], int]] = {"tuf": tuf, "jwt": signatures, "addresses": addresses}


def run(parts: Mapping[str, Callable[[], int]], names: Sequence[str]) -> int:
    """Run parts; return the exit code for the campaign."""
    try:
        return max([parts[name]() for name in names or parts])
    except MissingSource as reason:
        print(f"skipped: {reason}")
        return SKIPPED


if __name__ == "__main__":
    sys.exit(run(_PARTS, sys.argv[1:]))
