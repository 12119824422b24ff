"""Parts of pages from a manifest's ``listing``: everyday tasks, the connector's proof, the
provider's demands on applications.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from jackfield.kernel.markup import Markup, Node
from jackfield_market.listings import no_account_of, proof_of, review_of, tasks_of
from jackfield_market.site.markup import h, line, link

_FACTS = 60
"""Maximum number of displayed facts of each kind."""
_PROVEN = {
    "written": "written, and not compared with a document of the provider",
    "checked": "checked against the provider's document",
    "recorded": "recorded at the provider",
}

Json = Mapping[str, Any]


def proof(raw: Json) -> Node:
    """Return the proof of a connector as a sentence; None if its manifest states none."""
    found = proof_of(raw)
    if not found:
        return None
    document = f" {found['document']}" if "document" in found else ""
    on = f"{' of' if document else ' on'} {found['on']}" if "on" in found else ""
    rest = ["; ", h.a("what was not seen on its pages", href="#facts")] if found["known"] else None
    return [f"{_PROVEN[found['tier']]}{document}{on}", rest]


def review(raw: Json) -> Node:
    """Return the provider's demands on applications; None if the manifest states no demands."""
    found = review_of(raw)
    return (
        [h.span("needs an app review", class_="badge"), " ", line(found)]
        if found is not None
        else None
    )


def tasks(raw: Json) -> list[Node] | None:
    """Return the section of everyday tasks, each with a link to its action; None without tasks."""
    found = tasks_of(raw)
    if not found:
        return None
    return [
        h.h2("Tasks"),
        h.ul(
            [h.li(h.a(words, href=f"#action-{quote(action)}")) for words, action in found.items()]
        ),
    ]


def facts(raw: Json) -> list[Node] | None:
    """Return the section with the manifest's facts about the provider, seen on its pages or not;
    None if the manifest states no proof.
    """
    found = proof_of(raw)
    if not found:
        return None
    seen = [
        h.li(line(row.get("about")), ": ", link(row.get("url"), "seen"), f" on {row.get('on')}")
        for row in found["facts"][:_FACTS]
    ]
    known = [
        h.li(line(text), ": ", h.strong("not seen on a page of the provider"))
        for text in found["known"][:_FACTS]
    ]
    unnamed = no_account_of(raw)
    more = (
        [h.li("Connections do not name their account: ", line(unnamed))]
        if unnamed is not None
        else []
    )
    return [
        h.h2("What it says about the provider", id="facts"),
        h.ul(seen, known, more) if seen or known or more else None,
        h.p(
            "This connector is not made or endorsed by the provider. Names in it belong to their "
            "owners.",
            class_="soft",
        ),
    ]


def entry(found: Json | None) -> Markup | None:
    """Return the further lines of a list's entry; None without a listing. ``found`` is the listing
    in the row of a release.
    """
    if not found:
        return None
    return h.div(
        h.span(text_of(found), class_="soft"),
        [" ", h.span("needs an app review", class_="badge")] if found.get("review") else None,
        [h.br(), "For example: ", "; ".join(found["tasks"])] if found.get("tasks") else None,
        class_="listing",
    )


def text_of(found: Json) -> str:
    """Return sign-ins, triggers and tier of the proof as one line."""
    named = [
        f"{noun}: {', '.join(found[name])}"
        for name, noun in (("signIns", "Sign-in"), ("triggers", "Triggers"))
        if found.get(name)
    ]
    parts = [*named, found.get("proof", "")]
    return " · ".join(part for part in parts if part)
