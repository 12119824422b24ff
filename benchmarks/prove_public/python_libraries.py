"""Libraries of PyPI: clients of HTTP, what repeats around them, and SDKs of services."""

from __future__ import annotations

from benchmarks.prove_public.software import GUARDED, POST, Promise, Software, boundary

_ORDER = (
    "requests.post('https://api.example.com/orders', json={'sku': 'lamp'}, "
    "timeout=30).raise_for_status()"
)
_ONCE_ORDER = boundary("import requests", _ORDER)
_ONCE_DIRECT = boundary(
    "import requests",
    _ORDER.replace("'https://api.example.com/orders'", "os.environ['API_URL'] + '/orders'"),
)
_DIRECT = ("--base-url-variable", "API_URL")
"""Without the proxy: urllib3 takes a reset within one for a failure of the proxy, and repeats all
methods then.
"""
_RETRY = """
import os, requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry
session = requests.Session()
again = Retry(3, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504]{OPTION})
session.mount("http://", HTTPAdapter(max_retries=again))
session.post(os.environ["API_URL"] + "/orders", json={"sku": "lamp"}, timeout=30).raise_for_status()
"""
_URLLIB3 = "https://github.com/urllib3/urllib3/blob/main/src/urllib3/util/retry.py"
_BOTO = "https://github.com/boto/boto3/blob/develop/docs/source/guide/retries.rst"
_BOTO_RETRIES = Promise("five attempts: connection errors, time-outs, 500, 502, 503, 504", _BOTO)
_CHAT = (
    '{"POST /v1/chat/completions": {"body": {"id": "a", "object": "chat.completion", "created": '
    '1, "model": "m", '
    '"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", '
    '"content": "hi"}}]}}}'
)
_SENT = '{"POST /api/chat.postMessage": {"body": {"ok": true, "ts": "1.2", "channel": "C1"}}}'
_SQUARE = (
    "square.Square(token='made-up').payments.create("
    "source_id='cnon:card-nonce-ok', idempotency_key='order-1', amount_money={'amount': 100, "
    "'currency': 'USD'}{OPTION})"
)

