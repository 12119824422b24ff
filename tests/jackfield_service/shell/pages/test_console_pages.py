"""What holds of every page: it can be used by everybody, in both schemes and on a phone, and it
asks nobody else for anything.
"""

from __future__ import annotations

import math
import random

import pytest
from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import Console
from jackfield.callers import LIBRARY, Rules
from jackfield.callers.actor import Actor
from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import RateLimited
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.deliveries import Deliveries, Delivery
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.database.outbox import record

pytest_plugins = ["browser"]

WHOLLY = {"overview", "action-echo", "in-doubt"}
"""Pages that have between them what pages are made of: charts, forms, code, tables, badges,
doubts.
"""
LIKE_OTHERS = {"overview-hour", "search", "choose-start", "verdict"}
"""Pages that have nothing on them that other pages lack."""
OF_A_KIND = {
    "connectors",
    "action",
    "connections",
    "choose-type",
    "connection-closed",
    "tries",
    "subscriptions",
    "new-subscription",
    "callbacks",
    "callback",
    "deliveries",
    "missing",
}
"""Lists, forms and single things, of whose kind axe looks at another page: that takes longer than
all else that is done with a page.
"""
_NOT_COVERED = """() => {
    const [copy, code] = ["button", "pre"].map((name) => document.querySelector(`#code-panel-1 ${name}`).getBoundingClientRect());
    return copy.height > 0 && (copy.bottom <= code.top || copy.left >= code.right);
}"""
SAY = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "Hello"}}


@pytest.fixture
def busy(console: Console) -> Console:
    """A console with something on every page."""
    runtime = console.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame", "greeting": "Hi"})
    runtime.connections.add("closed", "echo/token", {"token": "bad"}, force=True)
    role = {
        "roleARN": "arn:aws:iam::123456789012:role/acme-ses",
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "secret",
    }
    runtime.connections.add("acme-ses", "aws/awsAssumeRole", role, test=False)
    for times in (1, 2, 3):
        runtime.invoke({**SAY, "inputs": {"text": "Hello", "times": times}})
    for kind, tries in (("rejected", None), ("throttled", 2)):
        runtime.invoke(
            {
                **SAY,
                "inputs": {"text": "Hello", "fault": {"kind": kind, "tries": tries, "name": kind}},
            }
        )
    runtime.invoke(
        {
            **SAY,
            "action": "post",
            "inputs": {"text": "Hello", "fault": {"kind": "reset"}},
            "idempotencyKey": "note-1",
        }
    )
    a_day(console)
    console.token(
        "invoke",
        name="The web shop",
        rules=Rules(allow=("echo/*",), block=("effect:write & connection:prod-*",)),
    )
    return console


def a_day(console: Console) -> None:
    """Put what two connectors did in the last day into the journal."""
    journal = console.host.runtime("default").journal
    assert journal is not None
    now, chance = console.host.clock.time(), random.Random(5)
    with journal.database.write() as transaction:
        for number in range(240):
            connector, action = chance.choice(
                [("aws-ses", "sendEmail"), ("aws-ses", "sendEmail"), ("echo", "say")]
            )
            at = now - 86_000 * (1 - math.sqrt(chance.random()) * 0.97)
            failed = chance.random() < (0.06 if connector == "echo" else 0.02)
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
                effect="read",
                connection="hall" if connector == "echo" else "acme-ses",
                caller="shop",
                created_at=at,
                expires_at=at + 60,
            )
            journal.starting(draft)(transaction)
            good = Result("succeeded", meta, output={"number": number})
            result = Result("failed", meta, error=RateLimited("throttled")) if failed else good
            journal.finishing(draft, result, [])(transaction)
            took = (
                chance.lognormvariate(-2.6, 0.5)
                if connector == "aws-ses"
                else chance.lognormvariate(-4, 0.7)
            )
            values = {"workspace": "default", "id": draft.id, "at": at + took}
            transaction.change(
                "UPDATE invocations SET settled_at = :at WHERE workspace = :workspace AND id = :id",
                values,
            )


def a_dead_receiver(console: Console) -> Delivery:
    """Make a callback to where nobody listens, and attempt a delivery."""
    storage = console.host.storage
    callbacks = Callbacks(
        storage.database,
        storage.vault,
        "default",
        console.host.clock,
        Actor("library"),
        origin="operator",
    )
    made = callbacks.create(
        {"url": "http://127.0.0.1:9/jackfield", "types": ["audit.*"], "description": "The shop"}
    ).callback
    console.token("read", name="Ada")
    dispatcher = Dispatcher(
        lambda: storage.database, lambda: storage.vault, console.host.clock, Sender()
    )
    dispatcher.turn()
    dispatcher.stop(60.0)
    (delivery,), _ = Deliveries(storage.database, storage.vault, "default", SystemClock()).page(
        callback=made.id
    )
    return delivery


