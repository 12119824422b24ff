"""Dags that a scheduler of the test runs, as a user writes them. Some kill their own process after
the send, three times each.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Context, get_current_context, task

from airflow_provider_jackfield.hook import JackfieldHook
from airflow_provider_jackfield.operator import JackfieldOperator
from airflow_provider_jackfield.sensor import JackfieldSensor

RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(0),
    "retry_exponential_backoff": 0,
}


def mail(subject: str, **more: object) -> dict[str, Any]:
    """Inputs of a mail."""
    return {
        "awsRegion": "eu-west-1",
        "sender": "ops@sender.test",
        "to": "desk@rcpt.test",
        "subject": subject,
        "text": "hi",
        **more,
    }


def killed(context: Context) -> None:
    """End this process as the kernel does when memory is short, in the first three tries."""
    if context["ti"].try_number <= 3:
        os.kill(os.getpid(), signal.SIGKILL)


class Killed(JackfieldOperator):
    """Is killed once the mail was sent: in its worker, or when it is resumed."""

    def execute(self, context: Context) -> Any:
        """Send and die, unless the task is deferred before."""
        found = super().execute(context)
        killed(context)
        return found

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Die, or return the output."""
        killed(context)
        return super().execute_complete(context, event)


MAIL: dict[str, Any] = {"action": "aws-ses/sendEmail", "connection": "acme"}

with DAG("killed", schedule="@once", default_args=RETRIES):
    Killed(
        task_id="waiting",
        inputs=mail("killed waiting"),
        deferrable=False,
        poll_interval=0.2,
        **MAIL,
    )
    Killed(task_id="deferred", inputs=mail("killed deferred"), poll_interval=0.5, **MAIL)

    @task  # type: ignore[untyped-decorator]  # Airflow is in an environment of its own
    def hooked(number: int) -> str:
        """Send one mail by the hook, and die."""
        context = get_current_context()
        sent = JackfieldHook().invoke(
            "aws-ses/sendEmail", mail(f"killed hooked {number}"), context=context, connection="acme"
        )
        killed(context)
        return str(sent["MessageId"])

    hooked.expand(number=[1, 2])

with DAG("plain", schedule="@once", default_args=RETRIES):
    first = JackfieldOperator(
        task_id="first", inputs=mail("plain {{ dag.dag_id }}"), poll_interval=0.5, **MAIL
    )
    JackfieldOperator(
        task_id="second",
        inputs=mail("after {{ ti.xcom_pull('first')['MessageId'] }}"),
        poll_interval=0.5,
        **MAIL,
    ).set_upstream(first)

    @task  # type: ignore[untyped-decorator]  # Airflow is in an environment of its own
    def submitted() -> str:
        """Queue a mail that something else waits for."""
        return (
            JackfieldHook()
            .submit("aws-ses/sendEmail", mail("watched"), key=None, connection="acme")
            .id
        )

    JackfieldOperator(
        task_id="padded", inputs=mail("padded"), jackfield_conn_id="jackfield_padded", **MAIL
    )

    begun = submitted()
    JackfieldSensor(task_id="watched", invocation_id=begun, poke_interval=0.5)
    JackfieldSensor(task_id="poked", invocation_id=begun, poke_interval=0.5, deferrable=False)

with DAG("refused", schedule="@once", default_args=RETRIES):
    JackfieldOperator(task_id="invalid", inputs=mail("invalid", to="nobody"), **MAIL)
    JackfieldOperator(
        task_id="unknown", action="aws-ses/sendMail", inputs=mail("unknown"), connection="acme"
    )
    JackfieldOperator(
        task_id="stranger", inputs=mail("stranger"), jackfield_conn_id="jackfield_stranger", **MAIL
    )
    for kind in ("broken", "foreign"):
        JackfieldOperator(
            task_id=kind, inputs=mail(kind), jackfield_conn_id=f"jackfield_{kind}", **MAIL
        )
    JackfieldOperator(
        task_id="away", inputs=mail("away"), jackfield_conn_id="jackfield_away", **MAIL
    )
