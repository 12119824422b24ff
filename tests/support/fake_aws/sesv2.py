"""SES, API version 2 (REST-JSON): the account and its identities."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from .access import Caller, authorise
from .errors import AwsError
from .identities import by_kind, in_region, page, page_size
from .sending import sender_arn
from .sesv2_send import send
from .wire import Answer

if TYPE_CHECKING:
    from .call import Call
    from .options import Identity
    from .state import State


def answer(state: State, call: Call, caller: Caller) -> Answer:
    """Answer a call of version 2; AwsError."""
    operation = _OPERATIONS.get(call.operation)
    if operation is None:
        raise AwsError("UnknownOperationException", "There is no such operation.", 404)
    if call.malformed is not None:
        raise call.malformed
    body = operation(state, call, caller)
    return Answer(200, json.dumps(body).encode(), headers=(("x-amzn-RequestId", call.request_id),))


def _account(state: State, call: Call, caller: Caller) -> dict[str, Any]:
    authorise(state.settings, caller, ("ses:GetAccount",), "*")
    settings, quota = state.settings, state.settings.quota
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": not settings.sandbox,
        "SendQuota": {
            "Max24HourSend": quota.max24_hour_send,
            "MaxSendRate": quota.max_send_rate,
            "SentLast24Hours": state.sent_today(),
        },
        "SendingEnabled": not settings.paused,
        **settings.account,
    }


def _list(state: State, call: Call, caller: Caller) -> dict[str, Any]:
    authorise(state.settings, caller, ("ses:ListEmailIdentities",), "*")
    wanted = call.parameters.get("Filter") or {}
    fits = by_kind(wanted.get("IDENTITY_TYPE"), "DOMAIN", "EMAIL_ADDRESS")
    shown = [
        identity
        for identity in in_region(state.settings.identities, call.region)
        if fits(identity)
        and wanted.get("IDENTITY_NAME_CONTAINS", "") in identity.name
        and identity.status == wanted.get("VERIFICATION_STATUS", identity.status)
    ]
    size = page_size(call.parameters.get("PageSize"), state.settings.page_size)
    scope = base64.b16encode(json.dumps(wanted, sort_keys=True).encode()).decode()
    found = page(shown, f"v2/{scope}", call.parameters.get("NextToken"), size)
    body: dict[str, Any] = {"EmailIdentities": [_summary(identity) for identity in found.identities]}
    return {**body, "NextToken": found.token} if found.token else body


def _summary(identity: Identity) -> dict[str, Any]:
    return {
        "IdentityType": "DOMAIN" if identity.is_domain else "EMAIL_ADDRESS",
        "IdentityName": identity.name,
        "SendingEnabled": identity.status == "SUCCESS",
        "VerificationStatus": identity.status,
    }


def _identity(state: State, call: Call, caller: Caller) -> dict[str, Any]:
    name = call.parameters["EmailIdentity"]
    arn = sender_arn(state.settings, call.region, name)
    authorise(state.settings, caller, ("ses:GetEmailIdentity",), arn)
    for identity in in_region(state.settings.identities, call.region):
        if identity.name == name:
            return {
                "IdentityType": _summary(identity)["IdentityType"],
                "FeedbackForwardingStatus": True,
                "VerifiedForSendingStatus": identity.status == "SUCCESS",
                "VerificationStatus": identity.status,
                "DkimAttributes": {"SigningEnabled": identity.is_domain, "Status": identity.status, "Tokens": []},
                "MailFromAttributes": {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"},
                "Policies": {},
                "Tags": [],
            }
    raise AwsError("NotFoundException", f"Email identity {name} does not exist.", 404)


_OPERATIONS = {"SendEmail": send, "GetAccount": _account, "ListEmailIdentities": _list, "GetEmailIdentity": _identity}
