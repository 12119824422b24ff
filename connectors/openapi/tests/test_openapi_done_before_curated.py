"""Refusals of Stripe and GitHub that say that a request had been carried out before, in the words
of the providers themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from jackfield.catalog import installed_here
from jackfield.testing import Answer, Provider
from jackfield_store.runtime import Jackfield

Json = Mapping[str, Any]
_TOKENS = {
    "stripe": ("stripe/secretKey", "sk_test_" + "4711" * 6),
    "github": ("github/accessToken", "ghp_" + "a" * 36),
}
_EARLIER = "an earlier attempt had an unclear outcome and may have taken effect"
_MISSING = "resource_missing"
_STATE = "payment_intent_unexpected_state"
_ONLY = (
    "Only a PaymentIntent with one of the following statuses may be canceled: "
    "requires_payment_method, requires_capture."
)
_HELLO = {"owner": "octocat", "repo": "hello"}
_INPUTS: Mapping[str, Json] = {
    "deleteCustomer": {"customer": "cus_1"},
    "deleteCoupon": {"coupon": "c_1"},
    "cancelPaymentIntent": {"intent": "pi_1"},
    "cancelSubscription": {"subscriptionExposedId": "sub_1"},
    "deleteReference": {**_HELLO, "ref": "heads/x"},
    "removeLabel": {**_HELLO, "issueNumber": 1, "name": "bug"},
}
_DONE: Mapping[tuple[str, str], tuple[str, str]] = {
    ("stripe", "deleteCustomer"): (_MISSING, "No such customer: 'cus_1'"),
    ("stripe", "deleteCoupon"): (_MISSING, "No such coupon: 'c_1'"),
    ("stripe", "cancelSubscription"): (_MISSING, "No such subscription: 'sub_1'"),
    ("stripe", "cancelPaymentIntent"): (
        _STATE,
        f"You cannot cancel this PaymentIntent because it has a status of canceled. {_ONLY}",
    ),
    ("github", "deleteReference"): ("", "Reference does not exist"),
    ("github", "removeLabel"): ("", "Label does not exist"),
}
"""Code and message of the refusal, as the provider words it."""
_OTHER: Mapping[tuple[str, str], tuple[tuple[int, str, str], ...]] = {
    ("stripe", "deleteCustomer"): (
        (404, _MISSING, "No such account: 'acct_1'"),
        (401, "", "No such customer: 'cus_1'"),
    ),
    ("stripe", "deleteCoupon"): ((404, "", "No such coupon: 'c_1'"), (404, _MISSING, "")),
    ("stripe", "cancelSubscription"): (
        (404, _MISSING, "No such customer: 'cus_1'"),
        (403, _MISSING, "No such subscription: 'sub_1'"),
    ),
    ("stripe", "cancelPaymentIntent"): (
        (
            400,
            _STATE,
            f"You cannot cancel this PaymentIntent because it has a status of succeeded. {_ONLY}",
        ),
        (404, _MISSING, "No such payment_intent: 'pi_1'"),
    ),
    ("github", "deleteReference"): (
        (404, "", "Not Found"),
        (422, "", "Reference update failed"),
        (403, "", "Reference does not exist"),
    ),
    ("github", "removeLabel"): ((404, "", "Not Found"), (410, "", "Label does not exist")),
}
"""Refusals that come near and say less: another thing is missing, the credentials are refused, or
it ended in another way.
"""


def _rows() -> Iterator[tuple[str, str, Json]]:
    """Yield each action of a row of each connector that is installed."""
    for manifest in installed_here({}).manifests():
        for row in manifest.raw.get("http", {}).get("errors", {}).get("doneBefore", ()):
            yield from ((manifest.key, action, row) for action in row["actions"])


def _invoked(key: str, action: str, answers: list[Any]) -> tuple[Any, list[Any]]:
    kind, token = _TOKENS[key]
    with (
        Provider(answers) as provider,
        Jackfield(catalog=installed_here({}), database_url="none") as jackfield,
    ):
        connection = {"type": kind, "values": {"server": provider.url, "token": token}}
        result = jackfield.invoke(
            {
                "connector": key,
                "action": action,
                "connection": connection,
                "inputs": _INPUTS[action],
            }
        )
        return result, list(provider.requests)


def _refusal(key: str, status: int, code: str, message: str) -> Answer:
    about = {"type": "invalid_request_error", "code": code, "message": message}
    return Answer(
        {"error": about}
        if key == "stripe"
        else {"message": message, "documentation_url": "https://docs.github.com/rest"},
        status,
    )


def test_each_row_has_its_words() -> None:
    """A row without its refusal here, or an action here without its row, is a fault."""
    assert {(key, action) for key, action, _ in _rows()} == {*_DONE} == {*_OTHER}


@pytest.mark.parametrize(
    ("key", "action", "row"), [*_rows()], ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_refusal_that_says_so(key: str, action: str, row: Json) -> None:
    """After a lost answer it is a success with a warning; as the only answer it is a failure."""
    refusal = _refusal(key, row["status"], *_DONE[key, action])
    result, asked = _invoked(key, action, ["close", refusal])
    assert (result.status, len(asked), len(result.meta.warnings)) == ("succeeded", 2, 1), (
        json.dumps(result.to_json())
    )
    result, asked = _invoked(key, action, [refusal])
    assert (result.status, len(asked), result.meta.warnings) == ("failed", 1, ())


@pytest.mark.parametrize(
    ("key", "action", "other"),
    [(*place, other) for place, others in _OTHER.items() for other in others],
)
def test_a_refusal_that_says_less(key: str, action: str, other: tuple[int, str, str]) -> None:
    """It is no success, and says that the earlier attempt may have taken effect: in doubt where
    only a key of our own keeps it from being done twice.
    """
    result, _ = _invoked(key, action, ["close", _refusal(key, *other)])
    assert result.status == ("in_doubt" if action == "cancelPaymentIntent" else "failed"), (
        json.dumps(result.to_json())
    )
    assert _EARLIER in json.dumps(result.to_json())
