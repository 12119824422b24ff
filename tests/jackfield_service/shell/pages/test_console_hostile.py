"""Names and values that are markup: they are shown as they are, and do nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.jackfield_service.shell.pages.console_client import Answer, Place, placed

from jackfield.kernel.hidden import escape_of, hidden_parts, visible
from jackfield.kernel.markup import h
from jackfield_service.shell.pages.layout.assets import FORM_SCRIPTS
from jackfield_service.shell.pages.layout.components import guide, line
from jackfield_service.shell.pages.layout.shell import POLICY
from plugboard import make_connector, plugged

EVIL = "<script>alert(1)</script>"
EVENT = "\"><img src=x onerror='alert(1)'>"
SOURCE = '''
from jackfield.connector import Account, ConnectionType, Connector, Field, Inputs, Option, Output, Rejected, Provider, Sent, Step

EVIL, EVENT = "<script>alert(1)</script>", "\\"><img src=x onerror='alert(1)'>"


class Door(ConnectionType):
    """<script>alert(1)</script>"""

    key, title, auth = "door", EVIL, "custom"
    setup = EVIL + "\\n\\n[click](javascript:alert(1)) ![x](https://evil.example/x.png) <img src=x onerror=alert(1)>"
    word: str = Field(title=EVIL, description=EVENT)

    def open(self, context):
        return self

    def test(self, context):
        yield Step("one", EVIL, passed=False, message=EVENT, hint=EVIL)
        yield Account(EVENT, EVIL)


class Give(Inputs):
    """What to give."""

    text: str = Field(title=EVENT, description=EVIL, examples=[EVENT])


class Got(Output):
    """What came back."""

    text: str


connector = Connector("hostile", title=EVIL, version="1.0.0", description=EVENT, connections=[Door], categories=[EVIL],
                      icon="https://evil.example/icon.png", documentation_url="javascript:alert(1)")


@connector.action("echo", effect="read", title=EVENT)
def echo(inputs: Give, door: Door) -> Got:
    """<script>alert(1)</script>"""
    if inputs.text == "fail":
        raise Rejected(EVIL, hint=EVENT, provider=Provider(code=EVIL, message=EVENT, request_id=EVIL), sent=Sent.REFUSED)
    return Got(text=inputs.text)
'''


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and the text of elements."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connector whose author means harm."""
    make_connector(tmp_path / "evil", "hostile", SOURCE)
    with plugged(tmp_path / "evil"), placed(tmp_path) as found:
        yield found


def harmless(answer: Answer) -> None:
    """Fail where a page holds a script of its own, an event handler, or anything of another
    host.
    """
    parsed = Tags(answer.text)
    for tag, attributes in parsed.tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert "style" not in attributes, (tag, attributes)
        if tag == "script":
            assert str(attributes.get("src")).startswith("/assets/")
        for name in ("src", "href", "action", "hx-get", "hx-post"):
            assert not re.match(r"\s*javascript:", str(attributes.get(name, "")), re.IGNORECASE)
        if tag in ("img", "link", "script", "iframe", "form"):
            address = str(
                attributes.get("src") or attributes.get("href") or attributes.get("action") or ""
            )
            assert address.startswith("data:image/") or "//" not in address
    assert "script>alert" not in answer.text


def test_no_page_runs_what_it_shows(place: Place) -> None:
    """On no page does a hostile connector, connection, error or token name become markup; all of it
    is shown as text.
    """
    client, runtime = place.signed_in(), place.host.runtime("default")
    runtime.connections.add("door", "hostile/door", {"word": EVENT}, force=True)
    call = {"connector": "hostile", "action": "echo", "connection": "door"}
    good = runtime.invoke({**call, "inputs": {"text": EVIL}}).meta.invocation_id
    bad = runtime.invoke(
        {
            **call,
            "inputs": {"text": "fail"},
            "idempotencyKey": EVENT,
            "context": {"correlationId": EVIL},
        }
    ).meta.invocation_id
    place.tokens().create("read", EVENT)
    pages = [
        "/",
        "/connectors",
        f"/connectors?q={EVIL}",
        "/connectors/hostile",
        "/connectors/hostile/actions/echo",
        "/connections",
        f"/connections?text={EVIL}",
        "/connections/door",
        "/new-connection",
        "/new-connection?type=hostile/door",
        "/invocations",
        f"/invocations?connector={EVENT}",
        f"/invocations/{good}",
        f"/invocations/{bad}",
        "/tokens",
        "/workspace",
        f"/workspace/verdict?call={EVIL}/x&connection={EVENT}",
        f"/connectors/hostile/actions/echo?again={bad}",
        f"/?done={EVIL}",
    ]
    for page in pages:
        answer = client.get(page.replace("<", "%3C").replace(">", "%3E").replace('"', "%22"))
        assert answer.status == 200, page
        harmless(answer)
    shown = client.get("/connectors/hostile").words
    assert EVIL in shown
    assert EVENT in shown
    assert EVIL in client.get(f"/invocations/{bad}").words
    assert EVIL in client.get("/connections/door").words
    for page in (
        "/connectors/%3Cscript%3E",
        "/connections/%3Cscript%3E",
        "/invocations/%3Cscript%3E",
        "/connectors/hostile/actions/%3Cb%3E",
    ):
        answer = client.get(page)
        assert answer.status == 404
        harmless(answer)


