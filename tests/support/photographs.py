"""Pictures of the console, with something on each of its pages.

``make pictures`` makes those of the documentation again; ``make pictures LOOK=FOLDER
[PAGES=tenants]`` those of pages, on a desk and on a phone, in light and dark, for whoever judges
their look.
"""

from __future__ import annotations

import base64
import math
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

from browser import browser_path
from browsing import Visitor
from console_rig import Console, served
from jackfield.callers import LIBRARY, Rules
from jackfield.callers.actor import Actor
from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft
from jackfield.kernel.errors import RateLimited
from jackfield_aws_ses_simulator.embedded import EmbeddedAws
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules

USER = "arn:aws:iam::123456789012:user/jackfield"
_DAY = 86_400
_ACCOUNTS = (
    (
        "billing-stripe",
        "stripe/secretKey",
        {"token": "rk_test_51NvQ"},
        "Acme Corp",
        "acct_1NvQ",
        "ok",
    ),
    ("team-slack", "slack/botToken", {"token": "xoxb-2048-1"}, "Acme", "T024BE7LD", "ok"),
    ("code-github", "github/accessToken", {"token": "ghp_16C7e42F"}, "acme-bot", "4417", "expired"),
)
_CALLS = (
    ("aws-ses", "sendEmail", "write", "acme-ses", -2.4, 0.02, 5),
    ("stripe", "createRefund", "write", "billing-stripe", -1.3, 0.03, 2),
    ("slack", "postMessage", "write", "team-slack", -1.9, 0.01, 4),
    ("github", "createIssue", "write", "code-github", -1.1, 0.09, 1),
)
"""Connector, action, effect, connection, logarithm of a second, share of failures, and how often it
is called.
"""
MAIL: dict[str, Any] = {"connector": "aws-ses", "action": "sendEmail", "connection": "acme-ses"}
_QUOTAS = [
    {"count": 500, "per": "day", "of": {"effect": "write", "action": "aws-ses/*"}, "by": "token"},
    {"count": 1000, "per": "day", "of": {"action": "stripe/createRefund"}, "sum": "/amount"},
]
_WIDE, _NARROW, _HIGH = 1280, 390, 900
_SHOWN = ["--hide-scrollbars"]
"""What a driven browser hides, and those of most people show: what scrolls within a page is to be
seen.
"""
_DOCS = Path(__file__).parents[2] / "docs" / "images"


def _mail(to: str, subject: str) -> dict[str, Any]:
    return {**MAIL, "inputs": {"to": [to], "subject": subject, "text": "Thank you for your order."}}


def furnish(console: Console, aws: EmbeddedAws) -> None:
    """Let there be something of everything, as on a day of a platform."""
    runtime, storage = console.host.runtime("default"), console.host.storage
    keys = {
        "roleARN": aws.role_arn,
        "accessKeyId": aws.access_key_id,
        "secretAccessKey": aws.secret_access_key,
        "region": aws.region,
    }
    values = {**keys, "endpoint": aws.url, "stsEndpoint": aws.url, "sender": "noreply@example.com"}
    runtime.connections.add("acme-ses", "aws/awsAssumeRole", values, test=False)
    aws.trust(USER, str(runtime.connections.find("acme-ses").values["externalId"]))
    runtime.connections.test("acme-ses")
    for name, kind, given, label, identifier, status in _ACCOUNTS:
        runtime.connections.add(name, kind, given, test=False)
        found = {"name": name, "label": label, "id": identifier, "status": status}
        with storage.database.write() as transaction:
            transaction.change(
                "UPDATE connections SET status = :status, account_id = :id, account_label = "
                ":label WHERE name = :name",
                found,
            )
    console.workspaces.set("default", {"keepInputs": True})
    _day(console)
    for to, subject in (
        ("ada@example.org", "Your invoice 4711"),
        ("grace@example.org", "Welcome to Acme"),
        ("linus@example.org", "Invoice 4712"),
    ):
        runtime.invoke(_mail(to, subject))
    aws.lose_answer("SendEmail")
    runtime.invoke({**_mail("mary@example.org", "Your refund"), "idempotencyKey": "refund-4709"})
    schedules = WorkspaceSchedules(runtime, LIBRARY, Actor("library"))
    schedules.add(
        {
            "name": "daily-digest",
            "every": "24h",
            "invocation": _mail("team@example.org", "What happened today"),
        }
    )
    schedules.add(
        {
            "name": "quota-check",
            "every": "1h",
            "invocation": {
                "connector": "aws-ses",
                "action": "getAccount",
                "connection": "acme-ses",
            },
        }
    )
    callbacks = Callbacks(
        storage.database,
        storage.vault,
        "default",
        console.host.clock,
        Actor("library"),
        origin="operator",
    )
    for address, types, words in (
        (
            "https://api.acme.example/hooks/jackfield",
            ["invocation.finished"],
            "The shop: how calls end",
        ),
        ("https://siem.acme.example/jackfield", ["audit.*"], "Audit log to the SIEM"),
    ):
        callbacks.create({"url": address, "types": types, "description": words})
    for name, limits in (
        ("acme", {"connections": 20}),
        ("globex", {}),
        ("initech", {"connections": 5, "queued": 1000}),
        ("umbrella", {}),
    ):
        console.workspaces.create(name, {"limits": limits})
    console.workspaces.set("initech", {"quotas": _QUOTAS})
    console.token("invoke", name="The web shop", rules=Rules(allow=("aws-ses/*",)))
    console.token("read", name="Grafana")
    _retried(console)
    console.workspaces.set("default", {"rules": {"approve": ["aws-ses/sendEmail"]}})
    for to, subject in (
        ("press@example.org", "Our new prices"),
        ("everyone@example.org", "Terms of service"),
    ):
        runtime.invoke(_mail(to, subject))


