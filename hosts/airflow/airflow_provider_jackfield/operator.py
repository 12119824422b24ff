"""Operator that calls one action, once for all tries of its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException

from airflow_provider_jackfield.client import Invocation
from airflow_provider_jackfield.hook import JackfieldHook, key_of, output_of
from airflow_provider_jackfield.trigger import JackfieldTrigger


class JackfieldOperator(BaseOperator):
    """Operator that calls an action of a connector and returns its output.

    The call is queued on the jackfield server under a key of dag, run, task and map index. A try
    that follows a killed one finds its call and returns that call's outcome. While the call runs,
    the task is deferred (``deferrable``, the default) or waits in its worker.

    :param action: ``CONNECTOR/ACTION``, such as ``aws-ses/sendEmail``.
    :param inputs: the action's inputs.
    :param connection: the name of jackfield's connection; it may be left out if only one fits.
    :param idempotency_key: replaces the key of the task, for a call that is the same in several
        tasks or runs.
    :param options: further members of an invocation, such as ``{"timeoutSeconds": 300}``.
    :param poll_interval: seconds between two polls of the server while the call runs.
    """

    template_fields: Sequence[str] = (
        "action",
        "inputs",
        "connection",
        "idempotency_key",
        "options",
    )
    template_fields_renderers: ClassVar[Mapping[str, str]] = {"inputs": "json", "options": "json"}
    ui_color = "#e8f1ec"

    def __init__(
        self,
        *,
        action: str,
        inputs: Mapping[str, Any],
        connection: str | None = None,
        idempotency_key: str | None = None,
        options: Mapping[str, Any] | None = None,
        jackfield_conn_id: str = JackfieldHook.default_conn_name,
        deferrable: bool = True,
        poll_interval: float = 5.0,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.action = action
        self.inputs = inputs
        self.connection = connection
        self.idempotency_key = idempotency_key
        self.options = options
        self.jackfield_conn_id = jackfield_conn_id
        self.deferrable = deferrable
        self.poll_interval = poll_interval

    def execute(self, context: Context) -> Any:
        """Queue the call, or find the call of an earlier try; wait for its end and return its
        output.
        """
        hook = JackfieldHook(self.jackfield_conn_id)
        key = key_of(context) if self.idempotency_key is None else self.idempotency_key
        found = hook.submit(
            self.action, self.inputs, key=key, connection=self.connection, options=self.options
        )
        self.log.info("jackfield's invocation %s is %s", found.id, found.status)
        if found.is_open and self.deferrable:
            self.defer(
                trigger=JackfieldTrigger(found.id, self.jackfield_conn_id, self.poll_interval),
                method_name="execute_complete",
            )
        return output_of(hook.wait(found, self.poll_interval))

    def execute_complete(self, _context: Context, event: Mapping[str, Any]) -> Any:
        """Return the output of a call for which the task was deferred."""
        return output_of(ended(event))


def ended(event: Mapping[str, Any]) -> Invocation:
    """Return the ended invocation in a trigger's event.

    :raises AirflowException: if the state is unknown; the next try finds the call again.
    """
    if event["status"] == "unknown":
        raise AirflowException(
            f"jackfield: the invocation {event['id']} could not be asked for: "
            f"{event['error']['message']}"
        )
    return Invocation(event["id"], event["status"], event.get("output"), event.get("error"))