def a_subscription(console: Console) -> str:
    """Add a poll, which fails, with an event."""
    runtime = console.host.runtime("default")
    found = WorkspaceSubscriptions(runtime, LIBRARY, Actor("library"), console.origin)
    then = {
        "connector": "echo",
        "action": "post",
        "connection": "hall",
        "inputs": {"text": {"$event": "/data/payload/text"}},
    }
    found.add(
        {
            "name": "new-notes",
            "trigger": "echo/notes",
            "connection": "hall",
            "every": 60,
            "then": then,
        }
    )
    database, now = console.host.storage.database, console.host.clock.time()
    with database.write() as transaction:
        reason = (
            "The provider could not be asked: it refused the connection. Check the URL of "
            "the connection."
        )
        values = {"workspace": "default", "reason": reason, "at": now}
        transaction.change(
            "UPDATE subscriptions SET status = 'failing', reason = :reason, failures = 4, "
            "last_success_at = :at, wake_at = :at + 900"
            " WHERE workspace = :workspace",
            values,
        )
        about = {"payload": {"id": "n-1", "text": "hello"}, "connector": "echo", "trigger": "notes"}
        record(transaction, "default", "echo.notes", "new-notes", now, about)
    return "new-notes"


ONE_PRESS = """[...document.querySelectorAll('form')].filter((form) => /[/](removal|revocation|end|reset)$/.test(form.action))
    .filter((form) => !form.closest('details, [popover]') && !form.querySelector('[required], [type=checkbox]'))
    .map((form) => form.innerText.trim())"""
"""Forms that delete or end something for good, and that neither open on a press nor ask for more
than that.
"""


def pages(console: Console) -> dict[str, str]:
    """Every kind of page, by the name of its picture."""
    journal = console.host.runtime("default").journal
    assert journal is not None
    delivery = a_dead_receiver(console)
    doubt = journal.entries(status="in_doubt")[0][0].id
    retried = next(entry.id for entry in journal.entries()[0] if entry.attempts > 1)
    return {
        "overview": "/",
        "overview-hour": "/?span=1h",
        "connectors": "/connectors",
        "search": "/connectors?q=email",
        "connector": "/connectors/aws-ses",
        "action": "/connectors/aws-ses/actions/sendEmail?example=1",
        "action-echo": "/connectors/echo/actions/say",
        "connections": "/connections",
        "choose-type": "/new-connection",
        "new": "/new-connection?type=aws/awsAssumeRole",
        "connection-aws": "/connections/acme-ses",
        "connection-closed": "/connections/closed",
        "invocations": "/invocations",
        "in-doubt": f"/invocations/{doubt}",
        "tries": f"/invocations/{retried}",
        "subscriptions": "/subscriptions",
        "choose-trigger": "/new-subscription",
        "choose-start": "/new-subscription?trigger=echo/notes&then=&q=post",
        "new-subscription": "/new-subscription?trigger=echo/notes&then=echo/post",
        "subscription": f"/subscriptions/{a_subscription(console)}",
        "callbacks": "/callbacks",
        "callback": f"/callbacks/{delivery.callback}",
        "deliveries": "/deliveries",
        "delivery": f"/deliveries/{delivery.id}",
        "tokens": "/tokens",
        "workspace": "/workspace",
        "verdict": "/workspace/verdict?call=echo/say&token=&connection=hall",
        "missing": "/connections/nobody",
    }


def test_everybody_can_use_every_page(browser: Browser, busy: Console, thoroughly: bool) -> None:
    """Axe finds nothing serious on any page, all parts of it opened; no page is wider than the
    window, in light, in dark and on a phone; nothing foreign is asked for, nothing breaks the
    policy, and a reload gives the same page again. Axe looks at one page of each kind, at some in
    each way, and in campaigns at all.
    """
    visitor = Visitor(browser, busy)
    visitor.page.goto(f"{busy.origin}/login")
    found = seen(visitor, "login", thoroughly=thoroughly)
    visitor.sign_in()
    for name, path in pages(busy).items():
        if name in LIKE_OTHERS and not thoroughly:
            continue
        wholly = thoroughly or name in WHOLLY
        visitor.go(path)
        found += seen(visitor, name, thoroughly=wholly, by_axe=name not in OF_A_KIND)
        if wholly:
            title = visitor.page.locator("h1").inner_text()
            visitor.page.reload()
            visitor.settle()
            assert visitor.page.locator("h1").inner_text() == title
            visitor.check()
    assert found == []
    visitor.close()


def seen(visitor: Visitor, name: str, *, thoroughly: bool, by_axe: bool = True) -> list[str]:
    """What axe finds on the page, all parts of it opened."""
    at_once = visitor.page.evaluate(ONE_PRESS)
    visitor.page.evaluate(
        "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
    )
    return [
        *(f"{name}: one press on '{button}' cannot be taken back" for button in at_once),
        *visitor.judged(thoroughly=thoroughly, by_axe=by_axe),
    ]


