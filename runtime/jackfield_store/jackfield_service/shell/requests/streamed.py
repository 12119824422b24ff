"""Responses whose body is sent piece by piece: files, events, answers of MCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Streamed(Response):
    """Response that sends pieces as they arrive, and ends when its client disconnects; the
    generator is closed in either case.

    Starlette's own class imports anyio's event loop at the first response, which delays it by a
    tenth of a second.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        status: int,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        self._pieces = pieces
        self.status_code, self.media_type, self.background = status, media_type, None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        del scope
        sending, leaving = (
            asyncio.ensure_future(self._sent(send)),
            asyncio.ensure_future(_left(receive)),
        )
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _sent(self, send: Send) -> None:
        async with aclosing(self._pieces) as pieces:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
