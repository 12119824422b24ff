"""Attempt of a connector in its own process: the parent permits its requests, counts them, and
leases its credentials.
"""

from __future__ import annotations

import errno
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

from jackfield.connector.context import Answered, Apart, Call, Minted, current_call
from jackfield.kernel.clock import Deadline
from jackfield.kernel.errors import Cancelled, Detail, JackfieldError, Sent, Unavailable
from jackfield.kernel.failures import Raised, attempt
from jackfield.wire.guard import unseen
from jackfield_isolation.error_frames import dump_error, load_error
from jackfield_isolation.wire import Frame, Wire

_OBJECTS = 64
LARGEST_RETURN = 4000
"""Maximum length in characters of the JSON of a returned value, which an error may quote."""
_LARGEST_WARNING = 200_000
"""Maximum size in bytes of a warning, which must fit into one frame."""


_LONGEST_NAME = 200


class Talk:
    """Child's side of a conversation with its parent about one question."""

    def __init__(self, wire: Wire, number: int, box: SimpleQueue[Frame]) -> None:
        self._wire = wire
        self._number = number
        self._box = box
        self._asking = threading.RLock()
        self._is_gone = False

    def say(self, frame: Frame) -> None:
        """Send a frame that needs no answer."""
        self._wire.send({"id": self._number, **frame})

    def ask(self, frame: Frame, mint: Callable[[], Minted] | None = None) -> Any:
        """Ask the parent and return its answer. ``mint`` issues a credential if the parent has
        none.

        :raises JackfieldError: if the parent refuses.
        """
        failure: Exception | None = None
        with self._asking:  # one question of a call at a time
            self._say_if_heard(frame)
            while True:
                answer = self._next()
                if "mint" in answer and mint is not None:
                    failure = self._mint(mint)
                elif "refused" in answer:
                    raise failure or load_error(answer["refused"])
                else:
                    return answer.get("granted")

    def _say_if_heard(self, frame: Frame) -> None:
        if self._is_gone:
            raise Cancelled("the caller has left", sent=Sent.NOTHING)
        self.say(frame)

    def _next(self) -> Frame:
        answer = self._box.get()
        if "gone" in answer:
            self._is_gone = True
            raise Cancelled("the caller has left", sent=Sent.NOTHING)
        return answer

    def dial(self, host: str, port: int, seconds: float | None) -> int:
        """Return the descriptor of a connection that the parent has opened.

        :raises OSError: if the connection cannot be opened, or the host is not allowed.
        """
        patience = {} if seconds is None else {"seconds": seconds}
        with self._asking:
            self._say_if_heard({"dial": host, "port": port, **patience})
            answer = self._next()
        if "failed" in answer:
            number, text = answer["failed"]
            raise OSError(number or errno.EHOSTUNREACH, text)
        descriptor = answer.get("descriptor")
        if descriptor is None:
            refused = load_error(answer["refused"])
            raise PermissionError(
                errno.EACCES,
                "; ".join([refused.message, *(detail.message for detail in refused.details)]),
            )
        return int(descriptor)

    def _mint(self, mint: Callable[[], Minted]) -> Exception | None:
        with unseen():
            minted = attempt(mint)
        if isinstance(minted, Raised):
            self.say({"unminted": _as_error(minted.error)})
            return minted.error
        self.say({"minted": minted})
        return None


def _as_error(error: Exception) -> Mapping[str, Any]:
    if isinstance(error, JackfieldError):
        return dump_error(error)
    return dump_error(
        Unavailable(
            f"the credential could not be issued ({type(error).__name__})", sent=Sent.NOTHING
        )
    )


