"""Libraries of npm: clients of HTTP, what repeats around them, and SDKs of services."""

from __future__ import annotations

from functools import partial

from benchmarks.prove_public.software import Promise, Software

_ORDER = "'https://api.example.com/orders', {method: 'POST', body: JSON.stringify({sku: 'lamp'})}"
_CHECKED = "if (!answer.ok) throw new Error(`status ${answer.status}`);\n"
_SENT = '{"POST /api/chat.postMessage": {"body": {"ok": true, "ts": "1.2", "channel": "C1"}}}'
_TWO_RETRIES = "2 retries: connection errors, 408, 409, 429, 5xx"
_AWS = Promise(
    "3 attempts, of retryable errors",
    "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",
)
_Node = partial(Software, place="node")

SOFTWARE = (
    _Node(
        "undici fetch",
        ("undici",),
        Promise(),
        program=(
            f"import {{fetch}} from 'undici';\nconst answer = await fetch({_ORDER});\n{_CHECKED}"
        ),
    ),
    _Node(
        "undici RetryAgent",
        ("undici",),
        Promise(
            "GET, PUT, HEAD, OPTIONS, DELETE",
            "https://github.com/nodejs/undici/blob/main/docs/docs/api/RetryHandler.md",
        ),
        program=f"""
        import {{Agent, RetryAgent, request}} from 'undici';
        const answer = await request({_ORDER.replace("}}", "}, dispatcher: new RetryAgent(new Agent())}", 1).replace("})}, d", "}), d")});
        if (answer.statusCode >= 400) throw new Error(`status ${{answer.statusCode}}`);
        await answer.body.json();
        """,
    ),
    _Node(
        "node-fetch",
        ("node-fetch",),
        Promise(),
        program=(
            f"import fetch from 'node-fetch';\nconst answer = await fetch({_ORDER});\n{_CHECKED}"
        ),
    ),
    _Node(
        "fetch-retry",
        ("fetch-retry",),
        Promise("network errors, 3 retries", "https://github.com/jonbern/fetch-retry#readme"),
        program=(
            "import wrap from 'fetch-retry';\nconst answer = await "
            f"wrap(fetch)({_ORDER});\n{_CHECKED}"
        ),
    ),
    _Node(
        "axios",
        ("axios",),
        Promise(),
        program=(
            "import axios from 'axios';\nawait axios.post('https://api.example.com/orders', "
            "{sku: 'lamp'}, {timeout: 30000});"
        ),
    ),
    _Node(
        "axios-retry",
        ("axios-retry", "axios"),
        Promise(
            "network errors, and 5xx of idempotent methods",
            "https://github.com/softonic/axios-retry#readme",
        ),
        settings="retries: 3",
        program="""
        import axios from 'axios';
        import axiosRetry from 'axios-retry';
        axiosRetry(axios, {retries: 3});
        await axios.post('https://api.example.com/orders', {sku: 'lamp'}, {timeout: 30000});
        """,
    ),
    _Node(
        "got",
        ("got",),
        Promise(
            "not POST", "https://github.com/sindresorhus/got/blob/main/documentation/7-retry.md"
        ),
        program=(
            "import got from 'got';\nawait got.post('https://api.example.com/orders', {json: "
            "{sku: 'lamp'}}).json();"
        ),
    ),
    _Node(
        "ky",
        ("ky",),
        Promise("not POST", "https://github.com/sindresorhus/ky#readme"),
        program=(
            "import ky from 'ky';\nawait ky.post('https://api.example.com/orders', {json: "
            "{sku: 'lamp'}}).json();"
        ),
    ),
    _Node(
        "p-retry",
        ("p-retry",),
        Promise(
            "what rejects, until the retries are used",
            "https://github.com/sindresorhus/p-retry#readme",
        ),
        settings="3 retries around fetch",
        program=f"""
        import pRetry from 'p-retry';
        const order = async () => {{
          const answer = await fetch({_ORDER});
          {_CHECKED.strip()}
        }};
        await pRetry(order, {{retries: 3, minTimeout: 100}});
        """,
    ),
    _Node(
        "superagent",
        ("superagent",),
        Promise(
            "transient failures, if asked",
            "https://github.com/ladjs/superagent/blob/master/docs/index.md",
        ),
        settings=".retry(2)",
        program="""
        import request from 'superagent';
        await request.post('https://api.example.com/orders').send({sku: 'lamp'}).retry(2);
        """,
    ),
    _Node(
        "stripe for Node.js",
        ("stripe",),
        Promise(
            "1 retry of what is safe; keys are added",
            "https://github.com/stripe/stripe-node#readme",
        ),
        program=(
            "import Stripe from 'stripe';\nawait new "
            "Stripe('sk_test_made_up').customers.create({name: 'Ada'});"
        ),
    ),
    _Node(
        "@slack/web-api",
        ("@slack/web-api",),
        Promise("up to 10 retries in 30 minutes", "https://github.com/slackapi/node-slack-sdk"),
        program="""
        import {WebClient} from '@slack/web-api';
        await new WebClient('xoxb-made-up').chat.postMessage({channel: 'C1', text: 'hi'});
        """,
        answers=_SENT,
        ours="slack/postMessage",
    ),
    _Node(
        "octokit",
        ("octokit",),
        Promise(
            "3 retries, all but 400, 401, 403, 404, 410, 422, 451",
            "https://github.com/octokit/plugin-retry.js#readme",
        ),
        program="""
        import {Octokit} from 'octokit';
        await new Octokit({auth: 'made-up'}).rest.issues.create({owner: 'octocat', repo: 'hello', title: 'A lamp'});
        """,
        ours="github/createIssue",
    ),
    _Node(
        "openai for Node.js",
        ("openai",),
        Promise(_TWO_RETRIES, "https://github.com/openai/openai-node#readme"),
        program=(
            "import OpenAI from 'openai';\nawait new OpenAI({apiKey: "
            "'sk-made-up'}).vectorStores.create({name: 'orders'});"
        ),
        ours="openai/createResponse",
    ),
    _Node(
        "@anthropic-ai/sdk",
        ("@anthropic-ai/sdk",),
        Promise(_TWO_RETRIES, "https://github.com/anthropics/anthropic-sdk-typescript#readme"),
        program="""
        import Anthropic from '@anthropic-ai/sdk';
        const params = {model: 'm', max_tokens: 1, messages: [{role: 'user', content: 'hi'}]};
        await new Anthropic({apiKey: 'sk-made-up'}).messages.batches.create({requests: [{custom_id: 'a', params}]});
        """,
        ours="anthropic/createBatch",
    ),
    _Node(
        "twilio for Node.js",
        ("twilio",),
        Promise("429, if autoRetry is set", "https://github.com/twilio/twilio-node#readme"),
        program="""
        import twilio from 'twilio';
        await twilio('ACmadeup', 'made-up').messages.create({to: '+15005550006', from: '+15005550001', body: 'hi'});
        """,
        ours="twilio/sendMessage",
    ),
    _Node(
        "@aws-sdk/client-sesv2",
        ("@aws-sdk/client-sesv2",),
        _AWS,
        program="""
        import {SendEmailCommand, SESv2Client} from '@aws-sdk/client-sesv2';
        const credentials = {accessKeyId: 'AKIAMADEUP', secretAccessKey: 'made-up'};
        const client = new SESv2Client({region: 'eu-west-1', credentials});
        const Content = {Simple: {Subject: {Data: 'Hi'}, Body: {Text: {Data: 'Hi'}}}};
        await client.send(new SendEmailCommand({FromEmailAddress: 'a@example.com', Destination: {ToAddresses: ['b@example.com']}, Content}));
        """,
    ),
    _Node(
        "@sendgrid/mail",
        ("@sendgrid/mail",),
        Promise(),
        program="""
        import mail from '@sendgrid/mail';
        mail.setApiKey('SG.made-up');
        await mail.send({to: 'b@example.com', from: 'a@example.com', subject: 'Hi', text: 'Hi'});
        """,
        ours="sendgrid/sendMail",
    ),
    _Node(
        "resend for Node.js",
        ("resend",),
        Promise(),
        program="""
        import {Resend} from 'resend';
        const found = await new Resend('re_made_up').emails.send({from: 'a@example.com', to: 'b@example.com', subject: 'Hi', text: 'Hi'});
        if (found.error) throw new Error(found.error.message);
        """,
        ours="resend/createBroadcast",
    ),
    _Node(
        "@notionhq/client",
        ("@notionhq/client",),
        Promise(
            "429 and 529 for all methods, 5xx for GET and DELETE",
            "https://github.com/makenotion/notion-sdk-js#readme",
        ),
        program="""
        import {Client} from '@notionhq/client';
        await new Client({auth: 'made-up'}).pages.create({parent: {page_id: 'a'}, properties: {}});
        """,
        ours="notion/createPage",
    ),
)
