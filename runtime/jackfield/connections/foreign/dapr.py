"""Dapr: ``Component`` documents, as the sidecar reads them from a folder. Aliases map component types to actions."""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from jackfield.connections.documents import DocumentError, documents, read_text
from jackfield.connections.foreign.aliases import Alias
from jackfield.connections.foreign.place import Document, Problem, Surroundings
from jackfield.connections.foreign.translating import ForeignError, connection_of, translate
from jackfield.connections.named_connection import NamedConnection

__all__ = [
    "FORMAT",
    "STORE_PREFIX",
    "Component",
    "Item",
    "ReadComponent",
    "SecretStore",
    "Templates",
    "is_readable",
    "open_store",
    "parse_component",
    "read",
    "read_components",
]


class Templates:
    """Values of ``{uuid}`` (one for each component), ``{podName}``, ``{namespace}`` and ``{appID}``."""

    def __init__(self, environment: Mapping[str, str], namespace: str | None, app_id: str | None) -> None:
        app = app_id if app_id is not None else environment.get("APP_ID", "")
        self._values = {
            "{uuid}": str(uuid.uuid4()),
            "{appID}": app,
            "{namespace}": f"{namespace or environment.get('NAMESPACE') or 'default'}.{app}",
            "{podName}": environment.get("POD_NAME", ""),
        }

    def fill(self, text: str) -> str:
        """Fill in the templates of a text.

        :raises ForeignError: if it contains a pod's name and POD_NAME is not set.
        """
        if "{podName}" in text and not self._values["{podName}"]:
            raise ForeignError("spec.metadata: '{podName}' needs the environment variable POD_NAME")
        for template, value in self._values.items():
            text = text.replace(template, value)
        return text


def is_readable(name: str, environment: Mapping[str, str]) -> bool:
    """Return whether ``envRef`` may read the variable: never the sidecar's own; in Kubernetes, only those in DAPR_ENV_KEYS."""
    upper = name.upper()
    if not upper or " " in upper or upper == "APP_API_TOKEN" or upper.startswith("DAPR_"):
        return False
    allowed = environment.get("DAPR_ENV_KEYS")
    return allowed is None or upper in allowed.upper().split()


_VERSION = "dapr.io/v1alpha1"
_OTHER_KINDS = frozenset({"Configuration", "HTTPEndpoint", "Resiliency", "Subscription", "MCPServer", "WorkflowAccessPolicy"})
"""Other kinds of documents that a sidecar reads from such folders; jackfield ignores them."""


@dataclass(frozen=True, slots=True, repr=False)
class Item:
    """One entry of ``spec.metadata``: a value, an environment variable's name, or a secret's name and key."""

    name: str
    value: str | None = None
    variable: str | None = None
    secret: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Component:
    """Component with its original values. ``scopes`` are the applications that may use it; all if empty."""

    document: Document
    name: str
    type: str
    version: str
    items: tuple[Item, ...]
    secret_store: str | None
    scopes: tuple[str, ...]
    namespace: str | None
    ignore_errors: bool

    @property
    def place(self) -> str:
        """Place of the component in its source."""
        return self.document.place


def parse_component(document: Document) -> Component | None:
    """Return the component of a document; None for another kind of Dapr document.

    :raises ForeignError: if it is not a Component, or a member is missing or has the wrong type.
    """
    content = document.content
    kind, version = content.get("kind"), content.get("apiVersion")
    if isinstance(kind, str) and kind in _OTHER_KINDS:
        return None
    for name, value, wanted in (("kind", kind, "Component"), ("apiVersion", version, _VERSION)):
        if value != wanted:
            found = f"'{value[:40]}'" if isinstance(value, str) else _shown(value)
            raise ForeignError(f"{name}: must be '{wanted}', not {found}")
    about, spec = _object(content, "metadata", ""), _object(content, "spec", "")
    name = _text(about, "name", "metadata.")
    auth = _object(content, "auth", "") if content.get("auth") is not None else {}
    return Component(
        document=document,
        name=name,
        type=_text(spec, "type", "spec."),
        version=str(spec.get("version") or "v1"),
        items=tuple(_items(spec)),
        secret_store=_optional_text(auth, "secretStore", "auth."),
        scopes=tuple(_scopes(content.get("scopes"))),
        namespace=_optional_text(about, "namespace", "metadata."),
        ignore_errors=spec.get("ignoreErrors") is True,
    )