def test_no_answer_runs_what_it_shows(place: Place) -> None:
    """Nor does it in the parts of pages that are loaded later: results, code, refusals."""
    client, runtime = place.signed_in(), place.host.runtime("default")
    runtime.connections.add("door", "hostile/door", {"word": "x"}, force=True)
    csrf = client.get("/").csrf
    for text in (EVIL, EVENT, "fail"):
        fields = {
            "csrf": csrf,
            "invocation": json.dumps({"connection": "door", "inputs": {"text": text, EVIL: EVENT}}),
        }
        for what in ("run", "code"):
            harmless(
                client.post(f"/connectors/hostile/actions/echo/{what}", fields, hx_request="true")
            )
        fields["invocation"] = json.dumps({"connection": "door", "inputs": {"text": text}})
        harmless(client.post("/connectors/hostile/actions/echo/run", fields, hx_request="true"))
    values = json.dumps({EVIL: EVENT})
    harmless(
        client.post(
            "/connections",
            {"csrf": csrf, "name": EVIL, "type": "hostile/door", "values": values},
            hx_request="true",
        )
    )
    harmless(
        client.post(
            "/connections",
            {"csrf": csrf, "name": "x", "type": EVIL, "values": "{}"},
            hx_request="true",
        )
    )
    harmless(
        client.post("/tokens", {"csrf": csrf, "scope": EVIL, "allow": EVENT}, hx_request="true")
    )
    harmless(client.post("/workspace", {"csrf": csrf, "retentionDays": EVENT}, hx_request="true"))
    harmless(client.post("/connections/door/test", {"csrf": csrf}, hx_request="true"))


def test_no_secret_is_in_a_page(place: Place) -> None:
    """Secrets go in and never come out: not in the pages of a connection, nor in the entry of a
    call that quoted one.
    """
    client, runtime = place.signed_in(), place.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame-4711"})
    said = runtime.invoke(
        {
            "connector": "echo",
            "action": "say",
            "connection": "hall",
            "inputs": {"text": "Hi", "reveal": True},
        }
    )
    for page in (
        "/connections",
        "/connections/hall",
        "/connectors/echo/actions/say",
        f"/invocations/{said.meta.invocation_id}",
        "/",
    ):
        answer = client.get(page)
        assert answer.status == 200
        assert "sesame-4711" not in answer.text
    csrf = client.get("/connections/hall").csrf_of("/connections/hall/values")
    fields = {"csrf": csrf, "values": json.dumps({"token": "sesame-0815"}), "how": "untested"}
    assert (
        "sesame-0815" not in client.post("/connections/hall/values", fields, hx_request="true").text
    )
    assert runtime.connections.find("hall").values["token"] == "sesame-0815"


def test_every_answer_carries_the_policy(place: Place) -> None:
    """Pages, parts of pages, refusals, redirects and the sign-in all carry the policy, and are not
    kept by browsers.
    """
    client, stranger = place.signed_in(), place.client()
    answers = [
        client.get("/"),
        client.get("/connections/nobody"),
        client.get("/invocations", hx_request="true"),
        stranger.get("/"),
        stranger.get("/login"),
        stranger.get("/login?once=x"),
        client.post("/tokens", {}),
    ]
    for answer in answers:
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
    assert not re.search(r"unsafe|\*|https?:", POLICY)


