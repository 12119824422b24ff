"""The events of the ends of queued calls whose workers are killed or stall: issue 28, acceptance 3.
``make campaign events-ends`` runs it.

20,000 calls, or ``SIZE``, on PostgreSQL, whose tables are locked for longer than a lease. One of
three workers stalls for longer than a lease again and again, so that doubts are corrected by
outcomes that arrive late; a person decides some of them meanwhile, and all that are left at the
end. What was told, one event after the other, must lead to what the journal says.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from http_stand import Client, ends_told
from jackfield_store.database import open_database
from jackfield_store.journal.instance import LEASE
from postgres import running_server
from queue_campaign import Campaign, Cast, Figures, locks, played, staged

_STALL, _GOES = 1.5 * LEASE, 0.5 * LEASE
"""Seconds for which a worker stands still, and works in between."""
_DECIDED = {"0": "succeeded", "1": "failed"}
"""What a person decides, by the end of the ID."""
_DOUBTS = "/v1/invocations?status=in_doubt&limit=200"


def stalls(campaign: Campaign, cast: Cast) -> None:
    """Let the last worker stall again and again: what it had sent is in doubt, until it goes on and
    says how it ended.
    """
    worker = cast.workers[-1]
    worker.stalls = True
    for _ in range(int(campaign.seconds / (_STALL + _GOES))):
        threading.Event().wait(_GOES)
        worker.freeze(_STALL)


def decides(campaign: Campaign, client: Client) -> None:
    """Decide some doubts, rightly or wrongly, before their outcome arrives."""
    for _ in range(int(campaign.seconds)):
        threading.Event().wait(1.0)
        page = client.get(_DOUBTS)
        # 503 while its tables are locked
        for item in page.json["items"] if page.status != 503 else ():
            if (kind := item["invocationId"][-1]) in _DECIDED:
                client.post(
                    f"/v1/invocations/{item['invocationId']}/resolve", {"as": _DECIDED[kind]}
                )


def resolve(client: Client, accepted: dict[str, tuple[str, str]], figures: Figures) -> None:
    """Resolve all doubts: each is one more event, and no second end."""
    before = ends_told(client, "invocation.resolved")
    doubts = [
        identifier
        for identifier in accepted
        if client.get(f"/v1/invocations/{identifier}").json["status"] == "in_doubt"
    ]
    for identifier in doubts:
        assert (
            client.post(f"/v1/invocations/{identifier}/resolve", {"as": "succeeded"}).status == 200
        )
    resolved = ends_told(client, "invocation.resolved")
    figures.wrong += [
        f"the resolution of {identifier} was not told once"
        for identifier in doubts
        if resolved[identifier] != before[identifier] + 1
    ]
    figures.resolved = len(doubts)


def compare(client: Client, accepted: dict[str, tuple[str, str]], figures: Figures) -> None:
    """Hold what was told against the journal: one end, each correction begins with what was told
    before, and the last is the truth.
    """
    told = _told(client)
    for identifier in accepted:
        (_, first), *corrections = told[identifier] or [("", {"status": "nothing"})]
        last = first
        for kind, data in corrections:
            if kind != "invocation.resolved" or data.get("previousStatus") != last["status"]:
                figures.wrong.append(f"{identifier}: {data} was told after {last}")
            figures.corrected += "resolvedBy" not in data
            last = data
        entry = client.get(f"/v1/invocations/{identifier}").json
        # a doubt resolved as a success keeps its error
        code = None if entry["status"] == "succeeded" else entry["error"]["code"]
        if (last["status"], last.get("errorCode")) != (entry["status"], code):
            figures.wrong.append(
                f"{identifier}: {last} was told last, and the journal says {json.dumps(entry)}"
            )


def _told(client: Client) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    found, after = defaultdict(list), ""
    while items := (page := client.get(f"/v1/events?types=invocation.*&limit=200{after}").json)[
        "items"
    ]:
        for item in items:
            found[item["subject"]].append((item["type"], item["data"]))
        after = f"&after={page['nextCursor']}"
    return found


def _main() -> int:
    size, figures = int(os.environ.get("SIZE", "20000")), Figures()
    campaign = Campaign(size, max(20.0, size / 40), kill_every=2.0, full=0.0, patience=120.0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        url = stack.enter_context(running_server()).create()
        open_database(url, migrate=True).close()
        cast = staged(
            campaign, folder, stack, (None, "host-b", "host-c"), JACKFIELD_DATABASE_URL=url
        )
        works = (
            (locks, (campaign, url)),
            (stalls, (campaign, cast)),
            (decides, (campaign, cast.client)),
        )
        accepted = played(
            campaign,
            cast,
            [threading.Thread(target=work, args=given) for work, given in works],
            figures,
        )
        resolve(cast.client, accepted, figures)
        compare(cast.client, accepted, figures)
    sys.stdout.write(json.dumps(vars(figures), indent=2) + "\n")
    return int(bool(figures.open or figures.wrong or figures.died))


if __name__ == "__main__":
    sys.exit(_main())
