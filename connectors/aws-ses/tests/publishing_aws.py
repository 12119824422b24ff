"""An AWS whose SES publishes: moto's SNS and SQS, or a simulator of SES, and before it a server
that has what those lack.

That is: event destinations of configuration sets, receipt rules, sends with an ID of their own, the
certificate that SNS signs with, and subscriptions over HTTPS that have to be confirmed. ``publish``
is what SES does with an event of a message.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from http_stand import Stand, standing
from jackfield.testing import Answer, Provider, Request
from jackfield_service.shell.process.settings import ServerSettings
from moto_server import moto_server
from replies import Reply
from smtp_rig import authority
from sns_signer import PATH, asking, body, certificate, note

_DESTINATIONS = re.compile(r"/v2/email/configuration-sets/([^/]+)/event-destinations(?:/([^/]+))?")
TOPIC = "arn:aws:sns:eu-west-1:123456789012:jackfield-receipts"
_OF_TOPICS = {
    "CreateTopic": f"<TopicArn>{TOPIC}</TopicArn>",
    "GetTopicAttributes": "<Attributes/>",
    "SetTopicAttributes": "",
    "Subscribe": f"<SubscriptionArn>{TOPIC}:s-1</SubscriptionArn>",
    "Unsubscribe": "",
    "DeleteTopic": "",
}
"""What SNS answers, where the simulator has none."""
_XML = '<{0}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><{0}Result>{1}</{0}Result>'
_XML_END = "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{0}Response>"


@dataclass
class PublishingAws:
    """``hooks`` is the port of the server that receives; ``asked`` lists what was asked of SNS, of
    event destinations and of receipt rules. ``behind`` is moto, or the simulator, which sends
    itself and has no SNS. ``rules`` are the receipt rules as they were asked for, ``active`` is the
    active rule set, ``refuses`` the code that refuses a receipt rule; ``loses`` how many of the
    requests get lost by which SNS asks whether a subscription is wanted. ``sends`` are the messages
    that were accepted, of which ``hangs_up`` more are answered with an empty 500.
    """

    behind: str
    simulated: bool = False
    url: str = ""
    hooks: int = 0
    asked: list[str] = field(default_factory=list)
    destinations: dict[str, dict[str, Any]] = field(default_factory=dict)
    subscribed: dict[str, str] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    rules: dict[str, dict[str, str]] = field(default_factory=dict)
    active: str = "inbound"
    refuses: str = ""
    certificates: int = 0
    loses: int = 0
    sends: list[dict[str, Any]] = field(default_factory=list)
    hangs_up: int = 0
    _sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, members: Mapping[str, Any], url: str, **headers: str) -> Reply:
        """Send a message to a webhook, as SNS does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.hooks, timeout=120)
        fields = {
            "Content-Type": "text/plain; charset=UTF-8",
            "x-amz-sns-message-type": str(members.get("Type")),
            **headers,
        }
        connection.request("POST", urlsplit(url).path, body(members), fields)
        reply = Reply.read(connection.getresponse())
        connection.close()
        return reply

    def publish(self, record: Any, topic: str, *, version: str = "2", **more: Any) -> list[int]:
        """Publish a record to all confirmed webhooks of a topic, and return their statuses."""
        text = record if isinstance(record, str) else json.dumps(record)
        message = note(text, time.time(), topic=topic, origin=self.url, version=version, **more)
        return [self.deliver(message, url).status for url in sorted(self.confirmed)]

    def _subscribe(self, given: Mapping[str, str]) -> None:
        url, topic = given["Endpoint"], given["TopicArn"]
        token = f"t-{len(self.subscribed)}"
        self.subscribed[token] = url
        if self.loses:
            self.loses -= 1
            return
        message = asking(time.time(), token, topic=topic, origin=self.url)
        threading.Thread(target=self.deliver, args=(message, url), daemon=True).start()

    def own(self, method: str, path: str, raw: bytes) -> tuple[int, bytes, str] | None:
        """Answer what moto does not; None for the rest."""
        found = _DESTINATIONS.fullmatch(path)
        if found is not None:
            return self._destination(method, found[1], found[2], json.loads(raw or b"{}"))
        if path == "/v2/email/outbound-emails" and not self.simulated:
            with self._lock:
                self._sent += 1
                self.sends.append(json.loads(raw))
                if self.hangs_up:
                    self.hangs_up -= 1
                    return 500, b"", "application/json"
            return 200, json.dumps({"MessageId": f"m-{self._sent}"}).encode(), "application/json"
        if path == PATH:
            self.certificates += 1
            return 200, certificate(), "application/x-pem-file"
        return self._of_sns(raw) if raw.startswith(b"Action=") else None

    def _of_sns(self, raw: bytes) -> tuple[int, bytes, str] | None:
        given = {name: values[0] for name, values in parse_qs(raw.decode("latin-1")).items()}
        action = given["Action"]
        self.asked.append(action)
        if action == "Subscribe" and given["Protocol"] == "https":
            self._subscribe(given)
        if action == "Unsubscribe":
            self.confirmed.clear()
        if action.endswith(("ReceiptRule", "ReceiptRuleSet")):
            return self._rule(action, given)
        if (
            action == "GetSubscriptionAttributes"
            and given["SubscriptionArn"].endswith(":s-1")
            and self.confirmed
        ):
            return (
                200,
                (_XML.format(action, "<Attributes/>") + _XML_END.format(action)).encode(),
                "text/xml",
            )
        if action in _OF_TOPICS and self.simulated:
            inner = _OF_TOPICS[action]
            return 200, (_XML.format(action, inner) + _XML_END.format(action)).encode(), "text/xml"
        if action != "ConfirmSubscription":
            return None
        if (
            given["Token"] not in self.subscribed
            or given.get("AuthenticateOnUnsubscribe") != "true"
        ):
            return (
                400,
                b"<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>",
                "text/xml",
            )
        self.confirmed.add(self.subscribed[given["Token"]])
        inner = f"<SubscriptionArn>{given['TopicArn']}:s-1</SubscriptionArn>"
        return 200, (_XML.format(action, inner) + _XML_END.format(action)).encode(), "text/xml"

    def _rule(self, action: str, given: dict[str, str]) -> tuple[int, bytes, str]:
        name = given.get("RuleName", given.get("Rule.Name", ""))
        refused = self.refuses or (
            "AlreadyExists" if action == "CreateReceiptRule" and name in self.rules else ""
        )
        if refused and action != "DescribeActiveReceiptRuleSet":
            return (
                400,
                f"<ErrorResponse><Error><Code>{refused}</Code></Error></ErrorResponse>".encode(),
                "text/xml",
            )
        if action == "DeleteReceiptRule":
            self.rules.pop(name, None)
        elif name:
            self.rules[name] = given
        inner = (
            f"<Metadata><Name>{self.active}</Name></Metadata>"
            if action.startswith("Describe") and self.active
            else ""
        )
        return 200, (_XML.format(action, inner) + _XML_END.format(action)).encode(), "text/xml"

    def _destination(
        self, method: str, of: str, name: str | None, given: Mapping[str, Any]
    ) -> tuple[int, bytes, str]:
        known = self.destinations.setdefault(of, {})
        self.asked.append(f"{method} destination")
        if method == "GET":
            items = [{"Name": name, **about} for name, about in known.items()]
            return 200, json.dumps({"EventDestinations": items}).encode(), "application/json"
        name = name or given["EventDestinationName"]
        if method == "DELETE" and known.pop(name, None) is None:
            return 404, b'{"__type": "NotFoundException"}', "application/json"
        if method in ("POST", "PUT"):
            known[name] = given["EventDestination"]
        return 200, b"{}", "application/json"


