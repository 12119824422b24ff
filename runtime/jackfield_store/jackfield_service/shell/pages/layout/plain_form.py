"""A form of a connection type's values in plain HTML, which works without scripts; and the reading
of a browser's form data as values.

The fields are those of ``form_schema``, which the console's scripts draw. Values without an HTML
control are entered as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from jackfield.invocation import decode
from jackfield.kernel.errors import Detail, InvalidConnection, InvalidInvocation
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import h, json_text
from jackfield_service.shell.pages.layout.form_schema import form_schema

Choices = Mapping[str, Sequence[tuple[str, str]]]
"""Values and their labels, by the key of an option source."""
_PREFIX = "value."
_LINE = ("text", "date", "moment", "integer", "number")
"""Kinds of controls with one line. Days and times are written in the schema's format."""
_SECRETS = ("password", "masked")
_TEXTS = (*_LINE, *_SECRETS, "textarea", "choice")
_LINES = 4


def fields(
    schema: Mapping[str, Any],
    values: Mapping[str, Any],
    stored: frozenset[str],
    faults: Mapping[str, str],
    say: Callable[..., str],
    choices: Choices = MappingProxyType({}),
    auth: str = "none",
) -> Markup:
    """Render the fields of the schema of a connection that signs in by ``auth``. ``faults`` are
    sentences by JSON Pointer, ``stored`` the names of stored secrets; ``say`` translates.
    ``choices`` are suggestions by the source that a field names.
    """
    drawn = form_schema(schema, stored=stored, auth=auth)["properties"]
    shown = [
        _field(item, values, faults, say, choices, kept=item[0] in stored)
        for item in drawn.items()
        if not item[1]["options"]["more"]
    ]
    rest = [item for item in drawn.items() if item[1]["options"]["more"]]
    if not rest:
        return h.join(shown)
    opened = any(_pointer(item[0]) in faults for item in rest)
    more = h.details(
        h.summary(say("more")),
        [_field(item, values, faults, say, choices, kept=item[0] in stored) for item in rest],
        class_="more",
        open=opened,
    )
    return h.join([*shown, more])


