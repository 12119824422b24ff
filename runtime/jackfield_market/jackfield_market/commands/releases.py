"""``jackfield diff``, ``pack``, ``publisher``, ``sign`` and ``verify``: the releases of a connector
and the keys that sign them.
"""

from __future__ import annotations

import hashlib
import os
import sys

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb

_FAILED = 1
_SIGSTORE = ".sigstore.json"


def _declare_diff(parser: Parser) -> None:
    parser.add_argument(
        "old", metavar="OLD", help="a wheel, a connector's folder or a connector.json"
    )
    parser.add_argument("new", metavar="NEW", help="the later version, in one of these forms")


def _diff(arguments: Namespace, output: Output) -> int:
    from jackfield_market.manifest_changes import compare, read_described

    found = compare(read_described(arguments.old), read_described(arguments.new))
    output.value(found.to_json())
    return 0 if found.sufficient else _FAILED


def _declare_pack(parser: Parser) -> None:
    parser.add_argument("path", metavar="PATH", help="folder with the connector's pyproject.toml")
    parser.add_argument(
        "--out", metavar="DIST", default="dist", help="folder for the wheel (default: dist)"
    )
    text = (
        "the version before, as wheel, folder or connector.json: refuse a version step that "
        "is too small for the changes"
    )
    parser.add_argument("--previous", metavar="OLD", help=text)


def _pack(arguments: Namespace, output: Output) -> int:
    from jackfield_market.packing import PAGE, SBOM, check_step, pack

    packed = pack(arguments.path)
    if arguments.previous is not None:
        check_step(arguments.path, arguments.previous, packed.wheel.manifest)
    wheel = packed.wheel
    path = packed.write(arguments.out)
    about = {
        "name": wheel.name,
        "version": wheel.version,
        "connector": wheel.manifest.key,
        "size": wheel.size,
    }
    inside = {"documentation": f"{wheel.dist_info}/{PAGE}", "sbom": f"{wheel.dist_info}/{SBOM}"}
    output.value({"wheel": path, "sha256": wheel.sha256, **about, **inside})
    return 0


def _declare_new_publisher(parser: Parser) -> None:
    parser.add_argument(
        "name", metavar="NAME", help="the publisher's name in kebab-case, such as acme-labs"
    )
    parser.add_argument(
        "--out",
        metavar="KEYFILE",
        required=True,
        help="file for the private key; the public one is KEYFILE.pub",
    )


def _new_publisher(arguments: Namespace, output: Output) -> int:
    from jackfield_market.publishers import new_publisher

    output.value(new_publisher(arguments.name, arguments.out).to_json())
    return 0


def _declare_sign(parser: Parser) -> None:
    parser.add_argument("wheel", metavar="WHEEL")
    parser.add_argument(
        "--key",
        metavar="KEYFILE",
        required=True,
        help="private key file of 'jackfield publisher new'",
    )


def _sign(arguments: Namespace, output: Output) -> int:
    from jackfield_market.attestations import SUFFIX, sign_wheel
    from jackfield_market.publishers import read_signing_key
    from jackfield_market.wheels import read_wheel

    key = read_signing_key(arguments.key)
    attestation = sign_wheel(arguments.wheel, read_wheel(arguments.wheel), key)
    statement = {name: value for name, value in attestation["statement"].items() if name != "type"}
    output.value({"attestation": f"{arguments.wheel}{SUFFIX}", **statement})
    return 0


def _declare_verify(parser: Parser) -> None:
    parser.add_argument("wheel", metavar="WHEEL")
    parser.add_argument("--attestation", metavar="FILE", help="default: WHEEL.attestation.json")
    parser.add_argument(
        "--publisher",
        metavar="PUBFILE",
        action="append",
        default=[],
        help="public key file of an accepted publisher; repeat for several",
    )


def _verify(arguments: Namespace, output: Output) -> int:
    from jackfield_market.attestations import (
        MAX_BYTES,
        SUFFIX,
        NotVerified,
        read_attestation,
        verify,
        verify_digest,
    )
    from jackfield_market.publishers import read_publisher
    from jackfield_market.wheels import WheelRefused, parse_wheel, read_bounded

    publishers = [read_publisher(path) for path in arguments.publisher]
    content = read_bounded(arguments.wheel)
    attested = read_bounded(arguments.attestation or f"{arguments.wheel}{SUFFIX}", MAX_BYTES)
    try:
        file, attestation = os.path.basename(arguments.wheel), read_attestation(attested)
        # before the archive is opened
        verify_digest(file, hashlib.sha256(content).hexdigest(), attestation, publishers)
        found = verify(parse_wheel(file, content), attestation, publishers)
    except (NotVerified, WheelRefused) as error:
        output.value({"verified": False, "error": error.to_json("cli")})
        return _FAILED
    if not found.trusted:
        sys.stderr.write(
            "jackfield: the publisher's key comes from the attestation itself; pass --publisher "
            "to verify who signed\n"
        )
    beside = os.path.exists(f"{arguments.wheel}{_SIGSTORE}")
    output.value({**found.to_json(), **({"sigstore": "present, not verified"} if beside else {})})
    return 0


DIFF = {
    "": Verb(
        "Classify the changes between two versions; exit code 1 if the version step is too small.",
        _declare_diff,
        _diff,
    )
}
PACK = {
    "": Verb(
        "Build the wheel of a connector; the same folder always gives the same bytes.",
        _declare_pack,
        _pack,
    )
}
PUBLISHER = {
    "new": Verb(
        "Generate an Ed25519 key pair of a publisher; existing files are never overwritten.",
        _declare_new_publisher,
        _new_publisher,
    ),
}
SIGN = {
    "": Verb(
        "Write the signed attestation of a wheel beside it, as WHEEL.attestation.json.",
        _declare_sign,
        _sign,
    )
}
VERIFY = {
    "": Verb(
        "Check that a wheel is intact and was attested by an accepted publisher.",
        _declare_verify,
        _verify,
    )
}
