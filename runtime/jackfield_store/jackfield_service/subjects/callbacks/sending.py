"""One attempt of a delivery: a signed POST, and its outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from jackfield.kernel.clock import iso, monotonic
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import InvalidConnection
from jackfield.wire.client import Wire
from jackfield.wire.connection import WireSettings
from jackfield.wire.faults import Kind, WireFault
from jackfield.wire.guard import ANYWHERE, Guard, only_hosts
from jackfield.wire.head import field_of
from jackfield.wire.outbound import way_out
from jackfield.wire.tls import client_context
from jackfield.wire.urls import target_of

WITHIN = 15.0
"""Seconds for a whole attempt: to connect, to send, and to read the answer."""
MAX_ANSWER = 16 * 1024
"""Maximum number of bytes of an answer that are read."""
_SHOWN = 400
"""Maximum number of characters of an answer that are stored."""
_LONGEST_WAIT = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """Outcome of an attempt. ``status`` is None without an answer; ``wait`` is the receiver's
    requested wait, in seconds.
    """

    at: float
    seconds: float
    status: int | None = None
    error: str | None = None
    answer: str = ""
    wait: float | None = None
    final: bool = False
    """True if another attempt would not help, which is no fault of the receiver."""

    @property
    def succeeded(self) -> bool:
        """True if the receiver has accepted the event, with a status 2xx."""
        return self.status is not None and 200 <= self.status < 300

    def to_json(self) -> dict[str, Any]:
        """Return the attempt as a document of the HTTP API."""
        members = {
            "at": iso(self.at),
            "durationMs": round(self.seconds * 1000, 1),
            "status": self.status,
            "error": self.error,
            "answer": self.answer or None,
        }
        return {name: value for name, value in members.items() if value is not None}


class Sender:
    """Sender of a process. It reuses connections and follows no redirect. Callbacks that were not
    created by the operator reach only addresses that ``guard`` permits, at each resolution of their
    names. No callback reaches hosts outside of ``JACKFIELD_ONLY_HOSTS``. The environment also
    decides whether they use a proxy. Thread-safe.
    """

    def __init__(
        self, guard: Guard | None = None, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._only_hosts = only_hosts(None, environment)
        tls, route = cache(client_context), way_out(environment)
        self._own = Wire(
            WireSettings(guard=ANYWHERE, guard_path="/url", tls=tls, route=route, kept=200)
        )
        self._foreign = Wire(
            WireSettings(guard=guard or Guard(), guard_path="/url", tls=tls, route=route, kept=200)
        )

    def send(
        self, url: str, origin: str, fields: list[tuple[bytes, bytes]], body: bytes, at: float
    ) -> Attempt:
        """POST a body. Every outcome is returned as an attempt; nothing is raised."""
        begun = monotonic()
        until = begun + WITHIN
        wire, answer = self._own if origin == "operator" else self._foreign, b""
        try:
            target, path, host = target_of(url)
            if self._only_hosts is not None:
                self._only_hosts.require(target.host, "/url")
            head = [
                (b"Host", host),
                (b"Content-Type", b"application/json"),
                (b"User-Agent", b"jackfield"),
            ]
            head += [(b"Content-Length", str(len(body)).encode()), *fields]
            reply = wire.send(
                "POST", target, path, head, body, lambda: until - monotonic(), lambda: None
            )
            try:
                for piece in reply.raw():
                    answer += piece
                    if len(answer) >= MAX_ANSWER:
                        break
            except WireFault:
                pass  # its status is the answer; what follows is for people
            finally:
                reply.close()
        except WireFault as fault:
            late = f"it did not answer within {WITHIN:g} s" if fault.kind is Kind.LATE else ""
            return Attempt(at, monotonic() - begun, error=late or fault.words)
        except (InvalidConnection, ValueError) as error:
            text = str(error)
            if isinstance(error, InvalidConnection) and error.details:
                text = ". ".join(
                    (error.details[0].message, *([error.hint.rstrip(".")] if error.hint else ()))
                )
            return Attempt(at, monotonic() - begun, error=text)
        wait = _wait(field_of(reply.fields, b"retry-after"), at)
        return Attempt(
            at, monotonic() - begun, reply.status, _refusal(reply.status), _text(answer), wait
        )


def _refusal(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return (
        f"it answered {status}{', and redirects are not followed' if 300 <= status < 400 else ''}"
    )


def _wait(text: str | None, now: float) -> float | None:
    """Parse ``Retry-After``, seconds or a date, as seconds to wait; return None if it is
    neither.
    """
    if text is None:
        return None
    try:
        found = (
            float(text) if text.strip().isdigit() else parsedate_to_datetime(text).timestamp() - now
        )
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(found, 0.0), _LONGEST_WAIT) if math.isfinite(found) else None


def _text(answer: bytes) -> str:
    text = answer[: 4 * _SHOWN].decode("utf-8", "replace")
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text[:_SHOWN])
