"""Where moto 5.2 is laxer or poorer than AWS, and the patches that close those holes while the embedded AWS runs.

* A trust policy that asks for an External ID accepts a request without one; AWS refuses it (IAM user guide, External ID).
* ``StringLike`` in a trust policy is ignored; AWS compares with wildcards (IAM JSON policy elements, Condition operators).
* ``ListIdentities`` knows no pages; AWS gives at most ``MaxItems`` and a ``NextToken`` (SES API v1 reference, ListIdentities).
* ``GetAccount`` of SES API v2 is missing, and the signature of a GET never matches, since moto takes its headers
  for a body.
"""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["MotoMissing", "mended", "require_moto"]

_PAGE = 100
"""Identities on a page where the caller names no number."""
_LARGEST_PAGE = 1000
_QUOTA = {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0}
_TOKEN = "page:"  # noqa: S105 (what a page token begins with)
_ABSENT = object()


class MotoMissing(ImportError):
    """moto, of which the embedded AWS is made, is not installed."""

    def __init__(self) -> None:
        super().__init__("the demo needs moto: install it with 'pip install \"jackfield-aws-ses[demo]\"'")


def require_moto() -> None:
    """Import what the embedded AWS is made of, silently.

    :raises MotoMissing: where it is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import moto.iam.access_control  # noqa: PLC0415 (an extra)
            import moto.moto_server.werkzeug_app  # noqa: PLC0415 (an extra)
            import moto.ses.responses  # noqa: PLC0415 (an extra)
            import moto.sesv2.responses  # noqa: F401, PLC0415 (an extra)
        except ImportError:
            raise MotoMissing from None


@contextmanager
def mended() -> Iterator[None]:
    """Patch moto in this process, and undo it at the end."""
    from moto.iam import policy_conditions  # noqa: PLC0415 (an extra)
    from moto.iam.access_control import IAMRequest  # noqa: PLC0415 (an extra)
    from moto.iam.policy_conditions import TrustCondition  # noqa: PLC0415 (an extra)
    from moto.ses.responses import EmailResponse  # noqa: PLC0415 (an extra)
    from moto.sesv2 import urls  # noqa: PLC0415 (an extra)
    from moto.sesv2.responses import SESV2Response  # noqa: PLC0415 (an extra)

    lax = TrustCondition.verify_condition
    check = IAMRequest.check_signature

    def verify_condition(self: Any, actual_values: list[str]) -> bool:  # noqa: ANN401 (moto's class)
        return len(actual_values) == len(self.context_keys) and bool(lax(self, actual_values))

    def check_signature(self: Any) -> None:  # noqa: ANN401 (moto's class)
        if self._method == "GET":
            self._data = {}
        check(self)

    operations = {**policy_conditions.CONDITION_OPERATIONS, "StringLike": _like}
    with ExitStack() as stack:
        stack.enter_context(_replaced(policy_conditions, "CONDITION_OPERATIONS", operations))
        stack.enter_context(_replaced(IAMRequest, "check_signature", check_signature))
        stack.enter_context(_replaced(TrustCondition, "verify_condition", verify_condition))
        stack.enter_context(_replaced(EmailResponse, "list_identities", _list_identities))
        stack.enter_context(_replaced(SESV2Response, "get_account", _get_account))
        paths = {**urls.url_paths, "{0}/v2/email/account$": SESV2Response.dispatch}
        stack.enter_context(_replaced(urls, "url_paths", paths))
        yield


def _like(patterns: list[str] | str, value: str) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in ([patterns] if isinstance(patterns, str) else patterns))


@contextmanager
def _replaced(owner: object, name: str, new: object) -> Iterator[None]:
    old = vars(owner).get(name, _ABSENT)
    setattr(owner, name, new)
    try:
        yield
    finally:
        if old is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, old)


def _list_identities(self: Any) -> Any:  # noqa: ANN401 (a method of moto's class)
    from moto.core.responses import ActionResult  # noqa: PLC0415 (an extra)

    start = _start(self._get_param("NextToken"))
    size = min(int(self._get_param("MaxItems") or _PAGE), _LARGEST_PAGE)
    found = self.backend.list_identities(self._get_param("IdentityType"))
    page: dict[str, Any] = {"Identities": found[start : start + size]}
    if start + size < len(found):
        page["NextToken"] = base64.urlsafe_b64encode(f"{_TOKEN}{start + size}".encode()).decode()
    return ActionResult(page)


def _start(token: str | None) -> int:
    from moto.ses.exceptions import InvalidParameterValue  # noqa: PLC0415 (an extra)

    if token is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(token).decode()
        return int(text.removeprefix(_TOKEN)) if text.startswith(_TOKEN) else int("")
    except ValueError:
        raise InvalidParameterValue("The next token is not valid") from None


def _get_account(self: Any) -> str:  # noqa: ANN401 (a method of moto's class)
    sent = float(self.sesv2_backend.core_backend.sent_message_count)
    account = {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": True,
        "SendQuota": {**_QUOTA, "SentLast24Hours": sent},
        "SendingEnabled": True,
    }
    return json.dumps(account)
