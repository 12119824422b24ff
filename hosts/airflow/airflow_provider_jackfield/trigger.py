"""Trigger that waits for the end of an invocation, so that no worker is held meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from airflow.sdk import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_jackfield.client import Server, ServerError, read
from airflow_provider_jackfield.hook import server_of


class JackfieldTrigger(BaseTrigger):
    """Trigger that fires once an invocation has ended: ``{"id", "status", "output", "error"}``.

    An unreachable server is polled again, since the invocation continues without the trigger. Only
    a refusal, such as of the token, ends the wait, with the status ``unknown``.
    """

    def __init__(
        self, invocation_id: str, jackfield_conn_id: str, poll_interval: float = 5.0
    ) -> None:
        super().__init__()
        self.invocation_id = invocation_id
        self.jackfield_conn_id = jackfield_conn_id
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments that recreate the trigger."""
        arguments = {
            "invocation_id": self.invocation_id,
            "jackfield_conn_id": self.jackfield_conn_id,
            "poll_interval": self.poll_interval,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the invocation has ended, then yield its event."""
        server = await self._server()
        async with httpx.AsyncClient() as client:
            while True:
                try:
                    found = read(await client.send(server.asking(self.invocation_id)))
                except ServerError as error:
                    if not error.retryable:
                        yield TriggerEvent(
                            {
                                "id": self.invocation_id,
                                "status": "unknown",
                                "error": {"message": str(error)},
                            }
                        )
                        return
                except httpx.TransportError as error:
                    self.log.warning(
                        "the jackfield server cannot be reached, and is asked again: %s",
                        str(error) or type(error).__name__,
                    )
                else:
                    if not found.is_open:
                        yield TriggerEvent(
                            {
                                "id": found.id,
                                "status": found.status,
                                "output": found.output,
                                "error": found.error,
                            }
                        )
                        return
                await asyncio.sleep(self.poll_interval)

    async def _server(self) -> Server:
        return server_of(
            self.jackfield_conn_id, await BaseHook.aget_connection(self.jackfield_conn_id)
        )
