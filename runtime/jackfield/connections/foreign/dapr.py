"""Dapr: ``Component`` documents, as the sidecar reads them from a folder. Aliases map component types to actions."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from jackfield.connections.foreign.aliases import Alias
from jackfield.connections.foreign.dapr_documents import Component, parse_component
from jackfield.connections.foreign.dapr_stores import STORE_PREFIX, SecretStore, open_store
from jackfield.connections.foreign.dapr_values import Templates, is_readable
from jackfield.connections.foreign.place import Document, Problem, Surroundings
from jackfield.connections.foreign.translating import ForeignError, connection_of, translate
from jackfield.connections.stored import StoredConnection

__all__ = ["FORMAT", "ReadComponent", "read", "read_components"]

FORMAT = "dapr"
_LOG = logging.getLogger("jackfield.connections")


@dataclass(frozen=True, slots=True, repr=False)
class ReadComponent:
    """Component that an installed connector knows, with resolved references. ``fields`` are spelled as in the alias."""

    component: Component
    alias: Alias
    fields: Mapping[str, str]
    connection: StoredConnection


def read(documents: Iterable[Document], around: Surroundings) -> Iterator[StoredConnection | Problem]:
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
