"""IMAP: finding, reading and filing mail, and what is told of commands whose answer is lost;
against a real server.
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage, Message
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authority import Authority
from clocks import StillClock, look_while_due, time_passes
from database_proxy import DatabaseProxy
from dovecot_server import PASSWORD, Dovecot
from jackfield import Jackfield, Result
from jackfield.connector import ANYWHERE, Call, Deadline, Guard, InvalidConnection, Polled, Since
from jackfield.kernel.clock import SystemClock
from jackfield.wire.sessions import SessionPool
from jackfield_imap.bodies import attachments_of, texts_of
from jackfield_imap.client import ImapClient
from jackfield_imap.connection_type import LoginType
from jackfield_imap.headers import addresses_of, date_of, text_of
from jackfield_imap.summaries import Summary
from jackfield_imap.watching import Watched, new_messages
from jackfield_store.database import open_database
from jackfield_store.runtime.evidence_loop import EvidenceLoop
from jackfield_store.runtime.runtime_pool import RuntimePool
from tls_front import fronting
from tls_trials import only_the_known_server, trials
from waiting import until

CLOCK = SystemClock()
PDF = b"%PDF-1.7\n\0\xff"


class Rig:
    """A runtime with the connector, and a server."""

    def __init__(self, server: Dovecot, jackfield: Jackfield) -> None:
        self.server, self.jackfield = server, jackfield
        self.port = server.port

    def values(self, **changed: Any) -> dict[str, Any]:
        """Values of a connection."""
        return {
            "hostname": "127.0.0.1",
            "port": self.port,
            "username": "ada",
            "password": PASSWORD,
            "tls": "disable",
            **changed,
        }

    def call(
        self,
        action: str,
        *,
        timeout: float = 30.0,
        values: dict[str, Any] | None = None,
        **inputs: Any,
    ) -> Result:
        """Call an action."""
        return self.jackfield.invoke(
            {
                "connector": "imap",
                "action": action,
                "inputs": inputs,
                "timeoutSeconds": timeout,
                "connection": {"type": "login", "values": values or self.values()},
            }
        )

    def output(self, action: str, **inputs: Any) -> Any:
        """Call an action that succeeds."""
        return self.call(action, **inputs).unwrap()

    def deliver(self, *messages: Message | bytes, mailbox: str = "INBOX") -> None:
        """Put messages into a mailbox."""
        with self.server.client() as client:
            for message in messages:
                client.append(
                    mailbox, message if isinstance(message, bytes) else message.as_bytes()
                )

    def count(self, mailbox: str) -> int:
        """Messages of a mailbox."""
        with self.server.client() as client:
            return int(client.folder_status(mailbox, ["MESSAGES"])[b"MESSAGES"])


@pytest.fixture
def rig(dovecot: Dovecot, tmp_path: Path) -> Iterator[Rig]:
    """An empty mailbox."""
    with Jackfield(
        database_url=f"sqlite:///{tmp_path}/db", environment={"JACKFIELD_HOME": str(tmp_path)}
    ) as jackfield:
        yield Rig(dovecot, jackfield)


def mail(
    subject: str = "Order",
    *,
    sender: str = "Ada Löw <ada@example.com>",
    text: str = "Two lamps.",
    **headers: str,
) -> EmailMessage:
    """A message."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, "shop@example.com", subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def test_mail_is_found_by_what_it_says_and_how_it_is_marked(rig: Rig) -> None:
    """By sender, subject, text, ID, day and flags, in any script; newest first. Nothing is marked
    as seen by that.
    """
    rig.deliver(
        mail(
            "Bestellung für Käthe",
            Message_ID="<1@example.com>",
            Date="Mon, 02 Nov 2026 09:30:00 +0100",
        ),
        mail("Invoice", sender="Bob <bob@example.com>", text="Three chairs."),
        mail("注文", sender="carol@example.com"),
    )
    found = partial(_subjects, rig)
    assert found() == ["注文", "Invoice", "Bestellung für Käthe"]
    assert found(**{"from": "bob"}) == found(text="chairs") == found(subject="voice") == ["Invoice"]
    assert (
        found(subject="für Käthe") == found(messageId="<1@example.com>") == ["Bestellung für Käthe"]
    )
    assert found(subject="注文") == ["注文"]
    assert found(since="2020-01-01") == found()
    assert found(before="2020-01-01") == found(subject="order ) UNSEEN") == []
    first = rig.output("searchMessages", messageId="<1@example.com>")["messages"][0]
    assert (first["from"], first["to"], first["date"]) == (
        ["Ada Löw <ada@example.com>"],
        ["shop@example.com"],
        "2026-11-02T08:30:00Z",
    )
    assert rig.output("flagMessages", uids=[first["uid"]], add=["seen", "flagged", "orders"]) == {
        "uids": [first["uid"]],
        "missing": [],
    }
    assert found(flags=["flagged"]) == found(flags=["orders", "seen"]) == ["Bestellung für Käthe"]
    assert found(withoutFlags=["seen"]) == ["注文", "Invoice"]
    rig.output("flagMessages", uids=[first["uid"]], remove=["flagged"])
    assert rig.output("searchMessages", flags=["orders"])["messages"][0]["flags"] == [
        "orders",
        "seen",
    ]


