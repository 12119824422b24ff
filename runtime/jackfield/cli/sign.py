"""``jackfield sign``: attest a wheel with a publisher's key."""

from __future__ import annotations

import json
import os

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.errors import InvalidInvocation


def _declare(parser: Parser) -> None:
    parser.add_argument("wheel", metavar="WHEEL")
    parser.add_argument("--key", metavar="KEYFILE", required=True, help="private key file of 'jackfield publisher new'")


def _sign(arguments: Namespace, output: Output) -> int:
    from jackfield.market.attestations import SUFFIX, attest
    from jackfield.market.publishers import read_signing_key
    from jackfield.market.wheels import read_wheel

    key = read_signing_key(arguments.key)
    attestation = attest(read_wheel(arguments.wheel), key)
    path = f"{arguments.wheel}{SUFFIX}"
    partial = f"{path}.{os.getpid()}.partial"
    try:
        with open(partial, "w", encoding="utf-8") as file:
            file.write(json.dumps(attestation, indent=2) + "\n")
        os.replace(partial, path)  # a reader finds the old attestation or the new one
    except OSError as error:
        raise InvalidInvocation(f"the file '{path}' cannot be written: {error.strerror}") from None
    statement = {name: value for name, value in attestation["statement"].items() if name != "type"}
    output.value({"attestation": path, **statement})
    return 0


VERBS = {"": Verb("Write the signed attestation of a wheel beside it, as WHEEL.attestation.json.", _declare, _sign)}
