"""Typed values of a form that is rendered again because its state has changed: filled in again,
with the current values next to them.

They are put into the current page's HTML, so that no page needs code of its own. A secret is never
sent back, and a confirmation (``data-asks``) must be given again for the current state.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from itertools import accumulate
from typing import Any

from jackfield.invocation import decode
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.markup import Node, terms
from jackfield.kernel.pointers import cut
from jackfield_service.shell.pages.layout.components import code_block, h, json_text, notice

_UNTYPED = frozenset({"hidden", "password", "file", "submit", "button"})
_AGAIN = "What you had entered is filled in again, without secrets. Of this, it is now:"
_MOST = 20_000
Edit = tuple[int, int, str]


@dataclass
class _Element:
    """A control, option, form or enclosing element, with the position of its start tag."""

    tag: str
    attributes: dict[str, str | None]
    begin: int
    end: int
    around: list[_Element]
    text: str = ""
    closed: int = 0
    inner: list[_Element] = field(default_factory=list)
    """Options of a select; controls of a form."""

    def get(self, name: str) -> str:
        """Return an attribute; an empty string if it is missing."""
        return self.attributes.get(name) or ""

    def has(self, *names: str) -> bool:
        """Return whether the element has one of these attributes."""
        return any(name in self.attributes for name in names)

    def within(self, name: str) -> list[str]:
        """Return the words in an attribute of the enclosing elements."""
        return " ".join(one.get(name) for one in self.around).split()

    def option(self) -> _Element | None:
        """Return the selected option of a select; None if no option is selected."""
        return next(
            (one for one in self.inner if one.has("selected")),
            self.inner[0] if self.inner else None,
        )

    def tagged(self, **changes: str | bool) -> Edit:
        """Return the edit that writes the element's start tag with changed attributes."""
        given: dict[str, str | bool | None] = {**self.attributes, **changes}
        written = [
            f'{name}="{escape(str(value))}"' if isinstance(value, str) else name
            for name, value in given.items()
            if value is not False
        ]
        return self.begin, self.end, f"<{' '.join([self.tag, *written])}>"


Differing = tuple[_Element, str, str, list[Edit]]
"""A control whose typed value differs from its current one, with its label, its current value, and
the edits that fill in the typed one.
"""


