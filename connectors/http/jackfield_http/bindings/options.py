"""Option sources of bound connectors: the choices of a form field are the items of a list that an
action reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jackfield.connector import Option, Pagination, current_call
from jackfield.kernel.dataclass import dataclass
from jackfield.manifest.pagination import OPEN_END
from jackfield_http.bindings.styles import text
from jackfield_http.pointers import find
from jackfield_http.words import KEY, POINTER, closed, word

SOURCE = closed(
    {
        "action": word(
            KEY,
            "The action that lists the choices: a read of this manifest. Its first pages are "
            "fetched.",
        ),
        "inputs": word(
            {"type": "object"},
            "Inputs of the action; those of 'dependsOn' are passed on as the form has them.",
        ),
        "items": word(POINTER, "The choices in the action's output."),
        "value": word(POINTER, "The value in a choice."),
        "label": word(
            {"type": "array", "items": POINTER},
            "Members of a choice that make its label; left out, its value.",
        ),
        "where": word(
            {"type": "object", "additionalProperties": KEY},
            "Members that a choice must have: by JSON Pointers, inputs of the form; one that it "
            "lacks excludes nothing.",
        ),
    },
    ["action", "items", "value"],
    "How a bound connector finds the choices.",
)
MOST_CHOICES = 1000
"""Maximum number of choices of one source. A longer list is cut."""
_MOST_PAGES = 10
_BETWEEN = " · "

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """Action that lists choices: ``fetch`` returns a page for an open client and inputs."""

    fetch: Callable[[Any, dict[str, Any]], Json]
    pagination: Pagination | None

    def pages(self, client: Any, inputs: dict[str, Any]) -> Iterator[Json]:
        """Yield the first pages of a list."""
        for _ in range(_MOST_PAGES):
            page = self.fetch(client, inputs)
            yield page
            following, _ = self.following(page)
            if following is None:
                return
            inputs = {**inputs, **following}

    def following(self, page: Json) -> tuple[dict[str, Any] | None, str | None]:
        """Return the inputs for the page after ``page``, None after the last page; and the reason
        why it is unknown whether that page exists, else None.
        """
        if self.pagination is None:
            return None, None
        found, call = self.pagination.following(page), current_call()
        if call is not None and call.open_end:
            return None, call.warnings[-1].message if call.warnings else OPEN_END
        return found, OPEN_END if found is None and not self.pagination.ends(page) else None


def choices_of(row: Json, listing: Callable[[str], Listing]) -> Callable[..., list[Option]]:
    """Return the function of the option source that a manifest describes. ``listing`` finds the
    action that lists the choices.
    """
    about, depends_on = row["http"], tuple(row.get("dependsOn", ()))
    wanted: Mapping[str, str] = about.get("where", {})

    def choices(client: Any, *, inputs: Json) -> list[Option]:
        passed = {
            name: inputs[name]
            for name in depends_on
            if name not in wanted.values() and inputs.get(name) not in (None, "")
        }
        found: dict[str, Option] = {}
        for page in listing(about["action"]).pages(client, {**about.get("inputs", {}), **passed}):
            for item in find(page, about["items"]) or ():
                value = find(item, about["value"])
                if value is not None and all(
                    inputs.get(name) in (None, "", find(item, place))
                    for place, name in wanted.items()
                ):
                    found.setdefault(
                        text(value), Option(text(value), _label(item, about) or text(value))
                    )
            if len(found) >= MOST_CHOICES:
                break
        return [*found.values()][:MOST_CHOICES]

    choices.__doc__ = row.get("description", "")
    return choices


def _label(item: Any, about: Json) -> str:
    parts = [
        text(part)
        for place in about.get("label", ())
        if (part := find(item, place)) not in (None, "", [])
    ]
    return _BETWEEN.join(dict.fromkeys(parts))
