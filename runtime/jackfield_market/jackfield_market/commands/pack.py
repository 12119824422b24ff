"""``jackfield pack``: build a connector's wheel, reproducibly."""

from __future__ import annotations

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb


def _declare(parser: Parser) -> None:
    parser.add_argument("path", metavar="PATH", help="folder with the connector's pyproject.toml")
    parser.add_argument("--out", metavar="DIST", default="dist", help="folder for the wheel (default: dist)")
    text = "the version before, as wheel, folder or connector.json: refuse a version step that is too small for the changes"
    parser.add_argument("--previous", metavar="OLD", help=text)


def _pack(arguments: Namespace, output: Output) -> int:
    from jackfield_market.packing import PAGE, SBOM, check_step, pack

    packed = pack(arguments.path)
    if arguments.previous is not None:
        check_step(arguments.path, arguments.previous, packed.wheel.manifest)
    wheel = packed.wheel
    path = packed.write(arguments.out)
    about = {"name": wheel.name, "version": wheel.version, "connector": wheel.manifest.key, "size": wheel.size}
    inside = {"documentation": f"{wheel.dist_info}/{PAGE}", "sbom": f"{wheel.dist_info}/{SBOM}"}
    output.value({"wheel": path, "sha256": wheel.sha256, **about, **inside})
    return 0


VERBS = {"": Verb("Build the wheel of a connector; the same folder always gives the same bytes.", _declare, _pack)}
