"""Choices of a form field, from an option source of a connector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from jackfield.call.call_rules import seen_connection
from jackfield.callers import Request, seen_catalog
from jackfield.connector.context import entered
from jackfield.kernel.errors import (
    Detail,
    InvalidInput,
    InvalidInvocation,
    UnknownAction,
    did_you_mean,
)
from jackfield.kernel.hints import NextStep
from jackfield.kernel.pointers import pointer
from jackfield.kernel.secrecy import Hidden
from jackfield.redaction.marks import masked
from jackfield_store.management.provider_steps import call_of, over_connection

if TYPE_CHECKING:
    from jackfield.call.pipe import Pipe
    from jackfield.callers import Authorizer, Caller
    from jackfield.catalog import Catalog
    from jackfield.connector.actions import OptionSource
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.manifest.manifest import Manifest

_SECONDS = 30.0
"""Timeout in seconds of a live source; a person is waiting in front of a form."""


def choices(
    stages: Pipe,
    connector_key: str,
    source: str,
    connection: str | None,
    caller: Caller,
    given: Hidden,
) -> list[dict[str, str]]:
    """Return the choices of the option source for ``caller``. A source that queries the provider
    uses ``connection``; ``given`` are the inputs that the form has so far.

    :raises InvalidInput: if the choices depend on an input that is missing.

    :raises UnknownConnector: if there is no such connector, or the rules hide it from the caller.
    :raises UnknownAction: if there is no such option source.
    :raises InvalidInvocation: if the source needs a connection and none was named.
    :raises NotAllowed: if the rules forbid the caller this source over this connection.
    :raises JackfieldError: if the provider refuses or fails.
    """
    authorizer = stages.access.authorizer(caller)
    wish = Request(connector_key, source, "read", connection)  # same rule as for a reading action
    manifest = _manifest(
        stages.catalog.for_audience(caller.audience), connector_key, authorizer, wish
    )
    connector: LoadedConnector = stages.catalog.load(manifest.key)
    found = _source(connector, manifest, source)
    if found.action is not None:
        wish = Request(connector_key, found.action, "read", connection)
    missing = _missing(manifest, source, given.value)
    if found.takes_client and connection is None:
        _refuse(connector_key, source, missing, needs_connection=True)
    if missing:
        _refuse(connector_key, source, missing)
    if not found.takes_client:
        with entered(call_of(stages, _SECONDS)):
            return [option.to_json() for option in found.choices(inputs=given.value)]
    authorizer.require(wish)
    known = stages.known
    stored = seen_connection(known, connection or "", manifest, authorizer)
    call = call_of(stages, _SECONDS)

    def listed(client: Any) -> list[dict[str, str]]:
        return [option.to_json() for option in found.choices(client, given.value)]

    fetch = partial(
        over_connection,
        stages,
        manifest,
        connector,
        stored,
        call,
        listed,
        "the choices could not be fetched",
    )
    if not stages.policies.must_judge:
        return fetch()
    schema = {} if found.action is None else manifest.actions[found.action].inputs
    about = {
        "connector": manifest.key,
        "connectorVersion": manifest.version,
        "action": found.action or source,
        "optionSource": source,
        "connection": stored.name,
        "connectionType": stored.type,
        "inputs": masked(schema, given.value) if schema else {},
    }
    return stages.policies.judged_choices(caller, about, fetch)


def _missing(manifest: Manifest, source: str, inputs: Mapping[str, Any]) -> list[str]:
    """Return the missing inputs without which the action of the source cannot be called."""
    binding = (
        next(
            (
                row.get("http")
                for row in manifest.raw.get("optionSources", ())
                if row["key"] == source
            ),
            None,
        )
        or {}
    )
    action = manifest.actions.get(binding.get("action", ""))
    needed = action.inputs.get("required", ()) if action is not None else ()
    return [
        name
        for name in needed
        if name not in binding.get("inputs", {}) and inputs.get(name) in (None, "")
    ]


def _refuse(
    connector: str, source: str, missing: Sequence[str], *, needs_connection: bool = False
) -> NoReturn:
    """Raise the error that names everything missing for the source, and the remedy."""
    listed = " and ".join(f"'{name}'" for name in missing)
    inputs, words = (
        ", ".join(f'"{name}": …' for name in missing),
        " ".join(f"{name}=…" for name in missing),
    )
    hint = (
        NextStep(
            "option_inputs",
            connector=connector,
            source=source,
            inputs=inputs,
            words=words,
            names=listed,
        )
        if missing
        else None
    )
    details = [
        Detail(pointer(name), f"'{name}' is missing: the choices depend on it", "required")
        for name in missing
    ]
    if not needs_connection:
        raise InvalidInput(
            f"the option source '{source}' needs {listed}", details=details, hint=hint
        )
    text = (
        f"the option source '{source}' queries the provider and needs a "
        f"connection{f', {listed}' if missing else ''}"
    )
    details = [Detail(f"/inputs{one.path}", one.message, one.keyword) for one in details]
    details = [Detail("/connection", "'connection' is missing", "required"), *details]
    raise InvalidInvocation(text, details=details, hint=hint or "Name a connection.")


def _source(connector: LoadedConnector, manifest: Manifest, source: str) -> OptionSource:
    """Find an option source. A source that calls an action exists if the action exists.

    :raises UnknownAction: if there is no such source.
    """
    try:  # a connector may make its sources when they are asked for
        found = connector.option_sources[source]
    except KeyError:
        tail = did_you_mean(source, connector.option_sources)
        hint = f"It has {', '.join(sorted(connector.option_sources)) or 'none'}."
        raise UnknownAction(
            f"'{manifest.key}' has no option source '{source[:80]}'{tail}", hint=hint
        ) from None
    if found.action is not None and found.action not in manifest.actions:
        raise UnknownAction(
            f"the choices of '{source[:80]}' need the action '{found.action}', which is not "
            "offered here"
        )
    return found


def _manifest(catalog: Catalog, key: str, authorizer: Authorizer, wish: Request) -> Manifest:
    """Find the connector if it is visible, or if the rules allow the source by its own name.

    :raises UnknownConnector: if there is no such connector.
    """
    if key in catalog and authorizer.decide(wish).allowed:
        return catalog.find(key)
    return seen_catalog(catalog, authorizer).find(key)
