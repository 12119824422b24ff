"""``jackfield publisher``: keys that sign connector packages."""

from __future__ import annotations

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb


def _declare_new(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the publisher's name in kebab-case, such as acme-labs")
    parser.add_argument("--out", metavar="KEYFILE", required=True, help="file for the private key; the public one is KEYFILE.pub")


def _new(arguments: Namespace, output: Output) -> int:
    from jackfield_market.publishers import new_publisher

    output.value(new_publisher(arguments.name, arguments.out).to_json())
    return 0


VERBS = {
    "new": Verb("Generate an Ed25519 key pair of a publisher; existing files are never overwritten.", _declare_new, _new),
}
