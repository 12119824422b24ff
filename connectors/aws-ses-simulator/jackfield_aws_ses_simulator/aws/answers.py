"""Dispatch of calls to operations, independent of the transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jackfield_aws_ses_simulator.aws import refusals, ses, sts
from jackfield_aws_ses_simulator.aws.access import Caller, authenticate
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.exchange import Answer
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.messaging import SERVICES, answer_service, is_open
from jackfield_aws_ses_simulator.aws.query import result_xml
from jackfield_aws_ses_simulator.aws.refusals import Refusal, misshapen, throttled
from jackfield_aws_ses_simulator.aws.signing import PATH, certificate

_OK = 200
_QUERY_OPERATIONS: Mapping[str, Mapping[str, Callable[[Ledger, Call, Caller], str]]] = {
    "ses": ses.QUERY_OPERATIONS,
    "sts": sts.QUERY_OPERATIONS,
}


def admit(ledger: Ledger, call: Call) -> Caller:
    """Return the caller, after counting the call against its operation's rate.

    :raises Refusal: for wrong credentials, or a call that exceeds the rate.
    """
    caller = authenticate(ledger, call)
    if ledger.is_too_fast(call.operation):
        raise throttled()
    return caller


def answer(ledger: Ledger, call: Call) -> Answer:
    """Answer a call; a refusal becomes an error response."""
    ledger.origin = call.origin
    if call.http.path == PATH:
        return Answer(_OK, certificate(), "application/x-pem-file")
    try:
        if is_open(call):
            return answer_service(ledger, call, None)
        caller = admit(ledger, call)
        if call.service in SERVICES:
            return answer_service(ledger, call, caller)
        return (
            ses.answer_v2(ledger, call, caller)
            if call.service == "sesv2"
            else _query(ledger, call, caller)
        )
    except Refusal as refusal:
        return refusal.answer(call.service, call.request_id)
    except (AttributeError, KeyError, TypeError):
        # Members of the wrong JSON type: operations rely on the types of the service's model.
        return misshapen().answer(call.service, call.request_id)


def _query(ledger: Ledger, call: Call, caller: Caller) -> Answer:
    operation = _QUERY_OPERATIONS[call.service].get(call.operation)
    if operation is None:
        raise refusals.unimplemented(call.operation)
    body = result_xml(
        call.service, call.operation, operation(ledger, call, caller), call.request_id
    )
    return Answer(_OK, body, "text/xml", (("x-amzn-RequestId", call.request_id),))
