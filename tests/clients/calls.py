"""Calls of a live server through the client that openapi-python-client made; run in the generator's
own environment.

Usage: ``calls.py ORIGIN`` with the token in ``JACKFIELD_TOKEN`` and the client's folder in
``PYTHONPATH``. Prints JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from io import BytesIO
from typing import Any

import jackfield_client
from jackfield_client import AuthenticatedClient
from jackfield_client.api.audit import list_audit
from jackfield_client.api.connections import (
    create_connection,
    list_connections,
    remove_connection,
    replace_connection,
    show_connection,
)
from jackfield_client.api.files import download_file, list_files, upload_file
from jackfield_client.api.invocations import invoke, list_invocations, show_invocation
from jackfield_client.models import (
    ConnectionUpdate,
    Invocation,
    ListInvocationsStatus,
    NewConnection,
    UploadFileFilesBody,
)
from jackfield_client.types import File


def main(origin: str) -> dict[str, Any]:
    """Import every module of the client, then do a caller's usual work."""
    for module in pkgutil.walk_packages(jackfield_client.__path__, "jackfield_client."):
        importlib.import_module(module.name)
    client = AuthenticatedClient(
        base_url=origin, token=os.environ["JACKFIELD_TOKEN"], raise_on_unexpected_status=True
    )
    return {**connections(client), **invocations(client), **files(client), **removal(client)}


def connections(client: AuthenticatedClient) -> dict[str, Any]:
    """Create, show and replace one."""
    body = {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
    created = create_connection.sync(client=client, body=NewConnection.from_dict(body))
    shown = show_connection.sync("hall", client=client)
    again = ConnectionUpdate.from_dict({"values": {"token": "t-4712"}})
    stale = replace_connection.sync("hall", client=client, body=again, if_match='"7"')
    replaced = replace_connection.sync("hall", client=client, body=again, if_match='"1"')
    listed = list_connections.sync(client=client)
    return {
        "created": [created.name, created.version, created.status.value],
        "shown": shown.to_dict(),
        "stale": stale.status,
        "replaced": replaced.version,
        "listed": [item.name for item in listed.items],
    }


def invocations(client: AuthenticatedClient) -> dict[str, Any]:
    """Run an action, well and badly, and look both up."""
    body = {
        "connector": "echo",
        "action": "say",
        "connection": "hall",
        "inputs": {"text": "hello"},
        "idempotencyKey": "order-1",
    }
    done = invoke.sync_detailed(client=client, body=Invocation.from_dict(body), prefer="wait=5")
    refused = invoke.sync_detailed(
        client=client,
        body=Invocation.from_dict({**body, "idempotencyKey": "order-2", "inputs": {}}),
    )
    entry = show_invocation.sync(done.parsed.meta.invocation_id, client=client)
    found = list_invocations.sync(
        client=client, status=ListInvocationsStatus.SUCCEEDED, idempotency_key="order-1"
    )
    return {
        "done": [done.status_code, done.parsed.status.value, done.parsed.output.to_dict()],
        "refused": [
            refused.status_code,
            refused.parsed.error.code.value,
            refused.parsed.error.details[0].path,
        ],
        "entry": [entry.connector, entry.status.value],
        "found": [item.invocation_id == done.parsed.meta.invocation_id for item in found.items],
    }


def files(client: AuthenticatedClient) -> dict[str, Any]:
    """Download a file, whole and in part, and find it in the list."""
    file = upload_file.sync(client=client, body=File(BytesIO(b"hello"))).file
    form = upload_file.sync(
        client=client,
        body=UploadFileFilesBody(File(BytesIO(b"in a form"), "note.txt", "text/plain")),
    )
    whole, part = (
        download_file.sync(file, client=client),
        download_file.sync(file, client=client, range_="bytes=-2"),
    )
    listed = [item.file == file for item in list_files.sync(client=client).items]
    downloaded = [whole.payload.read().decode(), part.payload.read().decode()]
    return {"downloaded": downloaded, "files": listed, "form": [form.size, form.content_type]}


def removal(client: AuthenticatedClient) -> dict[str, Any]:
    """Delete the connection, and read in the audit log what was done to it."""
    removed = remove_connection.sync_detailed("hall", client=client)
    missing = show_connection.sync("hall", client=client)
    events = [
        item.event for item in list_audit.sync(client=client, object_="connection:hall").items
    ]
    return {
        "removed": removed.status_code,
        "missing": [type(missing).__name__, missing.status],
        "events": events,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1])))