def test_phones_show_an_invocation_in_three_lines_and_the_sections_on_request(
    browser: Browser, busy: Console
) -> None:
    """On a phone, a call is at most three lines, the figures of a connector at most five, and the
    sections are behind a button, which the keyboard opens, and Escape closes.
    """
    visitor = Visitor(browser, busy)
    visitor.sign_in()
    visitor.look("light", phone=True)
    height = "(rows) => Math.max(...rows.map((row) => row.getBoundingClientRect().height))"
    visitor.go("/invocations")
    assert visitor.page.locator("#found tbody tr").evaluate_all(height) <= 3 * 24 + 20
    menu, sections = (
        visitor.page.get_by_role("button", name="Menu"),
        visitor.page.get_by_role("navigation", name="Sections"),
    )
    assert (
        visitor.page.locator(".side").evaluate("(side) => side.getBoundingClientRect().height")
        <= 60
    )
    assert not sections.is_visible()
    menu.press("Enter")
    sections.wait_for()
    visitor.page.keyboard.press("Tab")
    assert visitor.page.evaluate("document.activeElement.textContent") == "Close"
    assert visitor.axe() == []
    visitor.page.keyboard.press("Escape")
    sections.wait_for(state="hidden")
    assert visitor.page.evaluate("document.activeElement.textContent") == "Menu"
    menu.click()
    sections.get_by_role("link", name="Overview").click()
    visitor.settle()
    assert not sections.is_visible()
    by_connector = visitor.page.get_by_role("table", name="By connector").locator("tbody tr")
    assert by_connector.evaluate_all(height) <= 5 * 24 + 20
    visitor.check()
    visitor.close()


def test_the_schema_of_an_output_is_loaded_when_it_is_opened(visitor: Visitor) -> None:
    """The schema of an output, which can be larger than the rest of the page, comes when somebody
    looks at it.
    """
    visitor.go("/connectors/echo/actions/say")
    page = visitor.page
    assert page.get_by_role("region", name="Output schema").count() == 0
    page.get_by_text("Output schema").click()
    page.get_by_role("region", name="Output schema").get_by_text("tries").first.wait_for()


def test_the_keyboard_reaches_everything(visitor: Visitor) -> None:
    """The first key press offers to skip the navigation; links and fields follow in the order in
    which they are read.
    """
    page = visitor.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    visitor.go("/connectors/echo/actions/say")
    page.get_by_role("tab", name="JSON").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "curl"
    assert page.get_by_role("tabpanel", name="curl").is_visible()
    assert not page.get_by_role("tabpanel", name="JSON").is_visible()
    page.keyboard.press("End")
    assert page.get_by_role("tabpanel", name="CLI").is_visible()


def test_l19_to_l23_the_small_things(browser: Browser, busy: Console) -> None:
    """Controls of a filter are level (L19), nothing covers code (L20), charts have units, the
    reader's times and tables (L21), the recommended type is first (L22), and no table has a heading
    without a text (L23).
    """
    visitor = Visitor(browser, busy)
    visitor.sign_in()
    page = visitor.page
    for path in ("/connections", "/invocations"):
        visitor.go(path)
        tops = page.locator(".filters label").evaluate_all(
            "(labels) => labels.map((label) => label.getBoundingClientRect().top)"
        )
        assert len(set(tops[:3])) == 1
    visitor.go("/connectors/echo/actions/say")
    page.get_by_role("tab", name="curl").click()
    page.wait_for_function(_NOT_COVERED)
    visitor.go("/")
    page.get_by_role("heading", name="Invocations per hour").wait_for()
    zone = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    assert page.locator("[data-zone]").inner_text() == zone
    assert page.locator(".charts figure + details table").count() == 3
    assert page.locator("svg.chart.broad .label.end").count() >= 2
    page.get_by_text("As a table").first.click()
    page.evaluate("htmx.ajax('GET', '/?span=24h&live=1', { target: '#live', swap: 'innerMorph' })")
    assert page.locator("[data-zone]").inner_text() == zone
    assert page.get_by_role("table", name="Invocations over time").is_visible()
    visitor.go("/new-connection")
    of_aws = page.locator(".cards li").filter(has_text="AWS").first
    assert of_aws.inner_text().split("\n")[0].startswith("AWS Role ARN")
    assert of_aws.get_by_text("recommended").count() == 1
    assert page.get_by_role("heading", name="AWS Default Credentials").count() == 0
    visitor.go("/tokens")
    assert all(text.strip() for text in page.locator("th[scope=col]").all_text_contents())
    visitor.check()
    visitor.close()


def test_l16_explain_says_that_there_is_no_such_action(visitor: Visitor) -> None:
    """L16: an action that does not exist is told as such, with the one that was meant; the fields
    suggest what there is.
    """
    page = visitor.page
    visitor.go("/workspace")
    page.get_by_label("Action").press_sequentially("send mail")
    page.locator("#call-choices option[value='aws-ses/sendEmail']").wait_for(state="attached")
    page.get_by_label("Action").fill("aws-ses/sendMail")
    page.get_by_role("button", name="Check").click()
    page.locator("#verdict").get_by_text("has no action 'sendMail'").wait_for()
    assert "sendEmail" in page.locator("#verdict").inner_text()
    page.get_by_label("Action").fill("aws-ses/sendEmail")
    assert page.get_by_label("Connection").locator("option").all_text_contents() == [
        "No connection"
    ]
    page.get_by_role("button", name="Check").click()
    page.locator("#verdict").get_by_text("allowed").first.wait_for()