def read(schema: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """Read the values from a browser's form data; empty fields are left out. Values without a field
    are returned as sent.

    :raises InvalidConnection: if a field for JSON has other content.
    """
    drawn = form_schema(schema)["properties"]
    sent = (name.removeprefix(_PREFIX) for name in form if name.startswith(_PREFIX))
    found: dict[str, Any] = {name: form[f"{_PREFIX}{name}"] for name in sent if name not in drawn}
    for name, member in drawn.items():
        text = form.get(f"{_PREFIX}{name}", "")
        kind = member["options"]["kind"]
        if kind == "boolean":
            if text or member["options"].get("default") is True:
                found[name] = text == "on"
        elif text.strip() or (kind in _SECRETS and text):
            text = text.replace("\r\n", "\n")  # as browsers send the line breaks of a text area
            found[name] = text if kind in _TEXTS else _parsed(name, kind, text)
    return found


def sent(form: Mapping[str, str]) -> dict[str, str]:
    """Return the non-empty values of a browser's form data, by name, so that invalid values can be
    displayed again.
    """
    return {
        name.removeprefix(_PREFIX): text
        for name, text in form.items()
        if name.startswith(_PREFIX) and text.strip()
    }


def _parsed(name: str, kind: str, text: str) -> Any:
    if kind in ("list", "choices"):
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind == "mixed" and not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return decode(text)
    except InvalidInvocation:
        fault = Detail(_pointer(name), "must be JSON")
        raise InvalidConnection(
            "a value is not valid", details=[fault], hint="Write it as JSON."
        ) from None


def _pointer(name: str) -> str:
    return f"/{name}"


def _field(
    item: tuple[str, Mapping[str, Any]],
    values: Mapping[str, Any],
    faults: Mapping[str, str],
    say: Callable[..., str],
    choices: Choices,
    *,
    kept: bool,
) -> Markup:
    name, member = item
    options: Mapping[str, Any] = member["options"]
    identifier = f"field-{name}"
    wrong = next(
        (
            text
            for pointer, text in faults.items()
            if (pointer + "/").startswith(f"{_pointer(name)}/")
        ),
        None,
    )
    hint, is_refused = options.get("hint"), kept and wrong is not None
    kept, needed = kept and not is_refused, bool(options.get("required")) or is_refused
    noted = {"hint": hint, "kept": kept, "fault": wrong}
    described = " ".join(f"{identifier}-{note}" for note, there in noted.items() if there) or None
    about: dict[str, Any] = {
        "id": identifier,
        "name": f"{_PREFIX}{name}",
        "aria_describedby": described,
        "aria_invalid": "true" if wrong else None,
        "data_takes": options.get("takes"),
        "required": needed and not kept and options["kind"] != "boolean",
        "autocomplete": "off",
        "spellcheck": "false",
    }
    suggested = choices.get(options.get("optionsFrom", ""), ()) if options["kind"] == "text" else ()
    about.update({"list": f"{identifier}-choices"} if suggested else {})
    control = _control(
        options, values.get(name), about, say("kept") if kept else _placeholder(options, say)
    )
    optional = None if needed or kept else h.span(" ", say("optional"), class_="muted small")
    label = h.label(member["title"], optional, for_=identifier)
    notes: list[Node] = [
        h.p(hint, class_="hint", id=f"{identifier}-hint") if hint else None,
        h.details(
            h.summary("…", aria_label=member["title"]),
            h.div(options["rest"], class_="prose"),
            class_="rest",
        )
        if "rest" in options
        else None,
        h.p(say("kept_tried"), class_="hint", id=f"{identifier}-kept") if noted["kept"] else None,
        h.p(wrong, class_="field-error", id=f"{identifier}-fault") if wrong else None,
    ]
    if options["kind"] == "boolean":
        return h.div(
            h.label(control, " ", member["title"], for_=identifier), notes, class_="field check"
        )
    listed = (
        h.datalist(
            [h.option(text, value=value) for value, text in suggested], id=f"{identifier}-choices"
        )
        if suggested
        else None
    )
    return h.div(label, notes, control, listed, class_="field")


def _placeholder(options: Mapping[str, Any], say: Callable[..., str]) -> str | None:
    if "placeholder" not in options:
        return None
    if "example" in options:
        return say("example", value=options["example"])
    # else what says that a secret is stored
    return say("usual", value=options["default"]) if "default" in options else None


def _control(
    options: Mapping[str, Any], value: Any, about: dict[str, Any], placeholder: str | None
) -> Markup:
    kind = options["kind"]
    if kind == "boolean":
        on = value is True or value == "on" or (value is None and options.get("default") is True)
        return h.input(
            type="checkbox",
            value="on",
            checked=on,
            **{key: item for key, item in about.items() if key != "autocomplete"},
        )
    if kind == "choice":
        return h.select(list(_options(options, value)), **about)
    if kind == "password":
        return h.input(
            type="password", placeholder=placeholder, **{**about, "autocomplete": "new-password"}
        )
    if kind == "masked":
        return h.textarea(rows=_LINES, placeholder=placeholder, class_="masked mono", **about)
    if kind in _LINE:
        mode = "decimal" if kind in ("integer", "number") else None
        return h.input(
            type="text",
            value="" if value is None else str(value),
            placeholder=placeholder,
            inputmode=mode,
            **about,
        )
    text = (
        "\n".join(map(str, value))
        if isinstance(value, list) and kind in ("list", "choices")
        else value
    )
    shown = text if isinstance(text, str) else "" if text is None else json_text(text)
    return h.textarea(shown, rows=_LINES, placeholder=placeholder, **about)


def _options(options: Mapping[str, Any], value: Any) -> Iterator[Markup]:
    chosen = options.get("default") if value is None else value
    if not options.get("required"):
        yield h.option("", value="", selected=chosen is None)
    choices = options.get("choices", ())
    for choice, title in zip(choices, options.get("labels", choices), strict=True):
        yield h.option(str(title), value=str(choice), selected=choice == chosen)
