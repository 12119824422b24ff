"""Lost answers of Stripe: a payment that is there settles a doubt by its status alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from jackfield.testing import Answer, Provider, Request
from settling_home import looked_for, settling_home

Json = dict[str, Any]

_DECLINED = {"code": "card_declined", "message": "Your card was declined."}


@pytest.mark.parametrize(
    ("confirm", "thing", "status"),
    [
        (True, {"status": "succeeded"}, "succeeded"),
        (True, {"status": "requires_payment_method", "last_payment_error": _DECLINED}, "failed"),
        (True, {"status": "canceled", "last_payment_error": None}, "in_doubt"),
        (True, {"status": "processing"}, "in_doubt"),
        (True, {"status": "requires_action"}, "in_doubt"),
        (True, {"status": "new_state"}, "in_doubt"),
        (True, {"status": None}, "in_doubt"),
        (True, {}, "in_doubt"),
        (False, {"status": "requires_payment_method"}, "succeeded"),
    ],
)
def test_a_payment_that_is_found_settles_by_its_status(
    tmp_path: Path, thing: Json, status: str, *, confirm: bool
) -> None:
    """A declined payment is there, too: it ends as failed with Stripe's own error, and one that is
    under way stays in doubt.
    """
    made: list[Json] = []

    def provider(_number: int, request: Request) -> Any:
        if request.method == "GET":
            return Answer(
                {"object": "list", "data": made, "has_more": False, "url": "/v1/payment_intents"}
            )
        sent = dict(parse_qsl(request.body.decode()))
        made[:] = [
            {
                "id": "pi_1",
                "object": "payment_intent",
                "metadata": {"jackfield": sent["metadata[jackfield]"]},
                **thing,
            }
        ]
        return "close"

    inputs = {
        "amount": 1000,
        "currency": "eur",
        "paymentMethod": "pm_card_visa",
        **({"confirm": True} if confirm else {}),
    }
    with settling_home(tmp_path) as environment, Provider(provider) as far:
        values = {"token": "sk_test_" + "4711" * 6, "server": far.url}
        entry = looked_for(
            environment,
            "stripe/secretKey",
            values,
            {"connector": "stripe", "action": "createPaymentIntent", "inputs": inputs},
        )
    assert entry["status"] == status
    if status == "failed" and "last_payment_error" in thing and thing["last_payment_error"]:
        assert entry["looks"][-1]["result"] == "refused"
        assert "card_declined" in str(entry)
