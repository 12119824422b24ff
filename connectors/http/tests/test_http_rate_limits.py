"""Rate limits as providers send them: each form that docs/reference/rate-limits.md names is what
the client reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from http_rig import attempt
from jackfield.connector import JackfieldError
from jackfield.testing import Answer, Harness, Provider
from jackfield_http.headers import Headers
from jackfield_http.rate_limits import LONGEST

_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "rate-limits.md"
_DATE = "Wed, 25 Nov 2026 00:00:00 GMT"
_FORMS: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("rate_limits.json").read_text(encoding="utf-8")
)


def headers(*fields: tuple[str, str]) -> Headers:
    """A response's header at the time of the table."""
    return Headers([(name.encode(), value.encode()) for name, value in [("Date", _DATE), *fields]])


@pytest.mark.parametrize(
    "form", _FORMS, ids=[f"{form['form']}: {form['fields']}" for form in _FORMS]
)
def test_each_form_is_read(form: dict[str, Any]) -> None:
    """The wait of each form is the one that the client believes."""
    found = headers(*((name, value) for name, value in form["fields"]))
    wait = found.retry_after if form["status"] == 503 else found.retry_after_throttle
    assert wait == form["wait"]


def test_the_page_names_what_is_read() -> None:
    """The page has each field of the forms, or the beginning of its name."""
    page = _PAGE.read_text(encoding="utf-8").lower()
    names = {name.lower() for form in _FORMS for name, _ in form["fields"]}
    assert len(_FORMS) >= 25
    assert [
        name
        for name in names
        if f"`{name}" not in page and f"`{name.rpartition('-')[0]}-…" not in page
    ] == []


@pytest.mark.parametrize(
    "value",
    [
        "1e308",
        "9" * 400,
        "99999999999999999999999999",
        "99999d",
        "Wed, 25 Nov 2999 00:00:00 GMT",
        "2999-01-01T00:00:00Z",
        "1e5",
    ],
)
@pytest.mark.parametrize(
    "name", ["Retry-After", "X-RateLimit-Reset", "RateLimit-Reset", "X-Rate-Limit-Reset"]
)
def test_no_wait_is_longer_than_a_day(name: str, value: str) -> None:
    """Whatever a server sends, an account is held for a day at most."""
    found = headers((name, value)).retry_after_throttle
    assert found is None or 0 <= found <= LONGEST


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        ";",
        "-1",
        "nan",
        "inf",
        '"',
        '"a',
        "r=",
        "t=9" * 9999,
        "\xff",
        "Mon, ",
        "٣",
        "1_0" * 3,
    ],
)
@pytest.mark.parametrize(
    "name", ["Retry-After", "retry-after-ms", "RateLimit", "RateLimit-Policy", "X-RateLimit-Reset"]
)
def test_garbage_is_no_wait(name: str, value: str) -> None:
    """A field that makes no sense is ignored."""
    found = headers((name, value.encode("utf-8", "replace").decode("latin-1"))).retry_after_throttle
    assert found is None or 0 <= found <= LONGEST


_SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)


def google(reason: str) -> dict[str, Any]:
    """An error in Google's form."""
    return {
        "error": {
            "code": 403,
            "message": "No",
            "errors": [{"domain": "usageLimits", "reason": reason, "message": "No"}],
        }
    }


@pytest.mark.parametrize(
    ("body", "code", "said", "wait"),
    [
        ({"message": _SECONDARY}, "rate_limited", None, 60.0),
        (
            {"message": "You have triggered an abuse detection mechanism."},
            "rate_limited",
            None,
            60.0,
        ),
        ({"message": "API rate limit exceeded for 10.0.0.1."}, "rate_limited", None, None),
        (google("userRateLimitExceeded"), "rate_limited", "userRateLimitExceeded", None),
        (google("rateLimitExceeded"), "rate_limited", "rateLimitExceeded", None),
        (google("dailyLimitExceeded"), "quota_exceeded", "dailyLimitExceeded", None),
        (google("insufficientPermissions"), "forbidden", "insufficientPermissions", None),
        (
            {"error": {"code": 429, "details": [{"reason": "RATE_LIMIT_EXCEEDED"}]}},
            "rate_limited",
            "RATE_LIMIT_EXCEEDED",
            None,
        ),
        (
            {"error": {"code": 403, "status": "PERMISSION_DENIED"}},
            "forbidden",
            "PERMISSION_DENIED",
            None,
        ),
        ({"message": "The rate of the loan may not be changed."}, "forbidden", None, None),
    ],
)
def test_limits_that_the_body_tells(
    body: dict[str, Any], code: str, said: str | None, wait: float | None
) -> None:
    """A 403 that is a limit by its words or its reason is one, with the minute that GitHub asks for
    where nothing says how long.
    """
    with (
        Provider([Answer(body, 403)]) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.get("/x")
    error = found.value
    assert error.provider is not None
    assert (error.code, error.provider.code, error.retry_after) == (code, said, wait)


_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
"""What Gemini adds to an error of a quota."""


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ({"message": "You are being rate limited.", "retry_after": 1.25, "global": False}, 1.25),
        (
            {"error": "Too many requests", "error_extra": {"retry_after": 66}, "http_code": 429},
            66.0,
        ),
        ({"ok": False, "parameters": {"retry_after": 35}}, 35.0),
        ({"error": {"message": "Slow down", "retry_after_seconds": "7"}}, 7.0),
        ({"errors": [{"message": "Slow down", "extensions": {"retryAfterSeconds": 3}}]}, 3.0),
        ({"errors": [{"message": "Slow down", "extensions": {"retry_in_seconds": 60}}]}, 60.0),
        (
            {
                "errors": [
                    {"message": "Slow down", "extensions": {"error_data": {"retry_in_seconds": 9}}}
                ]
            },
            9.0,
        ),
        (
            {
                "error": {
                    "code": 429,
                    "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure"}, _INFO],
                }
            },
            34.5,
        ),
        (
            {
                "error": {
                    "code": 429,
                    "details": [{**_INFO, "@type": "type.googleapis.com/google.rpc.Help"}, "34s"],
                }
            },
            None,
        ),
        ({"error": {"code": 429, "details": _INFO}}, None),
        ({"retry_after": 1e9}, 0.0),
        ({"retryAfter": 1500}, None),
        ({"retry_after": True}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": {"seconds": 5}}, None),
        ([{"retry_after": 5}], None),
        ("retry_after", None),
    ],
)
def test_waits_that_the_body_tells(body: Any, wait: float | None) -> None:
    """A throttle without header fields tells its wait in the body, in seconds, where providers have
    it; a header field is over it.
    """
    for fields, told in (({}, wait), ({"Retry-After": "9"}, 9.0)):
        with (
            Provider([Answer(body, 429, fields)]) as provider,
            attempt(provider.url) as (api, _),
            pytest.raises(JackfieldError) as found,
        ):
            api.get("/x")
        assert (found.value.code, found.value.retry_after) == ("rate_limited", told)