SOFTWARE = (
    Software(
        "requests",
        ("requests",),
        Promise(
            "no retry of failed connections",
            "https://github.com/psf/requests/blob/main/src/requests/adapters.py",
        ),
        program=f"{POST}post()",
        once=_ONCE_ORDER,
    ),
    Software(
        "requests with Retry",
        ("requests", "urllib3"),
        Promise("idempotent methods only", _URLLIB3),
        program=_RETRY.replace("{OPTION}", ""),
        settings="3 retries, 5xx",
        options=_DIRECT,
        once=_ONCE_DIRECT,
    ),
    Software(
        "requests with Retry, any method",
        ("requests", "urllib3"),
        Promise("any method, if allowed_methods is None", _URLLIB3),
        program=_RETRY.replace("{OPTION}", ", allowed_methods=None"),
        settings="3 retries, 5xx, all methods",
        options=_DIRECT,
        once=_ONCE_DIRECT,
    ),
    Software(
        "urllib3",
        ("urllib3",),
        Promise("idempotent methods only", _URLLIB3),
        options=_DIRECT,
        program="""
        import os, urllib3
        answer = urllib3.request("POST", os.environ["API_URL"] + "/orders", json={"sku": "lamp"}, timeout=30)
        raise SystemExit(answer.status >= 400)
        """,
    ),
    Software(
        "httpx",
        ("httpx",),
        Promise(
            "failures to connect, if asked",
            "https://github.com/encode/httpx/blob/master/docs/advanced/transports.md",
        ),
        program="""
        import httpx
        httpx.post("https://api.example.com/orders", json={"sku": "lamp"}, timeout=30).raise_for_status()
        """,
        once=boundary(
            "import httpx",
            "httpx.post('https://api.example.com/orders', json={'sku': 'lamp'}, "
            "timeout=30).raise_for_status()",
        ),
    ),
    Software(
        "httpx-retries",
        ("httpx-retries", "httpx"),
        Promise(
            "HEAD, GET, PUT, DELETE, OPTIONS, TRACE",
            "https://github.com/will-ockmore/httpx-retries",
        ),
        program="""
        import httpx, os
        from httpx_retries import RetryTransport
        with httpx.Client(transport=RetryTransport(transport=httpx.HTTPTransport(proxy=os.environ["HTTPS_PROXY"]))) as client:
            client.post("https://api.example.com/orders", json={"sku": "lamp"}, timeout=30).raise_for_status()
        """,
    ),
    Software(
        "aiohttp",
        ("aiohttp",),
        Promise(),
        program="""
        import aiohttp, asyncio
        async def main():
            async with aiohttp.ClientSession(trust_env=True, raise_for_status=True) as session:
                async with session.post("https://api.example.com/orders", json={"sku": "lamp"}) as answer:
                    await answer.read()
        asyncio.run(main())
        """,
    ),
    Software(
        "aiohttp-retry",
        ("aiohttp-retry", "aiohttp"),
        Promise("all 5xx", "https://github.com/inyutin/aiohttp_retry#readme"),
        program="""
        import aiohttp, asyncio
        from aiohttp_retry import RetryClient
        async def main():
            async with RetryClient(aiohttp.ClientSession(trust_env=True)) as client:
                async with client.post("https://api.example.com/orders", json={"sku": "lamp"}, raise_for_status=True) as answer:
                    await answer.read()
        asyncio.run(main())
        """,
    ),
    Software(
        "tenacity",
        ("tenacity", "requests"),
        Promise("any exception", "https://github.com/jd/tenacity#readme"),
        program=(
            f"{POST}import tenacity\ntenacity.retry(stop=tenacity.stop_after_attempt(3))(post)()"
        ),
        settings="3 attempts around requests",
        once=(
            f"{GUARDED}import tenacity\ntenacity.retry(stop=tenacity.stop_after_attempt(3), "
            "reraise=True)(post)()"
        ),
    ),
    Software(
        "backoff",
        ("backoff", "requests"),
        Promise("the exceptions that are named", "https://github.com/litl/backoff#readme"),
        program=(
            f"{POST}import backoff\nbackoff.on_exception(backoff.expo, "
            "requests.RequestException, max_tries=3, factor=0.1)(post)()"
        ),
        settings="3 tries around requests",
        once=(
            f"{GUARDED}import backoff\nbackoff.on_exception(backoff.expo, Exception, "
            "max_tries=3, factor=0.1)(post)()"
        ),
    ),
    Software(
        "stripe",
        ("stripe",),
        Promise(
            "connection errors, time-outs; a key is added, so that it is safe",
            "https://github.com/stripe/stripe-python#readme",
        ),
        program="""
        import os, stripe
        stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]
        stripe.StripeClient("sk_test_made_up").v1.customers.create({"name": "Ada"})
        """,
        once=boundary(
            "import stripe\nstripe.ca_bundle_path = os.environ['SSL_CERT_FILE']",
            "stripe.StripeClient('sk_test_made_up').v1.customers.create({'name': 'Ada'})",
        ),
    ),
    Software(
        "openai",
        ("openai",),
        Promise(
            "2 retries: connection errors, 408, 409, 429, 5xx",
            "https://github.com/openai/openai-python#readme",
        ),
        program=(
            "import openai\nopenai.OpenAI(api_key='sk-made-up').vector_stores.create(name='orders')"
        ),
        ours="openai/createResponse",
    ),
    Software(
        "anthropic",
        ("anthropic",),
        Promise(
            "2 retries: connection errors, 408, 409, 429, 5xx",
            "https://github.com/anthropics/anthropic-sdk-python#readme",
        ),
        program="""
        import anthropic
        message = {"role": "user", "content": "hi"}
        asked = [{"custom_id": "a", "params": {"model": "m", "max_tokens": 1, "messages": [message]}}]
        anthropic.Anthropic(api_key="sk-made-up").messages.batches.create(requests=asked)
        """,
        ours="anthropic/createBatch",
    ),
    Software(
        "litellm",
        ("litellm",),
        Promise(
            "2 retries of failed requests",
            "https://www.mintlify.com/BerriAI/litellm/features/retries",
        ),
        program="""
        import litellm
        litellm.completion(model="openai/gpt-4o", api_key="sk-made-up", messages=[{"role": "user", "content": "hi"}])
        """,
        answers=_CHAT,
        ours="openai/createChatCompletion",
        variables={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    ),
    Software(
        "boto3 SQS",
        ("boto3",),
        _BOTO_RETRIES,
        program="""
        import boto3
        queue = boto3.client("sqs", region_name="eu-west-1", aws_access_key_id="AKIAMADEUP", aws_secret_access_key="made-up")
        queue.send_message(QueueUrl="https://sqs.eu-west-1.amazonaws.com/123456789012/orders", MessageBody="lamp")
        """,
        answers=(
            '{"POST /": {"body": {"MessageId": "a", "MD5OfMessageBody": '
            '"aca4b8a8ba9ce2a5ccdb3b2d4a0a0f27"}}}'
        ),
        once=boundary(
            "import boto3\nfrom botocore.config import Config\nqueue = boto3.client('sqs', "
            "region_name='eu-west-1', "
            "aws_access_key_id='AKIAMADEUP', aws_secret_access_key='made-up', "
            "config=Config(retries={'total_max_attempts': 1}))",
            "queue.send_message(QueueUrl='https://sqs.eu-west-1.amazonaws.com/123456789012/orders', "
            "MessageBody='lamp')",
        ),
    ),
    Software(
        "boto3 SES",
        ("boto3",),
        _BOTO_RETRIES,
        program="""
        import boto3
        mail = boto3.client("sesv2", region_name="eu-west-1", aws_access_key_id="AKIAMADEUP", aws_secret_access_key="made-up")
        body = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hi"}}}}
        mail.send_email(FromEmailAddress="a@example.com", Destination={"ToAddresses": ["b@example.com"]}, Content=body)
        """,
        once=boundary(
            "import boto3\nfrom botocore.config import Config\nmail = boto3.client('sesv2', "
            "region_name='eu-west-1', "
            "aws_access_key_id='AKIAMADEUP', aws_secret_access_key='made-up', "
            "config=Config(retries={'total_max_attempts': 1}))\n"
            "body = {'Simple': {'Subject': {'Data': 'Hi'}, 'Body': {'Text': {'Data': 'Hi'}}}}",
            "mail.send_email(FromEmailAddress='a@example.com', Destination={'ToAddresses': "
            "['b@example.com']}, Content=body)",
        ),
    ),
    Software(
        "slack-sdk",
        ("slack-sdk",),
        Promise(
            "1 retry of connection errors",
            "https://docs.slack.dev/tools/python-slack-sdk/reference/http_retry/index.html",
        ),
        program="""
        import os
        from slack_sdk import WebClient
        WebClient("xoxb-made-up", proxy=os.environ["HTTPS_PROXY"]).chat_postMessage(channel="C1", text="hi")
        """,
        answers=_SENT,
        ours="slack/postMessage",
    ),
    Software(
        "PyGithub",
        ("PyGithub",),
        Promise(
            "any 5xx",
            "https://newreleases.io/project/github/PyGithub/PyGithub/release/v2.0.0-preview",
        ),
        program="""
        from github import Auth, Github
        Github(auth=Auth.Token("made-up")).get_repo("octocat/hello", lazy=True).create_issue("A lamp")
        """,
        ours="github/createIssue",
    ),
    Software(
        "python-gitlab",
        ("python-gitlab",),
        Promise(
            "no retry of 5xx unless asked",
            "https://github.com/python-gitlab/python-gitlab/blob/main/gitlab/client.py",
        ),
        program="""
        import gitlab
        gitlab.Gitlab(private_token="made-up").projects.get(1, lazy=True).issues.create({"title": "A lamp"})
        """,
        ours="gitlab/createIssue",
    ),
    Software(
        "twilio",
        ("twilio",),
        Promise(),
        program="""
        from twilio.rest import Client
        Client("ACmadeup", "made-up").messages.create(to="+15005550006", from_="+15005550001", body="hi")
        """,
        ours="twilio/sendMessage",
    ),
    Software(
        "sendgrid",
        ("sendgrid",),
        Promise(),
        program="""
        from sendgrid import SendGridAPIClient
        from sendgrid.helpers.mail import Mail
        SendGridAPIClient("SG.made-up").send(Mail("a@example.com", "b@example.com", "Hi", "Hi"))
        """,
        ours="sendgrid/sendMail",
    ),
    Software(
        "resend",
        ("resend",),
        Promise(
            "a key makes repeats safe",
            "https://github.com/resend/resend-python/blob/main/resend/emails/_emails.py",
        ),
        program="""
        import resend
        resend.api_key = "re_made_up"
        resend.Emails.send({"from": "a@example.com", "to": "b@example.com", "subject": "Hi", "html": "Hi"})
        """,
        ours="resend/createBroadcast",
    ),
    Software(
        "jira",
        ("jira",),
        Promise("3 retries", "https://github.com/pycontribs/jira/blob/main/jira/client.py"),
        program="""
        import jira
        client = jira.JIRA("https://jira.example.com", basic_auth=("a", "b"), get_server_info=False)
        client.add_comment("LAMP-1", "hi")
        """,
        ours="jira/addComment",
    ),
    Software(
        "notion-client",
        ("notion-client",),
        Promise(
            "429 for all methods, 5xx for GET and DELETE",
            "https://github.com/ramnes/notion-sdk-py#readme",
        ),
        program="""
        from notion_client import Client
        Client(auth="made-up").pages.create(parent={"page_id": "a"}, properties={})
        """,
        ours="notion/createPage",
    ),
    Software(
        "pyairtable",
        ("pyairtable",),
        Promise(
            "all methods",
            "https://github.com/gtalarico/pyairtable/blob/main/pyairtable/api/retrying.py",
        ),
        program="""
        import os
        from pyairtable import Api
        Api("made-up", endpoint_url=os.environ["API_URL"]).table("app1", "Orders").create({"Name": "lamp"})
        """,
        answers=(
            '{"POST /v0/app1/Orders": {"body": {"id": "rec1", "createdTime": '
            '"2026-01-01T00:00:00Z", "fields": {"Name": "lamp"}}}}'
        ),
        options=_DIRECT,
        ours="airtable/createRecord",
    ),
    Software(
        "squareup",
        ("squareup",),
        Promise(
            "2 retries; the caller gives a key",
            "https://github.com/square/square-python-sdk#readme",
        ),
        program=f"import square\n{_SQUARE.replace('{OPTION}', '')}",
        settings="with a key",
        options=("--key-member", "idempotency_key"),
        once=boundary(
            "import square", _SQUARE.replace("{OPTION}", ", request_options={'max_retries': 0}")
        ),
    ),
    Software(
        "google-api-python-client",
        ("google-api-python-client",),
        Promise(
            "no retry unless num_retries is given",
            "https://github.com/googleapis/google-api-python-client/blob/main/googleapiclient/http.py",
        ),
        program="""
        import os, httplib2
        from googleapiclient.discovery import build
        from urllib.parse import urlsplit
        at = urlsplit(os.environ["HTTPS_PROXY"])
        proxy = httplib2.ProxyInfo(httplib2.socks.PROXY_TYPE_HTTP, at.hostname, at.port)
        http = httplib2.Http(proxy_info=proxy, ca_certs=os.environ["SSL_CERT_FILE"], timeout=30)
        api = build("tasks", "v1", http=http, developerKey="made-up", static_discovery=True)
        api.tasks().insert(tasklist="a", body={"title": "lamp"}).execute()
        """,
        ours="google-tasks/createTask",
    ),
)
