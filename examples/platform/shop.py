"""A shop that embeds jackfield: its customers connect accounts of their own, and the shop acts over them. README.md says how to run it."""

import base64
import hashlib
import hmac
import html
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qsl, quote

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

JACKFIELD, SHOP = os.environ.get("JACKFIELD_URL", "http://127.0.0.1:8080"), os.environ.get("SHOP_URL", "http://127.0.0.1:9000")
HERE = Path(__file__).parent
SYSTEMS = json.loads(Path(os.environ.get("SHOP_SYSTEMS", HERE / "systems.json")).read_text(encoding="utf-8"))
WATCHED = "receipts"  # the configuration set of SES whose events are watched
CUSTOMERS = {}  # by the secret in the browser's cookie; a real shop has its own users, sessions and database
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def platform():  # a real shop is given its token; here the shop and jackfield share a machine, and the shop makes itself one
    command = [sys.executable, "-m", "jackfield", "tokens", "create", "--kind", "platform", "--workspaces", "shop-*", "--name", "The Shop", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["token"]


PLATFORM = os.environ.get("JACKFIELD_TOKEN") or platform()


def call(method, path, body=None, token=PLATFORM):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(JACKFIELD + path, None if body is None else json.dumps(body).encode(), headers, method=method)
    try:
        return json.loads(OPENER.open(request).read() or b"null")
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


def page(customer, note=""):
    rows, workspace = "", f"/v1/workspaces/{customer['workspace']}" if customer else ""
    for row in call("GET", f"{workspace}/connections")["items"] if customer else []:
        account = row.get("account", {}).get("id") or ""
        rows += f"<li>{row['name']} {row['status']} {html.escape(account)}<button name=disconnect value={row['name']}>Disconnect {row['name']}</button>"
    watches = call("GET", "/v1/subscriptions", None, customer["token"])["items"] if customer else []
    watched = "".join(f"<li>{html.escape(' '.join(row.get(name, '') for name in ('name', 'status', 'reason')))}" for row in watches)
    systems = "".join(f"<button name=connect value={name}>Connect {html.escape(about['title'])}</button>" for name, about in SYSTEMS.items())
    told = "".join(f"<li>{html.escape(text)}" for text in customer["events"]) if customer else ""
    text = (HERE / ("page.html" if customer else "start.html")).read_text(encoding="utf-8")
    return HTMLResponse(text.format(name=html.escape(customer["name"]) if customer else "", rows=rows, watched=watched, systems=systems, events=told, note=html.escape(note)))


def sign_up(name):
    customer = {"name": name, "workspace": f"shop-{secrets.token_hex(4)}", "events": [], "seen": set()}
    call("PUT", f"/v1/workspaces/{customer['workspace']}", {"limits": {"connections": 20}})
    customer["token"] = call("POST", f"/v1/workspaces/{customer['workspace']}/tokens", {"scope": "manage", "name": "shop"})["token"]
    asked = {"url": f"{SHOP}/callback/{customer['workspace']}", "types": ["connect.*", "invocation.finished", "aws_ses.bounced"]}
    customer["secret"] = call("POST", "/v1/callbacks", asked, customer["token"])["secret"]
    return customer


def acted(customer, form):
    workspace = f"/v1/workspaces/{customer['workspace']}"
    if "connect" in form:  # the browser goes to jackfield's page, and comes back to /connected with a proof
        about = {key: value for key, value in SYSTEMS[form["connect"]].items() if key != "title"}
        asked = {"user": customer["name"], "connection": form["connect"], "returnTo": f"{SHOP}/connected", **about}
        made = call("POST", f"{workspace}/connect-sessions", asked)
        customer["note"] = made.get("detail", "")
        return made.get("url") or "/"
    if "send" in form:
        inputs = {"to": form["to"], "sender": form["sender"], "subject": "Hello", "text": "Sent over your own account."}
        if customer.get("watches"):  # what is sent with this set is watched
            inputs["configurationSetName"] = WATCHED
        invocation = {"connector": "aws-ses", "action": "sendEmail", "connection": "mail", "inputs": inputs, "context": {"notify": True}}
        result = call("POST", "/v1/invocations", invocation, customer["token"])
        customer["note"] = f"The mail: {result['status']} {result.get('error', {}).get('message', '')}"
    if "watch" in form:  # each bounce becomes a message: jackfield sends it, once, with the rights of the token
        text = {"$text": ["Mail to ", {"$event": "/data/payload/recipient"}, " bounced: ", {"$event": "/data/payload/reason"}]}
        then = {"connector": "slack", "action": "postMessage", "connection": "chat", "inputs": {"channel": form["channel"], "text": text}}
        trigger = {"trigger": "aws-ses/mailEvents", "connection": "mail", "inputs": {"configurationSetName": WATCHED, "types": ["bounced"]}}
        made = call("POST", "/v1/subscriptions", {"name": "bounces", **trigger, "then": then}, customer["token"])
        customer["note"] = made.get("detail", "Bounces are watched.")
        customer["watches"] = customer.get("watches") or "trigger" in made
    if "disconnect" in form:
        call("DELETE", f"/v1/connections/{form['disconnect']}", None, customer["token"])
    return "/"


def left(secret):  # suspended first, then deleted for good: 409 while a call still runs, at the longest until its deadline
    workspace = f"/v1/workspaces/{CUSTOMERS.pop(secret)['workspace']}"
    call("DELETE", workspace)
    while call("DELETE", f"{workspace}?purge=true")["status"] == 409:
        time.sleep(1)


async def home(request):
    secret, form = request.cookies.get("shop", ""), dict(parse_qsl((await request.body()).decode()))
    if request.method == "POST" and secret not in CUSTOMERS:
        secret = secrets.token_urlsafe(32)
        CUSTOMERS[secret] = await run_in_threadpool(sign_up, form["name"])
    elif request.method == "POST" and request.headers.get("sec-fetch-site", "same-origin") == "same-origin":
        address = await run_in_threadpool(left, secret) if "leave" in form else await run_in_threadpool(acted, CUSTOMERS[secret], form)
        return RedirectResponse(address if isinstance(address, str) else "/", 303)
    customer = CUSTOMERS.get(secret)
    answer = await run_in_threadpool(page, customer, customer.get("note", "") if customer else "")
    if customer:
        answer.set_cookie("shop", secret, httponly=True, samesite="lax")
    return answer


async def connected(request):  # who is signed in in this browser decides, not the address
    customer, given = CUSTOMERS.get(request.cookies.get("shop", "")), request.query_params
    if customer is not None and "proof" in given:
        address = f"/v1/workspaces/{customer['workspace']}/connect-sessions/{quote(given.get('session', ''), safe='')}:confirm"
        await run_in_threadpool(call, "POST", address, {"proof": given["proof"], "user": customer["name"]})
    return RedirectResponse("/", 303)


async def callback(request):
    customer = next((one for one in CUSTOMERS.values() if one["workspace"] == request.path_params["workspace"]), None)
    body, head = await request.body(), request.headers
    if customer is None:
        return Response(status_code=410)
    key, signed = base64.b64decode(customer["secret"].removeprefix("whsec_")), f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    if not any(hmac.compare_digest(expected, one) for one in head["webhook-signature"].split()):
        return Response(status_code=400)
    if head["webhook-id"] not in customer["seen"]:  # an event may come twice
        customer["seen"].add(head["webhook-id"])
        event = json.loads(body)
        customer["events"].append(f"{event['type']} {event['data']['subject']} {event['data']['payload'].get('status', '')}")
    return Response(status_code=204)


app = Starlette(routes=[Route("/", home, methods=["GET", "POST"]), Route("/connected", connected),
                        Route("/callback/{workspace}", callback, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, port=int(SHOP.rpartition(":")[2]), log_level="warning")
