"""One damaged row hides no other: each kind of row with each kind of damage in each of its columns,
beside healthy ones, in each list over HTTP, on each page of the console and in each command that
shows it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed
from tests.jackfield_service.shell.pages.damaged_rows import TENANT, Rows

from shell import Shell

pytest_plugins = ["postgres"]


class Shown(NamedTuple):
    """Where the rows of a table are shown. ``told``: columns whose damage is told in the list, as
    far as the row itself is known.
    """

    lists: Sequence[str] = ()
    pages: Sequence[str] = ()
    commands: Sequence[str] = ()
    told: Mapping[str, Sequence[str]] = {}


YEARS = ("huge", "least", "year0", "year12000")
TABLES: dict[str, Shown] = {
    "invocations": Shown(
        ("/v1/invocations", "/v1/invocations?sort=-createdAt"),
        ("/invocations", "/", "/queue", "/queue/dead-letters"),
        ("invocations list", "queue stats", "queue dead"),
        {"created_at": YEARS, "context": ("cut", "list", "null")},
    ),
    "doubts": Shown(
        ("/v1/invocations?status=in_doubt",),
        ("/invocations?status=in_doubt", "/"),
        ("invocations list",),
    ),
    "approvals": Shown(
        ("/v1/approvals",), ("/approvals",), ("approvals list",), {"decided_at": YEARS}
    ),
    "events": Shown(
        ("/v1/events",), (), ("events list",), {"at": YEARS, "data": ("cut", "unsealed")}
    ),
    "files": Shown(("/v1/files",), ("/files",), ("files list",)),
    "callbacks": Shown(
        ("/v1/callbacks",),
        ("/callbacks",),
        ("callbacks list",),
        {"created_at": YEARS, "failing_since": YEARS},
    ),
    "deliveries": Shown(
        ("/v1/deliveries",),
        ("/deliveries", "/callbacks"),
        ("deliveries list",),
        {"created_at": YEARS, "ended_at": YEARS},
    ),
    "schedules": Shown(
        ("/v1/schedules", "/v1/schedules?sort=-createdAt"),
        ("/schedules", "/"),
        ("schedules list",),
        {"created_at": YEARS, "timing": ("cut", "zone")},
    ),
    "schedule_slots": Shown(
        ("/v1/schedules/schedules-0002/slots",), ("/schedules/schedules-0002",)
    ),
    "subscriptions": Shown(
        ("/v1/subscriptions",),
        ("/subscriptions", "/"),
        ("subscriptions list",),
        {"created_at": YEARS},
    ),
    "connections": Shown(
        ("/v1/connections",),
        ("/connections", "/"),
        ("connections list",),
        {"public_values": ("cut", "list", "null")},
    ),
    "grants": Shown(("/v1/connections",), ("/connections",), ("connections list",)),
    "tokens": Shown(
        ("/v1/tokens",),
        ("/tokens",),
        ("tokens list",),
        {"created_at": YEARS, "rules": ("cut", "list")},
    ),
    "audit_entries": Shown(
        ("/v1/audit",), ("/audit",), ("audit list",), {"entry": ("cut", "list")}
    ),
    "oauth_clients": Shown(
        ("/v1/oauth-clients",),
        ("/oauth-clients",),
        ("oauth-clients list",),
        {"created_at": YEARS, "sealed": ("cut", "unsealed")},
    ),
    "mcp_servers": Shown(
        ("/v1/mcp-servers", "/v1/connectors"),
        ("/mcp-servers", "/connectors"),
        ("mcp-servers list",),
        {"created_at": YEARS},
    ),
    "outcomes": Shown(("/v1/suppressions",), ("/suppressions",), ("suppressions list",)),
    "connect_sessions": Shown(
        (f"/v1/workspaces/{TENANT}/connect-sessions",),
        (f"/tenants/{TENANT}", f"/tenants/{TENANT}/connect-sessions"),
        (f"connect-sessions list --workspace {TENANT}",),
        {"expires_at": ("year12000",)},
    ),
    "workspaces": Shown(
        ("/v1/workspaces",), ("/tenants", "/"), ("workspaces list",), {"created_at": YEARS}
    ),
    "invocation_counts": Shown((), ("/",)),
    "event_counts": Shown((), ("/tenants/default",)),
}
_PROBLEMS = {"problem", "damage"}
_MORE = re.compile(r'href="([^"]*[?&](?:amp;)?cursor=[^"]*)"')


def _read(client: Client, path: str, token: str) -> Sequence[Mapping[str, Any]]:
    """Read a list to its end."""
    rows, query, name = list[Mapping[str, Any]](), "", "after" if path == "/v1/events" else "cursor"
    while True:
        answer = client.get(
            f"{path}{'&' if '?' in path else '?'}limit=40{query}", authorization=f"Bearer {token}"
        )
        assert answer.status == 200, (path, answer.text)
        found = json.loads(answer.text)
        rows += found["items"]
        if not found.get("nextCursor") or not found["items"]:
            return rows
        query = f"&{name}={quote(found['nextCursor'])}"


def _pages(browser: Client, path: str) -> str:
    """Return the words of a page of the console, and of those to which its list leads."""
    words, following, seen = "", [path], set[str]()
    while following:
        seen.add(following[0])
        answer = browser.get(following[0])
        assert answer.status == 200, (following[0], answer.words)
        words += answer.words
        found = [html.unescape(one) for one in _MORE.findall(answer.text)]
        following = [one for one in dict.fromkeys(found) if one not in seen][:1]
    return words


def _is_told(row: Mapping[str, Any]) -> bool:
    return bool(_PROBLEMS & (row.keys() | (row.get("data") or {}).keys()))


@pytest.mark.parametrize("table", TABLES)
def test_one_damaged_row_hides_no_other(
    tmp_path: Path,
    database_url: str,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each column of each row is damaged in each way, in a row of its own: every list, page and
    command shows the healthy rows, and says what is wrong with the others where they can be shown.
    """
    shown, where = (
        TABLES[table],
        {"JACKFIELD_HOME": str(tmp_path / "home"), "JACKFIELD_DATABASE_URL": database_url},
    )
    shell = Shell(tmp_path, [str(tmp_path)], monkeypatch, capsys)
    shell.set(**where)
    with placed(tmp_path, environment=where, queue_workers=0) as place:
        rows = Rows(place)
        pairs = list(rows.pairs(table))
        first, *others, last = rows.make(table, len(pairs) + 2)
        damaged = {
            name: pair
            for name, pair in zip(others, pairs, strict=True)
            if rows.damage(table, *pair, name)
        }
        assert len(damaged) > len(pairs) / 4, f"{len(damaged)} of {len(pairs)}"
        token = _token(place, table)
        browser = place.signed_in(token if table == "approvals" else None)
        for path in shown.lists:
            found = {
                str(value).removeprefix("mcp."): row
                for row in _read(place.client(), path, token)
                for value in row.values()
            }
            assert {first, last} <= found.keys() or table in (
                "doubts",
                "grants",
                "schedule_slots",
            ), path
            assert not [
                name for name in (first, last) if name in found and _is_told(found[name])
            ], path
            quiet = [
                damaged[name]
                for name in damaged.keys() & found.keys()
                if path == shown.lists[0]
                and damaged[name][1] in shown.told.get(damaged[name][0], ())
                and not _is_told(found[name])
            ]
            assert not quiet, (path, quiet)
        for path in shown.pages:
            _pages(browser, path)
        for command in shown.commands:
            answer = shell.run(*command.split())
            assert answer.code in (0, 1), (command, answer)
            assert '"error"' not in answer.out[:20], (command, answer)


def _token(place: Place, table: str) -> str:
    if table in ("connect_sessions", "workspaces"):
        return place.platform_token("acme-*")
    return (
        place.tokens("default").create("approve" if table == "approvals" else "manage", "own").text
    )