def test_files_of_the_console(place: Place) -> None:
    """Scripts and style sheets are served to everybody, for ever under the address that names their
    content; nothing else is.
    """
    client = place.client()
    page = client.get("/login").text
    addresses = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert len(addresses) >= 4
    for address in addresses:
        answer = client.get(address)
        assert answer.status == 200
        assert "immutable" in answer.headers["cache-control"]
        assert client.get(address, if_none_match=answer.headers["etag"]).status == 304
    script = place.signed_in().get("/connectors/echo/actions/say").text
    assert all(name in script for name in FORM_SCRIPTS)
    for path in (
        "/assets/x/../app.py",
        "/assets/x/nothing.js",
        "/assets/x/%2e%2e/app.py",
        "/assets/x/",
    ):
        assert client.get(path).status == 404
    assert "no-cache" in client.get("/assets/old/console.css").headers["cache-control"]


def test_unknown_paths_are_the_apis(place: Place) -> None:
    """A path that the console does not know is answered as the API answers it."""
    answer = place.client().get("/nothing/here")
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


# What makes markup

TEXTS = st.text(max_size=30)


@settings(deadline=None)  # the machine may be busy
@given(TEXTS, TEXTS)
def test_text_stays_text(text: str, value: str) -> None:
    """Whatever text and attributes hold, a browser reads exactly them, and no further element.
    Hidden characters are escapes, marked in a text; what is sent back is as it was.
    """
    text, value = text.replace("\r", ""), value.replace("\r", "")
    parsed = Tags(h.p(text, [text, None], title=value, data_sent=value))
    tags = [tag for tag in parsed.tags if tag[0] != "span"]
    assert tags == [("p", {"title": visible(value), "data-sent": value})] or "\0" in value
    shown = "".join(
        escape_of(part) if place % 2 else part for place, part in enumerate(hidden_parts(text))
    )
    assert "".join(parsed.texts) == shown * 2
    assert [tag[1]["class"] for tag in parsed.tags if tag[0] == "span"] == ["unseen-character"] * (
        len(hidden_parts(text)) // 2 * 2
    )


def test_attributes() -> None:
    """Attributes are written as HTML has them; what is nothing is left out."""
    made = h.input(
        type="text", class_="a", aria_label="b", required=True, disabled=False, value=None, data_n=3
    )
    assert made == '<input type="text" class="a" aria-label="b" required data-n="3">'
    assert h.join([None, [], ["a", [1, 2.5]], h.br()]) == "a12.5<br>"


@settings(deadline=None)  # the machine may be busy
@given(TEXTS)
def test_markdown_makes_nothing_that_acts(text: str) -> None:
    """Markdown, whatever it holds, makes no script, no picture, no handler, and links to the web
    only.
    """
    for made in (
        guide(text),
        line(text),
        guide(f"{text}\n\n<script>{text}</script>\n\n[{text}](javascript:x)"),
    ):
        for tag, attributes in Tags(made).tags:
            assert tag not in ("script", "img", "style", "iframe", "form", "input")
            assert set(attributes) <= {
                "href",
                "title",
                "rel",
                "target",
                "class",
                "tabindex",
                "start",
            }
            assert str(attributes.get("href", "https:")).startswith(("http:", "https:", "mailto:"))


def test_markdown_is_rendered() -> None:
    """Headings begin below the page's own, links open elsewhere and tell nobody where from, code
    can be scrolled by key.
    """
    made = guide(
        "# One\n\n[a](https://example.com/?a=1&b=2)\n\n| a | b |\n| - | - |\n| 1 | 2 "
        "|\n\n```json\n{}\n```\n"
    )
    assert "<h2>One</h2>" in made
    assert 'rel="noreferrer noopener" target="_blank"' in made
    assert "<table>" in made
    assert 'tabindex="0"' in made
    assert line("a *b*") == "a <em>b</em>"


def tags_of(value: Any) -> list[str]:
    """The names of all tags."""
    return [tag for tag, _ in Tags(str(value)).tags]


def test_letters_of_a_hostile_name(place: Place) -> None:
    """A connector without a picture of its own, or with one from elsewhere, has letters for one."""
    page = place.signed_in().get("/connectors/hostile").text
    assert "evil.example/icon.png" not in page
    assert tags_of(page).count("img") == 0
