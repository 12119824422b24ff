"""Answers of token endpoints as providers send them: JSON or a form, in any charset, with the error
and the token in various places.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from jackfield_http.charsets import decoded_text
from jackfield_http.parsing import parsed
from jackfield_http.pointers import find

_FORM = "application/x-www-form-urlencoded"
_MOST = 100
"""Maximum number of members of a form."""
_CHARSET = re.compile(r"charset=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_BEARER = frozenset(
    {"bearer", "bearertoken", "bot", "user", "user access token", "application access token"}
)
"""Names of bearer tokens: RFC 6750, Apigee, Slack, eBay. A token of an unknown type must not be
used (RFC 6749 §7.1).
"""
_CODES = ("code", "error_code", "errorCode", "errcode", "status", "type")
_WORDS = ("error_description", "message", "description", "errmsg", "msg", "detail", "error_msg")
_FINE = frozenset({"", "0", "200", "201", "ok", "success", "none", "null"})
"""Values of a code that report no error."""
_LOOP = 50196
"""Microsoft's number for a client that asks too often, which comes as ``invalid_grant``
(AADSTS50196, "Microsoft Entra authentication and authorization error codes").
"""
_PLAIN = re.compile(r"[A-Za-z0-9 _.:/-]{1,80}")


def read_answer(content: bytes, content_type: str) -> Any:
    """Return the value of an answer. An error becomes the members ``error`` and
    ``error_description``, wherever the provider puts it.

    :raises ValueError: if the answer is neither JSON nor a form.
    """
    text = _text(content, content_type)
    if not text.strip():
        return {}
    found = _value(text, content_type.partition(";")[0].strip().lower())
    return _with_error(found) if isinstance(found, Mapping) else found


def token_at(found: Mapping[str, Any], place: str, *, renewed: bool = False) -> Mapping[str, Any]:
    """Return the object with the token at ``place``, a JSON Pointer.

    A renewed token may be at the top level instead, as Slack's is. A first token at the top level
    belongs to another account.
    """
    inner = find(found, place) if place else found
    if isinstance(inner, Mapping) and (not renewed or isinstance(inner.get("access_token"), str)):
        return (
            inner
            if "id_token" in inner or "id_token" not in found
            else {**inner, "id_token": found["id_token"]}
        )
    return found if renewed else {}


def is_bearer(token_type: Any) -> bool:
    """Return whether a token type means a bearer token; a missing, empty or blank type does."""
    return token_type is None or (
        isinstance(token_type, str) and token_type.strip().lower() in {"", *_BEARER}
    )


def shown_code(code: str | None, secrets: tuple[str, ...]) -> str:
    """Return a provider's code in parentheses for a message; empty if the code is not plain text,
    or contains a secret.
    """
    fits = (
        code is not None
        and _PLAIN.fullmatch(code)
        and not any(secret and secret in code for secret in secrets)
    )
    return f" ({code})" if fits else ""


def _text(content: bytes, content_type: str) -> str:
    label = _CHARSET.search(content_type)
    return decoded_text(content, label[1] if label else None).removeprefix("\ufeff")


def _value(text: str, media_type: str) -> Any:
    looks_like_json = text.lstrip().startswith(("{", "["))
    if media_type != _FORM or looks_like_json:
        try:
            return parsed(text.encode("utf-8", "surrogatepass"))
        except ValueError:
            if looks_like_json or text.lstrip().startswith("<"):
                raise
    form = parse_qsl(
        text.strip(),
        keep_blank_values=True,
        strict_parsing=media_type != _FORM,
        max_num_fields=_MOST,
    )
    members = dict(form)
    if len(members) != len(form) or (
        media_type != _FORM and not members.keys() & {"access_token", "error"}
    ):
        raise ValueError("a member comes twice, or it is no form")
    return members


def _with_error(body: Mapping[str, Any]) -> Mapping[str, Any]:
    said, numbers = body.get("error"), body.get("error_codes")
    if isinstance(numbers, list) and _LOOP in numbers:
        return {**body, "error": "rate_limit_exceeded"}
    if (isinstance(said, str) and said) or any(
        name in body for name in ("access_token", "user_code")
    ):
        return body
    for place in (said, body.get("data"), body):
        if isinstance(place, Mapping) and "access_token" not in place:
            code = next((found for name in _CODES if (found := _code(place.get(name)))), None)
            if code is not None:
                return {**body, "error": code, "error_description": _words(place) or _words(body)}
    if body.get("ok") is False or body.get("success") is False:
        return {**body, "error": "refused", "error_description": _words(body)}
    return body


def _code(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return None if str(value).strip().lower() in _FINE else str(value)


def _words(place: Mapping[str, Any]) -> str | None:
    return next(
        (value for name in _WORDS if isinstance(value := place.get(name), str) and value), None
    )