class ChildCall(Call):
    """Call whose progress the parent follows. Each request needs the parent's consent first, which
    is the last moment to cancel it.
    """

    talk: Talk
    leases: Mapping[str, int] = {}
    """Tokens of the leases that are still fresh, by key."""
    _is_silent = False

    @property
    def idempotency_key(self) -> str:
        """Return the key of the invocation, and report to the parent that it was read."""
        if not self.key.used:
            self.talk.say({"key": True})
        self.key.used = True
        return self.key.value

    def begin(self, step: str = "", *, safe: bool = False) -> None:
        """Ask the parent for consent to send a request."""
        if self.ended:  # nobody answers any more
            self.refuse_late()
        self.talk.ask({"begin": step[:_LONGEST_NAME], "safe": safe, **self._identified()})
        self._is_silent = True
        try:
            super().begin(step, safe=safe)
        finally:
            self._is_silent = False

    def begin_apart(self, step: str, *, safe: bool = False) -> Apart:
        """Ask the parent for consent to send a request in one of the action's own threads."""
        found = super().begin_apart(step[:_LONGEST_NAME], safe=safe)
        may_send = False
        try:
            self.talk.ask({"apart": found.number, "step": found.step, "safe": safe})
            may_send = True
        finally:
            if not may_send:
                super().prove(found, None)
        return found

    def prove(self, request: Apart, done: Answered | None) -> None:
        """Report the outcome of a request from another thread to the parent."""
        super().prove(request, done)
        identifier = (
            {}
            if done is None or done.request_id is None
            else {"requestId": done.request_id[:_LONGEST_NAME]}
        )
        self.talk.say({"proven": request.number, "done": done is not None, **identifier})

    def returned(self, value: Any) -> None:
        """Report a response's value to the parent."""
        super().returned(value)
        self.talk.say({"returned": _plain(value)})

    def refused(self) -> None:
        """Report to the parent that a request was refused."""
        super().refused()
        self.talk.say({"refusal": True})

    def warn(self, message: str, path: str = "") -> None:
        """Report a warning for the caller to the parent."""
        before = self.warnings
        super().warn(message, path)
        if self.warnings is not before:
            self.talk.say({"warning": self.warnings[-1].to_json()})

    def failed_in_part(
        self, entries: Sequence[Detail], message: str = "", path: str = "", *, failed: int = 0
    ) -> None:
        """Report to the parent which entries failed, as many as fit into one frame."""
        before = self.warnings
        super().failed_in_part(entries, message, path, failed=failed)
        if self.warnings is not before:
            told = self.warnings[-1].to_json()
            while len(json.dumps(told)) > _LARGEST_WARNING:
                told["entries"] = told["entries"][: len(told["entries"]) // 2]
            self.talk.say({"warning": told})

    def hand_on(self, event: Mapping[str, Any]) -> None:
        """Send the parent an event, and wait until the parent has passed it on."""
        self.talk.ask({"event": dict(event)})

    def unfinished(self, reason: str) -> None:
        """Report to the parent that the page has neither a next page nor an end of its list."""
        super().unfinished(reason)
        self.talk.say({"unfinished": True})

    def answered(self, returned: Any = None) -> None:
        """Report to the parent that a request succeeded."""
        super().answered(returned)
        if not self._is_silent:
            self.talk.say({"answered": _plain(returned), **self._identified()})

    def _identified(self) -> dict[str, str]:
        return (
            {"requestId": str(self.request_id)[:_LONGEST_NAME]}
            if self.request_id is not None
            else {}
        )


def _plain(value: Any) -> Any:
    """Return a step's value as JSON. Of a long text, return only the beginning, since errors quote
    no more.
    """
    text = attempt(json.dumps, value, allow_nan=False, ensure_ascii=False)
    if isinstance(text, Raised):
        return str(value)[:LARGEST_RETURN]
    return value if len(text) <= LARGEST_RETURN else text[:LARGEST_RETURN]


class _Leased(Minted):
    """Parent's credential with the token by which it can be dropped."""

    __slots__ = ("token",)

    token: int


class ChildLeases:
    """Cache of objects that a connection has opened in this process. The parent owns the
    credentials, shares and renews them.
    """

    def __init__(self) -> None:
        self._objects: OrderedDict[Hashable, Any] = OrderedDict()
        self._leased: OrderedDict[str, _Leased] = OrderedDict()
        self._making = threading.RLock()

    def lease(
        self, key: str, mint: Callable[[], Minted], deadline: Deadline, *, outlasts: bool = False
    ) -> Minted:
        """Return the credential under ``key`` from the parent; mint it if the parent asks for it.
        ``outlasts`` has no effect: no mint outlasts its call here.
        """
        del outlasts
        call, known = current_call(), self._leased.get(key)
        if (
            known is not None
            and isinstance(call, ChildCall)
            and call.leases.get(key) == known.token
        ):
            return known
        talk = current_talk()
        if talk is None:  # outside of a call, in a thread of the connector's own
            deadline.check()
            return mint()
        found = talk.ask({"lease": key}, mint)
        leased = _Leased(found["value"], found["expiresAt"])
        object.__setattr__(leased, "token", found["token"])
        self._leased[key] = leased
        if len(self._leased) > _OBJECTS:
            self._leased.popitem(last=False)
        return leased

    def drop(self, key: str, used: Minted) -> None:
        """Report to the parent that the provider considers ``used`` expired."""
        talk = current_talk()
        if talk is not None and isinstance(used, _Leased):
            talk.say({"drop": key, "token": used.token})

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        """Return the object under ``key``, made once; the oldest are evicted first."""
        found = self._objects.get(key)
        if found is None:
            with self._making:
                found = self._objects.get(key)
                if found is None:
                    found = self._objects[key] = make()
                    if len(self._objects) > _OBJECTS:
                        self._objects.popitem(last=False)
        return found


def current_talk() -> Talk | None:
    """Return the conversation of the call that this thread or task runs; None outside of a call."""
    call = current_call()
    return call.talk if isinstance(call, ChildCall) else None
