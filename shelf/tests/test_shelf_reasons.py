"""Refusals in the words of their providers: the message names what is wrong, which many of them
write beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import Answer, Provider
from shelved import manifest_of, running

Json = dict[str, Any]

_FIELD: Json = {
    "_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}]
}
_TAGS = "DNS record has 1 tags, exceeding the quota of 0."
_ENDED = ("unauthenticated", ["nvalid"])


def _google(code: int, reason: str, message: str, said: str = "") -> Json:
    """Return an error of Google; ``said`` is its message beside that of its first reason."""
    errors = [{"domain": "global", "reason": reason, "message": message}]
    return {"error": {"code": code, "message": said or message, "errors": errors}}


REASONS: dict[str, tuple[str, str, int, Json, tuple[str, list[str]]]] = {
    "discord": (
        "discord",
        "sendMessage",
        400,
        {"message": "Invalid Form Body", "code": 50035, "errors": {"content": _FIELD}},
        ("rejected", ["Invalid Form Body", "Must be 2000 or fewer"]),
    ),
    "klaviyo": (
        "klaviyo",
        "createProfile",
        400,
        {
            "errors": [
                {"title": "Invalid input.", "detail": "Invalid email"},
                {"detail": "Invalid phone"},
            ]
        },
        ("rejected", ["Invalid email", "Invalid phone"]),
    ),
    "linear": (
        "linear",
        "createIssue",
        200,
        {
            "errors": [
                {
                    "message": "Validation Error",
                    "extensions": {"code": "INPUT_ERROR", "userPresentableMessage": "not a UUID"},
                }
            ]
        },
        ("rejected", ["Validation Error", "not a UUID"]),
    ),
    "zendesk": (
        "zendesk",
        "createTicket",
        422,
        {
            "error": "RecordInvalid",
            "description": "Record errors",
            "details": {"requester": [{"description": "Email: wrong"}]},
        },
        ("rejected", ["Record errors", "Email: wrong"]),
    ),
    "box": (
        "box",
        "search",
        400,
        {
            "code": "bad_request",
            "message": "Bad Request",
            "context_info": {"errors": [{"name": "offset", "message": "Invalid value"}]},
        },
        ("rejected", ["Bad Request", "Invalid value"]),
    ),
    "trello, no right": (
        "trello",
        "createCard",
        401,
        {"message": "unauthorized card permission requested"},
        ("forbidden", ["permission requested"]),
    ),
    "zendesk, nested": (
        "zendesk",
        "createTicket",
        403,
        {"error": {"title": "Forbidden", "message": "No access"}},
        ("forbidden", ["No access"]),
    ),
    "sendgrid": (
        "sendgrid",
        "sendMail",
        400,
        {"errors": [{"message": "Bad sender", "field": "from"}, {"message": "Bad subject"}]},
        ("rejected", ["Bad sender", "Bad subject"]),
    ),
    "sendgrid, used up": (
        "sendgrid",
        "sendMail",
        401,
        {"errors": [{"message": "Maximum credits exceeded"}]},
        ("quota_exceeded", ["credits"]),
    ),
    "sendgrid, ended": (
        "sendgrid",
        "sendMail",
        401,
        {"errors": [{"message": "The key is invalid"}]},
        _ENDED,
    ),
    "paddle": (
        "paddle",
        "createTransaction",
        400,
        {"error": {"detail": "Invalid", "errors": [{"field": "items", "message": "none"}]}},
        ("rejected", ["Invalid", "none"]),
    ),
    "webflow": (
        "webflow",
        "createItem",
        400,
        {
            "code": "validation_error",
            "message": "Invalid",
            "details": [{"description": "slug is taken"}],
        },
        ("rejected", ["Invalid", "slug is taken"]),
    ),
    "gemini, of the day": (
        "gemini",
        "generateContent",
        429,
        {
            "error": {
                "message": "Quota",
                "details": [
                    {"violations": [{"quotaId": "TokensPerMinute"}, {"quotaId": "RequestsPerDay"}]}
                ],
            }
        },
        ("quota_exceeded", ["PerDay"]),
    ),
    "gemini, none in this plan": (
        "gemini",
        "generateContent",
        429,
        {
            "error": {
                "message": "Quota exceeded for metric: requests, limit: 0, model: x. Retry in 3s."
            }
        },
        ("quota_exceeded", ["limit: 0"]),
    ),
    "openweather, blocked": (
        "openweather",
        "findPlaces",
        429,
        {"cod": 429, "message": "Your account is temporary blocked due to exceeding of requests"},
        ("quota_exceeded", ["temporary blocked"]),
    ),
    "openweather, within a success": (
        "openweather",
        "getForecast",
        200,
        {"cod": "404", "message": "city not found"},
        ("not_found", ["city"]),
    ),
    "openweather, ended": (
        "openweather",
        "findPlaces",
        200,
        {"cod": 401, "message": "Invalid API key."},
        _ENDED,
    ),
    "deepl": (
        "deepl",
        "translate",
        400,
        {"message": "Bad request", "detail": "Value for 'target_lang' not supported."},
        ("rejected", ["Bad request", "target_lang"]),
    ),
    "telegram, a chat that has another ID": (
        "telegram",
        "sendMessage",
        400,
        {
            "ok": False,
            "error_code": 400,
            "description": "group chat was upgraded",
            "parameters": {"migrate_to_chat_id": -1001234567890},
        },
        ("rejected", ["upgraded", "-1001234567890"]),
    ),
    "confluence": (
        "confluence",
        "createPage",
        400,
        {"errors": [{"title": "No space"}, {"title": "No title", "detail": None}]},
        ("rejected", ["No space", "No title"]),
    ),
    "pipedrive, a limit of the plan": (
        "pipedrive",
        "createDeal",
        403,
        {
            "success": False,
            "error": "Open deals limit reached.",
            "code": "feature_capping_deals_limit",
        },
        ("quota_exceeded", ["limit reached"]),
    ),
    "clickup, a workspace": (
        "clickup",
        "getTask",
        401,
        {"err": "Team not authorized", "ECODE": "OAUTH_030"},
        ("forbidden", ["Team"]),
    ),
    "clickup, an input": (
        "clickup",
        "getTask",
        400,
        {"err": "Must be an array", "ECODE": "OAUTH_040"},
        ("rejected", ["array"]),
    ),
    "mailchimp": (
        "mailchimp",
        "createCampaign",
        400,
        {
            "title": "Invalid Resource",
            "detail": "See the 'errors' array.",
            "errors": [{"field": "AGE", "message": "No number"}],
        },
        ("rejected", ["array", "No number"]),
    ),
    "zoom": (
        "zoom",
        "createMeeting",
        400,
        {
            "code": 300,
            "message": "Validation Failed.",
            "errors": [{"field": "start_time", "message": "Invalid field."}],
        },
        ("rejected", ["Validation Failed.", "Invalid field."]),
    ),
    "zoho, a member": (
        "zoho-crm",
        "createNote",
        400,
        {
            "code": "MANDATORY_NOT_FOUND",
            "message": "required field",
            "details": {"api_name": "Name"},
        },
        ("rejected", ["required field", "api_name: Name"]),
    ),
    "supabase, a cause": (
        "supabase",
        "insertRows",
        409,
        {"code": "23505", "message": "duplicate key", "details": "Key (id)=(1) already exists."},
        ("conflict", ["duplicate key", "(id)=(1)"]),
    ),
    "vercel, ended": (
        "vercel",
        "listProjects",
        403,
        {"error": {"code": "forbidden", "message": "invalid", "invalidToken": True}},
        _ENDED,
    ),
    "woocommerce, a key that may only read": (
        "woocommerce",
        "createOrder",
        401,
        {
            "code": "woocommerce_rest_authentication_error",
            "message": "does not have write permissions.",
        },
        ("forbidden", ["write"]),
    ),
    "woocommerce, before anything was paid": (
        "woocommerce",
        "refundOrder",
        500,
        {
            "code": "woocommerce_rest_cannot_create_order_refund",
            "message": "Invalid refund amount.",
        },
        ("rejected", ["amount"]),
    ),
    "wordpress, after a post was made": (
        "wordpress",
        "createPost",
        500,
        {
            "code": "db_insert_error",
            "message": "Could not insert term relationship into the database.",
        },
        ("in_doubt", ["term"]),
    ),
    "woocommerce, a status that is none": (
        "woocommerce",
        "refundOrder",
        500,
        {"code": "woocommerce_rest_invalid_order_id", "message": "Invalid order ID.", "data": 404},
        ("not_found", ["order"]),
    ),
    "zoho, of one record": (
        "zoho-crm",
        "updateRecord",
        400,
        {"data": [{"code": "INVALID_DATA", "message": "the id is invalid", "status": "error"}]},
        ("rejected", ["the id"]),
    ),
    "supabase, rolled back": (
        "supabase",
        "insertRows",
        500,
        {"code": "57014", "message": "canceling due to statement timeout"},
        ("rejected", ["timeout"]),
    ),
    "supabase, an ambiguous embedding": (
        "supabase",
        "insertRows",
        300,
        {"code": "PGRST201", "message": "more than one relationship"},
        ("rejected", ["relationship"]),
    ),
    "supabase, an ambiguous function": (
        "supabase",
        "callFunction",
        300,
        {"code": "PGRST203", "message": "Could not choose"},
        ("rejected", ["choose"]),
    ),
    "supabase, a function that fails": (
        "supabase",
        "callFunction",
        500,
        {"code": "P0004", "message": "assertion failed"},
        ("rejected", ["assertion"]),
    ),
    "supabase, a trigger that fails": (
        "supabase",
        "insertRows",
        500,
        {"code": "09000", "message": "triggered action exception"},
        ("rejected", ["triggered"]),
    ),
    "supabase, a status of a function": (
        "supabase",
        "callFunction",
        303,
        {"code": "PT303", "message": "see there"},
        ("rejected", ["see there"]),
    ),
    "supabase, a table elsewhere": (
        "supabase",
        "insertRows",
        500,
        {"code": "HV000", "message": "request failed"},
        ("in_doubt", ["request failed"]),
    ),
    "supabase, a store that refuses": (
        "supabase",
        "deleteFiles",
        400,
        {"statusCode": "403", "code": "S3Error", "message": "AccessDenied"},
        ("rejected", ["AccessDenied", "may have taken effect"]),
    ),
    "supabase, a status within another": (
        "supabase",
        "listFiles",
        400,
        {"statusCode": "404", "error": "Bucket not found", "message": "Bucket not found"},
        ("not_found", ["Bucket"]),
    ),
    "sharepoint, full": (
        "sharepoint",
        "createFolder",
        507,
        {"error": {"code": "quotaLimitReached", "message": "no room"}},
        ("quota_exceeded", ["no room"]),
    ),
    "whatsapp": (
        "whatsapp",
        "sendText",
        400,
        {
            "error": {
                "message": "(#131009) Parameter",
                "code": 131009,
                "error_data": {"details": "no number"},
            }
        },
        ("rejected", ["(#131009)", "no number"]),
    ),
    "google, full": (
        "google-drive",
        "copyFile",
        403,
        _google(403, "storageQuotaExceeded", "The storage quota"),
        ("quota_exceeded", ["storage quota"]),
    ),
    "google, too deep": (
        "google-drive",
        "createFolder",
        403,
        _google(403, "myDriveHierarchyDepthLimitExceeded", "100 levels"),
        ("rejected", ["100"]),
    ),
    "google, not shared": (
        "google-drive",
        "shareFile",
        400,
        _google(400, "invalidSharingRequest", "ACL change not allowed.", "Bad Request"),
        ("rejected", ["ACL change"]),
    ),
    "google, changed meanwhile": (
        "google-contacts",
        "updateContact",
        400,
        _google(
            400,
            "failedPrecondition",
            "Request person.etag is different than the current person.etag.",
        ),
        ("conflict", ["etag"]),
    ),
    "google, no room for contacts": (
        "google-contacts",
        "createContact",
        429,
        {
            "error": {
                "code": 429,
                "message": "MY_CONTACTS_OVERFLOW_COUNT",
                "status": "RESOURCE_EXHAUSTED",
            }
        },
        ("quota_exceeded", ["OVERFLOW"]),
    ),
    "google, since too long ago": (
        "google-calendar",
        "listEvents",
        410,
        _google(410, "updatedMinTooLongAgo", "Too far in the past"),
        ("rejected", ["past"]),
    ),
    "lemlist, ended": (
        "lemlist",
        "listCampaigns",
        404,
        {"message": "No user found for this API key"},
        ("unauthenticated", ["No user"]),
    ),
    "typeform, ended": (
        "typeform",
        "listForms",
        403,
        {"code": "AUTHENTICATION_FAILED", "description": "Authentication failed"},
        ("unauthenticated", ["failed"]),
    ),
    "cloudflare, ended": (
        "cloudflare",
        "listZones",
        403,
        {
            "success": False,
            "errors": [{"code": 9109, "message": "Invalid access token"}],
            "result": None,
        },
        _ENDED,
    ),
    "cloudflare, a place": (
        "cloudflare",
        "listZones",
        403,
        {
            "success": False,
            "errors": [
                {"code": 9109, "message": "Cannot use the access token from location: 192.0.2.1"}
            ],
            "result": None,
        },
        ("forbidden", ["location"]),
    ),
    "cloudflare, a full zone": (
        "cloudflare",
        "createRecord",
        400,
        {"success": False, "errors": [{"code": 81045, "message": "Record quota exceeded."}]},
        ("quota_exceeded", ["Record quota"]),
    ),
    "cloudflare, a chain": (
        "cloudflare",
        "createRecord",
        400,
        {
            "success": False,
            "errors": [
                {
                    "code": 1004,
                    "message": "Not valid",
                    "error_chain": [{"code": 9300, "message": _TAGS}],
                }
            ],
        },
        ("quota_exceeded", ["Not valid", _TAGS]),
    ),
    "sendgrid, too many": (
        "sendgrid",
        "sendMail",
        403,
        {"errors": [{"message": "You have exceeded your messaging limits", "field": None}]},
        ("quota_exceeded", ["messaging limits"]),
    ),
    "whatsapp, unpaid": (
        "whatsapp",
        "sendText",
        400,
        {"error": {"message": "(#131042) Business eligibility payment issue", "code": 131042}},
        ("quota_exceeded", ["payment"]),
    ),
    "whatsapp, a permission": (
        "whatsapp",
        "sendText",
        500,
        {"error": {"message": "(#3) Capability", "code": 3}},
        ("forbidden", ["Capability"]),
    ),
    "whatsapp, no certificate": (
        "whatsapp",
        "sendText",
        500,
        {"error": {"message": "(#131045) Incorrect certificate", "code": 131045}},
        ("rejected", ["certificate"]),
    ),
    "whatsapp, no telling": (
        "whatsapp",
        "sendText",
        500,
        {"error": {"message": "(#131000) Something went wrong", "code": 131000}},
        ("in_doubt", ["wrong"]),
    ),
    "woocommerce, a parameter": (
        "woocommerce",
        "listOrders",
        400,
        {
            "code": "rest_invalid_param",
            "message": "Parameter",
            "data": {"status": 400, "params": {"page": "page is not an integer"}},
        },
        ("rejected", ["Parameter", "page is not an integer"]),
    ),
    "wordpress, a parameter": (
        "wordpress",
        "createPost",
        400,
        {
            "code": "rest_invalid_param",
            "message": "Parameter",
            "data": {"status": 400, "params": {"status": "status is none of these"}},
        },
        ("rejected", ["Parameter", "status is none of these"]),
    ),
    "jotform, ended": (
        "jotform",
        "listForms",
        200,
        {"responseCode": 401, "message": "Invalid API key", "content": ""},
        _ENDED,
    ),
    "intercom, too slow": (
        "intercom",
        "createTicket",
        408,
        {"errors": [{"code": "request_timeout", "message": "Timed out"}]},
        ("in_doubt", ["Timed out"]),
    ),
    "onedrive, full": (
        "onedrive",
        "createFolder",
        507,
        {"error": {"code": "quotaLimitReached", "message": "No space"}},
        ("quota_exceeded", ["space"]),
    ),
    "figma, ended": ("figma", "getFile", 403, {"status": 403, "err": "Invalid token"}, _ENDED),
    "figma, forbidden": (
        "figma",
        "getFile",
        403,
        {"status": 403, "err": "Invalid scope(s): token lacks one"},
        ("forbidden", ["scope"]),
    ),
    "resend, ended": (
        "resend",
        "listEmails",
        400,
        {"name": "validation_error", "message": "API key is invalid"},
        _ENDED,
    ),
    "resend, an input": (
        "resend",
        "listEmails",
        400,
        {"name": "validation_error", "message": "Invalid after"},
        ("rejected", ["after"]),
    ),
    "google, of a day": (
        "google-analytics",
        "runReport",
        429,
        {
            "error": {
                "code": 429,
                "status": "RESOURCE_EXHAUSTED",
                "message": "Exhausted property tokens per day.",
            }
        },
        ("quota_exceeded", ["per day"]),
    ),
    "google, a field": (
        "google-chat",
        "updateMessage",
        400,
        {
            "error": {
                "code": 400,
                "status": "INVALID_ARGUMENT",
                "message": "Invalid",
                "details": [
                    {"fieldViolations": [{"field": "update_mask", "description": "No such path"}]},
                ],
            }
        },
        ("rejected", ["Invalid; update_mask: No such path"]),
    ),
    "paddle, a field": (
        "paddle",
        "createCustomer",
        400,
        {
            "error": {
                "code": "invalid_field",
                "detail": "Invalid",
                "errors": [{"field": "email", "message": "must not be blank"}],
            }
        },
        ("rejected", ["Invalid; email: must not be blank"]),
    ),
    "cal.com, fields": (
        "cal-com",
        "createBooking",
        400,
        {
            "status": "error",
            "error": {
                "code": "BadRequestException",
                "message": "Bad Request Exception",
                "details": {
                    "message": ["start must be a date", "no email"],
                    "error": "Bad Request",
                    "statusCode": 400,
                },
            },
        },
        ("rejected", ["Bad Request Exception; start must be a date; no email"]),
    ),
    "google, cancelled": (
        "google-chat",
        "createMessage",
        499,
        {"error": {"code": 499, "status": "CANCELLED", "message": "The operation was cancelled."}},
        ("in_doubt", ["was cancelled"]),
    ),
    "google, of a day, 403": (
        "gmail",
        "listLabels",
        403,
        {
            "error": {
                "code": 403,
                "message": "Quota exceeded for limit 'Queries per day'",
                "errors": [{"reason": "rateLimitExceeded"}],
            }
        },
        ("quota_exceeded", ["per day"]),
    ),
    "bitbucket": (
        "bitbucket",
        "addComment",
        400,
        {
            "type": "error",
            "error": {
                "message": "Bad request",
                "fields": {"content": ["required key not provided"]},
            },
        },
        ("rejected", ["Bad request", "content: required key"]),
    ),
    "contentful": (
        "contentful",
        "createEntry",
        422,
        {
            "sys": {"id": "ValidationFailed"},
            "message": "Validation error",
            "details": {"errors": [{"details": "A title is required"}]},
        },
        ("rejected", ["Validation error", "A title is required"]),
    ),
    "datadog": (
        "datadog",
        "createMonitor",
        400,
        {"errors": ["No such query", "No name"]},
        ("rejected", ["No such query", "No name"]),
    ),
    "freshdesk": (
        "freshdesk",
        "createTicket",
        400,
        {
            "description": "Validation failed",
            "errors": [{"field": "email", "message": "No address"}],
        },
        ("rejected", ["Validation failed", "email: No address"]),
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_is_in_the_message(tmp_path: Path, name: str) -> None:
    """A refusal has the code of what it says, and what it says in its message; it is sent once."""
    key, action, status, body, (code, words) = REASONS[name]
    about = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    asked = about["examples"][0]["invocation"]["inputs"]
    with (
        Provider(Answer(body, status)) as provider,
        running(tmp_path, key, provider.url) as jackfield,
    ):
        error = jackfield.invoke(
            {"connector": key, "action": action, "connection": "main", "inputs": asked}
        ).to_json()["error"]
    assert (error["code"], len(provider.requests)) == (code, 1)
    assert [word for word in words if word not in error["message"]] == []
