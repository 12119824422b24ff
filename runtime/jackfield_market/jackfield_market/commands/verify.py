"""``jackfield verify``: check a wheel against the attestation beside it, without running its code."""

from __future__ import annotations

import hashlib
import os
import sys

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb

_FAILED = 1
_SIGSTORE = ".sigstore.json"


def _declare(parser: Parser) -> None:
    parser.add_argument("wheel", metavar="WHEEL")
    parser.add_argument("--attestation", metavar="FILE", help="default: WHEEL.attestation.json")
    parser.add_argument(
        "--publisher", metavar="PUBFILE", action="append", default=[], help="public key file of an accepted publisher; repeat for several"
    )


def _verify(arguments: Namespace, output: Output) -> int:
    from jackfield_market.attestations import MAX_BYTES, SUFFIX, NotVerified, read_attestation, verify, verify_digest
    from jackfield_market.publishers import read_publisher
    from jackfield_market.wheels import WheelRefused, parse_wheel, read_bounded

    publishers = [read_publisher(path) for path in arguments.publisher]
    content = read_bounded(arguments.wheel)
    attested = read_bounded(arguments.attestation or f"{arguments.wheel}{SUFFIX}", MAX_BYTES)
    try:
        file, attestation = os.path.basename(arguments.wheel), read_attestation(attested)
        verify_digest(file, hashlib.sha256(content).hexdigest(), attestation, publishers)  # before the archive is opened
        found = verify(parse_wheel(file, content), attestation, publishers)
    except (NotVerified, WheelRefused) as error:
        output.value({"verified": False, "error": error.to_json("cli")})
        return _FAILED
    if not found.trusted:
        sys.stderr.write("jackfield: the publisher's key comes from the attestation itself; pass --publisher to verify who signed\n")
    beside = os.path.exists(f"{arguments.wheel}{_SIGSTORE}")
    output.value({**found.to_json(), **({"sigstore": "present, not verified"} if beside else {})})
    return 0


VERBS = {"": Verb("Check that a wheel is intact and was attested by an accepted publisher.", _declare, _verify)}
