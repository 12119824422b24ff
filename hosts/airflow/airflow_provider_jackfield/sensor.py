"""Sensor that waits for the end of an invocation that was started elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue

from airflow_provider_jackfield.hook import JackfieldHook, output_of
from airflow_provider_jackfield.operator import ended
from airflow_provider_jackfield.trigger import JackfieldTrigger


class JackfieldSensor(BaseSensorOperator):
    """Sensor that waits until an invocation has ended, such as one that waits for a person's
    approval, and returns its output.

    It fails if the invocation has failed or is in doubt. With ``deferrable`` (the default) it holds
    no worker.

    :param invocation_id: the ID that the server returned for the invocation.
    """

    template_fields: Sequence[str] = ("invocation_id",)
    ui_color = "#e8f1ec"

    def __init__(
        self,
        *,
        invocation_id: str,
        jackfield_conn_id: str = JackfieldHook.default_conn_name,
        deferrable: bool = True,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.invocation_id = invocation_id
        self.jackfield_conn_id = jackfield_conn_id
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Wait for the end, in a trigger if ``deferrable``, else in this worker, and return the
        output.
        """
        if not self.deferrable:
            return super().execute(context)
        found = JackfieldHook(self.jackfield_conn_id).state(self.invocation_id)
        if found.is_open:
            trigger = JackfieldTrigger(
                self.invocation_id, self.jackfield_conn_id, self.poke_interval
            )
            self.defer(trigger=trigger, method_name="execute_complete", timeout=self.timeout)
        return output_of(found)

    def execute_complete(self, _context: Context, event: Mapping[str, Any]) -> Any:
        """Return the output of the invocation for which the sensor was deferred."""
        return output_of(ended(event))

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 (Airflow's)
        """Return whether the invocation has ended, with its output."""
        found = JackfieldHook(self.jackfield_conn_id).state(self.invocation_id)
        return (
            PokeReturnValue(is_done=False)
            if found.is_open
            else PokeReturnValue(is_done=True, xcom_value=output_of(found))
        )
