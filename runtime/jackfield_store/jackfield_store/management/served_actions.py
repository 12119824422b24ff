"""Actions and triggers of a policy, by name or pattern. A connection serves them, and a caller's
rules allow them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from jackfield.callers.rules import PatternError, Request, Rule, rule
from jackfield.kernel.errors import (
    Detail,
    InvalidConnection,
    InvalidInvocation,
    UnknownAction,
    UnknownConnector,
    did_you_mean,
)
from jackfield.kernel.hints import NextStep
from jackfield_store.management.connection_test import serving

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield.manifest.triggers import TriggerManifest

    Part = ActionManifest | TriggerManifest

Allows = Callable[[Request], bool]
"""Function that returns whether rules allow a request."""
_FORMS = (
    "Write an action's name, connector/action, or a pattern such as aws-ses/get* or "
    "aws-ses/* & effect:read."
)
_MOST_CONNECTORS = 10
"""Maximum number of connectors of one policy: fewer than the service models that jackfield-aws
caches (16).
"""
_MOST_ACTIONS = 1_000
"""Maximum number of actions of one policy: enough for the largest service of AWS, and more than fit
into an IAM policy (6,144 characters).
"""
_NAMED = 50
"""Maximum number of actions that a hint names."""


class TooWide(InvalidInvocation):
    """Error for a connection that serves more than one policy may hold; a narrower request is
    needed.
    """


def manifests_for(
    stored: NamedConnection,
    catalog: Catalog,
    names: Sequence[str] | None,
    connector: str | None = None,
    *,
    lenient: bool = False,
) -> Sequence[Manifest]:
    """Return the manifests for a request; the size of the catalogue does not add to the cost.
    ``lenient`` skips connectors that the connection does not serve.

    :raises TooWide: if they may be too many for a policy.
    :raises UnknownConnector: if there is no such connector, or the connection does not serve it.
    :raises InvalidInvocation: if a pattern is not valid.
    """
    if connector is not None:
        return [_serving(stored, catalog, connector)]
    found: dict[str, Manifest] = {}
    for name in names or ():
        key = _connector_of(name)
        if key is not None and key not in found:
            with contextlib.suppress(*((UnknownConnector,) if lenient else ())):
                found[key] = _serving(stored, catalog, key)
    open_ended = [name for name in names or () if _connector_of(name) is None]
    if names is None:
        found = {one.key: one for one in serving(catalog, stored)}
        _check_width(stored, list(found.values()))
    elif open_ended or not found:
        found |= _fitting(stored, catalog, open_ended)
    return list(found.values())


def _fitting(
    stored: NamedConnection, catalog: Catalog, names: Sequence[str]
) -> dict[str, Manifest]:
    """Return the manifests for names and patterns that do not name a single connector; without any,
    all that the connection serves.

    :raises TooWide: if the patterns match more than a policy holds.
    """
    rules = [_pattern(name) for name in names]
    # a pattern of connectors finds those of sources that are offered as a whole, too
    everywhere = any("/" in name for name in names)
    known = catalog.with_type(stored.type) if everywhere else serving(catalog, stored)
    found = {
        one.key: one for one in known if not rules or any(rule.may_fit(one.key) for rule in rules)
    }
    if any(_is_pattern(name) for name in names):
        _check_width(stored, list(found.values()))
    return found


def _connector_of(name: str) -> str | None:
    """Return the connector of a name or pattern of actions that names a single connector; else
    None.
    """
    named = [term.partition("/")[0].strip() for term in name.split("&") if "/" in term]
    return named[0] if named and "*" not in named[0] else None


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*:&")


def _pattern(name: str) -> Rule:
    """Parse a pattern of actions; a name without a connector matches any connector.

    :raises InvalidInvocation: if the pattern is not valid.
    """
    try:
        return rule(name if name == "*" or any(sign in name for sign in "/:&") else f"*/{name}")
    except PatternError as fault:
        text = f"the pattern '{name[:80]}' is not valid: {fault}"
        raise InvalidInvocation(
            text, details=[Detail("/actions", text, "pattern")], hint=_FORMS
        ) from None


def _serving(stored: NamedConnection, catalog: Catalog, key: str) -> Manifest:
    """Return the manifest of a connector that the connection serves.

    :raises UnknownConnector: if the connection serves no such connector.
    """
    manifest = catalog.find(key)
    if manifest.connection_type(stored.type) is None:
        raise UnknownConnector(
            f"the connection '{stored.name}' does not serve the connector '{key[:80]}'",
            hint=NextStep("connectors"),
        )
    return manifest


def _check_width(stored: NamedConnection, manifests: Sequence[Manifest]) -> None:
    """Refuse a request for more connectors or actions than a policy may hold."""
    count = sum(len(manifest.actions) for manifest in manifests[: _MOST_CONNECTORS + 1])
    if len(manifests) <= _MOST_CONNECTORS and count <= _MOST_ACTIONS:
        return
    held = (
        f"{len(manifests)} connectors"
        if len(manifests) > _MOST_CONNECTORS
        else f"{count:,} actions"
    )
    most = f"{_MOST_CONNECTORS} connectors and {_MOST_ACTIONS:,} actions"
    text = f"the connection '{stored.name}' serves {held}; one policy holds at most {most}"
    raise TooWide(
        text,
        details=[Detail("/connector", "is required for this connection", "required")],
        hint=NextStep("narrow_policy"),
    )


def parts_served(
    stored: NamedConnection, manifests: Sequence[Manifest], allows: Allows
) -> dict[str, Part]:
    """Return the actions and triggers of connectors that a connection serves, as
    ``connector/action``. ``allows`` decides on triggers, since the caller's manifests are not
    filtered by them.
    """
    return {
        f"{manifest.key}/{part.key}": part for manifest, part in _served(stored, manifests, allows)
    }


def _served(
    stored: NamedConnection, manifests: Sequence[Manifest], allows: Allows
) -> Iterator[tuple[Manifest, Part]]:
    for manifest in manifests:
        kind = manifest.connection_type(stored.type)
        triggers = [
            one
            for one in manifest.triggers.values()
            if allows(_request(manifest.key, one, stored.name))
        ]
        parts: list[Part] = [*manifest.actions.values(), *triggers]
        for one in parts:
            if kind is not None and kind.can_serve(one.key):
                yield manifest, one


def unserved(
    stored: NamedConnection, catalog: Catalog, names: Iterable[str], allows: Allows
) -> dict[str, str]:
    """Return the names and patterns of actions that match nothing which the connection serves. Each
    has the connector that it names, if the catalog lacks that connector; otherwise an empty text.

    :raises InvalidInvocation: if a pattern is not valid, or matches more connectors than a policy
        holds.
    """
    lacking = dict[str, str]()
    for name in names:
        _pattern(name)
        try:
            served = parts_served(stored, manifests_for(stored, catalog, [name]), allows)
        except (UnknownConnector, InvalidConnection):
            served = {}
        if not meant(stored, served, [name]):
            lacking[name] = _missing(catalog, name)
    return lacking


def _missing(catalog: Catalog, name: str) -> str:
    key = _connector_of(name) or ""
    try:
        if key:
            catalog.find(key)
    except UnknownConnector:
        return key
    return ""


def chosen(
    stored: NamedConnection,
    served: Mapping[str, Part],
    names: Sequence[str] | None,
    *,
    lenient: bool,
) -> Mapping[str, Part]:
    """Return the actions and triggers that match the names and patterns; all of them without any.

    :raises UnknownAction: if a name or pattern matches nothing; with ``lenient``, only if none of
        them matches anything.
    """
    if names is None:
        return served
    found = [(name, meant(stored, served, [name])) for name in dict.fromkeys(names)]
    empty = [name for name, parts in found if not parts]
    if empty and (not lenient or len(empty) == len(found)):
        raise _unknown(stored, served, empty[0])
    return {key: part for _, parts in found for key, part in parts.items()}


def meant(
    stored: NamedConnection, served: Mapping[str, Part], names: Iterable[str]
) -> Mapping[str, Part]:
    """Return the actions and triggers that match one of the names and patterns."""
    return {key: part for name in names for key, part in _meant(stored, served, name).items()}


def _meant(stored: NamedConnection, served: Mapping[str, Part], name: str) -> Mapping[str, Part]:
    plain = {key: part for key, part in served.items() if name in (key, key.partition("/")[2])}
    if plain or not _is_pattern(name):
        return plain
    fits = _pattern(name).fits
    return {
        key: part
        for key, part in served.items()
        if fits(_request(key.partition("/")[0], part, stored.name))
    }


def _request(connector: str, part: Part, connection: str) -> Request:
    """Return the request for which rules are checked: a trigger counts as an action that reads."""
    return Request(connector, part.key, getattr(part, "rule_effect", "read"), connection)


def _unknown(stored: NamedConnection, served: Mapping[str, Part], name: str) -> UnknownAction:
    tail = (
        ""
        if _is_pattern(name)
        else did_you_mean(name, [*served, *(key.partition("/")[2] for key in served)])
    )
    more = f" and {len(served) - _NAMED} more" if len(served) > _NAMED else ""
    hint = f"It serves {', '.join(sorted(served)[:_NAMED])}{more}."
    return UnknownAction(
        f"the connection '{stored.name}' supports no action or trigger '{name[:80]}'{tail}",
        hint=hint,
    )
