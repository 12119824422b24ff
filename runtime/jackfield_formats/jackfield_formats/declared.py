"""The formats that this package declares. Their readers are imported once a document needs them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from jackfield.connections.formats import Disabled, Document, Find, Format, Problem, Surroundings
from jackfield.connections.named_connection import NamedConnection
from jackfield.manifest.manifest import Manifest

_PRISMATIC = (
    "definitionVersion",
    "requiredConfigVars",
    "configPages",
    "configVariables",
    "configVars",
)


def _reader(
    module: str,
) -> Callable[[Iterable[Document], Surroundings], Iterator[NamedConnection | Problem | Disabled]]:
    def read(
        documents: Iterable[Document], around: Surroundings
    ) -> Iterator[NamedConnection | Problem | Disabled]:
        yield from import_module(f"jackfield_formats.{module}").read(documents, around)

    return read


def _is_dapr(content: object) -> bool:
    if not isinstance(content, Mapping):
        return False
    return str(content.get("apiVersion", "")).startswith("dapr.io/") or (
        "kind" in content and "spec" in content
    )


def _is_vcap(content: object) -> bool:
    if not isinstance(content, Mapping):
        return False
    if (
        "VCAP_SERVICES" in content
        or "system_env_json" in content
        or isinstance(content.get("serviceName"), str)
    ):
        return True
    entries = [
        entry for entries in content.values() if isinstance(entries, list) for entry in entries
    ]
    bound = [entry for entry in entries if isinstance(entry, Mapping) and "credentials" in entry]
    return bool(bound) and all(isinstance(entries, list) for entries in content.values())


def _is_thand(content: object) -> bool:
    if not isinstance(content, Mapping):
        return False
    return "providers" in content or "workflows" in content or {"document", "do"} <= content.keys()


def _is_prismatic(content: object) -> bool:
    if isinstance(content, list):
        return bool(content) and all(
            isinstance(item, Mapping) and _is_config_variable(item) for item in content
        )
    if not isinstance(content, Mapping):
        return False
    return any(name in content for name in _PRISMATIC) or _is_config_variable(content)


def _is_config_variable(content: Mapping[str, Any]) -> bool:
    """Return whether the content is a single connection: ``{"key", "connection": {…}, "inputs":
    …}``, or as Prismatic passes it to code, with ``fields``.
    """
    named = "connection" in content or "key" in content
    return named and ("inputs" in content or "fields" in content) and "action" not in content


def _is_secret_file(document: Document, components: Sequence[Document]) -> bool:
    """Return whether a document is a JSON file next to Dapr's components. A sidecar reads only YAML
    as components, and such folders also contain files of secret stores.
    """
    return document.source.lower().endswith(".json") and document.folder in {
        component.folder for component in components
    }


def _native_invocation(given: object, find: Find) -> dict[str, Any] | None:
    from jackfield_formats.prismatic import native_invocation

    return native_invocation(given, find)


def _native_inputs(
    inputs: Mapping[str, Any], refused: Collection[str], manifest: Manifest, action: str
) -> dict[str, Any] | None:
    from jackfield_formats.prismatic import native_inputs

    return native_inputs(inputs, refused, manifest, action)


DAPR = Format(
    "dapr", 10, "Dapr", "a Dapr Component", _is_dapr, _reader("dapr"), owns_beside=_is_secret_file
)
VCAP = Format(
    "vcap",
    20,
    "SAP BTP",
    "the JSON of VCAP_SERVICES",
    _is_vcap,
    _reader("vcap"),
    variable="VCAP_SERVICES",
)
THAND = Format("thand", 30, "Thand", "Thand 'providers'", _is_thand, _reader("thand"))
PRISMATIC = Format(
    "prismatic",
    40,
    "Prismatic",
    "a Prismatic integration's connections",
    _is_prismatic,
    _reader("prismatic"),
    native_invocation=_native_invocation,
    native_inputs=_native_inputs,
)