def _retried(console: Console) -> None:
    """Put a call into the journal that was throttled twice: with the attempts of one that was, and
    the names of another.
    """
    other, journal = console.host.runtime("umbrella"), console.host.runtime("default").journal
    other.connections.add("hall", "echo/token", {"token": "sesame-open"})
    fault = {"kind": "throttled", "tries": 2}
    other.invoke(
        {
            "connector": "echo",
            "action": "say",
            "connection": "hall",
            "inputs": {"text": "Hello", "fault": fault},
        }
    )
    assert journal is not None
    assert other.journal is not None
    found = other.journal.find(other.journal.entries()[0][0].id)
    meta = Meta(
        new_invocation_id(),
        connector="stripe",
        connector_version="0.1.0",
        action="createRefund",
        attempts=found.attempts,
    )
    draft = Draft(
        id=meta.invocation_id,
        connector="stripe",
        connector_version="0.1.0",
        action="createRefund",
        effect="write",
        connection="billing-stripe",
        caller="shop",
        created_at=found.created_at,
        expires_at=found.created_at + 60,
        idempotency_key="refund-4711",
    )
    output = {"id": "re_3MmlLr", "amount": 1990, "currency": "eur", "status": "succeeded"}
    with journal.database.write() as transaction:
        journal.starting(draft)(transaction)
        journal.finishing(draft, Result("succeeded", meta, output=output), found.attempt_log)(
            transaction
        )
        values = {"id": draft.id, "at": found.settled_at}
        transaction.change("UPDATE invocations SET settled_at = :at WHERE id = :id", values)


def _day(console: Console) -> None:
    """Put what the connectors did in the last day into the journal."""
    journal = console.host.runtime("default").journal
    assert journal is not None
    now, chance = console.host.clock.time(), random.Random(7)
    kinds = [kind for kind in _CALLS for _ in range(kind[-1])]
    with journal.database.write() as transaction:
        for number in range(420):
            connector, action, effect, connection, usual, faults, _ = chance.choice(kinds)
            at = now - _DAY * (1 - math.sqrt(chance.random()) * 0.97)
            meta = Meta(
                new_invocation_id(),
                connector=connector,
                connector_version="1.0.0",
                action=action,
                attempts=1,
            )
            draft = Draft(
                id=meta.invocation_id,
                connector=connector,
                connector_version="1.0.0",
                action=action,
                effect=effect,
                connection=connection,
                caller="shop",
                created_at=at,
                expires_at=at + 60,
            )
            journal.starting(draft)(transaction)
            good = Result("succeeded", meta, output={"number": number})
            failed = chance.random() < faults
            journal.finishing(
                draft,
                Result("failed", meta, error=RateLimited("throttled")) if failed else good,
                [],
            )(transaction)
            values = {"id": draft.id, "at": at + chance.lognormvariate(usual, 0.5)}
            transaction.change("UPDATE invocations SET settled_at = :at WHERE id = :id", values)


def pages(console: Console) -> dict[str, str]:
    """Addresses of the pages that are looked at, by their names."""
    journal = console.host.runtime("default").journal
    assert journal is not None
    doubt = journal.entries(status="in_doubt")[0][0].id
    done = journal.entries(status="succeeded", connection="acme-ses")[0][0].id
    waits = journal.entries(status="waiting")[0][0].id
    return {
        "overview": "/",
        "invocations": "/invocations",
        "invocation": f"/invocations/{done}",
        "doubt": f"/invocations/{doubt}",
        "tries": f"/invocations/{journal.entries(connection='billing-stripe')[0][0].id}",
        "connections": "/connections",
        "connection": "/connections/acme-ses",
        "action": "/connectors/aws-ses/actions/sendEmail?example=1",
        "schedules": "/schedules",
        "callbacks": "/callbacks",
        "tenants": "/tenants",
        "workspace": "/workspace",
        "tokens": "/tokens",
        "approvals": "/approvals",
        "decision": f"/approvals?decide={waits}",
        "doubts": "/doubts",
        "nowhere": "/nowhere",
        "tenant": "/tenants/initech",
        "tenant-used": "/tenants/default",
        "schedule": "/schedules/daily-digest",
        "callback": f"/callbacks/{_callback(console)}",
        "connectors": "/connectors",
        "connector": "/connectors/aws-ses",
        "queue": "/queue",
        "files": "/files",
        "audit": "/audit",
        "subscriptions": "/subscriptions",
        "shared-settings": "/shared-settings",
        "new-connection": "/new-connection",
        "new-schedule": "/new-schedule?connector=aws-ses&action=getAccount",
        "deliveries": "/deliveries",
        "mcp-servers": "/mcp-servers",
        "oauth-clients": "/oauth-clients",
        "suppressions": "/suppressions",
    }


