"""IAM policies from the permissions declared by actions and triggers: least privilege without
handwritten JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from jackfield.connector import Detail, InvalidConnection, InvalidInput
from jackfield_aws.iam_actions import documented, unproven

Statement = tuple[str, Sequence[str]]
"""IAM action, and the resources for which it is allowed."""
SESSION_POLICY_LIMIT = 2048
"""Maximum length in characters of AssumeRole's ``Policy`` (STS API reference, AssumeRole)."""

_MAIL = "ses:Send"
"""Prefix of the IAM actions that have the condition key ``ses:FromAddress`` (service authorization
reference, Amazon SES).
"""
_POLICY_OF_TENANT = "ses:UpdateReputationEntityPolicy"
_OF_TENANT = frozenset(
    f"ses:{operation}"
    for operation in (
        "CreateTenant",
        "CreateTenantResourceAssociation",
        "DeleteSuppressedDestination",
        "DeleteTenant",
        "DeleteTenantResourceAssociation",
        "GetReputationEntity",
        "GetSuppressedDestination",
        "GetTenant",
        "ListSuppressedDestinations",
        "ListTenantResources",
        "PutSuppressedDestination",
        "PutTenantSuppressionAttributes",
        "UpdateReputationEntityCustomerManagedStatus",
    )
) | {_POLICY_OF_TENANT}
"""IAM actions that may have a tenant as their resource (service authorization reference, Amazon SES
v2).
"""
_VERBS = (
    re.compile(r"[a-z0-9-]+:(?:Describe|Get|List)(?=[A-Z])"),
    re.compile(r"[a-z0-9-]+:(?!Send)[A-Z][a-z]+(?=[A-Z])"),
)
"""Patterns of IAM action prefixes that a session policy may abbreviate: reading actions, then all
except sending ones.
"""
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # UTS 46 §4, step 3
_ADDRESS = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+")


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def identity_policy(
    permissions: Iterable[str],
    sender: str | None = None,
    testing: Iterable[str] = (),
    *,
    tenant: str | None = None,
    statements: Iterable[Statement] = (),
    doubtful: Iterable[str] = (),
) -> dict[str, Any]:
    """Build the policy that allows a role or user exactly ``permissions`` (``ses:SendEmail`` …) for
    all resources, and ``statements``.

    ``doubtful`` permissions were not in AWS's documentation on the date of the list; the name of
    their statement says so.

    ``sender`` restricts the actions that send mail to a From address (``*`` and ``?`` are
    wildcards; ``*`` alone restricts nothing). ``tenant`` restricts sending to one tenant of Amazon
    SES, by name (``ses:TenantName``), and actions on a tenant to its ARN. ``testing`` are the
    permissions of the connection test; further ones get their own statement.

    :raises InvalidInput: if ``sender`` is not an address or a pattern of one.
    """
    wanted, tested, apart = set(permissions), set(testing), set(doubtful)
    rows = [
        *_allowed(wanted - apart, sender, tenant),
        *_narrowed(statements),
        _allow(wanted & apart, Sid=f"NotInAwsListOf{documented().date.replace('-', '')}"),
        _allow(tested - wanted, Sid="ConnectionTest"),
    ]
    return _policy(*(row for row in rows if row["Action"]))


def identity_documents(
    permissions: Sequence[str],
    sender: str | None,
    testing: Iterable[str],
    *,
    tenant: str | None,
    statements: Sequence[Statement],
) -> dict[str, Any]:
    """Return the documents of a connection type: the policy of ``identity_policy``, and remarks on
    undocumented permissions.

    :raises InvalidInput: as ``identity_policy`` does.
    """
    doubtful = unproven(permissions)
    policy = identity_policy(
        permissions, sender, testing, tenant=tenant, statements=statements, doubtful=doubtful
    )
    return {"identityPolicy": policy, **doubts(permissions, statements)}


def _allowed(wanted: set[str], sender: str | None, tenant: str | None) -> list[dict[str, Any]]:
    condition = _with_tenant(_from_condition(sender), tenant)
    mail = {name for name in wanted if name.startswith(_MAIL)} if condition else set()
    own = wanted & _OF_TENANT if tenant else set()
    return [
        _allow(mail, Condition=condition),
        _allow(own, Resource=_resources(tenant, own)),
        _allow(wanted - mail - own),
    ]


def _narrowed(statements: Iterable[Statement]) -> Iterator[dict[str, Any]]:
    """Yield one statement for each set of resources."""
    groups: dict[tuple[str, ...], set[str]] = {}
    for action, resources in statements:
        groups.setdefault(tuple(resources), set()).add(action)
    for resources, actions in groups.items():
        yield _allow(actions, Resource=resources[0] if len(resources) == 1 else list(resources))


def doubts(permissions: Iterable[str], statements: Iterable[Statement] = ()) -> dict[str, Any]:
    """Return the document with the IAM actions that AWS did not document on the date of the list;
    an empty object if there are no such actions.
    """
    found = unproven([*permissions, *(action for action, _ in statements)])
    if not found:
        return {}
    about = (
        f"AWS's list of IAM actions of {documented().date} does not have them: check them in "
        "IAM before you rely on them."
    )
    return {"unproven": {"actions": found, "count": len(found), "about": about}}


def _allow(actions: Iterable[str], **more: Any) -> dict[str, Any]:
    sid = {"Sid": more.pop("Sid")} if "Sid" in more else {}
    return {**sid, "Effect": "Allow", "Action": sorted(actions), "Resource": "*", **more}