def _items(spec: Mapping[str, Any]) -> Iterator[Item]:
    entries = spec.get("metadata")
    if entries is None:
        return
    if not isinstance(entries, list):
        raise ForeignError(f"spec.metadata: must be a list of {{name, value}}, not {_shown(entries)}")
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries):
        at = f"spec.metadata[{number}]"
        if not isinstance(entry, Mapping):
            raise ForeignError(f"{at}: must be an object with 'name' and 'value', not {_shown(entry)}")
        name = _text(entry, "name", f"{at}.")
        if name in seen:
            raise ForeignError(f"{at}.name: '{name[:80]}' is given already, in spec.metadata[{seen[name]}]")
        seen[name] = number
        yield Item(name, _scalar(entry.get("value"), f"{at}.value"), _optional_text(entry, "envRef", f"{at}."), _secret(entry, at))


def _secret(entry: Mapping[str, Any], at: str) -> tuple[str, str] | None:
    if entry.get("secretKeyRef") is None:
        return None
    reference = _object(entry, "secretKeyRef", f"{at}.")
    name = _text(reference, "name", f"{at}.secretKeyRef.")
    return name, _optional_text(reference, "key", f"{at}.secretKeyRef.") or name


def _scalar(value: object, at: str) -> str | None:
    """Return a value of any scalar type as text, as in JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ForeignError(f"{at}: must be a string, a number or a boolean, not {_shown(value)}")


def _scopes(value: object) -> Iterator[str]:
    if value is not None and not isinstance(value, list):
        raise ForeignError(f"scopes: must be a list of application ids, not {_shown(value)}")
    for number, item in enumerate(value or ()):
        if not isinstance(item, str):
            raise ForeignError(f"scopes[{number}]: must be an application id, not {_shown(item)}")
        yield item


def _object(data: Mapping[str, Any], name: str, at: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise ForeignError(f"{at}{name}: must be an object, not {_shown(value)}")
    return value


def _text(data: Mapping[str, Any], name: str, at: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise ForeignError(f"{at}{name}: must be a string, not {'an empty one' if value == '' else _shown(value)}")
    return value


def _optional_text(data: Mapping[str, Any], name: str, at: str) -> str | None:
    return None if data.get(name) in (None, "") else _text(data, name, at)


def _shown(value: object) -> str:
    """Describe the type of a value without showing it, since a text may be a secret."""
    names: dict[type, str] = {str: "a text", dict: "an object", list: "a list", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")


STORE_PREFIX = "secretstores."


class SecretStore(Protocol):
    """Secret store in which a ``secretKeyRef`` is resolved."""

    def find(self, name: str, key: str) -> str | None:
        """Return the secret's value; None if there is none."""


def open_store(kind: str, values: Mapping[str, str], folder: str, around: Surroundings) -> SecretStore:
    """Open a secret store. A relative path of a file starts in the current folder or in ``folder``.

    :raises ForeignError: if the store has another type, or its file cannot be read.
    """
    given = {name.lower(): value for name, value in values.items()}
    if kind == "secretstores.local.env":
        return _Variables(given.get("prefix", ""), around.environment)
    if kind == "secretstores.local.file":
        if not around.reads_files:
            raise ForeignError("spec.type: a secret store reads a file of this host, which this document may not")
        separator = given.get("nestedseparator") or ":"
        return _FileStore(_content(given.get("secretsfile", ""), folder), separator, several=given.get("multivalued", "").lower() == "true")
    raise ForeignError(f"spec.type: the secret store '{kind}' is not known; known: secretstores.local.env, secretstores.local.file")


