"""Tenants of SES version 2: their lifecycle, resources and sending status, and the conditions of a
send for a tenant.

Messages of refusals are AWS's, as quoted by tools of its users. No source has the message for a
paused tenant; it is the simulator's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping

from jackfield_aws_ses_simulator.aws import identities
from jackfield_aws_ses_simulator.aws.account import NUMBER, covering, folded
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.refusals import Refusal, invalid, missing
from jackfield_aws_ses_simulator.aws.resources import (
    TEMPLATE,
    Body,
    Operation,
    configuration_set,
    paged,
)

_FORBIDDEN = 403
_KINDS = {
    "identity": "EMAIL_IDENTITY",
    "configuration-set": "CONFIGURATION_SET",
    "template": "EMAIL_TEMPLATE",
}
_TENANT, _LINK, _FINDING = "Tenant", "TenantResource", "Recommendation"
_IMPACTS = ("NONE", "LOW", "HIGH")
_PAUSES: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "standard": ("HIGH",),
    "strict": ("HIGH", "LOW"),
}
"""Impacts of findings at which each reputation policy pauses a tenant."""


def _arn(region: str, resource: str) -> str:
    return f"arn:aws:ses:{region}:{NUMBER}:{resource}"


def _find(ledger: Ledger, region: str, name: object) -> Body:
    record = ledger.records.get((_TENANT, region, str(name)))
    if record is None:
        raise missing(f"Tenant {name} for AwsAccountId {NUMBER} not found.")
    return record


def _tenant(ledger: Ledger, call: Call) -> Body:
    return _find(ledger, call.region, call.parameters["TenantName"])


def _create(ledger: Ledger, call: Call) -> Body:
    name = str(call.parameters["TenantName"])
    place = (_TENANT, call.region, name)
    if ledger.records.get(place) is not None:
        raise Refusal(
            "AlreadyExistsException", f"Tenant {name} for AwsAccountId {NUMBER} already exists."
        )
    number = (
        f"tn-{hashlib.sha256(f'{name}/{call.region}/{ledger.now()}'.encode()).hexdigest()[:30]}"
    )
    own = {
        "TenantId": number,
        "TenantArn": _arn(call.region, f"tenant/{name}/{number}"),
        "CreatedTimestamp": int(ledger.now()),
    }
    ledger.records[place] = {
        **call.parameters,
        **own,
        "Customer": {"Status": "ENABLED"},
        "Policy": "standard",
    }
    return _with_status(ledger, ledger.records[place] or {})


def _with_status(ledger: Ledger, record: Body) -> Body:
    return {**record, "SendingStatus": _status(ledger, record)}


def _findings(ledger: Ledger, record: Body) -> list[Body]:
    rows = [
        row for place, row in ledger.records.items() if place[0] == _FINDING and row is not None
    ]
    return [
        row for row in rows if row["ResourceArn"] == record["TenantArn"] and row["Status"] == "OPEN"
    ]


def _by_ses(ledger: Ledger, record: Body) -> Body:
    """Return a tenant's status set by SES: its policy pauses it on findings, unless the customer
    reinstated it.
    """
    if record["Customer"]["Status"] == "REINSTATED":
        return {"Status": "ENABLED"}
    bad = [row for row in _findings(ledger, record) if row["Impact"] in _PAUSES[record["Policy"]]]
    return {"Status": "DISABLED", "Cause": bad[0]["Description"]} if bad else {"Status": "ENABLED"}


def _status(ledger: Ledger, record: Body) -> str:
    both = (record["Customer"]["Status"], _by_ses(ledger, record)["Status"])
    return "DISABLED" if "DISABLED" in both else str(record["Customer"]["Status"])


def _get(ledger: Ledger, call: Call) -> Body:
    return {"Tenant": _with_status(ledger, _tenant(ledger, call))}


def _delete(ledger: Ledger, call: Call) -> Body:
    name = str(_tenant(ledger, call)["TenantName"])
    gone = [
        (_TENANT, call.region, name),
        *(place for place, _ in _links(ledger, call.region) if place[2] == name),
    ]
    gone += [
        place
        for place in ledger.records
        if place[:3] == ("Address {EmailAddress}", call.region, name)
    ]
    for place in gone:
        del ledger.records[place]
    return {}


def _all(ledger: Ledger, region: str) -> Iterator[Body]:
    yield from (
        record
        for place, record in ledger.records.items()
        if place[:2] == (_TENANT, region) and record is not None
    )


def _list(ledger: Ledger, call: Call) -> Body:
    wanted = call.parameters.get("Filter") or {}
    part, status = wanted.get("TENANT_NAME_CONTAINS", ""), wanted.get("SENDING_STATUS")
    rows = {
        record["TenantName"]: _with_status(ledger, record) for record in _all(ledger, call.region)
    }
    found = {
        name: row
        for name, row in rows.items()
        if part in name and status in (None, row["SendingStatus"])
    }
    return paged(call, found, "Tenants")


def _suppression(ledger: Ledger, call: Call) -> Body:
    record, given = _tenant(ledger, call), call.parameters
    asked = {
        name: given[name] for name in ("SuppressionScope", "SuppressedReasons") if name in given
    }
    if len(asked) == 1:
        raise invalid("SuppressionScope and SuppressedReasons are given together.")
    record.pop("SuppressionAttributes", None)
    record.update({"SuppressionAttributes": asked} if asked else {})
    return {}


def _links(ledger: Ledger, region: str) -> list[tuple[tuple[str, ...], Body]]:
    return [
        (place, row)
        for place, row in ledger.records.items()
        if place[:2] == (_LINK, region) and row is not None
    ]


def _resource(ledger: Ledger, call: Call) -> str:
    """Return the ARN of a call's resource.

    :raises Refusal: if the resource is of another account or region, or does not exist.
    """
    arn = str(call.parameters["ResourceArn"])
    kind, _, name = arn.removeprefix(_arn(call.region, "")).partition("/")
    if not arn.startswith(_arn(call.region, "")) or kind not in _KINDS or not name:
        raise invalid(f"Invalid resource ARN: {arn}")
    exists: Mapping[str, Callable[[], bool]] = {
        "identity": lambda: (
            ledger.account.identities is None or identities.exists(ledger, call, name)
        ),
        "configuration-set": lambda: configuration_set(ledger, call.region, name) is not None,
        "template": lambda: (
            ledger.records.get(TEMPLATE.place(call.region, {"TemplateName": name})) is not None
        ),
    }
    if not exists[kind]():
        raise missing(f"{kind.replace('-', ' ').capitalize()} <{name}> does not exist.")
    return _arn(call.region, f"{kind}/{folded(name) if kind == 'identity' else name}")


def _associate(ledger: Ledger, call: Call) -> Body:
    name, arn = str(_tenant(ledger, call)["TenantName"]), _resource(ledger, call)
    kind = _KINDS[arn.split(":")[5].partition("/")[0]]
    row = {
        "TenantName": name,
        "ResourceArn": arn,
        "ResourceType": kind,
        "AssociatedTimestamp": int(ledger.now()),
    }
    ledger.records.setdefault((_LINK, call.region, name, arn), row)
    return {}


def _dissociate(ledger: Ledger, call: Call) -> Body:
    place = (
        _LINK,
        call.region,
        str(_tenant(ledger, call)["TenantName"]),
        str(call.parameters["ResourceArn"]),
    )
    if ledger.records.pop(place, None) is None:
        raise missing(f"Resource {place[3]} is not associated with tenant {place[2]}.")
    return {}


def _list_resources(ledger: Ledger, call: Call) -> Body:
    name, kind = (
        _tenant(ledger, call)["TenantName"],
        (call.parameters.get("Filter") or {}).get("RESOURCE_TYPE"),
    )
    rows = {
        place[3]: row
        for place, row in _links(ledger, call.region)
        if place[2] == name and kind in (None, row["ResourceType"])
    }
    return paged(call, rows, "TenantResources")


def _list_users(ledger: Ledger, call: Call) -> Body:
    arn = _resource(ledger, call)
    rows = {place[2]: row for place, row in _links(ledger, call.region) if place[3] == arn}
    known = {
        name: {**row, "TenantId": _find(ledger, call.region, name)["TenantId"]}
        for name, row in rows.items()
    }
    return paged(call, known, "ResourceTenants")


def _entity(ledger: Ledger, call: Call) -> Body:
    arn = str(call.parameters["ReputationEntityReference"])
    found = next(
        (record for record in _all(ledger, call.region) if record["TenantArn"] == arn), None
    )
    if found is None:
        raise missing(f"Reputation entity {arn} not found.")
    return found


def _reputation(ledger: Ledger, call: Call) -> Body:
    record = _entity(ledger, call)
    impacts = [row["Impact"] for row in _findings(ledger, record)]
    entity = {
        "ReputationEntityReference": record["TenantArn"],
        "ReputationEntityType": "RESOURCE",
        "ReputationManagementPolicy": f"arn:aws:ses:{call.region}:aws:reputation-policy/{record['Policy']}",
        "CustomerManagedStatus": record["Customer"],
        "AwsSesManagedStatus": _by_ses(ledger, record),
        "SendingStatusAggregate": _status(ledger, record),
        "ReputationImpact": max(impacts, key=_IMPACTS.index, default="NONE"),
    }
    return {"ReputationEntity": entity}


def _set_status(ledger: Ledger, call: Call) -> Body:
    changed = {
        "Status": call.parameters["SendingStatus"],
        "Cause": "Status manually updated.",
        "LastUpdatedTimestamp": int(ledger.now()),
    }
    _entity(ledger, call)["Customer"] = changed
    return {}


def _set_policy(ledger: Ledger, call: Call) -> Body:
    name = str(call.parameters["ReputationEntityPolicy"]).rpartition("/")[2]
    if name not in _PAUSES:
        raise invalid(f"There is no reputation policy '{name}'.")
    _entity(ledger, call)["Policy"] = name
    return {}


def _recommendations(ledger: Ledger, call: Call) -> Body:
    wanted = call.parameters.get("Filter") or {}
    members = {
        "RESOURCE_ARN": "ResourceArn",
        "STATUS": "Status",
        "TYPE": "Type",
        "IMPACT": "Impact",
    }
    found = {}
    for place, row in ledger.records.items():
        if place[:2] == (_FINDING, call.region) and row is not None:
            found["/".join(place)] = row
    return paged(
        call,
        {
            k: row
            for k, row in found.items()
            if all(row[members[key]] == v for key, v in wanted.items())
        },
        "Recommendations",
    )


def note_finding(
    ledger: Ledger,
    region: str,
    tenant: str,
    kind: str,
    impact: str,
    text: str,
    *,
    is_open: bool = True,
) -> None:
    """Open a finding about a tenant, as SES would, or resolve it if not ``is_open``."""
    arn, now = _find(ledger, region, tenant)["TenantArn"], int(ledger.now())
    row = {
        "ResourceArn": arn,
        "Type": kind,
        "Description": text,
        "Impact": impact,
        "Status": "OPEN" if is_open else "FIXED",
    }
    with ledger.changed:
        made = (ledger.records.get((_FINDING, region, arn, kind)) or {"CreatedTimestamp": now})[
            "CreatedTimestamp"
        ]
        ledger.records[(_FINDING, region, arn, kind)] = {
            **row,
            "CreatedTimestamp": made,
            "LastUpdatedTimestamp": now,
        }


def _identity_of(ledger: Ledger, region: str, address: str) -> Body:
    """Return the identity that covers an address: the address itself, else its domain."""
    for name in covering(address):
        place = ("EmailIdentity", region, name)
        record = ledger.records.get(place)
        if record is not None or (
            place not in ledger.records and ledger.account.owns(name, region)
        ):
            return {**(record or {}), "EmailIdentity": name}
    return {"EmailIdentity": address}


def check_send(
    ledger: Ledger, region: str, name: str, address: str, chosen: str | None, template: str | None
) -> None:
    """Check a send for a tenant: it must own the identity, the configuration set (``chosen``, or
    the identity's) and the stored template.

    :raises Refusal: if the tenant does not exist, does not own one of them, or is paused.
    """
    record, identity = _find(ledger, region, name), _identity_of(ledger, region, address)
    used = {
        "identity": identity["EmailIdentity"],
        "configuration-set": chosen or identity.get("ConfigurationSetName"),
        "template": template,
    }
    owned = {place[3] for place, _ in _links(ledger, region) if place[2] == name}
    asked = [_arn(region, f"{kind}/{used[kind]}") for kind in _KINDS if used.get(kind)]
    lacking = [arn for arn in asked if arn not in owned]
    if lacking:
        text = f"Tenant not associated with resources [{', '.join(lacking)}]."
        raise Refusal("AccessDenied", text, _FORBIDDEN, "AccessDeniedException")
    if _status(ledger, record) == "DISABLED":
        raise Refusal("SendingPausedException", f"Email sending is paused for tenant <{name}>.")


OPERATIONS: Mapping[str, Operation] = {
    "CreateTenant": _create,
    "GetTenant": _get,
    "DeleteTenant": _delete,
    "ListTenants": _list,
    "PutTenantSuppressionAttributes": _suppression,
    "CreateTenantResourceAssociation": _associate,
    "DeleteTenantResourceAssociation": _dissociate,
    "ListTenantResources": _list_resources,
    "ListResourceTenants": _list_users,
    "GetReputationEntity": _reputation,
    "UpdateReputationEntityCustomerManagedStatus": _set_status,
    "UpdateReputationEntityPolicy": _set_policy,
    "ListRecommendations": _recommendations,
}
"""Operations by name. Each returns the members of its response; members outside the operation's
output shape are left out.
"""
