"""Airflow's connection to a jackfield server, and calls over it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
from airflow.sdk import BaseHook, Connection, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_jackfield.client import Invocation, Server, ServerError, read
from airflow_provider_jackfield.keys import task_key

_PAUSES = (0.2, 0.5, 1.0)
"""Seconds between the first queries of a state; then the pause doubles up to ``poll_interval``."""


class JackfieldHook(BaseHook):
    """Airflow hook that calls actions of connectors through a jackfield server.

    The connection has the server's host, schema (``https`` unless the host is a URL) and port, and
    a token of jackfield as its password.
    """

    conn_name_attr = "jackfield_conn_id"
    default_conn_name = "jackfield_default"
    conn_type = "jackfield"
    hook_name = "jackfield"

    def __init__(self, jackfield_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.jackfield_conn_id = jackfield_conn_id

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return Airflow's settings for the connection's form: hidden fields, labels and
        placeholders.
        """
        return {
            "hidden_fields": ["login", "extra"],
            "relabeling": {"password": "Token", "host": "Server"},
            "placeholders": {"host": "https://jackfield.example.com"},
        }

    def test_connection(self) -> tuple[bool, str]:
        """Check that the server lists its connectors, which needs a valid token. Return success and
        a message.
        """
        try:
            server = self.server()
            response = self._answer(
                httpx.Request("GET", f"{server.url}/v1/connectors", headers=server.headers)
            )
        except AirflowException as error:
            return False, str(error)
        return (
            response.is_success,
            "the server answers" if response.is_success else f"HTTP status {response.status_code}",
        )

    def server(self) -> Server:
        """Return address and token of the connection.

        :raises AirflowFailException: if it has no host or no token.
        """
        return server_of(self.jackfield_conn_id, self.get_connection(self.jackfield_conn_id))

    def submit(
        self,
        action: str,
        inputs: Mapping[str, Any],
        *,
        key: str | None,
        connection: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Invocation:
        """Queue an invocation; with a key used before, return the state of its first invocation.

        ``action`` is ``CONNECTOR/ACTION``, ``options`` are further members of an invocation, such
        as ``timeoutSeconds``.

        :raises AirflowException: if the server did not answer, or may accept a later request; the
            same key may be used again.
        :raises AirflowFailException: if the server would refuse a retry, too.
        """
        connector, slash, name = action.partition("/")
        if not slash:
            raise AirflowFailException(
                f"'{action}' must be CONNECTOR/ACTION, such as aws-ses/sendEmail"
            )
        body = {"connector": connector, "action": name, "inputs": dict(inputs), **(options or {})}
        return self._state(
            self.server().submitting(body | ({"connection": connection} if connection else {}), key)
        )

    def state(self, invocation_id: str) -> Invocation:
        """Return the state of an invocation."""
        return self._state(self.server().asking(invocation_id))

    def wait(self, invocation: Invocation, poll_interval: float = 5.0) -> Invocation:
        """Poll an invocation until it has ended, pausing for at most ``poll_interval`` seconds.
        Only the task's ``execution_timeout`` limits the wait.
        """
        pauses = iter(_PAUSES)
        pause = 0.0
        while invocation.is_open:
            pause = min(next(pauses, pause * 2), poll_interval)
            time.sleep(pause)
            invocation = self.state(invocation.id)
        return invocation

    def cancel(self, invocation_id: str) -> None:
        """Cancel an invocation that was not sent yet; any other invocation continues."""
        self._answer(self.server().cancelling(invocation_id))

    def invoke(
        self,
        action: str,
        inputs: Mapping[str, Any],
        *,
        context: Context,
        part: str = "",
        connection: str | None = None,
        **options: Any,
    ) -> Any:
        """Call an action once for all tries of the running task, wait for its end, and return its
        output.

        ``part`` distinguishes several calls of one task. ``options`` are further members of an
        invocation.

        :raises AirflowException: if it may succeed in another try: it was not sent, or the provider
            still knows its key.
        :raises AirflowFailException: if another try would end in the same way, or the outcome is
            unknown (``in_doubt``) and another try would not be safe.
        """
        submitted = self.submit(
            action, inputs, key=key_of(context, part), connection=connection, options=options
        )
        return output_of(self.wait(submitted))

    def _state(self, request: httpx.Request) -> Invocation:
        response = self._answer(request)
        try:
            return read(response)
        except ServerError as error:
            kind = AirflowException if error.retryable else AirflowFailException
            raise kind(f"jackfield: {error}") from None

    @staticmethod
    def _answer(request: httpx.Request) -> httpx.Response:
        try:
            with httpx.Client() as client:
                return client.send(request)
        except httpx.TransportError as error:
            raise AirflowException(
                f"the jackfield server {request.url.host} cannot be reached: "
                f"{str(error) or type(error).__name__}"
            ) from None


def server_of(name: str, connection: Connection) -> Server:
    """Return the address and token in a connection, without blanks around the token: mounted files
    end with a line break.

    :raises AirflowFailException: if it has no host or no token, or the token does not fit into a
        header field. The HTTP client would quote it in its error, and no retry would help.
    """
    token = (connection.password or "").strip()
    if not connection.host or not token:
        raise AirflowFailException(
            f"the connection '{name}' needs a host and, as its password, a token of jackfield"
        )
    if not (token.isascii() and token.isprintable()):
        raise AirflowFailException(
            f"the password of the connection '{name}' is no token of jackfield: it has a line "
            "break, or another character that no header field may have"
        )
    url = (
        connection.host
        if "://" in connection.host
        else f"{connection.schema or 'https'}://{connection.host}"
    )
    return Server(url.rstrip("/") + (f":{connection.port}" if connection.port else ""), token)


def key_of(context: Context, part: str = "") -> str:
    """Return the idempotency key of the running task, made from dag, run, task and map index,
    without the number of the try.
    """
    task = context["ti"]
    return task_key(
        task.dag_id,
        task.run_id,
        task.task_id,
        task.map_index if task.map_index is not None else -1,
        part,
    )


def output_of(invocation: Invocation) -> Any:
    """Return the output of an invocation that has ended.

    :raises AirflowException: if it may succeed in another try: it was not sent, or the provider
        still knows its key.
    :raises AirflowFailException: if another try would end in the same way, or the outcome is
        unknown (``in_doubt``) and another try would not be safe.
    """
    if invocation.status == "succeeded":
        return invocation.output
    details = (invocation.error or {}).get("details")
    text = invocation.describe() + (f" Details: {json.dumps(details)[:2000]}" if details else "")
    raise (AirflowException if invocation.retryable else AirflowFailException)(text)