@pytest.mark.parametrize(
    ("message", "wait"),
    [
        ("User-rate limit exceeded.  Retry after Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        (
            (
                "Domain x is not allowed to send: recipient limit exceeded, try again after Thu, "
                "01 Jan 2026 00:15:00 UTC"
            ),
            900.0,
        ),
        ("recipient limit exceeded, try again after: Thu, 01 Jan 2026 00:15:00 UTC", 900.0),
        ("Request was throttled. Expected available in 47 seconds.", 47.0),
        ("Complexity budget exhausted, query cost 30001 out of 1000000 reset in 3 seconds", 3.0),
        ("Try again at 2026-01-01T00:00:05Z.", 5.0),
        ("User-rate limit exceeded.  Retry after 2026-01-01T00:00:30.500Z (Mail sending)", 30.5),
        ("Rate limit reached. Please try again in 1.5s. Visit the page of limits.", 1.5),
        ("Please try again in 20ms.", 0.02),
        ("Rate limit exceeded. Please try again in 7m12s.", 432.0),
        ("Too Many Requests: retry after 35", 35.0),
        ("Try again in 2 minutes.", 120.0),
        (
            (
                "Looks like you've been doing that a lot. Take a break for 9 minutes before "
                "trying again."
            ),
            540.0,
        ),
        ("Take a break for 500 milliseconds before trying again.", 0.5),
        ("RETRY AFTER 7 seconds", 7.0),
        ("Daily limit reached. Try again in 24 hours.", 86_400.0),
        ("Try again in 1.5 hours", 5400.0),
        ("Please retry after 1 hour and 5 minutes.", 3900.0),
        ("Try again in 2 hrs, 3 mins and 4 secs", 7384.0),
        ("Try again in an hour.", 3600.0),
        ("Your quota is available in 1 day, as before", 86_400.0),
        ("Try again in 3 weeks.", 86_400.0),
        ("Retry after 0 seconds", 0.0),
        ("Retry after 35. Visit the page of limits.", 35.0),
        ("Retry after 35, or later", 35.0),
        ("Try again in 2 fortnights.", None),
        ("Try again in 3 business days.", None),
        ("Try again at 10 pm", None),
        ("Try again in a moment.", None),
        ("Try again in a few minutes.", None),
        ("Retry after that.", None),
        ("Do not retry", None),
    ],
)
def test_waits_that_the_message_tells(message: str, wait: float | None) -> None:
    """A throttle whose body has the wait in its words alone is waited for so; a member and a header
    field are over them.
    """
    now = {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
    for more, fields, told in (
        ({}, now, wait),
        ({"retry_after": 4}, now, 4.0),
        ({}, {**now, "Retry-After": "9"}, 9.0),
    ):
        answer = Answer({"error": {"message": message}, **more}, 429, fields)
        with (
            Provider([answer]) as provider,
            attempt(provider.url) as (api, _),
            pytest.raises(JackfieldError) as found,
        ):
            api.get("/x")
        assert (found.value.code, found.value.retry_after) == ("rate_limited", told)


@pytest.mark.parametrize(
    ("said", "repeatable"), [("false", False), ("False", False), ("true", True), (None, True)]
)
def test_a_provider_may_ask_not_to_repeat(said: str | None, repeatable: bool) -> None:
    """``x-should-retry: false`` is obeyed, also beside a status after which a request is usually
    repeated.
    """
    for status in (429, 503):
        answer = Answer({}, status, {} if said is None else {"X-Should-Retry": said})
        with (
            Provider([answer]) as provider,
            attempt(provider.url) as (api, _),
            pytest.raises(JackfieldError) as found,
        ):
            api.get("/x")
        assert found.value.repeatable is repeatable


def test_a_refusal_that_is_no_limit_has_no_such_wait() -> None:
    """The member counts for throttles alone."""
    with (
        Provider([Answer({"retry_after": 5}, 400)]) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.get("/x")
    assert (found.value.code, found.value.retry_after) == ("rejected", None)


def test_a_limit_is_waited_for(harness: Harness) -> None:
    """A reset on a 429 without a count is the pause before the next attempt."""
    server = harness.serve(Answer({}, 429, headers={"X-RateLimit-Reset": "0.2"}), Answer({"a": 1}))
    assert harness.invoke("request", {"url": "/x"}).unwrap()["body"] == {"a": 1}
    assert len(server.requests) == 2
