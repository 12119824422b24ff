"""``jackfield shelf``: list the services of a shelf, build their projects and packages, create a
new one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.connector import InvalidInput
from jackfield_market.attestations import sign_wheel
from jackfield_market.packing import pack
from jackfield_market.publishers import SigningKey, read_signing_key
from jackfield_market.testing.grading import at_least, check
from jackfield_market.testing.listing_rules import WARNED, aged_facts
from jackfield_openapi.shelf.comparison import differences
from jackfield_openapi.shelf.layout import formatted
from jackfield_openapi.shelf.projects import built, project_files, write_project
from jackfield_openapi.shelf.services import Service, read_shelf
from jackfield_openapi.shelf.sources import documents, row_faults

_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FAILED = 1
LICENCE = "Apache-2.0"
_GRADES = ("bronze", "silver", "gold", "platinum")


def _shelf(parser: Parser) -> None:
    parser.add_argument(
        "--shelf", metavar="DIR", default="shelf", help="the folder of the shelf (default: shelf)"
    )


def _declare_list(parser: Parser) -> None:
    _shelf(parser)


def _list(arguments: Namespace, output: Output) -> int:
    rows = [_row(service) for service in read_shelf(Path(arguments.shelf))]
    if output.for_people:
        columns = ("key", "title", "actions", "triggers", "signIns", "proof")
        output.rows(
            [
                {**row, **{name: ", ".join(row[name]) for name in ("triggers", "signIns")}}
                for row in rows
            ],
            columns,
        )
    else:
        output.value({"services": rows})
    return 0


def _row(service: Service) -> dict[str, Any]:
    return {
        "key": service.key,
        "title": service.title,
        "actions": len(built(service).manifest["actions"]),
        "triggers": list(service.about.get("triggers", ())),
        "signIns": list(service.signs_in_by),
        "proof": service.tier,
    }


def _declare_build(parser: Parser) -> None:
    parser.add_argument(
        "keys", metavar="KEY", nargs="*", help="the services to build (default: all)"
    )
    _shelf(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="shelf/build",
        help="where the projects go (default: shelf/build)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="grade each project, and write its report to OUT/checks",
    )
    parser.add_argument(
        "--at-least",
        choices=_GRADES,
        default="silver",
        help="with --check: exit with code 1 below it (default: silver)",
    )
    parser.add_argument("--pack", action="store_true", help="pack each project to OUT/dist")
    parser.add_argument(
        "--key",
        metavar="KEYFILE",
        help="with --pack: sign each wheel with the key of 'jackfield publisher new'",
    )


def _build(arguments: Namespace, output: Output) -> int:
    if arguments.key and not arguments.pack:
        raise InvalidInput("--key signs what --pack packs", hint="Add --pack, or leave --key out.")
    key = read_signing_key(arguments.key) if arguments.key else None
    licence = (Path(arguments.shelf) / "LICENSE").read_text(encoding="utf-8")
    rows = [
        _built(service, Path(arguments.out), licence, arguments, key)
        for service in _chosen(arguments)
    ]
    output.value({"built": rows})
    low = [row for row in rows if "grade" in row and not at_least(row["grade"], arguments.at_least)]
    return _FAILED if low else 0


def _chosen(arguments: Namespace) -> list[Service]:
    """Return the services that a command names; all services if it names none."""
    known = {service.key: service for service in read_shelf(Path(arguments.shelf))}
    if unknown := set(arguments.keys) - known.keys():
        raise InvalidInput(
            f"the shelf has no service '{min(unknown)[:80]}'",
            hint="'jackfield shelf list' shows those that there are.",
        )
    return [known[key] for key in arguments.keys or sorted(known)]


def _built(
    service: Service, out: Path, licence: str, arguments: Namespace, key: SigningKey | None
) -> dict[str, Any]:
    folder = out / service.key
    row: dict[str, Any] = {
        "key": service.key,
        "folder": str(folder),
        "changed": len(write_project(folder, project_files(service, licence))),
    }
    if arguments.check:
        row.update(_checked(service, folder, out / "checks"))
    if arguments.pack:
        row.update(_packed(folder, out / "dist", key))
    return row


def _checked(service: Service, folder: Path, reports: Path) -> dict[str, Any]:
    report = check(str(folder))
    reports.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.to_json(), indent=1, ensure_ascii=False) + "\n"
    (reports / f"{service.key}-{report.version}.json").write_text(text, encoding="utf-8")
    return {
        "grade": report.grade,
        "warnings": list(aged_facts(service.proof.get("facts", ()), WARNED)),
        "missing": [
            ": ".join((rule.name, *rule.evidence[:1], rule.cure))
            for rule in report.rules
            if rule.passed is False
        ],
    }


def _packed(folder: Path, dist: Path, key: SigningKey | None) -> dict[str, Any]:
    packed = pack(str(folder))
    dist.mkdir(parents=True, exist_ok=True)
    path = packed.write(str(dist))
    if key is None:
        return {"wheel": path}
    sign_wheel(path, packed.wheel, key)
    return {"wheel": path, "signedBy": key.publisher.name}


def _licences(arguments: Namespace, output: Output) -> int:
    """Report each service under another licence than the shelf's, and each source whose row has a
    fault.
    """
    services = read_shelf(Path(arguments.shelf))
    licences = {
        service.key: service.document.get("info", {}).get("license", {}).get("identifier")
        for service in services
    }
    exceptions = [
        {"key": key, "licence": licence} for key, licence in licences.items() if licence != LICENCE
    ]
    exceptions += [
        {"key": one.key, "source": text}
        for one in services
        if one.source
        for text in row_faults(one.source)
    ]
    output.value(
        {
            "services": len(services),
            "sources": sum(one.source is not None for one in services),
            "exceptions": exceptions,
        }
    )
    return _FAILED if exceptions else 0


def _declare_diff(parser: Parser) -> None:
    parser.add_argument(
        "keys",
        metavar="KEY",
        nargs="*",
        help="the services to compare (default: all that have a source)",
    )
    _shelf(parser)
    parser.add_argument(
        "--newest",
        action="store_true",
        help="compare with the newest documents instead of the locked ones",
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        default="shelf/build/sources",
        help="where fetched documents are kept",
    )


def _diff(arguments: Namespace, output: Output) -> int:
    rows = []
    for service in _chosen(arguments):
        if service.source is not None:
            found = differences(
                service, documents(service.source, Path(arguments.cache), newest=arguments.newest)
            )
            version = "newest" if arguments.newest else str(service.source["version"])
            rows.append(
                {
                    "key": service.key,
                    "source": service.source["package"],
                    "version": version,
                    "differences": found,
                }
            )
    output.value({"compared": rows})
    return _FAILED if any(row["differences"] for row in rows) else 0


def _declare_format(parser: Parser) -> None:
    parser.add_argument(
        "keys", metavar="KEY", nargs="*", help="the services to format (default: all)"
    )
    _shelf(parser)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if a file would change"
    )


def _format(arguments: Namespace, output: Output) -> int:
    files = sorted((Path(arguments.shelf) / "services").glob("*.yaml"))
    known = {file.stem for file in files}
    if unknown := set(arguments.keys) - known:
        raise InvalidInput(
            f"the shelf has no service '{min(unknown)[:80]}'",
            hint="'jackfield shelf list' shows those that there are.",
        )
    changed = []
    for file in files:
        before = file.read_bytes()
        if (
            file.stem not in (arguments.keys or known)
            or (made := formatted(before, str(file))) == before
        ):
            continue
        changed.append(file.stem)
        if not arguments.check:
            file.write_bytes(made)
    output.value({"changed": changed})
    return _FAILED if arguments.check and changed else 0


_TEMPLATE = """openapi: 3.1.0
info:
  title: {title}
  version: "1"
  description: "CHANGE ME: what it offers, in one sentence."
  license: {{name: Apache-2.0, identifier: Apache-2.0}}