def _subjects(rig: Rig, **query: Any) -> list[str]:
    return [one["subject"] for one in rig.output("searchMessages", **query)["messages"]]


def test_a_search_is_read_page_by_page(rig: Rig) -> None:
    """Each message once; what arrives meanwhile is on no later page."""
    rig.deliver(*(mail(f"No {number}") for number in range(7)))
    first = rig.output("searchMessages", pageSize=3)
    rig.deliver(mail("late"))
    second = rig.output("searchMessages", pageSize=3, nextToken=first["nextToken"])
    assert [one["subject"] for one in (*first["messages"], *second["messages"])] == [
        f"No {number}" for number in range(6, 0, -1)
    ]
    result = rig.call("searchMessages", pageSize=3, fetchAll=True)
    assert [one["subject"] for one in result.unwrap()["messages"]] == [
        "late",
        *(f"No {number}" for number in range(6, -1, -1)),
    ]
    assert result.meta.complete is True
    assert (
        _code(rig.call("searchMessages", nextToken=f"{first['uidValidity'] + 1}-3")) == "conflict"
    )


def test_a_message_is_read_with_its_attachments(rig: Rig) -> None:
    """Both texts, and each attachment, as a file where that is asked for. It stays unread."""
    message = mail("Offer", Reply_To="office@example.com", In_Reply_To="<0@example.com>")
    message.add_alternative("<p>Zwei Lämpen</p>", subtype="html")
    message.add_attachment(PDF, maintype="application", subtype="pdf", filename="../../Käthe.pdf")
    message.add_attachment(mail("inner"))
    rig.deliver(message)
    uid = rig.output("searchMessages")["messages"][0]["uid"]
    read = rig.output("getMessage", uid=uid)
    assert (read["text"], read["html"], read["replyTo"], read["inReplyTo"]) == (
        "Two lamps.\n",
        "<p>Zwei Lämpen</p>\n",
        ["office@example.com"],
        "<0@example.com>",
    )
    assert [(one["name"], one["contentType"], one.get("file")) for one in read["attachments"]] == [
        (".._.._Käthe.pdf", "application/pdf", None),
        ("", "message/rfc822", None),
    ]
    stored = rig.output("getMessage", uid=uid, includeAttachments=True)["attachments"][0]
    with rig.jackfield.files.open_by_id("default", stored["file"]["file"]) as stream:
        assert stream.read() == PDF
    assert stored["size"] == len(PDF)
    assert _subjects(rig, withoutFlags=["seen"]) == ["Offer"]
    assert _code(rig.call("getMessage", uid=uid + 1)) == "not_found"
    assert _code(rig.call("getMessage", uid=uid, uidValidity=1)) == "conflict"
    assert _code(rig.call("getMessage", uid=uid, mailbox="Nowhere")) == "not_found"


def test_mail_is_moved_and_deleted(rig: Rig) -> None:
    """Once: what is not there any more is named."""
    rig.deliver(mail("a"), mail("b"), mail("c"))
    uids = [one["uid"] for one in rig.output("searchMessages")["messages"]]
    assert rig.output("moveMessages", uids=uids[:2], to="Archive") == {
        "uids": uids[:2],
        "missing": [],
    }
    assert rig.output("moveMessages", uids=uids[:2], to="Archive") == {
        "uids": [],
        "missing": uids[:2],
    }
    assert (rig.count("INBOX"), rig.count("Archive")) == (1, 2)
    assert rig.output("deleteMessages", uids=[*uids, 9999])["missing"] == [*uids[:2], 9999]
    assert rig.count("INBOX") == 0
    assert _code(rig.call("moveMessages", uids=[1], to="Nowhere", mailbox="Archive")) == "not_found"
    assert rig.count("Archive") == 2


