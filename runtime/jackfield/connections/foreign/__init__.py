"""Connections from other systems' files: one thin reader for each format, and the aliases that translate their names.

To add a format:

- Write a module here with ``FORMAT`` (the module's own name, by which ``_FORMATS`` finds it) and ``read(documents, around)``. It opens a
  file that a document names only if ``around.reads_files``: over HTTP that is false, and a document must not read the server's files.
- Add a test of the content to ``_FORMATS`` under that name (the first that fits wins), and its words to the sentence ``EXPECTED`` and to
  the hint of ``management/transfer``. ``recognise`` handles documents that are lists. One with ``connections`` at the top is always read
  as jackfield's own.
- If its files have suffixes or variables of their own, name them in ``connections/files`` (``_SUFFIXES``, ``_VARIABLES``).
- Refuse or warn of members that the reader does not know: none may be lost in silence.
- Give each connector that the format can name its aliases (in the connector's ``aliases.py``; ``make generate`` renews its
  connector.json), and describe the format in docs/compatibility.md; ``tests/compatibility`` holds files of each, and
  ``test_compat_files.py`` lists the formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from jackfield.connections.foreign.place import Disabled, Document, Problem, Surroundings
from jackfield.exports import late_hints

if TYPE_CHECKING:
    from jackfield.connections.named_connection import NamedConnection

__all__ = ["EXPECTED", "Disabled", "Document", "Problem", "Surroundings", "read", "recognise"]

EXPECTED = (
    "expected 'connections: {name: {type: aws-ses/awsAssumeRole, values: {…}}}', a Dapr Component, Thand 'providers', the JSON of "
    "VCAP_SERVICES, or a Prismatic integration's connections"
)
"""Message for a document of no known format."""

_PRISMATIC = ("definitionVersion", "requiredConfigVars", "configPages", "configVariables", "configVars")


def read(documents: Iterable[Document], around: Surroundings) -> Iterator[NamedConnection | Problem | Disabled]:
    """Yield the connections in documents, and the entries that they switch off. Formats are recognised by content; documents of one
    format are read together, since they may refer to one another.

    A fault affects only the entry that contains it.
    """
    by_format: dict[str | None, list[Document]] = {}
    for document in documents:
        by_format.setdefault(document.format or recognise(document.content), []).append(document)
    components = {document.folder for document in by_format.get("dapr", ())}
    for document in by_format.get(None, ()):
        # Folders of components also contain the files of their secret stores; a sidecar reads only YAML as components.
        if not (document.source.lower().endswith(".json") and document.folder in components):
            yield Problem(f"{document.place}: {EXPECTED}")
    for form in _FORMATS:
        if form in by_format:
            yield from import_module(f"jackfield.connections.foreign.{form}").read(by_format[form], around)


def recognise(content: object) -> str | None:
    """Return the format of a foreign document: ``dapr``, ``thand``, ``vcap`` or ``prismatic``; None if it is none of them."""
    if isinstance(content, list):
        return "prismatic" if content and all(isinstance(item, Mapping) and _is_config_variable(item) for item in content) else None
    return next((form for form, fits in _FORMATS.items() if fits(content)), None) if isinstance(content, Mapping) else None


def _is_dapr(content: Mapping[str, Any]) -> bool:
    return str(content.get("apiVersion", "")).startswith("dapr.io/") or ("kind" in content and "spec" in content)


def _is_vcap(content: Mapping[str, Any]) -> bool:
    if "VCAP_SERVICES" in content or "system_env_json" in content or isinstance(content.get("serviceName"), str):
        return True
    entries = [entry for entries in content.values() if isinstance(entries, list) for entry in entries]
    bound = [entry for entry in entries if isinstance(entry, Mapping) and "credentials" in entry]
    return bool(bound) and all(isinstance(entries, list) for entries in content.values())


def _is_thand(content: Mapping[str, Any]) -> bool:
    return "providers" in content or "workflows" in content or {"document", "do"} <= content.keys()


def _is_prismatic(content: Mapping[str, Any]) -> bool:
    return any(name in content for name in _PRISMATIC) or _is_config_variable(content)


def _is_config_variable(content: Mapping[str, Any]) -> bool:
    """Return whether this is a single connection: ``{"key", "connection": {…}, "inputs": …}``, or as Prismatic passes it to code, with
    ``fields``."""
    named = "connection" in content or "key" in content
    return named and ("inputs" in content or "fields" in content) and "action" not in content


_FORMATS = {"dapr": _is_dapr, "vcap": _is_vcap, "thand": _is_thand, "prismatic": _is_prismatic}
"""Formats and their tests; the first match wins."""


late_hints(__name__)
