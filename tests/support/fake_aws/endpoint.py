"""From an HTTP request to an AWS answer, without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ses, sesv2, sts
from .access import Caller, authenticate
from .call import SEND_PATH, Call, read_call
from .errors import AwsError, default_code, throttled
from .faults import Fault, raw_body
from .wire import JSON, Answer, HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import State

_SERVICES: dict[str, Callable[[State, Call, Caller], Answer]] = {"ses": ses.answer, "sesv2": sesv2.answer, "sts": sts.answer}


class Endpoint:
    """Reads, logs and answers calls against one state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def begin(self, http: HttpRequest, connection: int) -> tuple[Call, Fault | None]:
        """Read and log a call, and find the fault that the script has for it."""
        state = self.state
        call = read_call(http, connection, state.fresh_id())
        state.log(call)
        return call, state.script.take(call.service, call.operation)

    def blind(self, http: HttpRequest) -> Answer | None:
        """Return the answer to a send that nobody reads; None where it must be read."""
        if not self.state.settings.blind or http.path != SEND_PATH:
            return None
        self.state.accept_unread("sesv2:SendEmail")
        return Answer(200, f'{{"MessageId":"{self.state.message_id()}"}}'.encode())

    def answer(self, call: Call) -> Answer:
        """Return the honest answer, a refusal included."""
        try:
            caller = authenticate(self.state, call)
            if self.state.is_too_fast(call.service, call.operation):
                raise throttled()
            return _SERVICES[call.service](self.state, call, caller)
        except AwsError as error:
            return error.answer(call.service, call.request_id)
        except (AttributeError, KeyError, TypeError):
            # Members of the wrong JSON type: operations read them as the service's model has them.
            misshapen = AwsError("SerializationException", "The request does not have the shape of the operation")
            return misshapen.answer(call.service, call.request_id)

    def scripted_error(self, call: Call, fault: Fault) -> Answer:
        """Return the refusal that a `status` fault asks for."""
        status = fault.status or 400
        code = fault.code or default_code(call.service, status)
        return AwsError(code, fault.message or code, status, headers=tuple(fault.headers.items())).answer(call.service, call.request_id)

    def scripted_body(self, fault: Fault) -> Answer:
        """Return the answer that a `body` fault asks for."""
        body = raw_body(fault) or b""
        kind = fault.content_type or ("text/html" if body.lstrip().startswith(b"<") else JSON)
        return Answer(fault.status or 200, body, kind, tuple(fault.headers.items()))