def test_mailboxes_are_listed(rig: Rig) -> None:
    """With what each is for; names of any script, and levels."""
    with rig.server.client() as client:
        client.create_folder("Bücher/Zwölf")
    found = {one["name"]: one for one in rig.output("listMailboxes")["mailboxes"]}
    assert (
        found["Drafts"]["use"],
        found["INBOX"].get("use"),
        found["Bücher/Zwölf"]["separator"],
    ) == ("drafts", None, "/")
    rig.deliver(mail("deep"), mailbox="Bücher/Zwölf")
    assert _subjects(rig, mailbox="Bücher/Zwölf") == ["deep"]


def test_a_draft_is_saved(rig: Rig) -> None:
    """As one that a mail program shows; a header cannot be smuggled in."""
    saved = rig.output(
        "saveDraft",
        to=["Käthe <kaethe@example.com>"],
        subject="Für Sie",
        text="Guten Tag,",
        html="<p>Guten Tag,</p>",
    )
    read = rig.output(
        "getMessage", mailbox="Drafts", uid=saved["uid"], uidValidity=saved["uidValidity"]
    )
    assert (read["subject"], read["to"], read["text"], read["html"]) == (
        "Für Sie",
        ["Käthe <kaethe@example.com>"],
        "Guten Tag,\n",
        "<p>Guten Tag,</p>\n",
    )
    assert {"draft", "seen"} <= {*read["flags"]}
    for smuggled in (
        {"subject": "x\r\nBcc: eve@example.com"},
        {"to": ["a@b.example\nBcc: eve@example.com"]},
    ):
        assert _code(rig.call("saveDraft", text="x", **smuggled)) == "invalid_input"
    assert rig.count("Drafts") == 1


def _code(result: Result) -> str | None:
    return result.error.code if result.error is not None else None


@pytest.mark.parametrize("loss", ["cut", "silent"])
def test_a_draft_without_an_answer_is_saved_once(rig: Rig, loss: str) -> None:
    """The server has it, nobody says so, and it is not sent again: it is in doubt."""
    with DatabaseProxy(rig.server.port, b"the end of the draft") as proxy:
        rig.port = proxy.port
        rig.output("listMailboxes")
        proxy.swallow(1, then_silent=loss == "silent")
        result = rig.call("saveDraft", text="the end of the draft", timeout=3.0)
    assert (result.status, rig.count("Drafts")) == ("in_doubt", 1), result.error


@pytest.mark.parametrize("took", [True, False])
def test_a_draft_without_an_answer_is_looked_for(
    dovecot: Dovecot, tmp_path: Path, *, took: bool
) -> None:
    """By its Message-ID: the doubt is settled if the server has it."""
    url = f"sqlite:///{tmp_path / 'jackfield.db'}"
    open_database(url, migrate=True).close()
    clock = StillClock()
    environment = {
        "JACKFIELD_HOME": str(tmp_path),
        "JACKFIELD_DATABASE_URL": url,
        "JACKFIELD_SETTLE": "on",
    }
    with (
        DatabaseProxy(dovecot.port, b"the end of the draft") as proxy,
        contextlib.closing(RuntimePool(environment, clock)) as pool,
    ):
        runtime, rig = pool.find("default"), Rig(dovecot, pool.find("default"))
        time_passes(0.0, clock, pool.storage.database)
        runtime.connections.add("mail", "imap/login", {**rig.values(), "port": proxy.port})
        proxy.swallow(1)
        given = {
            "connector": "imap",
            "action": "saveDraft",
            "connection": "mail",
            "inputs": {"text": "the end of the draft"},
        }
        lost = runtime.invoke(given)
        if not took:
            dovecot.empty()
        clock.advance(7.0)
        time_passes(0.0, clock, pool.storage.database)
        look_while_due(EvidenceLoop(pool))
        entry = runtime.journal.find(lost.meta.invocation_id)  # type: ignore[union-attr]
    assert (lost.status, entry.status, entry.resolved_by) == (
        ("in_doubt", "succeeded", "evidence") if took else ("in_doubt", "in_doubt", None)
    ), entry.to_json()
    assert Rig(dovecot, runtime).count("Drafts") == int(took)