servers: [{{url: "https://api.example.com/v1"}}]  # CHANGE ME: the address of the API
x-shelf:
  key: {key}
  categories: [CHANGE ME]
  docs: https://example.com/docs  # CHANGE ME: the provider's pages about the API
  signIns:  # bearer, basic, key (with 'in' and 'name') or oauth2 (with 'authorizationUrl', 'tokenUrl' and 'scopes'); or a family
    token:
      kind: bearer
      title: API token
      description: Signs in by an API token.
      setup: |
        1. CHANGE ME: where a person gets the token.
        2. Enter it here.
  account: {{id: /id, label: [/email]}}  # where the answer to the operation with 'probe' names the account
  errors: {{like: rest, code: /error/code, message: /error/message}}  # CHANGE ME: where an error has them
  paging: {{cursor: {{kind: token, input: cursor, response: /next_cursor}}}}  # CHANGE ME: how lists go on
  tasks: {{list {words} items: listItems, create a {words} item: createItem, show a {words} item: getItem}}
  seen: []  # {{about: "CHANGE ME", url: "https://example.com/docs", on: 2026-01-31}}: a fact, its page, and the day on which it was read
  known: [All that this file says about the API]
components:
  schemas:
    Item: {{type: object, properties: {{id: {{type: string, description: Its ID.}}, name: {{type: string, description: Its name.}}}}}}
