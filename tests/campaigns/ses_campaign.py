"""What SES tells of messages, over SNS, doubled and shuffled, to two servers of which one is killed
every two seconds: issue 30.

``make campaign ses-events`` runs it with 5,000 notifications on SQLite, then on PostgreSQL;
``SIZE=500`` takes fewer, ``KILL_EVERY=5`` kills less often. A server that is not up yet is killed
as soon as it is: a busy machine takes longer than that to start one. By hand::

    export PYTHONPATH=.:tests/support:connectors/aws-ses/tests
    SIZE=500 python tests/campaigns/ses_campaign.py [sqlite] [postgresql]

Each notification is signed by SNS's rules, some are published twice by SES, with another ID, and
each is sent up to three times, and until it is answered with 200, as SNS does. At the end each
event is in the feed once, with the invocation that sent the message, and each invocation shows the
outcome of the highest severity, whatever came first.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from queue import Empty, Queue
from typing import Any, NamedTuple

from http_stand import Client, clean
from jackfield.kernel.clock import SystemClock
from jackfield_store.access import Tokens
from jackfield_store.resources.storage import Storage
from ports import free_ports
from postgres import own_database
from publishing_aws import PublishingAws, publishing_aws
from sns_signer import note
from waiting import until

_SIZE = int(os.environ.get("SIZE", "5000"))
_KILL_EVERY = float(os.environ.get("KILL_EVERY", "2"))
_SENDERS = 6
_AGAIN, _REPUBLISHED = 2, 0.1
"""Times that SNS sends a notification again without need, at most; and the part of them that SES
publishes twice.
"""
_PAUSE = 0.05
_TOPIC = "arn:aws:sns:eu-west-1:123456789012:jackfield-receipts"
_TYPES = ["bounced", "complained", "delivered", "delayed", "opened"]
_NAMES = {
    "Bounce": "bounced",
    "Complaint": "complained",
    "Delivery": "delivered",
    "DeliveryDelay": "delayed",
    "Open": "opened",
}
_LIVES: Mapping[str, tuple[Sequence[str], str]] = {
    "delivered": (("delay", "full", "delivery", "open", "open"), "delivered"),
    "bounced": (("delay", "full", "delivery", "gone", "open"), "bounced: no such mailbox"),
    "complained": (("delay", "delivery", "gone", "complaint", "open"), "complained: abuse"),
    "full": (("delay", "delay", "full", "full", "open"), "bounced, may be delivered: mailbox full"),
}
"""What happens to messages, and the outcome that the journal shows in the end."""


class Sent(NamedTuple):
    """A message: the invocation that sent it, its recipients, and what happens to it."""

    invocation: str
    message: str
    to: list[str]
    life: str


class Figures(NamedTuple):
    """What came out."""

    database: str
    notifications: int
    requests: int
    unanswered: int
    kills: int
    seconds: float
    events: int
    missing: int
    repeated: int
    without_invocation: int
    wrong_outcomes: int


def _record(kind: str, of: Sent, about: Mapping[str, Any]) -> dict[str, Any]:
    mail = {
        "timestamp": "2026-11-20T10:00:00.000Z",
        "messageId": of.message,
        "source": "noreply@example.com",
        "destination": of.to,
        "sendingAccountId": "123456789012",
        "tags": {"ses:configuration-set": ["receipts"]},
        "headersTruncated": False,
    }
    return {"eventType": kind, "mail": mail, f"{kind[0].lower()}{kind[1:]}": about}


def _happened(step: str, number: int, of: Sent) -> dict[str, Any]:
    """The record of the ``number``-th thing that happens to a message."""
    at, first = f"2026-11-20T10:0{number}:00.000Z", [{"emailAddress": of.to[0]}]
    if step == "delay":
        return _record(
            "DeliveryDelay",
            of,
            {"timestamp": at, "delayType": "MailboxFull", "delayedRecipients": first},
        )
    if step == "delivery":
        return _record(
            "Delivery",
            of,
            {
                "timestamp": at,
                "recipients": of.to,
                "smtpResponse": "250 ok",
                "processingTimeMillis": 546,
            },
        )
    if step == "open":
        return _record("Open", of, {"timestamp": at, "userAgent": "Mail", "ipAddress": "192.0.2.1"})
    feedback = {"timestamp": at, "feedbackId": f"f-{of.message}-{number}"}
    if step == "complaint":
        return _record(
            "Complaint",
            of,
            {**feedback, "complainedRecipients": first, "complaintFeedbackType": "abuse"},
        )
    kinds = (
        {"bounceType": "Permanent", "bounceSubType": "NoEmail"}
        if step == "gone"
        else {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
    )
    return _record("Bounce", of, {**feedback, **kinds, "bouncedRecipients": first})


class Servers:
    """Two servers on one database, each on a port of its own."""

    def __init__(self, environment: Mapping[str, str], log: Path, stack: ExitStack) -> None:
        self.ports = free_ports(2)
        self._environment = environment
        self._log = stack.enter_context(log.open("wb"))
        self._running = [self._started(port) for port in self.ports]
        self.kills = 0
        stack.callback(self._stop)

    def _started(self, port: int) -> subprocess.Popen[bytes]:
        options = ["--port", str(port), "--public-url", "https://hooks.example"]
        command = [sys.executable, "-m", "jackfield", "serve", *options]
        return subprocess.Popen(
            command, env=dict(self._environment), stdout=self._log, stderr=self._log
        )

    @property
    def oldest(self) -> int:
        """The port of the one that has run for longer."""
        return self.ports[self.kills % 2]

    def kill(self) -> None:
        """Kill the one that has run for longer, and start it again."""
        process, port = self._running.pop(0), self.oldest
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.kills += 1
        self._running.append(self._started(port))

    def _stop(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()


class Campaign:
    """One campaign on one database."""

    def __init__(self, url: str, folder: Path, aws: PublishingAws, stack: ExitStack) -> None:
        self._aws, self._choose = aws, random.Random(30)
        environment = clean(folder / "home", JACKFIELD_DATABASE_URL=url)
        with Storage(url, environment, SystemClock()) as storage:
            storage.opened(migrate=True).close()
            self._token = (
                Tokens(storage.database, storage.vault, "default", SystemClock())
                .create("manage")
                .text
            )
        self.servers = Servers(environment, folder / "servers.log", stack)
        self.requests, self.unanswered = 0, 0
        self._lock = threading.Lock()
        self.client = Client(self.servers.ports[0], self._token)
        self._aws.hooks = self.servers.ports[0]
        self.wait()
        self._watch()

    def wait(self) -> None:
        """Wait until both servers are up."""
        until(lambda: all(self._is_up(port) for port in self.servers.ports))

    def _is_up(self, port: int) -> bool:
        with suppress(OSError, HTTPException):
            return Client(port, self._token).get("/readyz").status == 200
        return False

    def _watch(self) -> None:
        values = {
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "secretAccessKey": "s3cret-key",
            "endpoint": self._aws.url,
            "region": "eu-west-1",
        }
        made = self.client.post(
            "/v1/connections?test=false",
            {"name": "acme", "type": "aws/apiKeySecret", "values": values},
        )
        assert made.status == 201, made.body
        inputs = {"configurationSetName": "receipts", "types": _TYPES}
        document = {
            "name": "mail",
            "trigger": "aws-ses/mailEvents",
            "connection": "acme",
            "inputs": inputs,
        }
        assert self.client.post("/v1/subscriptions", document).status == 201
        until(lambda: self.client.get("/v1/subscriptions/mail").json["status"] == "active")
        (self._url,) = self._aws.confirmed

    def sent(self, number: int) -> Sent:
        """Send a message, over a connection of AWS; every tenth has two recipients."""
        life = [*_LIVES][number % len(_LIVES)]
        to = [
            f"r{number}@example.com",
            *([f"s{number}@example.com"] if life == "delivered" and number % 40 == 0 else []),
        ]
        inputs = {
            "to": to,
            "sender": "noreply@example.com",
            "subject": "Hi",
            "text": "Hi",
            "configurationSetName": "receipts",
        }
        document = {
            "connector": "aws-ses",
            "action": "sendEmail",
            "connection": "acme",
            "inputs": inputs,
        }
        result = self.client.post("/v1/invocations", document).json
        return Sent(result["meta"]["invocationId"], result["output"]["MessageId"], to, life)

    def notifications(self, messages: Sequence[Sent]) -> list[dict[str, Any]]:
        """All requests that SNS begins with, shuffled."""
        found = []
        for of in messages:
            for number, step in enumerate(_LIVES[of.life][0]):
                text = json.dumps(_happened(step, number, of))
                for _ in range(1 + (self._choose.random() < _REPUBLISHED)):
                    message = note(text, time.time(), topic=_TOPIC, origin=self._aws.url)
                    found += [message] * (1 + self._choose.randint(0, _AGAIN))
        self._choose.shuffle(found)
        return found

    def publish(self, messages: Sequence[dict[str, Any]]) -> None:
        """Send all of them while servers are killed."""
        waiting: Queue[dict[str, Any]] = Queue()
        for message in messages:
            waiting.put(message)
        done = threading.Event()
        killer = threading.Thread(target=self._kill_until, args=(done,))
        senders = [
            threading.Thread(target=self._send_all, args=(waiting, place))
            for place in range(_SENDERS)
        ]
        for thread in (killer, *senders):
            thread.start()
        for thread in senders:
            thread.join()
        done.set()
        killer.join()

    def _kill_until(self, done: threading.Event) -> None:
        while not done.wait(_KILL_EVERY):
            while not done.is_set() and not self._is_up(self.servers.oldest):
                time.sleep(_PAUSE)
            self.servers.kill()

    def _send_all(self, waiting: Queue[dict[str, Any]], place: int) -> None:
        aws = PublishingAws("", hooks=self.servers.ports[place % 2])
        with suppress(Empty):
            while True:
                message, status = waiting.get_nowait(), 0
                with suppress(OSError, HTTPException):
                    status = aws.deliver(message, self._url).status
                assert status in (0, 200, 429, 503), status
                with self._lock:
                    self.requests += 1
                    self.unanswered += status != 200
                if status != 200:
                    waiting.put(message)
                    aws.hooks = self.servers.ports[aws.hooks == self.servers.ports[0]]
                    time.sleep(_PAUSE)

    def events(self) -> Iterator[dict[str, Any]]:
        """All events of SES in the feed."""
        after = ""
        while items := (
            page := self.client.get(f"/v1/events?types=aws_ses.*&limit=200{after}").json
        )["items"]:
            yield from items
            after = f"&after={page['nextCursor']}"


def _wanted(messages: Sequence[Sent]) -> Counter[tuple[str, str, str]]:
    """The events that there are to be: of a delivery one for each recipient; who opens a message to
    several, nobody knows.
    """
    found: Counter[tuple[str, str, str]] = Counter()
    for of in messages:
        for number, step in enumerate(_LIVES[of.life][0]):
            kind = _NAMES[_happened(step, number, of)["eventType"]]
            whom = (
                of.to
                if kind == "delivered"
                else [""]
                if kind == "opened" and len(of.to) > 1
                else of.to[:1]
            )
            found.update((f"aws_ses.{kind}", of.message, one) for one in whom)
    return found


def run(name: str, url: str, folder: Path, stack: ExitStack) -> Figures:
    """Run the campaign on one database."""
    campaign = Campaign(url, folder, stack.enter_context(publishing_aws()), stack)
    messages = [campaign.sent(number) for number in range(_SIZE // 5)]
    genuine = sum(len(_LIVES[of.life][0]) for of in messages)
    requests = campaign.notifications(messages)
    begun = time.monotonic()
    campaign.publish(requests)
    seconds = time.monotonic() - begun
    campaign.wait()
    sent_by, wanted, got, orphans = (
        {of.message: of.invocation for of in messages},
        _wanted(messages),
        Counter[tuple[str, str, str]](),
        0,
    )
    for event in campaign.events():
        payload = event["data"]["payload"]
        got[event["type"], payload["messageId"], payload.get("recipient") or ""] += 1
        orphans += event["data"].get("invocationId") != sent_by[payload["messageId"]]
    outcomes = [
        campaign.client.get(f"/v1/invocations/{of.invocation}").json.get("outcome")
        for of in messages
    ]
    wrong = sum(
        outcome != _LIVES[of.life][1] for of, outcome in zip(messages, outcomes, strict=True)
    )
    missing, repeated = (wanted - got).total(), (got - wanted).total()
    return Figures(
        name,
        genuine,
        campaign.requests,
        campaign.unanswered,
        campaign.servers.kills,
        round(seconds, 1),
        got.total(),
        missing,
        repeated,
        orphans,
        wrong,
    )


def _main(names: Sequence[str]) -> int:
    faults = 0
    for name in names or ("sqlite", "postgresql"):
        with ExitStack() as stack:
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            )
            found = run(name, stack.enter_context(own_database(name, folder)), folder, stack)
        sys.stdout.write(json.dumps(found._asdict()) + "\n")
        sys.stdout.flush()
        faults += found.missing + found.repeated + found.without_invocation + found.wrong_outcomes
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
