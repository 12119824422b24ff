"""``jackfield sign``: attest a wheel with a publisher's key."""

from __future__ import annotations

import json

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb


def _declare(parser: Parser) -> None:
    parser.add_argument("wheel", metavar="WHEEL")
    parser.add_argument("--key", metavar="KEYFILE", required=True, help="private key file of 'jackfield publisher new'")


def _sign(arguments: Namespace, output: Output) -> int:
    from jackfield_market.attestations import SUFFIX, attest
    from jackfield_market.files import write_file
    from jackfield_market.publishers import read_signing_key
    from jackfield_market.wheels import read_wheel

    key = read_signing_key(arguments.key)
    attestation = attest(read_wheel(arguments.wheel), key)
    path = f"{arguments.wheel}{SUFFIX}"
    write_file(path, (json.dumps(attestation, indent=2) + "\n").encode())
    statement = {name: value for name, value in attestation["statement"].items() if name != "type"}
    output.value({"attestation": path, **statement})
    return 0


VERBS = {"": Verb("Write the signed attestation of a wheel beside it, as WHEEL.attestation.json.", _declare, _sign)}
