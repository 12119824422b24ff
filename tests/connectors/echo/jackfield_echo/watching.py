"""The echo's triggers: notes that somebody posts to it, and notes that it has kept."""

from __future__ import annotations

from typing import Any

from jackfield.connector import (
    Gone,
    Hook,
    HookRequest,
    Item,
    Listed,
    Malformed,
    Polled,
    Received,
    Registered,
    Signature,
    Since,
    TriggerEvent,
)
from jackfield_echo.actions import connector
from jackfield_echo.client import EchoClient
from jackfield_echo.inputs import NoteEvent, Watch

__all__ = ["BOARD", "NOTES", "REGISTERED", "board", "kept", "notes", "posted"]

REGISTERED: dict[str, str] = {}
"""URLs to which the other side sends, as it believes, each with its secret."""
NOTES: list[dict[str, Any]] = []
"""Notes that the other side has kept, oldest first: ``id``, ``at`` and ``text``."""
_CUT = "…"
"""Item of a list that does not say whether it has ended."""
BOARD: dict[str, str] = {}
"""Notes that hang on a board, by ID; nobody says since when."""
_LASTS = 7200.0
"""Seconds for which a registration of ``kept`` lasts."""
_PAGE = 20


_SIGNATURE = Signature("echo-signature", "{time}.{body}", time="echo-time")
_NOTE = {"id": "n-1", "text": "hello"}
posted = connector.webhook(
    "posted",
    verify=_SIGNATURE,
    inputs=Watch,
    event=NoteEvent,
    types=("posted", "withdrawn"),
    examples=[{"title": "A note", "request": {"body": {"notes": [_NOTE]}}, "events": [_NOTE]}],
    max_body_bytes=64 * 1024,
)


@posted.receive
def receive(request: HookRequest, hook: Hook) -> Received:
    """Notes that somebody has posted, or withdrawn."""
    found = request.json()
    try:
        if "challenge" in found:
            return Received(answer=str(found["challenge"]))
        kind, wanted = (
            found.get("type"),
            [note for note in found["notes"] if hook.inputs.fits(note)],
        )
        return Received([TriggerEvent(NoteEvent(**note), note["id"], kind) for note in wanted])
    except (ValueError, TypeError, KeyError):
        raise Malformed from None


@posted.enable
def enable(hook: Hook, client: EchoClient) -> dict[str, str]:
    """Register the URL, unless it is registered."""
    client.send(hook.inputs.fault, None)
    REGISTERED[hook.url] = hook.secret
    return {"registration": f"r-{len(REGISTERED)}"}


@posted.disable
def disable(hook: Hook, client: EchoClient) -> None:
    """Remove the registration."""
    client.send(None, None)
    REGISTERED.pop(hook.url, None)


kept = connector.webhook("kept", verify=_SIGNATURE, inputs=Watch, event=NoteEvent)
kept.receive(receive)
kept.disable(disable)


@kept.enable
def keep(hook: Hook, client: EchoClient) -> Registered:
    """Register the URL for two hours."""
    return Registered(enable(hook, client), _LASTS)


@kept.renew
def renew(hook: Hook, client: EchoClient) -> Registered:
    """Extend the registration."""
    if hook.url not in REGISTERED:
        raise Gone
    return Registered(hook.remote, _LASTS)


@connector.diff_poll("board", item=NoteEvent, inputs=Watch, every=60, least=10)
def board(inputs: Watch, client: EchoClient, after: int | None) -> Listed:
    """Notes that hang on the board."""
    client.send(inputs.fault, None)
    begin = after or 0
    if begin > len(BOARD):
        raise Gone
    found = [
        Item(name, NoteEvent(id=name, text=BOARD[name]))
        for name in list(BOARD)[begin : begin + _PAGE]
    ]
    if len(BOARD) > begin + _PAGE:
        return Listed(found, begin + _PAGE)
    return Listed(found, unknown="the list may go on" if _CUT in BOARD else None)


@connector.poll("notes", inputs=Watch, event=NoteEvent, every=60, least=10)
def notes(inputs: Watch, client: EchoClient, since: Since) -> Polled:
    """Notes that the echo has kept."""
    client.send(inputs.fault, None)
    after = since.mark.get("at", since.at)
    # the last second again: keys tell what is new
    found = [note for note in NOTES if note["at"] >= after][: inputs.page_size]
    last = found[-1]["at"] if found else after
    events = [
        TriggerEvent(NoteEvent(id=note["id"], text=note["text"]), note["id"], at=note["at"])
        for note in found
        if inputs.fits(note)
    ]
    return Polled(events, {"at": last}, more=len(found) == inputs.page_size and last > after)


kept.poll(every=60)(notes)
