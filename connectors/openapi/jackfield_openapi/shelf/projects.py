"""Projects of a shelf's services: folders without code that can be checked and packed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jackfield.connector import InvalidInput
from jackfield.manifest.parts import package_of
from jackfield_openapi.conversion import Choices, Converted, converted
from jackfield_openapi.project import files_of
from jackfield_openapi.project import write as write_files
from jackfield_openapi.shelf.services import Service, facts

_DESCRIPTION = re.compile(r"(?m)^description = .*$")
_ICON = (
    "The icon's drawing is from Simple Icons (<https://simpleicons.org>), under CC0 1.0; the "
    "mark it shows is the provider's."
)
_FIRST = {"version": "0.1.0", "text": "The first version."}


def built(service: Service) -> Converted:
    """Convert a service.

    :raises InvalidInput: if the converter refuses the file or leaves a part of it out.
    """
    found = converted(
        service.document, Choices(service.key, _version(service), source=service.file.name)
    )
    lost = [note for note in found.report if note.kind != "assumed"]
    if lost:
        raise InvalidInput(
            f"'{service.file.name}' is not understood whole: {lost[0].text} ({lost[0].at})",
            hint="Correct the file.",
        )
    return found


def _version(service: Service) -> str:
    changes = service.about.get("changes") or [_FIRST]
    return str(changes[0]["version"])


def project_files(service: Service, licence: str) -> dict[str, bytes]:
    """Return the files of a service's project; the same file gives the same bytes. ``licence`` is
    the licence's full wording.
    """
    made = built(service)
    files = files_of(made, service.file.name, service.file.read_bytes(), ())
    package = package_of(service.key)
    about = " ".join(str(service.document["info"]["description"]).split())
    project = _DESCRIPTION.sub(
        lambda _found: f"description = {json.dumps(about, ensure_ascii=False)}",
        files["pyproject.toml"].decode(),
        1,
    )
    project = project.replace(
        'requires-python = ">=3.11"', 'license-files = ["LICENSE"]\nrequires-python = ">=3.11"', 1
    )
    if 'license = "' not in project:
        project = project.replace(
            'license-files = ["LICENSE"]', 'license = "Apache-2.0"\nlicense-files = ["LICENSE"]', 1
        )
    texts = {
        "pyproject.toml": project,
        "README.md": _readme(service, made.manifest),
        "CHANGELOG.md": _changelog(service),
        "LICENSE": licence,
        f"{package}/py.typed": "",
    }
    return {**files, **{name: text.encode() for name, text in texts.items()}}


def write_project(folder: Path, files: dict[str, bytes]) -> list[str]:
    """Write a project, its README and project file included; return the names of the files that
    changed.
    """
    kept = [
        name
        for name in files
        if (folder / name).is_file() and (folder / name).read_bytes() != files[name]
    ]
    for name in kept:
        (folder / name).unlink()
    return write_files(folder, files)


def _readme(service: Service, manifest: dict[str, Any]) -> str:
    actions = "\n".join(
        f"- `{action['key']}`: {action['title']}." for action in manifest["actions"]
    )
    types = "\n".join(
        f"- `{service.key}/{row['key']}`: {row['title']}." for row in manifest["connectionTypes"]
    )
    icon = f"\n{_ICON}\n" if "icon" in service.document["x-jackfield"] else ""
    review = f"\n{service.about['review']}\n" if "review" in service.about else ""
    first = service.about.get("first") or manifest["actions"][0]["key"]
    return f"""# {service.title} for jackfield

{service.document["info"]["description"]}

    pip install jackfield-{service.key}
    jackfield try {service.key}
    jackfield connections add my-{service.key} --type {service.key}/{manifest["connectionTypes"][0]["key"]}
    jackfield invoke {service.key} {first} --connection my-{service.key}

Connections:

{types}
{review}
Actions:

{actions}
{_triggers(manifest)}
The connector contains no code: it is generated from one file of a shelf. Tier of proof: *{service.tier}*{_document(service)}.

What the file says about the provider:

{chr(10).join(facts(service))}

It is not made or endorsed by the provider, whose names belong to their owners.
{icon}"""


def _triggers(manifest: dict[str, Any]) -> str:
    rows = [f"- `{row['key']}`: {row['description']}" for row in manifest.get("triggers", ())]
    return "\n".join(["", "Triggers:", "", *rows, ""]) if rows else ""


def _document(service: Service) -> str:
    proof = service.proof
    if "document" in proof:
        return f" against {proof['document']} on {proof['on']}"
    return f" on {proof['on']}" if "on" in proof else ""


def _changelog(service: Service) -> str:
    rows = service.about.get("changes") or [_FIRST]
    return "# Changes\n" + "".join(f"\n## {row['version']}\n\n{row['text']}\n" for row in rows)
