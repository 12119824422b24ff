"""What the curation of Stripe adds to its document: idempotency keys, nested forms, pages by the
last ID, declined cards.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from jackfield.testing import RESET, Answer, Harness, refused

PAYMENT = {
    "amount": 2000,
    "currency": "usd",
    "metadata": {"order": "6735"},
    "paymentMethodTypes": ["card", "link"],
}


def test_a_payment_is_repeated_with_its_key(harness: Harness) -> None:
    """After a reset and a failure the same form is sent with the same key, so Stripe takes the
    money once.
    """
    server = harness.serve(RESET, refused(500), Answer({"id": "pi_1", "object": "payment_intent"}))
    result = harness.invoke("createPaymentIntent", PAYMENT, idempotencyKey="order-6735")
    assert (result.status, len(server.requests)) == ("succeeded", 3)
    headers = [
        {name.lower(): value for name, value in request.headers.items()}
        for request in server.requests
    ]
    assert len({row["idempotency-key"] for row in headers}) == 1
    assert headers[0]["stripe-version"] == "2022-11-15"
    assert len({request.body for request in server.requests}) == 1


def test_nested_members_are_in_brackets(harness: Harness) -> None:
    """Objects and lists of the form are sent as Stripe reads them."""
    server = harness.serve(Answer({"id": "pi_1"}))
    harness.invoke("createPaymentIntent", PAYMENT).unwrap()
    sent = parse_qsl(server.requests[0].body.decode("ascii"))
    assert ("metadata[order]", "6735") in sent
    assert [value for name, value in sent if name.startswith("payment_method_types[")] == [
        "card",
        "link",
    ]


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (
            402,
            {
                "type": "card_error",
                "code": "card_declined",
                "decline_code": "do_not_honor",
                "message": "Your card was declined.",
            },
            "rejected",
        ),
        (
            400,
            {
                "type": "invalid_request_error",
                "param": "currency",
                "message": "Invalid currency: xxx",
            },
            "rejected",
        ),
        (
            404,
            {
                "type": "invalid_request_error",
                "code": "resource_missing",
                "message": "No such customer",
            },
            "not_found",
        ),
        (
            400,
            {
                "type": "invalid_request_error",
                "code": "resource_missing",
                "message": "No such price",
            },
            "not_found",
        ),
        (
            401,
            {"type": "invalid_request_error", "message": "Invalid API Key provided"},
            "unauthenticated",
        ),
    ],
)
def test_refusals_have_the_words_of_stripe(
    harness: Harness, status: int, error: dict[str, str], code: str
) -> None:
    """A declined card is no unpaid account; code and message are kept, and details have the
    parameter at fault or why it was declined.
    """
    server = harness.serve(Answer({"error": error}, status))
    result = harness.invoke("createPaymentIntent", PAYMENT)
    assert result.error is not None
    assert result.error.provider is not None
    assert (result.error.code, result.error.provider.message, len(server.requests)) == (
        code,
        error["message"],
        1,
    )
    further = {
        name: error[name]
        for name in error
        if error[name] not in (error["message"], result.error.provider.code)
    }
    assert result.error.provider.details == (further or None)


def test_a_call_that_still_runs_is_waited_for(harness: Harness) -> None:
    """The repeat of a call that Stripe has not finished is refused with 409 and sent again."""
    server = harness.serve(
        Answer({"error": {"code": "idempotency_key_in_use", "message": "busy"}}, 409),
        Answer({"id": "pi_1"}),
    )
    assert (harness.invoke("createPaymentIntent", PAYMENT).status, len(server.requests)) == (
        "succeeded",
        2,
    )


@pytest.mark.parametrize(
    ("action", "inputs", "answer"),
    [
        (
            "createRefund",
            {"paymentIntent": "pi_1"},
            {"id": "re_1", "status": "failed", "failure_reason": "lost_or_stolen_card"},
        ),
        (
            "createPayout",
            {"amount": 5, "currency": "usd"},
            {"id": "po_1", "status": "failed", "failure_code": "no_account"},
        ),
    ],
)
def test_money_that_is_answered_as_failed_was_not_moved(
    harness: Harness, action: str, inputs: dict[str, object], answer: dict[str, str]
) -> None:
    """A success whose state is ``failed`` is a refusal, with Stripe's reason; one that is pending
    is not.
    """
    harness.serve(Answer(answer), Answer({**answer, "status": "pending"}))
    result = harness.invoke(action, inputs)
    assert result.error is not None
    assert result.error.provider is not None
    assert (result.status, result.error.provider.code) == (
        "failed",
        answer.get("failure_reason", answer.get("failure_code")),
    )
    assert harness.invoke(action, inputs).status == "succeeded"


def test_pages_follow_the_last_id(harness: Harness) -> None:
    """A list goes on after its last ID while 'has_more' is true; a search goes on at its page."""
    server = harness.serve(
        Answer({"object": "list", "has_more": True, "data": [{"id": "cus_1"}, {"id": "cus_2"}]}),
        Answer({"object": "list", "has_more": False, "data": [{"id": "cus_3"}]}),
    )
    result = harness.invoke("listCustomers", {"fetchAll": True})
    assert ([item["id"] for item in result.unwrap()["data"]], result.meta.complete) == (
        ["cus_1", "cus_2", "cus_3"],
        True,
    )
    assert server.requests[1].path == "/v1/customers?starting_after=cus_2"
    # a caller who goes on while it is true would never end
    assert result.unwrap()["has_more"] is False
    server = harness.serve(
        Answer({"data": [{"id": "cus_1"}], "next_page": "p2"}),
        Answer({"data": [], "next_page": None}),
    )
    assert (
        harness.invoke("searchCustomers", {"query": "name:'Ada'", "fetchAll": True}).status
        == "succeeded"
    )
    assert "page=p2" in server.requests[1].path


def test_the_form_of_version_0_1_is_sent_as_before(harness: Harness) -> None:
    """Callers of 0.1 gave one input `body` with Stripe's names: the request is the same."""
    server = harness.serve(Answer({"id": "pi_1"}), Answer({"id": "pi_2"}))
    harness.invoke("createPaymentIntent", PAYMENT).unwrap()
    old = {"body": {**PAYMENT, "payment_method_types": PAYMENT["paymentMethodTypes"]}}
    del old["body"]["paymentMethodTypes"]
    harness.invoke("createPaymentIntent", old).unwrap()
    first, second = (sorted(parse_qsl(request.body.decode("ascii"))) for request in server.requests)
    assert first == second


def test_customers_and_prices_are_choices(harness: Harness) -> None:
    """Forms list customers by their names, and the prices of the chosen product."""
    harness.serve(
        Answer(
            {
                "data": [
                    {"id": "cus_1", "name": "Ada", "email": "ada@example.com"},
                    {"id": "cus_2"},
                ],
                "has_more": False,
            }
        )
    )
    assert harness.options("customers") == [
        {"value": "cus_1", "label": "Ada · ada@example.com"},
        {"value": "cus_2", "label": "cus_2"},
    ]
    server = harness.serve(
        Answer(
            {"data": [{"id": "price_1", "unit_amount": 500, "currency": "usd"}], "has_more": False}
        )
    )
    assert harness.options("prices", product="prod_1") == [
        {"value": "price_1", "label": "500 · usd"}
    ]
    assert "product=prod_1" in server.requests[0].path
