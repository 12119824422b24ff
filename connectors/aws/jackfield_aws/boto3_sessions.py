"""boto3 Sessions over stored connections, for the operator's programs, outside of invocations."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from jackfield.connector import InvalidConnection, Lender, Lent
from jackfield.kernel.secrecy import SecretHolder
from jackfield_aws.boto3_parts import BotocoreSession, Session, config_at
from jackfield_aws.client_hooks import use_md5
from jackfield_aws.clients import AwsClients
from jackfield_aws.wire_session import use_wire


def boto3_session(
    jackfield: Lender,
    connection: str,
    region_name: str | None = None,
    *,
    connector: str | None = None,
) -> boto3.Session:
    """Return a boto3 Session over a stored connection, for an operator's program, outside of
    invocations.

    Its credentials are the connection's, looked up for each request. A role is assumed again before
    its session ends. A change of the connection or of the workspace's rules takes effect at once.
    ``region_name`` is by default the connection's. boto3 retries as usual, by its mode ``standard``
    unless the environment or ``config`` sets another. ``connector`` narrows a connection with a
    session policy to the permissions of that connector's actions.

    :raises JackfieldError: if the connection does not exist, the rules do not allow everything over
        it, or AWS refuses.
    """
    lent = jackfield.lend(connection, connector)
    clients = _open_clients(lent)
    session = BotocoreSession(
        lambda: _open_clients(lent).keys(), _ForPrograms(lent).adapt, region_name or clients.region
    )
    return Session(botocore_session=session)


def _open_clients(lent: Lent) -> AwsClients:
    found = lent.client()
    if not isinstance(found, AwsClients):
        text = f"the connection '{lent.name}' is not one of AWS"
        raise InvalidConnection(text, hint="Name a connection of a type such as aws/awsAssumeRole.")
    return found


class _ForPrograms(SecretHolder):
    """Settings for a program's clients: endpoint, guard and boto3's own retries."""

    def __init__(self, lent: Lent) -> None:
        self._lent = lent

    def adapt(self, service: str, given: dict[str, Any]) -> Callable[[Any], None]:
        """Complete the arguments for a client; the program's own arguments win."""
        clients = _open_clients(self._lent)
        if given.get("endpoint_url") is None:
            given["endpoint_url"] = clients.endpoint_of(service)
        ours = config_at(given["endpoint_url"])
        if service == "s3":
            ours = ours.merge(Config(**clients.s3.members))
        if "AWS_RETRY_MODE" not in os.environ:
            ours = ours.merge(Config(retries={"mode": "standard"}))
        given["config"] = ours if given.get("config") is None else ours.merge(given["config"])
        guard, only_hosts = clients.guard, clients.only_hosts

        def watch(client: Any) -> None:
            use_md5(client)
            if only_hosts is not None or not guard.internal:
                use_wire(client, guard, "/endpoint", only_hosts)

        return watch
