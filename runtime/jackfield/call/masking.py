"""Masking of texts outside outputs: errors, names that were not found, answers quoted in a doubt,
and responses that could not be read. A warning replaces the output of an unreadable response
(contract of ``Call.unread``).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import Detail, JackfieldError, Provider
from jackfield.redaction.marks import MASK, Concealed, hidden_values, leaves
from jackfield.redaction.outputs import SHORTEST
from jackfield.redaction.redactor import Redactor

if TYPE_CHECKING:
    from jackfield.catalog.installed import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connector.context import Call
    from jackfield.connector.reading import Unread
    from jackfield.invocation import Invocation, Meta
    from jackfield.kernel.walk import Schema, SecretPlaces

_MOST_SECRETS = 20
"""Maximum number of an output's secrets for which the rest of its record is searched."""
_TRUNCATED = (80, 200)
"""Numbers of characters to which error messages and journal entries truncate names. The beginning
of a longer secret must be redacted, too.
"""


def masked_error(error: JackfieldError, redactor: Redactor | None) -> JackfieldError:
    """Redact the connection's secrets in all texts of an error, in place, and return it.

    Its causes and traceback are removed: their texts and frames contain the secrets.
    """
    error.__cause__ = error.__context__ = error.__traceback__ = None
    if redactor is None:
        return error
    error.message = redactor.clean(error.message)
    if error.hint and (hint := redactor.clean(error.hint)) != error.hint:
        error.hint = hint  # an unchanged hint stays a NextStep, which each surface words for itself
    error.details = tuple(
        Detail(redactor.clean(item.path), redactor.clean(item.message), item.keyword)
        for item in error.details
    )
    if error.provider is not None:
        said = error.provider
        code, message, request_id = (
            text and redactor.clean(text) for text in (said.code, said.message, said.request_id)
        )
        details = said.details and redactor.clean_json(said.details)
        error.provider = Provider(code, message, said.http_status, request_id, details)
    error.args = (error.message,)
    return error


def concealed(value: Any, secrets: tuple[bool, SecretPlaces | None]) -> Any:
    """Return a provider's answer without its secrets, for quoting in the error of a doubt;
    ``secrets`` come from the plan.

    Members that the action's output declares as secret are removed; of an action that hands out
    credentials, all are. A string is an ID (``Call.answered``), and stays.
    """
    has_secrets, places = secrets
    if not has_secrets or value is None:
        return value
    if not isinstance(value, Mapping):
        return MASK if places is None else value
    try:
        found = Concealed(value, places)
    except RecursionError:
        return MASK
    return redactor_of(found).clean_json(found.output)


def redactor_of(found: Concealed) -> Redactor:
    """Return a redactor of the secrets that were concealed in an output, for the rest of its
    record.
    """
    secrets = {text for value in found.values for text in leaves(value) if len(text) >= SHORTEST}
    return Redactor(islice(secrets, _MOST_SECRETS))


def stored_secrets(invocation: Invocation, known: Connections, catalog: Catalog) -> Redactor | None:
    """Return a redactor of the secrets of the connection that an invocation names; None if the
    connection cannot be read.
    """
    return (
        connection_secrets(invocation.connection, known, catalog)
        if isinstance(invocation.connection, str)
        else None
    )


def connection_secrets(name: str, known: Connections, catalog: Catalog) -> Redactor | None:
    """Return a redactor of the secrets of a connection; None if the connection cannot be read."""
    from jackfield.connections.connection_types import Kinds

    try:
        stored = known.find(name)
    except JackfieldError:
        return None
    kind = Kinds(catalog).known(stored.type)
    if kind is None:
        return None
    return Redactor(hidden_values(kind.schema, stored.values))


def covering(redactor: Redactor, invocation: Invocation) -> Redactor:
    """Extend a redactor to the truncated forms of names that contain a secret."""
    names = [
        name
        for name in (invocation.connector, invocation.action, invocation.connector_version or "")
        if redactor.holds(name)
    ]
    return (
        redactor.extended(name[:size] for name in names for size in _TRUNCATED if len(name) > size)
        if names
        else redactor
    )


def mask_names(meta: Meta, redactor: Redactor) -> None:
    """Redact secrets in the connector and action names of a Result's meta."""
    if meta.connector is not None and meta.connector_version is None:
        meta.connector = redactor.clean(meta.connector)
    if meta.action is not None:
        meta.action = redactor.clean(meta.action)


def left(
    output: object,
    call: Call,
    schema: Schema,
    inputs: Mapping[str, Any],
    redactor: Redactor | None,
    *,
    is_secret: bool,
) -> Mapping[str, Any]:
    """Return the warning of a successful call whose response could not be read, and store the
    response's body.

    Nothing in the body can be masked. So it is not stored if the output ``is_secret`` in part, if
    an input is secret by its ``schema``, or if it repeats a secret of the connection.

    :raises JackfieldError: if the action continued and returned something other than the
        placeholder of the output.
    """
    unread = call.unread
    if unread is None or output is not unread.output or not call.takes_unread:
        raise unread.error if unread is not None else AssertionError
    file = (
        None
        if is_secret or not _may_keep(unread, schema, inputs, redactor)
        else _store_body(call, unread)
    )
    kept = "" if file is None else ": its body is in 'file', as it was sent"
    message = (
        "the provider answered with success, and the output is missing: "
        f"{unread.error.message}{kept}"
    )
    return {"path": "", "message": message, **({} if file is None else {"file": file})}


def _may_keep(
    unread: Unread, schema: Schema, inputs: Mapping[str, Any], redactor: Redactor | None
) -> bool:
    """Return whether a body may be stored: it repeats no known secret, and no input is secret."""
    if not unread.content or hidden_values(schema, inputs):
        return False
    return redactor is None or not redactor.holds(unread.content.decode("latin-1"))


def _store_body(call: Call, unread: Unread) -> Mapping[str, Any] | None:
    if call.files is None or unread.content is None:
        return None
    try:
        return call.files.store(
            [unread.content], unread.content_type or "application/octet-stream", None
        )
    except JackfieldError:  # the outcome is known, with or without the file
        return None