def _resources(tenant: str | None, actions: set[str]) -> list[str]:
    """Return the ARNs of a tenant with any ID, and of AWS's reputation policies if an action
    chooses one.
    """
    policies = ["arn:*:ses:*:aws:reputation-policy/*"] if _POLICY_OF_TENANT in actions else []
    return [f"arn:*:ses:*:*:tenant/{tenant}/*", *policies]


def _with_tenant(condition: dict[str, Any] | None, tenant: str | None) -> dict[str, Any] | None:
    """Return the condition on sending, extended by the tenant, whose name has no wildcards; None if
    there is neither condition nor tenant.
    """
    if tenant is None:
        return condition
    found = dict(condition or {})
    return {**found, "StringEquals": {**found.get("StringEquals", {}), "ses:TenantName": tenant}}


def sender_address(sender: str | None) -> str | None:
    """Return the bare address of a connection's sender, given with or without a display name; None
    without an address.

    Its domain is lower-cased and in ASCII, as Amazon SES gets it, since IAM compares exactly.
    """
    text = (sender or "").strip()
    if text.endswith(")"):
        text = text.rpartition("(")[0].strip() or text
    address = text.removesuffix(">").rpartition("<")[2].strip()
    if not _ADDRESS.fullmatch(address):
        return None
    local, _, domain = address.rpartition("@")
    sent = domain.lower() if domain.isascii() else _in_ascii(domain)
    return None if sent is None else f"{local}@{sent}"


def _in_ascii(domain: str) -> str | None:
    """Return an internationalised domain in ASCII, converted label by label, since a label may be a
    wildcard. None if it is not valid.
    """
    import idna  # its tables cost 15 ms, and few senders need them

    try:
        labels = [
            one if one.isascii() else idna.encode(one, uts46=True).decode("ascii")
            for one in _DOTS.split(domain)
        ]
    except (idna.IDNAError, UnicodeError):
        return None
    return ".".join(labels).lower()


def _from_condition(sender: str | None) -> dict[str, Any] | None:
    if sender is None or sender.strip() == "*":
        return None
    address = sender_address(sender)
    if address is None:
        text = f"'{sender[:100]}' is not an email address, nor a pattern such as *@example.com"
        raise InvalidInput(
            "the sender is not valid",
            details=[Detail("/from", text, "format")],
            hint="Give a bare address.",
        )
    operator = "StringLike" if set(address) & set("*?") else "StringEquals"
    return {operator: {"ses:FromAddress": address}}


def trust_policy(principal_arn: str, external_id: str | None = None) -> dict[str, Any]:
    """Build the trust policy of a role that ``principal_arn`` may assume, with the External ID, if
    any, as a condition.
    """
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": principal_arn},
        "Action": "sts:AssumeRole",
    }
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return _policy(statement)


def anywhere_trust_policy(trust_anchor: str, common_name: str | None) -> dict[str, Any]:
    """Build the trust policy of a role for IAM Roles Anywhere: for one trust anchor, and
    certificates with one common name.
    """
    condition: dict[str, Any] = {"ArnEquals": {"aws:SourceArn": trust_anchor}}
    if common_name is not None:
        condition["StringEquals"] = {"aws:PrincipalTag/x509Subject/CN": common_name}
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": "rolesanywhere.amazonaws.com"},
            "Action": actions,
            "Condition": condition,
        }
    )


def assume_policy(role_arn: str) -> dict[str, Any]:
    """Build the policy that lets a user only assume the role."""
    return _policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn})


def session_policy(permissions: Iterable[str], tenant: str | None = None) -> dict[str, Any]:
    """Build the policy that narrows an assumed role's session to ``permissions`` and, if given, to
    one tenant of Amazon SES. Patterns replace some names if the policy were longer than STS accepts
    (decision 0070).

    :raises InvalidConnection: without permissions, since such a session is useless.
    """
    wanted = sorted(set(permissions))
    if not wanted:
        text = "this connector declares no IAM permissions to make a session policy from"
        raise InvalidConnection(
            text, details=[Detail("/sessionPolicy", text)], hint="Leave 'sessionPolicy' out."
        )
    found = _session(wanted, tenant)
    for verb in _VERBS:
        if len(_encoded(found)) > SESSION_POLICY_LIMIT:
            found = _session(_shortened(wanted, verb), tenant)
    return found


def _session(permissions: Iterable[str], tenant: str | None) -> dict[str, Any]:
    return _policy(*(row for row in _allowed(set(permissions), None, tenant) if row["Action"]))


def _shortened(permissions: Iterable[str], verb: re.Pattern[str]) -> set[str]:
    """Replace permissions with a common verb by one pattern (``ses:List*``), except permissions
    whose resource may be a tenant.
    """
    groups: dict[str, set[str]] = {}
    for name in permissions:
        begin = verb.match(name) if name not in _OF_TENANT else None
        groups.setdefault(f"{begin[0]}*" if begin else name, set()).add(name)
    return {pattern if len(names) > 1 else next(iter(names)) for pattern, names in groups.items()}


def _encoded(policy: object) -> str:
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False)


def session_policy_text(policy: object) -> str:
    """Encode a session policy for AssumeRole: JSON without spaces.

    :raises InvalidConnection: if it is longer than STS accepts.
    """
    text = _encoded(policy)
    if len(text) > SESSION_POLICY_LIMIT:
        fault = (
            f"the session policy has {len(text)} characters; STS accepts at most "
            f"{SESSION_POLICY_LIMIT}"
        )
        hint = "List fewer actions, or use wildcards such as ses:Send*."
        raise InvalidConnection(fault, details=[Detail("/sessionPolicy", fault)], hint=hint)
    return text