class _Variables:
    """``secretstores.local.env``: a secret is a variable, and its only key is its name."""

    def __init__(self, prefix: str, environment: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._environment = environment

    def find(self, name: str, key: str) -> str | None:
        variable = f"{self._prefix}{name}"
        return self._environment.get(variable) if key == name and is_readable(variable, self._environment) else None


class _FileStore:
    """``secretstores.local.file``: nested names are joined by a separator; with ``several``, a secret is a whole top-level object."""

    def __init__(self, content: Mapping[str, Any], separator: str, *, several: bool) -> None:
        self._separator = separator
        self._several = several
        self._secrets = (
            {
                name: dict(_flat(value, "", separator)) if isinstance(value, dict | list) else {name: _as_text(value)}
                for name, value in content.items()
            }
            if several
            else {name: {name: value} for name, value in _flat(content, "", separator)}
        )

    def find(self, name: str, key: str) -> str | None:
        found = self._secrets.get(name)
        if found is None and not self._several:  # the parts of a nested name may be given separately
            name = key = f"{name}{self._separator}{key}"
            found = self._secrets.get(name)
        return found.get(key) if found is not None else None


def _content(path: str, folder: str) -> Mapping[str, Any]:
    if not path or "\0" in path:
        raise ForeignError("spec.metadata: 'secretsFile' must be the path of a JSON file")
    # A sidecar resolves paths in its own start folder; a file that is shipped beside the component is found from any folder.
    candidates = (path, os.path.join(folder, path))
    found = next((item for item in candidates if os.path.isfile(item)), path)
    try:
        content = next(documents(read_text(found), "secrets.json"))
    except DocumentError as error:
        raise ForeignError(f"spec.metadata: secretsFile '{path[:200]}': {error}") from None
    if not isinstance(content, Mapping):
        raise ForeignError(f"spec.metadata: secretsFile '{path[:200]}': it must hold an object")
    return content


def _flat(value: object, name: str, separator: str) -> Iterator[tuple[str, str]]:
    members = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if members is None:
        yield name, _as_text(value)
        return
    for key, item in members:
        yield from _flat(item, f"{name}{separator}{key}" if name else str(key), separator)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


FORMAT = "dapr"
_LOG = logging.getLogger("jackfield.connections")


@dataclass(frozen=True, slots=True, repr=False)
class ReadComponent:
    """Component that an installed connector knows, with resolved references. ``fields`` are spelled as in the alias."""

    component: Component
    alias: Alias
    fields: Mapping[str, str]
    connection: NamedConnection


def read(documents: Iterable[Document], around: Surroundings) -> Iterator[NamedConnection | Problem]:
    """Yield the connections of components, including those of other applications if this application is unknown."""
    for item in read_components(documents, around):
        yield item.connection if isinstance(item, ReadComponent) else item


def read_components(documents: Iterable[Document], around: Surroundings) -> Iterator[ReadComponent | Problem]:
    """Yield the components that installed connectors know; secret stores are opened first, regardless of their order."""
    parsed: list[Component] = []
    for document in documents:
        try:
            component = parse_component(document)
        except ForeignError as error:
            yield Problem(f"{document.place}: {error}")
            continue
        if component is not None and _is_ours(component, around):
            parsed.append(component)
    found = _Found(around)
    for component in sorted(parsed, key=lambda item: not item.type.startswith(STORE_PREFIX)):
        yield from found.read(component)


@dataclass(slots=True)
class _Found:
    """Components read so far."""

    around: Surroundings
    places: dict[str, str] = field(default_factory=dict)
    stores: dict[str, SecretStore] = field(default_factory=dict)

    def read(self, component: Component) -> Iterator[ReadComponent | Problem]:
        first = self.places.get(component.name)
        if first is not None:
            yield Problem(f"{component.place}: metadata.name: the component '{component.name}' is defined already, in {first}", fatal=True)
            return
        self.places[component.name] = component.place
        try:
            values = self._values(component)
            if component.type.startswith(STORE_PREFIX):
                self.stores[component.name] = open_store(component.type, values, component.document.folder, self.around)
                return
            yield self._known(component, values)
        except ForeignError as error:
            yield Problem(f"{component.place}: component '{component.name}': {error}", fatal=not component.ignore_errors)

    def _known(self, component: Component, values: Mapping[str, str]) -> ReadComponent | Problem:
        alias = self.around.aliases.find(FORMAT, component.type)
        if alias is None:
            known = ", ".join(sorted(self.around.aliases.all(FORMAT))) or "none"
            reason = f"spec.type: no installed connector knows '{component.type}'; known: {known}"
            return Problem(f"{component.place}: component '{component.name}': {reason}")
        fields = _spelt(alias, values)
        made = translate(alias, fields, self.around.environment, strict=self.around.strict)
        if made.unused:
            _LOG.warning("%s: component '%s': not used: %s", component.place, component.name, ", ".join(made.unused))
        return ReadComponent(component, alias, fields, connection_of(alias, made, component.document, FORMAT, (component.name,)))

    def _values(self, component: Component) -> dict[str, str]:
        """Return the component's metadata by its original names; omit variables that cannot be read, as a sidecar does."""
        templates = Templates(self.around.environment, component.namespace, self.around.app_id)
        found: dict[str, str] = {}
        for item in component.items:
            value = item.value
            if not value and item.variable:
                value = self._from_environment(item.variable, component)
            elif not value and item.secret is not None:
                value = self._secret(*item.secret, component)
            if value:
                found[item.name] = templates.fill(value)
        return found

    def _from_environment(self, name: str, component: Component) -> str | None:
        if not is_readable(name, self.around.environment):
            _LOG.warning("%s: component '%s': the variable '%s' may not be read by components", component.place, component.name, name)
            return None
        return self.around.environment.get(name)

    def _secret(self, name: str, key: str, component: Component) -> str:
        """Resolve a ``secretKeyRef``.

        :raises ForeignError: if it cannot be resolved. With an empty value the machine's own identity would authenticate, as another
            account.
        """
        if not component.secret_store:
            raise ForeignError(
                f"auth.secretStore: it must name the secret store of secretKeyRef '{name}', which is not resolved otherwise: "
                "without the secret the component would use the identity of this machine"
            )
        store = self.stores.get(component.secret_store)
        if store is None:
            raise ForeignError(f"auth.secretStore: there is no secret store '{component.secret_store}'")
        value = store.find(name, key)
        if value is None:
            raise ForeignError(f"auth.secretStore: the secret store '{component.secret_store}' has no secret '{name}' with the key '{key}'")
        return value


def _is_ours(component: Component, around: Surroundings) -> bool:
    """Return whether a sidecar of this application and namespace would load the component."""
    wanted = around.environment.get("NAMESPACE")
    if wanted and component.namespace and component.namespace != wanted:
        return False
    return around.app_id is None or not component.scopes or around.app_id in component.scopes


def _spelt(alias: Alias, values: Mapping[str, str]) -> dict[str, str]:
    """Return the fields with the alias's spelling: metadata names are not case-sensitive.

    :raises ForeignError: if two names differ only in case; a sidecar would read neither.
    """
    known = {name.lower(): name for name in alias.fields}
    written: dict[str, str] = {}
    for name in values:
        other = written.setdefault(name.lower(), name)
        if other != name:
            raise ForeignError(f"spec.metadata: '{other}' and '{name}' are the same property")
    return {known.get(name.lower(), name): value for name, value in values.items()}
