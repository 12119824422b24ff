"""``make prove-public``: what well-known libraries of PyPI do with a write whose answer is lost, each with its default settings.

They are installed into an environment of their own (``.cache/prove-public``), and run by ``jackfield prove`` through its proxy: no service is
called, and all credentials are made up. The table goes to ``docs/prove-results.md``. ``python -m benchmarks.prove_public NAME ...`` proves
some, and writes nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from benchmarks.cold import COMMAND
from benchmarks.measure import ROOT
from jackfield_market.testing.proving.faults import FAULTS

_FOLDER = ROOT / ".cache" / "prove-public"
_PYTHON = _FOLDER / "environment" / "bin" / "python"
_PAGE = ROOT / "docs" / "prove-results.md"
_SECONDS = 1800
_OWN = tuple(word for fault in FAULTS if not (fault.is_started_again or fault.asked) for word in ("--only", fault.name))
_POST = "import requests\ndef post():\n    requests.post('https://api.example.com/orders', json={'sku': 'lamp'}, timeout=30).raise_for_status()\n"


@dataclass(frozen=True)
class Software:
    """A library: ``packages`` to install, a program that sends one write with it, further options."""

    name: str
    packages: str
    program: str
    answers: str = ""
    options: tuple[str, ...] = ()

    def _file(self, kind: str) -> Path:
        return _FOLDER / f"prove-{'-'.join(self.name.replace(',', '').split())}.{kind}"

    @property
    def words(self) -> list[str]:
        """The command that proves it."""
        given: list[str] = []
        if self.answers:
            file = self._file("json")
            file.write_text(self.answers, encoding="utf-8")
            given = ["--answers", str(file)]
        file = self._file("py")
        file.write_text(dedent(self.program), encoding="utf-8")
        return ["prove", "--json", "--silence", "2s", *_OWN, *self.options, *given, "--", str(_PYTHON), str(file)]


_DIRECT = ("--base-url-variable", "API_URL")
"""Without the proxy: urllib3 takes a reset within one for a failure of the proxy, and repeats all methods then."""
SOFTWARE = (
    Software("requests", "requests", f"{_POST}post()"),
    Software(
        "requests, Retry(3)", "requests urllib3",
        """
        import os, requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry
        session = requests.Session()
        session.mount("http://", HTTPAdapter(max_retries=Retry(3, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504])))
        session.post(os.environ["API_URL"] + "/orders", json={"sku": "lamp"}, timeout=30).raise_for_status()
        """, options=_DIRECT,
    ),
    Software(
        "requests, Retry(3), all methods", "requests urllib3",
        """
        import os, requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry
        session = requests.Session()
        again = Retry(3, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504], allowed_methods=None)
        session.mount("http://", HTTPAdapter(max_retries=again))
        session.post(os.environ["API_URL"] + "/orders", json={"sku": "lamp"}, timeout=30).raise_for_status()
        """, options=_DIRECT,
    ),
    Software("urllib3", "urllib3 requests", """
        import os, urllib3
        answer = urllib3.request("POST", os.environ["API_URL"] + "/orders", json={"sku": "lamp"}, timeout=30)
        raise SystemExit(answer.status >= 400)
        """, options=_DIRECT),
    Software("httpx", "httpx", """
        import httpx
        httpx.post("https://api.example.com/orders", json={"sku": "lamp"}, timeout=30).raise_for_status()
        """),
    Software("httpx-retries", "httpx httpx-retries", """
        import httpx
        from httpx_retries import RetryTransport
        with httpx.Client(transport=RetryTransport(transport=httpx.HTTPTransport(proxy=__import__("os").environ["HTTPS_PROXY"]))) as client:
            client.post("https://api.example.com/orders", json={"sku": "lamp"}, timeout=30).raise_for_status()
        """),
    Software("aiohttp", "aiohttp", """
        import aiohttp, asyncio
        async def main():
            async with aiohttp.ClientSession(trust_env=True, raise_for_status=True) as session:
                async with session.post("https://api.example.com/orders", json={"sku": "lamp"}) as answer:
                    await answer.read()
        asyncio.run(main())
        """),
    Software("aiohttp-retry", "aiohttp aiohttp-retry", """
        import aiohttp, asyncio
        from aiohttp_retry import RetryClient
        async def main():
            async with RetryClient(aiohttp.ClientSession(trust_env=True)) as client:
                async with client.post("https://api.example.com/orders", json={"sku": "lamp"}, raise_for_status=True) as answer:
                    await answer.read()
        asyncio.run(main())
        """),
    Software("tenacity around requests", "tenacity requests",
        f"{_POST}import tenacity\ntenacity.retry(stop=tenacity.stop_after_attempt(3))(post)()"),
    Software("backoff around requests", "backoff requests",
        f"{_POST}import backoff\nbackoff.on_exception(backoff.expo, requests.RequestException, max_tries=3, factor=0.1)(post)()"),
    Software("Celery, autoretry_for", "celery requests", f"""
{_POST}
from celery import Celery
app = Celery(broker="memory://")
app.conf.update(task_always_eager=True, task_eager_propagates=False)
task = app.task(autoretry_for=(Exception,), retry_kwargs={{"max_retries": 3, "countdown": 0}}, shared=False, name="order")(post)
task.apply().get()
"""),
    Software("Huey, retries=2", "huey requests", f"""
{_POST}
from huey import MemoryHuey
huey = MemoryHuey(immediate=True)
result = huey.task(retries=2)(post)()
result.get()
"""),
    Software("stripe", "stripe", """
        import os, stripe
        stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]
        client = stripe.StripeClient("sk_test_made_up")
        client.v1.customers.create({"name": "Ada"}) if hasattr(client, "v1") else client.customers.create({"name": "Ada"})
        """),
    Software("openai", "openai", """
        import openai
        openai.OpenAI(api_key="sk-made-up").vector_stores.create(name="orders")
        """),
    Software("anthropic", "anthropic", """
        import anthropic
        client = anthropic.Anthropic(api_key="sk-made-up")
        client.messages.batches.create(requests=[{"custom_id": "a", "params": {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}}])
        """),
    Software("litellm", "litellm", """
        import litellm
        litellm.completion(model="openai/gpt-4o", api_key="sk-made-up", messages=[{"role": "user", "content": "hi"}])
        """,
        '{"POST /v1/chat/completions": {"body": {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}]}}}'),
    Software("boto3, SQS SendMessage", "boto3", """
        import boto3
        queue = boto3.client("sqs", region_name="eu-west-1", aws_access_key_id="AKIAMADEUP", aws_secret_access_key="made-up")
        queue.send_message(QueueUrl="https://sqs.eu-west-1.amazonaws.com/123456789012/orders", MessageBody="lamp")
        """,
        '{"POST /": {"body": {"MessageId": "a", "MD5OfMessageBody": "aca4b8a8ba9ce2a5ccdb3b2d4a0a0f27"}}}'),
    Software("boto3, SES SendEmail", "boto3", """
        import boto3
        mail = boto3.client("sesv2", region_name="eu-west-1", aws_access_key_id="AKIAMADEUP", aws_secret_access_key="made-up")
        body = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hi"}}}}
        mail.send_email(FromEmailAddress="a@example.com", Destination={"ToAddresses": ["b@example.com"]}, Content=body)
        """),
    Software("slack-sdk", "slack-sdk", """
        import os
        from slack_sdk import WebClient
        WebClient("xoxb-made-up", proxy=os.environ["HTTPS_PROXY"]).chat_postMessage(channel="C1", text="hi")
        """,
        '{"POST /api/chat.postMessage": {"body": {"ok": true, "ts": "1.2", "channel": "C1"}}}'),
    Software("PyGithub", "PyGithub", """
        from github import Auth, Github
        Github(auth=Auth.Token("made-up")).get_repo("octocat/hello", lazy=True).create_issue("A lamp")
        """),
    Software("python-gitlab", "python-gitlab", """
        import gitlab
        gitlab.Gitlab(private_token="made-up").projects.get(1, lazy=True).issues.create({"title": "A lamp"})
        """),
    Software("twilio", "twilio", """
        from twilio.rest import Client
        Client("ACmadeup", "made-up").messages.create(to="+15005550006", from_="+15005550001", body="hi")
        """),
    Software("sendgrid", "sendgrid", """
        from sendgrid import SendGridAPIClient
        from sendgrid.helpers.mail import Mail
        SendGridAPIClient("SG.made-up").send(Mail("a@example.com", "b@example.com", "Hi", "Hi"))
        """),
    Software("resend", "resend", """
        import resend
        resend.api_key = "re_made_up"
        resend.Emails.send({"from": "a@example.com", "to": "b@example.com", "subject": "Hi", "html": "Hi"})
        """),
    Software("jira", "jira", """
        import jira
        client = jira.JIRA("https://jira.example.com", basic_auth=("a", "b"), get_server_info=False)
        client.add_comment("LAMP-1", "hi")
        """),
    Software("notion-client", "notion-client", """
        from notion_client import Client
        Client(auth="made-up").pages.create(parent={"page_id": "a"}, properties={})
        """),
    Software("pyairtable", "pyairtable", """
        import os
        from pyairtable import Api
        Api("made-up", endpoint_url=os.environ["API_URL"]).table("app1", "Orders").create({"Name": "lamp"})
        """,
        '{"POST /v0/app1/Orders": {"body": {"id": "rec1", "createdTime": "2026-01-01T00:00:00Z", "fields": {"Name": "lamp"}}}}', options=_DIRECT),
    Software("squareup", "squareup", """
        import square
        square.Square(token="made-up").payments.create(source_id="cnon:card-nonce-ok", idempotency_key="order-1", amount_money={"amount": 100, "currency": "USD"})
        """, options=("--key-member", "idempotency_key")),
    Software("google-api-python-client", "google-api-python-client", """
        import os, httplib2
        from googleapiclient.discovery import build
        from urllib.parse import urlsplit
        at = urlsplit(os.environ["HTTPS_PROXY"])
        proxy = httplib2.ProxyInfo(httplib2.socks.PROXY_TYPE_HTTP, at.hostname, at.port)
        http = httplib2.Http(proxy_info=proxy, ca_certs=os.environ["SSL_CERT_FILE"], timeout=30)
        api = build("tasks", "v1", http=http, developerKey="made-up", static_discovery=True)
        api.tasks().insert(tasklist="a", body={"title": "lamp"}).execute()
        """),
)  # fmt: skip
OURS = ("github", "slack")


def main(names: list[str]) -> int:
    """Prove all, print a line for each, and write the page; or some of them."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in SOFTWARE if not names or one.name in names]
    _install(sorted({package for one in chosen for package in one.packages.split()}))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(_proved, chosen))
    rows = [row for one, said in zip(chosen, found, strict=True) for row in _rows(one, said)]
    rows += [_ours(key) for key in OURS if not names]
    for row in rows:
        print(" | ".join(row), flush=True)
    if not names:
        _PAGE.write_text(_page(rows), encoding="utf-8")
    return 0 if all("cases" in said for said in found) else 1


