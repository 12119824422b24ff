"""Card of a page with the quotas on effects of one owner: the use of each quota, and the forms that
add, change and remove one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.pages.layout.components import at, final, form, h, panel
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.quota_fields import quota_fields, read_quota
from jackfield_store.access.quotas import SCALE, WORKSPACE, Quota, quotas_of
from jackfield_store.journal.quotas import digest, used

_EFFECTS = {
    "write": "writes",
    "change": "changes",
    "idempotent": "idempotent calls",
    "read": "reads",
}
"""Nouns for calls of each effect."""


@dataclass(frozen=True, slots=True)
class QuotaCard:
    """Quotas of the request's workspace, or of its ``owner`` with this ``key``. ``address``
    receives the forms, which are rendered from ``state``; without an address there are no forms.
    """

    request: PageRequest
    quotas: Sequence[Mapping[str, Any]]
    address: str = ""
    state: Any = None
    owner: str = WORKSPACE
    key: str | None = None

    def drawn(self) -> Markup:
        """Render the quotas."""
        request, workspace, may = self.request, self.request.identity.workspace, bool(self.address)
        storage = request.server.storage
        spent = used(storage.database, workspace, request.now) if self.quotas else {}
        rows = []
        for place, quota in enumerate(quotas_of(self.quotas, self.owner)):
            counts, most = spent.get(
                digest(storage.vault, workspace, [quota.name, self.key]), (0, 0)
            )
            each = (
                ""
                if quota.by is None or not counts
                else f" by one {quota.by.removeprefix('/')}; {counts:,} have spent some"
            )
            acts = [[self._form(str(place)), self._removal(str(place), quota.title)]] if may else []
            rows.append(
                (
                    quota_text(self.quotas[place], quota),
                    f"{most / SCALE:,.10g}{each}",
                    at(quota.span(request.now)[1], request.now),
                    *acts,
                )
            )
        lead = h.p(
            "How many calls may take effect in a span of time. A doubt counts as spent.",
            class_="muted",
        )
        columns = ("At most", "Spent now", "Resets", *(["Actions"] if may else []))
        title = h.div(h.h2("Quotas"), self._form() if may else None, class_="row")
        return h.section(
            title,
            lead,
            table("Quotas", columns, rows, empty="No quotas: nothing limits what takes effect."),
            class_="card",
        )

    def _form(self, place: str = "") -> list[Node]:
        kept = self.quotas[int(place)] if place else {}
        there, identifier = (
            h.input(type="hidden", name="place", value=place),
            f"quota-{place or 'new'}",
        )
        into, save = (
            h.div(id=f"{identifier}-said", aria_live="polite"),
            h.div(h.button("Save quota", class_="primary"), class_="actions"),
        )
        fields = quota_fields(kept, identifier)
        drawn = form(
            self.request,
            self.address,
            there,
            fields,
            into,
            save,
            into=f"#{identifier}-said",
            state=self.state,
        )
        title = "Change a quota" if place else "Add a quota"
        return panel(
            identifier,
            "Change" if place else title,
            title,
            drawn,
            tone="quiet" if place else "button",
        )

    def _removal(self, place: str, title: str) -> Markup:
        there = [
            h.input(type="hidden", name=name, value=value)
            for name, value in (("place", place), ("removal", "on"))
        ]
        return final(
            self.request,
            self.address,
            "Remove",
            "Nothing is counted against it any more.",
            *there,
            of=title,
            state=self.state,
        )


def quota_text(given: Mapping[str, Any], quota: Quota) -> str:
    """Return a stored quota in words, such as ``500 writes of aws-ses per day, for each token``."""
    of, each, path = given.get("of", {}), quota.by or "", quota.sum or ""
    action, connection = str(of.get("action", "*")), of.get("connection")
    what = _EFFECTS.get(of.get("effect", ""), "calls")
    what += "" if action in ("*", "*/*") else f" of {action.removesuffix('/*')}"
    what += f" over {connection}" if connection else ""
    number = (
        f"{quota.count:,.12g} {what}"
        if not path
        else f"{quota.count:,.12g} in all of “{_last(path)}” in {what}"
    )
    whose = (
        ""
        if not each
        else f", for each {each}"
        if not each.startswith("/")
        else f", for each value of “{_last(each)}”"
    )
    return f"{number} per {quota.per}{whose}"


def _last(path: str) -> str:
    return path.removeprefix("/").replace("/", ", ")


def quotas_from(form_: Mapping[str, str], present: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the quotas with one added, or with the quota at the form's ``place`` changed or
    removed; the form was rendered from all of them.
    """
    quotas, place = [*present], form_.get("place", "")
    at_ = int(place) if place.isdecimal() and int(place) < len(quotas) else len(quotas)
    quotas[at_ : at_ + 1] = [] if "removal" in form_ else [read_quota(form_) or {"per": "day"}]
    return quotas
