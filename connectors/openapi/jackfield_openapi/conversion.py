"""Conversion of a document to a manifest: the order of the steps, up to the check that all actions
compile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from jackfield.connector import InvalidInput, pointer
from jackfield.manifest.parts import cut_texts, lettermark
from jackfield_openapi.actions import Actions
from jackfield_openapi.curation import add_fields, curate
from jackfield_openapi.dry_runs import dry_run
from jackfield_openapi.evidence import check_looks, explain_doubts
from jackfield_openapi.examples import add_examples
from jackfield_openapi.fixed_queries import with_query
from jackfield_openapi.identity import declared_probe, probe_of, with_sign_ins
from jackfield_openapi.naming import Keys, as_title, connector_key
from jackfield_openapi.operations import Operation, operations
from jackfield_openapi.parameters import drawn
from jackfield_openapi.pointing import Pointing
from jackfield_openapi.proof import proven
from jackfield_openapi.report import Report
from jackfield_openapi.schemas import Schemas
from jackfield_openapi.secrets import without_paging
from jackfield_openapi.security import Security
from jackfield_openapi.servers import Servers
from jackfield_openapi.suggestions import suggest_evidence
from jackfield_openapi.swagger import RENAMED, upgraded
from jackfield_openapi.triggers import Triggers

Json = dict[str, Any]

_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,3})(?:\D.*)?$")


@dataclass(frozen=True, slots=True)
class Choices:
    """Settings of one generation: the connector's key and version, the selected operations, the
    lock's keys and the source.
    """

    key: str | None = None
    version: str | None = None
    keep: Callable[[Operation, str], bool] = lambda _operation, _key: True
    locked: Mapping[str, str] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Converted:
    """Outcome of a conversion. ``locked`` has the key of each operation, also of earlier versions;
    ``overlay`` has suggested curation.
    """

    manifest: Json
    report: Report
    locked: dict[str, str]
    overlay: Json
    license: str | None = None
    """SPDX identifier of the document's licence, which covers texts copied from the document."""


def converted(document: Json, choices: Choices) -> Converted:
    """Convert a document to which all overlays have been applied.

    :raises InvalidInput: if the document is not OpenAPI 3.0, 3.1 or Swagger 2.0.
    """
    version = str(document.get("openapi") or document.get("swagger") or "")
    is_old = version.startswith("2.")
    if not is_old and not re.match(r"3\.[01](\.|$)", version):
        said = f"it says {version[:20]!r}" if version else "it has neither 'openapi' nor 'swagger'"
        raise InvalidInput(
            f"the document is not OpenAPI 3.0, 3.1 or Swagger 2.0: {said}",
            hint="Give one of these versions.",
        )
    report = Report(RENAMED if is_old else None)
    root = with_sign_ins(upgraded(document, report) if is_old else document)
    pointing = Pointing(root)
    extension = root.get("x-jackfield")
    sends = isinstance(extension, dict) and extension.get("sendsDefaults") is True
    schemas = Schemas(pointing, report, modern=version.startswith("3.1"), sends_defaults=sends)
    triggers = Triggers(extension, pointing, schemas)
    _note_unread(root, report, triggers.read)
    security, servers = Security(pointing, report), Servers(root, report, choices.source)
    keys = Keys(choices.locked)
    drafting = Actions(pointing, schemas, security, servers, report)
    actions: list[tuple[Json, Any]] = []
    probe: str | Json | None = None
    for operation in map(with_query, operations(pointing, report)):
        if "probe" in operation.extension:
            parts = drawn(operation, schemas, Report(), security.path_keys)
            drafting.fields |= parts.fields
            number = (
                servers.number(operation.servers, operation.at)
                if operation.servers
                else servers.main
            )
            probe = declared_probe(operation, parts.connection, number) or probe
        if operation.extension.get("ignore") is True:
            continue
        draft = drafting.drafted(operation, keys, choices.keep)
        if draft is not None:
            actions.append(draft)
    schemas.finish()
    without_paging([action for action, _ in actions], schemas.definitions)
    actions, definitions = proven(actions, schemas.definitions, report)
    add_examples(actions, drafting.shown, definitions, report)
    dry_run(actions, drafting.cases, definitions, report)
    for action, alternatives in actions:
        security.use(alternatives, action["key"])
    manifest = _manifest(
        root, choices, [action for action, _ in actions], definitions, security, servers
    )
    add_fields(manifest["connectionTypes"], drafting.fields)
    for row in manifest["connectionTypes"]:
        path = None if probe is not None else probe_of(row, manifest["actions"])
        if path is not None:
            report.assumed(
                "connection test",
                pointer("paths", path),
                f"'GET {path}' tests connections of the type '{row['key']}'",
            )
        if (found := probe or path) is not None:
            row["http"]["probe"] = found
    curate(manifest, extension, triggers)
    explain_doubts(manifest, extension)
    check_looks(manifest)
    suggest_evidence(
        manifest["actions"],
        definitions,
        {key: shown.at for key, shown in drafting.shown.items()},
        report,
    )
    report.cut(cut_texts(manifest))
    return Converted(
        manifest,
        report,
        {**choices.locked, **keys.chosen},
        drafting.suggestions(),
        licence_in(root),
    )


