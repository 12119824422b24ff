"""``Field``: describes a field of a model by JSON Schema keywords, plus the hints that forms need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field as _PydanticField
from pydantic_core import PydanticUndefined

__all__ = ["Field"]


def Field(  # noqa: N802 (pydantic's name; every keyword is a word of the manifest)
    default: Any = PydanticUndefined,
    *,
    title: str | None = None,
    description: str | None = None,
    alias: str | None = None,
    examples: Sequence[Any] | None = None,
    secret: bool = False,
    sensitive: bool = False,
    mask: Literal["last4"] | None = None,
    multiline: bool = False,
    language: str | None = None,
    options: str | None = None,
    trim: bool = False,
    lowercase: bool = False,
    blank: Literal["absent"] | None = None,
    from_connection: str | None = None,
    expects: str | None = None,
    generated: Literal["externalId"] | None = None,
    destination: bool = False,
    schema: Mapping[str, Any] | None = None,
) -> Any:
    """Describe one field of inputs, output or connection values.

    - ``default``, ``title``, ``description``, ``alias``, ``examples``: as in pydantic.
    - ``secret``: the value is never shown. ``sensitive``: it stays out of logs and messages (an email's text). ``mask``: only its last four
      characters are shown.
    - ``multiline``, ``language``, ``options`` (the key of an option source): hints for forms.
    - ``trim``, ``lowercase``: normalise strings. ``blank="absent"``: a blank string counts as missing.
    - ``from_connection``: name of the connection value that fills a missing input.
    - ``expects``: completes "… is not" in the message for a failed pattern ("an AWS region such as eu-west-1").
    - ``generated``: the store generates the value if a stored connection lacks it.
    - ``destination``: the connection value determines where secrets are sent (a host, an endpoint), so changing it over HTTP requires
      entering the secrets again.
    - ``schema``: further JSON Schema keywords.
    """
    marks = {
        "sensitive": sensitive, "mask": mask, "multiline": multiline, "language": language, "options": options, "trim": trim,
        "lowercase": lowercase, "blank": blank, "fromConnection": from_connection, "expects": expects,
        "generated": generated, "destination": destination,
    }  # fmt: skip
    extra: dict[str, Any] = dict(schema or {})
    if secret:
        extra |= {"writeOnly": True, "format": "password"}
    hints = {name: value for name, value in marks.items() if value}
    if hints:
        extra["x-jackfield"] = hints
    return _PydanticField(
        default,
        title=title,
        description=description,
        alias=alias,
        examples=list(examples) if examples is not None else None,
        repr=not (secret or sensitive),
        json_schema_extra=extra or None,
    )
