"""Amazon SES: version 1 (query protocol) lists identities, version 2 (REST-JSON) returns the account; both send."""

from __future__ import annotations

import json
from typing import Any

from jackfield_aws_ses.demo.aws.access import Caller
from jackfield_aws_ses.demo.aws.account import Identity, page
from jackfield_aws_ses.demo.aws.call import Call
from jackfield_aws_ses.demo.aws.exchange import Answer
from jackfield_aws_ses.demo.aws.ledger import Ledger
from jackfield_aws_ses.demo.aws.query import element
from jackfield_aws_ses.demo.aws.refusals import Refusal, invalid
from jackfield_aws_ses.demo.aws.sending import send, send_raw_v1

_OK, _NOT_FOUND = 200, 404
_PAGE = "100"
"""Default page size for identities."""
_IS_DOMAIN = {"Domain": (True,), "EmailAddress": (False,), "": (True, False)}


def _list_identities(ledger: Ledger, call: Call, caller: Caller) -> str:
    caller.authorise("*", "ses:ListIdentities")
    kind = call.parameters.get("IdentityType", "")
    if kind not in _IS_DOMAIN:
        raise invalid(f"Value '{kind}' is not a type of identity; one of EmailAddress, Domain.")

    def asked(identity: Identity) -> bool:
        return identity.is_domain in _IS_DOMAIN[kind]

    found = filter(asked, ledger.account.identities_in(call.region))
    shown = page(found, f"v1/{kind}", call.parameters.get("NextToken"), call.parameters.get("MaxItems", _PAGE))
    names = "".join(element("member", name) for name in shown.names)
    return f"<Identities>{names}</Identities>" + (element("NextToken", shown.token) if shown.token else "")


def _send_raw_email(ledger: Ledger, call: Call, caller: Caller) -> str:
    return element("MessageId", send_raw_v1(ledger, call, caller))


QUERY_OPERATIONS = {"ListIdentities": _list_identities, "SendRawEmail": _send_raw_email}
"""Operations of version 1; each returns the inner elements of its answer."""


def answer_v2(ledger: Ledger, call: Call, caller: Caller) -> Answer:
    """Answer a call of version 2.

    :raises Refusal: when AWS would refuse it.
    """
    operation = _V2_OPERATIONS.get(call.operation)
    if operation is None:
        raise Refusal("UnknownOperationException", "There is no such operation.", _NOT_FOUND)
    if call.malformed is not None:
        raise call.malformed
    body = operation(ledger, call, caller)
    return Answer(_OK, json.dumps(body).encode(), headers=(("x-amzn-RequestId", call.request_id),))


def _get_account(ledger: Ledger, _call: Call, caller: Caller) -> dict[str, Any]:
    caller.authorise("*", "ses:GetAccount")
    account = ledger.account
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": not account.sandbox,
        "SendQuota": {
            "Max24HourSend": account.quota.max24_hour_send,
            "MaxSendRate": account.quota.max_send_rate,
            "SentLast24Hours": ledger.sent_today(),
        },
        "SendingEnabled": not account.paused,
    }


_V2_OPERATIONS = {"SendEmail": send, "GetAccount": _get_account}
