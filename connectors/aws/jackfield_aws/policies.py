"""IAM policies built from the permissions that actions and triggers declare: least privilege without handwritten JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import idna

from jackfield.connector import Detail, InvalidConnection, InvalidInput

SESSION_POLICY_LIMIT = 2048
"""Maximum length in characters of AssumeRole's ``Policy`` (STS API reference, AssumeRole)."""

_MAIL = "ses:Send"
"""Prefix of the IAM actions that have the condition key ``ses:FromAddress`` (service authorization reference, Amazon SES)."""
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # UTS 46 §4, step 3
_COMMENT = re.compile(r"\s*\([^()]*\)$")
_ADDRESS = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+")


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def identity_policy(permissions: Iterable[str], sender: str | None = None, testing: Iterable[str] = ()) -> dict[str, Any]:
    """Build the policy that allows a role or user exactly ``permissions`` (``ses:SendEmail`` …).

    ``sender`` restricts the actions that send mail to a From address (``*`` and ``?`` are wildcards; ``*`` alone restricts nothing).
    ``testing`` are the permissions of the connection test; those that are not among ``permissions`` get a statement of their own.

    :raises InvalidInput: if ``sender`` is not an address or a pattern of one.
    """
    wanted = set(permissions)
    condition = _from_condition(sender)
    mail = {name for name in wanted if name.startswith(_MAIL)} if condition else set()
    statements = [
        _allow(mail, Condition=condition),
        _allow(wanted - mail),
        _allow(set(testing) - wanted, Sid="ConnectionTest"),
    ]
    return _policy(*(statement for statement in statements if statement["Action"]))


def _allow(actions: Iterable[str], **more: Any) -> dict[str, Any]:
    sid = {"Sid": more.pop("Sid")} if "Sid" in more else {}
    return {**sid, "Effect": "Allow", "Action": sorted(actions), "Resource": "*", **more}


def sender_address(sender: str | None) -> str | None:
    """Return the bare address of a connection's sender as it is sent, with or without a display name; None if it is none.

    IAM compares exactly, so the domain is lower-cased and in ASCII, as Amazon SES gets it.
    """
    text = (sender or "").strip()
    text = _COMMENT.sub("", text) or text
    address = text.removesuffix(">").rpartition("<")[2].strip()
    if not _ADDRESS.fullmatch(address):
        return None
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{'.'.join(map(_sent_label, _DOTS.split(domain)))}"
    except (idna.IDNAError, UnicodeError):
        return None


def _sent_label(label: str) -> str:
    return label.lower() if label.isascii() else idna.encode(label, uts46=True).decode("ascii").lower()


def _from_condition(sender: str | None) -> dict[str, Any] | None:
    if sender is None or sender.strip() == "*":
        return None
    address = sender_address(sender)
    if address is None:
        text = f"'{sender[:100]}' is not an email address, nor a pattern such as *@example.com"
        raise InvalidInput("the sender is not valid", details=[Detail("/from", text, "format")], hint="Give a bare address.")
    operator = "StringLike" if set(address) & set("*?") else "StringEquals"
    return {operator: {"ses:FromAddress": address}}


def trust_policy(principal_arn: str, external_id: str | None = None) -> dict[str, Any]:
    """Build the trust policy of a role that ``principal_arn`` may assume, with the External ID, if any, as a condition."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": principal_arn}, "Action": "sts:AssumeRole"}
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return _policy(statement)


def anywhere_trust_policy(trust_anchor: str, common_name: str | None) -> dict[str, Any]:
    """Build the trust policy of a role for IAM Roles Anywhere: for one trust anchor, and certificates with one common name."""
    condition: dict[str, Any] = {"ArnEquals": {"aws:SourceArn": trust_anchor}}
    if common_name is not None:
        condition["StringEquals"] = {"aws:PrincipalTag/x509Subject/CN": common_name}
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    return _policy({"Effect": "Allow", "Principal": {"Service": "rolesanywhere.amazonaws.com"}, "Action": actions, "Condition": condition})


def assume_policy(role_arn: str) -> dict[str, Any]:
    """Build the policy that lets a user assume the role and nothing else."""
    return _policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn})


def session_policy(permissions: Iterable[str]) -> dict[str, Any]:
    """Build the policy that narrows an assumed role's session to ``permissions``, whatever else the role may do.

    :raises InvalidConnection: if there are none: a session without permissions is useless.
    """
    wanted = sorted(set(permissions))
    if not wanted:
        text = "this connector declares no IAM permissions to make a session policy from"
        raise InvalidConnection(text, details=[Detail("/sessionPolicy", text)], hint="Leave 'sessionPolicy' out.")
    return identity_policy(wanted)


def session_policy_text(policy: object) -> str:
    """Encode a session policy for AssumeRole: JSON without spaces.

    :raises InvalidConnection: if it is longer than STS accepts.
    """
    text = json.dumps(policy, separators=(",", ":"), ensure_ascii=False)
    if len(text) > SESSION_POLICY_LIMIT:
        fault = f"the session policy has {len(text)} characters; STS accepts at most {SESSION_POLICY_LIMIT}"
        hint = "List fewer actions, or use wildcards such as ses:Send*."
        raise InvalidConnection(fault, details=[Detail("/sessionPolicy", fault)], hint=hint)
    return text