paths:  # CHANGE ME: 8 to 15 operations that people automate
  /me:
    get:
      operationId: getMe
      summary: Show the account
      responses: {{"200": {{description: It., content: {{application/json: {{schema: {{type: object, properties: {{
        id: {{type: string, description: ID of the account.}}, email: {{type: string, description: Its address.}}}}}}}}}}}}}}
      x-jackfield: {{probe: true}}  # tests connections: a read that needs the credentials
  /items:
    get:
      operationId: listItems
      summary: List items
      parameters: [{{name: cursor, in: query, description: Where the page begins., schema: {{type: string}}}}]
      responses: {{"200": {{description: They., content: {{application/json: {{schema: {{type: object, properties: {{
        items: {{type: array, items: {{$ref: "#/components/schemas/Item"}}, description: The items.}},
        next_cursor: {{type: string, description: Where the next page begins.}}}}}}}}}}}}}}
      x-jackfield: {{pagination: {{like: cursor, items: /items}}}}
    post:
      operationId: createItem
      summary: Create an item
      requestBody: {{required: true, content: {{application/json: {{schema: {{type: object, required: [name], properties: {{
        name: {{type: string, description: Its name.}}}}}}}}}}}}
      responses: {{"200": {{description: It., content: {{application/json: {{schema: {{$ref: "#/components/schemas/Item"}}}}}}}}}}
  /items/{{item}}:
    get:
      operationId: getItem
      summary: Show an item
      parameters: [{{name: item, in: path, required: true, description: ID of the item., schema: {{type: string}}}}]
      responses: {{"200": {{description: It., content: {{application/json: {{schema: {{$ref: "#/components/schemas/Item"}}}}}}}}}}
"""


def _declare_new(parser: Parser) -> None:
    parser.add_argument(
        "key", metavar="KEY", help="the service's key in kebab-case, such as acme-crm"
    )
    _shelf(parser)


def _new(arguments: Namespace, output: Output) -> int:
    if not _KEY.fullmatch(arguments.key):
        raise InvalidInput(
            f"'{arguments.key[:80]}' is not a key in kebab-case",
            hint="Use lower-case letters, digits and single hyphens.",
        )
    file = Path(arguments.shelf) / "services" / f"{arguments.key}.yaml"
    if file.exists():
        raise InvalidInput(f"'{file}' exists", hint="Choose another key.")
    file.parent.mkdir(parents=True, exist_ok=True)
    title = " ".join(part.capitalize() for part in arguments.key.split("-"))
    text = _TEMPLATE.format(key=arguments.key, title=title, words=title.lower())
    file.write_bytes(formatted(text.encode(), str(file)))
    output.value({"file": str(file)})
    return 0


VERBS = {
    "diff": Verb("Compare services with documents of their providers.", _declare_diff, _diff),
    "list": Verb("List the services of a shelf.", _declare_list, _list),
    "build": Verb(
        "Build the projects of a shelf's services, and check and pack them.", _declare_build, _build
    ),
    "format": Verb(
        "Lay the files of services out: lines of at most 140 characters, long texts folded.",
        _declare_format,
        _format,
    ),
    "licences": Verb("Check that each service is under our licence.", _declare_list, _licences),
    "new": Verb("Begin the file of a new service.", _declare_new, _new),
}
