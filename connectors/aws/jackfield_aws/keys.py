"""Parts of an AWS credential, excluded from logs and pickles. Keys of a visibly other kind, or in
the wrong field, are refused before any request.

Only certainly wrong values are refused: keys of test endpoints may be any text, and keys of other
vendors' endpoints have other lengths. So one half of a key is checked only if the other half has
AWS's own form (IAM User Guide, unique identifiers; SES Developer Guide, SMTP credentials).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jackfield.connector import Detail, InvalidConnection
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.secrecy import SecretHolder

_ID = re.compile(r"A[KS]IA[A-Z0-9]{12,124}")
_OTHER_ID = re.compile(r"A(?:GPA|IDA|IPA|NPA|NVA|ROA|SCA)[A-Z0-9]{12,124}")
"""Pattern of IAM's unique identifiers other than access keys: of groups, users, roles and
policies.
"""
_SECRET = re.compile(r"[A-Za-z0-9/+]{40}")
_SMTP_PASSWORD = re.compile(r"B[A-Za-z0-9/+]{43}")
"""Pattern of an SMTP password: base64 of 33 octets, the first of which is the version 4."""
_SMTP_USER = re.compile(r"ses-smtp-user\.\d{8}-\d{6}")
"""Pattern of an IAM user's name for SMTP credentials, as the SES console chooses it."""
_PAIR = re.compile(r"(?:A[KS]IA[A-Z0-9]{16}[\s,:;=|].+|.+[\s,:;=|]A[KS]IA[A-Z0-9]{16})", re.DOTALL)
_AROUND = re.compile(r"[ \u00a0\u00ad\u1680\u2000-\u200f\u202f\u205f\u2060\u3000\ufeff\"'`]+")
"""Pattern of spaces, invisible characters and quotes around a value. The schema already refuses
control characters.
"""
_NOT_ALONE = "has a space, a quote or an invisible character in it: paste the key alone"
_BOTH = "has an access key ID and something else: give each value in its own field"
_IS_ID = "is an access key ID: the secret access key is shown once, when the key is made"
_IS_SMTPS = "is an SMTP password of Amazon SES, not a secret access key"
_HINT = "No request was made. Copy each value again from where AWS shows it."


@dataclass(frozen=True, slots=True)
class Keys(SecretHolder):
    """Access key, static or of an STS session. ``repr`` contains only the last four characters of
    its ID.
    """

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Keys(…{self.access_key_id[-4:]})"


def check_keys(key_id: str | None, secret: str | None, token: str | None = None) -> None:
    """Check an access key.

    :raises InvalidConnection: for a value that cannot be valid; names the field.
    """
    if not key_id or not secret:
        return
    is_usual = (
        _ID.fullmatch(key_id) and _SECRET.fullmatch(secret) and (token or key_id.startswith("AK"))
    )
    if not is_usual:  # asked at each attempt, so the usual case comes first
        _refuse(_of_keys(key_id, secret, token))


def check_login(username: str | None, password: str | None) -> None:
    """Check SMTP credentials of Amazon SES.

    :raises InvalidConnection: for a value that cannot be valid; names the field.
    """
    if username and password:
        _refuse(_of_login(username, password))


def _refuse(found: Iterator[Detail]) -> None:
    details = list(found)
    if details:
        raise InvalidConnection(
            "the credentials are not what their fields are for", details=details, hint=_HINT
        )


def _of_keys(key_id: str, secret: str, token: str | None) -> Iterator[Detail]:
    is_id = _ID.fullmatch(key_id) is not None
    if _ID.fullmatch(secret):
        yield Detail("/secretAccessKey", _IS_ID)
        if _SECRET.fullmatch(key_id):
            yield Detail("/accessKeyId", "is a secret access key: the two are swapped")
    elif is_id and _SMTP_PASSWORD.fullmatch(secret):
        text = (
            f"{_IS_SMTPS}: give it to a connection of the type aws-ses/smtp ('password'), or "
            "the secret access key here"
        )
        yield Detail("/secretAccessKey", text)
    elif _PAIR.fullmatch(secret):
        yield Detail("/secretAccessKey", _BOTH)
    elif is_id and _is_spoilt(secret, _SECRET):
        yield Detail("/secretAccessKey", _NOT_ALONE)
    yield from _of_id("/accessKeyId", key_id)
    if is_id and key_id.startswith("ASIA") and not token:
        yield Detail(
            "/sessionToken",
            "is missing: the key is a temporary one (ASIA…), which counts with its session token "
            "only",
            "required",
        )


def _of_id(path: str, key_id: str) -> Iterator[Detail]:
    if _OTHER_ID.fullmatch(key_id):
        yield Detail(
            path,
            f"is the unique ID of a user, role, group or policy ({key_id[:4]}…), not of an "
            "access key (AKIA…)",
        )
    elif _PAIR.fullmatch(key_id):
        yield Detail(path, _BOTH)
    elif _is_spoilt(key_id, _ID):
        yield Detail(path, _NOT_ALONE)


def _of_login(username: str, password: str) -> Iterator[Detail]:
    if _ID.fullmatch(password):
        yield Detail(
            "/password", "is an access key ID, which is the user name: the two may be swapped"
        )
    elif _ID.fullmatch(username) and _SECRET.fullmatch(password):
        text = (
            "is a secret access key, not an SMTP password: give 'accessKeyId' and "
            "'secretAccessKey', from which the password is derived"
        )
        yield Detail("/password", text)
    elif _ID.fullmatch(username) and _is_spoilt(password, _SMTP_PASSWORD):
        yield Detail("/password", _NOT_ALONE)
    if _SMTP_USER.fullmatch(username):
        yield Detail(
            "/username",
            "is the name of the IAM user; the SMTP user name is the ID of its access key (AKIA…)",
        )
    yield from _of_id("/username", username)


def _is_spoilt(value: str, shape: re.Pattern[str]) -> bool:
    """Return whether a value matches ``shape`` only after removing white space and quotes."""
    bare = _AROUND.sub("", value)
    return bare != value and shape.fullmatch(bare) is not None
