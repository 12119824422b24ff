"""The operations of Amazon SES by name: of version 1 (query protocol) and of version 2
(REST-JSON).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from jackfield_aws_ses_simulator.aws import (
    identities,
    model,
    publishing,
    resources,
    templates,
    tenants,
)
from jackfield_aws_ses_simulator.aws.access import Caller
from jackfield_aws_ses_simulator.aws.account import page
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.exchange import Answer
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.outcomes import outcomes
from jackfield_aws_ses_simulator.aws.query import element
from jackfield_aws_ses_simulator.aws.refusals import Refusal, invalid, unimplemented
from jackfield_aws_ses_simulator.aws.resources import TEMPLATE, VERIFICATION_MAIL, Body, find
from jackfield_aws_ses_simulator.aws.sending import send_bulk_email, send_email, send_raw_email

_OK, _NOT_FOUND = 200, 404
_PAGE = "100"
"""Default page size for identities."""
_IS_DOMAIN = {"Domain": (True,), "EmailAddress": (False,), "": (True, False)}
_QUARTER, _FORTNIGHT = 900, 14 * 86_400
"""Seconds of one point of the statistics, and seconds of all points."""


def _list_identities(ledger: Ledger, call: Call, caller: Caller) -> str:
    caller.authorise("*", "ses:ListIdentities")
    kind = call.parameters.get("IdentityType", "")
    if kind not in _IS_DOMAIN:
        raise invalid(f"Value '{kind}' is not a type of identity; one of EmailAddress, Domain.")
    found = (
        name for name in identities.names_in(ledger, call) if ("@" not in name) in _IS_DOMAIN[kind]
    )
    shown = page(
        found,
        f"v1/{kind}",
        call.parameters.get("NextToken"),
        call.parameters.get("MaxItems", _PAGE),
    )
    names = "".join(element("member", name) for name in shown.names)
    return f"<Identities>{names}</Identities>" + (
        element("NextToken", shown.token) if shown.token else ""
    )


def _get_send_statistics(ledger: Ledger, call: Call, caller: Caller) -> str:
    """Return the counts of two weeks' messages and outcomes by quarters of an hour, as XML."""
    caller.authorise("*", "ses:GetSendStatistics")
    since = ledger.now() - _FORTNIGHT
    points: dict[int, Counter[str]] = {}
    for message in ledger.messages:
        if message.region == call.region and message.at >= since:
            counts = points.setdefault(int(message.at // _QUARTER), Counter())
            counts.update(
                ["DeliveryAttempts", *(f"{outcome.kind}s" for outcome in outcomes(ledger, message))]
            )
    return f"<SendDataPoints>{''.join(_point(quarter, counts) for quarter, counts in points.items())}</SendDataPoints>"


def _point(quarter: int, counts: Mapping[str, int]) -> str:
    moment = datetime.fromtimestamp(quarter * _QUARTER, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    figures = "".join(
        element(name, counts.get(name, 0))
        for name in ("DeliveryAttempts", "Bounces", "Complaints", "Rejects")
    )
    return f"<member>{element('Timestamp', moment)}{figures}</member>"


QUERY_OPERATIONS: Mapping[str, Callable[[Ledger, Call, Caller], str]] = {
    "GetSendStatistics": _get_send_statistics,
    "ListIdentities": _list_identities,
    "SendRawEmail": send_raw_email,
}
"""Operations of version 1; each returns the inner XML of its response."""


def _render(ledger: Ledger, call: Call) -> Body:
    content = find(TEMPLATE, ledger, call.region, call.parameters)["TemplateContent"]
    texts = templates.rendered(content, call.parameters["TemplateData"])
    return {
        "RenderedTemplate": (
            "Subject: "
            f"{texts.get('Subject', '')}\r\n\r\n{texts.get('Html') or texts.get('Text', '')}"
        )
    }


def _send_verification(ledger: Ledger, call: Call) -> Body:
    """Create an identity, which is verified after a while, without sending a message."""
    find(VERIFICATION_MAIL, ledger, call.region, call.parameters)
    name = str(call.parameters["EmailAddress"])
    if not identities.exists(ledger, call, name):
        identities.create(ledger, call, name)
    return {"MessageId": ledger.message_id()}


_SENDS = {"SendEmail": send_email, "SendBulkEmail": send_bulk_email}
_OPERATIONS = {
    **resources.OPERATIONS,
    **publishing.OPERATIONS,
    **identities.OPERATIONS,
    **tenants.OPERATIONS,
    "TestRenderEmailTemplate": _render,
    "SendCustomVerificationEmail": _send_verification,
}


def check_v2(call: Call, caller: Caller) -> None:
    """Check permission and parameters of a version 2 call other than a send.

    :raises Refusal: if AWS would refuse it.
    """
    caller.authorise("*", f"ses:{call.operation}")
    model.check(call.operation, call.parameters)


def answer_v2(ledger: Ledger, call: Call, caller: Caller) -> Answer:
    """Answer a call of version 2.

    :raises Refusal: if AWS would refuse it, or the simulator does not know the operation.
    """
    if call.operation == model.UNKNOWN:
        raise Refusal("UnknownOperationException", "There is no such operation.", _NOT_FOUND)
    if call.malformed is not None:
        raise call.malformed
    send, operation = _SENDS.get(call.operation), _OPERATIONS.get(call.operation)
    if send is not None:
        return ok_v2(call, send(ledger, call, caller))
    if operation is None:
        raise unimplemented(call.operation)
    check_v2(call, caller)
    with ledger.changed:
        return ok_v2(call, model.shaped(call.operation, operation(ledger, call)))


def ok_v2(call: Call, body: Mapping[str, Any]) -> Answer:
    """Return a successful answer of version 2."""
    return Answer(_OK, json.dumps(body).encode(), headers=(("x-amzn-RequestId", call.request_id),))