@pytest.mark.parametrize(
    ("action", "command", "inputs"),
    [
        ("moveMessages", b"MOVE", {"to": "Archive"}),
        ("deleteMessages", b"EXPUNGE", {}),
        ("flagMessages", b"STORE", {"add": ["seen"]}),
    ],
)
def test_what_may_be_repeated_is_repeated(
    rig: Rig, action: str, command: bytes, inputs: dict[str, Any]
) -> None:
    """An answer that is lost costs another attempt, and nothing is done twice."""
    rig.deliver(mail("a"), mail("b"))
    uid = rig.output("searchMessages")["messages"][0]["uid"]
    with DatabaseProxy(rig.server.port, command) as proxy:
        rig.port = proxy.port
        rig.output("listMailboxes")
        proxy.swallow(1)
        result = rig.call(action, uids=[uid], **inputs)
        lost = proxy.swallowed
    assert (result.status, result.meta.attempts, lost) == ("succeeded", 2, 1), result.error
    assert rig.count("INBOX") + rig.count("Archive") == (1 if action == "deleteMessages" else 2)


def test_an_idle_connection_that_has_ended_is_not_used(rig: Rig) -> None:
    """The next call goes over a new one, once; one that ended silently costs no more than its
    proof.
    """
    with DatabaseProxy(rig.server.port) as proxy:
        rig.port = proxy.port
        rig.output("listMailboxes")
        proxy.reset()
        result = rig.call("saveDraft", text="x")
        assert (result.status, result.meta.attempts) == ("succeeded", 1), result.error
        proxy.drop("client")
        late = rig.call("saveDraft", text="x", timeout=2.5)
        proxy.deliver()
    assert (late.status, _code(late)) == ("failed", "timeout")
    assert rig.count("Drafts") == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"password": "s3cret-of-eve"}, "unauthenticated"),
        ({"username": "s3cret"}, "unauthenticated"),
        ({"port": 1}, "unavailable"),
        ({"hostname": "does-not-exist.invalid"}, "unavailable"),
        ({"tls": "verify", "startTls": True}, "unavailable"),
        ({"tls": "verify"}, "unavailable"),
    ],
)
def test_a_login_that_fails_says_why(rig: Rig, changed: dict[str, Any], code: str) -> None:
    """The error names the cause and no secret, and a server without TLS gets no login."""
    result = rig.call("saveDraft", text="x", values=rig.values(**changed), timeout=5.0)
    assert (result.status, _code(result)) == ("failed", code), result.error
    assert "s3cret" not in str(result.error)
    assert "s3cret-of-eve" not in rig.server.log


def test_a_connection_test_tells_whose_account_it_is(rig: Rig) -> None:
    """The login is tried, and the account is named."""
    named = {"good": rig.values(), "bad": rig.values(password="no")}
    connections = {name: {"type": "imap/login", "values": values} for name, values in named.items()}
    with Jackfield(connections=[connections], database_url="none") as jackfield:
        good, bad = (jackfield.connections.test(name) for name in named)
    assert (good["status"], good["account"]["label"]) == ("ok", "ada at 127.0.0.1")
    assert (bad["status"], bad["lastTest"]["steps"][0]["passed"]) == ("failing", False)


def test_connections_are_kept_and_closed(rig: Rig) -> None:
    """Calls share a connection, and it says goodbye at the end."""
    before = rig.server.log.count("Logged out")
    with Jackfield(database_url="none") as jackfield:
        for _ in range(3):
            connection = {"type": "login", "values": rig.values()}
            jackfield.invoke(
                {
                    "connector": "imap",
                    "action": "listMailboxes",
                    "inputs": {},
                    "connection": connection,
                }
            ).unwrap()
    until(
        lambda: (
            "imap(ada)" in rig.server.log
            and rig.server.log.count("Connection closed") + rig.server.log.count("Logged out")
            > before
        )
    )


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "::ffff:127.0.0.1"]
)
def test_only_allowed_addresses_are_reached(rig: Rig, host: str) -> None:
    """A connection of somebody who may not reach the operator's network does not, by name or
    address.
    """
    login = LoginType.model_validate(rig.values(hostname=host))
    with pytest.raises(InvalidConnection):
        login.connect(Guard(), Deadline.after(30.0, CLOCK))


