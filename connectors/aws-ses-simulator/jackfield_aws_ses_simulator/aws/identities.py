"""Identities and the account of SES version 2: an identity that a call creates is verified after a
while, as if its owner had acted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from jackfield_aws_ses_simulator.aws.account import folded
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.refusals import Refusal, missing
from jackfield_aws_ses_simulator.aws.resources import Body, Operation, paged

_CONFLICT = 409


def _place(call: Call, name: str) -> tuple[str, ...]:
    return "EmailIdentity", call.region, folded(name)


def _find(ledger: Ledger, call: Call) -> Body:
    name = str(call.parameters["EmailIdentity"])
    place = _place(call, name)
    record = ledger.records.get(place)
    if record is None and (
        place in ledger.records or not ledger.account.owns(place[-1], call.region)
    ):
        raise missing(f"Email identity {name} does not exist.")
    return record or {"EmailIdentity": name, "VerifiedAt": 0.0}


def names_in(ledger: Ledger, call: Call) -> dict[str, Body]:
    """Return the identities of the call's region by name: the owner's, and identities that calls
    created.
    """
    owned = {
        _place(call, identity.name): _record(identity.name, 0.0)
        for identity in ledger.account.identities_in(call.region)
    }
    with ledger.changed:
        made = {
            place: record
            for place, record in ledger.records.items()
            if place[:2] == ("EmailIdentity", call.region)
        }
    return {
        record["EmailIdentity"]: record
        for record in {**owned, **made}.values()
        if record is not None
    }


def exists(ledger: Ledger, call: Call, name: str) -> bool:
    """Return whether an identity exists, ignoring the case of its domain."""
    return folded(name) in map(folded, names_in(ledger, call))


def _record(name: str, verified_at: float) -> Body:
    return {"EmailIdentity": name, "VerifiedAt": verified_at}


def create(ledger: Ledger, call: Call, name: str) -> Body:
    """Create an identity, whose verification is pending at first.

    :raises Refusal: AlreadyExistsException.
    """
    place = _place(call, name)
    if exists(ledger, call, name):
        raise Refusal("AlreadyExistsException", f"Email identity {name} already exist.")
    record = {
        **call.parameters,
        **_record(name, ledger.now() + ledger.account.verification_seconds),
    }
    ledger.records[place] = record
    return _details(ledger, call, record)


def _create_identity(ledger: Ledger, call: Call) -> Body:
    return create(ledger, call, str(call.parameters["EmailIdentity"]))


def _get_identity(ledger: Ledger, call: Call) -> Body:
    return _details(ledger, call, _find(ledger, call))


def _details(ledger: Ledger, call: Call, record: Body) -> Body:
    status = _status(ledger, record["VerifiedAt"])
    mail_from = record.get("MailFromDomain")
    since = (
        {"MailFromDomain": mail_from, "MailFromDomainStatus": _status(ledger, record["MailFromAt"])}
        if mail_from
        else {}
    )
    return {
        **record,
        **_summary(ledger, record),
        "FeedbackForwardingStatus": True,
        "VerifiedForSendingStatus": status == "SUCCESS",
        "DkimAttributes": _dkim(call, record, status),
        "MailFromAttributes": {
            "BehaviorOnMxFailure": record.get("BehaviorOnMxFailure", "USE_DEFAULT_VALUE"),
            **since,
        },
    }


def _summary(ledger: Ledger, record: Body) -> Body:
    name, status = record["EmailIdentity"], _status(ledger, record["VerifiedAt"])
    kind = "EMAIL_ADDRESS" if "@" in name else "DOMAIN"
    return {
        "IdentityName": name,
        "IdentityType": kind,
        "SendingEnabled": status == "SUCCESS",
        "VerificationStatus": status,
    }


def _status(ledger: Ledger, done_at: float) -> str:
    return "SUCCESS" if done_at <= ledger.now() else "PENDING"


def _dkim(call: Call, record: Body, status: str) -> Body:
    if "@" in record["EmailIdentity"]:
        return {
            "SigningEnabled": False,
            "Status": "NOT_STARTED",
            "SigningAttributesOrigin": "AWS_SES",
        }
    seeds = (f"{record['EmailIdentity']}/{call.region}/{number}" for number in range(3))
    return {
        "SigningEnabled": True,
        "Status": status,
        "Tokens": [hashlib.sha256(seed.encode()).hexdigest()[:32] for seed in seeds],
        "SigningHostedZone": "dkim.amazonses.com",
        "SigningAttributesOrigin": "AWS_SES",
        **record.get("DkimSigningAttributes", {}),
    }


def _delete_identity(ledger: Ledger, call: Call) -> Body:
    _find(ledger, call)
    ledger.records[_place(call, str(call.parameters["EmailIdentity"]))] = None
    return {}


def _set_mail_from(ledger: Ledger, call: Call) -> Body:
    given = {
        "MailFromDomain": None,
        **call.parameters,
        "MailFromAt": ledger.now() + ledger.account.verification_seconds,
    }
    ledger.records[_place(call, str(call.parameters["EmailIdentity"]))] = {
        **_find(ledger, call),
        **given,
    }
    return {}


def _list_identities(ledger: Ledger, call: Call) -> Body:
    rows = {name: _summary(ledger, record) for name, record in names_in(ledger, call).items()}
    return paged(call, rows, "EmailIdentities")


_DETAILS = ("AccountDetails",)


def _get_account(ledger: Ledger, _call: Call) -> Body:
    account = ledger.account
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": account.enforcement_status,
        "ProductionAccessEnabled": not account.sandbox,
        "SendQuota": {
            "Max24HourSend": account.quota.max24_hour_send,
            "MaxSendRate": account.quota.max_send_rate,
            "SentLast24Hours": ledger.sent_today(),
        },
        "SendingEnabled": not account.paused,
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
        "Details": ledger.records.get(_DETAILS),
    }


def _put_details(ledger: Ledger, call: Call) -> Body:
    """Store the account's details. In the sandbox the first call requests production access, which
    the simulator never reviews.
    """
    review: dict[str, Any] = (
        {"ReviewDetails": {"Status": "PENDING"}} if ledger.account.sandbox else {}
    )
    if review and ledger.records.get(_DETAILS):
        raise Refusal("ConflictException", "The account details are under review.", _CONFLICT)
    ledger.records[_DETAILS] = {**call.parameters, **review}
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateEmailIdentity": _create_identity,
    "GetEmailIdentity": _get_identity,
    "DeleteEmailIdentity": _delete_identity,
    "PutEmailIdentityMailFromAttributes": _set_mail_from,
    "ListEmailIdentities": _list_identities,
    "GetAccount": _get_account,
    "PutAccountDetails": _put_details,
}
"""Operations by name. Each returns the members of its response; members outside the operation's
output shape are left out.
"""