def _callback(console: Console) -> str:
    storage = console.host.storage
    callbacks = Callbacks(
        storage.database,
        storage.vault,
        "default",
        console.host.clock,
        Actor("library"),
        origin="operator",
    )
    return callbacks.page()[0][0].id


def look(visitor: Visitor, folder: Path, name: str, path: str) -> None:
    """Keep whole pictures of a page: two widths, two schemes."""
    page = visitor.page
    visitor.go(path)
    for width in (_WIDE, _NARROW):
        page.set_viewport_size({"width": width, "height": _HIGH})
        high = page.evaluate("document.querySelector('main').scrollHeight") + 60
        # what sticks to an edge does not cover what is below
        page.set_viewport_size({"width": width, "height": max(_HIGH, high)})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", animations="disabled")


def show(
    visitor: Visitor,
    name: str,
    path: str = "",
    *,
    scheme: str = "light",
    width: int = _WIDE,
    high: int = 800,
) -> None:
    """Keep a picture for the documentation: of a page, or as the page is now."""
    page = visitor.page
    page.set_viewport_size({"width": width, "height": high})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    if path:
        visitor.go(path)
    taken = page.context.new_cdp_session(page).send(
        "Page.captureScreenshot", {"format": "webp", "quality": 60}
    )
    (_DOCS / f"{name}.webp").write_bytes(base64.b64decode(taken["data"]))


def document(console: Console, aws: EmbeddedAws, operator: Visitor, approver: Visitor) -> None:
    """Keep the pictures of the documentation."""
    known, page = pages(console), operator.page
    for scheme in ("light", "dark"):
        show(operator, f"overview-{scheme}", "/", scheme=scheme)
    show(operator, "overview-phone", "/", width=_NARROW)
    show(operator, "connection", known["connection"])
    operator.go(known["tries"])
    page.get_by_role("heading", name="Attempts").evaluate("heading => heading.scrollIntoView()")
    show(operator, "tries")
    show(operator, "in-doubt", known["doubt"])
    show(approver, "approval", known["decision"], high=900)
    operator.go("/new-connection?type=aws/awsAssumeRole")
    operator.field("Name").fill("globex-ses")
    operator.field("Role ARN required").fill("arn:aws:iam::210987654321:role/jackfield-ses")
    show(operator, "new-connection", high=600)
    console.workspaces.set("default", {"rules": {"approve": []}})
    operator.go("/connectors/aws-ses/actions/sendEmail")
    operator.field("To Address 1").fill("ada@example.org")
    operator.field("Subject required").fill("The report")
    operator.field("Text").fill("Hello Ada,\nhere it is.")
    operator.run()
    page.get_by_text('"subject": "The report"').first.wait_for()  # the code follows what is typed
    page.evaluate("scrollTo(0, 0)")
    show(operator, "send-email", high=900)
    operator.field("To Address 1").fill("ada")
    operator.run()
    show(operator, "field-error")
    aws.trust(USER, "another-external-id")
    operator.go("/connections/acme-ses")
    page.get_by_role("button", name="Test again", exact=True).click()
    page.locator("#test .step.failed").wait_for()
    page.evaluate("scrollTo(0, 0)")
    show(operator, "failing-connection")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login**")
    page.goto(f"{console.origin}/login")
    show(operator, "sign-in", high=560)


def main() -> None:
    """Take the pictures of the documentation, or those of the pages that are named, or of all, into
    a folder.
    """
    folder, only = (Path(sys.argv[1]), sys.argv[2:]) if len(sys.argv) > 1 else (None, [])
    with (
        TemporaryDirectory() as home,
        EmbeddedAws() as aws,
        served(Path(home), queue_workers=0) as console,
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=browser_path(),
            args=["--no-sandbox"],
            ignore_default_args=_SHOWN if len(sys.argv) > 1 else None,
        ) as browser,
    ):
        operator, approver = (
            Visitor(browser, console, zone="UTC"),
            Visitor(browser, console, zone="UTC"),
        )
        operator.sign_in()
        if folder is not None:
            for name, path in (
                ("empty-overview", "/"),
                ("empty-invocations", "/invocations"),
                ("empty-connections", "/connections"),
            ):
                look(operator, folder, name, path)
        furnish(console, aws)
        approver.enter("approve")
        if folder is None:
            document(console, aws, operator, approver)
            return
        for name, path in pages(console).items():
            if not only or name in only:
                look(
                    approver if name in ("approvals", "decision") else operator, folder, name, path
                )


if __name__ == "__main__":
    main()
