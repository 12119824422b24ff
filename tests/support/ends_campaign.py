"""The events of the ends of queued calls whose workers are killed: issue 28, acceptance 3. ``make campaign events-ends`` runs it.

20,000 calls, or ``SIZE``, on PostgreSQL, whose tables are locked for longer than a lease. A person then resolves all doubts.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from http_stand import Client, ends_told
from jackfield.database import open_database
from postgres import running_server
from queue_campaign import Campaign, Figures, locks, played, staged


def resolve(client: Client, accepted: dict[str, tuple[str, str]], figures: Figures) -> None:
    """Resolve all doubts: each is one more event, and no second end."""
    before = ends_told(client, "invocation.resolved")
    doubts = [identifier for identifier in accepted if client.get(f"/v1/invocations/{identifier}").json["status"] == "in_doubt"]
    for identifier in doubts:
        assert client.post(f"/v1/invocations/{identifier}/resolve", {"as": "succeeded"}).status == 200
    ends, resolved = ends_told(client), ends_told(client, "invocation.resolved")
    figures.wrong += [f"{identifier} has {ends[identifier]} events of its end" for identifier in accepted if ends[identifier] != 1]
    figures.wrong += [
        f"the resolution of {identifier} was not told once" for identifier in doubts if resolved[identifier] != before[identifier] + 1
    ]
    figures.corrected, figures.resolved = sum(before.values()), len(doubts)


def _main() -> int:
    size, figures = int(os.environ.get("SIZE", "20000")), Figures()
    campaign = Campaign(size, max(20.0, size / 40), kill_every=2.0, full=0.0, patience=120.0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        url = stack.enter_context(running_server()).create()
        open_database(url, migrate=True).close()
        cast = staged(campaign, folder, stack, (None, "host-b"), JACKFIELD_DATABASE_URL=url)
        accepted = played(campaign, cast, [threading.Thread(target=locks, args=(campaign, url))], figures)
        resolve(cast.client, accepted, figures)
    sys.stdout.write(json.dumps(vars(figures), indent=2) + "\n")
    return int(bool(figures.open or figures.wrong or figures.died))


if __name__ == "__main__":
    sys.exit(_main())
