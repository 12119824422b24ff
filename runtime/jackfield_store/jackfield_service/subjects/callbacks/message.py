"""The request of a delivery: its body and its signed headers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.call.events import Event
from jackfield.kernel.clock import iso
from jackfield.kernel.exact import result_json
from jackfield.wire.signing import signatures
from jackfield_service.subjects.callbacks.callback import Callback
from jackfield_service.subjects.callbacks.outputs import output_of
from jackfield_store.database import Database
from jackfield_store.keys import Vault

Fields = list[tuple[bytes, bytes]]
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def request_to(
    callback: Callback,
    event: Event,
    secrets: Iterable[Mapping[str, Any]],
    now: float,
    database: Database,
    vault: Vault,
    workspace: str,
) -> tuple[Fields, bytes]:
    """Return the request that delivers a workspace's event to a callback, as ``request_of``
    does.
    """
    options = callback.options
    wants_output = "output" in options.include and event.type.startswith("invocation.")
    more = output_of(database, vault, workspace, event) if wants_output else None
    told = None if callback.workspaces is None else workspace
    return request_of(event, secrets, now, thin=options.thin, more=more, workspace=told)


def request_of(
    event: Event,
    secrets: Iterable[Mapping[str, Any]],
    now: float,
    *,
    thin: bool = False,
    more: Mapping[str, Any] | None = None,
    workspace: str | None = None,
) -> tuple[Fields, bytes]:
    """Return the header fields and the body of a delivery that is attempted ``now``.

    ``webhook-id`` is the event's, hence equal for all attempts; ``more`` is added to the payload.
    With ``thin`` there is no payload: the receiver looks the event up by its ID. ``workspace`` is
    the event's, which a platform's receiver needs.
    """
    data: dict[str, Any] = {} if workspace is None else {"workspace": workspace}
    data |= {"eventId": event.id, "sequence": event.sequence, "subject": event.subject}
    if not thin:
        data["payload"] = {**event.data, **(more or {})}
    text = result_json({"type": event.type, "timestamp": iso(event.at), "data": data}, _JSON)
    body, timestamp = text.encode("utf-8", "replace"), int(now)
    signed = signatures([one["secret"] for one in secrets], event.id, timestamp, body)
    fields = [
        (b"webhook-id", event.id.encode()),
        (b"webhook-timestamp", str(timestamp).encode()),
        (b"webhook-signature", signed.encode()),
    ]
    return fields, body