def test_a_certificate_is_checked_by_authority_and_name(rig: Rig, tmp_path: Path) -> None:
    """Before the greeting or after it: only the server that its authority and name are known of
    gets the login.
    """
    authority = Authority(tmp_path)
    pem = tmp_path / "server.pem"
    pem.write_bytes(authority.pem("localhost"))
    tried = trials(authority.bundle, tmp_path)
    with fronting(rig.server.port, pem) as front:
        rig.port = front.port
        first = {
            why: rig.call("listMailboxes", values=rig.values(**changed))
            for why, changed in tried.items()
        }
    later = Dovecot(pem)
    try:
        rig.port = later.port
        second = {
            why: rig.call("listMailboxes", values=rig.values(**changed, startTls=True))
            for why, changed in tried.items()
        }
        clear = [
            line
            for line in later.log.splitlines()
            if "Login: user=<ada>" in line and "TLS" not in line
        ]
    finally:
        later.close()
    for results in (first, second):
        only_the_known_server(results)
    assert clear == []


class _LoginOnly(socketserver.StreamRequestHandler):
    """What a server says that has the command LOGIN, and no mechanism: Dovecot cannot be made
    to.
    """

    said: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        """Say OK to each command, and note the login."""
        self.wfile.write(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        for line in self.rfile:
            tag, command, *_ = line.split(b" ")
            self.said.extend([line] if command == b"LOGIN" else [])
            self.wfile.write(
                (b"* CAPABILITY IMAP4rev1\r\n" if command.strip() == b"CAPABILITY" else b"")
                + tag
                + b" OK done\r\n"
            )


def test_a_server_that_has_only_login_gets_what_it_can_take(rig: Rig) -> None:
    """ASCII, quoted; anything else is not sent."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _LoginOnly)
    server.daemon_threads = True
    with contextlib.closing(server.socket):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        rig.port = server.server_address[1]
        quoted = rig.values(username='a"b c', password='s3cret"\\')
        assert rig.call("listMailboxes", values=quoted).status == "succeeded"
        assert _code(rig.call("listMailboxes")) == "unauthenticated"
        server.shutdown()
    assert [line.partition(b" ")[2] for line in _LoginOnly.said] == [
        b'LOGIN "a\\"b c" "s3cret\\"\\\\"\r\n'
    ]


def _polled(rig: Rig, mark: dict[str, Any]) -> Polled:
    """Poll the mailbox once, as the runtime does."""
    pool = SessionPool(partial(LoginType.model_validate(rig.values()).connect, ANYWHERE), CLOCK)
    try:
        return new_messages(
            Watched.model_validate({}),
            ImapClient(pool, Call(Deadline.after(30.0, CLOCK))),
            Since(0, mark),
        )
    finally:
        pool.close()


@pytest.mark.parametrize("there", [0, 2])
def test_new_mail_is_told_once_and_in_order(rig: Rig, there: int) -> None:
    """What was there is not told; what comes is, page by page, also after mail was deleted."""
    rig.deliver(*(mail("old") for _ in range(there)))
    page = _polled(rig, {})
    assert page.events == []
    assert _polled(rig, dict(page.next)).events == []
    rig.deliver(*(mail(f"No {number}") for number in range(130)))
    told: list[str] = []
    sizes: list[int] = []
    while not sizes or page.more:
        page = _polled(rig, dict(page.next))
        told += [str(one.data.subject) for one in page.events if isinstance(one.data, Summary)]
        sizes.append(len(page.events))
    assert (told, sizes) == ([f"No {number}" for number in range(130)], [100, 30])
    rig.server.empty()
    assert _polled(rig, dict(page.next)).events == []
    assert _polled(rig, {"validity": 1, "after": 0}).events == []


@given(st.binary(max_size=2000))
def test_any_message_is_read(raw: bytes) -> None:
    """Whatever somebody has sent: no exception, and texts that are texts."""
    for content in (
        raw,
        b"From: " + raw,
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\n" + raw + b"\n--x--",
    ):
        message = message_from_bytes(content)
        shown = [
            text_of(message, "Subject"),
            date_of(message),
            *addresses_of(message, "From"),
            *texts_of(message),
        ]
        shown += [one.name for one in attachments_of(message)]
        assert "\n" not in (shown[0] or "")
        assert all(one.encode("utf-8", "surrogatepass") for one in shown if one)


def test_many_parts_are_bounded() -> None:
    """A message of thousands of parts costs no more than one of hundreds."""
    raw = (
        b"Content-Type: multipart/mixed; boundary=x\n\n"
        + b"--x\nContent-Disposition: attachment\n\na\n" * 5000
        + b"--x--"
    )
    assert 0 < len(attachments_of(message_from_bytes(raw))) <= 500