def _manifest(
    root: Json,
    choices: Choices,
    actions: list[Json],
    definitions: Json,
    security: Security,
    servers: Servers,
) -> Json:
    info = root.get("info")
    info = info if isinstance(info, dict) else {}
    title = title_in(root)
    about = info.get("description")
    documentation = root.get("externalDocs")
    url = documentation.get("url") if isinstance(documentation, dict) else None
    manifest: Json = {
        "manifestVersion": 2
        if any("members" in action["http"].get("body", ()) for action in actions)
        else 1,
        "key": choices.key or key_in(root),
        "title": title,
        "description": about.strip()
        if isinstance(about, str) and about.strip()
        else f"Actions of {title}.",
        "version": choices.version or _version(info.get("version")),
        "icon": lettermark(title),
    }
    if isinstance(url, str) and re.fullmatch(r"https?://[!-~]+", url):
        manifest["documentationUrl"] = url
    hosts = servers.hosts()
    if hosts:
        manifest["hosts"] = hosts
    manifest["servers"] = servers.manifest_rows()
    manifest["connectionTypes"] = security.connection_types(servers.fields())
    manifest["actions"] = actions
    manifest["optionSources"] = []
    if definitions:
        manifest["$defs"] = definitions
    return manifest


_LICENCES = {
    "apache 2": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache license": "Apache-2.0",
    "mit": "MIT",
    "bsd-3": "BSD-3-Clause",
    "bsd 3": "BSD-3-Clause",
    "cc0": "CC0-1.0",
    "cc-by-4": "CC-BY-4.0",
    "mpl": "MPL-2.0",
}
"""SPDX identifiers by the beginnings of usual licence names."""


def licence_in(document: Json) -> str | None:
    """Return the SPDX identifier of a document's licence, from the member ``identifier`` or from a
    usual name; else None.
    """
    info = document.get("info")
    given = info.get("license") if isinstance(info, dict) else None
    about = given if isinstance(given, dict) else {}
    identifier = about.get("identifier")
    if isinstance(identifier, str) and re.fullmatch(r"[A-Za-z0-9.+-]{1,64}", identifier):
        return identifier
    name = str(about.get("name", "")).strip().lower()
    return next((found for known, found in _LICENCES.items() if name.startswith(known)), None)


def title_in(document: Json) -> str:
    """Return the title of a document."""
    info = document.get("info")
    text = str((info.get("title") if isinstance(info, dict) else None) or "")
    return (
        as_title("".join(letter if letter.isprintable() else " " for letter in text))[:120] or "API"
    )


def key_in(document: Json) -> str:
    """Return the default key of a connector made from a document."""
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else None
    url = first.get("url") if isinstance(first, dict) else f"https://{document.get('host', '')}"
    return connector_key(title_in(document), url if isinstance(url, str) else "")


def _version(given: object) -> str:
    """Convert the document's version to a version of PEP 440: the date 2024-05-01 becomes
    2024.5.1.
    """
    text = str(given or "").strip()
    date = re.match(r"(\d{4})-(\d{2})-(\d{2})", text)
    if date is not None:
        return ".".join(str(int(part)) for part in date.groups())
    found = _VERSION.match(text)
    return ".".join(str(int(part)) for part in found[1].split(".")) if found else "0.1.0"


def _note_unread(root: Json, report: Report, read: Collection[str]) -> None:
    webhooks = root.get("webhooks") or root.get("x-webhooks")
    for name in webhooks if isinstance(webhooks, dict) else ():
        member = "webhooks" if root.get("webhooks") else "x-webhooks"
        place = pointer(member, name)
        if place not in read:
            report.lossy(
                "webhook",
                place,
                "what the provider sends is no action: a trigger of the overlay receives it, if "
                "it is signed",
            )
