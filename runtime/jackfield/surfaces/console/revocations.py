"""Notices about installed connectors that their catalogue has revoked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.catalog.installations import revocations
from jackfield.markup import Markup
from jackfield.surfaces.console.components import h, notice
from jackfield.surfaces.console.page_request import PageRequest


def revoked_here(request: PageRequest) -> Mapping[str, Mapping[str, Any]]:
    """Return the revocations of installed connectors that the caller sees, by key."""
    found = revocations(request.server.catalog.home)
    return {key: row for key, row in found.items() if key in {*request.catalog}} if found else {}


def revoked_notices(request: PageRequest, key: str | None = None) -> list[Markup]:
    """Render a notice for each revoked connector, or for the one called ``key``."""
    return [_shown(row) for name, row in revoked_here(request).items() if key in (None, name)]


def _shown(row: Mapping[str, Any]) -> Markup:
    why = f": {row['reason']}" if row.get("reason") else ""
    since = f" on {row['at'][:10]}" if row["at"] else ""
    return notice(
        h.p(h.strong(f"The release {row['version']} of ", h.a(row["connector"], href=f"/connectors/{row['connector']}"), f" was revoked{since}{why}.")),
        h.p("Its calls go on. Find out whether it can be trusted; then upgrade or remove it."),
        tone="bad",
    )  # fmt: skip