def _install(packages: list[str]) -> None:
    uv = [sys.executable, "-m", "uv"]
    if not _PYTHON.exists():
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(_PYTHON.parents[1])], check=True)
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(_PYTHON), *packages], check=True)


def _proved(one: Software) -> dict[str, Any]:
    return _said(one.words)


def _said(words: list[str]) -> dict[str, Any]:
    done = subprocess.run([COMMAND, *words], check=False, capture_output=True, text=True, cwd=_FOLDER, timeout=_SECONDS, env=os.environ)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"error": {"message": done.stderr[-500:]}}
    return found


def _rows(one: Software, said: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    name = f"{one.name} {_version(one.packages.split()[0])}"
    if "cases" not in said:
        yield name, "", "not proved", said["error"]["message"][:200].replace("|", "/").replace("\n", " ")
        return
    for case in said["cases"]:
        for write in case["writes"]:
            wrong = [cell["situation"] for cell in write["situations"] if cell["verdict"] == write["verdict"]]
            bad = write["verdict"] in ("sent twice", "reported falsely", "lost")
            yield (
                name,
                f"`{write['write']}`",
                f"**{write['verdict']}**" if bad else write["verdict"],
                ", ".join(wrong) if bad else "",
            )


def _ours(key: str) -> tuple[str, ...]:
    said = _said(["prove", "--json", "--silence", "2s", "--late", "0.2s", *_OWN, key])
    verdict = f"{said['sentTwice']} of {said['writes']} sent twice" if "cases" in said else "not proved"
    return (
        f"jackfield, `jackfield prove {key}`",
        f"{said.get('writes')} writes",
        verdict,
        "",
    )


def _version(package: str) -> str:
    text = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([str(_PYTHON), "-c", text], check=True, capture_output=True, text=True).stdout.strip()


def _page(rows: list[tuple[str, ...]]) -> str:
    head = ("software", "write", "verdict", "situations")
    lines = [" | ".join(row) for row in (head, ("---",) * len(head), *rows)]
    return _HEAD + "".join(f"| {line} |\n" for line in lines)


_HEAD = """# What well-known libraries send twice

One write by each library, with the settings of its first example or those named, by [`jackfield prove`](prove.md). No service was called: a provider on
this machine stood in for each, and knew idempotency keys. `make prove-public` installs the libraries, proves them again and writes this page.

Read it fairly. "Sent twice" is no fault of a library that promises to repeat: it says what your code has to bring, a key or a look. `refused` and `throttled` are
repeated rightly. Silence was 2 seconds, which is shorter than most time-outs: what they do after their own is not shown. "Told as unknown" means that an exception
came out, and nothing took effect twice. What each documents was not compared. Libraries on urllib3 were proved without the proxy where their address can be set: within a proxy, urllib3 takes a reset for the proxy's failure, and
repeats all methods. Rows of jira, PyGithub and google-api-python-client for resets may be that, too.

"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