@contextmanager
def publishing_aws(simulator: str = "") -> Iterator[PublishingAws]:
    """Serve it until left, before moto or the simulator at a URL."""
    with nullcontext(simulator) if simulator else moto_server() as behind:
        aws = PublishingAws(behind, simulated=bool(simulator))

        def of_others(request: Request) -> tuple[Any, ...]:
            connection = http.client.HTTPConnection(urlsplit(aws.behind).netloc, timeout=120)
            connection.request(request.method, request.path, request.body, dict(request.headers))
            reply = Reply.read(connection.getresponse())
            connection.close()
            code = reply.headers.get("x-amzn-errortype")
            return (
                reply.status,
                reply.body,
                reply.headers.get("content-type", "text/xml"),
                *([code] if code else []),
            )

        def answer(_number: int, request: Request) -> Answer:
            status, content, kind, *code = aws.own(
                request.method, request.path, request.body
            ) or of_others(request)
            fields = {
                "Content-Type": kind,
                "x-amzn-RequestId": "r-1",
                **({"x-amzn-ErrorType": code[0]} if code else {}),
            }
            return Answer(status=status, headers=fields, content=content)

        with Provider(answer, keeps=True) as far:
            aws.url = far.url
            yield aws


@contextmanager
def connected(aws: PublishingAws, folder: Path, settle: str = "show") -> Iterator[Stand]:
    """Run a server that AWS reaches, with the connection ``acme`` to it; ``settle`` is what becomes
    of evidence.
    """
    settings = ServerSettings(
        port=0, guesses=0.0, stop_within=5.0, public_url="https://hooks.example"
    )
    with standing(
        folder, settings, JACKFIELD_SETTLE=settle, AWS_CA_BUNDLE=str(authority().bundle)
    ) as opened:
        aws.hooks = opened.port
        values = {
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "secretAccessKey": "s3cret-key",
            "endpoint": aws.url,
            "region": "eu-west-1",
        }
        document = {"name": "acme", "type": "aws/apiKeySecret", "values": values}
        made = opened.client().call("POST", "/v1/connections?test=false", document)
        assert made.status == 201, made.body
        yield opened
