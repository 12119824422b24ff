"""SAP BTP and Cloud Foundry: service bindings in ``VCAP_SERVICES``. Aliases map bindings to
connections.

Aliases of this format have further members. ``hosts`` is a regular expression that the host name of
a binding must match in addition to its name. ``host`` are the fields that may contain the host.
``companions`` are the fields that mark a ``user-provided`` service as the credentials of a binding.
``secrets`` are fields, one of which a sign-in needs; if all are missing, the message ``bare`` says
what to do. ``parameters`` are fields for creating a service, which are not a binding; the message
``parameters`` says so.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jackfield.connections.aliases import Alias, is_blank
from jackfield.connections.formats import Document, Problem, Surroundings
from jackfield.connections.named_connection import NamedConnection
from jackfield.kernel.dataclass import dataclass, replace
from jackfield_formats.translating import ForeignError, connection_of, translate

FORMAT = "vcap"
_LOG = logging.getLogger("jackfield.connections")
_USER_PROVIDED = "user-provided"


@dataclass(frozen=True, slots=True, repr=False)
class _Binding:
    at: str
    label: str
    name: str
    tags: tuple[str, ...]
    credentials: Mapping[str, Any]

    def is_named(self, word: str) -> bool:
        """Return whether a tag, the label, the name or the scheme of its URI starts with
        ``word``.
        """
        uri = self.credentials.get("uri")
        names = (self.label, self.name, *self.tags, uri if isinstance(uri, str) else "")
        return any(item.lower().startswith(word) for item in names)


def read(
    documents: Iterable[Document], around: Surroundings
) -> Iterator[NamedConnection | Problem]:
    """Yield a connection for each binding that an installed connector supports; if several services
    contain credentials for a binding, one for each service.
    """
    for document in documents:
        aliases = around.aliases.all(FORMAT)
        try:
            services = _services(document.content)
            _refuse_parameters(services, aliases)
            bindings = list(_bindings(services))
        except ForeignError as error:
            yield Problem(f"{document.place}: {error}")
            continue
        some = False
        for binding in bindings:
            try:
                alias = _alias(binding, aliases)
            except ForeignError as error:
                some = True
                yield Problem(f"{document.place}: {binding.at}.credentials.{error}")
                continue
            if alias is not None:
                some = True
                yield from _connections(binding, alias, bindings, document, around)
        if not some:
            yield Problem(f"{document.place}: {_none(bindings, aliases)}")


def _services(content: object) -> Mapping[str, Any]:
    """Return the bindings by label, without the objects that tools print around them (``cf
    env``).
    """
    while isinstance(content, Mapping):
        inner = content.get("system_env_json", content.get("VCAP_SERVICES"))
        if isinstance(inner, str):
            try:
                inner = json.loads(inner)
            except (ValueError, RecursionError):
                raise ForeignError("VCAP_SERVICES: it is not JSON") from None
        if inner is None:
            return content
        content = inner
    raise ForeignError("must be an object that maps each label to a list of service bindings")


def _refuse_parameters(services: Mapping[str, Any], aliases: Mapping[str, Alias]) -> None:
    """Refuse the parameters for creating a service in place of its binding.

    :raises ForeignError: if ``services`` are such parameters.
    """
    for alias in aliases.values():
        if any(isinstance(services.get(name), str) for name in alias.raw.get("parameters") or ()):
            raise ForeignError(
                alias.message(
                    "parameters",
                    "these parameters create a service; bring the credentials of its binding",
                )
            )


def _bindings(services: Mapping[str, Any]) -> Iterator[_Binding]:
    for label, entries in services.items():
        if not isinstance(entries, list):
            raise ForeignError(f"{label}: must be a list of service bindings")
        for number, entry in enumerate(entries):
            at = f"{label}[{number}]"
            if not isinstance(entry, Mapping):
                raise ForeignError(f"{at}: must be an object with 'credentials'")
            credentials = entry.get("credentials") or {}
            if not isinstance(credentials, Mapping):
                raise ForeignError(f"{at}.credentials: must be an object")
            tags = entry.get("tags")
            name = entry.get("name") or entry.get("instance_name") or label
            texts = tuple(str(tag) for tag in tags) if isinstance(tags, list) else ()
            yield _Binding(at, str(entry.get("label") or label), str(name), texts, credentials)


def _alias(binding: _Binding, aliases: Mapping[str, Alias]) -> Alias | None:
    """Return the binding's alias, None if it has none.

    :raises ForeignError: if its name matches an alias, but its host is not a text.
    """
    for word, alias in aliases.items():
        if not binding.is_named(word.lower()):
            continue
        wanted = alias.raw.get("hosts")
        if not isinstance(wanted, str):
            return alias
        field = next(
            (
                item
                for item in alias.raw.get("host") or ()
                if not is_blank(binding.credentials.get(item))
            ),
            None,
        )
        host = binding.credentials[field] if field is not None else ""
        if not isinstance(host, str):
            raise ForeignError(f"{field}: must be a string with the name of a host")
        if host and re.search(wanted, host) is not None:
            return alias
    return None


def _connections(
    binding: _Binding,
    alias: Alias,
    bindings: Iterable[_Binding],
    document: Document,
    around: Surroundings,
) -> Iterator[NamedConnection | Problem]:
    wanted = alias.raw.get("companions") or ()
    others = [
        item
        for item in bindings
        if item is not binding and item.label == _USER_PROVIDED and _holds(item, wanted)
    ]
    for companion in others or [binding]:
        name = binding.name if len(others) <= 1 else f"{binding.name}.{companion.name}"
        fields = {**companion.credentials, **binding.credentials}
        try:
            made = translate(alias, fields, around.environment, strict=around.strict)
            connection = connection_of(alias, made, document, FORMAT, (name,), binding.at)
            yield (
                connection if _signs_in(alias, fields) else _without_credentials(connection, alias)
            )
        except ForeignError as error:
            yield Problem(f"{document.place}: the binding '{name[:100]}': {error}")
            continue
        if made.unused:
            _LOG.info(
                "%s: the binding '%s': not used: %s", document.place, name, ", ".join(made.unused)
            )


def _signs_in(alias: Alias, fields: Mapping[str, Any]) -> bool:
    wanted = alias.raw.get("secrets") or ()
    return not wanted or any(not is_blank(fields.get(name)) for name in wanted)


def _without_credentials(connection: NamedConnection, alias: Alias) -> NamedConnection:
    """Return a connection, marked as lacking credentials if its binding has only a host; an import
    may add them.
    """
    if connection.foreign is None:
        return connection
    cure = alias.message("bare", "Bind a service with the credentials to the same application.")
    return replace(
        connection,
        foreign=replace(
            connection.foreign, lacks="the service binding has no credentials", cure=cure
        ),
    )


def _holds(binding: _Binding, wanted: Iterable[str]) -> bool:
    return any(not is_blank(binding.credentials.get(name)) for name in wanted)


def _none(bindings: Iterable[_Binding], aliases: Mapping[str, Alias]) -> str:
    labels = ", ".join(sorted({binding.label for binding in bindings})) or "none"
    words = "' or '".join(sorted(aliases)) or "…"
    return (
        f"no service binding whose tag, label or name starts with '{words}' is for an "
        f"installed connector; there are: {labels}"
    )
