"""Lists in a Result: a table over the whole width, with a choice of columns, and as CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import Console
from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft

pytest_plugins = ["browser"]

_PULLS = [
    {
        "url": f"https://api.example.com/pulls/{number}",
        "id": 9_007_199_254_740_993 + number,
        "number": number,
        "state": "open",
        "title": '=HYPERLINK("https://evil.example")' if number == 0 else f'Mend, "{number}"',
        "user": {"login": "ada"},
        "draft": False,
        "labels": ["bug", "easy"],
        "locked": False,
        "created": "2026-11-22",
        "updated": "2026-11-22",
        "merged": None,
    }
    for number in range(130)
]


def _kept(console: Console, output: dict[str, Any]) -> str:
    """The id of an invocation with this output."""
    journal = console.host.runtime("default").journal
    assert journal is not None
    meta = Meta(
        new_invocation_id(), connector="echo", connector_version="1.0.0", action="say", attempts=1
    )
    now = console.host.clock.time()
    draft = Draft(
        id=meta.invocation_id,
        connector="echo",
        connector_version="1.0.0",
        action="say",
        effect="read",
        connection=None,
        caller=None,
        created_at=now,
        expires_at=now + 60,
    )
    with journal.database.write() as transaction:
        journal.starting(draft)(transaction)
        journal.finishing(draft, Result("succeeded", meta, output=output), [])(transaction)
    return meta.invocation_id


def test_m5_lists_are_wide_tables_with_chosen_columns_and_csv(
    browser: Browser, console: Console, tmp_path: Path
) -> None:
    """M5: a list of objects is no wider than the window, its words stay whole, chosen columns are
    remembered, and CSV has all rows and columns, big numbers exactly, and no formula.
    """
    identifier = _kept(console, {"total": 130, "body": {"items": _PULLS, "cursor": "n"}})
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go(f"/invocations/{identifier}")
    page = visitor.page
    headers = page.locator("table.grid th[scope=col]:visible")
    assert headers.all_text_contents() == [
        "id",
        "number",
        "state",
        "title",
        "draft",
        "locked",
        "created",
        "updated",
    ]
    assert page.locator("table.grid tbody tr").count() == 100
    assert page.get_by_text("130 items, the first 100 of them here").is_visible()
    page.get_by_text("Columns (8 of 12)").click()
    page.get_by_label("user").check()
    page.get_by_label("draft").uncheck()
    assert headers.all_text_contents() == [
        "id",
        "number",
        "state",
        "title",
        "user",
        "locked",
        "created",
        "updated",
    ]
    # the next output of the same action
    visitor.go(f"/invocations/{_kept(console, {'body': {'items': [{**_PULLS[1], 'new': 1}]}})}")
    again = ["id", "number", "state", "title", "user", "locked", "created", "updated"]
    assert headers.all_text_contents() == again
    assert page.get_by_text("Columns (8 of 13)").is_visible()
    visitor.go(f"/invocations/{identifier}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "body.items.csv"
    download.value.save_as(tmp_path / "items.csv")
    with (tmp_path / "items.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (len(rows), rows[1]["title"], rows[1]["user"]) == (130, 'Mend, "1"', '{"login":"ada"}')
    assert rows[0]["title"].startswith("'=HYPERLINK")
    assert [row["id"] for row in rows] == [str(pull["id"]) for pull in _PULLS]
    visitor.look("light", phone=True)
    visitor.check()
    # axe judges each cell
    page.evaluate(
        "document.querySelectorAll('table.grid tbody tr:nth-child(n+6)').forEach((row) => "
        "row.remove())"
    )
    assert visitor.axe() == []
    visitor.close()
