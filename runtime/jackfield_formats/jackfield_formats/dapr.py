"""Dapr: ``Component`` documents, as the sidecar reads them from a folder. Aliases map component
types to actions.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jackfield.connections.aliases import Alias
from jackfield.connections.formats import Document, Problem, Surroundings
from jackfield.connections.named_connection import NamedConnection
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import did_you_mean
from jackfield_formats.dapr_bindings import BINDINGS, BindingType, Fields
from jackfield_formats.dapr_stores import (
    STORE_PREFIX,
    SecretStore,
    built_in_store,
    default_store,
    is_known,
    is_readable,
    open_store,
)
from jackfield_formats.translating import ForeignError, connection_of, translate


class Templates:
    """Values of the templates ``{uuid}`` (one for each component), ``{podName}``, ``{namespace}``
    and ``{appID}``.
    """

    def __init__(
        self, environment: Mapping[str, str], namespace: str | None, app_id: str | None
    ) -> None:
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


_VERSION = "dapr.io/v1alpha1"
_OTHER_KINDS = frozenset(
    {
        "Configuration",
        "HTTPEndpoint",
        "Resiliency",
        "Subscription",
        "MCPServer",
        "WorkflowAccessPolicy",
    }
)
"""Kinds of documents that a sidecar also reads from such folders; jackfield does not use them."""


@dataclass(frozen=True, slots=True, repr=False)
class Item:
    """Entry of ``spec.metadata``: a value, an environment variable's name, or a secret's name and
    key.
    """

    name: str
    value: str | None = None
    variable: str | None = None
    secret: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Component:
    """Component with its original values. ``scopes`` are the applications that may use it; if
    empty, all may.
    """

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

    @property
    def is_initial(self) -> bool:
        """True for the first version of a type; a sidecar treats v0 as v1."""
        return self.version.lower() in ("v0", "v1")

    @property
    def full_type(self) -> str:
        """Type by which a sidecar finds the component: with the version unless it is the first."""
        return self.type if self.is_initial else f"{self.type}/{self.version}"


def _unused(document: Document) -> str | None:
    """Return the remark on a Dapr document of another kind, which is not used; None for any other
    document.
    """
    content = document.content
    kind, about = content.get("kind"), content.get("metadata")
    if not isinstance(kind, str) or kind not in _OTHER_KINDS:
        return None
    name = about.get("name") if isinstance(about, Mapping) else None
    named = f" '{name[:80]}'" if isinstance(name, str) else ""
    return f"{document.place}: the {kind}{named} is not used: only components are"


def parse_component(document: Document) -> Component | None:
    """Return the component of a document; None for another kind of Dapr document.

    :raises ForeignError: if the document is not a Component, or a member is missing or has the
        wrong type.
    """
    content = document.content
    kind, version = content.get("kind"), content.get("apiVersion")
    if isinstance(kind, str) and kind in _OTHER_KINDS:
        return None
    if kind == "List":
        raise ForeignError(
            "kind: a 'List', as kubectl prints it, is not read: write its items as documents, "
            "with '---' lines between them"
        )
    for name, value, wanted in (("kind", kind, "Component"), ("apiVersion", version, _VERSION)):
        if value != wanted:
            found = f"'{value[:40]}'" if isinstance(value, str) else _type_name(value)
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
        raise ForeignError(
            f"spec.metadata: must be a list of {{name, value}}, not {_type_name(entries)}"
        )
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries):
        at = f"spec.metadata[{number}]"
        if not isinstance(entry, Mapping):
            raise ForeignError(
                f"{at}: must be an object with 'name' and 'value', not {_type_name(entry)}"
            )
        name = _text(entry, "name", f"{at}.")
        if name in seen:
            raise ForeignError(
                f"{at}.name: '{name[:80]}' is given already, in spec.metadata[{seen[name]}]"
            )
        seen[name] = number
        yield Item(
            name,
            _scalar(entry.get("value"), f"{at}.value"),
            _optional_text(entry, "envRef", f"{at}."),
            _secret(entry, at),
        )


def _secret(entry: Mapping[str, Any], at: str) -> tuple[str, str] | None:
    if entry.get("secretKeyRef") is None:
        return None
    reference = _object(entry, "secretKeyRef", f"{at}.")
    name = _text(reference, "name", f"{at}.secretKeyRef.")
    return name, _optional_text(reference, "key", f"{at}.secretKeyRef.") or name


def _scalar(value: object, at: str) -> str | None:
    """Return a scalar value as text, numbers and booleans in JSON notation; None for null.

    :raises ForeignError: if the value is not a scalar.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ForeignError(f"{at}: must be a string, a number or a boolean, not {_type_name(value)}")