class _Page(HTMLParser):
    """Parser of a page: the forms for one address, and all labels."""

    def __init__(self, text: str, address: str) -> None:
        super().__init__()
        self.forms: list[_Element] = []
        self.labels: dict[str, str] = {}
        self._address = address
        self._lines = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
        self._around: list[_Element] = []
        self._inner: list[_Element] | None = None
        self._labelled = ""
        self.feed(text)
        self.close()

    def _at(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a form, its controls, and the elements around them."""
        begin = self._at()
        made = _Element(
            tag, dict(attrs), begin, begin + len(self.get_starttag_text() or ""), [*self._around]
        )
        if tag in ("details", "div"):
            self._around.append(made)
        if tag == "form" and self._address in (made.get("action"), made.get("hx-post")):
            self._inner = made.inner
            self.forms.append(made)
        elif tag == "label":
            self._labelled = made.get("for")
        elif self._inner and tag == "option":
            self._inner[-1].inner.append(made)
        elif (
            self._inner is not None
            and (tag in ("input", "select", "textarea") or made.has("data-form"))
            and not made.has("form")
        ):
            self._inner.append(made)

    def handle_data(self, data: str) -> None:
        """Note the text of a label, an option or a field for several lines."""
        if self._labelled:
            self.labels[self._labelled] = (
                f"{self.labels.get(self._labelled, '')} {data.strip()}".strip()
            )
        elif self._inner and not self._inner[-1].closed:
            (self._inner[-1].inner or self._inner)[-1].text += data

    def handle_endtag(self, tag: str) -> None:
        """Close the current element of this name."""
        if tag in ("details", "div") and self._around:
            self._around.pop()
        elif tag == "label":
            self._labelled = ""
        elif tag == "form":
            self._inner = None
        elif tag in ("select", "textarea") and self._inner:
            self._inner[-1].closed = self._at()


def filled_again(page: str, address: str, typed: Mapping[str, str]) -> str | None:
    """Return a page with the values ``typed`` into its form for an address, next to the current
    ones; None if no value would be lost.
    """
    read = _Page(page, address)
    edits: dict[int, Edit] = {}
    for form in read.forms:
        now: list[tuple[str, Node]] = []
        runs = next(
            (
                option.get("value")
                for one in form.inner
                if one.get("id") == "runs" and (option := one.option())
            ),
            "",
        )
        for control, label, was, changes in _differing(form, typed, read.labels):
            folded = [one.tagged(open="") for one in control.around if one.tag == "details"]
            edits.update((edit[0], edit) for edit in (*changes, *folded))
            if runs in (control.within("data-of") or [runs]):  # else it does not count now
                now.append(
                    (
                        label,
                        code_block(cut(was, _MOST), f"{label}, as it is now")
                        if "\n" in was
                        else was or "empty",
                    )
                )
        if now:
            edits[form.end] = (form.end, form.end, notice(h.p(_AGAIN), terms(now), tone="warn"))
    pieces, done = list[str](), 0
    for begin, end, text in sorted(edits.values()):
        pieces += [page[done:begin], text]
        done = end
    return "".join([*pieces, page[done:]]) if edits else None


def _differing(
    form: _Element, typed: Mapping[str, str], labels: Mapping[str, str]
) -> Iterator[Differing]:
    drawn = {
        one.get("data-form"): json.loads(one.get("data-schema"))
        for one in form.inner
        if one.has("data-form")
    }
    named = [
        one.get("name")
        for one in form.inner
        if one.get("type") not in ("checkbox", "hidden") and one.has("name")
    ]
    if typed.keys().isdisjoint(named) if named else not drawn:
        return  # another form of the same address was sent
    secrets = {name for schema in drawn.values() for name in schema["options"].get("secrets", ())}
    other = "by-fields" if "as-json" in typed else "by-json"
    for one in form.inner:
        if (
            one.has("data-asks", "disabled")
            or other in one.within("class")
            or "masked" in one.get("class").split()
        ):
            continue
        label = labels.get(one.get("id"), one.get("name"))
        if one.has("data-form"):
            yield from _of_editor(form, one, drawn[one.get("data-form")], typed, secrets)
        elif one.get("type") == "checkbox":
            was, given = one.has("checked"), typed.get(one.get("name")) == "on"
            if was != given:
                yield (
                    one,
                    label,
                    "ticked" if was else "not ticked",
                    [one.tagged(checked="" if given else False)],
                )
        elif one.get("name") in typed and one.get("type") not in _UNTYPED:
            yield from _of_text(
                one,
                label,
                typed[one.get("name")].replace("\r\n", "\n"),
                {*secrets, *one.get("data-secrets").split()},
            )


def _of_text(
    one: _Element, label: str, given: str, secrets: Collection[str]
) -> Iterator[Differing]:
    if one.tag == "select":
        chosen, wanted = (
            one.option(),
            next((option for option in one.inner if option.get("value") == given), None),
        )
        if chosen is not None and wanted is not None and chosen is not wanted:
            yield (
                one,
                label,
                chosen.text,
                [chosen.tagged(selected=False), wanted.tagged(selected="")],
            )
    elif one.tag == "textarea":
        text = _without_secrets(given, one.text, secrets)
        if text is not None and text != one.text:
            # a line break at its begin is none of its text
            yield one, label, one.text, [(one.end, one.closed, f"\n{escape(text)}")]
    elif given != one.get("value"):
        yield one, label, one.get("value"), [one.tagged(value=given)]


def _without_secrets(given: str, now: str, secrets: Collection[str]) -> str | None:
    """Return a value without the secrets in its JSON; None if they cannot be determined."""
    if not secrets or not given.strip():
        return given
    try:
        return json_text(_emptied(decode(given), decode(now or "{}"), secrets))
    except InvalidInvocation:
        return None


def _emptied(given: Any, now: Any, secrets: Collection[str]) -> Any:
    """Return a value in which each secret is as in ``now``: masked, or missing."""
    known = now if isinstance(now, Mapping) else {}
    if isinstance(given, Mapping):
        kept = {
            name: _emptied(value, known.get(name), secrets)
            for name, value in given.items()
            if name not in secrets
        }
        return {**kept, **{name: value for name, value in known.items() if name in secrets}}
    return [_emptied(item, None, secrets) for item in given] if isinstance(given, list) else given


def _of_editor(
    form: _Element,
    one: _Element,
    schema: Mapping[str, Any],
    typed: Mapping[str, str],
    secrets: Collection[str],
) -> Iterator[Differing]:
    """Yield the differing fields of a schema, which the page's script draws from one value and
    collects in a hidden field.
    """
    holder = next(
        (
            box
            for box in form.inner
            if box.get("data-collected") == one.get("data-form") or box.get("id") == "invocation"
        ),
        None,
    )
    try:
        given = decode(typed.get("" if holder is None else holder.get("name"), ""))
    except InvalidInvocation:
        return
    given = (
        given.get("inputs")
        if isinstance(given, Mapping) and holder is not None and holder.get("id") == "invocation"
        else given
    )
    if not isinstance(given, Mapping):
        return
    now = json.loads(one.get("data-value"))
    given = _emptied(given, now, secrets)
    edits = [one.tagged(**{"data-value": json.dumps(given)})]
    for name, member in schema["properties"].items():
        usual = member["options"].get("default")
        if name not in secrets and given.get(name, usual) != now.get(name, usual):
            value = now.get(name, "")
            yield (
                one,
                str(member["title"]),
                value if isinstance(value, str) else json_text(value),
                edits,
            )
