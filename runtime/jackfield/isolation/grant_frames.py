"""Approvals of people, in the JSON of frames: both processes read them with the same checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector.grants import Authorization, DeviceAuthorization, Grant
from jackfield.isolation.error_frames import finite
from jackfield.isolation.shares import bounded, checked_secrets

_LONGEST = 10_000


def dump_grant(grant: Grant) -> dict[str, Any]:
    """Return a grant as JSON."""
    return {
        "value": dict(grant.value), "scopes": list(grant.scopes), "secrets": list(grant.secrets), "id": grant.id, "begunAt": grant.begun_at,
    }  # fmt: skip


def load_grant(found: Mapping[str, Any]) -> Grant:
    """Return the grant.

    :raises Garbage: if it is too large.
    :raises TypeError: if a member has another type.
    """
    begun = None if found["begunAt"] is None else finite(found["begunAt"])
    value, scopes = _stored(found["value"]), bounded(_texts(found["scopes"]), "scopes")
    return Grant(value, scopes, checked_secrets(_texts(found["secrets"])), _text(found["id"]), begun)


def load_optional_grant(found: Mapping[str, Any] | None) -> Grant | None:
    """Return the grant; None while nobody has approved.

    :raises TypeError: as ``load_grant`` does.
    """
    return None if found is None else load_grant(found)


def dump_authorization(asked: Authorization) -> dict[str, Any]:
    """Return the address at which a person approves, as JSON."""
    return {"url": asked.url, "kept": dict(asked.kept)}


def load_authorization(found: Mapping[str, Any]) -> Authorization:
    """Return the address at which a person approves.

    :raises TypeError: if a member has another type.
    """
    return Authorization(_text(found["url"]), _stored(found["kept"]))


def dump_device(asked: DeviceAuthorization) -> dict[str, Any]:
    """Return the code for a device as JSON."""
    return {
        "url": asked.url, "userCode": asked.user_code, "expiresIn": asked.expires_in, "interval": asked.interval, "kept": dict(asked.kept),
        "completeUrl": asked.complete_url,
    }  # fmt: skip


def load_device(found: Mapping[str, Any]) -> DeviceAuthorization:
    """Return the code for a device.

    :raises TypeError: if a member has another type.
    """
    complete = found["completeUrl"]
    return DeviceAuthorization(
        _text(found["url"]), _text(found["userCode"]), finite(found["expiresIn"]), finite(found["interval"]), _stored(found["kept"]),
        None if complete is None else _text(complete),
    )  # fmt: skip


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise TypeError("not a text, or too long")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("not an array")
    return tuple(map(_text, value))


def _stored(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return dict(bounded(value, "a grant"))