def _scopes(value: object) -> Iterator[str]:
    if value is not None and not isinstance(value, list):
        raise ForeignError(f"scopes: must be a list of app IDs, not {_type_name(value)}")
    for number, item in enumerate(value or ()):
        if not isinstance(item, str):
            raise ForeignError(f"scopes[{number}]: must be an app ID, not {_type_name(item)}")
        yield item


def _object(data: Mapping[str, Any], name: str, at: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise ForeignError(f"{at}{name}: must be an object, not {_type_name(value)}")
    return value


def _text(data: Mapping[str, Any], name: str, at: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise ForeignError(
            f"{at}{name}: must be a string, not "
            f"{'an empty one' if value == '' else _type_name(value)}"
        )
    return value


def _optional_text(data: Mapping[str, Any], name: str, at: str) -> str | None:
    return None if data.get(name) in (None, "") else _text(data, name, at)


def _type_name(value: object) -> str:
    """Describe the type of a value without showing it, since a text may be a secret."""
    names: dict[type, str] = {
        str: "a text",
        dict: "an object",
        list: "a list",
        bool: "a boolean",
        type(None): "nothing",
    }
    return names.get(type(value), "a number")


FORMAT = "dapr"
_LOG = logging.getLogger("jackfield.connections")


@dataclass(frozen=True, slots=True, repr=False)
class ReadComponent:
    """Component that an installed connector supports, with resolved references. ``fields`` are
    spelled as in the alias; ``lacking`` names missing required fields, without which no call
    succeeds.
    """

    component: Component
    alias: Alias
    fields: Mapping[str, str]
    connection: NamedConnection
    lacking: tuple[str, ...] = ()


def read(
    documents: Iterable[Document], around: Surroundings
) -> Iterator[NamedConnection | Problem]:
    """Yield the connections of components, including those of other applications if this
    application is unknown.
    """
    for item in read_components(documents, around):
        yield item.connection if isinstance(item, ReadComponent) else item


def read_components(
    documents: Iterable[Document], around: Surroundings
) -> Iterator[ReadComponent | Problem]:
    """Yield the components that installed connectors support; secret stores are opened first,
    regardless of their order.
    """
    parsed: list[Component] = []
    for document in documents:
        try:
            component = parse_component(document)
        except ForeignError as error:
            yield Problem(f"{document.place}: {error}", path=document.path)
            continue
        if component is None:
            yield from _passed_over(document, around)
        elif (reason := _not_ours(component, around)) is None:
            parsed.append(component)
        else:
            yield Problem(f"{component.place}: component '{component.name}': not loaded: {reason}")
    found = _Found(around)
    for component in sorted(parsed, key=lambda item: not item.type.startswith(STORE_PREFIX)):
        yield from found.read(component)
    yield from found.untried


@dataclass(slots=True)
class _Found:
    """Components read so far."""

    around: Surroundings
    places: dict[str, str] = field(default_factory=dict)
    stores: dict[str, SecretStore] = field(default_factory=dict)
    unknown: dict[str, Component] = field(default_factory=dict)
    """Secret stores of types that only a plugin can support, except the ones already requested."""

    def read(self, component: Component) -> Iterator[ReadComponent | Problem]:
        first = self.places.get(component.name)
        if first is not None:
            yield Problem(
                f"{component.place}: metadata.name: the component '{component.name}' is defined "
                f"already, in {first}",
                fatal=True,
            )
            return
        self.places[component.name] = component.place
        try:
            values = self._values(component)
            if component.type.startswith(STORE_PREFIX):
                _check_version(component)
                self.stores[component.name] = open_store(
                    component.type, values, component.document.folder, self.around
                )
                if not is_known(component.type):
                    self.unknown[component.name] = component
                return
            yield self._read_component(component, values)
        except ForeignError as error:
            text = f"{component.place}: component '{component.name}': {error}"
            yield Problem(text, fatal=not component.ignore_errors, path=component.document.path)

    @property
    def untried(self) -> Iterator[Problem]:
        """Problems of secret stores that nothing refers to, and that may not work."""
        for component in self.unknown.values():
            reason = (
                f"jackfield does not know '{component.type[:80]}', and no component refers "
                "to it, so no plugin was asked"
            )
            yield Problem(f"{component.place}: secret store '{component.name}': not used: {reason}")

    def _read_component(
        self, component: Component, values: Mapping[str, str]
    ) -> ReadComponent | Problem:
        alias, prepare = self._alias(component.full_type)
        if alias is None and self._alias(component.type)[0] is not None:
            _check_version(component)
        if alias is None:
            return Problem(
                f"{component.place}: component '{component.name}': spec.type: "
                f"{self._no_connector(component.type)}"
            )
        used = _used(alias)
        fields = prepare(_spelt({*alias.fields, *used}, values))
        made = translate(alias, fields, self.around.environment, strict=self.around.strict)
        unused = [name for name in made.unused if name not in used]
        if unused:
            _LOG.warning(
                "%s: component '%s': not used: %s",
                component.place,
                component.name,
                ", ".join(unused),
            )
        connection = connection_of(alias, made, component.document, FORMAT, (component.name,))
        return ReadComponent(component, alias, fields, connection, made.lacking)

    def _alias(self, name: str) -> tuple[Alias | None, Callable[[Fields], Fields]]:
        """Return the alias of a type and the function that prepares its fields: an installed
        connector's own alias, else one from ``BINDINGS`` for such a connector.
        """
        alias, known = self.around.aliases.find(FORMAT, name), BINDINGS.get(name)
        if alias is not None or known is None or self._fault(known) is not None:
            return alias, dict
        return known.read(name), known.prepare

    def _fault(self, known: BindingType) -> str | None:
        return known.fault(
            self.around.catalog, self.around.environment.get("JACKFIELD_WORKSPACE") or "default"
        )

    def _no_connector(self, name: str) -> str:
        """Return the reason why no connector supports a type: its package is not installed or not
        offered, or no package has it.
        """
        known = BINDINGS.get(name)
        if known is not None:
            return f"'{name}' {self._fault(known)}"
        names = sorted({*self.around.aliases.all(FORMAT), *BINDINGS})
        return (
            f"no installed connector supports '{name[:80]}'{did_you_mean(name[:80], names)}; "
            f"known: {', '.join(names)}"
        )

    def _values(self, component: Component) -> dict[str, str]:
        """Return the component's metadata by its original names; omit variables that cannot be
        read, as a sidecar does.
        """
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
            _LOG.warning(
                "%s: component '%s': components are not allowed to read the variable '%s'",
                component.place,
                component.name,
                name,
            )
            return None
        return self.around.environment.get(name)

    def _secret(self, name: str, key: str, component: Component) -> str:
        """Resolve a ``secretKeyRef``.

        :raises ForeignError: if it cannot be resolved. With an empty value the machine's own
            identity would authenticate, as another account.
        """
        wanted = component.secret_store or default_store(self.around)
        if wanted is None:
            raise ForeignError(
                "auth.secretStore: it must name the secret store that holds secretKeyRef "
                f"'{name}'; otherwise the secret cannot be "
                "resolved, and the component would use this machine's identity"
            )
        store = self.stores.get(wanted) or built_in_store(wanted, self.around)
        if store is None:
            raise ForeignError(f"auth.secretStore: no secret store is named '{wanted}'")
        self.unknown.pop(wanted, None)
        value = store.find(name, key)
        if value is None:
            raise ForeignError(
                f"auth.secretStore: the secret store '{wanted}' has no secret '{name}' with the "
                f"key '{key}'"
            )
        return value


def _passed_over(document: Document, around: Surroundings) -> Iterator[Problem]:
    """Report a document that is not used: to the user of a sidecar, or else in the log."""
    told = _unused(document)
    if told is not None and around.app_id is not None:
        yield Problem(told)
    elif told is not None:
        _LOG.info("%s", told)


def _check_version(component: Component) -> None:
    """Check that the component has the first version, the only one of most types.

    :raises ForeignError: if it has another version, which a sidecar does not support either.
    """
    if not component.is_initial:
        raise ForeignError(
            f"spec.version: '{component.type}' has no version '{component.version[:40]}'; it has v1"
        )


def _not_ours(component: Component, around: Surroundings) -> str | None:
    """Return the reason why a sidecar of this application and namespace would not load the
    component; None if it would.
    """
    wanted, scopes = around.environment.get("NAMESPACE"), component.scopes
    if wanted and component.namespace and component.namespace != wanted:
        return f"it is of the namespace '{component.namespace}', and NAMESPACE is '{wanted}'"
    if around.app_id is None or not scopes or around.app_id in scopes:
        return None
    return f"its scopes are {', '.join(scopes)}, and the app ID is '{around.app_id}' (--app-id)"


def _used(alias: Alias) -> frozenset[str]:
    """Return the fields that a binding uses itself, without its connection's fields and its
    inputs.
    """
    return frozenset(map(str, alias.raw.get("used") or ()))


def _spelt(names: Iterable[str], values: Mapping[str, str]) -> dict[str, str]:
    """Return the fields with the alias's spelling: metadata names are case-insensitive.

    :raises ForeignError: if two names differ only in case; a sidecar would read neither.
    """
    known = {name.lower(): name for name in names}
    written: dict[str, str] = {}
    for name in values:
        other = written.setdefault(name.lower(), name)
        if other != name:
            raise ForeignError(f"spec.metadata: '{other}' and '{name}' are the same property")
    return {known.get(name.lower(), name): value for name, value in values.items()}
