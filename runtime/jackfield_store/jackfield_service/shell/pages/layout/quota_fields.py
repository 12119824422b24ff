"""Fields of one quota on effects, in forms of tenants and of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jackfield.kernel.markup import Markup
from jackfield_service.shell.pages.layout.components import choice_field, h, text_field
from jackfield_store.access.quotas import PERIODS

_OF = ("effect", "action", "connection")
_EFFECTS = (
    ("", "Any"),
    ("change", "All but reads"),
    ("write", "Writes"),
    ("idempotent", "Idempotent"),
    ("read", "Reads"),
)


def quota_fields(found: Mapping[str, Any] = MappingProxyType({}), prefix: str = "quota") -> Markup:
    """Render the fields of a quota, with the values of ``found``; ``prefix`` begins their IDs."""
    of: Mapping[str, Any] = found.get("of", {})
    count, pairs = found.get("count"), [(one, one.capitalize()) for one in PERIODS]

    def text(name: str, label: str, value: str | None, hint: str) -> Markup:
        return text_field(f"{prefix}-{name}", label, value, hint, name=name, maxlength=200)

    most = text_field(
        f"{prefix}-count",
        "At most",
        None if count is None else f"{count:.15g}",
        name="count",
        inputmode="decimal",
    )
    per = choice_field(f"{prefix}-per", "Per", pairs, str(found.get("per", "day")), name="per")
    effect = choice_field(
        f"{prefix}-effect", "Effect", _EFFECTS, str(of.get("effect", "")), name="effect"
    )
    action = text("action", "Action", of.get("action"), "Such as aws-ses/*. Empty: any.")
    connection = text(
        "connection", "Connection", of.get("connection"), "Such as acme-*. Empty: any."
    )
    by = text(
        "by",
        "For each",
        found.get("by"),
        "token, connection, recipient or /input has a count of its own. Empty: all count together.",
    )
    total = text(
        "sum",
        "Sum of",
        found.get("sum"),
        "An input such as /amount, whose number counts. Empty: each call counts as one.",
    )
    return h.div(
        h.div(most, per, class_="pair"),
        effect,
        h.div(action, connection, class_="pair"),
        by,
        total,
        class_="stack",
    )


def read_quota(given: Mapping[str, str]) -> dict[str, Any] | None:
    """Read the quota in a browser's form data; None if no field is filled in. The settings check
    it.
    """
    texts = {name: given.get(name, "").strip() for name in ("count", *_OF, "by", "sum")}
    if not any(texts.values()):
        return None
    of = {name: texts[name] for name in _OF if texts[name]}
    more = {name: texts[name] for name in ("by", "sum") if texts[name]}
    return {
        "count": _number(texts["count"]),
        "per": given.get("per", ""),
        **({"of": of} if of else {}),
        **more,
    }


def _number(text: str) -> int | float | str:
    """Convert to a number; return any other string unchanged, which the checks refuse."""
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text
